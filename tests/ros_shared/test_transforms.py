# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""The transform buffer against hand-made trees."""

import math

from geometry_msgs.msg import TransformStamped
from hypothesis import given, settings
from hypothesis import strategies as st
from ipt_ros.geometry import compose, invert, Pose2D, rotation_from_yaw_pitch
from ipt_ros.ros.messages import time_message, transform_message
from ipt_ros.ros.transforms import nanoseconds, TransformBuffer, TransformError
import numpy as np
import pytest
from std_msgs.msg import Header
from tf2_msgs.msg import TFMessage

SECOND = 1_000_000_000


def stamped(parent: str, child: str, stamp: int, matrix: np.ndarray) -> TransformStamped:
    return transform_message(matrix, Header(stamp=time_message(stamp), frame_id=parent), child)


def robot(*poses: tuple[int, Pose2D]) -> TransformBuffer:
    """Build odom -> base_link (moving) -> camera (static, 1 m ahead, turned left)."""
    buffer = TransformBuffer(tolerance=0.1)
    camera = compose(rotation_from_yaw_pitch(math.pi / 2), (1.0, 0.0, 0.5))
    buffer.add_message(TFMessage(transforms=[stamped('base_link', 'camera', 0, camera)]), True)
    for stamp, pose in poses:
        buffer.add_message(TFMessage(transforms=[
            stamped('odom', 'base_link', stamp, pose.matrix)]))
    return buffer


def test_chain_up_down_and_across():
    buffer = robot((SECOND, Pose2D(2.0, 3.0, math.pi / 2)))
    odom_from_camera = buffer.lookup('odom', 'camera', SECOND)
    np.testing.assert_allclose(odom_from_camera[:3, 3], (2.0, 4.0, 0.5), atol=1e-12)
    np.testing.assert_allclose(
        buffer.lookup('camera', 'odom', SECOND), invert(odom_from_camera), atol=1e-12)
    np.testing.assert_array_equal(buffer.lookup('camera', 'camera'), np.eye(4))
    np.testing.assert_allclose(buffer.lookup('/odom', '/camera'), odom_from_camera)


@given(st.floats(0, 1), st.floats(-3, 3), st.floats(-3, 3))
@settings(deadline=None)
def test_between_samples_the_pose_is_interpolated(fraction, start, turn):
    buffer = robot((0, Pose2D(0.0, 0.0, start)), (SECOND, Pose2D(4.0, -2.0, start + turn)))
    stamp = round(fraction * SECOND)
    seen = buffer.lookup('odom', 'base_link', stamp)
    expected = Pose2D(4 * stamp / SECOND, -2 * stamp / SECOND, start + turn * stamp / SECOND)
    np.testing.assert_allclose(seen, expected.matrix, atol=1e-5)


def test_a_little_outside_is_held_and_more_is_refused():
    buffer = robot((SECOND, Pose2D(1.0, 0.0)), (2 * SECOND, Pose2D(2.0, 0.0)))
    assert buffer.lookup('odom', 'base_link', 2 * SECOND + SECOND // 20)[0, 3] == 2.0
    assert buffer.lookup('odom', 'base_link', SECOND - SECOND // 20)[0, 3] == 1.0
    with pytest.raises(TransformError, match=r'\+1\.00 s'):
        buffer.lookup('odom', 'base_link', 3 * SECOND)
    with pytest.raises(TransformError, match=r"'base_link' to 'odom'.*-1\.00 s"):
        buffer.lookup('odom', 'camera', 0)


def test_through_a_fixed_frame():
    buffer = robot((SECOND, Pose2D(1.0, 0.0)), (2 * SECOND, Pose2D(3.0, 0.0, math.pi)))
    now_from_then = buffer.lookup_through(
        'base_link', 2 * SECOND, 'base_link', SECOND, 'odom')
    np.testing.assert_allclose(now_from_then @ (0, 0, 0, 1), (2.0, 0, 0, 1), atol=1e-12)


def test_unconnected_frames_are_named():
    buffer = robot((SECOND, Pose2D(1.0, 0.0)))
    with pytest.raises(TransformError, match="'map'.*'camera'|'camera'.*'map'"):
        buffer.lookup('map', 'camera', SECOND)
    assert buffer.has('odom') and buffer.has('camera') and not buffer.has('map')


def test_loops_are_refused():
    buffer = robot((SECOND, Pose2D(1.0, 0.0)))
    buffer.add_message(TFMessage(transforms=[
        stamped('camera', 'odom', SECOND, Pose2D(0.0, 0.0).matrix)]))
    with pytest.raises(TransformError, match='loop'):
        buffer.lookup('map', 'base_link', SECOND)


@pytest.mark.parametrize('spoil', ['nan', 'quaternion', 'self', 'empty'])
def test_broken_transforms_are_ignored(spoil):
    item = stamped('odom', 'base_link', SECOND, Pose2D(1.0, 0.0).matrix)
    if spoil == 'nan':
        item.transform.translation.x = math.nan
    elif spoil == 'quaternion':
        item.transform.rotation.w = 0.0
    elif spoil == 'self':
        item.child_frame_id = 'odom'
    else:
        item.header.frame_id = ''
    buffer = robot()
    buffer.add_message(TFMessage(transforms=[item]))
    assert not buffer.has('odom')


@pytest.mark.parametrize('scale', [0.0, 0.1, 0.99, 1.01, 2.0, 57.3])
def test_quaternions_that_tf2_ignores_are_ignored_and_told_once_a_frame(scale):
    told = []
    buffer = TransformBuffer(told.append)
    for child in ('camera', 'camera', 'base_link'):
        item = stamped('odom', child, SECOND, Pose2D(1.0, 0.0, 1.0).matrix)
        for part in 'xyzw':
            setattr(item.transform.rotation, part, scale * getattr(item.transform.rotation, part))
        buffer.add_message(TFMessage(transforms=[item]), static=child == 'camera')
    assert not buffer.frames and len(told) == 2
    assert told[0].startswith("/tf_static: a transform of 'camera' has a quaternion")
    assert told[1].startswith("/tf: a transform of 'base_link'") and 'tf2' in told[1]


@given(st.floats(-3, 3), st.floats(-1, 1), st.sampled_from([3, 6]), st.booleans())
def test_rounded_quaternions_are_taken_and_brought_to_unit_length(yaw, pitch, digits, single):
    told = []
    buffer = TransformBuffer(told.append)
    turn = rotation_from_yaw_pitch(yaw, pitch)
    item = stamped('odom', 'base_link', SECOND, compose(turn, (0.0, 0.0, 0.0)))
    for part in 'xyzw':
        value = round(getattr(item.transform.rotation, part), digits)
        setattr(item.transform.rotation, part, float(np.float32(value)) if single else value)
    buffer.add_message(TFMessage(transforms=[item]))
    seen = buffer.lookup('odom', 'base_link')[:3, :3]
    np.testing.assert_allclose(seen @ seen.T, np.eye(3), atol=1e-9)
    np.testing.assert_allclose(seen, turn, atol=4 * 10.0 ** -digits)
    assert not told


def test_broken_transforms_of_other_kinds_are_told_too():
    told = []
    buffer = TransformBuffer(told.append)
    for x in (math.nan, math.inf):
        item = stamped('odom', 'base_link', SECOND, Pose2D(1.0, 0.0).matrix)
        item.transform.translation.x = x
        buffer.add_message(TFMessage(transforms=[item]))
    assert len(told) == 1 and 'not finite' in told[0] and "'base_link'" in told[0]


def test_history_is_bounded_and_a_clock_set_back_restarts_it():
    buffer = TransformBuffer(keep=1.0)
    for step in range(100):
        buffer.add_message(TFMessage(transforms=[
            stamped('odom', 'base_link', step * SECOND // 10, Pose2D(step, 0.0).matrix)]))
    with pytest.raises(TransformError):
        buffer.lookup('odom', 'base_link', 2 * SECOND)
    assert len(buffer._edges['base_link'].stamps) <= 11
    buffer.add_message(TFMessage(transforms=[
        stamped('odom', 'base_link', 5, Pose2D(-1.0, 0.0).matrix)]))
    assert buffer.lookup('odom', 'base_link')[0, 3] == -1.0


def test_what_moves_can_be_forgotten():
    buffer = robot((SECOND, Pose2D(1.0, 0.0)))
    buffer.forget_moving()
    assert buffer.lookup('base_link', 'camera')[0, 3] == 1.0
    with pytest.raises(TransformError):
        buffer.lookup('odom', 'base_link')


def test_out_of_order_samples_are_sorted_in():
    buffer = robot((2 * SECOND, Pose2D(2.0, 0.0)), (SECOND, Pose2D(1.0, 0.0)))
    assert buffer.lookup('odom', 'base_link', 3 * SECOND // 2)[0, 3] == pytest.approx(1.5)


def test_nanoseconds():
    assert nanoseconds(time_message(12 * SECOND + 34)) == 12 * SECOND + 34


def test_the_newest_common_time_is_that_of_the_slowest_moving_frame():
    buffer = robot((SECOND, Pose2D(0.0, 0.0)), (3 * SECOND, Pose2D(1.0, 0.0)))
    buffer.add_message(TFMessage(transforms=[stamped('map', 'odom', 2 * SECOND, np.eye(4))]))
    assert buffer.newest('odom', 'camera') == buffer.newest('camera', 'odom') == 3 * SECOND
    assert buffer.newest('map', 'camera') == 2 * SECOND
    assert buffer.newest('base_link', 'camera') is None
    with pytest.raises(TransformError, match='not connected'):
        buffer.newest('map', 'moon')
