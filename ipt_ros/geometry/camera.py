# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""
Cameras as plain numbers: pinhole and orthographic.

Pixel convention, the one of OpenCV and of sensor_msgs/CameraInfo: integer coordinates are pixel
CENTRES, u to the right, v down. The image spans [-0.5, width - 0.5] x [-0.5, height - 0.5], so the
optical axis of a symmetric camera passes through ((width - 1) / 2, (height - 1) / 2).
Both cameras look along +z of their optical frame (x right, y down), and depth is planar z.
"""

from dataclasses import dataclass
import math

import numpy as np


def _check_size(width: int, height: int) -> None:
    if width < 1 or height < 1:
        raise ValueError(f'image size must be at least 1x1 pixel, got {width}x{height}')


def _as_rows(array: np.ndarray, columns: int, name: str) -> np.ndarray:
    array = np.asarray(array, dtype=np.float64)
    if array.ndim != 2 or array.shape[1] != columns:
        raise ValueError(f'{name} must have the shape (N, {columns}), got {array.shape}')
    return array


@dataclass(frozen=True)
class PinholeCamera:
    """An ideal pinhole camera: image size in pixels, focal lengths and centre in pixels."""

    width: int
    height: int
    fx: float
    fy: float
    cx: float
    cy: float

    def __post_init__(self):
        """Refuse sizes and numbers that no camera has."""
        _check_size(self.width, self.height)
        if not (0 < self.fx < math.inf and 0 < self.fy < math.inf):
            raise ValueError(
                f'focal lengths must be positive and finite, got fx={self.fx}, fy={self.fy}')
        if not (math.isfinite(self.cx) and math.isfinite(self.cy)):
            raise ValueError(f'the centre must be finite, got cx={self.cx}, cy={self.cy}')

    @classmethod
    def from_hfov(cls, width: int, height: int, hfov: float) -> 'PinholeCamera':
        """Build a camera with square pixels from its horizontal field of view (rad)."""
        _check_size(width, height)
        if not 0.0 < hfov < math.pi:
            raise ValueError(f'hfov must lie between 0 and pi rad, got {hfov}')
        focal = width / 2 / math.tan(hfov / 2)
        return cls(width, height, focal, focal, (width - 1) / 2, (height - 1) / 2)

    @property
    def hfov(self) -> float:
        """Horizontal field of view (rad), between the outer edges of the image."""
        return math.atan((self.cx + 0.5) / self.fx) + math.atan(
            (self.width - 0.5 - self.cx) / self.fx
        )

    @property
    def matrix(self) -> np.ndarray:
        """Return the 3x3 camera matrix K."""
        return np.array([[self.fx, 0.0, self.cx], [0.0, self.fy, self.cy], [0.0, 0.0, 1.0]])

    def project(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """
        Project points of the optical frame.

        points: (N, 3) metres. Returns uv (N, 2) pixels and depth (N,) metres. Points at or behind
        the camera (depth <= 0) have no picture: their uv are NaN.
        """
        points = _as_rows(points, 3, 'points')
        depth = points[:, 2]
        with np.errstate(divide='ignore', invalid='ignore'):
            u = self.fx * points[:, 0] / depth + self.cx
            v = self.fy * points[:, 1] / depth + self.cy
        uv = np.where((depth > 0)[:, None], np.stack([u, v], axis=1), np.nan)
        return uv, depth.copy()

    def deproject(self, uv: np.ndarray, depth: np.ndarray) -> np.ndarray:
        """Return the (N, 3) points of the optical frame seen at uv (N, 2) with depth (N,) m."""
        uv = _as_rows(uv, 2, 'uv')
        depth = np.asarray(depth, dtype=np.float64)
        x = (uv[:, 0] - self.cx) / self.fx * depth
        y = (uv[:, 1] - self.cy) / self.fy * depth
        return np.stack([x, y, np.broadcast_to(depth, x.shape)], axis=1)

    def resized(self, width: int, height: int) -> 'PinholeCamera':
        """Return the camera of the same picture scaled to another size."""
        sx, sy = width / self.width, height / self.height
        return PinholeCamera(
            width,
            height,
            self.fx * sx,
            self.fy * sy,
            (self.cx + 0.5) * sx - 0.5,
            (self.cy + 0.5) * sy - 0.5,
        )


@dataclass(frozen=True)
class OrthographicCamera:
    """A parallel projection with square pixels, as for a map seen from above."""

    width: int
    height: int
    metres_per_pixel: float

    def __post_init__(self):
        """Refuse sizes and scales that make no picture."""
        _check_size(self.width, self.height)
        if not self.metres_per_pixel > 0:
            raise ValueError(f'metres_per_pixel must be positive, got {self.metres_per_pixel}')

    @property
    def cx(self) -> float:
        """Column (pixels) of the optical axis."""
        return (self.width - 1) / 2

    @property
    def cy(self) -> float:
        """Row (pixels) of the optical axis."""
        return (self.height - 1) / 2

    def project(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Project (N, 3) points of the optical frame to uv (N, 2) pixels and depth (N,) m."""
        points = _as_rows(points, 3, 'points')
        uv = points[:, :2] / self.metres_per_pixel + (self.cx, self.cy)
        return uv, points[:, 2].copy()

    def deproject(self, uv: np.ndarray, depth: np.ndarray) -> np.ndarray:
        """Return the (N, 3) points of the optical frame seen at uv (N, 2) with depth (N,) m."""
        uv = _as_rows(uv, 2, 'uv')
        xy = (uv - (self.cx, self.cy)) * self.metres_per_pixel
        z = np.broadcast_to(np.asarray(depth, dtype=np.float64), (len(xy),))
        return np.column_stack([xy, z])

    def resized(self, width: int, height: int) -> 'OrthographicCamera':
        """Return the camera of the same picture scaled to another size of the same shape."""
        if width * self.height != height * self.width:
            raise ValueError(
                f'an orthographic camera has square pixels: {self.width}x{self.height} '
                f'cannot become {width}x{height}'
            )
        return OrthographicCamera(width, height, self.metres_per_pixel * self.width / width)
