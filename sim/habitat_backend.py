# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""The photo-real simulator: scanned and modelled buildings, drawn by Habitat."""

from collections.abc import Sequence
import threading

from ipt_ros.geometry import looking_down, OrthographicCamera, PinholeCamera, Pose2D
from ipt_sim.backend import Backend
from ipt_sim.cropping import centred
from ipt_sim.export import (
    exported_seed,
    read_truth,
    ROBOT_HEIGHT,
    ROBOT_RADIUS,
    room_name,
    RoomTruth,
)
from ipt_sim.habitat_navmesh import NavmeshFloor
from ipt_sim.habitat_scenes import find_scenes, scene_name, SceneSource
from ipt_sim.habitat_semantics import look_up, scene_objects
from ipt_sim.habitat_world import HabitatWorld
from ipt_sim.protocol import (
    CameraSpec,
    EmptyFrameError,
    Frame,
    SceneError,
    SceneObject,
    SimulatorError,
)
from ipt_sim.seeds import checked_seed
import numpy as np

_SEAM = 0.05  # m above the ceiling's lower side: above the walls, within the ceiling
_WIDEST_GAP = 0.02  # largest share of empty pixels that a closed room may show


class HabitatSimulator(Backend):
    """
    A differential-drive robot with cameras in a building that Habitat can load.

    scene: one or more scenes, separated by commas: files, or names in the scene_dataset; 'all' for
    every scene of it. A seed chooses one of them, and where the robot starts. cameras: of the
    robot. robot_radius, robot_height: what has to be free for it (m). gpu_device: CUDA device to
    draw with; -1: whatever EGL offers. map_height: what is higher above the floor (m) is left out
    of maps; our own rooms are cut just above their walls instead.
    See `Simulator` for the calls.
    """

    def __init__(
        self,
        scene: str,
        scene_dataset: str = '',
        cameras: Sequence[CameraSpec] | None = None,
        *,
        robot_radius: float = ROBOT_RADIUS,
        robot_height: float = ROBOT_HEIGHT,
        gpu_device: int = -1,
        map_height: float = 2.0,
    ):
        super().__init__(cameras, robot_radius)
        for name, value in (('robot_height', robot_height), ('map_height', map_height)):
            if not value > 0:
                raise ValueError(f'{name} must be positive metres, got {value}')
        self._sources = self._find(scene, scene_dataset)
        self._map_height = map_height
        self._world = HabitatWorld(robot_radius, robot_height, gpu_device)
        self._thread = threading.get_ident()
        self._closed = False
        self._floor: NavmeshFloor | None = None  # there is a scene where there is a floor
        self._truth: RoomTruth | None = None
        self._room: int | None = None  # seed of a room of ours, also where its truth is missing
        self._objects: list[SceneObject] = []
        self._table = np.zeros(1, np.int32)  # from labels in semantic pictures to ids
        self._bounds = (0.0, 0.0, 0.0, 0.0)
        self._start = self._pose
        self._seed = 0

    @property
    def scene_name(self) -> str:
        """
        Return the name of the scene that the seed chose; several seeds may choose the same one.

        A room of ours has the name that it is exported under, whatever its file is called now.
        Raises SimulatorError before the first reset.
        """
        self._require_scene()
        if self._room is not None:
            return room_name(self._room)
        return scene_name(self._world.source.scene_id)

    # Scenes

    def _find(self, scene: str, scene_dataset: str) -> tuple[SceneSource, ...]:
        return find_scenes(scene, scene_dataset)

    def _source(self, seed: int) -> SceneSource:
        """Return the scene of a seed: consecutive seeds go through the list."""
        return self._sources[seed % len(self._sources)]

    def reset(self, seed: int) -> None:
        """
        Load the scene of this seed and put the robot at its start.

        Raises SceneError for a scene that cannot be used; the one before it is there again then.
        """
        seed = checked_seed(seed)
        self._require_open()
        present = (self._world.source, self._seed, self._pose)
        before = present if self._floor is not None else None
        try:
            self._enter(self._source(seed), seed)
        except SceneError:
            if before is not None:
                self._enter(*before[:2])
                self._pose = before[2]
            raise

    def _enter(self, source: SceneSource, seed: int) -> None:
        self._floor = None  # what is half done when something fails must not pass for a scene
        self._truth = read_truth(source.file) if source.file else None
        if self._truth is not None:
            self._room = self._truth.seed
        else:
            self._room = exported_seed(source.file) if source.file else None
        self._world.load(source)
        if self._truth is not None:
            start, floor = self._truth.start, 0.0
            self._bounds = self._truth.bounds
            self._objects = list(self._truth.objects)
            self._table = np.arange(len(self._objects) + 1, dtype=np.int32)
        else:
            start, floor = self._world.find_start(seed)
            self._bounds = self._world.bounds()
            self._objects, self._table = scene_objects(self._world.annotations, floor)
        self._world.renderer.floor = floor
        self._floor = NavmeshFloor(self._world.pathfinder, (start.x, start.y), floor)
        self._pose, self._start, self._seed = start, start, seed

    def objects(self) -> list[SceneObject]:
        """Return everything in the scene that has a name; nothing where it has no semantics."""
        self._require_scene()
        return list(self._objects)

    def room_bounds(self) -> tuple[float, float, float, float]:
        """Return (xmin, ymin, xmax, ymax) of the building, metres in the world."""
        self._require_scene()
        return self._bounds

    # Driving

    def _can_move(self, start: Pose2D, end: Pose2D) -> bool:
        return self._places().connects((start.x, start.y), (end.x, end.y))

    def navigable_grid(self) -> tuple[np.ndarray, tuple[float, float], float]:
        """Return (bool grid[iy, ix], world x, y of the corner of cell [0, 0], metres a cell)."""
        return self._places().grid(self._bounds)

    # Pictures

    def _draw_view(
        self, camera: CameraSpec, world_from_optical: np.ndarray, depth: bool, instance: bool,
    ) -> Frame:
        larger, rows, columns = centred(camera)
        frame = self._draw(larger.intrinsics, world_from_optical, depth, instance)
        frame = Frame(
            *(None if array is None else np.ascontiguousarray(array[rows, columns])
              for array in (frame.rgb, frame.depth, frame.instance)),
            world_from_optical, camera.intrinsics)
        self._require_full(frame)
        return frame

    def _draw_map(
        self, camera: OrthographicCamera, center: tuple[float, float], yaw: float, depth: bool,
        instance: bool,
    ) -> Frame:
        # The near plane cuts off what is above; ceilings do not show from their back.
        height = self._map_height if self._truth is None else self._truth.height + _SEAM
        return self._draw(camera, looking_down(center, yaw, height), depth, instance)

    def _draw(
        self,
        camera: PinholeCamera | OrthographicCamera,
        world_from_optical: np.ndarray,
        depth: bool,
        instance: bool,
    ) -> Frame:
        """Draw; raises SceneError where instances are asked for, but the scene names nothing."""
        if threading.get_ident() != self._thread:
            raise SimulatorError(
                'this simulator was made by another thread: graphics contexts stay with theirs, '
                'so make and use a simulator in one thread')
        if instance and not self._objects:
            raise SceneError(
                f'{self._world.source.scene_id} says nothing about its objects, so there are no '
                'instances to draw: pass instance=False, or load its annotated version (HM3D: '
                'hm3d_annotated_basis.scene_dataset_config.json)')
        # Where label 0 is a thing, only the depth tells it from nothing.
        by_depth = instance and bool(self._table[0])
        rgb, metres, labels = self._world.renderer.draw(
            camera, world_from_optical, depth or by_depth, instance)
        ids = None
        if instance:
            ids = look_up(labels, self._table)
            if by_depth:
                ids[metres == 0] = 0
        return Frame(rgb, metres if depth else None, ids, world_from_optical, camera)

    def _require_full(self, frame: Frame) -> None:
        """
        Refuse the picture of a draw that failed, and one of a closed room that has holes.

        A draw that failed comes back black, and faster than a good one. In a scan a black picture
        may be right, of the sky for instance: there the floor under the start, which is known to
        be seen, tells whether the renderer still draws.
        """
        if self._truth is None:
            failed = (not frame.rgb.any() and (frame.depth is None or not frame.depth.any())
                      and not self._world.shows_floor(self._start))
        else:
            failed = self._is_inside(frame) and (not frame.rgb.any() or (
                frame.instance is not None and np.count_nonzero(frame.instance == 0)
                > _WIDEST_GAP * frame.instance.size))
        if failed:
            raise EmptyFrameError(
                'the renderer returned an empty picture where something has to be seen: the '
                'graphics driver failed, or the scene is damaged. Try a new process, or another '
                'gpu_device')

    def _is_inside(self, frame: Frame) -> bool:
        """Tell whether a picture was taken in the closed room."""
        x, y, z = frame.world_from_optical[:3, 3]
        xmin, ymin, xmax, ymax = self._bounds
        return xmin < x < xmax and ymin < y < ymax and 0.0 < z < self._truth.height

    # Life

    def close(self) -> None:
        """Free the renderer."""
        self._world.close()
        self._floor = None
        self._closed = True

    def _require_open(self) -> None:
        if self._closed:
            raise SimulatorError('the simulator is closed')

    def _require_scene(self) -> None:
        self._require_open()
        if self._floor is None:
            raise SimulatorError('there is no scene yet: call reset(seed) first')

    def _places(self) -> NavmeshFloor:
        self._require_scene()
        return self._floor
