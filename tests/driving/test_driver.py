# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""Whole drives through a small world: exploring, visiting poses, getting stuck."""

import math

from ipt_ros.driving import (
    Driver,
    DriverOptions,
    DrivingError,
    FrontierGoals,
    GivenPoses,
    STOP,
)
from ipt_ros.geometry import Pose2D, wrap_angle
import numpy as np
import pytest

from .conftest import BoxWorld, CAMERA, run

AROUND = (0.0, math.pi / 2, math.pi, -math.pi / 2)


def explorer(seed=0):
    return Driver(FrontierGoals(np.random.default_rng(seed)))


def visitor(*poses):
    return Driver(GivenPoses(Pose2D(*pose) for pose in poses), DriverOptions(endless=False))


def test_explorer_sees_the_hidden_side_and_hits_nothing(world):
    driver = explorer()
    collisions, poses = run(driver, world, 60.0)
    assert collisions == 0 and driver.log.blocked == 0
    assert driver.log.reached >= 3 and driver.log.distance > 8.0
    row, column = driver.map.cell(2.3, 0.0)  # behind the box, seen from the start
    assert driver.map.free[row, column]
    assert driver.map.known_area > 0.9 * 36


def test_same_seed_drives_the_same_way():
    drives = [run(explorer(seed), BoxWorld(), 15.0)[1] for seed in (3, 3, 4)]
    assert drives[0] == drives[1] != drives[2]


def test_given_poses_are_visited_in_order_and_then_it_is_done(world):
    goals = [(2.3, 0.0, 1.0), (-1.5, -1.5, -2.0)]
    driver = visitor(*goals)
    collisions, poses = run(driver, world, 120.0, AROUND)
    assert driver.done and collisions == 0
    assert driver._goals.left_out == []
    last = 0
    for x, y, yaw in goals:
        there = [number for number, pose in enumerate(poses) if number >= last
                 and math.dist((pose.x, pose.y), (x, y)) < 0.15
                 and abs(wrap_angle(pose.yaw - yaw)) < 0.1]
        assert there, f'never at {(x, y, yaw)}'
        last = there[0]
    assert driver.step(1000.0, world.pose) == STOP


def test_pose_that_cannot_be_reached_is_left_out(world):
    driver = visitor((1.3, 0.0, 0.0), (50.0, 0.0, 0.0), (0.0, 1.5, 0.0))
    run(driver, world, 120.0, AROUND)
    assert driver.done
    left_out = [(pose.x, pose.y) for pose in driver._goals.left_out]
    assert (50.0, 0.0) in left_out and (0.0, 1.5) not in left_out


def test_robot_that_is_blocked_backs_off_and_goes_another_way():
    world = BoxWorld(invisible=[(0.6, -0.6, 0.8, 0.6)])  # a pane of glass
    driver = visitor((2.0, 0.0, 0.0))
    collisions, poses = run(driver, world, 120.0, AROUND)
    assert driver.log.blocked >= 1
    assert math.dist((world.pose.x, world.pose.y), (2.0, 0.0)) < 0.2 or driver._goals.left_out
    # It has not pushed against the glass for long.
    assert collisions < 20 * driver.log.blocked


def test_obstacle_that_appears_on_the_way_is_driven_around():
    world, driver = BoxWorld(), visitor((2.0, 0.0, 0.0))
    run(driver, world, 2.0, AROUND)
    world.boxes = [(1.2, -0.4, 1.5, 0.4, 1.0)]
    collisions = 0
    for number in range(200):
        if number % 3 == 0:
            for yaw in AROUND:
                driver.see(CAMERA, world.depth(yaw), world.world_from_optical(yaw))
        collisions += world.drive(driver.step(2.0 + number * 0.1, world.pose), 0.1)
    assert driver.done and collisions == 0
    assert math.dist((world.pose.x, world.pose.y), (2.0, 0.0)) < 0.2


def test_robot_without_a_way_out_says_so():
    world = BoxWorld(side=0.25)
    with pytest.raises(DrivingError, match='nowhere to go'):
        run(explorer(), world, 60.0, AROUND)


def test_robot_that_is_carried_away_plans_anew(world):
    driver = explorer()
    run(driver, world, 5.0)
    assert driver.goal is not None
    driver.step(500.0, Pose2D(-2.0, -2.0))
    assert driver.log.blocked == 0
