# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""
Telling optical frames from other frames of a camera.

A camera looks along the z axis of its optical frame, x is right and y is down in its picture
(REP 103). Drivers also publish body frames (x forward, z up or, as in aviation, down), and
exporters the frames of OpenGL and Unity (z backward, y up). A pose cannot prove what kind of frame
it is of, but it can be one that no camera of a robot has.
"""

import math

import numpy as np

# What an optical axis may do (degrees above the level: lowest, highest), by how far the picture is
# turned about it at most. A body frame is a picture on its side that looks up at 90 deg less its
# pitch (down, if z points down); a frame of OpenGL is upside down, and looks up where the camera
# looks down. Cameras look up to the ceiling now and then, but upright ones.
_LIMITS = ((45.0, (-75.0, 50.0)), (135.0, (-65.0, 35.0)), (180.0, (-75.0, 10.0)))
_STEEP = 75.0  # degrees; from here on an axis has no heading worth the name


def optical_problem(base_from_optical: np.ndarray, frame: str = '') -> str:
    """
    Return why a frame is not taken for the optical frame of a camera, '' where it may be one.

    base_from_optical: 4x4 or 3x3, in a frame with z up. frame: its name.
    """
    up = np.asarray(base_from_optical)[2, :3]  # how far each axis points up
    elevation = math.degrees(math.asin(np.clip(up[2], -1.0, 1.0)))
    turned = _turned(up)
    lowest, highest = next(limits for most, limits in _LIMITS if turned <= most)
    if lowest <= elevation <= highest:
        return ''
    named = f"the frame '{frame}'" if frame else 'the frame of its images'
    if abs(elevation) > _STEEP:
        where = f"points to the {'sky' if elevation > 0 else 'floor'} ({elevation:+.0f} deg)"
    else:
        where = (f'points {elevation:+.0f} deg from the level in a picture turned by '
                 f'{turned:.0f} deg')
    return (
        f'{named} is no optical frame: its z axis, along which a camera looks, {where}. By REP '
        '103 z is forward, x right and y down in the picture; stamp the images with the '
        "'..._optical_frame' of the camera, or correct its transform. A camera that really looks "
        'there cannot be used for what needs its heading')


def is_upside_down(base_from_optical: np.ndarray) -> bool:
    """Tell whether the picture of an optical frame (3x3 or 4x4, in one with z up) is so."""
    return _turned(np.asarray(base_from_optical)[2, :3]) > 135.0


def _turned(up: np.ndarray) -> float:
    """Return by how many degrees (0 to 180) a picture is turned from upright."""
    return math.degrees(math.atan2(abs(up[0]), -up[1]))
