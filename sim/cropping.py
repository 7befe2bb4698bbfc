# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""Cameras whose optical axis is off the middle, for renderers that only draw centred pictures."""

from dataclasses import replace
import math

from ipt_sim.protocol import CameraSpec


def centred(camera: CameraSpec) -> tuple[CameraSpec, slice, slice]:
    """
    Return a larger camera without `center_shift`, and the rows and columns to cut from it.

    What is cut out is exactly the picture, the depth and the ids of `camera`: focal length and
    viewing direction are the same, and the shift is a whole number of pixels.
    """
    du, dv = camera.center_shift
    if (du, dv) != (round(du), round(dv)):
        raise ValueError(f'center_shift must be whole pixels, got {camera.center_shift}')
    width, height = camera.width + 2 * abs(du), camera.height + 2 * abs(dv)
    focal = camera.width / 2 / math.tan(camera.hfov / 2)
    larger = replace(
        camera, width=width, height=height, hfov=2 * math.atan(width / 2 / focal),
        center_shift=(0, 0))
    top, left = abs(dv) - dv, abs(du) - du
    return larger, slice(top, top + camera.height), slice(left, left + camera.width)
