# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""Whether a depth image is of the pixels of a picture, and how it becomes so."""

import cv2
from ipt_ros.geometry.distortion import Rectifier
import numpy as np


class RegistrationError(ValueError):
    """A depth image that is not of a picture's pixels; the message says why."""


def check_frames(depth_frame: str, picture_frame: str) -> None:
    """
    Refuse depth that another camera measured, by the frames in the headers of the two images.

    Raises RegistrationError. Names are compared as tf2 does, without a leading slash.
    """
    depth_frame, picture_frame = depth_frame.lstrip('/'), picture_frame.lstrip('/')
    if not depth_frame:
        raise RegistrationError(
            f"depth has no frame_id; it counts only with that of the images, '{picture_frame}'")
    if depth_frame != picture_frame:
        raise RegistrationError(
            f"depth is of frame '{depth_frame}', not registered to the images of "
            f"'{picture_frame}'")


def registered(depth: np.ndarray, rectifier: Rectifier) -> np.ndarray:
    """
    Bring depth (h, w) of a picture's view to the picture's size, then to its pinhole camera.

    rectifier: that of the picture. Raises RegistrationError for depth of another shape.
    """
    width, height = rectifier.camera.width, rectifier.camera.height
    if depth.shape != (height, width):
        rows, columns = depth.shape
        if abs(columns * height - rows * width) > max(width, height):
            raise RegistrationError(
                f'depth of {columns}x{rows} pixels has another shape than the images of '
                f'{width}x{height}')
        depth = cv2.resize(depth, (width, height), interpolation=cv2.INTER_NEAREST)
    return rectifier.depth(depth)
