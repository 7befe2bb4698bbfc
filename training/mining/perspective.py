# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""
Perspective taking from a robot's own frames.

A frame B is the truth of an imagination when an earlier or later frame A shows the floor under B's
camera, and looks a quarter turn to its side: A with an X at that place is the question.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
import math

from ipt_ros.geometry import Pose2D
from ipt_ros.geometry.fusion import Floor
from ipt_ros.spatial import draw_cross, Example, locate_target, Question, TASKS
from ipt_ros.spatial.contrast import cross_contrast, MIN_CONTRAST
from ipt_ros.spatial.errors import TargetError
from ipt_ros.spatial.tasks.perspective import TURNS
from ipt_training.bags import Frame, FrameRecord
from ipt_training.datasets.published.camera_motion import ANSWER, THINK
from ipt_training.mining import wordings
from ipt_training.mining.free_way import free_way, way_question
from ipt_training.mining.place import Place, points_of, sized, Track, wrapped
from ipt_training.mining.scene_questions import perspective_truth
import numpy as np

PET = TASKS['pet']
_TRIES = 4  # first views that are looked at for one second view
_AROUND = 1  # pixels around the target's whose depth tells whether the floor is there


@dataclass
class _Balance:
    """What there is already, so that what is rare comes first."""

    turns: Counter = field(default_factory=Counter)
    subtasks: Counter = field(default_factory=Counter)
    ways: Counter = field(default_factory=Counter)
    firsts: np.ndarray = field(default_factory=lambda: np.empty((0, 4)))
    seconds: np.ndarray = field(default_factory=lambda: np.empty((0, 4)))


class _Unfit(Exception):
    """Two frames make no example; the message is the reason, the same for the same trouble."""


def mine_pairs(place: Place, rng: np.random.Generator) -> Iterator[Example]:
    """Find pairs of frames in all segments, in random order, until there are enough."""
    balance = _Balance()
    made = 0
    for track in place.tracks:
        for second in rng.permutation(len(track)):
            if made >= place.options.max_pairs:
                place.skipped['note: pet: as many pairs as wanted'] += 1
                return
            example = _best_for(place, track, int(second), balance, rng)
            if example is not None:
                made += 1
                yield example
    if not made:
        place.skipped['pet: NO PAIR of frames in the whole recording'] += 1


def _best_for(place: Place, track: Track, second: int, balance: _Balance,
              rng: np.random.Generator) -> Example | None:
    """Return an example whose target is one frame of a track."""
    candidates = _first_views(place, track, second)
    if not candidates:
        frame = 'frame of the same segment' if len(place.tracks) > 1 else 'frame'
        place.skipped[f'pet: no {frame} looks at this place from a quarter turn aside'] += 1
        return None
    # Rare turns first, then those nearest to a quarter turn, otherwise by chance.
    order = sorted(rng.permutation(len(candidates)),
                   key=lambda k: (balance.turns[candidates[k][1]], candidates[k][2]))
    tried = 0
    for k in order:
        first, turn, _ = candidates[k]
        if _is_known(track, first, second, balance, place):
            place.skipped['pet: like a pair that there is'] += 1
            continue
        try:
            example = _example(place, track.records[first], track.records[second], turn, balance,
                               rng)
        except _Unfit as error:
            place.skipped[f'pet: {error}'] += 1
            tried += 1
            if tried >= _TRIES:
                return None
            continue
        balance.turns[turn] += 1
        balance.firsts = np.vstack([balance.firsts, _row(track, first)])
        balance.seconds = np.vstack([balance.seconds, _row(track, second)])
        return example
    return None


def _first_views(place: Place, track: Track, second: int) -> list[tuple[int, str, int]]:
    """
    Return the frames that by geometry alone look at the place of another.

    With each the turn, and in steps of 2 degrees by how much it misses a quarter.
    """
    options = place.options
    target = track.positions[second]
    offset = target[:2] - track.positions[:, :2]
    distance = np.hypot(*offset.T)
    bearing = np.abs(wrapped(np.arctan2(offset[:, 1], offset[:, 0]) - track.yaws))
    fits = (distance >= options.target_distance[0]) & (distance <= options.target_distance[1])
    fits &= bearing < track.fields / 2
    fits &= np.abs(track.positions[:, 2] - target[2]) <= options.height_tolerance
    fits &= np.abs(track.tilts - track.tilts[second]) <= options.tilt_tolerance
    fits &= np.abs(track.fields - track.fields[second]) <= math.radians(3)
    fits &= np.abs(track.seconds - track.seconds[second]) <= options.max_seconds
    found = []
    difference = wrapped(track.yaws[second] - track.yaws)
    for turn in TURNS:
        off = np.abs(wrapped(difference - _quarter(turn)))
        found += [(int(k), turn, int(off[k] / math.radians(2)))
                  for k in np.nonzero(fits & (off <= options.heading_tolerance))[0]]
    return found


def _is_known(track: Track, first: int, second: int, balance: _Balance, place: Place) -> bool:
    """Tell whether there is a pair with about the same first and about the same second view."""
    near = np.ones(len(balance.firsts), bool)
    for rows, index in ((balance.firsts, first), (balance.seconds, second)):
        row = _row(track, index)
        near &= np.linalg.norm(rows[:, :3] - row[:3], axis=1) < place.options.min_spacing
        near &= np.abs(wrapped(rows[:, 3] - row[3])) < place.options.min_turn
    return bool(near.any())


def _row(track: Track, index: int) -> np.ndarray:
    return np.append(track.positions[index], track.yaws[index])


def _quarter(turn: str) -> float:
    return math.pi / 2 if turn == 'left' else -math.pi / 2


def ground_pose(pose: np.ndarray) -> Pose2D:
    """Return the place under a camera (4x4 pose of its optical frame) and where it looks."""
    return Pose2D(float(pose[0, 3]), float(pose[1, 3]), math.atan2(pose[1, 2], pose[0, 2]))


def _example(place: Place, first: FrameRecord, second: FrameRecord, turn: str, balance: _Balance,
             rng: np.random.Generator) -> Example:
    """Look at two frames and make an example of them. Raises _Unfit."""
    options = place.options
    floor = place.floor(first.segment)
    pose, reached = (
        ground_pose(record.fixed_from_optical) for record in (first, second))
    asked = Pose2D(reached.x, reached.y, math.remainder(pose.yaw + _quarter(turn), math.tau))
    before = _loaded(place, first)
    marked, uv, checked = _marked(before, asked, floor, place)
    after = _loaded(place, second)
    if after.depth is not None and (after.depth > 0).any():
        if np.median(after.depth[after.depth > 0]) < options.min_clearance:
            raise _Unfit('the second view is of something right in front of it')
    drift = _drift(place, first, second)
    request = _request(turn, rng)
    questions, extra, variant, think = [], {'classes': []}, 'camera_motion', THINK
    labels = place.labels(first)
    if labels is not None and before.depth is not None and after.depth is not None:
        asked_about, seen = perspective_truth(
            labels, floor, before, after, turn, options.pet_rules, balance.subtasks, rng)
        extra = {'classes': sorted(set(labels.names(labels.objects))), 'seen': seen}
        if asked_about:
            questions, variant, think = asked_about, 'no_arrow', PET.think(rng)
            balance.subtasks[questions[0].subtask] += 1
    way = _way(place, first.segment, floor, asked, turn, balance, rng)
    questions = [*questions, request, *way]
    return Example(
        task='pet',
        variant=variant,
        images=[sized(marked, options.pixels)],
        target=sized(after.rgb, options.pixels),
        think=think,
        questions=questions,
        metadata={
            'scene': place.scene(first),
            'scene_seed': place.seed(first),
            'turn': turn,
            'pose': numbers(pose.x, pose.y, pose.yaw),
            'target_pose': numbers(asked.x, asked.y, asked.yaw),
            **extra,
            'mined': {
                'bag': place.rollout.name,
                'segment': first.segment,
                'frame': place.rollout.fixed_frame,
                'cameras': [first.camera, second.camera],
                'stamps': [first.stamp, second.stamp],
                'true_pose': numbers(reached.x, reached.y, reached.yaw),
                'offset': offset_of(asked, reached),
                'drift': drift,
                'mark': numbers(*uv),
                'floor_z': round(floor.z(asked.x, asked.y), 4),
                'seen_by_depth': checked,
            },
        },
    )


def _loaded(place: Place, record: FrameRecord) -> Frame:
    frame = place.load(record, 'pet')
    if frame is None:
        raise _Unfit('a frame cannot be read')
    return frame


def _marked(before: Frame, asked: Pose2D, floor: Floor, place: Place,
            ) -> tuple[np.ndarray, tuple[float, float], bool]:
    """Draw the X; return the picture, its pixel, and whether depth says that it can be seen."""
    height = floor.z(asked.x, asked.y)
    pose = before.record.fixed_from_optical
    try:
        mark = locate_target(
            before.intrinsics, pose, (asked.x, asked.y, height), before.depth, height)
    except TargetError as error:
        raise _Unfit(type(error).__name__) from error
    if not mark.occlusion_checked and place.options.require_depth:
        raise _Unfit('no depth at the target tells whether it can be seen')
    if mark.occlusion_checked:
        off = _height_at(before, mark.uv, floor)
        if abs(off) > place.options.floor_tolerance:
            raise _Unfit(f"depth shows something {'above' if off > 0 else 'below'} the floor at "
                         'the target')
    if cross_contrast(before.rgb, mark.uv) < MIN_CONTRAST:
        raise _Unfit('the X would have the colour of the floor')
    return draw_cross(before.rgb, mark.uv), mark.uv, mark.occlusion_checked


def _drift(place: Place, first: FrameRecord, second: FrameRecord) -> dict[str, float] | None:
    """Return what depth says that odometry got wrong; raise _Unfit where that is too much."""
    options = place.options
    if not options.measure_drift:
        return None
    found = place.drift(first, second)
    if found is None:
        return None
    if found.metres > options.max_drift or (
            abs(found.degrees) > math.degrees(options.max_drift_turn)):
        raise _Unfit('depth says that odometry has drifted between the two views')
    return {'metres': round(found.metres, 3), 'degrees': round(found.degrees, 2),
            'overlap': round(found.overlap, 2)}


def _height_at(frame: Frame, uv: tuple[float, float], floor: Floor) -> float:
    """Return how far (m) what depth shows around a pixel is off the floor at most; up is plus."""
    column, row = (round(value) for value in uv)
    rows = slice(max(0, row - _AROUND), row + _AROUND + 1)
    columns = slice(max(0, column - _AROUND), column + _AROUND + 1)
    alone = np.zeros_like(frame.depth)
    alone[rows, columns] = frame.depth[rows, columns]
    points, _ = points_of(Frame(frame.record, frame.rgb, alone, frame.intrinsics))
    heights = floor.heights(points)
    return float(heights[np.argmax(np.abs(heights))])


def _request(turn: str, rng: np.random.Generator) -> Question:
    """Ask for the image itself, as the published camera-motion rows do."""
    wording = int(rng.integers(len(wordings.VIEW_REQUESTS)))
    return Question(
        wordings.VIEW_REQUESTS[wording].format(direction=turn), subtask='camera_motion',
        metadata={'truth': ANSWER, 'turn': turn, 'wording': wording})


def _way(place: Place, segment: int, floor: Floor, asked: Pose2D, turn: str, balance: _Balance,
         rng: np.random.Generator) -> list[Question]:
    """Ask whether the way ahead of the target is free, where the fused surface can tell."""
    surface = place.surface(segment)
    if surface is None:
        return []
    way = free_way(surface, floor, asked)
    for answer in sorted(wordings.WAY_CHOICES, key=lambda word: balance.ways[word]):
        question = way_question(way, turn, answer, rng)
        if question is not None:
            balance.ways[answer] += 1
            return [question]
    return []


def offset_of(asked: Pose2D, true: Pose2D) -> dict[str, float]:
    """Return how far a true pose was from the asked one, metres and degrees."""
    return {
        'metres': round(math.hypot(true.x - asked.x, true.y - asked.y), 4),
        'degrees': round(math.degrees(math.remainder(true.yaw - asked.yaw, math.tau)), 2)}


def numbers(*values: float) -> list[float]:
    """Return values as they go into metadata: to a tenth of a millimetre."""
    return [round(float(value), 4) + 0.0 for value in values]  # no negative zeros
