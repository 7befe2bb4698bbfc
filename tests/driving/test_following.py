# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""Speeds: within limits, and they lead to the end of the way."""

import math

from hypothesis import given, settings
from hypothesis import strategies as st
from ipt_ros.driving import Command, Limits
from ipt_ros.driving.following import follow, rest_of_way, turn
from ipt_ros.geometry import Pose2D, wrap_angle
import numpy as np
import pytest

LIMITS = Limits(0.5, 1.0, 1.0, 3.0)
COORDINATES = st.floats(-3, 3).map(lambda value: round(value, 2))
POSES = st.builds(Pose2D, COORDINATES, COORDINATES, st.floats(-math.pi, math.pi))


@settings(max_examples=40)
@given(POSES, st.lists(st.tuples(COORDINATES, COORDINATES), min_size=1, max_size=4))
def test_whoever_follows_comes_to_the_end_within_the_limits(pose, corners):
    way, command, before, dt = np.array(corners), Command(0.0, 0.0), Command(0.0, 0.0), 0.05
    for _ in range(4000):
        if math.dist((pose.x, pose.y), way[-1]) < 0.1:
            return
        way = rest_of_way(pose, way)
        command = follow(pose, way, LIMITS).eased(before, dt, LIMITS)
        assert 0 <= command.linear <= LIMITS.linear and abs(command.angular) <= LIMITS.angular
        assert abs(command.linear - before.linear) <= LIMITS.linear_acceleration * dt + 1e-9
        assert abs(command.angular - before.angular) <= LIMITS.angular_acceleration * dt + 1e-9
        pose, before = pose.moved(command.linear * dt, turn=command.angular * dt), command
    pytest.fail(f'still {math.dist((pose.x, pose.y), way[-1]):.2f} m away')


@given(POSES, st.floats(-math.pi, math.pi))
def test_turning_ends_at_the_heading(pose, yaw):
    for _ in range(400):
        pose = pose.moved(0.0, turn=turn(pose, yaw, LIMITS).angular * 0.05)
    assert abs(wrap_angle(yaw - pose.yaw)) < 0.01


def test_robot_turns_before_it_drives_the_other_way():
    command = follow(Pose2D(0.0, 0.0, 0.0), np.array([[-1.0, 0.1]]), LIMITS)
    assert command.linear == 0.0 and command.angular == LIMITS.angular


def test_rest_of_a_way_begins_at_the_nearest_point():
    way = np.array([[0.0, 0.0], [2.0, 0.0], [2.0, 2.0]])
    np.testing.assert_allclose(
        rest_of_way(Pose2D(1.0, 0.3), way), [[1.0, 0.0], [2.0, 0.0], [2.0, 2.0]])
    np.testing.assert_allclose(rest_of_way(Pose2D(2.5, 1.0), way), [[2.0, 1.0], [2.0, 2.0]])


@pytest.mark.parametrize('values', [(0.0,), (0.5, -1.0), (math.inf,), (0.5, 1.0, math.nan)])
def test_limits_with_which_nothing_moves_are_refused(values):
    with pytest.raises(ValueError, match='positive and finite'):
        Limits(*values)
