# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""Surfaces that were moved by a known amount."""

import math

from hypothesis import given, settings
from hypothesis import strategies as st
from ipt_ros.geometry import Pose2D, transform_points
from ipt_ros.geometry.alignment import misalignment
import numpy as np
import pytest

rng = np.random.default_rng(0)
EYE = np.array([0.5, 0.3, 1.2])


def wall(start, end, number=1500):
    along = rng.uniform(0, 1, (number, 1))
    places = np.asarray(start) + along * (np.asarray(end, float) - start)
    return np.column_stack([places, rng.uniform(0, 2, number)])


FLOOR = np.column_stack([rng.uniform(-2, 2, (4000, 2)), np.zeros(4000)])
ROOM = np.concatenate([
    FLOOR, wall((-2, -2), (2, -2)), wall((2, -2), (2, 2)), wall((2, 2), (-2, 2)),
    wall((0, 0), (0.5, 0.5))])
CORRIDOR = np.concatenate([FLOOR, wall((-2, -2), (2, -2)), wall((2, 2), (-2, 2))])


def about(shift: Pose2D) -> np.ndarray:
    """Return the transform that moves and turns things about the eye."""
    to, back = np.eye(4), np.eye(4)
    to[:3, 3], back[:3, 3] = -EYE, EYE
    return back @ shift.matrix @ to


@given(st.floats(-0.15, 0.15), st.floats(-0.15, 0.15), st.floats(-5, 5))
@settings(max_examples=10)
def test_the_amount_by_which_a_surface_was_moved_is_measured(x, y, degrees):
    noisy = ROOM + rng.normal(0, 0.005, ROOM.shape)
    moved = transform_points(about(Pose2D(x, y, math.radians(degrees))), noisy)
    found = misalignment(ROOM, moved, EYE)
    # The way back of a shift is as long as the shift.
    assert found.metres == pytest.approx(math.hypot(x, y), abs=0.02)
    assert found.degrees == pytest.approx(-degrees, abs=0.5)
    assert found.overlap > 0.8


def test_a_corridor_does_not_tell_how_far_one_is_along_it():
    assert misalignment(CORRIDOR, CORRIDOR + (0.1, 0, 0), EYE) is None
    assert misalignment(FLOOR, FLOOR, EYE) is None


def test_surfaces_that_hardly_overlap_tell_nothing():
    assert misalignment(ROOM, ROOM + (30, 0, 0), EYE) is None
    assert misalignment(ROOM, np.empty((0, 3)), EYE) is None
