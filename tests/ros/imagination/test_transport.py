# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""Compressed images, and publishers whose QoS does not fit."""

from array import array
import time

import cv2
from ipt_interfaces.msg import ErrorCode
from ipt_ros.ros import qos
from ipt_ros.ros.images import to_rgb
import numpy as np
import pytest
from sensor_msgs.msg import CompressedImage

pytestmark = pytest.mark.ros


@pytest.fixture
def compressed(robot, start, checkpoint):
    """Run a node for compressed, reliable images; front's publisher fits, left's does not."""
    _, log = start(
        checkpoint=checkpoint, autostart=True, image_transport='compressed',
        reliability='reliable', cameras="['front','left']")
    image = np.zeros((48, 64, 3), np.uint8)
    image[:, 32:] = (200, 100, 50)
    png = cv2.imencode('.png', image[..., ::-1])[1].tobytes()
    outputs = {
        name: robot.node.create_publisher(CompressedImage, f'{name}/image_raw/compressed', profile)
        for name, profile in (
            ('front', qos.reliable()), ('left', qos.sensor_input('best_effort')))}

    def publish():
        for name, output in outputs.items():
            message = CompressedImage(format='png', data=array('B', png))
            message.header.stamp = robot.node.get_clock().now().to_msg()
            message.header.frame_id = f'{name}_optical_frame'
            output.publish(message)

    timer = robot.node.create_timer(0.05, publish)
    yield image, log
    robot.node.destroy_timer(timer)
    for output in outputs.values():
        robot.node.destroy_publisher(output)


def test_compressed_images_and_a_publisher_that_does_not_fit(robot, compressed):
    image, log = compressed
    response = robot.ask(cameras=['front'], mode='answer', return_images=True)
    while not response.success:
        assert response.error_code in (ErrorCode.NOT_ACTIVE, ErrorCode.NO_FRAME)
        time.sleep(0.05)
        response = robot.ask(cameras=['front'], mode='answer', return_images=True)
    np.testing.assert_array_equal(to_rgb(response.inputs[0]), image)

    response = robot.ask(cameras=['left'])
    assert response.error_code == ErrorCode.CAMERA_SILENT
    for text in (log.read_text(), response.message):
        assert "'/ipt/left/image_raw/compressed' offers less" in text and 'reliability' in text
        assert "'/ipt/front/image_raw/compressed' offers less" not in text
    assert robot.told('no fresh frames of left', "'/ipt/left/image_raw/compressed' offers less")


def test_an_image_and_a_camera_info_of_unlike_size(robot, compressed):
    """The picture has 64x48 pixels, camera_info speaks of 64x64: no target can be placed."""
    response = robot.ask(cameras=['front'], mode='answer')
    while response.error_code in (ErrorCode.NOT_ACTIVE, ErrorCode.NO_FRAME):
        response = robot.ask(cameras=['front'], mode='answer')
    assert response.success, response.message
    from geometry_msgs.msg import PointStamped
    target = PointStamped()
    target.header.frame_id, target.point.x = 'base_link', 3.0
    response = robot.ask(cameras=['front'], target=target)
    assert response.error_code == ErrorCode.NO_CAMERA_INFO
    assert '64x64' in response.message and '64x48' in response.message
