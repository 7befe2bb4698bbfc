# SPDX-License-Identifier: Apache-2.0
"""Where a disc-shaped robot fits: an occupancy grid, grown by the robot's radius."""

from collections.abc import Iterable
import math

import cv2
import numpy as np

RESOLUTION = 0.05
_SUBCELL_BITS = 8  # cv2 draws polygons with this many fractional bits


class NavigableGrid:
    """
    The places where a robot's centre may be, on a 5 cm grid.

    bounds: (xmin, ymin, xmax, ymax) of the floor (m). obstacles: convex polygons (N, 2) in metres.
    radius: of the robot (m), kept clear of obstacles to within half a cell. start: only what can
    be reached from there counts as navigable.
    """

    def __init__(
        self,
        bounds: tuple[float, float, float, float],
        obstacles: Iterable[np.ndarray],
        radius: float,
        start: tuple[float, float],
    ):
        xmin, ymin, xmax, ymax = bounds
        self.origin = (xmin, ymin)
        self.resolution = RESOLUTION
        columns, rows = (math.ceil((high - low) / RESOLUTION - 1e-6)
                         for low, high in ((xmin, xmax), (ymin, ymax)))
        taken = np.ones((rows + 2, columns + 2), np.uint8)  # a border of wall
        taken[1:-1, 1:-1] = 0
        for polygon in obstacles:
            cells = (np.asarray(polygon) - self.origin) / RESOLUTION + 0.5
            fixed = np.round(cells * (1 << _SUBCELL_BITS)).astype(np.int32)
            cv2.fillConvexPoly(taken, fixed, 1, shift=_SUBCELL_BITS)
        distance = cv2.distanceTransform(1 - taken, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
        # Distances run between cell centres; half a cell more keeps the disc clear of the cell.
        fits = (distance >= radius / RESOLUTION + 0.5)[1:-1, 1:-1].astype(np.uint8)
        _, labels = cv2.connectedComponents(fits, connectivity=4)
        row, column = self._cell(*start)
        inside = 0 <= row < rows and 0 <= column < columns
        label = int(labels[row, column]) if inside else 0
        self.grid = (labels == label) & (fits == 1) if label else np.zeros((rows, columns), bool)
        self.grid.setflags(write=False)

    def _cell(self, x: float, y: float) -> tuple[int, int]:
        return (math.floor((y - self.origin[1]) / RESOLUTION),
                math.floor((x - self.origin[0]) / RESOLUTION))

    def __contains__(self, place: tuple[float, float]) -> bool:
        """Tell whether the robot's centre may be at this place (x, y)."""
        x, y = place
        if not (math.isfinite(x) and math.isfinite(y)):
            return False
        row, column = self._cell(x, y)
        rows, columns = self.grid.shape
        return 0 <= row < rows and 0 <= column < columns and bool(self.grid[row, column])

    def sample(self, rng: np.random.Generator) -> tuple[float, float]:
        """Draw a place, uniformly. Raises ValueError when there is none at all."""
        rows, columns = np.nonzero(self.grid)
        if not len(rows):
            raise ValueError('nothing in this scene is navigable')
        pick = int(rng.integers(len(rows)))
        # Stay a hair inside the cell, so that rounding cannot push the place over its edge.
        dx, dy = rng.uniform(0.01, 0.99, 2)
        return (self.origin[0] + (float(columns[pick]) + float(dx)) * RESOLUTION,
                self.origin[1] + (float(rows[pick]) + float(dy)) * RESOLUTION)
