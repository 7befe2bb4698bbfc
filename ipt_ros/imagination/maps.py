# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""Cutting the map that was asked for out of the one that was imagined."""

from collections.abc import Sequence
import math

import cv2
from ipt_ros.geometry import compose, OrthographicCamera, rotation_from_yaw_pitch
from ipt_ros.imagination.data import BevRequest, Grid
from ipt_ros.spatial.imagined import occupancy, UNKNOWN
import numpy as np

CAMERA_HEIGHT = 3.0
# Columns: the optical axes (x right, y down, z forward) of a camera that looks straight down, with
# the heading 0 up in the picture, in the base frame.
_LOOKING_DOWN = np.array([[0.0, -1.0, 0.0], [-1.0, 0.0, 0.0], [0.0, 0.0, -1.0]])


class MapWindow:
    """
    The part of an imagined map that a request asks for.

    The imagined map is a square of `map_size` metres around the robot with the heading `yaw` (rad,
    base frame) up; the window keeps that orientation.
    """

    def __init__(self, request: BevRequest, map_size: float, pixels: int, yaw: float):
        """`pixels`: side of the imagined picture."""
        self._source = map_size / pixels
        self._pixels = pixels
        self._yaw = yaw
        self.resolution = request.resolution or self._source
        size = request.size or map_size
        self.cells = max(1, round(size / self.resolution))
        x, y = request.centre
        self._forward = math.cos(yaw) * x + math.sin(yaw) * y
        self._left = math.cos(yaw) * y - math.sin(yaw) * x
        # Samples along one side of a cell: none of the map's pixels is skipped.
        self._samples = max(1, math.ceil(self.resolution / self._source - 1e-6))

    def picture(self, image: np.ndarray) -> np.ndarray:
        """Cut the window out of an imagined map, uint8 (H, W, 3); black beyond its edges."""
        fine = self._sample(image, cv2.INTER_LINEAR, 0)
        return np.rint(fine.mean(axis=(1, 3))).astype(np.uint8)

    def grid(self, samples: Sequence[np.ndarray]) -> Grid:
        """Return the occupancy in the window; a cell has the worst of the pixels below it."""
        votes = occupancy(samples, self._source).astype(np.float32)
        worst = self._sample(votes, cv2.INTER_NEAREST, UNKNOWN).max(axis=(1, 3)).astype(np.int8)
        # Picture rows run backwards and columns to the right: the grid's run forwards and left.
        half = self.cells * self.resolution / 2
        corner = rotation_from_yaw_pitch(self._yaw) @ (
            self._forward - half, self._left - half, 0.0)
        return Grid(np.ascontiguousarray(worst[::-1, ::-1].T), self.resolution,
                    (float(corner[0]), float(corner[1])), self._yaw)

    @property
    def camera(self) -> OrthographicCamera:
        """Return the camera of the cut-out picture."""
        return OrthographicCamera(self.cells, self.cells, self.resolution)

    @property
    def base_from_optical(self) -> np.ndarray:
        """4x4 pose of that camera in the base frame."""
        turn = rotation_from_yaw_pitch(self._yaw)
        return compose(turn @ _LOOKING_DOWN, turn @ (self._forward, self._left, CAMERA_HEIGHT))

    def _sample(self, image: np.ndarray, interpolation: int, beyond: float) -> np.ndarray:
        """Return (n, k, n, k[, c]): n cells a side, k samples along each side of a cell."""
        n, k = self.cells, self._samples
        offsets = ((n * k - 1) / 2 - np.arange(n * k)) * (self.resolution / k)
        middle = (self._pixels - 1) / 2
        v = (middle - (self._forward + offsets) / self._source).astype(np.float32)
        u = (middle - (self._left + offsets) / self._source).astype(np.float32)
        columns, rows = np.meshgrid(u, v)
        fine = cv2.remap(image, columns, rows, interpolation, borderMode=cv2.BORDER_CONSTANT,
                         borderValue=(beyond,) * 3)
        return fine.reshape(n, k, n, k, *image.shape[2:])
