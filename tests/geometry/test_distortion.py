# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""Rectified pictures against points whose distorted pixels OpenCV computes."""

import cv2
from ipt_ros.geometry import PinholeCamera
from ipt_ros.geometry.distortion import LensError, Rectifier
import numpy as np
import pytest

LENS = PinholeCamera(160, 120, 90.0, 92.0, 81.0, 58.0)
MODELS = {
    'plumb_bob': (-0.28, 0.07, 0.001, -0.0005, 0.0),
    'rational_polynomial': (-0.2, 0.05, 0.0, 0.0, 0.0, 0.01, 0.0, 0.0),
    'equidistant': (-0.02, 0.004, -0.001, 0.0),
}


def distorted_pixels(points: np.ndarray, model: str) -> np.ndarray:
    d, zero = np.array(MODELS[model]), np.zeros(3)
    if model == 'equidistant':
        return cv2.fisheye.projectPoints(points[:, None], zero, zero, LENS.matrix, d)[0][:, 0]
    return cv2.projectPoints(points[:, None], zero, zero, LENS.matrix, d)[0][:, 0]


@pytest.mark.parametrize('model', MODELS)
def test_a_point_moves_to_where_the_pinhole_camera_projects_it(model):
    points = np.array([[0.0, 0, 2], [0.8, 0.5, 2], [-0.9, 0.6, 2], [0.5, -0.6, 1.5]])
    rectifier = Rectifier(LENS, model, MODELS[model])
    columns, rows = np.meshgrid(np.arange(160.0), np.arange(120.0))
    for raw, ideal in zip(distorted_pixels(points, model), rectifier.camera.project(points)[0]):
        blob = np.exp(-((columns - raw[0]) ** 2 + (rows - raw[1]) ** 2) / 8).astype(np.float32)
        seen = rectifier.picture(blob).astype(float)
        centre = [(seen * axis).sum() / seen.sum() for axis in (columns, rows)]
        np.testing.assert_allclose(centre, ideal, atol=0.5)


@pytest.mark.parametrize('model', MODELS)
def test_no_corner_stays_empty_and_depths_are_not_mixed(model):
    rectifier = Rectifier(LENS, model, MODELS[model])
    assert rectifier.distorted
    assert rectifier.picture(np.full((120, 160, 3), 200, np.uint8)).min() >= 190
    steps = np.where(np.arange(160) < 80, np.float32(1), np.float32(5)) * np.ones((120, 1), 'f4')
    assert set(np.unique(rectifier.depth(steps))) == {1.0, 5.0}


def test_a_lens_without_distortion_changes_nothing():
    for model, d in (('plumb_bob', (0.0,) * 5), ('', ())):
        rectifier = Rectifier(LENS, model, d)
        image = np.random.default_rng(0).integers(0, 256, (120, 160, 3), np.uint8)
        assert not rectifier.distorted and rectifier.camera == LENS
        assert rectifier.picture(image) is image


@pytest.mark.parametrize('model,d,why', [
    ('kannala', (0.1,) * 4, 'kannala.*plumb_bob'), ('plumb_bob', (0.1,) * 3, '4 or 5'),
    ('equidistant', (0.1, np.nan, 0, 0), 'finite'), ('plumb_bob', (50.0,) * 5, 'beyond use')])
def test_unusable_lenses_are_refused(model, d, why):
    with pytest.raises(LensError, match=why):
        Rectifier(LENS, model, d)


def test_a_picture_of_another_size_is_refused():
    with pytest.raises(LensError, match='160x120.*80x60'):
        Rectifier(LENS).picture(np.zeros((60, 80, 3), np.uint8))
