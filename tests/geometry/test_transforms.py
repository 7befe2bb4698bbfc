# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
import math

from hypothesis import assume, given
from hypothesis import strategies as st
from ipt_ros.geometry import (
    compose,
    invert,
    matrix_from_quaternion,
    OPTICAL_IN_BODY,
    Pose2D,
    quaternion_from_matrix,
    quaternion_problem,
    rotation_from_yaw_pitch,
    transform_points,
    wrap_angle,
)
import numpy as np
import pytest

metres = st.floats(-100, 100)
angles = st.floats(-20, 20)
unit = st.floats(-1, 1)
poses = st.builds(Pose2D, metres, metres, angles)


@given(unit, unit, unit, unit)
def test_quaternion_round_trip(x, y, z, w):
    quaternion = np.array([x, y, z, w])
    length = np.linalg.norm(quaternion)
    assume(length > 0.01)
    rotation = matrix_from_quaternion(quaternion)
    np.testing.assert_allclose(rotation @ rotation.T, np.eye(3), atol=1e-9)
    assert np.linalg.det(rotation) == pytest.approx(1.0)
    back = quaternion_from_matrix(rotation)
    assert back[3] >= 0
    np.testing.assert_allclose(abs(back @ quaternion / length), 1.0, atol=1e-9)


@pytest.mark.parametrize('quaternion', [[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]])
def test_half_turns_are_well_conditioned(quaternion):
    back = quaternion_from_matrix(matrix_from_quaternion(np.array(quaternion)))
    np.testing.assert_allclose(np.abs(back), quaternion, atol=1e-12)


def test_quaternion_order_is_xyzw():
    quarter_left = matrix_from_quaternion([0, 0, math.sqrt(0.5), math.sqrt(0.5)])
    np.testing.assert_allclose(quarter_left @ [1, 0, 0], [0, 1, 0], atol=1e-12)


@pytest.mark.parametrize('quaternion', [[0, 0, 0, 0], [math.nan, 0, 0, 1], [0, 0, 1]])
def test_bad_quaternions_are_refused(quaternion):
    with pytest.raises(ValueError, match='quaternion'):
        matrix_from_quaternion(quaternion)


@given(angles, angles, metres, metres, metres)
def test_invert(yaw, pitch, x, y, z):
    transform = compose(rotation_from_yaw_pitch(yaw, pitch), (x, y, z))
    np.testing.assert_allclose(invert(transform) @ transform, np.eye(4), atol=1e-9)
    np.testing.assert_allclose(
        transform_points(transform, np.array([[1.0, 2.0, 3.0]]))[0],
        (transform @ (1, 2, 3, 1))[:3],
    )


def test_positive_yaw_turns_left_and_positive_pitch_looks_down():
    np.testing.assert_allclose(rotation_from_yaw_pitch(math.pi / 2) @ [1, 0, 0], [0, 1, 0],
                               atol=1e-12)
    assert (rotation_from_yaw_pitch(0.3, 0.4) @ [1, 0, 0])[2] == pytest.approx(-math.sin(0.4))


def test_optical_axes():
    """REP-103: optical z forward, x right, y down; body x forward, y left, z up."""
    np.testing.assert_array_equal(OPTICAL_IN_BODY @ [0, 0, 1], [1, 0, 0])
    np.testing.assert_array_equal(OPTICAL_IN_BODY @ [1, 0, 0], [0, -1, 0])
    np.testing.assert_array_equal(OPTICAL_IN_BODY @ [0, 1, 0], [0, 0, -1])
    assert np.linalg.det(OPTICAL_IN_BODY) == pytest.approx(1.0)


@given(angles)
def test_wrap_angle(angle):
    wrapped = wrap_angle(angle)
    assert -math.pi < wrapped <= math.pi
    assert math.cos(wrapped - angle) == pytest.approx(1.0)


@given(poses)
def test_pose_matrix_round_trip(pose):
    back = Pose2D.from_matrix(pose.matrix)
    assert (back.x, back.y) == (pose.x, pose.y)
    assert math.cos(back.yaw - pose.yaw) == pytest.approx(1.0)


@given(poses, metres, metres, angles)
def test_moved_is_composition(pose, forward, left, turn):
    moved = pose.moved(forward, left, turn).matrix
    np.testing.assert_allclose(moved, pose.matrix @ Pose2D(forward, left, turn).matrix, atol=1e-9)


def test_wrong_shapes_are_named():
    with pytest.raises(ValueError, match=r'\(N, 3\), got \(3,\)'):
        transform_points(np.eye(4), np.zeros(3))


@given(unit, unit, unit, unit, st.floats(0.0, 3.0))
def test_quaternions_are_rotations_as_far_as_tf2_says_so(x, y, z, w, length):
    quaternion = np.array([x, y, z, w])
    assume(np.linalg.norm(quaternion) > 0.01)
    quaternion *= length / np.linalg.norm(quaternion)
    squared = float((quaternion ** 2).sum())
    assume(abs(abs(squared - 1.0) - 0.01) > 1e-9)
    assert bool(quaternion_problem(quaternion)) == (abs(squared - 1.0) > 0.01)


@pytest.mark.parametrize(('quaternion', 'words'), [
    ((0, 0, 0, 0), 'never set'), ((0, 0, 90, 0), 'length 90'), ((0, 0, 0.5, 0.5), 'length 0.707'),
    ((0, 0, math.nan, 1), 'not finite'), ((1e200, 0, 0, 1e200), 'length 1.41e+200')])
def test_what_is_wrong_with_a_quaternion_is_said(quaternion, words):
    assert words in quaternion_problem(np.array(quaternion, float))
