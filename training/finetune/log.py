# SPDX-License-Identifier: Apache-2.0
"""Losses and speed for TensorBoard, beside the lines of JSON that the loop writes."""

from pathlib import Path
import time
from types import TracebackType

import numpy as np
from torch import Tensor
from torch.utils.tensorboard import SummaryWriter


class RunLog:
    """
    Writes a step's losses and the speed of the step before it.

    ``first``: the step that the run goes on with; what was written of it and later ones before a
    kill is struck out.
    """

    def __init__(self, folder: Path, first: int = 0):
        self._writer = SummaryWriter(str(folder), purge_step=first or None)
        self._last: float | None = None
        self._work = (0, 0)

    def __enter__(self) -> 'RunLog':
        return self

    def __exit__(self, kind: type | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        self._writer.close()

    def picture(self, step: int, image: np.ndarray | None) -> None:
        """Log a picture, uint8 (H, W, 3); None is no picture."""
        if image is not None:
            self._writer.add_image('imagined', image, step, dataformats='HWC')

    def step(self, step: int, losses: dict[str, Tensor], samples: int,
             tokens: int) -> dict[str, float]:
        """Log a step's losses; return samples and tokens a second of the whole step before."""
        now = time.monotonic()
        speed = {}
        if self._last is not None:
            seconds = max(now - self._last, 1e-9)
            speed = {'samples_per_s': self._work[0] / seconds,
                     'tokens_per_s': self._work[1] / seconds}
        self._last, self._work = now, (samples, tokens)
        for name, value in losses.items():
            self._writer.add_scalar(f'loss/{name}', value.item(), step)
        for name, value in speed.items():
            self._writer.add_scalar(f'speed/{name}', value, step)
        return speed
