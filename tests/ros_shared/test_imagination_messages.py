# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""Messages of the imagination node without a node."""

import math

from hypothesis import given
from hypothesis import strategies as st
from ipt_ros.geometry import Pose2D, transform_points
from ipt_ros.imagination import Grid
from ipt_ros.nodes.imagination_messages import grid_message
from ipt_ros.ros.messages import pose_message
import numpy as np
import pytest
from std_msgs.msg import Header

metres, angles = st.floats(-20, 20), st.floats(-math.pi, math.pi)


@given(st.builds(Pose2D, metres, metres, angles), st.builds(Pose2D, metres, metres, angles))
def test_a_grid_lies_in_a_fixed_frame_where_it_lay_in_the_base(robot, corner):
    grid = Grid(np.zeros((3, 5), np.int8), 0.5, (corner.x, corner.y), corner.yaw)
    here = grid_message(grid, Header(frame_id='base_link'))
    there = grid_message(grid, Header(frame_id='odom'), robot.matrix)
    assert (there.header.frame_id, there.info.width, there.info.height) == ('odom', 5, 3)
    assert there.data == here.data
    assert here.info.origin == pose_message(corner.matrix)
    place = there.info.origin.position
    expected = transform_points(robot.matrix, np.array([[corner.x, corner.y, 0.0]]))[0]
    assert (place.x, place.y, place.z) == pytest.approx(tuple(expected), abs=1e-9)
    turn = 2 * math.atan2(there.info.origin.orientation.z, there.info.origin.orientation.w)
    assert math.remainder(turn - robot.yaw - corner.yaw, math.tau) == pytest.approx(0, abs=1e-6)
