# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""Windows of imagined maps: orientation, scale, edges."""

import math

from hypothesis import given, settings
from hypothesis import strategies as st
from ipt_ros.geometry import invert, transform_points
from ipt_ros.imagination import BevRequest
from ipt_ros.imagination.maps import MapWindow
import numpy as np
import pytest

PIXELS, SIZE = 80, 8.0  # 0.1 m a pixel
FLOOR, WALL = (120, 90, 60), (30, 60, 200)


def picture(*obstacles: tuple[float, float]) -> np.ndarray:
    """Paint a map with obstacles of 0.5 m at (forward, left) metres."""
    image = np.full((PIXELS, PIXELS, 3), FLOOR, np.uint8)
    for forward, left in obstacles:
        row, column = (round(39.5 - value * 10) for value in (forward, left))
        image[row - 2:row + 3, column - 2:column + 3] = WALL
    return image


def occupied(grid) -> np.ndarray:
    """Return the middles (N, 2) of a grid's occupied cells in the base frame."""
    rows, columns = np.nonzero(grid.cells > 50)
    local = np.stack([columns + 0.5, rows + 0.5], axis=1) * grid.resolution
    c, s = math.cos(grid.yaw), math.sin(grid.yaw)
    return local @ np.array([[c, s], [-s, c]]) + grid.origin


@given(st.floats(-3, 3), st.floats(1.2, 3.0), st.floats(-math.pi, math.pi))
@settings(deadline=None, max_examples=40)
def test_an_obstacle_is_where_it_was_painted(angle, distance, yaw):
    forward, left = distance * math.cos(angle), distance * math.sin(angle)
    window = MapWindow(BevRequest(), SIZE, PIXELS, yaw)
    grid = window.grid([picture((forward, left))])
    middle = occupied(grid).mean(axis=0)
    expected = (math.cos(yaw) * forward - math.sin(yaw) * left,
                math.sin(yaw) * forward + math.cos(yaw) * left)
    np.testing.assert_allclose(middle, expected, atol=0.08)


@given(st.floats(-math.pi, math.pi), st.floats(-1, 1), st.floats(-1, 1),
       st.sampled_from([0.05, 0.1, 0.2]))
@settings(deadline=None, max_examples=40)
def test_picture_grid_and_camera_agree(yaw, x, y, resolution):
    request = BevRequest((x, y), size=4.0, resolution=resolution)
    window = MapWindow(request, SIZE, PIXELS, yaw)
    image = picture((1.5, 0.0), (-1.0, 1.5), (0.0, -2.0))
    cut, grid = window.picture(image), window.grid([image])
    assert cut.shape == (window.cells, window.cells, 3) and grid.resolution == resolution
    points = occupied(grid)
    if not len(points):
        return
    optical = transform_points(
        invert(window.base_from_optical), np.column_stack([points, np.zeros(len(points))]))
    uv, depth = window.camera.project(optical)
    assert (depth > 0).all()
    u, v = np.rint(uv).astype(int).T
    # A cell is occupied when any pixel below it is, so its colour may be mixed.
    assert (cut[v, u].astype(int) - FLOOR != 0).any(axis=1).all()


def test_the_whole_map_is_the_picture():
    image = picture((2.0, 1.0))
    window = MapWindow(BevRequest(), SIZE, PIXELS, 0.0)
    np.testing.assert_array_equal(window.picture(image), image)
    assert window.resolution == pytest.approx(0.1)
    grid = window.grid([image])
    assert grid.cells.shape == (PIXELS, PIXELS)
    assert grid.origin == pytest.approx((-4.0, -4.0))


def test_beyond_the_map_nothing_is_known():
    window = MapWindow(BevRequest((4.0, 0.0), size=2.0), SIZE, PIXELS, 0.0)
    grid = window.grid([picture()])
    cells = grid.cells
    assert (cells[:, 11:] == -1).all() and (cells[:, :9] == 0).all()
    cut = window.picture(picture())
    assert (cut[:8] == 0).all() and (cut[12:] == FLOOR).all()


def test_coarse_cells_keep_small_obstacles():
    grid = MapWindow(BevRequest(resolution=1.0), SIZE, PIXELS, 0.0).grid([picture((2.5, 2.5))])
    assert grid.cells.shape == (8, 8)
    np.testing.assert_allclose(occupied(grid), [[2.5, 2.5]])
