# SPDX-License-Identifier: Apache-2.0
"""
Marks drawn on images: the red X and the blue arrow.

The one drawing code for training and for the robot. Sizes are fractions of the image's shorter
side, and marks are drawn with sub-pixel positions and anti-aliasing at camera resolution BEFORE
the image is resized for the model, so that the model sees the same mark whatever the camera.
"""

import cv2
import numpy as np

RED = (255, 0, 0)
BLUE = (0, 0, 255)
CROSS_HALF = 0.042  # half the width of the X
CROSS_STROKE = 0.022
ARROW_STROKE = 0.022
ARROW_HEAD = 0.05

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
    return _draw_lines(image, strokes, CROSS_STROKE * side, color)


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
    tail_xy, tip_xy = np.asarray(tail, float), np.asarray(tip, float)
    along = tip_xy - tail_xy
    length = float(np.hypot(*along))
    strokes = [(tail_xy, tip_xy)]
    if length > 0:
        along /= length
        across = np.array([-along[1], along[0]])
        head = min(ARROW_HEAD * side, length / 2)
        strokes += [(tip_xy - head * (along + s * 0.7 * across), tip_xy) for s in (-1, 1)]
    return _draw_lines(image, strokes, ARROW_STROKE * side, color)


def _draw_lines(image: np.ndarray, strokes, thickness: float, color) -> np.ndarray:
    """Draw round-ended lines of fractional thickness (OpenCV's own are whole pixels)."""
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
        raise ValueError(f'expected a uint8 HxWx3 image, got {image.dtype} {image.shape}')
    # Coverage is drawn four times larger, then averaged: exact at any image size.
    scale = 4
    height, width = image.shape[:2]
    coverage = np.zeros((height * scale, width * scale), np.uint8)
    for start, end in strokes:
        points = [
            tuple(int(round(((c + 0.5) * scale - 0.5) * (1 << _SHIFT))) for c in point)
            for point in (start, end)
        ]
        cv2.line(coverage, points[0], points[1], 255, max(1, round(thickness * scale)),
                 cv2.LINE_AA, _SHIFT)
    alpha = cv2.resize(coverage, (width, height), interpolation=cv2.INTER_AREA)
    alpha = alpha[..., None].astype(np.float32) / 255
    blended = image * (1 - alpha) + np.asarray(color, np.float32) * alpha
    return np.round(blended).astype(np.uint8)
