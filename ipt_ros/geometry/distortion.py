# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""From the picture of a real lens to that of an ideal pinhole camera."""

from collections.abc import Sequence

import cv2
from ipt_ros.geometry.camera import PinholeCamera
import numpy as np

# Names as in sensor_msgs/CameraInfo (distortion_models.hpp), coefficients as in OpenCV.
LENS_MODELS = ('plumb_bob', 'rational_polynomial', 'equidistant')
_COEFFICIENTS = {'plumb_bob': (4, 5), 'rational_polynomial': (8, 12, 14), 'equidistant': (4,)}


class LensError(ValueError):
    """A calibration that cannot be used; the message says why and what to do."""


class Rectifier:
    """
    Makes pictures of a calibrated lens such as a pinhole camera would have taken.

    camera: the calibrated matrix K with the size of the raw picture. model, coefficients: those of
    sensor_msgs/CameraInfo; no coefficients, or zeros, mean a lens without distortion. The pinhole
    camera shows the largest upright part of the picture that has no empty corners.
    Raises LensError for other models and numbers.
    """

    def __init__(self, camera: PinholeCamera, model: str = '', coefficients: Sequence[float] = ()):
        """Compute where each pixel comes from, once."""
        self._size = (camera.width, camera.height)
        d = np.asarray(coefficients, dtype=np.float64).ravel()
        self._maps = None
        self.camera = camera
        if not d.any():
            return
        if model not in LENS_MODELS:
            raise LensError(
                f"lens model '{model}' is not supported, only {', '.join(LENS_MODELS)}; use "
                'rectified images (image_rect) instead')
        if len(d) not in _COEFFICIENTS[model] or not np.isfinite(d).all():
            raise LensError(
                f"lens model '{model}' has {' or '.join(map(str, _COEFFICIENTS[model]))} finite "
                f'coefficients, got {d.tolist()}; calibrate the camera again')
        fisheye = model == 'equidistant'
        matrix = _inner_matrix(camera, d, fisheye)
        make = cv2.fisheye.initUndistortRectifyMap if fisheye else cv2.initUndistortRectifyMap
        self._maps = make(camera.matrix, d, np.eye(3), matrix, self._size, cv2.CV_32FC1)
        self.camera = PinholeCamera(
            *self._size, matrix[0, 0], matrix[1, 1], matrix[0, 2], matrix[1, 2])

    @property
    def distorted(self) -> bool:
        """Whether there is anything to do."""
        return self._maps is not None

    def picture(self, image: np.ndarray) -> np.ndarray:
        """Return an image, (H, W) or (H, W, C), without distortion."""
        return self._apply(image, cv2.INTER_LINEAR)

    def depth(self, depth: np.ndarray) -> np.ndarray:
        """Return depths (H, W) without distortion; different things are never mixed."""
        return self._apply(depth, cv2.INTER_NEAREST)

    def _apply(self, image: np.ndarray, interpolation: int) -> np.ndarray:
        if image.shape[1::-1] != self._size:
            raise LensError(
                f'the camera was calibrated at {self._size[0]}x{self._size[1]} pixels, the image '
                f'has {image.shape[1]}x{image.shape[0]}')
        if self._maps is None:
            return image
        return cv2.remap(image, *self._maps, interpolation, borderMode=cv2.BORDER_CONSTANT)


def _inner_matrix(camera: PinholeCamera, d: np.ndarray, fisheye: bool) -> np.ndarray:
    """Return the matrix of a pinhole camera, square to the old one, without empty corners."""
    # Where the edge of the raw picture lies in the pinhole camera: what is inside of all of it is
    # seen everywhere.
    u = np.linspace(0, camera.width - 1, 65)
    v = np.linspace(0, camera.height - 1, 65)
    sides = [np.stack([u, np.full_like(u, end)], 1) for end in (0, camera.height - 1)] + [
        np.stack([np.full_like(v, end), v], 1) for end in (0, camera.width - 1)]
    undistort = cv2.fisheye.undistortPoints if fisheye else cv2.undistortPoints
    top, bottom, left, right = (
        undistort(side[:, None], camera.matrix, d)[:, 0] for side in sides)
    low = np.array([left[:, 0].max(), top[:, 1].max()])
    high = np.array([right[:, 0].min(), bottom[:, 1].min()])
    if not (np.isfinite([low, high]).all() and (low < 0).all() and (high > 0).all()):
        raise LensError(
            f'these lens coefficients bend the picture beyond use: {d.tolist()}; calibrate the '
            'camera again')
    focal = (camera.width - 1, camera.height - 1) / (high - low)
    # The same scale both ways as the lens had, so that nothing is stretched.
    scale = max(focal[0] / camera.fx, focal[1] / camera.fy)
    matrix = camera.matrix.copy()
    matrix[0, 0], matrix[1, 1] = camera.fx * scale, camera.fy * scale
    middle = (low + high) / 2
    matrix[0, 2] = (camera.width - 1) / 2 - matrix[0, 0] * middle[0]
    matrix[1, 2] = (camera.height - 1) / 2 - matrix[1, 1] * middle[1]
    return matrix
