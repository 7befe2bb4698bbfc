# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""What the demo asks and what it gets, as plain data."""

from dataclasses import dataclass, field
import math
from typing import Any

from ipt_ros.geometry import Pose2D
import numpy as np


@dataclass(frozen=True)
class Request:
    """
    A question that the demo puts to the robot, and its truth.

    scene: seed of the simulated room. pose: where the robot stands. target: x, y (m, map) of the
    red X. cameras: in the order in which the model sees them. truth_of: the fields of the
    ground-truth request that shows what should be imagined; None: nothing is imagined.
    """

    title: str
    over: str  # 'service' or 'action'
    task: str
    mode: str
    scene: int
    pose: Pose2D
    question: str
    choices: tuple[str, ...]
    truth: str
    cameras: tuple[str, ...]
    target: tuple[float, float] | None = None
    truth_of: dict[str, Any] | None = None


@dataclass(frozen=True)
class Outcome:
    """
    What came back.

    phases: seconds by name, in order. inputs, imagined and truth_image: uint8 (H, W, 3). error:
    why there is no answer, else ''.
    """

    request: Request
    answer: str = ''
    confidence: float = math.nan
    reasoning: str = ''
    seconds: float = math.nan
    phases: dict[str, float] = field(default_factory=dict)
    model: str = ''
    inputs: tuple[np.ndarray, ...] = ()
    imagined: np.ndarray | None = None
    truth_image: np.ndarray | None = None
    error: str = ''

    @property
    def correct(self) -> bool:
        """Whether the answer is the truth."""
        return bool(self.answer) and self.answer == self.request.truth
