# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""
Rules of multiview counting.

One instance alone is always shown by one view, which cannot say that there are no others; the rule
on single views judges counts from 2 on.
"""

from collections import Counter
import math

from ipt_ros.spatial import Question
from ipt_training.verification.evidence import Evidence

_AREA = 0.001  # of a picture, for an instance to count; published: 0.1 %
# The truth a pixel is coarser than the render that the generator measured.
_COARSE = 1.6


def _headings_go_round(evidence: Evidence, question: Question) -> bool | None:
    poses = [evidence.pose(picture) for picture in range(len(evidence.example.images))]
    if None in poses:
        return None
    return all(
        abs(math.remainder(after.yaw - before.yaw - math.pi / 2, math.tau)) < math.radians(1)
        for before, after in zip(poses, poses[1:]))


def _count(question: Question) -> int | None:
    """Return the answer; None for a question without one or about something else."""
    text = question.answer_choice if question.answer else ''
    return int(text) if text.isdecimal() else None


def _choices_are_near(evidence: Evidence, question: Question) -> bool | None:
    truth = _count(question)
    if truth is None:
        return None
    numbers = [int(choice) for choice in question.choices]
    return min(numbers) >= 0 and all(abs(number - truth) <= 2 for number in numbers)


def _agrees(evidence: Evidence, question: Question, pictures: range) -> bool | None:
    """Tell whether the answer lies between what is well seen and what is seen at all."""
    count = _count(question)
    if count is None:
        return None
    best: dict[int, float] = {}
    name = question.metadata['category']
    for picture in pictures:
        shown = evidence.shown(picture, name)
        if shown is None:
            return None
        if shown.strays >= _COARSE * _AREA:
            return False  # of an object that nobody told of
        for key, sighting in shown.objects.items():
            best[key] = max(best.get(key, 0.0), sighting.area)
    clear = sum(area >= _COARSE * _AREA for area in best.values())
    return clear <= count <= len(best)


def _views_agree(evidence: Evidence, question: Question) -> bool | None:
    return _agrees(evidence, question, range(len(evidence.example.images)))


def _map_agrees(evidence: Evidence, question: Question) -> bool | None:
    count = len(evidence.example.images)
    return _agrees(evidence, question, range(count, count + 1))


def _views_and_map_show_the_same(evidence: Evidence, question: Question) -> bool | None:
    seen, count = evidence.example.metadata['seen'], _count(question)
    if count is None:
        return None
    rows = [row for row in seen if row['name'] == question.metadata['category']]
    return len(rows) == count and all(row['views'] and row['map_area'] for row in rows)


def _one_view_is_not_enough(evidence: Evidence, question: Question) -> bool | None:
    seen, count = evidence.example.metadata['seen'], _count(question)
    if count is None or count < 2:
        return None
    in_view = Counter(
        sighting['view'] for row in seen if row['name'] == question.metadata['category']
        for sighting in row['views'])
    return max(in_view.values(), default=0) < count


COUNTING_RULES = {
    'views do not go round': _headings_go_round,
    'a choice is more than two off': _choices_are_near,
    'views do not show that many': _views_agree,
    'map does not show that many': _map_agrees,
    'views and map do not show the same': _views_and_map_show_the_same,
    'one view shows all of them': _one_view_is_not_enough,
}
