# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""Which frames are taken for optical."""

import math

from hypothesis import given
from hypothesis import strategies as st
from ipt_ros.geometry import (
    compose,
    is_upside_down,
    OPTICAL_IN_BODY,
    optical_problem,
    rotation_from_yaw_pitch,
)
import numpy as np
import pytest

yaws = st.floats(-math.pi, math.pi)
small = st.floats(-5, 5)  # degrees by which a mount is crooked
FLIPPED = np.diag([1.0, -1.0, -1.0])  # half a turn about x: z up to z down, or optical to OpenGL


def turned(roll: float) -> np.ndarray:
    """Return a turn (deg) about the x axis of a body."""
    c, s = math.cos(math.radians(roll)), math.sin(math.radians(roll))
    return np.array([[1.0, 0.0, 0.0], [0.0, c, -s], [0.0, s, c]])


def body(yaw: float, pitch: float, roll: float = 0.0) -> np.ndarray:
    """Return a body frame (x forward, z up): yaw (rad), degrees down, degrees of roll."""
    return rotation_from_yaw_pitch(yaw, math.radians(pitch)) @ turned(roll)


def optical(yaw: float, pitch: float, roll: float = 0.0) -> np.ndarray:
    return body(yaw, pitch, roll) @ OPTICAL_IN_BODY


@given(yaws, st.floats(-35, 70), small)
def test_cameras_that_look_ahead_up_or_down_are_taken(yaw, pitch, roll):
    assert optical_problem(optical(yaw, pitch, roll)) == ''
    assert not is_upside_down(optical(yaw, pitch, roll))


@given(yaws, st.floats(-30, 60), small, st.sampled_from([90.0, -90.0]))
def test_cameras_that_stand_on_their_side_are_taken(yaw, pitch, crooked, roll):
    pose = optical(yaw, pitch, roll + crooked)
    assert optical_problem(pose) == '' and not is_upside_down(pose)


@given(yaws, st.floats(-5, 70), small)
def test_cameras_that_hang_upside_down_are_taken_and_known(yaw, pitch, crooked):
    pose = optical(yaw, pitch, 180.0 + crooked)
    assert optical_problem(pose) == '' and is_upside_down(pose)


@given(yaws, st.floats(-50, 50), small)
def test_body_frames_are_not_taken(yaw, pitch, roll):
    assert 'REP 103' in optical_problem(body(yaw, pitch, roll))


@given(yaws, st.floats(-20, 20), small)
def test_body_frames_with_z_down_are_not_taken(yaw, pitch, roll):
    assert 'REP 103' in optical_problem(body(yaw, pitch, roll) @ FLIPPED)


@given(yaws, st.floats(12, 80), small)
def test_frames_of_opengl_that_look_down_are_not_taken(yaw, pitch, roll):
    assert 'REP 103' in optical_problem(optical(yaw, pitch, roll) @ FLIPPED)


@given(yaws, st.floats(-60, 10))
def test_other_frames_of_opengl_are_at_least_upside_down(yaw, pitch):
    assert is_upside_down(optical(yaw, pitch) @ FLIPPED)


@pytest.mark.parametrize(('pose', 'words'), [
    (body(1.0, 0), ["'left_link'", 'sky (+90 deg)']),
    (body(1.0, 5) @ FLIPPED, ['floor (-85 deg)']),
    (body(0.0, 20), ['+70 deg', 'turned by 90 deg']),
    (optical(0.0, 20) @ FLIPPED, ['+20 deg', 'turned by 180 deg']),
    (optical(0.0, 90), ['floor (-90 deg)', 'really looks there']),
    (optical(0.0, -90), ['sky (+90 deg)', 'really looks there'])])
def test_a_refusal_says_where_the_axis_points_and_what_to_do(pose, words):
    text = optical_problem(pose, 'left_link')
    assert all(word in text for word in ('_optical_frame', 'z axis', *words)), text
    assert optical_problem(compose(pose, (1.0, 2.0, 3.0)), 'left_link') == text
