# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""From a target on the floor to a pixel, and every reason why not."""

import math
import re

from hypothesis import assume, given
from hypothesis import strategies as st
from ipt_ros.geometry import (
    compose,
    OPTICAL_IN_BODY,
    PinholeCamera,
    Pose2D,
    rotation_from_yaw_pitch,
)
from ipt_ros.spatial import errors, facing_arrow, locate_target, quarter_turn
import numpy as np
import pytest

HEIGHT = 1.2
CAMERA = PinholeCamera.from_hfov(256, 256, math.pi / 2)


def optical(x: float = 0.0, y: float = 0.0, yaw: float = 0.0) -> np.ndarray:
    return Pose2D(x, y, yaw).matrix @ compose(OPTICAL_IN_BODY, (0.0, 0.0, HEIGHT))


def floor_depth() -> np.ndarray:
    """Return planar depth of an endless floor."""
    rows = np.arange(256)[:, None] - CAMERA.cy
    depth = np.where(rows > 0, HEIGHT * CAMERA.fy / np.maximum(rows, 1e-9), 0)
    return np.broadcast_to(depth, (256, 256)).astype(np.float32).copy()


def test_a_point_ahead_lands_below_the_middle():
    place = locate_target(CAMERA, optical(), (2.0, 0.0, 0.0), floor_depth())
    assert place.uv == pytest.approx((127.5, 127.5 + HEIGHT / 2.0 * 128))
    assert place.depth == pytest.approx(2.0)
    assert place.occlusion_checked


def test_left_is_left():
    assert locate_target(CAMERA, optical(), (2.0, 0.8, 0.0)).uv[0] < 100
    assert locate_target(CAMERA, optical(), (2.0, -0.8, 0.0)).uv[0] > 155


@given(st.floats(-3, 3), st.floats(-3, 3), st.floats(-math.pi, math.pi),
       st.floats(1.6, 4.5), st.floats(-0.7, 0.7))
def test_agrees_with_plain_trigonometry(x, y, yaw, ahead, slope):
    left = ahead * slope
    point = (x + ahead * math.cos(yaw) - left * math.sin(yaw),
             y + ahead * math.sin(yaw) + left * math.cos(yaw), 0.0)
    u, v = locate_target(CAMERA, optical(x, y, yaw), point).uv
    assert u == pytest.approx(127.5 - 128 * slope, abs=1e-6)
    assert v == pytest.approx(127.5 + 128 * HEIGHT / ahead, abs=1e-6)


@pytest.mark.parametrize(('target', 'error', 'words'), [
    ((math.nan, 0.0, 0.0), errors.TargetInvalidError, 'finite'),
    ((2.0, math.inf, 0.0), errors.TargetInvalidError, 'finite'),
    ((2.0, 0.0, 0.5), errors.TargetNotOnFloorError, r'\+0.50 m off the floor'),
    ((-2.0, 0.0, 0.0), errors.TargetOutOfViewError, 'behind the camera'),
    ((2.0, 3.0, 0.0), errors.TargetOutOfViewError, 'falls on pixel'),
    ((0.5, 0.0, 0.0), errors.TargetOutOfViewError, 'falls on pixel'),
])
def test_refusals(target, error, words):
    with pytest.raises(error, match=words):
        locate_target(CAMERA, optical(), target, floor_depth())


@pytest.mark.parametrize('distance', [80.0, 500.0, 2000.0, 9999.0])
@pytest.mark.parametrize('aside', [0.0, 0.5])
def test_a_mark_on_the_horizon_shows_no_place(distance, aside):
    with pytest.raises(errors.TargetOutOfViewError, match=r'horizon.* up to 28\.6 m ahead'):
        locate_target(CAMERA, optical(), (distance, aside * distance, 0.0))


@pytest.mark.parametrize('far', [2e4, 1e6, 1e20, 1e300, 1.7e308])
@pytest.mark.parametrize('place', [(1, 0, 0), (1, 1, 0), (-1, 0, 0), (0, 1, 1)])
def test_places_beyond_all_measure_are_refused_in_few_words(far, place):
    with pytest.raises(errors.TargetOutOfViewError, match='more than 10000 m away') as caught:
        locate_target(CAMERA, optical(), tuple(far * part for part in place))
    assert len(str(caught.value)) < 200


@given(st.floats(0.15, 3.0), st.floats(-0.6, 1.2), st.sampled_from([32, 96, 256, 1080]),
       st.floats(0.5, 2.0), st.sampled_from([0.0, math.pi / 2, math.pi]))
def test_the_farthest_place_follows_from_the_mark_and_the_camera(height, pitch, side, hfov, roll):
    """Nearer than told it is marked, farther away refused; the size in pixels does not matter."""
    camera = PinholeCamera.from_hfov(side, side, hfov)
    c, s = math.cos(roll), math.sin(roll)
    pose = compose(rotation_from_yaw_pitch(0.4, pitch) @ OPTICAL_IN_BODY
                   @ np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]]), (1.0, 2.0, height))

    def place(ahead):
        return 1.0 + ahead * math.cos(0.4), 2.0 + ahead * math.sin(0.4), 0.0

    def told(ahead):
        try:
            locate_target(camera, pose, place(ahead))
        except errors.TargetOutOfViewError as error:
            return str(error)
        return ''
    text = told(5000.0)
    assert 'horizon' in text
    depth = float(re.search(r'up to ([\d.]+) m', text).group(1))
    ahead = (depth - height * math.sin(pitch)) / math.cos(pitch)  # along the floor
    assert 'horizon' in told(1.2 * ahead + 0.1)
    assert 'horizon' not in told(0.9 * ahead - 0.1)


@pytest.mark.parametrize(('side', 'hfov', 'height', 'pitch', 'ahead'), [
    (96, 1.35, 1.0, 0.35, 10.0), (96, 1.35, 1.0, 0.0, 10.0), (64, 1.57, 1.2, 0.0, 10.0),
    (480, 1.2, 0.3, 0.0, 6.0), (256, 1.57, 0.2, 0.1, 4.0)])
def test_ordinary_places_are_marked(side, hfov, height, pitch, ahead):
    camera = PinholeCamera.from_hfov(side, side, hfov)
    pose = compose(rotation_from_yaw_pitch(0.0, pitch) @ OPTICAL_IN_BODY, (0.0, 0.0, height))
    assert locate_target(camera, pose, (ahead, 0.0, 0.0)).depth > 0.9 * ahead


@pytest.mark.parametrize('height', [0.0, -0.3])
def test_a_camera_below_the_floor_cannot_see_it(height):
    pose = optical()
    pose[2, 3] = height
    with pytest.raises(errors.TargetOutOfViewError, match='origin on the floor'):
        locate_target(CAMERA, pose, (3.0, 0.0, 0.0))


def test_a_place_under_the_camera_is_not_called_behind_it():
    with pytest.raises(errors.TargetOutOfViewError, match='under the camera'):
        locate_target(CAMERA, optical(), (-0.2, 0.0, 0.0))


@pytest.mark.parametrize('depth_of_drop', [0.5, 1.0, 5.0])
def test_a_surface_below_the_floor_is_told(depth_of_drop):
    """A pit, a floor that lies lower than the base frame says, or a tilted camera."""
    depth = floor_depth() * (1.0 + depth_of_drop / HEIGHT)
    place = locate_target(CAMERA, optical(), (2.0, 0.0, 0.0), depth)
    assert place.below == pytest.approx(depth_of_drop, abs=0.1)
    assert place.occlusion_checked


@given(st.floats(1.6, 10.0), st.floats(-math.radians(1.5), math.radians(1.5)))
def test_a_camera_that_is_nearly_level_sees_no_drop(ahead, pitch):
    if pitch > 0.0:  # the floor seems nearer: from some 6 m on so much passes for an obstacle
        ahead = min(ahead, 5.0)
    rows = np.arange(256)[:, None] - CAMERA.cy
    slope = np.tan(np.arctan(rows / CAMERA.fy) + pitch)  # of the rays of the tilted camera
    floor = HEIGHT / np.maximum(slope * math.cos(pitch), 1e-9)
    depth = np.broadcast_to(np.where(slope > 0, np.minimum(floor, 60.0), 0), (256, 256))
    place = locate_target(CAMERA, optical(), (ahead, 0.0, 0.0), depth.astype(np.float32))
    assert place.below == 0.0


def test_a_wall_in_front_hides_the_target():
    depth = np.minimum(np.where(floor_depth() > 0, floor_depth(), np.inf), 1.5)
    with pytest.raises(errors.TargetOccludedError, match='1.50 m ahead hides'):
        locate_target(CAMERA, optical(), (3.0, 0.0, 0.0), depth)
    assert locate_target(CAMERA, optical(), (1.45, 0.0, 0.0), depth).occlusion_checked


@pytest.mark.parametrize('value', [0.0, math.nan, math.inf])
def test_unmeasured_depth_is_no_obstacle(value):
    depth = np.full((256, 256), value, np.float32)
    place = locate_target(CAMERA, optical(), (2.0, 0.0, 0.0), depth)
    assert not place.occlusion_checked


def test_a_hole_in_what_hides_the_target_is_no_window():
    depth = np.where(floor_depth() > 0, np.minimum(floor_depth(), 1.2), 1.2).astype(np.float32)
    u, v = (round(c) for c in locate_target(CAMERA, optical(), (3.0, 0.0, 0.0)).uv)
    depth[v - 4:v + 5, u - 4:u + 5] = 0
    with pytest.raises(errors.TargetOccludedError, match='1.20 m ahead that stands before it'):
        locate_target(CAMERA, optical(), (3.0, 0.0, 0.0), depth)


@pytest.mark.parametrize('spoil', ['hole', 'far', 'shadow'])
def test_depth_that_is_missing_on_the_floor_is_no_obstacle(spoil):
    depth = floor_depth()
    u, v = (round(c) for c in locate_target(CAMERA, optical(), (3.0, 0.0, 0.0)).uv)
    if spoil == 'far':
        depth[:v + 3] = 0  # beyond the sensor's reach
    else:
        depth[v - 4:v + 5, u - 4:u + 5] = 0
    if spoil == 'shadow':
        depth[:, :u - 4] = 0.8  # something near, and what it hides from one eye of the sensor
    place = locate_target(CAMERA, optical(), (3.0, 0.0, 0.0), depth)
    assert not place.occlusion_checked and place.below == 0.0


def test_depth_of_another_size_is_looked_up_at_the_right_place():
    depth = floor_depth()[::2, ::2].copy()
    depth[:, :40] = 0.5  # something near on the left
    assert locate_target(CAMERA, optical(), (2.0, 0.0, 0.0), depth).occlusion_checked
    with pytest.raises(errors.TargetOccludedError):
        locate_target(CAMERA, optical(), (2.0, 1.0, 0.0), depth)


def test_every_target_error_is_a_spatial_error():
    assert issubclass(errors.TargetOccludedError, errors.TargetError)
    assert issubclass(errors.TargetError, errors.SpatialError)


def test_arrow_points_where_the_observer_will_look():
    tail, left = facing_arrow(CAMERA, optical(), (2.5, 0.0, 0.0), math.pi / 2)
    _, right = facing_arrow(CAMERA, optical(), (2.5, 0.0, 0.0), -math.pi / 2)
    assert left[0] < tail[0] < right[0]
    assert left[1] == pytest.approx(tail[1])


@given(st.floats(-10, 10), st.floats(-math.radians(29), math.radians(29)))
def test_quarter_turns(yaw, off):
    assert quarter_turn(yaw, yaw + math.pi / 2 + off) == 'left'
    assert quarter_turn(yaw, yaw - math.pi / 2 + off) == 'right'


@given(st.floats(-10, 10), st.floats(-math.pi, math.pi))
def test_other_turns_are_refused(yaw, turn):
    assume(min(abs(abs(turn) - math.pi / 2), 9) > math.radians(31))
    with pytest.raises(errors.TurnNotSupportedError, match='deg from the camera'):
        quarter_turn(yaw, yaw + turn)
