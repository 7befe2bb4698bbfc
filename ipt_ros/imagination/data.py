# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""
What goes in and out of the door: views, requests, progress, results, refusals.

Positions are metres in the robot's base frame at the time of the observation: x forward, y left,
z up, the floor at z = 0.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
import math

from ipt_ros.geometry import OrthographicCamera, PinholeCamera
import numpy as np

TASK_NAMES = ('auto', 'pet', 'pt', 'mvc', 'free')
MODES = ('auto', 'answer', 'imagine')
# What 'auto' stands for where neither user nor checkpoint say so: the way the model was trained.
AUTO_MODE = {'pet': 'imagine', 'pt': 'imagine', 'mvc': 'imagine', 'free': 'answer'}


class Code(StrEnum):
    """Why a request was refused or failed; named as in ipt_interfaces/msg/ErrorCode."""

    UNKNOWN_CAMERA = 'UNKNOWN_CAMERA'
    NO_CAMERA_INFO = 'NO_CAMERA_INFO'
    NO_TRANSFORM = 'NO_TRANSFORM'
    NO_MAP = 'NO_MAP'
    EMPTY_QUESTION = 'EMPTY_QUESTION'
    QUESTION_TOO_LONG = 'QUESTION_TOO_LONG'
    UNKNOWN_TASK = 'UNKNOWN_TASK'
    UNKNOWN_MODE = 'UNKNOWN_MODE'
    BAD_CHOICES = 'BAD_CHOICES'
    BAD_CAMERA_COUNT = 'BAD_CAMERA_COUNT'
    MISSING_TARGET = 'MISSING_TARGET'
    BAD_REQUEST = 'BAD_REQUEST'
    BAD_PATH = 'BAD_PATH'
    TARGET_NOT_FINITE = 'TARGET_NOT_FINITE'
    TARGET_NOT_VISIBLE = 'TARGET_NOT_VISIBLE'
    TARGET_OCCLUDED = 'TARGET_OCCLUDED'
    TARGET_TURN = 'TARGET_TURN'
    TARGET_OUTSIDE_MAP = 'TARGET_OUTSIDE_MAP'
    TARGET_NOT_ON_FLOOR = 'TARGET_NOT_ON_FLOOR'
    CANCELLED = 'CANCELLED'
    BAD_MODEL = 'BAD_MODEL'
    NO_MEMORY = 'NO_MEMORY'


class ImaginationError(Exception):
    """A request that cannot be served: `code` for programs, the message for people."""

    def __init__(self, code: Code, message: str):
        super().__init__(message)
        self.code = code


@dataclass(frozen=True)
class View:
    """
    One camera's frame, or a map seen from above where the camera is orthographic.

    image: uint8 (H, W, 3) RGB. camera, base_from_optical (4x4) and depth (float32 (h, w) metres,
    0 = not measured) are None where they are not known; without the first two no target can be
    marked in this view. problem: why one of them is missing, for error messages.
    """

    name: str
    image: np.ndarray
    camera: PinholeCamera | OrthographicCamera | None = None
    base_from_optical: np.ndarray | None = None
    depth: np.ndarray | None = None
    problem: str = ''


@dataclass(frozen=True)
class AskRequest:
    """
    A question; see ipt_interfaces/srv/Ask for the meaning of each field.

    cameras: names, in the order for the model; () leaves the choice to the task. target: x, y, z.
    path: (x, y) of waypoint 1, any places on the way, waypoint 2; None for no path.
    """

    question: str
    choices: Sequence[str] = ()
    task: str = 'auto'
    mode: str = 'auto'
    cameras: Sequence[str] = ()
    target: tuple[float, float, float] | None = None
    path: Sequence[tuple[float, float]] | None = None
    seed: int | None = None


@dataclass(frozen=True)
class ViewRequest:
    """What a camera would see that stands at `target` (x, y, z on the floor) and faces yaw."""

    target: tuple[float, float, float]
    yaw: float
    camera: str = ''
    seed: int | None = None


@dataclass(frozen=True)
class BevRequest:
    """What is around the robot, from above. Metres; size 0: the whole map; resolution 0: its."""

    centre: tuple[float, float] = (0.0, 0.0)
    size: float = 0.0
    resolution: float = 0.0
    cameras: Sequence[str] = ()
    seed: int | None = None


Request = AskRequest | ViewRequest | BevRequest


@dataclass(frozen=True)
class Progress:
    """Step `step` (from 1) of `total` (0: unknown) of a phase. preview() draws what is there."""

    phase: str
    step: int = 1
    total: int = 0
    preview: Callable[[], np.ndarray] | None = None


@dataclass(frozen=True)
class Answer:
    """
    An answer. letter '' and index -1: no choice was taken.

    confidence: the model's probability of the choice among the choices, NaN without choices.
    """

    question: str
    choices: tuple[str, ...]
    task: str
    mode: str
    text: str
    letter: str
    index: int
    confidence: float
    probabilities: tuple[float, ...]
    reasoning: str


@dataclass(frozen=True)
class Imagined:
    """
    A picture that was imagined, not measured.

    kind: 'view' or 'bev'. image: uint8 (H, W, 3). camera and base_from_optical say where it would
    have been taken, None where that is not known. confidence: see `spatial.imagined.agreement`.
    """

    kind: str
    image: np.ndarray
    camera: PinholeCamera | OrthographicCamera | None = None
    base_from_optical: np.ndarray | None = None
    confidence: float = math.nan


@dataclass(frozen=True)
class Grid:
    """
    Occupancy around the robot: cells int8 (rows along +y, columns along +x), -1 or 0 to 100.

    origin: x, y of the outer corner of cell [0, 0] in the base frame, before `yaw` turns the grid
    about that corner.
    """

    cells: np.ndarray
    resolution: float
    origin: tuple[float, float]
    yaw: float


@dataclass(frozen=True)
class Result:
    """What came of a request; `phases` are seconds, `note` is a remark for people."""

    seed: int
    cameras: tuple[str, ...]
    inputs: tuple[np.ndarray, ...]
    answer: Answer | None = None
    imagined: tuple[Imagined, ...] = ()
    grid: Grid | None = None
    note: str = ''
    phases: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Options:
    """
    How requests are served.

    seed: where a request names none. steps: time points of the flow, 0 for the checkpoint's own.
    confidence_samples: further pictures for the confidence of imagined views and maps, each drawn
    in `confidence_steps` time points; 0 gives no confidence and a grid from one picture.
    auto_mode: the mode that 'auto' stands for, by task; where it has none or '', it is the one
    that the checkpoint recommends, else that of AUTO_MODE. map_size: side (m) of the map that the
    model was trained to imagine; path_map_size: of the map on which it was trained to see paths.
    side_view_height (m), side_view_hfov (rad): of the camera with which it imagines the view from
    a path. max_question: bytes of question and choices (UTF-8).
    """

    seed: int = 42
    steps: int = 0
    max_tokens: int = 0
    temperature: float = 0.0
    confidence_samples: int = 2
    confidence_steps: int = 8
    auto_mode: dict[str, str] = field(default_factory=dict)
    map_size: float = 8.0
    path_map_size: float = 6.0
    side_view_height: float = 1.2
    side_view_hfov: float = math.pi / 2
    max_question: int = 4096
