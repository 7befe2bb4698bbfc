# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""
A simulator in plain numpy: boxes in a room, one ray a pixel.

Slow, but its pictures are right by construction and need no graphics: the truth against which
example generation is tested.
"""

from dataclasses import replace
import math

from ipt_ros.geometry import compose, OrthographicCamera, Pose2D
from ipt_sim.protocol import CameraSpec, Frame, SceneObject
import numpy as np

FLOOR, WALL = 1, 2
NAMES = ('chair', 'table', 'sofa', 'lamp', 'plant', 'box')


class BoxWorld:
    """Implements the parts of `ipt_sim.Simulator` that looking needs."""

    half = 2.5
    colors = ((np.arange(64)[:, None] * [37, 91, 151] + [90, 40, 10]) % 200 + 30).astype(np.uint8)

    def __init__(self, boxes: list[SceneObject] | None = None):
        """Use the given boxes in every scene, or draw some from the seed."""
        self._fixed = boxes
        self.resets: list[int] = []

    def reset(self, seed: int) -> None:
        self.resets.append(seed)
        rng = np.random.default_rng(seed)
        self._boxes = self._fixed if self._fixed is not None else [
            SceneObject(
                10 + k, NAMES[rng.integers(len(NAMES))],
                (*(float(v) for v in rng.uniform(-2.2, 2.2, 2)), 0.3), (0.4, 0.4, 0.6), 0.0, 'red')
            for k in range(7)
        ]

    def objects(self) -> list[SceneObject]:
        h = self.half
        return [
            SceneObject(FLOOR, 'floor', (0, 0, 0), (2 * h, 2 * h, 0), 0.0, 'grey', True),
            SceneObject(WALL, 'wall', (0, 0, 1), (2 * h, 2 * h, 2), 0.0, 'white', True),
            *self._boxes,
        ]

    def room_bounds(self):
        return (-self.half, -self.half, self.half, self.half)

    def is_navigable(self, x: float, y: float) -> bool:
        inside = max(abs(x), abs(y)) < self.half - 0.2
        return inside and all(
            max(abs(x - b.position[0]) - b.size[0] / 2, abs(y - b.position[1]) - b.size[1] / 2)
            > 0.2 for b in self._boxes)

    def navigable_grid(self):
        step = 0.1
        centers = np.arange(-self.half, self.half, step) + step / 2
        grid = np.array([[self.is_navigable(x, y) for x in centers] for y in centers])
        return grid, (-self.half, -self.half), step

    def render(self, camera: CameraSpec, base: Pose2D, *, depth=True, instance=True) -> Frame:
        pose = base.matrix @ camera.optical_in_base
        pinhole = camera.intrinsics
        u, v = np.meshgrid(np.arange(camera.width), np.arange(camera.height))
        rays = pinhole.deproject(np.stack([u.ravel(), v.ravel()], 1), np.ones(u.size))
        directions = rays @ pose[:3, :3].T
        origins = np.broadcast_to(pose[:3, 3], directions.shape)
        return self._frame(origins, directions, u.shape, pose, pinhole)

    def render_topdown(self, center, yaw, size, pixels, *, depth=True, instance=True) -> Frame:
        # Columns: right, down and forward axes of the picture in the world.
        c, s = math.cos(yaw), math.sin(yaw)
        axes = np.array([[s, -c, 0], [-c, -s, 0], [0, 0, -1]])
        pose = compose(axes, (*center, 3.0))
        camera = OrthographicCamera(pixels, pixels, size / pixels)
        u, v = np.meshgrid(np.arange(pixels), np.arange(pixels))
        offsets = np.stack([u.ravel(), v.ravel(), np.zeros(u.size)], 1) - [
            (pixels - 1) / 2, (pixels - 1) / 2, 0]
        origins = pose[:3, 3] + offsets * size / pixels @ axes.T
        directions = np.broadcast_to(axes[:, 2], origins.shape)
        return self._frame(origins, directions, u.shape, pose, camera)

    def _frame(self, origins, directions, shape, pose, intrinsics) -> Frame:
        """Cast every ray at every box, floor and walls; ray parameters are planar depths."""
        directions = np.where(np.abs(directions) < 1e-9, 1e-9, directions)
        nearest = np.full(len(origins), np.inf)
        ids = np.zeros(len(origins), np.int32)

        def hit(distance, valid, number):
            closer = valid & (distance > 1e-6) & (distance < nearest)
            nearest[closer], ids[closer] = distance[closer], number

        for box in self._boxes:
            low, high = (np.array(box.position) + sign * np.array(box.size) / 2
                         for sign in (-1, 1))
            first, second = (low - origins) / directions, (high - origins) / directions
            near = np.minimum(first, second).max(1)
            hit(near, near <= np.maximum(first, second).min(1), box.id)
        for axis, value, number in (
                (2, 0.0, FLOOR), (0, self.half, WALL), (0, -self.half, WALL),
                (1, self.half, WALL), (1, -self.half, WALL)):
            distance = (value - origins[:, axis]) / directions[:, axis]
            place = origins + distance[:, None] * directions
            inside = (np.abs(place[:, :2]) <= self.half + 1e-6).all(1) & (place[:, 2] < 2.5)
            hit(distance, inside & (place[:, 2] > -1e-6), number)
        return Frame(
            self.colors[ids].reshape(*shape, 3),
            np.where(np.isfinite(nearest), nearest, 0).astype(np.float32).reshape(shape),
            ids.reshape(shape), pose, intrinsics)


class ScannedWorld(BoxWorld):
    """
    A world whose pictures show things that nobody annotated, as every real scan does.

    share: of small squares of the world that are of nothing known: as often as not they have the
    id 0, else ids that no object has, above and between those that objects have. names: of the
    boxes in turn.
    """

    unknown = (0, 3, 4242)

    def __init__(self, share: float = 0.2, names: tuple[str, ...] = NAMES):
        super().__init__()
        self._share, self._names = share, names

    def reset(self, seed: int) -> None:
        super().reset(seed)
        self._boxes = [replace(box, name=self._names[number % len(self._names)])
                       for number, box in enumerate(self._boxes)]

    def _frame(self, origins, directions, shape, pose, intrinsics) -> Frame:
        frame = super()._frame(origins, directions, shape, pose, intrinsics)
        places = origins + frame.depth.reshape(-1, 1) * directions
        cells = np.floor(places / 0.25 + 0.01).astype(np.int64) @ (73_856_093, 19_349_663, 83_492)
        drawn = (cells % 1000).reshape(shape)
        unknown = drawn < 1000 * self._share
        instance = np.where(unknown, np.array(self.unknown)[drawn % len(self.unknown)],
                            frame.instance)
        return replace(frame, instance=instance.astype(np.int32))
