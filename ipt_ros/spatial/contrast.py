# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""Whether the red X can be told from what it is drawn on."""

from ipt_ros.spatial.marks import draw_cross
import numpy as np

MIN_CONTRAST = 120  # sum over the three channels


def cross_pixels(shape: tuple[int, ...], uv: tuple[float, float]) -> np.ndarray:
    """Return the pixels, bool (H, W), that an X at pixel ``uv`` covers more than half."""
    return draw_cross(np.zeros((*shape[:2], 3), np.uint8), uv)[..., 0] > 127


def cross_contrast(image: np.ndarray, uv: tuple[float, float]) -> float:
    """Return by how much an X at ``uv`` would change its pixels: median over them, 0 to 765."""
    inked = cross_pixels(image.shape, uv)
    if not inked.any():
        return 0.0
    marked = draw_cross(image, uv)[inked].astype(int)
    return float(np.median(np.abs(marked - image[inked]).sum(axis=1)))
