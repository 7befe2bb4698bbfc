# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""Speeds that take a differential-drive robot along a way of corners, within limits."""

from dataclasses import dataclass
import math

from ipt_ros.geometry import Pose2D, wrap_angle
import numpy as np

_AIM = 0.25  # m ahead on the way to steer for (pure pursuit; Coulter, CMU-RI-TR-92-01)
_TURN_FIRST = 0.6  # rad off the way beyond which the robot turns on the spot
_GAIN = 2.0  # 1/s, turning speed a radian off
_APPROACH = 0.8  # 1/s, speed a metre before the end


@dataclass(frozen=True)
class Limits:
    """Top speeds (m/s, rad/s) and accelerations (m/s2, rad/s2), all positive."""

    linear: float = 0.5
    angular: float = 1.0
    linear_acceleration: float = 1.0
    angular_acceleration: float = 3.0

    def __post_init__(self):
        """Refuse limits with which no robot moves."""
        if not all(math.isfinite(value) and value > 0 for value in vars(self).values()):
            raise ValueError(f'limits must be positive and finite, got {vars(self)}')


@dataclass(frozen=True)
class Command:
    """Speeds: linear forward (m/s), angular to the left (rad/s)."""

    linear: float
    angular: float

    def eased(self, before: 'Command', dt: float, limits: Limits) -> 'Command':
        """Return this command as near as accelerations allow, dt (s) after the one before."""
        def towards(value, old, most, top):
            change = max(-most * dt, min(most * dt, value - old))
            return max(-top, min(top, old + change))

        return Command(
            towards(self.linear, before.linear, limits.linear_acceleration, limits.linear),
            towards(self.angular, before.angular, limits.angular_acceleration, limits.angular))


STOP = Command(0.0, 0.0)


def follow(pose: Pose2D, way: np.ndarray, limits: Limits) -> Command:
    """Return the speeds that follow the rest of a way: (N, 2) corners in metres, N >= 1."""
    aim = _aim(pose, way)
    off = wrap_angle(math.atan2(aim[1] - pose.y, aim[0] - pose.x) - pose.yaw)
    angular = max(-limits.angular, min(limits.angular, _GAIN * off))
    if abs(off) > _TURN_FIRST:
        return Command(0.0, angular)
    left = math.dist((pose.x, pose.y), way[-1])
    linear = min(limits.linear * math.cos(off) ** 2, max(0.1 * limits.linear, _APPROACH * left))
    return Command(linear, angular)


def turn(pose: Pose2D, yaw: float, limits: Limits) -> Command:
    """Return the speeds that turn to a heading on the spot."""
    off = wrap_angle(yaw - pose.yaw)
    return Command(0.0, max(-limits.angular, min(limits.angular, _GAIN * off)))


def rest_of_way(pose: Pose2D, way: np.ndarray) -> np.ndarray:
    """Return the way from the point nearest to the pose on: that point, then the corners."""
    if len(way) == 1:
        return way
    here = np.array([pose.x, pose.y])
    starts, steps = way[:-1], np.diff(way, axis=0)
    lengths = np.maximum((steps**2).sum(axis=1), 1e-12)
    shares = np.clip(((here - starts) * steps).sum(axis=1) / lengths, 0.0, 1.0)
    feet = starts + shares[:, None] * steps
    nearest = int(np.linalg.norm(feet - here, axis=1).argmin())
    return np.vstack([feet[nearest], way[nearest + 1:]])


def _aim(pose: Pose2D, way: np.ndarray) -> np.ndarray:
    """Return the point of the way that lies `_AIM` ahead of the pose, or its end."""
    rest = rest_of_way(pose, way)
    ahead = _AIM
    for start, end in zip(rest, rest[1:]):
        length = math.dist(start, end)
        if length >= ahead:
            return start + (end - start) * ahead / length
        ahead -= length
    return rest[-1]
