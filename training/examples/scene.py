# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""One scene as example generation sees it: objects, room to stand, pictures with their truth."""

from dataclasses import dataclass, replace
from functools import cached_property
import math

import cv2
from ipt_ros.geometry import Pose2D
from ipt_ros.geometry.navigation import ShortestPaths
from ipt_ros.spatial import DenseTruth
from ipt_sim.protocol import CameraSpec, Frame, SceneError, SceneObject, Simulator
import numpy as np

NOTHING = 'nothing'
FLOOR_CLASSES = frozenset({'floor', 'rug', 'carpet', 'mat'})
# The truth per pixel has 256 numbers; some stay free for nothing and for marks.
MAX_CLASSES = 240


@dataclass(frozen=True)
class Picture:
    """
    A rendered view at the model's resolution.

    ``rgb`` is averaged down from a larger render, ``frame`` is that render with its instance ids
    and depth, ``dense`` the per-pixel truth at the size of ``rgb``. Every id in ``frame`` is that
    of an object of the scene, or 0: scans show much that nobody annotated.
    """

    rgb: np.ndarray
    frame: Frame
    dense: DenseTruth


class Scene:
    """A simulator that holds the scene of one seed, with what sampling needs to know of it."""

    def __init__(self, sim: Simulator, seed: int):
        """
        Reset the simulator to the scene of ``seed``.

        Raises SceneError for a scene that names nothing, and for one with more classes than the
        truth per pixel can tell apart.
        """
        sim.reset(seed)
        self.sim = sim
        self.seed = seed
        self.objects = {item.id: item for item in sim.objects()}
        if not self.objects:
            raise SceneError('the scene says nothing about its objects: there is nothing to ask')
        names = {item.name for item in self.objects.values()} - {NOTHING}
        if len(names) > MAX_CLASSES:
            raise SceneError(f'the scene has objects of {len(names)} classes; the truth of a '
                             f'pixel can tell {MAX_CLASSES} apart')
        self.class_names = [NOTHING, *sorted(names)]
        # By id, of all ids that objects have: the id itself, and the class. 0 for all others.
        self._known_id = np.zeros(max(self.objects, default=0) + 1, np.int32)
        self._class_of_id = np.zeros(len(self._known_id), np.uint8)
        for key, item in self.objects.items():
            self._known_id[key] = key
            self._class_of_id[key] = self.class_names.index(item.name)
        self._grid, self._origin, self._step = sim.navigable_grid()
        rows, columns = np.nonzero(self._grid)
        # Centres of all cells where the robot can stand, metres.
        self._places = np.column_stack([columns, rows]) * self._step + (
            np.asarray(self._origin) + self._step / 2)

    @cached_property
    def ways(self) -> ShortestPaths:
        """Return the short ways through the scene."""
        return ShortestPaths(self._grid, self._origin, self._step)

    def sample_positions(
        self, rng: np.random.Generator, count: int, wall_distance: float = 0.0,
    ) -> np.ndarray:
        """Draw Nx2 places to stand, so far from the walls at least; N is 0 if there are none."""
        xmin, ymin, xmax, ymax = self.sim.room_bounds()
        low = np.array([xmin, ymin]) + wall_distance
        high = np.array([xmax, ymax]) - wall_distance
        places = self._places[((self._places >= low) & (self._places <= high)).all(axis=1)]
        if not len(places):
            return places
        drawn = places[rng.integers(len(places), size=count)]
        return drawn + rng.uniform(-0.5, 0.5, drawn.shape) * self._step

    def can_stand(self, places: np.ndarray) -> np.ndarray:
        """Tell for each of Nx2 places whether the robot fits there (by the cell it is in)."""
        columns, rows = np.floor((places - self._origin) / self._step).astype(int).T
        height, width = self._grid.shape
        inside = (columns >= 0) & (rows >= 0) & (columns < width) & (rows < height)
        result = np.zeros(len(places), bool)
        result[inside] = self._grid[rows[inside], columns[inside]]
        return result

    def look(
        self,
        pose: Pose2D,
        pixels: int,
        supersample: int,
        height: float,
        hfov: float = math.pi / 2,
    ) -> Picture:
        """Render a square view from a base pose."""
        side = pixels * supersample
        camera = CameraSpec('task', side, side, hfov, (0.0, 0.0, height))
        return self._picture(self.sim.render(camera, pose), supersample)

    def look_down(
        self, center: tuple[float, float], yaw: float, size: float, pixels: int, supersample: int,
    ) -> Picture:
        """Render the map around a centre, heading ``yaw`` up."""
        frame = self.sim.render_topdown(center, yaw, size, pixels * supersample)
        return self._picture(frame, supersample)

    def names(self, ids) -> list[str]:
        """Return the class names of object ids."""
        return [self.objects[i].name for i in ids]

    def name_at(self, picture: Picture, row: int, column: int) -> str:
        """Return the class name of what a pixel of a render shows, NOTHING if nobody knows."""
        item = self.objects.get(int(picture.frame.instance[row, column]))
        return NOTHING if item is None else item.name

    def _picture(self, frame: Frame, supersample: int) -> Picture:
        possible = (frame.instance >= 0) & (frame.instance < len(self._known_id))
        frame = replace(frame, instance=self._known_id[np.where(possible, frame.instance, 0)])
        middle = slice(supersample // 2, None, supersample)
        instance = frame.instance[middle, middle]
        depth = np.clip(np.round(frame.depth[middle, middle] * 1000), 0, 65535)
        dense = DenseTruth(self._class_of_id[instance], depth.astype(np.uint16))
        return Picture(shrink(frame.rgb, supersample), frame, dense)

    def furniture(self) -> dict[int, SceneObject]:
        """Return everything that is no part of the room itself."""
        return {key: item for key, item in self.objects.items() if not item.structural}


def shrink(rgb: np.ndarray, factor: int) -> np.ndarray:
    """Average a uint8 image down by a whole factor."""
    if factor == 1:
        return rgb
    height, width = rgb.shape[0] // factor, rgb.shape[1] // factor
    return cv2.resize(rgb, (width, height), interpolation=cv2.INTER_AREA)
