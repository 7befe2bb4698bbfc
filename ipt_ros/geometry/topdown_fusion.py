# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""Fused surfaces seen from above: the bird's-eye view of what a robot has looked at."""

from dataclasses import dataclass

from ipt_ros.geometry.camera import OrthographicCamera
from ipt_ros.geometry.fusion import Floor, SurfaceCloud
from ipt_ros.geometry.transforms import invert, looking_down, transform_points
import numpy as np

UNKNOWN_COLOR = (0, 0, 0)
CUT_HEIGHT = 1.9  # m: below ceilings and lamps, above what stands in a room
CAMERA_HEIGHT = 3.5  # m above the floor
_TOP_LAYER = 0.06  # m: colours of points this near to the highest are mixed
_BELOW_FLOOR = -0.15  # m: deeper points are mirror images and bad depth
_FILL_NEIGHBOURS = 5  # of 8, for a pixel without a point to take after them


@dataclass(frozen=True, eq=False)
class TopDownMap:
    """
    A picture from above without ceiling; the heading that it was made for points up.

    rgb: uint8 (H, W, 3), UNKNOWN_COLOR where nothing was seen. known: bool (H, W). height: float32
    (H, W), metres of the highest surface above the floor, NaN where not known.
    """

    rgb: np.ndarray
    known: np.ndarray
    height: np.ndarray
    camera: OrthographicCamera
    world_from_optical: np.ndarray

    @property
    def known_share(self) -> float:
        """Return the share of the map that was seen."""
        return float(self.known.mean())

    def occupied(self, lowest: float = 0.1) -> np.ndarray:
        """Return bool (H, W): where something stands at least so high (m); False if unknown."""
        return self.known & (np.nan_to_num(self.height, nan=0.0) >= lowest)


def topdown_map(
    surface: SurfaceCloud,
    floor: Floor,
    center: tuple[float, float],
    yaw: float,
    size: float,
    pixels: int,
    cut_height: float = CUT_HEIGHT,
) -> TopDownMap:
    """
    Look at a surface from above.

    center: x, y (m) of the middle; yaw: heading (rad) that points up in the picture; size: metres
    a side. What is higher than cut_height above the floor is taken away. The surface should be at
    least as fine as the map's pixels, else the map gets holes.
    """
    if not (size > 0 and pixels > 0):
        raise ValueError(f'a map needs a positive size and pixels, got {size} m, {pixels}')
    camera = OrthographicCamera(pixels, pixels, size / pixels)
    pose = looking_down(center, yaw, floor.z(*center) + CAMERA_HEIGHT)
    heights = floor.heights(surface.points)
    kept = (heights > _BELOW_FLOOR) & (heights < cut_height)
    uv = camera.project(transform_points(invert(pose), surface.points[kept]))[0]
    column, row = np.rint(uv).astype(int).T
    inside = (column >= 0) & (row >= 0) & (column < pixels) & (row < pixels)
    cell = row[inside] * pixels + column[inside]
    top, rgb = _top_layer(
        cell, heights[kept][inside], surface.colors[kept][inside], pixels * pixels)
    top, rgb = top.reshape(pixels, pixels), rgb.reshape(pixels, pixels, 3)
    top, rgb = _filled(top, rgb)
    known = np.isfinite(top)
    picture = np.where(known[..., None], np.rint(np.nan_to_num(rgb)), UNKNOWN_COLOR)
    return TopDownMap(picture.astype(np.uint8), known, top.astype(np.float32), camera, pose)


def _top_layer(
    cell: np.ndarray, height: np.ndarray, colors: np.ndarray, number: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Return height (N,) and mean colour (N, 3) of the highest points of each cell, or NaN."""
    top = np.full(number, -np.inf)
    np.maximum.at(top, cell, height)
    upper = height >= top[cell] - _TOP_LAYER
    count = np.bincount(cell[upper], minlength=number)
    sums = [np.bincount(cell[upper], colors[upper, k], number) for k in range(3)]
    with np.errstate(invalid='ignore'):
        mean = np.stack(sums, axis=1) / count[:, None]
    return np.where(np.isfinite(top), top, np.nan), mean


def _filled(top: np.ndarray, rgb: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Give single pixels that no point fell on the median height and mean colour around them."""
    padded = np.pad(np.dstack([top, rgb]), ((1, 1), (1, 1), (0, 0)), constant_values=np.nan)
    height, width = top.shape
    around = np.stack([padded[dy:dy + height, dx:dx + width] for dy in range(3) for dx in range(3)
                       if (dy, dx) != (1, 1)])
    holes = np.isnan(top) & (np.isfinite(around[..., 0]).sum(0) >= _FILL_NEIGHBOURS)
    top, rgb = top.copy(), rgb.copy()
    if holes.any():
        top[holes] = np.nanmedian(around[:, holes, 0], axis=0)
        rgb[holes] = np.nanmean(around[:, holes, 1:], axis=0)
    return top, rgb
