# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""What a camera saw at one moment of a recording: first as a note of it, then as pixels."""

from dataclasses import dataclass

from ipt_ros.geometry import PinholeCamera
import numpy as np


@dataclass(frozen=True, eq=False)
class FrameRecord:
    """
    A frame that is in the bag, without its pixels.

    stamp: ns, of the image. logged, depth_logged: log times (ns) under which image and depth are
    found in the bag; depth_logged is None without depth. fixed_from_optical, fixed_from_base: 4x4
    poses at the stamp, of the camera's optical frame and of the robot. segment: frames of
    different segments have no common frame of reference.
    """

    index: int
    camera: str
    stamp: int
    logged: int
    depth_logged: int | None
    depth_stamp: int | None
    fixed_from_optical: np.ndarray
    fixed_from_base: np.ndarray
    segment: int


@dataclass(frozen=True, eq=False)
class Frame:
    """
    A frame with its pixels, as an ideal pinhole camera would have taken it.

    rgb: uint8 (H, W, 3). depth: float32 (H, W), metres along the optical axis, 0 = not measured,
    of the same pixels as rgb; None without depth.
    """

    record: FrameRecord
    rgb: np.ndarray
    depth: np.ndarray | None
    intrinsics: PinholeCamera
