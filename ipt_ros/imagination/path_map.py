# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""The map of a path question: as large as in training, with the path drawn on it."""

import math

import cv2
from ipt_ros.geometry import compose, invert, OrthographicCamera, transform_points
from ipt_ros.imagination.data import Code, ImaginationError, View
from ipt_ros.spatial import FloorPath, mark_path
from ipt_ros.spatial.errors import PathOutsideMapError
import numpy as np

FEWEST_PIXELS, MOST_PIXELS = 256, 1024  # a side of the map that is drawn on
STEEPEST = math.radians(10)  # by which a view from above may be off straight down


def path_map(view: View, path: FloorPath, size: float, look: float | None) -> np.ndarray:
    """
    Cut a square of `size` metres around a path out of a view from above, and draw the path.

    view: with an orthographic camera and a pose in the frame of the path. look: heading (rad) of
    the arrow at the path's midpoint, or None. What is up in the view stays up; beyond its edges
    it is black, as it is outside of a room in training. Returns uint8 (H, W, 3). Raises
    ImaginationError.
    """
    off = math.acos(np.clip(-view.base_from_optical[2, 2], -1.0, 1.0))
    if off > STEEPEST:
        raise ImaginationError(Code.NO_MAP, (
            f"'{view.name}' looks {math.degrees(off):.0f} deg off straight down; the z axis of "
            'its frame must point down'))
    flat = np.column_stack([path.points, np.zeros(len(path.points))])
    points = transform_points(invert(view.base_from_optical), flat)
    uv, _ = view.camera.project(points)
    last = np.array([view.camera.width, view.camera.height]) - 0.5
    outside = ~((uv >= -0.5) & (uv <= last)).all(axis=1)
    if outside.any():
        first = int(np.argmax(outside))
        raise ImaginationError(Code.TARGET_OUTSIDE_MAP, (
            f'the path leaves the map: pose {first} falls on pixel ({uv[first][0]:.6g}, '
            f"{uv[first][1]:.6g}) of '{view.name}' with {view.camera.width}x"
            f'{view.camera.height}; give a path on the map'))
    middle = (points.min(axis=0) + points.max(axis=0)) / 2
    image, camera = _cut(view, middle[:2], size)
    pose = view.base_from_optical @ compose(np.eye(3), (middle[0], middle[1], 0.0))
    try:
        return mark_path(image, camera, pose, path, look)
    except PathOutsideMapError:
        spans = np.ptp(points[:, :2], axis=0)
        raise ImaginationError(Code.TARGET_OUTSIDE_MAP, (
            f'the path spans {spans[0]:.1f} x {spans[1]:.1f} m; with its marks it does not fit on '
            f'the {size:g} m that the model sees; ask about a part of it')) from None


def _cut(
    view: View, middle: np.ndarray, size: float,
) -> tuple[np.ndarray, OrthographicCamera]:
    """Return a square around a point (metres, optical frame) and its camera."""
    source = view.camera
    pixels = int(np.clip(round(size / source.metres_per_pixel), FEWEST_PIXELS, MOST_PIXELS))
    camera = OrthographicCamera(pixels, pixels, size / pixels)
    scale = camera.metres_per_pixel / source.metres_per_pixel
    image = view.image
    if scale > 1:  # average first, so that no pixel of the source is skipped
        smaller = [max(1, round(side / scale)) for side in (source.width, source.height)]
        image = cv2.resize(image, smaller, interpolation=cv2.INTER_AREA)
    # Output pixel to source pixel; pixel centres are whole numbers.
    ratio = np.array([image.shape[1] / source.width, image.shape[0] / source.height])
    step = scale * ratio
    middle_uv = middle / source.metres_per_pixel + (source.cx, source.cy)
    start = (middle_uv + 0.5) * ratio - 0.5 - step * (pixels - 1) / 2
    matrix = np.array([[step[0], 0.0, start[0]], [0.0, step[1], start[1]]])
    cut = cv2.warpAffine(
        image, matrix, (pixels, pixels), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_CONSTANT, borderValue=(0, 0, 0))
    return cut, camera
