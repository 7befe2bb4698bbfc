# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""
Marks drawn on images: the red X and the blue arrow, and the lines of which all marks are made.

The one drawing code for training and for the robot. Sizes are fractions of the image's shorter
side, and marks are drawn with sub-pixel positions and anti-aliasing at camera resolution BEFORE
the image is resized for the model, so that the model sees the same mark whatever the camera.
"""

from collections.abc import Sequence

import cv2
import numpy as np

RED = (255, 0, 0)
BLUE = (0, 0, 255)
CROSS_HALF = 0.042  # half the width of the X
CROSS_STROKE = 0.022
ARROW_STROKE = 0.022
ARROW_HEAD = 0.05

Point = tuple[float, float] | np.ndarray
Stroke = tuple[Point, Point]
Color = tuple[int, int, int]

_SHIFT = 4  # OpenCV draws with 1 / 2**4 pixel


def draw_cross(image: np.ndarray, uv: tuple[float, float], color=RED) -> np.ndarray:
    """
    Return a copy of ``image`` (uint8 HxWx3) with an X centred at pixel ``uv``.

    Pixel (0, 0) is the centre of the top left pixel. Parts outside the image are cut.
    """
    side = min(image.shape[:2])
    u, v = uv
    half = CROSS_HALF * side
    strokes = [
        ((u - half, v - half), (u + half, v + half)),
        ((u - half, v + half), (u + half, v - half)),
    ]
    return ink_lines(image, strokes, CROSS_STROKE * side, color)


def draw_arrow(
    image: np.ndarray,
    tail: tuple[float, float],
    tip: tuple[float, float],
    color=BLUE,
) -> np.ndarray:
    """
    Return a copy of ``image`` (uint8 HxWx3) with an arrow from pixel ``tail`` to ``tip``.

    The head is never longer than half the arrow. A tail equal to the tip draws a dot.
    """
    side = min(image.shape[:2])
    strokes = arrow_strokes(tail, tip, ARROW_HEAD * side)
    return ink_lines(image, strokes, ARROW_STROKE * side, color)


def arrow_strokes(tail: Point, tip: Point, head: float) -> list[Stroke]:
    """Return the lines of an arrow whose head is `head` pixels long, or half of a short arrow."""
    tail_xy, tip_xy = np.asarray(tail, float), np.asarray(tip, float)
    along = tip_xy - tail_xy
    length = float(np.hypot(*along))
    strokes = [(tail_xy, tip_xy)]
    if length > 0:
        along /= length
        across = np.array([-along[1], along[0]])
        head = min(head, length / 2)
        strokes += [(tip_xy - head * (along + s * 0.7 * across), tip_xy) for s in (-1, 1)]
    return strokes


def ink_lines(
    image: np.ndarray, strokes: Sequence[Stroke], thickness: float, color: Color,
) -> np.ndarray:
    """
    Return a copy with round-ended lines of fractional thickness (OpenCV's own are whole pixels).

    A stroke is a pair of pixels; one without length is a disc. Lines do not darken each other
    where they cross.
    """
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
        raise ValueError(f'expected a uint8 HxWx3 image, got {image.dtype} {image.shape}')
    ends = np.array(strokes, float)
    size = np.array(image.shape[1::-1])
    # Only where there is ink: images may be large and marks are small.
    low, high = (
        np.clip(corner, 0, size).astype(int) for corner in (
            np.floor(ends.min((0, 1)) - thickness / 2 - 2),
            np.ceil(ends.max((0, 1)) + thickness / 2 + 3)))
    result = image.copy()
    if (low >= high).any():
        return result
    # Coverage is drawn four times larger, then averaged: exact at any image size.
    scale = 4
    width, height = high - low
    coverage = np.zeros((height * scale, width * scale), np.uint8)
    fixed = np.round(((ends - low + 0.5) * scale - 0.5) * (1 << _SHIFT)).astype(int)
    for start, end in fixed.tolist():
        cv2.line(coverage, start, end, 255, max(1, round(thickness * scale)), cv2.LINE_AA, _SHIFT)
    alpha = cv2.resize(coverage, (int(width), int(height)), interpolation=cv2.INTER_AREA)
    alpha = alpha[..., None].astype(np.float32) / 255
    part = result[low[1]:high[1], low[0]:high[0]]
    part[:] = np.round(part * (1 - alpha) + np.asarray(color, np.float32) * alpha)
    return result
