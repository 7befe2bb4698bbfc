# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""Cameras and paths as messages, and back."""

from hypothesis import given
from hypothesis import strategies as st
from ipt_ros.geometry import OrthographicCamera, PinholeCamera
from ipt_ros.ros.cameras import pinhole
from ipt_ros.ros.messages import camera_info, orthographic, path_message
import numpy as np
import pytest
from std_msgs.msg import Header


@given(st.integers(1, 3000), st.integers(1, 3000), st.floats(0.001, 2.0))
def test_orthographic_cameras_come_back_and_project_by_their_p(width, height, scale):
    camera = OrthographicCamera(width, height, scale)
    info = camera_info(camera, Header(frame_id='above'))
    back = orthographic(info)
    assert (back.width, back.height) == (width, height)
    assert back.metres_per_pixel == pytest.approx(scale)
    assert info.k[0] == info.k[4] == 0.0
    points = np.array([[1.0, -2.0, 3.0], [0.0, 0.0, 9.0]])
    seen = np.reshape(info.p, (3, 4)) @ np.column_stack([points, [1.0, 1.0]]).T
    np.testing.assert_allclose((seen[:2] / seen[2]).T, camera.project(points)[0])


def test_pinhole_cameras_come_back():
    camera = PinholeCamera.from_hfov(64, 48, 1.0)
    assert pinhole(camera_info(camera, Header())) == camera


@pytest.mark.parametrize(('number', 'value'), [
    (0, 0.0), (0, -20.0), (0, float('nan')), (5, 10.0), (3, 0.0), (11, 0.0), (10, 1.0), (1, 3.0)])
def test_what_is_no_map_camera_is_refused(number, value):
    info = camera_info(OrthographicCamera(64, 64, 0.05), Header())
    info.p[number] = value
    with pytest.raises(ValueError, match='its P'):
        orthographic(info)


def test_a_pinhole_is_no_map_camera():
    with pytest.raises(ValueError, match='orthographic'):
        orthographic(camera_info(PinholeCamera.from_hfov(64, 64, 1.0), Header()))


def test_paths_have_their_frame_everywhere():
    message = path_message([(0, 1), (2.5, -3)], 'map')
    assert [pose.header.frame_id for pose in message.poses] == ['map', 'map']
    assert message.header.frame_id == 'map'
    assert message.poses[1].pose.position.y == -3.0
