# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""What sensor_msgs/CameraInfo says of a camera's pictures, for nodes and for bags alike."""

from dataclasses import dataclass
import re
from typing import Any

from ipt_ros.geometry.camera import PinholeCamera
from ipt_ros.geometry.distortion import LensError, Rectifier
import numpy as np

_SAME = 0.01  # pixels by which two cameras may differ and be one: drivers round K and P
_RECTIFIED = {'rect', 'rectified', 'undistorted'}


@dataclass(frozen=True)
class Calibration:
    """
    What a camera_info message says; `problem` is why it cannot be used, or ''.

    camera: of pictures as they come from the lens (K), which model and coefficients describe.
    rectified: of pictures whose distortion a driver has taken away already (P, or K where it gives
    no P). Both are None where there is a problem.
    """

    camera: PinholeCamera | None
    rectified: PinholeCamera | None
    model: str = ''
    coefficients: tuple[float, ...] = ()
    problem: str = ''

    @property
    def looks_rectified(self) -> bool:
        """Whether P is that of a picture without the distortion that the lens has."""
        if self.problem or not any(self.coefficients):
            return False
        return not np.allclose(_numbers(self.camera), _numbers(self.rectified), 0.0, _SAME)

    def rectifier(self, rectified: bool) -> Rectifier:
        """
        Return what makes pictures those of a pinhole camera.

        rectified: whether somebody has taken the distortion out of them already. Raises LensError.
        """
        if self.problem:
            raise LensError(f'camera_info cannot be used: {self.problem}')
        if rectified:
            return Rectifier(self.rectified)
        return Rectifier(self.camera, self.model, self.coefficients)


def read_calibration(info: Any) -> Calibration:
    """
    Return what a message with the fields of sensor_msgs/CameraInfo says.

    Of binned or cut pictures K is that of the whole sensor, so those are refused.
    """
    problem = _part(info)
    if problem:
        return Calibration(None, None, problem=problem)
    try:
        k, p, d = (_finite(getattr(info, name), name) for name in 'kpd')
        camera = _pinhole(info, k, 3, 'K')
        rectified = _pinhole(info, p, 4, 'P') if _is_given(p, 4) else camera
    except ValueError as error:
        return Calibration(None, None, problem=f'not calibrated ({error})')
    return Calibration(camera, rectified, info.distortion_model, tuple(d.tolist()))


def is_rectified(topic: str) -> bool:
    """
    Return whether the name of a topic says that the pictures on it are rectified.

    The last part of the name that speaks of it counts: '/left/color/rect/image' and
    '/left/image_rect_color' are, '/rect/image_raw' is not.
    """
    for part in reversed(topic.lower().split('/')):
        words = set(re.split('[^a-z]+', part))
        if words & _RECTIFIED:
            return True
        if 'raw' in words:
            return False
    return False


def _part(info: Any) -> str:
    """Return why the pictures are not those of the whole sensor, '' if they are."""
    binning, roi = (info.binning_x, info.binning_y), info.roi
    if max(binning) > 1:
        return (f'binned images ({binning[0]}x{binning[1]} pixels of the sensor make one); turn '
                'binning off in the driver')
    whole = (roi.x_offset == roi.y_offset == 0 and roi.width in (0, info.width)
             and roi.height in (0, info.height))
    if not whole:
        return (f'cut images (its roi is {roi.width}x{roi.height} pixels at {roi.x_offset}, '
                f'{roi.y_offset} of {info.width}x{info.height}); let the driver send whole ones')
    return ''


def _finite(values: Any, name: str) -> np.ndarray:
    numbers = np.asarray(values, np.float64).ravel()
    if not np.isfinite(numbers).all():
        raise ValueError(f'NaN or infinity in {name.upper()}: {numbers.tolist()}')
    return numbers


def _is_given(matrix: np.ndarray, columns: int) -> bool:
    """Return whether a driver has filled in a matrix: zeros and the identity say nothing."""
    return bool(matrix.any()) and not np.array_equal(matrix, np.eye(3, columns).ravel())


def _pinhole(info: Any, matrix: np.ndarray, columns: int, name: str) -> PinholeCamera:
    if len(matrix) != 3 * columns:
        raise ValueError(f'{name} must have {3 * columns} numbers, got {len(matrix)}')
    if not _is_given(matrix, columns):
        raise ValueError(f'{name} is not filled in: {matrix.tolist()}')
    rows = matrix.reshape(3, columns).tolist()
    try:
        return PinholeCamera(
            info.width, info.height, rows[0][0], rows[1][1], rows[0][2], rows[1][2])
    except ValueError as error:
        raise ValueError(f'{name}: {error}') from error


def _numbers(camera: PinholeCamera) -> tuple[float, float, float, float]:
    return camera.fx, camera.fy, camera.cx, camera.cy
