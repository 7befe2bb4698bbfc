# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""The embedded simulator: generated rooms, drawn by MuJoCo, driven kinematically."""

from collections.abc import Callable, Sequence

from ipt_ros.geometry import looking_down, OrthographicCamera, PinholeCamera
from ipt_ros.geometry.navigation import NavigableGrid
from ipt_sim.backend import Backend
from ipt_sim.mujoco_pool import ScenePool
from ipt_sim.mujoco_renderer import OffscreenRenderer
from ipt_sim.protocol import (
    CameraSpec,
    EmptyFrameError,
    Frame,
    SceneObject,
    SimulatorError,
)
from ipt_sim.scenes.model import Item, Scene
from ipt_sim.scenes.objects import scene_object
from ipt_sim.scenes.room import generate_scene
import numpy as np

_TOPDOWN_HEIGHT = 3.5  # of the map camera, above every wall, m
_WIDEST_GAP = 0.02  # largest share of empty pixels that a closed room may show


class MujocoSimulator(Backend):
    """
    A differential-drive robot with cameras in a room generated from a seed.

    cameras: of the robot. robot_radius: of its footprint (m). max_image_size: (width, height) of
    the largest picture that will be asked for. samples: colour samples a pixel (smooth edges).
    See `Simulator` for the calls.
    """

    def __init__(
        self,
        cameras: Sequence[CameraSpec] | None = None,
        *,
        robot_radius: float = 0.2,
        max_image_size: tuple[int, int] = (640, 640),
        samples: int = 4,
    ):
        super().__init__(cameras, robot_radius)
        largest = tuple(
            max([limit] + [getattr(camera, side) for camera in self._cameras])
            for limit, side in zip(max_image_size, ('width', 'height'))
        )
        self._pool = ScenePool(largest, samples)
        self._renderer = OffscreenRenderer(self._pool)
        self._change: Callable[[Scene], Scene] | None = None
        self._scene: Scene | None = None
        self._items: dict[int, Item] = {}
        self._grid: NavigableGrid | None = None

    @property
    def scene(self) -> Scene:
        """Return the room as generated. Raises SimulatorError before the first reset."""
        if self._scene is None:
            raise SimulatorError('there is no scene yet: call reset(seed) first')
        return self._scene

    def reset(self, seed: int) -> None:
        """Build the scene of this seed and put the robot at its start."""
        scene = generate_scene(seed)
        if self._change is not None:
            scene = self._change(scene)
        self._items = self._pool.load(scene)
        self._renderer.update()
        self._scene, self._grid, self._pose = scene, None, scene.start

    def restyle(self, change: Callable[[Scene], Scene] | None) -> None:
        """Show scenes, from the next reset on, as `change` returns them; see `Restylable`."""
        self._change = change

    def objects(self) -> list[SceneObject]:
        """Return everything in the scene that has a name, ascending by id."""
        self._require_scene()
        return [scene_object(number, item) for number, item in sorted(self._items.items())]

    def room_bounds(self) -> tuple[float, float, float, float]:
        """Return (xmin, ymin, xmax, ymax) of the floor."""
        x, y = self.scene.size
        return -x / 2, -y / 2, x / 2, y / 2

    def navigable_grid(self) -> tuple[np.ndarray, tuple[float, float], float]:
        """Return (bool grid[iy, ix], world x, y of the corner of cell [0, 0], metres a cell)."""
        grid = self._places()
        return grid.grid, grid.origin, grid.resolution

    def close(self) -> None:
        """Free the renderer."""
        self._renderer.close()

    def _require_scene(self) -> None:
        _ = self.scene

    def _places(self) -> NavigableGrid:
        if self._grid is None:  # pictures alone do not need it
            obstacles = [item.footprint for item in self.scene.items if item.blocks]
            start = (self.scene.start.x, self.scene.start.y)
            self._grid = NavigableGrid(self.room_bounds(), obstacles, self._radius, start)
        return self._grid

    def _draw_view(
        self, camera: CameraSpec, world_from_optical: np.ndarray, depth: bool, instance: bool,
    ) -> Frame:
        frame = self._draw(
            camera.intrinsics, world_from_optical, ceiling=True, depth=depth, instance=instance)
        x, y, z = world_from_optical[:3, 3]
        xmin, ymin, xmax, ymax = self.room_bounds()
        if xmin < x < xmax and ymin < y < ymax and 0.0 < z < self.scene.height:
            _require_full(frame)
        return frame

    def _draw_map(
        self, camera: OrthographicCamera, center: tuple[float, float], yaw: float, depth: bool,
        instance: bool,
    ) -> Frame:
        world_from_optical = looking_down(center, yaw, _TOPDOWN_HEIGHT)
        return self._draw(
            camera, world_from_optical, ceiling=False, depth=depth, instance=instance)

    def _draw(
        self, intrinsics: PinholeCamera | OrthographicCamera, world_from_optical: np.ndarray,
        **what: bool,
    ) -> Frame:
        arrays = self._renderer.draw(intrinsics, world_from_optical, **what)
        return Frame(*arrays, world_from_optical, intrinsics)


def _require_full(frame: Frame) -> None:
    """
    Refuse the picture of a closed room that shows nothing, or holes.

    A draw that failed comes back black, and faster than a good one: it would spoil training data
    and frame rates without a word.
    """
    empty = not frame.rgb.any()
    if frame.instance is not None:
        empty |= bool(np.count_nonzero(frame.instance == 0) > _WIDEST_GAP * frame.instance.size)
    if empty:
        raise EmptyFrameError(
            'the renderer returned an empty picture of a closed room: the graphics driver failed. '
            'Try MUJOCO_GL=osmesa, or a new process'
        )
