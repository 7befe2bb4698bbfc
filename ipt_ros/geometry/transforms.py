# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""
Rigid transforms as 4x4 matrices, quaternions and planar poses.

A transform called `b_in_a` (or `a_from_b`) takes coordinates in frame b to coordinates in frame a.
"""

from dataclasses import dataclass
import math

import numpy as np

# Columns are the optical axes (x right, y down, z forward) written in a body frame (x forward,
# y left, z up), so body_vector = OPTICAL_IN_BODY @ optical_vector.
OPTICAL_IN_BODY = np.array([[0.0, 0.0, 1.0], [-1.0, 0.0, 0.0], [0.0, -1.0, 0.0]])
OPTICAL_IN_BODY.setflags(write=False)

# By how much the square of a quaternion's length may differ from 1, as for tf2. Those that were
# printed with three digits are well within.
_UNIT_TOLERANCE = 0.01


def wrap_angle(angle: float) -> float:
    """Return the same angle in (-pi, pi] (rad)."""
    wrapped = math.remainder(angle, math.tau)
    return math.pi if wrapped == -math.pi else wrapped


def compose(rotation: np.ndarray, translation: np.ndarray) -> np.ndarray:
    """Build a 4x4 transform from a 3x3 rotation and a translation (3,) in metres."""
    transform = np.eye(4)
    transform[:3, :3] = rotation
    transform[:3, 3] = translation
    return transform


def invert(transform: np.ndarray) -> np.ndarray:
    """Invert a rigid 4x4 transform (exactly: transpose of the rotation, no linear solve)."""
    rotation = np.asarray(transform)[:3, :3]
    return compose(rotation.T, -rotation.T @ np.asarray(transform)[:3, 3])


def transform_points(transform: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Take (N, 3) points through a rigid 4x4 transform."""
    points = np.asarray(points, dtype=np.float64)
    if points.ndim != 2 or points.shape[1] != 3:
        raise ValueError(f'points must have the shape (N, 3), got {points.shape}')
    return points @ np.asarray(transform)[:3, :3].T + np.asarray(transform)[:3, 3]


def rotation_from_yaw_pitch(yaw: float, pitch: float = 0.0) -> np.ndarray:
    """
    Return the 3x3 rotation of a body turned left by yaw, then tilted DOWN by pitch (rad).

    Positive pitch looks down: REP-103 turns right-handed about y, which points left.
    """
    cy, sy, cp, sp = math.cos(yaw), math.sin(yaw), math.cos(pitch), math.sin(pitch)
    return np.array([[cy * cp, -sy, cy * sp], [sy * cp, cy, sy * sp], [-sp, 0.0, cp]])


def looking_down(center: tuple[float, float], yaw: float, height: float) -> np.ndarray:
    """
    Return world_from_optical (4x4) of a camera above `center` (x, y, m) that looks at the floor.

    The heading `yaw` (rad) points up in its picture, and left of it is left.
    """
    c, s = math.cos(yaw), math.sin(yaw)
    # Columns: right of the heading, backwards (down in the picture), down to the floor.
    rotation = np.array([[s, -c, 0.0], [-c, -s, 0.0], [0.0, 0.0, -1.0]])
    return compose(rotation, (*center, height))


def matrix_from_quaternion(quaternion: np.ndarray) -> np.ndarray:
    """Return the 3x3 rotation of a quaternion (x, y, z, w); it need not have unit length."""
    quaternion = np.asarray(quaternion, dtype=np.float64)
    if quaternion.shape != (4,):
        raise ValueError(f'a quaternion is (x, y, z, w), got the shape {quaternion.shape}')
    norm = np.linalg.norm(quaternion)
    if not (np.isfinite(norm) and norm > 1e-9):
        raise ValueError(f'quaternion {quaternion.tolist()} has no direction (length {norm})')
    x, y, z, w = quaternion / norm
    return np.array([
        [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
        [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
        [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
    ])


def quaternion_problem(quaternion: np.ndarray) -> str:
    """
    Return why a quaternion (x, y, z, w) from outside is no rotation, '' where it is one.

    As tf2 does, take only those that are nearly of unit length: others are all zero because nobody
    set them, hold angles, or were put together from parts that do not belong together.
    """
    length = math.hypot(*quaternion)
    if not math.isfinite(length):
        return 'is not finite'
    if length == 0.0:
        return 'is all zero, as one that was never set; no rotation is (0, 0, 0, 1)'
    if abs(length * length - 1.0) < _UNIT_TOLERANCE:
        return ''
    return f'has the length {length:.3g}; that of a rotation is 1'


def quaternion_from_matrix(rotation: np.ndarray) -> np.ndarray:
    """Return the unit quaternion (x, y, z, w), w >= 0, of a 3x3 or 4x4 matrix."""
    r = np.asarray(rotation, dtype=np.float64)[:3, :3]
    # The four candidates are q * 4 * (one of x, y, z, w); the longest is the well-conditioned one.
    candidates = np.array([
        [1 + r[0, 0] - r[1, 1] - r[2, 2], r[0, 1] + r[1, 0], r[0, 2] + r[2, 0], r[2, 1] - r[1, 2]],
        [r[0, 1] + r[1, 0], 1 - r[0, 0] + r[1, 1] - r[2, 2], r[1, 2] + r[2, 1], r[0, 2] - r[2, 0]],
        [r[0, 2] + r[2, 0], r[1, 2] + r[2, 1], 1 - r[0, 0] - r[1, 1] + r[2, 2], r[1, 0] - r[0, 1]],
        [r[2, 1] - r[1, 2], r[0, 2] - r[2, 0], r[1, 0] - r[0, 1], 1 + r[0, 0] + r[1, 1] + r[2, 2]],
    ])
    best = candidates[np.argmax(np.diagonal(candidates))]
    best = best / np.linalg.norm(best)
    return -best if best[3] < 0 else best


@dataclass(frozen=True)
class Pose2D:
    """A pose on the floor: x, y (m), yaw (rad, counter-clockwise, 0 along +x)."""

    x: float
    y: float
    yaw: float = 0.0

    @property
    def matrix(self) -> np.ndarray:
        """Return the 4x4 transform world_from_body, at z = 0."""
        return compose(rotation_from_yaw_pitch(self.yaw), (self.x, self.y, 0.0))

    @classmethod
    def from_matrix(cls, transform: np.ndarray) -> 'Pose2D':
        """Project a 4x4 transform to the floor: its x, y and heading."""
        transform = np.asarray(transform)
        yaw = math.atan2(transform[1, 0], transform[0, 0])
        return cls(float(transform[0, 3]), float(transform[1, 3]), yaw)

    def moved(self, forward: float, left: float = 0.0, turn: float = 0.0) -> 'Pose2D':
        """Return the pose after a move in the body's own axes (m), then a turn (rad)."""
        c, s = math.cos(self.yaw), math.sin(self.yaw)
        return Pose2D(
            self.x + c * forward - s * left,
            self.y + s * forward + c * left,
            wrap_angle(self.yaw + turn),
        )
