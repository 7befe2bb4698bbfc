# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""A path over the floor: what makes one, its midpoint M1, and how it gets on a map."""

from dataclasses import dataclass
import math
from typing import NamedTuple

from ipt_ros.geometry import OrthographicCamera, Pose2D, transform_points
from ipt_ros.spatial.errors import PathInvalidError, PathOutsideMapError, TargetInvalidError
from ipt_ros.spatial.path_marks import draw_path, WAYPOINT_RADIUS
import numpy as np

MIN_SEPARATION = 1.0  # metres between waypoints 1 and 2, as in the published data
# The direction of travel at M1 is that of the chord over so many metres of path on either side.
REACH = 0.25


@dataclass(frozen=True)
class FloorPath:
    """
    A path on the floor from waypoint 1 to waypoint 2.

    points: (N, 2) metres, N of 2 or more. Raises TargetInvalidError for NaN and infinity and
    PathInvalidError where there is no way to draw, with what to do about it.
    """

    points: np.ndarray

    def __post_init__(self):
        """Check the points."""
        points = np.asarray(self.points, float)
        if points.ndim != 2 or points.shape[1:] != (2,):
            raise PathInvalidError(f'a path is points (x, y), got an array of {points.shape}')
        if len(points) < 2:
            raise PathInvalidError(
                f'the path has {len(points)} pose(s); give two or more, from waypoint 1 to '
                'waypoint 2')
        if not np.isfinite(points).all():
            bad = np.nonzero(~np.isfinite(points).all(axis=1))[0][0]
            raise TargetInvalidError(
                f'NaN or infinity in the path: pose {bad} is {tuple(points[bad].tolist())}')
        apart = math.dist(points[0], points[-1])
        if apart < MIN_SEPARATION:
            raise PathInvalidError(
                f'waypoints 1 and 2 are {apart:.2f} m apart; their marks need at least '
                f'{MIN_SEPARATION} m')
        object.__setattr__(self, 'points', points)

    @property
    def length(self) -> float:
        """Metres from waypoint 1 to waypoint 2 along the path."""
        return float(self._distances()[-1])

    @property
    def midpoint(self) -> Pose2D:
        """M1: half way along the path, heading as one who walks from waypoint 1 to 2."""
        return self.pose_at(self.length / 2)

    def reversed(self) -> 'FloorPath':
        """Return the same way back."""
        return FloorPath(self.points[::-1])

    def pose_at(self, distance: float) -> Pose2D:
        """Return where one is after so many metres, with the direction of travel there."""
        half = min(REACH, self.length / 4)
        place, behind, ahead = (
            self._point_at(distance + offset) for offset in (0.0, -half, half))
        along = ahead - behind
        return Pose2D(*place.tolist(), math.atan2(along[1], along[0]))

    def bend_at(self, distance: float) -> float:
        """Return by how much (rad, 0 or more) the direction changes around a place."""
        half = min(REACH, self.length / 4)
        behind, place, ahead = (
            self._point_at(distance + offset) for offset in (-half, 0.0, half))
        before, after = (math.atan2(*(b - a)[::-1]) for a, b in ((behind, place), (place, ahead)))
        return abs(math.remainder(after - before, math.tau))

    def _distances(self) -> np.ndarray:
        return np.concatenate([[0.0], np.hypot(*np.diff(self.points, axis=0).T).cumsum()])

    def _point_at(self, distance: float) -> np.ndarray:
        distances = self._distances()
        return np.array([np.interp(distance, distances, axis) for axis in self.points.T])


class PathPixels(NamedTuple):
    """
    Where a path is in a picture; what `draw_path` and `label_path` take behind their first.

    path: (N, 2) pixels. midpoint: pixel of M1. look: direction of the arrow in the picture, which
    may be any length, or None for no arrow.
    """

    path: np.ndarray
    midpoint: np.ndarray
    look: np.ndarray | None


def locate_path(
    camera: OrthographicCamera,
    world_from_optical: np.ndarray,
    path: FloorPath,
    look: float | None = None,
) -> PathPixels:
    """
    Return where a path is in a top-down picture.

    camera, world_from_optical (4x4): where it was taken, in the frame of the path. look: heading
    (rad, same frame) of the arrow at M1, or None for no arrow. Raises PathOutsideMapError where
    the path leaves the picture.
    """
    optical_from_world = np.linalg.inv(world_from_optical)
    middle = path.midpoint

    def pixels(points: np.ndarray) -> np.ndarray:
        flat = np.column_stack([points, np.zeros(len(points))])
        return camera.project(transform_points(optical_from_world, flat))[0]

    uv = pixels(path.points)
    margin = WAYPOINT_RADIUS * min(camera.width, camera.height)
    last = np.array([camera.width, camera.height]) - 1 - margin
    outside = ~((uv >= margin) & (uv <= last)).all(axis=1)
    if outside.any():
        first = int(np.argmax(outside))
        x, y = path.points[first]
        raise PathOutsideMapError(
            f'the path leaves the map: pose {first} at ({x:.2f}, {y:.2f}) m falls on pixel '
            f'({uv[first][0]:.0f}, {uv[first][1]:.0f}) of a {camera.width}x{camera.height} map, '
            f'and its mark needs {margin:.0f} pixels on every side; give a path on the map')
    if look is None:
        return PathPixels(uv, pixels(np.array([[middle.x, middle.y]]))[0], None)
    tail, tip = pixels(np.array([
        [middle.x, middle.y], [middle.x + math.cos(look), middle.y + math.sin(look)]]))
    return PathPixels(uv, tail, tip - tail)


def mark_path(
    image: np.ndarray,
    camera: OrthographicCamera,
    world_from_optical: np.ndarray,
    path: FloorPath,
    look: float | None = None,
) -> np.ndarray:
    """
    Return a copy of a top-down picture, uint8 (H, W, 3), with a path drawn on it.

    For the other arguments and errors see `locate_path`.
    """
    return draw_path(image, *locate_path(camera, world_from_optical, path, look))
