# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""How fast training goes: samples, tokens and the share of the device's peak."""

import time


class Speed:
    """
    Measures from step to step, and so all that a step takes: reading, packing, saving, too.

    ``peak``: operations a second that the devices can do (see `peak.device_peak`), 0 where nobody
    knows; there is no MFU then. Model FLOPs utilisation is the share of them that the model itself
    asks for (see `ipt_ros.bagel.flops`).
    """

    def __init__(self, peak: float = 0.0):
        self._peak = peak
        self._last: float | None = None
        self._work = (0, 0, 0.0)

    def step(self, samples: int, tokens: int, flops: float = 0.0) -> dict[str, float]:
        """
        Note that a step of so much work begins; return the figures of the step before by name.

        These are samples_per_s, tokens_per_s and mfu, from 0 to 1; nothing at the first step.
        """
        now = time.monotonic()
        figures = {}
        if self._last is not None:
            seconds = max(now - self._last, 1e-9)
            done, read, computed = self._work
            figures = {'samples_per_s': done / seconds, 'tokens_per_s': read / seconds}
            if self._peak and computed:
                figures['mfu'] = computed / seconds / self._peak
        self._last, self._work = now, (samples, tokens, flops)
        return figures
