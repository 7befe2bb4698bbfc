# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""What an object must look like to be asked about."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from ipt_ros.spatial.tasks.perspective import PerspectiveRules
from ipt_ros.spatial.visibility import Sighting, sightings
import numpy as np
import pytest

RULES = PerspectiveRules()
LEFT = Sighting(area=0.02, u=0.3, v=0.5, u_min=0.2, u_max=0.4)
RIGHT = Sighting(area=0.02, u=0.7, v=0.5, u_min=0.6, u_max=0.8)


@pytest.mark.parametrize(('before', 'after', 'distances', 'expected'), [
    (LEFT, RIGHT, (3.0, 2.0), ['distance_change_closer', 'relative_position_left_right']),
    (RIGHT, RIGHT, (2.0, 3.0), ['distance_change_further', 'relative_position_right_right']),
    (LEFT, LEFT, (2.0, 2.4), ['relative_position_left_left']),
    (RIGHT, LEFT, (2.0, 2.5), ['distance_change_further', 'relative_position_right_left']),
    # Too small, too far, too near to the edge, in either view: no question at all.
    (replace(LEFT, area=0.0039), RIGHT, (3.0, 2.0), []),
    (LEFT, replace(RIGHT, area=0.0039), (3.0, 2.0), []),
    (LEFT, RIGHT, (5.1, 2.0), []),
    (replace(LEFT, u=0.14), RIGHT, (3.0, 2.0), []),
    (LEFT, replace(RIGHT, v=0.86), (3.0, 2.0), []),
    # Across or near the middle line: distance only.
    (replace(LEFT, u_max=0.51), RIGHT, (3.0, 2.0), ['distance_change_closer']),
    (replace(LEFT, u=0.36), RIGHT, (3.0, 2.0), ['distance_change_closer']),
])
def test_subtasks(before, after, distances, expected):
    assert RULES.subtasks(before, after, *distances) == expected


def _span(low: float, width: float, height: float, area: float) -> Sighting:
    return Sighting(area, low + width / 2, height, low, low + width)


views = st.builds(_span, st.floats(0, 0.6), st.floats(0, 0.4), st.floats(0, 1),
                  st.floats(0.003, 0.1))


def _mirrored(seen: Sighting) -> Sighting:
    return replace(seen, u=1 - seen.u, u_min=1 - seen.u_max, u_max=1 - seen.u_min)


@given(views, views, st.floats(0.5, 5.5), st.floats(0.5, 5.5))
def test_mirrored_views_swap_sides_and_nothing_else(before, after, was, will):
    swap = str.maketrans({'L': 'right', 'R': 'left'})
    found = RULES.subtasks(before, after, was, will)
    swapped = [name.replace('left', 'L').replace('right', 'R').translate(swap) for name in found]
    assert RULES.subtasks(_mirrored(before), _mirrored(after), was, will) == swapped


@given(views, views, st.floats(0.5, 5.5), st.floats(0.5, 5.5))
def test_the_way_back_has_the_opposite_distance_question(before, after, was, will):
    there = RULES.subtasks(before, after, was, will)
    back = RULES.subtasks(after, before, will, was)
    assert len(there) == len(back) <= 2
    assert ('distance_change_closer' in there) == ('distance_change_further' in back)
    for name in there:
        if name.startswith('distance'):
            assert abs(will - was) >= 0.5 and max(was, will) <= 5


@given(views, views, st.floats(0.5, 5.5), st.floats(0.5, 5.5), st.floats(1, 5))
def test_a_larger_object_never_loses_a_question(before, after, was, will, factor):
    larger = [replace(seen, area=seen.area * factor) for seen in (before, after)]
    assert set(RULES.subtasks(before, after, was, will)) <= set(
        RULES.subtasks(*larger, was, will))


def test_margins_are_the_published_pixels():
    assert RULES.edge_margin * 1024 == RULES.side_margin * 1024 == 150


@given(arrays(np.int32, st.tuples(st.integers(1, 8), st.integers(1, 8)),
              elements=st.integers(0, 3)))
def test_sightings_against_brute_force(instance):
    found = sightings(instance)
    assert set(found) == set(np.unique(instance)) - {0}
    height, width = instance.shape
    for key, seen in found.items():
        rows, columns = np.nonzero(instance == key)
        assert seen.area == pytest.approx(len(rows) / instance.size)
        assert seen.u == pytest.approx((columns.mean() + 0.5) / width)
        assert seen.v == pytest.approx((rows.mean() + 0.5) / height)
        assert (seen.u_min, seen.u_max) == (columns.min() / width, (columns.max() + 1) / width)


def test_small_patches_can_be_left_out():
    assert set(sightings(np.array([[1, 1], [2, 0]]), min_pixels=2)) == {1}
