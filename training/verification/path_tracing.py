# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""
Rules of path tracing.

The published filter drops an item if the answer is not visible in the side view, if a distractor
is, or if it can be answered without the side view. The map shows all choices, so what would give
the answer away is an input that shows the right choice and none of the others.
"""

from collections.abc import Iterable
import math

from ipt_ros.spatial import draw_path, FloorPath, label_path, locate_path, Question
from ipt_ros.spatial.errors import SpatialError
from ipt_training.verification.evidence import Evidence
import numpy as np

MAP, SIDE_VIEW = 0, -1
_AREA = 0.0015  # of the side view that the answer covers; published: 0.15 %
_IN_FRAME = 1.3  # metres aside a metre ahead: an object's middle may be outside of its view
# Sums over the channels: how much of what is under it a mark may let through at a pixel that is
# looked at, and how far from the mark's colour that may be; and how many pixels must not be.
_THROUGH, _COLOR, _INK = 200, 150, 0.5


def _side_is_the_one_asked(evidence: Evidence, question: Question) -> bool | None:
    known = evidence.example.metadata
    pose, middle, side = evidence.pose(SIDE_VIEW), known['midpoint'], known['side']
    if pose is None:
        return None
    quarter = math.pi / 2 if side == 'left' else -math.pi / 2
    other = 'left' if side == 'right' else 'right'
    sentence = question.text.splitlines()[0]
    return (
        math.dist((pose.x, pose.y), middle[:2]) < 0.01
        and abs(math.remainder(pose.yaw - middle[2] - quarter, math.tau)) < math.radians(1)
        and question.metadata.get('side', side) == side
        and side in sentence and other not in sentence)


def _midpoint_is_half_way(evidence: Evidence, question: Question) -> bool | None:
    known = evidence.example.metadata
    points = np.array(known['path'])
    if known['direction'] == [2, 1]:
        points = points[::-1]
    steps = np.hypot(*np.diff(points, axis=0).T)
    x, y, yaw = known['midpoint']
    done = np.concatenate([[0.0], steps.cumsum()])
    half = [np.interp(done[-1] / 2, done, axis) for axis in points.T]
    # Ahead of the midpoint lies what is still to be walked.
    on = [np.interp(done[-1] / 2 + 0.1, done, axis) for axis in points.T]
    forward = (on[0] - x) * math.cos(yaw) + (on[1] - y) * math.sin(yaw)
    return math.dist(half, (x, y)) < 0.02 and forward > 0


def _marks_are_seen(evidence: Evidence, question: Question) -> bool | None:
    above, pose = evidence.camera(MAP), evidence.pose(SIDE_VIEW)
    path = np.array(evidence.example.metadata['path'])
    if above is None or pose is None:
        return None
    image = evidence.example.images[MAP]
    look = pose.yaw if evidence.example.variant == 'td_path_arrow' else None
    try:
        marks = locate_path(*above, FloorPath(path), look)
    except SpatialError:
        return False
    on_black, on_white = (
        draw_path(np.full_like(image, value), *marks).astype(int) for value in (0, 255))
    covered = np.abs(on_black - on_white).sum(axis=2) < _THROUGH
    fits = np.minimum(*(np.abs(image - drawn).sum(axis=2) for drawn in (on_black, on_white)))
    fits = fits < _COLOR
    labels = np.where(covered, label_path(image.shape, *marks), 0)
    return all(fits[labels == part].mean() >= _INK for part in set(labels[labels > 0].tolist()))


def _areas(evidence: Evidence, picture: int, names: Iterable[str]) -> list[float] | None:
    """Return which share of a picture each class covers, known objects or not."""
    areas = []
    for name in names:
        shown = evidence.shown(picture, name)
        if shown is None:
            return None
        areas.append(shown.strays + sum(s.area for s in shown.objects.values()))
    return areas


def _answer_is_in_the_imagination(evidence: Evidence, question: Question) -> bool | None:
    areas = _areas(evidence, SIDE_VIEW, [question.metadata['seen']])
    return None if areas is None else areas[0] >= _AREA


def _distractors_are_not_in_the_imagination(
    evidence: Evidence, question: Question,
) -> bool | None:
    areas = _areas(evidence, SIDE_VIEW, question.metadata['distractors'])
    return None if areas is None else not any(areas)


def _no_input_gives_the_answer_away(evidence: Evidence, question: Question) -> bool | None:
    told = question.metadata
    for picture in range(len(evidence.example.images)):
        areas = _areas(evidence, picture, [told['seen'], *told['distractors']])
        if areas is None:
            return None
        if areas[0] >= _AREA and not any(areas[1:]):
            return False
    return True


def _is_true_by_geometry(evidence: Evidence, question: Question) -> bool | None:
    """Check that the answer, and no distractor, is what was stored, and is where one looks."""
    told, pose, objects = question.metadata, evidence.pose(SIDE_VIEW), evidence.objects
    if pose is None or objects is None:
        return None
    if not question.answer_choice.endswith(f' {told["seen"]}'):
        return False
    c, s = math.cos(pose.yaw), math.sin(pose.yaw)
    for item in objects.values():
        if item['name'] == told['seen']:
            dx, dy = item['position'][0] - pose.x, item['position'][1] - pose.y
            ahead, left = dx * c + dy * s, dy * c - dx * s
            reach = math.hypot(*item['size'][:2]) / 2
            if ahead + reach > 0 and abs(left) - reach <= _IN_FRAME * max(ahead, 0):
                return True
    return False


PATH_TRACING_RULES = {
    'side is not the one asked': _side_is_the_one_asked,
    'midpoint is not half way': _midpoint_is_half_way,
    'marks are not seen': _marks_are_seen,
    'answer is not in the imagination': _answer_is_in_the_imagination,
    'a distractor is in the imagination': _distractors_are_not_in_the_imagination,
    'one input alone gives the answer away': _no_input_gives_the_answer_away,
    'answer is not true by geometry': _is_true_by_geometry,
}
