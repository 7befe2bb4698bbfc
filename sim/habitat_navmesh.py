# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""Where a robot may be on one floor of a Habitat scene, by its navigation mesh."""

import math
from typing import Any

import cv2
from ipt_ros.geometry.navigation import RESOLUTION
from ipt_sim.habitat_frames import to_habitat, to_world
from ipt_sim.protocol import SceneError
import numpy as np

SAME_FLOOR = 0.3  # largest difference in height from the start that still is the same floor, m
# Voxels as high as they are wide: the default of 0.2 m lifts the mesh up to that much off the
# floor. What is lower than the climb (carpets, thresholds) stops no robot.
_CELL = 0.05
_CLIMB = 0.1
_SAMPLE_TRIES = 10_000
_SUBCELL_BITS = 8  # cv2 draws polygons with this many fractional bits
_SUBCELLS = 1 << _SUBCELL_BITS
_AROUND = np.ones((5, 5), np.uint8)  # two cells: polygons are drawn to within one
_ARRIVED = 1e-3  # a move that ends this close to its aim was not stopped, m
# The top of a bed, a table, a counter: so much higher than the floor beside it (m), and no larger
# (m2) than this. What is larger is a terrace or a floor of a house on a slope.
_TOP_HEIGHTS = (0.15, 2.0)
_LARGEST_TOP = 10.0
_BESIDE = 0.5  # m, besides the robot's radius on both sides: slopes, and what is cut off at edges
_TOP_CELL = 0.1  # m, of the plan in which tops are compared with floors


def navmesh_settings(radius: float, height: float) -> dict[str, float]:
    """Return what differs from Habitat's defaults, in the names of its JSON files."""
    return {
        'cellSize': _CELL,
        'cellHeight': _CELL,
        'agentRadius': radius,
        'agentHeight': height,
        'agentMaxClimb': _CLIMB,
    }


def snake_case(name: str) -> str:
    """Return the Python attribute of a name in Habitat's JSON files."""
    return ''.join(f'_{letter.lower()}' if letter.isupper() else letter for letter in name)


def is_for_robot(settings: Any, radius: float, height: float) -> bool:
    """Tell whether a navigation mesh with these NavMeshSettings is safe for our robot, too."""
    return (settings is not None and settings.agent_radius >= radius - 1e-4
            and settings.agent_height >= height - 1e-4)


def furniture_tops(pathfinder: Any) -> frozenset[int]:
    """
    Return the islands of a navigation mesh that are no floor, but the top of furniture.

    A robot is not wanted on beds and tables, though a navigation mesh covers them. Such an island
    is small, and beside it is a larger one that lies 0.15 to 2 m below: the floor under furniture
    is not navigable itself, so that the two never overlap.
    """
    settings = pathfinder.nav_mesh_settings
    reach = 2 * (settings.agent_radius if settings is not None else 0.0) + _BESIDE
    islands = [_triangles(pathfinder, number) for number in range(pathfinder.num_islands)]
    areas = [_plan_area(triangles) for triangles in islands]
    return frozenset(
        number for number, area in enumerate(areas) if area <= _LARGEST_TOP and any(
            _is_beside(islands[number], islands[other], reach)
            for other, size in enumerate(areas) if size > area))


def _triangles(pathfinder: Any, island: int) -> np.ndarray:
    """Return the triangles (N, 3, 3) of an island, metres in our world with Habitat's floor 0."""
    corners = np.array([np.array(vertex, np.float64) for vertex in
                        pathfinder.build_navmesh_vertices(island)]).reshape(-1, 3)
    indices = np.array(pathfinder.build_navmesh_vertex_indices(island), int)
    return to_world(corners)[indices.reshape(-1, 3)]


def _plan_area(triangles: np.ndarray) -> float:
    """Return the square metres that triangles cover, seen from above."""
    (ax, ay), (bx, by) = (
        (triangles[:, corner, :2] - triangles[:, 0, :2]).T for corner in (1, 2))
    return float(np.abs(ax * by - ay * bx).sum() / 2)


def _is_beside(top: np.ndarray, floor: np.ndarray, reach: float) -> bool:
    """Tell whether a floor is within reach (m, in the plan) of a top as high as furniture."""
    if not len(top):
        return False
    low, high = _TOP_HEIGHTS
    first = top[:, :, :2].min(axis=(0, 1)) - reach
    last = top[:, :, :2].max(axis=(0, 1)) + reach
    drop = np.median(top[:, :, 2]) - floor[:, :, 2].mean(axis=1)
    near = (floor[:, :, :2].max(axis=1) >= first) & (floor[:, :, :2].min(axis=1) <= last)
    floor = floor[near.all(axis=1) & (drop >= low) & (drop <= high)]
    if not len(floor):
        return False  # most islands, of which a building has hundreds
    columns, rows = np.ceil((last - first) / _TOP_CELL).astype(int) + 1
    plans = []
    for triangles in (top, floor):
        plan = np.zeros((rows, columns), np.uint8)
        for points in np.round((triangles[:, :, :2] - first) / _TOP_CELL).astype(np.int32):
            cv2.fillConvexPoly(plan, points, 1)
        plans.append(plan)
    radius = math.ceil(reach / _TOP_CELL)
    around = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
    return bool((cv2.dilate(plans[0], around) & plans[1]).any())


class NavmeshFloor:
    """
    The part of a navigation mesh that the robot can reach from its start without stairs.

    pathfinder: habitat_sim's. start: place (x, y, m) in our world. floor: Habitat's y (m) of the
    floor there. A grid of 5 cm cells is made when it is first asked for.
    """

    def __init__(self, pathfinder: Any, start: tuple[float, float], floor: float):
        self._pathfinder = pathfinder
        self._floor = floor
        # The mesh floats a little above the floor: query it at its own height.
        snapped = np.array(pathfinder.snap_point(self._query(*start, 0.0)), np.float64)
        offset = float(snapped[1]) - floor
        if not math.isfinite(offset) or abs(offset) > SAME_FLOOR:
            raise SceneError(
                f'the navigation mesh is not near the start ({start[0]:.2f}, {start[1]:.2f}): '
                'the robot would not stand on the floor there'
            )
        self._height = offset
        self._island = pathfinder.get_island(self._query(*start, offset))
        self._grid: tuple[np.ndarray, tuple[float, float], float] | None = None
        if start not in self:
            raise SceneError(
                f'the robot cannot stand at its start ({start[0]:.2f}, {start[1]:.2f}); '
                'is the scene larger than the robot, and its unit the metre?'
            )

    def _query(self, x: float, y: float, height: float | None = None) -> np.ndarray:
        """Return a place as the pathfinder wants it: float32, at the height of the mesh."""
        z = self._height if height is None else height
        return to_habitat((x, y, z), self._floor).astype(np.float32)

    def __contains__(self, place: tuple[float, float]) -> bool:
        """Tell whether the robot's centre may be at this place (x, y)."""
        if not all(map(math.isfinite, place)):
            return False
        point = self._query(*place)
        return bool(self._pathfinder.is_navigable(point, SAME_FLOOR)
                    and self._pathfinder.get_island(point) == self._island)

    def connects(self, start: tuple[float, float], end: tuple[float, float]) -> bool:
        """Tell whether the robot can move straight from one place to another, close by."""
        if end not in self:
            return False
        reached = self._pathfinder.try_step_no_sliding(self._query(*start), self._query(*end))
        x, y, _ = to_world(np.array(reached, np.float64), self._floor)
        return math.dist((x, y), end) < _ARRIVED

    def grid(
        self, bounds: tuple[float, float, float, float]
    ) -> tuple[np.ndarray, tuple[float, float], float]:
        """Return (bool grid[iy, ix], (x, y) of its corner, metres a cell) over these bounds."""
        if self._grid is None:
            xmin, ymin, xmax, ymax = bounds
            columns, rows = (max(1, math.ceil((high - low) / RESOLUTION - 1e-6))
                             for low, high in ((xmin, xmax), (ymin, ymax)))
            grid, unclear = self._outline((xmin, ymin), (rows, columns))
            for row, column in np.argwhere(unclear):
                grid[row, column] = (xmin + (column + 0.5) * RESOLUTION,
                                     ymin + (row + 0.5) * RESOLUTION) in self
            grid.setflags(write=False)
            self._grid = grid, (xmin, ymin), RESOLUTION
        return self._grid

    def _outline(
        self, corner: tuple[float, float], shape: tuple[int, int]
    ) -> tuple[np.ndarray, np.ndarray]:
        """
        Return (bool cells well inside the mesh, bool cells that have to be asked for one by one).

        A building has hundreds of thousands of cells, and each question takes microseconds.
        """
        triangles = _triangles(self._pathfinder, self._island)
        heights = triangles[:, :, 2] - self._floor - self._height
        near_us = (heights.min(axis=1) < SAME_FLOOR) & (heights.max(axis=1) > -SAME_FLOOR)
        triangles, heights = triangles[near_us], heights[near_us]  # stairs lead to other floors
        level = np.abs(heights).max(axis=1) < SAME_FLOOR / 2
        cells = np.round(((triangles[:, :, :2] - corner) / RESOLUTION - 0.5) * _SUBCELLS)
        inside, near = np.zeros(shape, np.uint8), np.zeros(shape, np.uint8)
        for points, is_level in zip(cells.astype(np.int32), level):
            cv2.fillConvexPoly(inside if is_level else near, points, 1, shift=_SUBCELL_BITS)
        sure = cv2.erode(inside, _AROUND, borderType=cv2.BORDER_CONSTANT, borderValue=0)
        sure &= ~cv2.dilate(near, _AROUND) & 1
        unclear = cv2.dilate(inside | near, _AROUND) & ~sure & 1
        return sure.astype(bool), unclear.astype(bool)

    def sample(self, rng: np.random.Generator) -> tuple[float, float]:
        """Draw a place, all equally likely. Raises SceneError where none is found."""
        # habitat_sim draws by area over the whole mesh; only this floor counts.
        self._pathfinder.seed(int(rng.integers(2**31)))
        for _ in range(_SAMPLE_TRIES):
            point = np.array(self._pathfinder.get_random_navigable_point(), np.float64)
            x, y, height = (float(value) for value in to_world(point, self._floor))
            if abs(height - self._height) <= SAME_FLOOR and (x, y) in self:
                return x, y
        raise SceneError(
            f'no place on this floor was found in {_SAMPLE_TRIES} tries: it is a tiny part of '
            'what is navigable in this scene')
