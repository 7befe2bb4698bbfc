# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""Losses and speed for TensorBoard, beside the lines of JSON that the loop writes."""

from pathlib import Path
from types import TracebackType

from ipt_training.speed import Speed
import numpy as np
from torch import Tensor
from torch.utils.tensorboard import SummaryWriter


class RunLog:
    """
    Writes a step's losses and the speed of the step before it.

    ``first``: the step that the run goes on with; what was written of it and later ones before a
    kill is struck out. ``peak``: operations a second of all devices together, see `Speed`.
    """

    def __init__(self, folder: Path, first: int = 0, peak: float = 0.0):
        self._writer = SummaryWriter(str(folder), purge_step=first or None)
        self._speed = Speed(peak)

    def __enter__(self) -> 'RunLog':
        return self

    def __exit__(self, kind: type | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        self._writer.close()

    def picture(self, step: int, image: np.ndarray | None) -> None:
        """Log a picture, uint8 (H, W, 3); None is no picture."""
        if image is not None:
            self._writer.add_image('imagined', image, step, dataformats='HWC')

    def step(self, step: int, losses: dict[str, Tensor], samples: int, tokens: int,
             flops: float = 0.0) -> dict[str, float]:
        """Log a step's losses, and speed by name; return that: of the whole step before."""
        speed = self._speed.step(samples, tokens, flops)
        for name, value in losses.items():
            self._writer.add_scalar(f'loss/{name}', value.item(), step)
        for name, value in speed.items():
            self._writer.add_scalar(f'speed/{name}', value, step)
        return speed
