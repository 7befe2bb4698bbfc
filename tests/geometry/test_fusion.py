# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""Fused depth images against a world of known shape: a two-coloured floor and one box."""

import math

from ipt_ros.geometry import compose, OPTICAL_IN_BODY, PinholeCamera, rotation_from_yaw_pitch
from ipt_ros.geometry.fusion import find_floor, FusionError, RgbdFusion, SurfaceCloud
from ipt_ros.geometry.topdown_fusion import topdown_map, UNKNOWN_COLOR
import numpy as np
import pytest

CAMERA = PinholeCamera.from_hfov(96, 72, math.radians(80))
NEAR, FAR, BOX = (200, 40, 40), (40, 40, 200), (40, 200, 40)
LOW, HIGH = np.array([1.5, -0.25, 0.0]), np.array([2.0, 0.25, 0.5])  # corners of the box


def look(x: float, y: float, yaw: float, tilt: float = 0.0):
    """Return rgb, depth and pose of a camera 1.2 m up that looks 35 degrees down."""
    pose = compose(rotation_from_yaw_pitch(yaw, math.radians(35)) @ OPTICAL_IN_BODY, (x, y, 1.2))
    columns, rows = np.meshgrid(np.arange(96.0), np.arange(72.0))
    rays = CAMERA.deproject(np.stack([columns.ravel(), rows.ravel()], 1), np.ones(columns.size))
    rays = rays @ pose[:3, :3].T
    start = pose[:3, 3]
    floor = np.where(rays[:, 2] < 0, -start[2] / np.minimum(rays[:, 2], -1e-9), np.inf)
    one, two = (LOW - start) / rays, (HIGH - start) / rays
    enter, leave = np.minimum(one, two).max(1), np.maximum(one, two).min(1)
    box = np.where((enter <= leave) & (enter > 0), enter, np.inf)
    depth = np.minimum(floor, box)
    along = start[0] + np.where(np.isfinite(floor), floor, 0) * rays[:, 0]
    rgb = np.where((box < floor)[:, None], BOX, np.where((along < 3)[:, None], NEAR, FAR))
    lean = compose(rotation_from_yaw_pitch(0.0, tilt), (0.0, 0.0, 0.0))
    depth = np.where(np.isfinite(depth), depth, 0).astype(np.float32)
    return rgb.astype(np.uint8).reshape(72, 96, 3), depth.reshape(72, 96), lean @ pose


def fused(tilt: float = 0.0, noise: float = 0.0) -> SurfaceCloud:
    fusion = RgbdFusion(voxel=0.04, max_depth=6.0)
    rng = np.random.default_rng(0)
    for x, y, yaw in ((0, 0, 0), (0, 0, 0.7), (0, 0, -0.7), (4, 0, math.pi), (1.7, 2, -1.57),
                      (1.7, -2, 1.57)):
        rgb, depth, pose = look(x, y, yaw, tilt)
        depth = np.where(depth > 0, depth + rng.normal(0, noise, depth.shape), 0)
        fusion.add(rgb, depth.astype(np.float32), CAMERA, pose)
    return fusion.surface()


def colours_at(picture, *places):
    """Return the colours of a map of 4 m around (2, 0), heading along x, at places (x, y)."""
    scale = picture.rgb.shape[0] / 4
    return [tuple(picture.rgb[round((4 - x) * scale - 0.5), round((2 - y) * scale - 0.5)])
            for x, y in places]


def test_a_map_shows_floor_and_box_where_they_are_with_their_heights():
    surface = fused()
    floor = find_floor(surface.points, 0.0)
    assert floor.tilt < math.radians(1) and abs(floor.z(1, 0)) < 0.04  # a voxel
    picture = topdown_map(surface, floor, (2.0, 0.0), 0.0, 4.0, 64)
    seen = np.array(colours_at(picture, (1.2, 0.5), (3.5, -0.5), (1.75, 0.0)))
    np.testing.assert_allclose(seen, [NEAR, FAR, BOX], atol=25)
    # Occupied is the box and nothing else, to within a pixel all around.
    truth = np.zeros((64, 64), bool)
    truth[32:40, 28:36] = True
    occupied = picture.occupied(0.1)
    assert (occupied & truth).sum() / (occupied | truth).sum() > 0.6
    assert np.nanmedian(picture.height[34:38, 30:34]) == pytest.approx(0.5, abs=0.04)


def test_what_was_not_seen_is_marked():
    fusion = RgbdFusion()
    fusion.add(*look(0, 0, 0)[:2], CAMERA, look(0, 0, 0)[2])
    surface = fusion.surface()
    picture = topdown_map(surface, find_floor(surface.points, 0.0), (2.0, 0.0), 0.0, 4.0, 64)
    behind = picture.known[26:30, 31:33]  # the box hides the floor behind it
    assert not behind.any() and picture.known[50, 32] and 0.2 < picture.known_share < 0.9
    assert (picture.rgb[~picture.known] == UNKNOWN_COLOR).all()
    assert np.isnan(picture.height[~picture.known]).all() and not picture.occupied()[28, 32]


def test_turning_the_map_turns_the_picture():
    surface = fused()
    floor = find_floor(surface.points, 0.0)
    ahead = topdown_map(surface, floor, (2.0, 0.0), 0.0, 4.0, 64)
    left = topdown_map(surface, floor, (2.0, 0.0), math.pi / 2, 4.0, 64)
    both = np.rot90(ahead.known, -1) & left.known
    difference = np.abs(np.rot90(ahead.rgb, -1).astype(int) - left.rgb)[both]
    assert both.mean() > 0.5 and np.median(difference) <= 2


def test_what_is_above_the_cut_is_taken_away():
    surface = fused()
    floor = find_floor(surface.points, 0.0)
    cut = topdown_map(surface, floor, (2.0, 0.0), 0.0, 4.0, 64, cut_height=0.3)
    assert np.nanmax(cut.height) < 0.3


def test_noise_of_two_centimetres_averages_out():
    heights = find_floor(fused().points, 0.0).heights(fused(noise=0.02).points)
    floor = heights[np.abs(heights) < 0.1]
    assert abs(np.median(floor)) < 0.015


@pytest.mark.parametrize('degrees', [-4, 4])
def test_a_leaning_frame_of_reference_keeps_heights_right(degrees):
    surface = fused(tilt=math.radians(degrees))
    floor = find_floor(surface.points, 0.0)
    assert floor.tilt == pytest.approx(math.radians(4), abs=math.radians(1))
    box = (surface.colors == BOX).all(1)
    assert np.percentile(floor.heights(surface.points[box]), 99) == pytest.approx(0.5, abs=0.05)


def test_without_a_level_plane_there_is_no_floor():
    rng = np.random.default_rng(0)
    wall = np.column_stack([np.zeros(3000), rng.uniform(-2, 2, 3000), rng.uniform(-1, 1, 3000)])
    with pytest.raises(FusionError, match='leans by'):
        find_floor(wall, 0.0)
    with pytest.raises(FusionError, match='too few'):
        find_floor(wall + (0, 0, 5), 0.0)


def test_nothing_fused_is_an_error_that_says_so():
    fusion = RgbdFusion()
    with pytest.raises(FusionError, match='0 images'):
        fusion.surface()
    rgb, depth, pose = look(0, 0, 0)
    fusion.add(rgb, np.zeros_like(depth), CAMERA, pose)
    with pytest.raises(FusionError, match='1 images'):
        fusion.surface()
    with pytest.raises(ValueError, match='finite'):
        fusion.add(rgb, depth, CAMERA, np.full((4, 4), np.nan))
    with pytest.raises(ValueError, match='expected uint8'):
        fusion.add(rgb, depth[:10], CAMERA, pose)
