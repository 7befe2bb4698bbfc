# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""
Which object each pixel shows, worked out from classes, depth and boxes.

The instance ids of the renderer are not used, and not stored either: every pixel of a class is
lifted into the world by its depth and belongs to the object of that class whose box it lies in.
"""

from collections.abc import Sequence
from dataclasses import dataclass
import math

from ipt_ros.geometry import OrthographicCamera, PinholeCamera, Pose2D, transform_points
from ipt_ros.spatial import DenseTruth, Example
from ipt_ros.spatial.visibility import Sighting, sightings
import numpy as np

# Metres that a pixel may lie outside of its object's box: pixels are a few centimetres wide.
_SLACK = 0.1


@dataclass(frozen=True)
class Shown:
    """
    What a picture shows of one class.

    ``objects``: sightings by object id. ``strays``: share of the picture that is of the class
    but of no object that is told of.
    """

    objects: dict[int, Sighting]
    strays: float


class Evidence:
    """What an example carries to be checked by; everything is None where it is not there."""

    def __init__(self, example: Example, poses: Sequence[Pose2D | None]):
        """Take for each input and the target the pose it is meant to be seen from, or None."""
        self.example = example
        self._poses = poses
        self._shown: dict[tuple[int, str], Shown | None] = {}
        known = example.metadata
        self.objects: dict[int, dict] | None = (
            {row['id']: row for row in known['objects']} if 'objects' in known else None)

    @classmethod
    def of(cls, example: Example) -> 'Evidence':
        """Find in an example's metadata where its pictures were taken."""
        known = example.metadata
        if example.task == 'pet':
            told = [known.get('pose'), known.get('target_pose')]
        elif example.task == 'mvc':
            told = [*known.get('poses', []), None]
        elif example.task == 'pt':
            told = [None, *known.get('ego_poses', []), known.get('side_pose')]
        else:
            told = []
        if len(told) != len(example.images) + 1:
            told = [None] * (len(example.images) + 1)
        return cls(example, [None if pose is None else Pose2D(*pose) for pose in told])

    def pose(self, picture: int) -> Pose2D | None:
        """Return where a first-person view was to be taken from."""
        return self._poses[picture]

    def camera(
        self, picture: int,
    ) -> tuple[PinholeCamera | OrthographicCamera, np.ndarray] | None:
        """Return the camera of a picture, at the picture's size, and its pose (4x4)."""
        if 'cameras' not in self.example.metadata:
            return None
        told = dict(self.example.metadata['cameras'][picture])
        pose = np.reshape(told.pop('world_from_optical'), (4, 4))
        kind = OrthographicCamera if 'metres_per_pixel' in told else PinholeCamera
        image = [*self.example.images, self.example.target][picture]
        height, width = image.shape[:2]
        return kind(**told).resized(width, height), pose

    def shown(self, picture: int, name: str) -> Shown | None:
        """Return what a picture (inputs, then the target) shows of a class."""
        key = picture, name
        if key not in self._shown:
            self._shown[key] = self._find(picture, name)
        return self._shown[key]

    def _find(self, picture: int, name: str) -> Shown | None:
        example = self.example
        classes = example.metadata.get('classes')
        if not example.dense or self.objects is None or classes is None:
            return None
        truth = example.dense[picture]
        if name not in classes:
            return Shown({}, 0.0)
        rows, columns = np.nonzero(truth.classes == classes.index(name))
        points = self._lift(picture, truth, rows, columns)
        if points is None:
            return None
        owners = [row for row in self.objects.values() if row['name'] == name]
        instance = np.zeros(truth.classes.shape, np.int32)
        instance[rows, columns] = owner(points, owners)
        return Shown(
            sightings(instance), float((instance[rows, columns] == 0).sum() / instance.size))

    def _lift(
        self, picture: int, truth: DenseTruth, rows: np.ndarray, columns: np.ndarray,
    ) -> np.ndarray | None:
        """Return the world points (N, 3) of pixels; on a map all heights are NaN."""
        known = self.camera(picture)
        if known is None:
            return None
        camera, pose = known
        uv, depth = np.column_stack([columns, rows]), truth.depth_mm[rows, columns] / 1000.0
        points = transform_points(pose, camera.deproject(uv, depth))
        if isinstance(camera, OrthographicCamera):
            points[:, 2] = np.nan
        return points


def owner(points: np.ndarray, objects: Sequence[dict]) -> np.ndarray:
    """Return the id of the object whose box is nearest to each of (N, 3) points, 0 if none is."""
    if not objects:
        return np.zeros(len(points), np.int32)
    outside = np.stack([_distance_outside(points, item) for item in objects])
    nearest = outside.argmin(axis=0)
    ids = np.array([item['id'] for item in objects], np.int32)[nearest]
    return np.where(outside.min(axis=0) <= _SLACK, ids, 0)


def _distance_outside(points: np.ndarray, item: dict) -> np.ndarray:
    """Return how far points lie outside of an object's box (m), negative inside."""
    c, s = math.cos(item['yaw']), math.sin(item['yaw'])
    offset = points - np.asarray(item['position'])
    along = np.column_stack([
        offset[:, 0] * c + offset[:, 1] * s, offset[:, 1] * c - offset[:, 0] * s, offset[:, 2]])
    # A height that is not known (a map's) is never the one that lies outside.
    return np.nanmax(np.abs(along) - np.asarray(item['size']) / 2, axis=1)
