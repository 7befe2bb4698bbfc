# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""
Marks of a path on a map: its line, waypoints 1 and 2, the midpoint M1, and an arrow of a look.

As all marks: fractions of the image's shorter side, sub-pixel, anti-aliased, drawn before the
image is resized. Every mark has an outline, so that it stands out from whatever is under it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
import math

from ipt_ros.spatial.marks import arrow_strokes, BLUE, Color, ink_lines, Point, Stroke
import numpy as np

WAYPOINT_RADIUS = 0.042
MIDPOINT_RADIUS = 0.024
LINE_STROKE = 0.020
LOOK_LENGTH = 0.15
LOOK_HEAD = 0.055
LOOK_STROKE = 0.020
OUTLINE = 0.008  # of every mark, on either side

PATH_COLOR = (255, 210, 0)
WAYPOINT_COLORS = ((0, 120, 40), (200, 0, 0))  # waypoint 1, waypoint 2
WHITE, BLACK = (255, 255, 255), (0, 0, 0)

_LETTER_STROKE = 0.014
_DIGIT_HEIGHT = 0.050
_LABEL_HEIGHT = 0.058
_LABEL_DISTANCE = 0.080  # from the midpoint to the middle of its label
# Lines from corner to corner; x from 0 to 1 (right), y from 0 (top) to 1.
_GLYPHS = {
    '1': ((0.2, 0.25), (0.6, 0.0), (0.6, 1.0)),
    '2': ((0.0, 0.25), (0.15, 0.05), (0.5, 0.0), (0.85, 0.05), (1.0, 0.28), (0.85, 0.5),
          (0.0, 1.0), (1.0, 1.0)),
    'M': ((0.0, 1.0), (0.0, 0.0), (0.5, 0.6), (1.0, 0.0), (1.0, 1.0)),
}
_GLYPH_WIDTH = 0.6  # of its height
_GLYPH_GAP = 0.3


# What the marks consist of, for `label_path`.
PARTS = ('path', 'arrow', 'midpoint', 'waypoint 1', 'waypoint 2')


def draw_path(
    image: np.ndarray,
    path: np.ndarray,
    midpoint: Point,
    look: Point | None = None,
) -> np.ndarray:
    """
    Return a copy of a map (uint8 HxWx3) with a path on it.

    path: (N, 2) pixels from waypoint 1 to waypoint 2. midpoint: pixel of M1. look: direction in
    the image (right, down; any length) of an arrow at M1, or None. The label 'M1' stands where it
    covers none of the other marks. Raises ValueError for an image of another type, or fewer than
    two points.
    """
    for layer in _layers(image.shape, path, midpoint, look):
        image = ink_lines(image, layer.strokes, layer.thickness, layer.color)
    return image


def label_path(
    shape: tuple[int, ...],
    path: np.ndarray,
    midpoint: Point,
    look: Point | None = None,
) -> np.ndarray:
    """
    Return what `draw_path` covers in an image of a shape (H, W, ...).

    uint8 (H, W): 0 where there is no mark, else 1 + the index in `PARTS`.
    """
    labels = np.zeros(shape[:2], np.uint8)
    black = np.zeros((*shape[:2], 3), np.uint8)
    for layer in _layers(shape, path, midpoint, look):
        inked = ink_lines(black, layer.strokes, layer.thickness, WHITE)[..., 0] > 127
        labels[inked] = 1 + PARTS.index(layer.part)
    return labels


@dataclass(frozen=True)
class _Layer:
    """Lines of one colour and thickness (pixels) that belong to a part of the marks."""

    part: str
    strokes: Sequence[Stroke]
    thickness: float
    color: Color


def _layers(
    shape: tuple[int, ...], path: np.ndarray, midpoint: Point, look: Point | None,
) -> list[_Layer]:
    """Return everything that is drawn, from the lowest to the topmost."""
    path, midpoint = np.asarray(path, float), np.asarray(midpoint, float)
    if path.ndim != 2 or path.shape[1] != 2 or len(path) < 2:
        raise ValueError(f'a path is (N, 2) pixels with N of 2 or more, got {path.shape}')
    side = min(shape[:2])

    def outlined(part, strokes, thickness, color, outline) -> list[_Layer]:
        return [_Layer(part, strokes, (thickness + 2 * OUTLINE) * side, outline),
                _Layer(part, strokes, thickness * side, color)]

    lines = list(zip(path, path[1:]))
    layers = outlined('path', lines, LINE_STROKE, PATH_COLOR, BLACK)
    ink = lines
    if look is not None:
        direction = np.asarray(look, float) / math.hypot(*look)
        tip = midpoint + LOOK_LENGTH * side * direction
        arrow = arrow_strokes(midpoint, tip, LOOK_HEAD * side)
        layers += outlined('arrow', arrow, LOOK_STROKE, BLUE, WHITE)
        ink = lines + arrow
    layers += outlined(
        'midpoint', [(midpoint, midpoint)], 2 * MIDPOINT_RADIUS, PATH_COLOR, BLACK)
    for number, (place, color) in enumerate(zip(path[[0, -1]], WAYPOINT_COLORS), start=1):
        part = f'waypoint {number}'
        layers += outlined(part, [(place, place)], 2 * WAYPOINT_RADIUS, color, WHITE)
        digit = _text(str(number), place, _DIGIT_HEIGHT * side)
        layers.append(_Layer(part, digit, _LETTER_STROKE * side, WHITE))
    label = _text('M1', _label_place(shape, ink, midpoint), _LABEL_HEIGHT * side)
    return layers + outlined('midpoint', label, _LETTER_STROKE, WHITE, BLACK)


def _text(text: str, middle: np.ndarray, height: float) -> list[Stroke]:
    """Return the lines of a short text around a pixel."""
    width, step = _GLYPH_WIDTH * height, (_GLYPH_WIDTH + _GLYPH_GAP) * height
    left = middle[0] - (step * (len(text) - 1) + width) / 2
    strokes = []
    for number, letter in enumerate(text):
        corners = np.array(_GLYPHS[letter]) * (width, height)
        corners += (left + number * step, middle[1] - height / 2)
        strokes += list(zip(corners, corners[1:]))
    return strokes


def _label_place(
    shape: tuple[int, ...], lines: Sequence[Stroke], midpoint: np.ndarray,
) -> np.ndarray:
    """Return the place around M1 that is farthest from all lines, inside the image."""
    side = min(shape[:2])
    angles = np.arange(8) * math.pi / 4 - math.pi / 2  # the first is above
    places = midpoint + _LABEL_DISTANCE * side * np.column_stack([np.cos(angles), np.sin(angles)])
    ink = np.concatenate([np.linspace(a, b, 20) for a, b in lines])
    room = np.linalg.norm(places[:, None] - ink[None], axis=2).min(axis=1) / side
    half = np.array([_LABEL_HEIGHT * 0.8, _LABEL_HEIGHT * 0.6]) * side
    size = np.array(shape[1::-1])
    inside = ((places >= half) & (places <= size - 1 - half)).all(axis=1)
    return places[np.argmax(np.round(room, 3) + inside)]
