# SPDX-License-Identifier: Apache-2.0
"""The embedded simulator: generated rooms, drawn by MuJoCo, driven kinematically."""

from collections.abc import Callable, Sequence
import math

from ipt_ros.geometry import (
    looking_down,
    OrthographicCamera,
    PinholeCamera,
    Pose2D,
    wrap_angle,
)
from ipt_sim.driving import drive
from ipt_sim.mujoco_pool import ScenePool
from ipt_sim.mujoco_renderer import OffscreenRenderer
from ipt_sim.navigation import NavigableGrid
from ipt_sim.protocol import (
    CameraSpec,
    EmptyFrameError,
    Frame,
    NotNavigableError,
    SceneObject,
    SimulatorError,
    StepResult,
    surround_cameras,
)
from ipt_sim.scenes.model import Item, Scene
from ipt_sim.scenes.objects import scene_object
from ipt_sim.scenes.room import generate_scene
import numpy as np

_TOPDOWN_HEIGHT = 3.5  # of the map camera, above every wall, m
_WIDEST_GAP = 0.02  # largest share of empty pixels that a closed room may show


class MujocoSimulator:
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
        if not robot_radius > 0:
            raise ValueError(f'robot_radius must be positive, got {robot_radius}')
        self._cameras = tuple(cameras) if cameras is not None else surround_cameras()
        self._by_name = {camera.name: camera for camera in self._cameras}
        if len(self._by_name) != len(self._cameras):
            raise ValueError('two cameras have the same name')
        self._radius = robot_radius
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
        self._pose = Pose2D(0.0, 0.0)

    @property
    def cameras(self) -> tuple[CameraSpec, ...]:
        """The cameras of the robot."""
        return self._cameras

    @property
    def pose(self) -> Pose2D:
        """Where the robot is."""
        return self._pose

    @property
    def scene(self) -> Scene:
        """The room as generated. Raises SimulatorError before the first reset."""
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

    def teleport(self, pose: Pose2D) -> None:
        """Put the robot there. Raises NotNavigableError where it does not fit."""
        if not math.isfinite(pose.yaw) or not self.is_navigable(pose.x, pose.y):
            raise NotNavigableError(
                f'the robot (radius {self._radius} m) cannot be at '
                f'x={pose.x:.3f}, y={pose.y:.3f}, yaw={pose.yaw:.3f}: '
                'outside the room, in an obstacle, or cut off from its start'
            )
        self._pose = Pose2D(pose.x, pose.y, wrap_angle(pose.yaw))

    def step(self, dt: float, linear: float, angular: float) -> StepResult:
        """Drive for dt seconds at linear m/s and angular rad/s; stop at obstacles."""
        result = drive(self._pose, dt, linear, angular,
                       lambda _, there: self.is_navigable(there.x, there.y))
        self._pose = result.pose
        return result

    def render(
        self,
        camera: CameraSpec | str,
        base: Pose2D | None = None,
        *,
        depth: bool = True,
        instance: bool = True,
    ) -> Frame:
        """Draw what a camera sees, from the robot's pose or any other pose of its base."""
        self._require_scene()
        if isinstance(camera, str):
            if camera not in self._by_name:
                raise SimulatorError(
                    f'no camera is called "{camera}"; there are: {", ".join(self._by_name)}'
                )
            camera = self._by_name[camera]
        base = self._pose if base is None else base
        world_from_optical = base.matrix @ camera.optical_in_base
        if not np.isfinite(world_from_optical).all():
            raise ValueError(f'cannot draw from the pose {base}')
        frame = self._draw(camera.intrinsics, world_from_optical, True, depth, instance)
        x, y, z = world_from_optical[:3, 3]
        xmin, ymin, xmax, ymax = self.room_bounds()
        if xmin < x < xmax and ymin < y < ymax and 0.0 < z < self.scene.height:
            _require_full(frame)
        return frame

    def render_topdown(
        self,
        center: tuple[float, float],
        yaw: float,
        size: float,
        pixels: int,
        *,
        depth: bool = True,
        instance: bool = True,
    ) -> Frame:
        """Draw a square of `size` metres from above, ceiling away, heading `yaw` up."""
        self._require_scene()
        if not size > 0:
            raise ValueError(f'size must be positive metres, got {size}')
        world_from_optical = looking_down(center, yaw, _TOPDOWN_HEIGHT)
        intrinsics = OrthographicCamera(pixels, pixels, size / pixels)
        return self._draw(intrinsics, world_from_optical, False, depth, instance)

    def is_navigable(self, x: float, y: float) -> bool:
        """Tell whether the robot fits there and could drive there from its start."""
        return (x, y) in self._navigable()

    def sample_navigable(self, rng: np.random.Generator) -> tuple[float, float]:
        """Draw a navigable place, all of them equally likely."""
        return self._navigable().sample(rng)

    def navigable_grid(self) -> tuple[np.ndarray, tuple[float, float], float]:
        """Return (bool grid[iy, ix], world x, y of the corner of cell [0, 0], metres a cell)."""
        grid = self._navigable()
        return grid.grid, grid.origin, grid.resolution

    def close(self) -> None:
        """Free the renderer."""
        self._renderer.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def _require_scene(self) -> None:
        _ = self.scene

    def _navigable(self) -> NavigableGrid:
        if self._grid is None:  # pictures alone do not need it
            obstacles = [item.footprint for item in self.scene.items if item.blocks]
            start = (self.scene.start.x, self.scene.start.y)
            self._grid = NavigableGrid(self.room_bounds(), obstacles, self._radius, start)
        return self._grid

    def _draw(
        self,
        intrinsics: PinholeCamera | OrthographicCamera,
        world_from_optical: np.ndarray,
        ceiling: bool,
        depth: bool,
        instance: bool,
    ) -> Frame:
        rgb, metres, instances = self._renderer.draw(
            intrinsics, world_from_optical, ceiling=ceiling, depth=depth, instance=instance
        )
        return Frame(rgb, metres, instances, world_from_optical, intrinsics)


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
