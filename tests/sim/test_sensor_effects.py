# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""Lens and sensor as functions on arrays, each against the law that it follows."""

from dataclasses import replace
import math

from hypothesis import given
from hypothesis import strategies as st
from ipt_ros.geometry import PinholeCamera
from ipt_sim import sensor_effects
from ipt_sim.sensor_effects import (
    add_noise,
    blur,
    disc_kernel,
    expose,
    falloff,
    line_kernel,
    Sensor,
    through_jpeg,
    to_linear,
    to_srgb,
)
import numpy as np
import pytest

CAMERA = PinholeCamera.from_hfov(48, 32, math.pi / 2)


def rng():
    return np.random.default_rng(5)


def picture(seed=0):
    """Return smooth, bright colours: what JPEG is made for."""
    v, u = np.mgrid[:32, :48]
    phases = np.random.default_rng(seed).uniform(0, 6, 3)
    waves = [np.sin(u / 9 + phase) * np.cos(v / 7 + phase) for phase in phases]
    return np.round(128 + 90 * np.stack(waves, axis=2)).astype(np.uint8)


def taken(rgb=None, **state):
    return expose(picture() if rgb is None else rgb, CAMERA, Sensor(**state), rng())


def test_every_byte_comes_back_from_linear_light():
    code = np.arange(256, dtype=np.uint8)
    np.testing.assert_array_equal(to_srgb(to_linear(code)), code)


def test_linear_light_follows_the_standard():
    """Reference values of IEC 61966-2-1."""
    found = to_linear(np.array([0, 10, 128, 188, 255], np.uint8))
    np.testing.assert_allclose(found, [0.0, 0.0030353, 0.2158605, 0.5028865, 1.0], rtol=1e-5)


def test_a_perfect_sensor_returns_the_picture_itself():
    rgb = picture()
    assert expose(rgb, CAMERA, Sensor(), rng()) is rgb


@pytest.mark.parametrize('state', [
    {'gain': 1.5}, {'red': 0.8}, {'blue': 1.2}, {'vignetting': 0.5}, {'defocus': 1.5},
    {'motion': (3.0, 1.0)}, {'shot': 0.03}, {'read': 0.01}, {'jpeg': 40}])
def test_each_effect_alone_changes_the_picture_and_repeats(state):
    rgb = picture()
    kept = rgb.copy()
    first = taken(rgb, **state)
    assert (first.dtype, first.shape) == (np.uint8, rgb.shape)
    assert (first != rgb).mean() > 0.05
    np.testing.assert_array_equal(taken(rgb, **state), first)
    np.testing.assert_array_equal(rgb, kept)


def test_one_stop_doubles_the_light():
    gray = np.full((32, 48, 3), 100, np.uint8)
    lit = taken(gray, gain=2.0)
    np.testing.assert_allclose(to_linear(lit), 2 * to_linear(gray), rtol=0.02)


def test_too_much_light_is_white_not_wrapped():
    assert (taken(np.full((32, 48, 3), 200, np.uint8), gain=16.0) == 255).all()


def test_white_balance_turns_gray_warm():
    red, green, blue = taken(np.full((32, 48, 3), 128, np.uint8), red=1.3, blue=0.8)[0, 0]
    assert red > green > blue
    assert green == 128


def test_vignetting_is_the_fourth_power_of_the_cosine():
    shares = falloff(CAMERA, 1.0)
    rays = CAMERA.deproject(np.array([[0.0, 0.0], [24.0, 16.0], [47.0, 3.0]]), 1.0)
    cosines = 1.0 / np.linalg.norm(rays, axis=1)
    np.testing.assert_allclose(shares[[0, 16, 3], [0, 24, 47]], cosines**4, rtol=1e-6)
    half = falloff(CAMERA, 0.5)
    np.testing.assert_allclose(half, (1 + shares) / 2, rtol=1e-6)


def test_vignetting_follows_an_axis_off_the_middle():
    shares = falloff(replace(CAMERA, cx=10.0, cy=25.0), 1.0)
    assert np.unravel_index(shares.argmax(), shares.shape) == (25, 10)


@given(st.floats(0.0, 12.0))
def test_disc_kernels_keep_the_light_and_have_their_radius(radius):
    kernel = disc_kernel(radius)
    assert kernel.sum() == pytest.approx(1.0, abs=1e-5)
    np.testing.assert_allclose(kernel, kernel.T, atol=1e-7)
    np.testing.assert_allclose(kernel, kernel[::-1], atol=1e-7)
    if radius >= 3:  # of an even disc, the mean square distance is half the square of its radius
        reach = len(kernel) // 2
        v, u = np.mgrid[-reach:reach + 1, -reach:reach + 1]
        assert math.sqrt(2 * (kernel * (u**2 + v**2)).sum()) == pytest.approx(radius, abs=0.4)


@given(st.floats(-20.0, 20.0), st.floats(-20.0, 20.0))
def test_line_kernels_keep_light_and_place_and_run_along_the_motion(du, dv):
    kernel = line_kernel(du, dv).astype(float)
    assert kernel.sum() == pytest.approx(1.0, abs=1e-5)
    reach = len(kernel) // 2
    v, u = np.mgrid[-reach:reach + 1, -reach:reach + 1]
    assert (kernel * u).sum() == pytest.approx(0.0, abs=1e-3)
    assert (kernel * v).sum() == pytest.approx(0.0, abs=1e-3)
    # Even motion over a length L has the variance L^2 / 12; drawing on pixels adds up to 1/4.
    for moved, axis in ((du, u), (dv, v)):
        variance = (kernel * axis**2).sum()
        assert -0.01 <= variance - moved**2 / 12 <= 0.3 + 0.05 * abs(moved)


def test_no_blur_is_exact():
    light = to_linear(picture())
    np.testing.assert_array_equal(blur(light, 0.0, (0.0, 0.0)), light)


def test_blur_spreads_light_without_losing_it():
    light = np.zeros((32, 48, 3), np.float32)
    light[16, 24] = 1.0
    spread = blur(light, 2.5, (6.0, 0.0))
    assert spread.sum() == pytest.approx(3.0, rel=1e-4)
    rows, columns = np.nonzero(spread[:, :, 0] > 1e-6)
    assert np.ptp(columns) > np.ptp(rows) >= 4


def test_noise_has_the_variance_of_photons_and_of_reading_out():
    for intensity in (0.0, 0.25, 1.0):
        light = np.full((200, 200, 3), intensity, np.float32)
        noise = add_noise(light, 0.08, 0.02, rng()) - light
        assert noise.mean() == pytest.approx(0.0, abs=2e-3)
        assert noise.std() == pytest.approx(math.sqrt(0.08**2 * intensity + 0.02**2), rel=0.02)


def test_noise_comes_from_the_generator_alone():
    rgb = picture()
    sensor = Sensor(read=0.02)
    one, same, other = (
        expose(rgb, CAMERA, sensor, np.random.default_rng(seed)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, same)
    assert (one != other).mean() > 0.5


def test_jpeg_loses_more_at_lower_quality():
    rgb = picture()
    losses = [np.abs(through_jpeg(rgb, quality).astype(int) - rgb).mean()
              for quality in (95, 50, 10)]
    assert 0 < losses[0] < losses[1] < losses[2]
    assert losses[0] < 3


def test_a_picture_that_cannot_be_compressed_is_named(monkeypatch):
    monkeypatch.setattr(sensor_effects.cv2, 'imencode', lambda *_: (False, None))
    with pytest.raises(RuntimeError, match='quality 70'):
        through_jpeg(picture(), 70)
