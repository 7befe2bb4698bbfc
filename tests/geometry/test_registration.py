# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""Depth images of a picture's pixels, and others."""

from ipt_ros.geometry import PinholeCamera
from ipt_ros.geometry.distortion import Rectifier
from ipt_ros.geometry.registration import check_frames, registered, RegistrationError
import numpy as np
import pytest

LENS = PinholeCamera(64, 48, 40.0, 40.0, 31.5, 23.5)


@pytest.mark.parametrize('depth,picture', [
    ('optical', 'optical'), ('/optical', 'optical'), ('optical', '/optical')])
def test_depth_of_the_frame_of_the_picture_is_of_its_pixels(depth, picture):
    check_frames(depth, picture)


@pytest.mark.parametrize('depth,picture,why', [
    ('depth_optical', 'optical', "'depth_optical', not registered to .*'optical'"),
    ('optical_frame', 'optical', 'not registered'), ('optical', '', 'not registered'),
    ('', 'optical', 'no frame_id'), ('/', 'optical', 'no frame_id'), ('', '', 'no frame_id')])
def test_depth_of_another_frame_or_of_none_is_refused(depth, picture, why):
    with pytest.raises(RegistrationError, match=why):
        check_frames(depth, picture)


@pytest.mark.parametrize('width,height', [(64, 48), (32, 24), (128, 96), (63, 47), (21, 16)])
def test_depth_of_the_same_view_is_brought_to_the_size_of_the_picture(width, height):
    depth = np.where(np.arange(width) < width / 2, 1.0, 5.0) * np.ones((height, 1))
    seen = registered(depth.astype(np.float32), Rectifier(LENS))
    assert seen.shape == (48, 64) and set(np.unique(seen)) == {1.0, 5.0}
    assert (seen[:, :30] == 1).all() and (seen[:, 34:] == 5).all()


@pytest.mark.parametrize('width,height', [(64, 24), (48, 64), (64, 64), (85, 48), (1, 48)])
def test_depth_of_another_shape_is_refused(width, height):
    with pytest.raises(RegistrationError, match=f'{width}x{height}.*64x48'):
        registered(np.ones((height, width), np.float32), Rectifier(LENS))


def test_depth_loses_the_distortion_of_the_lens_with_the_picture():
    lens = Rectifier(LENS, 'plumb_bob', (-0.3, 0.1, 0.0, 0.0, 0.0))
    rows, columns = np.indices((48, 64))
    depth = np.where((rows - 10) ** 2 + (columns - 8) ** 2 < 16, 2.0, 6.0).astype(np.float32)
    seen = registered(depth, lens)
    picture = lens.picture(depth)
    assert set(np.unique(seen)) == {2.0, 6.0} and not np.array_equal(seen, depth)
    assert np.abs(seen - picture).mean() < 0.1
