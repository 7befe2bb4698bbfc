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
