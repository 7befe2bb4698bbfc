# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
import math

from hypothesis import given
from hypothesis import strategies as st
from ipt_ros.geometry import OrthographicCamera, PinholeCamera
import numpy as np
import pytest

sizes = st.integers(1, 2000)
fovs = st.floats(0.2, 2.8)
cameras = st.builds(PinholeCamera.from_hfov, sizes, sizes, fovs)
metres = st.floats(-50, 50)


@given(sizes, sizes, fovs)
def test_hfov_round_trip(width, height, hfov):
    assert PinholeCamera.from_hfov(width, height, hfov).hfov == pytest.approx(hfov)


def test_pixel_centres_are_integers():
    """The edges of a 90 degree image lie half a pixel outside the first and last column."""
    camera = PinholeCamera.from_hfov(64, 48, math.pi / 2)
    uv, depth = camera.project(np.array([[-2.0, 0.0, 2.0], [2.0, 0.0, 2.0], [0.0, 0.0, 1.0]]))
    np.testing.assert_allclose(uv, [[-0.5, 23.5], [63.5, 23.5], [31.5, 23.5]], atol=1e-9)
    np.testing.assert_allclose(depth, [2, 2, 1])


def test_right_and_down_are_positive():
    uv, _ = PinholeCamera.from_hfov(100, 100, 1.0).project(np.array([[0.1, 0.2, 1.0]]))
    assert uv[0, 0] > 49.5
    assert uv[0, 1] > 49.5


@given(cameras, metres, metres, st.floats(0.01, 100))
def test_deproject_undoes_project(camera, x, y, z):
    points = np.array([[x, y, z]])
    uv, depth = camera.project(points)
    np.testing.assert_allclose(camera.deproject(uv, depth), points, rtol=1e-6, atol=1e-6)


@given(cameras, metres, metres, st.floats(0.1, 100))
def test_matrix_is_the_projection(camera, x, y, z):
    uv, depth = camera.project(np.array([[x, y, z]]))
    homogeneous = camera.matrix @ (x, y, z)
    np.testing.assert_allclose(homogeneous[:2] / homogeneous[2], uv[0], rtol=1e-6, atol=1e-6)
    assert depth[0] == z


@given(cameras, sizes, sizes, st.floats(-1, 1), st.floats(-1, 1))
def test_resized_scales_the_picture_about_its_corner(camera, width, height, x, y):
    points = np.array([[x, y, 1.0]])
    before, _ = camera.project(points)
    after, _ = camera.resized(width, height).project(points)
    scale = np.array([width / camera.width, height / camera.height])
    np.testing.assert_allclose(after + 0.5, (before + 0.5) * scale, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize('z', [0.0, -1.0])
def test_points_behind_the_camera_have_no_picture(z):
    uv, depth = PinholeCamera.from_hfov(10, 10, 1.0).project(np.array([[0.1, 0.1, z]]))
    assert np.isnan(uv).all()
    assert depth[0] == z


@pytest.mark.parametrize('arguments', [(0, 10, 1.0), (10, -1, 1.0), (10, 10, 0.0), (10, 10, 3.2),
                                       (10, 10, math.nan)])
def test_impossible_cameras_are_refused(arguments):
    with pytest.raises(ValueError, match='must'):
        PinholeCamera.from_hfov(*arguments)


@pytest.mark.parametrize('value', [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize('place', range(4))
def test_no_number_of_a_camera_is_nan_or_infinite(place, value):
    numbers = [50.0, 50.0, 31.5, 23.5]
    numbers[place] = value
    with pytest.raises(ValueError, match='must be.* finite'):
        PinholeCamera(64, 48, *numbers)


def test_wrong_shapes_are_named():
    with pytest.raises(ValueError, match=r'\(N, 3\), got \(3,\)'):
        PinholeCamera.from_hfov(10, 10, 1.0).project(np.zeros(3))


@given(sizes, sizes, st.floats(0.001, 1), metres, metres, metres)
def test_orthographic_round_trip(width, height, scale, x, y, z):
    camera = OrthographicCamera(width, height, scale)
    points = np.array([[x, y, z]])
    uv, depth = camera.project(points)
    np.testing.assert_allclose(camera.deproject(uv, depth), points, atol=1e-6)
    np.testing.assert_allclose(
        camera.project(np.zeros((1, 3)))[0], [[(width - 1) / 2, (height - 1) / 2]]
    )


def test_orthographic_resized_keeps_the_metres():
    small = OrthographicCamera(64, 64, 0.125).resized(256, 256)
    assert small.metres_per_pixel * small.width == pytest.approx(8.0)
    with pytest.raises(ValueError, match='square pixels'):
        OrthographicCamera(64, 64, 0.125).resized(256, 128)


@pytest.mark.parametrize('arguments', [(0, 1, 1.0), (1, 1, 0.0), (1, 1, math.nan)])
def test_impossible_orthographic_cameras_are_refused(arguments):
    with pytest.raises(ValueError, match='must'):
        OrthographicCamera(*arguments)
