# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""Cameras whose drivers publish by names of their own."""

from geometry_msgs.msg import PointStamped
from ipt_interfaces.msg import ErrorCode
from ipt_ros.camera_drivers import DRIVERS
from ipt_ros.geometry import PinholeCamera
from ipt_ros.ros import qos
from ipt_ros.ros.images import from_depth, from_rgb
from ipt_ros.ros.messages import camera_info
import numpy as np
import pytest
from rcl_interfaces.srv import SetParameters
from rclpy.parameter import Parameter
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import Header

pytestmark = pytest.mark.ros
CAMERA = PinholeCamera.from_hfov(64, 48, 1.2)


@pytest.fixture(scope='module')
def parameters() -> dict:
    """Front is a RealSense; left, by what is said of it, a ZED of which there is none."""
    return {'cameras': "['front', 'left']", 'front.driver': 'realsense',
            'front.namespace': '/front/camera', 'left.driver': 'zed',
            'left.namespace': '/zed_left/zed_node'}


@pytest.fixture(scope='module')
def realsense(bench):
    """Publish as RealSense does: depth has another topic and the frame of the colour images."""
    topics = DRIVERS['realsense'].within('/front/camera')
    colour, info, depth = (
        bench.node.create_publisher(kind, topic, qos.reliable()) for kind, topic in (
            (Image, topics.image), (CameraInfo, topics.info), (Image, topics.depth)))

    def publish():
        header = Header(
            stamp=bench.node.get_clock().now().to_msg(), frame_id='front_optical_frame')
        info.publish(camera_info(CAMERA, header))
        depth.publish(from_depth(np.full((48, 64), 1.5, np.float32), header))
        colour.publish(from_rgb(np.full((48, 64, 3), 99, np.uint8), header))
    # It stays until the bench closes: taking it away while another thread spins is a race.
    bench.node.create_timer(0.05, publish)


def test_a_camera_is_heard_by_the_names_of_its_driver_with_its_depth(robot, realsense, node):
    target = PointStamped()
    target.header.frame_id, target.point.x = 'base_link', 4.0
    question = "I go to the 'X' and turn left 90 degrees. Is the chair then on my left or right?"
    for _ in range(200):
        response = robot.ask(question, cameras=['front'], target=target)
        if response.error_code == ErrorCode.TARGET_OCCLUDED:
            break
    # Depth says 1.5 m where the target is 4 m away, so that topic is heard, too.
    assert response.error_code == ErrorCode.TARGET_OCCLUDED, response.message


def test_a_silent_camera_is_named_by_the_topic_of_its_driver(robot, realsense, node):
    robot.activate()
    response = robot.ask(cameras=['left'])
    while response.error_code == ErrorCode.NO_FRAME:
        response = robot.ask(cameras=['left'])
    assert response.error_code == ErrorCode.CAMERA_SILENT
    topic = DRIVERS['zed'].within('/zed_left/zed_node').image
    assert f"'{topic}', which nobody publishes" in response.message
    assert robot.told(f"'{topic}', which nobody publishes")


def test_where_a_camera_publishes_cannot_be_changed_while_the_node_listens(robot, node):
    def set_to(name, value):
        return robot.call(SetParameters, 'set_parameters', parameters=[
            Parameter(name, value=value).to_parameter_msg()]).results[0]

    robot.activate()
    for name, value in (('front.driver', 'oak'), ('left.image', '/left/image')):
        result = set_to(name, value)
        assert not result.successful and 'in use' in result.reason
    assert 'zed, zed_rgb, realsense, oak' in set_to('front.driver', 'kinect').reason
