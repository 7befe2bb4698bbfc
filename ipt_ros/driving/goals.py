# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""Where to go next: to the edge of what is known, anywhere, or along a list of poses."""

from collections.abc import Iterable
from dataclasses import dataclass
import math

import cv2
from ipt_ros.driving.occupancy import OccupancyMap
from ipt_ros.geometry import Pose2D
from ipt_ros.geometry.navigation import ShortestPaths, WaysFrom
import numpy as np

_SNAP = 0.6  # m that a place may lie from where the robot fits
_SMALLEST = 5  # cells of a frontier that is worth a visit
_NEAREST = 0.6  # m to a place worth driving to
_PROGRESS = 0.3  # m that an approach must bring to be worth it


@dataclass(frozen=True)
class Trip:
    """Where to go, heading included, and the (N, 2) corners of the way there (m)."""

    goal: Pose2D
    way: np.ndarray


class Routes:
    """The ways over a map from where a robot stands; clearance: metres to keep from obstacles."""

    def __init__(self, occupancy: OccupancyMap, pose: Pose2D, clearance: float):
        """Find them; `reachable` is empty where the robot cannot go anywhere."""
        self._map = occupancy
        self.passable = occupancy.passable(clearance)
        self.reachable = np.zeros((0, 2))
        self._ways: WaysFrom | None = None
        self._here = np.array([pose.x, pose.y])
        if not self.passable.any():
            return
        self._paths = ShortestPaths(self.passable, occupancy.origin, occupancy.resolution)
        self._places = self._paths.places
        near = np.linalg.norm(self._places - self._here, axis=1)
        if near.min() > _SNAP:
            return
        self._ways = self._paths.from_place(tuple(self._places[near.argmin()]))
        self._numbers = np.nonzero(np.isfinite(self._ways.distances))[0]
        self.reachable = self._places[self._numbers]

    @property
    def distances(self) -> np.ndarray:
        """Metres to each of `reachable`."""
        return self._ways.distances[self._numbers]

    def to(self, index: int) -> np.ndarray:
        """Return the way to a row of `reachable`."""
        way = self._ways.to(int(self._numbers[index]))
        return np.vstack([self._here, way])

    def nearest(self, x: float, y: float) -> int | None:
        """Return the row of `reachable` next to a place; None where all are far from it."""
        if not len(self.reachable):
            return None
        gaps = np.linalg.norm(self.reachable - (x, y), axis=1)
        return int(gaps.argmin()) if gaps.min() <= _SNAP else None

    def frontiers(self) -> list[np.ndarray]:
        """Return the frontiers, each (N, 2) cells [iy, ix] that are free and touch the unknown."""
        unknown = cv2.dilate(self._map.unknown.astype(np.uint8), np.ones((3, 3), np.uint8))
        # What lies next to an obstacle leads behind it, where nobody fits.
        edge = (unknown > 0) & self.passable
        count, labels = cv2.connectedComponents(edge.astype(np.uint8), connectivity=8)
        groups = (np.argwhere(labels == label) for label in range(1, count))
        return [cells for cells in groups if len(cells) >= _SMALLEST]


class FrontierGoals:
    """
    A random walk that prefers places from which something new can be seen.

    As long as there are frontiers (Yamauchi, 1997, doi:10.1109/CIRA.1997.613851), one of them is
    drawn, large and near ones more often; afterwards any place, all of them equally likely.
    """

    def __init__(self, rng: np.random.Generator):
        self._rng = rng

    def next_trip(self, occupancy: OccupancyMap, pose: Pose2D, clearance: float) -> Trip | None:
        """Return the next trip, None where the robot cannot go anywhere."""
        routes = Routes(occupancy, pose, clearance)
        if not len(routes.reachable):
            return None
        picked = self._frontier(routes, occupancy)
        if picked is None:
            picked = self._anywhere(routes)
        if picked is None:
            return None
        way = routes.to(picked)
        return Trip(Pose2D(*way[-1], self._rng.uniform(-math.pi, math.pi)), way)

    def _frontier(self, routes: Routes, occupancy: OccupancyMap) -> int | None:
        choices, weights = [], []
        for cells in routes.frontiers():
            middle = (cells[len(cells) // 2][::-1] + 0.5) * occupancy.resolution + occupancy.origin
            index = routes.nearest(*middle)
            if index is not None and routes.distances[index] >= _NEAREST:
                choices.append(index)
                weights.append(len(cells) / (1.0 + routes.distances[index]))
        if not choices:
            return None
        share = np.array(weights) / sum(weights)
        return int(choices[self._rng.choice(len(choices), p=share)])

    def _anywhere(self, routes: Routes) -> int | None:
        far = np.nonzero(routes.distances >= _NEAREST)[0]
        return int(self._rng.choice(far)) if len(far) else None

    def failed(self) -> None:
        """Take note that the last trip could not be finished; another one is drawn anyway."""


class GivenPoses:
    """
    Poses to visit one after the other.

    A pose whose surroundings are not known yet is approached as far as the map reaches, again and
    again; poses that cannot be reached are left out.
    """

    def __init__(self, poses: Iterable[Pose2D]):
        self.left_out: list[Pose2D] = []
        self._waiting = list(poses)
        self._closest = math.inf  # m to the next pose, over all approaches so far
        self._last: Pose2D | None = None

    def next_trip(self, occupancy: OccupancyMap, pose: Pose2D, clearance: float) -> Trip | None:
        """Return the trip to the next pose, or towards it; None after the last."""
        while self._waiting:
            goal = self._waiting[0]
            routes = Routes(occupancy, pose, clearance)
            index = routes.nearest(goal.x, goal.y)
            if index is not None:
                self._take()
                return Trip(goal, np.vstack([routes.to(index), [(goal.x, goal.y)]]))
            if len(routes.reachable):
                gaps = np.linalg.norm(routes.reachable - (goal.x, goal.y), axis=1)
                index = int(gaps.argmin())
                if gaps[index] < self._closest - _PROGRESS:
                    self._closest = float(gaps[index])
                    way = routes.to(index)
                    heading = math.atan2(goal.y - way[-1][1], goal.x - way[-1][0])
                    return Trip(Pose2D(*way[-1], heading), way)
            self.left_out.append(self._take())
            self._last = None
        return None

    def failed(self) -> None:
        """Take note that the last trip could not be finished."""
        if self._last is not None:
            self.left_out.append(self._last)
            self._last = None

    def _take(self) -> Pose2D:
        self._closest = math.inf
        self._last = self._waiting.pop(0)
        return self._last
