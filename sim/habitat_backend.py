# SPDX-License-Identifier: Apache-2.0
"""The photo-real simulator: scanned and modelled buildings, drawn by Habitat."""

from collections.abc import Sequence
import threading

from ipt_ros.geometry import looking_down, OrthographicCamera, PinholeCamera, Pose2D
from ipt_sim.backend import Backend
from ipt_sim.cropping import centred
from ipt_sim.export import read_truth, ROBOT_HEIGHT, ROBOT_RADIUS, RoomTruth
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
        self._objects: list[SceneObject] = []
        self._table = np.zeros(1, np.int32)  # from labels in semantic pictures to ids
        self._bounds = (0.0, 0.0, 0.0, 0.0)
        self._seed = 0

    @property
    def scene_name(self) -> str:
        """
        The name of the scene that the seed chose; several seeds may choose the same one.

        Raises SimulatorError before the first reset.
        """
        self._require_scene()
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
        if seed < 0:
            raise ValueError(f'a scene seed must not be negative, got {seed}')
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
        self._pose, self._seed = start, seed

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
        renderer = self._world.renderer
        rgb = renderer.color(camera, world_from_optical)
        metres = ids = None
        # Where label 0 is a thing, only the depth tells it from nothing.
        if depth or (instance and self._table[0]):
            metres = renderer.depth(camera, world_from_optical)
        if instance:
            ids = look_up(renderer.labels(camera, world_from_optical), self._table)
            if self._table[0]:
                ids[metres == 0] = 0
        return Frame(rgb, metres if depth else None, ids, world_from_optical, camera)

    def _require_full(self, frame: Frame) -> None:
        """
        Refuse a picture that shows nothing, and one of a closed room that has holes.

        A draw that failed comes back black, and faster than a good one. Scans have holes: there
        only a picture in which nothing at all is to be seen, taken indoors, is refused.
        """
        x, y, z = frame.world_from_optical[:3, 3]
        xmin, ymin, xmax, ymax = self._bounds
        ceiling = self._map_height if self._truth is None else self._truth.height
        if not (xmin < x < xmax and ymin < y < ymax and 0.0 < z < ceiling):
            return
        empty = not frame.rgb.any()
        if self._truth is None:
            empty &= frame.depth is None or not frame.depth.any()
            empty &= self.is_navigable(float(x), float(y))
        elif frame.instance is not None:
            empty |= np.count_nonzero(frame.instance == 0) > _WIDEST_GAP * frame.instance.size
        if empty:
            raise EmptyFrameError(
                'the renderer returned an empty picture where something has to be seen: the '
                'graphics driver failed, or the scene is damaged. Try a new process, or another '
                'gpu_device')

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
