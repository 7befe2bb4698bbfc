# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""A flat world of boxes, seen by a depth camera that is worked out by hand."""

from dataclasses import dataclass, field
import math

from ipt_ros.geometry import compose, OPTICAL_IN_BODY, PinholeCamera, Pose2D
import numpy as np
import pytest

CAMERA = PinholeCamera.from_hfov(64, 48, math.pi / 2)
HEIGHT = 1.2
RADIUS = 0.2


@dataclass
class BoxWorld:
    """
    A room [-side, side]^2 with boxes (xmin, ymin, xmax, ymax, height), floor at z = 0.

    invisible: boxes that stop the robot but that no camera sees.
    """

    side: float = 3.0
    boxes: list = field(default_factory=list)
    invisible: list = field(default_factory=list)
    pose: Pose2D = field(default_factory=lambda: Pose2D(0.0, 0.0))

    def world_from_optical(self, yaw=0.0):
        body = Pose2D(self.pose.x, self.pose.y, self.pose.yaw + yaw).matrix
        return body @ compose(OPTICAL_IN_BODY, (0.0, 0.0, HEIGHT))

    def depth(self, yaw=0.0):
        """Return float32 (H, W), metres along the optical axis."""
        matrix = self.world_from_optical(yaw)
        v, u = np.indices((CAMERA.height, CAMERA.width))
        rays = CAMERA.deproject(
            np.stack([u.ravel(), v.ravel()], axis=1), np.ones(u.size)) @ matrix[:3, :3].T
        eye, best = matrix[:3, 3], np.full(len(rays), np.inf)
        with np.errstate(divide='ignore', invalid='ignore'):
            floor = -eye[2] / rays[:, 2]
            best = np.where(floor > 0, floor, best)
            for axis in (0, 1):
                for wall in (-self.side, self.side):
                    hit = (wall - eye[axis]) / rays[:, axis]
                    best = np.where((hit > 0) & (hit < best), hit, best)
            for xmin, ymin, xmax, ymax, height in self.boxes:
                low, high = np.array([xmin, ymin, 0.0]), np.array([xmax, ymax, height])
                near, far = (low - eye) / rays, (high - eye) / rays
                enter = np.minimum(near, far).max(axis=1)
                leave = np.maximum(near, far).min(axis=1)
                best = np.where((enter > 0) & (enter < leave) & (enter < best), enter, best)
        return best.reshape(u.shape).astype(np.float32)

    def fits(self, x, y):
        """Tell whether a disc of the robot's radius fits there."""
        if max(abs(x), abs(y)) > self.side - RADIUS:
            return False
        return all(
            math.hypot(max(b[0] - x, 0, x - b[2]), max(b[1] - y, 0, y - b[3])) >= RADIUS
            for b in [*self.boxes, *self.invisible])

    def drive(self, command, dt):
        """Move as told, as far as the robot fits; tell whether something was in the way."""
        moved = self.pose.moved(command.linear * dt, turn=command.angular * dt)
        if self.fits(moved.x, moved.y):
            self.pose = moved
            return False
        self.pose = Pose2D(self.pose.x, self.pose.y, moved.yaw)
        return True


def run(driver, world, seconds, yaws=(0.0,), dt=0.1):
    """Let a driver drive; return (collisions, poses)."""
    collisions, poses = 0, []
    for number in range(round(seconds / dt)):
        if number % 3 == 0:
            for yaw in yaws:
                driver.see(CAMERA, world.depth(yaw), world.world_from_optical(yaw))
        command = driver.step(number * dt, world.pose)
        collisions += world.drive(command, dt)
        poses.append(world.pose)
        if driver.done:
            break
    return collisions, poses


@pytest.fixture
def world():
    return BoxWorld(boxes=[(1.0, -0.5, 1.6, 0.5, 0.8)])
