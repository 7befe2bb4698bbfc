# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""
What depth images have shown of the floor: free, occupied or not yet seen.

Each cell holds the logarithm of the odds that something stands there, raised by points above it
and lowered by what was seen through it, between limits (as in OctoMap, Hornung et al., 2013,
doi:10.1007/s10514-012-9321-0), so that a map gets over moved chairs and noisy pixels.
"""

import math

import cv2
from ipt_ros.geometry import PinholeCamera, Pose2D, transform_points
import numpy as np

# Two looks show an obstacle where the floor was free for long: somebody may step in the way.
_HIT, _MISS, _LOWEST, _HIGHEST = 1.4, -0.4, -1.0, 3.5
_OCCUPIED, _FREE = 0.5, -0.3  # log-odds above and below which a cell counts as one or the other
_COLUMNS, _ROWS = 96, 64  # of an image, at most, that are looked at
_GROWTH = 4.0  # m by which the map grows when something lies outside


class OccupancyMap:
    """
    A map of the floor in the frame of the poses it is given.

    resolution: metres a cell. lowest, highest: heights (m) between which a point is an obstacle
    for the robot; what is lower is floor, what is higher it passes under. reach: metres beyond
    which depth is not trusted.
    """

    def __init__(
        self, resolution: float = 0.05, lowest: float = 0.1, highest: float = 1.4,
        reach: float = 5.0,
    ):
        if not (resolution > 0 and 0 < lowest < highest and reach > 0):
            raise ValueError(
                'a map needs resolution > 0, 0 < lowest < highest and reach > 0; got '
                f'{resolution}, {lowest}, {highest}, {reach}')
        self.resolution = resolution
        self._band = (lowest, highest)
        self._reach = reach
        self._origin: tuple[float, float] | None = None  # x, y of the corner of cell [0, 0]
        self._odds = np.zeros((0, 0), np.float32)
        self._seen = np.zeros((0, 0), bool)

    @property
    def origin(self) -> tuple[float, float]:
        """x, y (m) of the outer corner of cell [0, 0]."""
        return self._origin or (0.0, 0.0)

    @property
    def free(self) -> np.ndarray:
        """Bool [iy, ix]: cells that were seen to be free."""
        return self._seen & (self._odds < _FREE)

    @property
    def occupied(self) -> np.ndarray:
        """Bool [iy, ix]: cells where something stands."""
        return self._odds > _OCCUPIED

    @property
    def unknown(self) -> np.ndarray:
        """Bool [iy, ix]: cells of which nothing is known."""
        return ~self._seen

    @property
    def known_area(self) -> float:
        """Square metres that were seen."""
        return float(self._seen.sum()) * self.resolution**2

    def see(
        self, camera: PinholeCamera, depth: np.ndarray, world_from_optical: np.ndarray,
    ) -> None:
        """
        Take in a depth image, float (H, W) metres along the optical axis, 0 or NaN: not measured.

        Between the camera and the nearest obstacle of an image column everything is free.
        """
        if depth.shape != (camera.height, camera.width):
            raise ValueError(
                f'the depth image has {depth.shape[1]}x{depth.shape[0]} pixels, its camera '
                f'{camera.width}x{camera.height}')
        points, distances = self._world_points(camera, depth, world_from_optical)
        eye = world_from_optical[:2, 3]
        heights = points[..., 2]
        with np.errstate(invalid='ignore'):
            near = distances <= self._reach
            obstacle = near & (heights > self._band[0]) & (heights < self._band[1])
            floor = near & (np.abs(heights) <= self._band[0])
        ends = _ends_of_sight(points[..., :2], distances, obstacle, floor)
        hits = points[obstacle][:, :2]
        self._cover(np.vstack([eye[None], ends, hits]))
        if len(ends) > 1:
            self._clear(eye, ends)
        self._hit(hits)

    def stand(self, pose: Pose2D, radius: float) -> None:
        """Take note that the robot, a disc, stands there: nothing else does."""
        around = np.array([[pose.x - radius, pose.y - radius], [pose.x + radius, pose.y + radius]])
        self._cover(around)
        disc = self._disc(pose, radius)
        self._seen |= disc
        self._odds[disc] = np.minimum(self._odds[disc], _FREE - 0.1)

    def block(self, pose: Pose2D, radius: float) -> None:
        """Take note that something invisible stopped a robot of this radius on its way ahead."""
        touched = pose.moved(radius + self.resolution)
        self._cover(np.array([[touched.x, touched.y]]))
        disc = self._disc(touched, 1.5 * self.resolution)
        self._seen |= disc
        self._odds[disc] = _HIGHEST

    def passable(self, clearance: float) -> np.ndarray:
        """Return bool [iy, ix]: free cells at least `clearance` (m) from every obstacle."""
        occupied = self.occupied
        if not occupied.any():
            return self.free
        distance = cv2.distanceTransform(
            (~occupied).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
        return self.free & (distance >= clearance / self.resolution)

    def cell(self, x: float, y: float) -> tuple[int, int]:
        """Return (iy, ix) of a place (m); it may lie outside the map."""
        return (math.floor((y - self.origin[1]) / self.resolution),
                math.floor((x - self.origin[0]) / self.resolution))

    def _world_points(self, camera, depth, world_from_optical):
        """Return points (rows, columns, 3) and their distances on the floor; NaN: not measured."""
        rows = np.linspace(0, camera.height - 1, min(_ROWS, camera.height)).round().astype(int)
        columns = np.linspace(0, camera.width - 1, min(_COLUMNS, camera.width)).round().astype(int)
        metres = depth[np.ix_(rows, columns)].astype(np.float64)
        metres[~(np.isfinite(metres) & (metres > 0))] = np.nan
        v, u = np.meshgrid(rows, columns, indexing='ij')
        points = camera.deproject(np.stack([u.ravel(), v.ravel()], axis=1), metres.ravel())
        points = transform_points(world_from_optical, points).reshape(*metres.shape, 3)
        return points, np.hypot(*np.moveaxis(points[..., :2] - world_from_optical[:2, 3], -1, 0))

    def _cover(self, places: np.ndarray) -> None:
        """Make the map large enough for (N, 2) places."""
        size = self.resolution
        low, high = places.min(axis=0), places.max(axis=0)
        if self._origin is None:
            self._origin = tuple(np.floor((low - _GROWTH) / size) * size)
        first = np.floor((low - self._origin) / size).astype(int)
        last = np.floor((high - self._origin) / size).astype(int)
        rows, columns = self._odds.shape
        growth = math.ceil(_GROWTH / size)
        before = [growth - int(value) if value < 0 else 0 for value in first[::-1]]
        after = [max(0, int(value) + 1 + growth - side) if value >= side else 0
                 for value, side in zip(last[::-1], (rows, columns))]
        if any(before) or any(after):
            widths = tuple(zip(before, after))
            self._odds, self._seen = np.pad(self._odds, widths), np.pad(self._seen, widths)
            self._origin = (self._origin[0] - before[1] * size, self._origin[1] - before[0] * size)

    def _clear(self, eye: np.ndarray, ends: np.ndarray) -> None:
        outline = np.vstack([eye[None], ends])
        cells = np.floor((outline - self.origin) / self.resolution).astype(np.int32)
        mask = np.zeros(self._odds.shape, np.uint8)
        cv2.fillPoly(mask, [cells], 1)
        free = mask.astype(bool)
        self._seen |= free
        self._odds[free] = np.maximum(self._odds[free] + _MISS, _LOWEST)

    def _hit(self, hits: np.ndarray) -> None:
        columns, rows = np.floor((hits - self.origin) / self.resolution).astype(int).T
        mask = np.zeros(self._odds.shape, bool)
        mask[rows, columns] = True
        self._seen |= mask
        # What the free polygon has just taken from its edge is given back.
        self._odds[mask] = np.minimum(self._odds[mask] + _HIT - _MISS, _HIGHEST)

    def _disc(self, pose: Pose2D, radius: float) -> np.ndarray:
        rows, columns = np.indices(self._odds.shape)
        x = (columns + 0.5) * self.resolution + self.origin[0]
        y = (rows + 0.5) * self.resolution + self.origin[1]
        return np.hypot(x - pose.x, y - pose.y) <= radius


def _ends_of_sight(
    places: np.ndarray, distances: np.ndarray, obstacle: np.ndarray, floor: np.ndarray,
) -> np.ndarray:
    """
    Return where the sight along the floor ends in each image column, (N, 2), left to right.

    That is the nearest obstacle or, without one, the farthest floor; columns with neither are
    left out.
    """
    ends = []
    for column in range(places.shape[1]):
        here = distances[:, column]
        if obstacle[:, column].any():
            row = np.where(obstacle[:, column], here, np.inf).argmin()
        elif floor[:, column].any():
            row = np.where(floor[:, column], here, -np.inf).argmax()
        else:
            continue
        ends.append(places[row, column])
    return np.array(ends).reshape(-1, 2)
