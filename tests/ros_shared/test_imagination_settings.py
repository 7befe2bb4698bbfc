# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""Parameters of the imagination node without a node."""

from ipt_ros.camera_drivers import DRIVERS, DriverTopics
from ipt_ros.nodes.imagination_settings import CameraNames, Settings
from ipt_ros.ros.parameters import ParameterError
import pytest


@pytest.mark.parametrize(('namespace', 'prefix'), [
    ('/', 'imagined_'), ('/ipt', 'ipt/imagined_'), ('/robot1', 'robot1/imagined_'),
    ('/fleet/robot2', 'fleet/robot2/imagined_')])
def test_robots_of_other_namespaces_share_no_frame(namespace, prefix):
    assert Settings().frame_prefix(namespace) == prefix
    assert Settings(imagined_frame_prefix='seen_').frame_prefix(namespace) == 'seen_'


@pytest.mark.parametrize(('names', 'topics'), [
    (CameraNames(driver='zed', namespace='/zed/zed_node/'), DRIVERS['zed'].within(
        '/zed/zed_node')),
    (CameraNames(driver='oak'), DRIVERS['oak'].within('front')),
    (CameraNames(namespace='/usb'), DriverTopics(
        '/usb/image_raw', '/usb/camera_info', '/usb/depth/image_raw')),
    (CameraNames(image='/usb/image_rect', camera_info='/usb/camera_info'), DriverTopics(
        '/usb/image_rect', '/usb/camera_info', 'front/depth/image_raw')),
    (CameraNames(driver='zed', namespace='/z', image='left/color/raw/image'), DriverTopics(
        '/z/left/color/raw/image', '/z/left/color/rect/camera_info', '/z/depth/depth_registered')),
    (CameraNames(driver='realsense', namespace='/r', depth='/other/depth'), DriverTopics(
        '/r/color/image_raw', '/r/color/camera_info', '/other/depth')),
    (CameraNames(), None)])
def test_a_camera_publishes_where_its_parameters_say(names, topics):
    assert names.topics('front') == topics
    settings = Settings().camera_settings(lambda cameras: {'front': names, 'left': CameraNames()})
    assert settings.topics == ({'front': topics} if topics else {})


@pytest.mark.parametrize(('names', 'parameter'), [
    (CameraNames(namespace='/zed-front'), 'front.image'),
    (CameraNames(image='a b'), 'front.image'),
    (CameraNames(camera_info='//x'), 'front.camera_info'),
    (CameraNames(driver='zed', depth='9'), 'front.depth')])
def test_names_that_no_topic_can_have_are_refused(names, parameter):
    with pytest.raises(ParameterError, match=f"'{parameter}' make .* no name of a topic"):
        names.topics('front')
