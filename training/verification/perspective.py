# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""
Rules of perspective taking.

There is one context view only, and the question cannot be answered from it without the X and the
turn; so the mark has to be seen, and the object has to be told apart in both views.
"""

import contextlib
import math

from ipt_ros.spatial import draw_arrow, draw_cross, facing_arrow, locate_target, Question
from ipt_ros.spatial.errors import TargetError
from ipt_ros.spatial.projection import quarter_turn
from ipt_ros.spatial.tasks.perspective import (
    DISTANCE_SUBTASKS,
    PerspectiveRules,
    SIDE_SUBTASKS,
)
from ipt_ros.spatial.visibility import Sighting
from ipt_training.verification.evidence import Evidence
import numpy as np

BEFORE, AFTER = 0, 1
_RULES = PerspectiveRules()
# The truth a pixel is coarser than the render that the generator measured: what only just passed
# there may measure this much less here.
_COARSE = 0.6
_INK = 0.5  # of a mark's pixels must have its colour


def _turn_is_the_one_told(evidence: Evidence, question: Question) -> bool | None:
    before, after = evidence.pose(BEFORE), evidence.pose(AFTER)
    told = question.metadata['turn']
    if before is None or after is None:
        return None
    try:
        return quarter_turn(before.yaw, after.yaw) == told and told in question.text
    except TargetError:
        return False


def _cross_is_seen(evidence: Evidence, question: Question) -> bool | None:
    marks = _where_marks_belong(evidence)
    if marks is None:
        return None
    cross, _ = marks
    return _shows(evidence.example.images[BEFORE], cross, channel=0)


def _arrow_is_seen(evidence: Evidence, question: Question) -> bool | None:
    marks = _where_marks_belong(evidence)
    if marks is None or evidence.example.variant != 'with_arrow':
        return None
    cross, arrow = marks
    # The X lies over the arrow's tail.
    return _shows(evidence.example.images[BEFORE], arrow & ~cross, channel=2)


def _where_marks_belong(evidence: Evidence) -> tuple[np.ndarray, np.ndarray] | None:
    """Return the pixels of X and arrow (bool masks), empty for a mark that cannot be drawn."""
    known, target = evidence.camera(BEFORE), evidence.pose(AFTER)
    if known is None or target is None:
        return None
    blank = np.zeros_like(evidence.example.images[BEFORE])
    cross = arrow = np.zeros(blank.shape[:2], bool)
    point = (target.x, target.y, 0.0)
    with contextlib.suppress(TargetError):
        cross = draw_cross(blank, locate_target(*known, point).uv)[..., 0] > 127
        arrow = draw_arrow(blank, *facing_arrow(*known, point, target.yaw))[..., 2] > 127
    return cross, arrow


def _shows(image: np.ndarray, inked: np.ndarray, channel: int) -> bool:
    """Tell whether most pixels of a mark have its colour, the one of a channel."""
    values = image[inked].astype(int)
    others = np.delete(values, channel, axis=1)
    colored = (values[:, channel] > 150) & (values[:, channel] - others.max(axis=1) > 80)
    return bool(inked.any() and colored.mean() >= _INK)


def _is_alone(picture: int):
    def holds(evidence: Evidence, question: Question) -> bool | None:
        shown = evidence.shown(picture, question.metadata['category'])
        if shown is None:
            return None
        return set(shown.objects) == {question.metadata['object']} and not shown.strays
    return holds


def _is_clear(picture: int):
    def holds(evidence: Evidence, question: Question) -> bool | None:
        sighting = _sighting(evidence, question, picture)
        if sighting is None:
            return None
        margin = _COARSE * _RULES.edge_margin
        return (
            sighting.area >= _COARSE * _RULES.min_area
            and margin <= sighting.u <= 1 - margin and margin <= sighting.v <= 1 - margin)
    return holds


def _sighting(evidence: Evidence, question: Question, picture: int) -> Sighting | None:
    """Return how a picture shows the object asked about, if it can be known and does."""
    shown = evidence.shown(picture, question.metadata['category'])
    if shown is None:
        return None
    return shown.objects.get(question.metadata['object'])


def _is_true_in_the_pictures(evidence: Evidence, question: Question) -> bool | None:
    """Check sides by the pixels; distances are not to be seen in pictures alone."""
    if question.subtask not in SIDE_SUBTASKS:
        return None
    before, after = (_sighting(evidence, question, picture) for picture in (BEFORE, AFTER))
    if before is None or after is None:
        return None
    sides = ['left' if sighting.u < 0.5 else 'right' for sighting in (before, after)]
    return sides == question.subtask.split('_')[2:] and question.answer_choice == sides[1]


def _is_true_by_geometry(evidence: Evidence, question: Question) -> bool | None:
    before, after = evidence.pose(BEFORE), evidence.pose(AFTER)
    objects, camera = evidence.objects, evidence.example.metadata.get('camera')
    if question.subtask not in (*DISTANCE_SUBTASKS, *SIDE_SUBTASKS):
        return None
    if before is None or after is None or objects is None or camera is None:
        return None
    item = objects.get(question.metadata['object'])
    if item is None or item['name'] != question.metadata['category']:
        return False
    if question.subtask in DISTANCE_SUBTASKS:
        was, will = (
            math.dist((pose.x, pose.y, camera['height']), item['position'])
            for pose in (before, after))
        # Places are told to the millimetre.
        if abs(will - was) < _RULES.min_distance_change - 0.002:
            return False
        truth = 'Closer' if will < was else 'Further'
        near = max(was, will) <= _RULES.max_distance + 0.002
        return near and question.answer_choice == truth
    sides = [
        'left' if (item['position'][1] - pose.y) * math.cos(pose.yaw)
        > (item['position'][0] - pose.x) * math.sin(pose.yaw) else 'right'
        for pose in (before, after)
    ]
    return sides == question.subtask.split('_')[2:] and question.answer_choice == sides[1]


PERSPECTIVE_RULES = {
    'turn is not the one told': _turn_is_the_one_told,
    'mark is not seen': _cross_is_seen,
    'arrow is not seen': _arrow_is_seen,
    'object is not the only one in the first view': _is_alone(BEFORE),
    'object is not clear in the first view': _is_clear(BEFORE),
    'object is not the only one in the imagination': _is_alone(AFTER),
    'object is not clear in the imagination': _is_clear(AFTER),
    'answer is not true in the pictures': _is_true_in_the_pictures,
    'answer is not true by geometry': _is_true_by_geometry,
}
