# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""The topics of drivers, for live nodes and for bags alike."""

from ipt_ros.camera_drivers import check_driver, DRIVERS, DriverTopics, PLAIN
from ipt_ros.geometry.calibration import is_rectified
from ipt_training.bags.topics import COMPRESSED, find_cameras, IMAGE, INFO
import pytest

NAMES = {
    'zed': ('/eye/left/color/rect/image', '/eye/left/color/rect/camera_info',
            '/eye/depth/depth_registered'),
    'zed_rgb': ('/eye/rgb/color/rect/image', '/eye/rgb/color/rect/camera_info',
                '/eye/depth/depth_registered'),
    'realsense': ('/eye/color/image_raw', '/eye/color/camera_info',
                  '/eye/aligned_depth_to_color/image_raw'),
    'oak': ('/eye/rgb/image_raw', '/eye/rgb/camera_info', '/eye/stereo/image_raw'),
}
RECTIFIED = {'zed', 'zed_rgb'}


@pytest.mark.parametrize('driver', NAMES)
def test_the_table_has_the_names_that_drivers_give(driver):
    topics = NAMES[driver]
    assert DRIVERS[driver].within('/eye') == DRIVERS[driver].within('/eye/') == DriverTopics(
        *topics)
    assert is_rectified(topics[0]) == (driver in RECTIFIED)


@pytest.mark.parametrize('driver', DRIVERS)
@pytest.mark.parametrize(('picture', 'depth'), [('', ''), ('/compressed', '/compressedDepth')])
def test_bags_know_every_driver_of_the_table(driver, picture, depth):
    topics = DRIVERS[driver].within('/robot/eye')
    kind = COMPRESSED if picture else IMAGE
    (camera,) = find_cameras({
        topics.image + picture: kind, topics.info: INFO, topics.depth + depth: kind}).values()
    assert (camera.image, camera.info, camera.depth) == (
        topics.image + picture, topics.info, topics.depth + depth)


def test_names_with_a_leading_slash_stay_and_no_depth_is_none():
    assert DriverTopics('/a/b', 'info').within('/') == DriverTopics('/a/b', '/info', '')
    assert PLAIN.within('front') == DriverTopics(
        'front/image_raw', 'front/camera_info', 'front/depth/image_raw')


@pytest.mark.parametrize('name', ['kinect', '', 'ZED', 'zed '])
def test_a_driver_that_is_not_in_the_table_is_refused_with_those_that_are(name):
    with pytest.raises(ValueError, match=f"'{name}'.*zed, zed_rgb, realsense, oak"):
        check_driver(name)
