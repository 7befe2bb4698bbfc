# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""
Between our world (REP-103: x forward, y left, z up) and Habitat's (y up, looking along -z).

A robot at the origin that looks along our +x looks along Habitat's -z. `floor` is always Habitat's
y (m) of the floor on which our z is 0. This is the only place that knows about the other axes.
"""

from ipt_ros.geometry import quaternion_from_matrix
import numpy as np

WORLD_FROM_HABITAT = np.array([[0.0, 0.0, -1.0], [-1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
WORLD_FROM_HABITAT.setflags(write=False)
# OpenGL's camera axes (x right, y up, z backwards) in an optical frame (x right, y down, z ahead).
_CAMERA_IN_OPTICAL = np.diag([1.0, -1.0, -1.0])


def to_habitat(points: np.ndarray, floor: float = 0.0) -> np.ndarray:
    """Take points (..., 3) of our world to Habitat's."""
    return np.asarray(points, np.float64) @ WORLD_FROM_HABITAT + (0.0, floor, 0.0)


def to_world(points: np.ndarray, floor: float = 0.0) -> np.ndarray:
    """Take points (..., 3) of Habitat's world to ours."""
    return (np.asarray(points, np.float64) - (0.0, floor, 0.0)) @ WORLD_FROM_HABITAT.T


def camera_pose(
    world_from_optical: np.ndarray, floor: float = 0.0
) -> tuple[np.ndarray, np.ndarray]:
    """
    Return the position (3,) and rotation (x, y, z, w) of a Habitat sensor that sees this view.

    world_from_optical: 4x4 pose of the optical frame in our world.
    """
    rotation = WORLD_FROM_HABITAT.T @ world_from_optical[:3, :3] @ _CAMERA_IN_OPTICAL
    return to_habitat(world_from_optical[:3, 3], floor), quaternion_from_matrix(rotation)
