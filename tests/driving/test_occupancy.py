# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""Maps from depth images, against a world whose boxes are known."""

import math

from ipt_ros.driving import OccupancyMap
from ipt_ros.geometry import compose, OPTICAL_IN_BODY, Pose2D, rotation_from_yaw_pitch
import numpy as np
import pytest

from .conftest import BoxWorld, CAMERA

YAWS = (0.0, math.pi / 2, math.pi, -math.pi / 2)


def seen(world, times=3):
    found = OccupancyMap()
    for _ in range(times):
        for yaw in YAWS:
            found.see(CAMERA, world.depth(yaw), world.world_from_optical(yaw))
    return found


def at(found, grid, x, y):
    row, column = found.cell(x, y)
    return bool(grid[row, column])


def test_free_floor_walls_and_what_is_hidden(world):
    found = seen(world)
    for place in ((0.8, 0.0), (0.0, 2.5), (-2.5, 0.0), (2.5, 2.4), (0.0, 0.0)):
        assert at(found, found.free, *place), place
    # The front of the box and the walls stand there; nobody has seen what lies behind the box.
    assert at(found, found.occupied, 1.02, 0.0)
    assert at(found, found.occupied, 0.0, 3.0) or at(found, found.occupied, 0.0, 2.98)
    assert not at(found, found.free, 2.0, 0.0)


def test_map_knows_about_the_area_of_the_room():
    assert seen(BoxWorld(side=2.0)).known_area == pytest.approx(16.0, rel=0.1)


def test_what_is_higher_than_the_robot_does_not_stand_in_its_way(world):
    world.boxes = [(1.0, -0.5, 1.6, 0.5, 0.05)]  # a rug
    found = seen(world)
    assert at(found, found.free, 1.3, 0.0)


def test_obstacle_that_was_taken_away_disappears(world):
    found = seen(world)
    assert at(found, found.occupied, 1.02, 0.0)
    world.boxes = []
    for _ in range(15):
        found.see(CAMERA, world.depth(), world.world_from_optical())
    assert not at(found, found.occupied, 1.02, 0.0)


def test_map_grows_with_the_world_and_keeps_what_it_knew():
    found = OccupancyMap()
    found.stand(Pose2D(0.0, 0.0), 0.3)
    found.block(Pose2D(1.0, 0.0), 0.2)
    for place in ((30.0, 5.0), (-20.0, -12.0)):
        found.stand(Pose2D(*place), 0.3)
    assert at(found, found.free, 0.0, 0.0) and at(found, found.free, 30.0, 5.0)
    assert at(found, found.free, -20.0, -12.0) and at(found, found.occupied, 1.25, 0.0)


def test_passable_keeps_clear_of_obstacles(world):
    found = seen(world)
    passable = found.passable(0.4)
    assert at(found, passable, 0.5, 0.0) and not at(found, passable, 0.7, 0.0)
    assert not passable[~found.free].any()


@pytest.mark.parametrize('value', [0.0, np.nan, np.inf])
def test_pixels_without_a_measurement_say_nothing(value):
    found = OccupancyMap()
    found.see(CAMERA, np.full((48, 64), value, np.float32), np.eye(4))
    assert found.known_area == 0.0


def test_camera_that_looks_down_steeply_sees_floor_only():
    matrix = compose(
        rotation_from_yaw_pitch(0.0, math.radians(60)) @ OPTICAL_IN_BODY, (0.0, 0.0, 1.2))
    found = OccupancyMap()
    v, u = np.indices((48, 64))
    rays = CAMERA.deproject(np.stack([u.ravel(), v.ravel()], axis=1), np.ones(u.size))
    depth = (-matrix[2, 3] / (rays @ matrix[:3, :3].T)[:, 2]).reshape(48, 64)
    found.see(CAMERA, depth.astype(np.float32), matrix)
    assert found.known_area > 0.5 and not found.occupied.any()


def test_image_of_another_size_is_refused():
    with pytest.raises(ValueError, match='10x10 pixels, its camera 64x48'):
        OccupancyMap().see(CAMERA, np.ones((10, 10), np.float32), np.eye(4))


@pytest.mark.parametrize('options', [{'resolution': 0.0}, {'lowest': 2.0}, {'reach': -1.0}])
def test_map_that_makes_no_sense_is_refused(options):
    with pytest.raises(ValueError, match='a map needs'):
        OccupancyMap(**options)
