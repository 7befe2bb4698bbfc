# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""Where a disc-shaped robot fits, an occupancy grid grown by its radius, and ways over it."""

from collections.abc import Iterable
import math

import cv2
import numpy as np
from scipy import sparse
from scipy.sparse import csgraph

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


class ShortestPaths:
    """
    Short ways over a grid of places where a robot fits, as `Simulator.navigable_grid` returns it.

    grid: bool grid[iy, ix]. origin: x, y (m) of the outer corner of cell [0, 0]. resolution:
    metres a cell. Ways go from centre to centre of the eight neighbours of a cell, never between
    two cells that touch at a corner only.
    """

    def __init__(self, grid: np.ndarray, origin: tuple[float, float], resolution: float):
        self._grid = np.asarray(grid, bool)
        self._origin = np.asarray(origin, float)
        self._resolution = float(resolution)
        self._cells = np.argwhere(self._grid)
        self._number = np.full(self._grid.shape, -1)
        self._number[self._grid] = np.arange(len(self._cells))
        self._graph = self._connected()

    @property
    def places(self) -> np.ndarray:
        """(N, 2) centres (m) of all cells where the robot fits."""
        return self._places(self._cells)

    def from_place(self, start: tuple[float, float]) -> 'WaysFrom':
        """Return the ways from a place (x, y) in metres. Raises ValueError where nobody fits."""
        number = self.number_at(start)
        distances, before = csgraph.dijkstra(
            self._graph, directed=False, indices=number, return_predecessors=True)
        return WaysFrom(self, number, distances * self._resolution, before)

    def number_at(self, place: tuple[float, float]) -> int:
        """Return the row in `places` of a place's cell. Raises ValueError where there is none."""
        column, row = (math.floor(value) for value in
                       (np.asarray(place, float) - self._origin) / self._resolution)
        rows, columns = self._grid.shape
        if not (0 <= row < rows and 0 <= column < columns and self._grid[row, column]):
            raise ValueError(f'the robot does not fit at {tuple(place)} (m)')
        return int(self._number[row, column])

    def is_clear(self, start: np.ndarray, end: np.ndarray) -> bool:
        """Tell whether the straight line between two places stays where the robot fits."""
        steps = max(2, math.ceil(math.dist(start, end) / self._resolution * 4) + 1)
        line = np.linspace(start, end, steps)
        columns, rows = np.floor((line - self._origin) / self._resolution).astype(int).T
        height, width = self._grid.shape
        inside = (rows >= 0) & (columns >= 0) & (rows < height) & (columns < width)
        return bool(inside.all() and self._grid[rows, columns].all())

    def _places(self, cells: np.ndarray) -> np.ndarray:
        return (cells[:, ::-1] + 0.5) * self._resolution + self._origin

    def _connected(self) -> sparse.csr_array:
        """Return the graph of neighbouring cells; each edge once, its length in cells."""
        padded = np.pad(self._grid, 1)
        rows, columns = self._cells.T + 1
        numbers = np.pad(self._number, 1, constant_values=-1)
        starts, ends, lengths = [], [], []
        for down, right in ((0, 1), (1, 0), (1, 1), (1, -1)):
            # For a diagonal both cells beside it must be free, for a straight step they are it.
            free = (padded[rows + down, columns + right] & padded[rows + down, columns]
                    & padded[rows, columns + right])
            starts.append(np.nonzero(free)[0])
            ends.append(numbers[rows + down, columns + right][free])
            lengths.append(np.full(len(ends[-1]), math.hypot(down, right)))
        count = len(self._cells)
        # SciPy 1.11, that of Ubuntu 24.04, finds no ways in a graph with indices of 64 bits.
        edges = tuple(np.concatenate(side).astype(np.int32) for side in (starts, ends))
        return sparse.csr_array((np.concatenate(lengths), edges), shape=(count, count))


class WaysFrom:
    """
    The shortest ways from one place to all others.

    distances: metres to each of `ShortestPaths.places`, infinite where no way leads.
    """

    def __init__(self, paths: ShortestPaths, start: int, distances: np.ndarray,
                 before: np.ndarray):
        self.distances = distances
        self._paths = paths
        self._start = start
        self._before = before

    def to(self, goal: int) -> np.ndarray:
        """
        Return the way to a row of `places` as (N, 2) corners, with detours of the grid cut off.

        Whoever walks it goes straight from corner to corner. Raises ValueError if there is none.
        """
        if not math.isfinite(self.distances[goal]):
            raise ValueError(f'no way leads to place {goal}')
        numbers = [goal]
        while numbers[-1] != self._start:
            numbers.append(int(self._before[numbers[-1]]))
        cells = self._paths.places[numbers[::-1]]
        corners, here = [cells[0]], 0
        while here < len(cells) - 1:
            # The last cell in sight; the next one always is.
            here = next(there for there in range(len(cells) - 1, here, -1)
                        if there == here + 1 or self._paths.is_clear(cells[here], cells[there]))
            corners.append(cells[here])
        return np.array(corners)
