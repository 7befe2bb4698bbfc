# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""What camera_info messages say, from anything with their fields."""

from dataclasses import dataclass, field, replace
import math

from hypothesis import given
from hypothesis import strategies as st
from ipt_ros.geometry import PinholeCamera
from ipt_ros.geometry.calibration import is_rectified, read_calibration
from ipt_ros.geometry.distortion import LensError
import numpy as np
import pytest


@dataclass
class Roi:
    """The fields of sensor_msgs/RegionOfInterest."""

    x_offset: int = 0
    y_offset: int = 0
    height: int = 0
    width: int = 0
    do_rectify: bool = False


def k_of(fx: float, fy: float, cx: float, cy: float) -> list[float]:
    return [fx, 0.0, cx, 0.0, fy, cy, 0.0, 0.0, 1.0]


def p_of(fx: float, fy: float, cx: float, cy: float, tx: float = 0.0) -> list[float]:
    return [fx, 0.0, cx, tx, 0.0, fy, cy, 0.0, 0.0, 0.0, 1.0, 0.0]


RAW, IDEAL = (90.0, 92.0, 81.0, 58.0), (70.0, 71.0, 79.0, 60.0)


@dataclass
class Info:
    """The fields of sensor_msgs/CameraInfo."""

    width: int = 160
    height: int = 120
    distortion_model: str = 'plumb_bob'
    d: list = field(default_factory=lambda: [-0.2, 0.05, 0.0, 0.0, 0.0])
    k: list = field(default_factory=lambda: k_of(*RAW))
    p: list = field(default_factory=lambda: p_of(*IDEAL))
    binning_x: int = 0
    binning_y: int = 0
    roi: Roi = field(default_factory=Roi)


def test_raw_pictures_are_described_by_k_and_d_and_rectified_ones_by_p():
    calibration = read_calibration(Info(d=np.array([-0.2, 0.05, 0, 0, 0], np.float64)))
    assert calibration.camera == PinholeCamera(160, 120, *RAW)
    assert calibration.rectified == PinholeCamera(160, 120, *IDEAL)
    assert calibration.rectifier(rectified=True).camera == calibration.rectified
    assert not calibration.rectifier(rectified=True).distorted
    assert calibration.rectifier(rectified=False).distorted
    assert calibration == read_calibration(Info()) and hash(calibration) is not None


@pytest.mark.parametrize('p', [[0.0] * 12, np.eye(3, 4).ravel()])
def test_without_p_rectified_pictures_are_those_of_k(p):
    calibration = read_calibration(Info(p=p))
    assert calibration.rectified == calibration.camera == PinholeCamera(160, 120, *RAW)


def test_the_baseline_in_the_p_of_a_right_camera_is_no_part_of_its_picture():
    calibration = read_calibration(Info(p=p_of(*IDEAL, tx=-40.0)))
    assert calibration.rectified == PinholeCamera(160, 120, *IDEAL)


@pytest.mark.parametrize('changes,looks', [
    ({}, True),
    ({'d': [0.0] * 5}, False), ({'d': []}, False),
    ({'p': p_of(*RAW)}, False), ({'p': [0.0] * 12}, False), ({'k': [0.0] * 9}, False),
    ({'p': p_of(90.001, 92.0, 81.0, 58.0)}, False),
    ({'p': p_of(90.0, 92.0, 81.0, 59.0)}, True)])
def test_a_p_that_differs_from_k_beside_distortion_looks_rectified(changes, looks):
    assert read_calibration(replace(Info(), **changes)).looks_rectified == looks


@pytest.mark.parametrize('changes', [
    {}, {'binning_x': 1, 'binning_y': 1}, {'roi': Roi(0, 0, 120, 160, True)},
    {'roi': Roi(0, 0, 0, 160)}, {'roi': Roi(0, 0, 120, 0)}, {'roi': Roi(do_rectify=True)}])
def test_the_whole_picture_of_the_sensor_is_neither_binned_nor_cut(changes):
    assert read_calibration(replace(Info(), **changes)).problem == ''


@pytest.mark.parametrize('changes,why', [
    ({'binning_x': 2}, 'binned.*2x0'), ({'binning_y': 4}, 'binned'),
    ({'roi': Roi(10, 0, 120, 160)}, 'cut.*160x120 pixels at 10, 0 of 160x120'),
    ({'roi': Roi(0, 3)}, 'cut'), ({'roi': Roi(0, 0, 60, 160)}, 'cut'),
    ({'roi': Roi(0, 0, 120, 80)}, 'cut'), ({'roi': Roi(0, 0, 240, 320)}, 'cut'),
    ({'k': [0.0] * 9}, 'not calibrated.*K is not filled in'),
    ({'k': np.eye(3).ravel()}, 'not calibrated.*K is not filled in'),
    ({'k': k_of(-90.0, 92.0, 81.0, 58.0)}, 'not calibrated.*fx=-90.0'),
    ({'k': k_of(90.0, 0.0, 81.0, 58.0)}, 'not calibrated.*fy=0.0'),
    ({'p': p_of(70.0, 0.0, 79.0, 60.0)}, 'not calibrated.*P: .*fy=0.0'),
    ({'p': p_of(-70.0, 71.0, 79.0, 60.0)}, 'not calibrated.*P: '),
    ({'k': k_of(*RAW)[:8]}, 'not calibrated.*9 numbers, got 8'),
    ({'p': p_of(*IDEAL)[:9]}, 'not calibrated.*12 numbers, got 9'),
    ({'k': []}, 'not calibrated.*got 0'),
    ({'width': 0}, 'not calibrated.*0x120'), ({'height': 0}, 'not calibrated.*160x0')])
def test_what_describes_no_whole_picture_is_refused_and_says_why(changes, why):
    calibration = read_calibration(replace(Info(), **changes))
    assert calibration.camera is None and calibration.rectified is None
    for rectified in (False, True):
        with pytest.raises(LensError, match=why):
            calibration.rectifier(rectified)


@given(st.sampled_from('kpd'), st.integers(0, 11),
       st.sampled_from([math.nan, math.inf, -math.inf]))
def test_no_number_of_a_calibration_may_be_nan_or_infinite(name, place, value):
    numbers = getattr(Info(), name)
    numbers[place % len(numbers)] = value
    calibration = read_calibration(replace(Info(), **{name: numbers}))
    assert calibration.problem.startswith('not calibrated')
    # So that one that says the same again is the same.
    assert calibration == read_calibration(replace(Info(), **{name: numbers}))


@pytest.mark.parametrize('changes,why', [
    ({'distortion_model': 'kannala_brandt4', 'd': [0.1] * 4}, 'kannala_brandt4.*plumb_bob'),
    ({'d': [0.1] * 3}, '4 or 5')])
def test_a_lens_that_is_not_supported_is_no_hindrance_to_rectified_pictures(changes, why):
    calibration = read_calibration(replace(Info(), **changes))
    assert calibration.rectifier(rectified=True).camera == PinholeCamera(160, 120, *IDEAL)
    with pytest.raises(LensError, match=why):
        calibration.rectifier(rectified=False)


@pytest.mark.parametrize('topic,rectified', [
    ('/front/image_rect', True), ('/front/image_rect_color', True),
    ('front/image_rect_gray', True), ('/front/image_rect/compressed', True),
    ('/zed/zed_node/left/color/rect/image', True), ('/kinect2/qhd/image_color_rect', True),
    ('/zed/zed_node/left/color/rect/image/compressed', True),
    ('/camera/infra1/image_rect_raw', True), ('/front/image_rectified', True),
    ('/front/rectified/image', True), ('/front/rect_image', True), ('/front/Image_Rect', True),
    ('/front/image_undistorted', True),
    ('/front/image_raw', False), ('/front/image_raw/compressed', False), ('/front/image', False),
    ('/front/image_color', False), ('/zed/zed_node/left/color/raw/image', False),
    ('/rect/front/image_raw', False), ('/front/rectangle/image', False), ('/correct/image', False),
    ('/front/image_unrectified', False), ('/direct/image', False), ('', False)])
def test_the_name_of_a_topic_says_whether_its_pictures_are_rectified(topic, rectified):
    assert is_rectified(topic) == rectified
