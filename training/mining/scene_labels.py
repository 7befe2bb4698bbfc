# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""
Which thing each measured point belongs to, where a simulator says where its things are.

A recording has no instance images, but a point inside an object's bounding box belongs to it.
"""

from dataclasses import dataclass
import math
from typing import Any

from ipt_ros.geometry import Pose2D, transform_points
import numpy as np

_SLACK = 0.03  # m: by how much points may lie outside a box, for noise and rounding
_ON_FLOOR = 0.05  # m: lower points below a table are the floor's


@dataclass(frozen=True)
class LabelledObject:
    """An object of the ground truth: centre and full size (m), heading (rad), all poses' frame."""

    id: int
    name: str
    position: tuple[float, float, float]
    size: tuple[float, float, float]
    yaw: float


class SceneLabels:
    """The furniture of a simulated scene, and who owns a point."""

    def __init__(self, truth: dict[str, Any], fixed_from_world: np.ndarray):
        """
        Read the description of a scene.

        truth: `objects` with class, position, size, yaw and structural. Raises KeyError, TypeError
        or ValueError for anything else.
        """
        turn = Pose2D.from_matrix(fixed_from_world).yaw
        self.objects: dict[int, LabelledObject] = {}
        for number, item in enumerate(truth['objects'], start=1):
            if item.get('structural', False):
                continue
            center = transform_points(fixed_from_world, np.array([item['position']], float))[0]
            size = tuple(float(value) for value in item['size'])
            if len(size) != 3 or not np.isfinite([*center, *size]).all():
                raise ValueError(f"object {item['class']} has no finite box")
            self.objects[number] = LabelledObject(
                number, str(item['class']), tuple(map(float, center)), size,
                float(item.get('yaw', 0.0)) + turn)

    def owners(self, points: np.ndarray, heights: np.ndarray) -> np.ndarray:
        """
        Return the id, 0 for none, of the object that each of (N, 3) points belongs to.

        heights: metres above the floor. Where boxes overlap, the smaller one is in front: a chair
        under a table.
        """
        owners = np.zeros(len(points), np.int32)
        by_size = sorted(self.objects.values(), key=lambda item: -math.prod(item.size))
        for item in by_size:
            c, s = math.cos(item.yaw), math.sin(item.yaw)
            offset = points - item.position
            along = np.abs(offset[:, 0] * c + offset[:, 1] * s)
            across = np.abs(offset[:, 1] * c - offset[:, 0] * s)
            half = np.array(item.size) / 2 + _SLACK
            inside = (along <= half[0]) & (across <= half[1]) & (
                np.abs(offset[:, 2]) <= half[2])
            if item.size[2] > _ON_FLOOR:
                inside &= heights > _ON_FLOOR
            owners[inside] = item.id
        return owners

    def names(self, ids) -> list[str]:
        """Return the class names of objects."""
        return [self.objects[key].name for key in ids]
