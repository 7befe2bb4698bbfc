# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""How far one can walk from a place in a direction: a question that depth alone can answer."""

from dataclasses import dataclass

from ipt_ros.geometry import Pose2D
from ipt_ros.geometry.fusion import Floor, SurfaceCloud
from ipt_ros.geometry.topdown_fusion import topdown_map
from ipt_ros.spatial import Question, TASKS
from ipt_ros.spatial.examples import LETTERS
from ipt_training.mining import wordings
import numpy as np

DISTANCES = (1.0, 1.5, 2.0, 2.5, 3.0)  # m, that are asked about
REACH = 3.5  # m that are looked at
# m on each side of a walker: a way is free when nothing stands within the first, blocked when
# something stands within the second, and in doubt in between.
WIDE, NARROW = 0.3, 0.15
OBSTACLE = 0.1  # m above the floor; lower things are stepped over
HEADROOM = 1.6  # m; higher things are walked under
MARGIN = 0.3  # m between what is asked and where the way ends, for the answer to be beyond doubt
_CELL = 0.07  # m; twice as coarse as the fused surface, so that it has no holes
_OWN_SPACE = 0.25  # m: whoever stood at the place fitted there
_BLOCKING_CELLS = 2  # in a row of cells across the way
_SEEN_SHARE = 0.8  # of a row, for it to count as free


@dataclass(frozen=True)
class FreeWay:
    """Metres that are certainly free, and whether something certainly stands at their end."""

    metres: float
    blocked: bool


def free_way(surface: SurfaceCloud, floor: Floor, start: Pose2D) -> FreeWay:
    """Follow the heading of a pose over what has been seen, until something is in the way."""
    ahead = start.moved(REACH / 2)
    picture = topdown_map(
        surface, floor, (ahead.x, ahead.y), start.yaw, REACH, round(REACH / _CELL), HEADROOM)
    side = np.abs((np.arange(picture.camera.width) - picture.camera.cx) * _CELL)
    standing = picture.occupied(OBSTACLE)
    blocking = standing[:, side <= NARROW].sum(axis=1)
    near = standing[:, side <= WIDE].any(axis=1)
    seen = picture.known[:, side <= WIDE].mean(axis=1)
    for row in reversed(range(picture.camera.height)):  # the bottom row is at the start
        metres = REACH - (row + 1) * _CELL
        if metres < _OWN_SPACE:
            continue
        if blocking[row] >= _BLOCKING_CELLS:
            return FreeWay(metres, True)
        if near[row] or seen[row] < _SEEN_SHARE:
            return FreeWay(metres, False)
    return FreeWay(REACH, False)


def way_question(
    way: FreeWay, turn: str, answer: str, rng: np.random.Generator,
) -> Question | None:
    """Ask whether the way is free for a distance; None where ``answer`` would not be certain."""
    if answer == 'Yes':
        fitting = [d for d in DISTANCES if d <= way.metres - MARGIN]
    else:
        fitting = [d for d in DISTANCES if way.blocked and d >= way.metres + MARGIN]
    if not fitting:
        return None
    distance = fitting[rng.integers(len(fitting))]
    choices = [wordings.WAY_CHOICES[k] for k in rng.permutation(2)]
    wording = int(rng.integers(len(wordings.WAY_QUESTIONS)))
    text = wordings.WAY_QUESTIONS[wording].format(direction=turn, distance=f'{distance:g}')
    return Question(
        text=TASKS['pet'].format_question(text, choices),
        choices=choices,
        answer=LETTERS[choices.index(answer)],
        subtask=f'free_way_{answer.lower()}',
        metadata={'turn': turn, 'distance': distance, 'free': round(way.metres, 2),
                  'wording': wording})
