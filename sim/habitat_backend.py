# SPDX-License-Identifier: Apache-2.0
"""The photo-real simulator: scanned and modelled buildings, drawn by Habitat."""

from collections.abc import Sequence
import math
import os
import threading
from typing import Any

from ipt_ros.geometry import (
    compose,
    OrthographicCamera,
    PinholeCamera,
    Pose2D,
    wrap_angle,
)
from ipt_sim.cropping import centred
from ipt_sim.driving import drive
from ipt_sim.export import read_truth, ROBOT_HEIGHT, ROBOT_RADIUS, RoomTruth
from ipt_sim.habitat_frames import to_world
from ipt_sim.habitat_navmesh import is_for_robot, navmesh_settings, NavmeshFloor, snake_case
from ipt_sim.habitat_renderer import HabitatRenderer, Lens, sensor_spec
from ipt_sim.habitat_scenes import find_scenes, scene_name, SceneSource
from ipt_sim.habitat_semantics import Annotation, look_up, read_annotations, scene_objects
from ipt_sim.protocol import (
    BackendUnavailableError,
    CameraSpec,
    EmptyFrameError,
    Frame,
    NotNavigableError,
    SceneError,
    SceneObject,
    SimulatorError,
    StepResult,
    surround_cameras,
)
from ipt_sim.views import looking_down
import numpy as np

_INSTALL = (
    'the habitat backend needs habitat-sim, which is not on PyPI: '
    'conda install habitat-sim headless -c conda-forge -c aihabitat, into the environment that '
    'runs this (docs/habitat.md), or use backend mujoco'
)
# habitat_sim keeps the scene graphs of earlier scenes: after so many of them start afresh.
_SCENES_A_SIMULATOR = 50
_START_TRIES = 50
_SMALLEST_FLOOR = 1.0  # m, radius of the smallest island of navigable floor to start on
_EYE = 1.0  # m above the navigation mesh, from where floor and ceiling are looked for
_PROBE = PinholeCamera.from_hfov(16, 16, 0.3)
_SEAM = 0.05  # m above the ceiling's lower side: above the walls, within the ceiling
_WIDEST_GAP = 0.02  # largest share of empty pixels that a closed room may show


def load_habitat_sim() -> Any:
    """Return the module habitat_sim. Raises BackendUnavailableError where it is missing."""
    # Both print a page at every start; whoever wants to read it sets them.
    os.environ.setdefault('MAGNUM_LOG', 'quiet')
    os.environ.setdefault('HABITAT_SIM_LOG', 'quiet')
    try:
        import habitat_sim
    except ImportError as error:
        raise BackendUnavailableError(f'{_INSTALL} ({error})') from error
    return habitat_sim


class HabitatSimulator:
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
        for name, value in (('robot_radius', robot_radius), ('robot_height', robot_height),
                            ('map_height', map_height)):
            if not value > 0:
                raise ValueError(f'{name} must be positive metres, got {value}')
        self._cameras = tuple(cameras) if cameras is not None else surround_cameras()
        self._by_name = {camera.name: camera for camera in self._cameras}
        if len(self._by_name) != len(self._cameras):
            raise ValueError('two cameras have the same name')
        self._sources = self._find(scene, scene_dataset)
        self._robot = robot_radius, robot_height
        self._gpu_device = gpu_device
        self._map_height = map_height
        self._habitat_sim = load_habitat_sim()
        self._thread = threading.get_ident()
        self._simulator: Any = None
        self._loaded: SceneSource | None = None
        self._scenes_loaded = 0
        self._renderer: HabitatRenderer | None = None
        self._floor: NavmeshFloor | None = None
        self._closed = False
        self._truth: RoomTruth | None = None
        self._annotations: list[Annotation] = []
        self._objects: list[SceneObject] = []
        self._table = np.zeros(1, np.int32)
        self._bounds = (0.0, 0.0, 0.0, 0.0)
        self._pose, self._seed = Pose2D(0.0, 0.0), 0

    @property
    def cameras(self) -> tuple[CameraSpec, ...]:
        """The cameras of the robot."""
        return self._cameras

    @property
    def pose(self) -> Pose2D:
        """Where the robot is."""
        return self._pose

    @property
    def scene_name(self) -> str:
        """
        The name of the scene that the seed chose; several seeds may choose the same one.

        Raises SimulatorError before the first reset.
        """
        self._require_scene()
        return scene_name(self._loaded.scene_id)

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
        before = (self._loaded, self._seed, self._pose) if self._floor is not None else None
        try:
            self._enter(self._source(seed), seed)
        except SceneError:
            if before is not None:
                self._enter(*before[:2])
                self._pose = before[2]
            raise

    def _enter(self, source: SceneSource, seed: int) -> None:
        self._floor = None  # what is half done when something fails must not pass for a scene
        if source != self._loaded:
            self._loaded = self._renderer = None
            self._load(source)
        self._pose, self._seed = self._start(seed), seed

    def _load(self, source: SceneSource) -> None:
        truth = read_truth(source.file) if source.file else None
        if self._scenes_loaded >= _SCENES_A_SIMULATOR:
            self._discard()
        config = self._configuration(source)
        try:
            if self._simulator is None:
                self._simulator = self._habitat_sim.Simulator(config)
            else:
                self._simulator.reconfigure(config)
        except Exception as error:  # habitat_sim raises whatever its parts raise
            self._discard()
            raise SceneError(f'Habitat cannot load {source.scene_id}: {error}') from error
        self._scenes_loaded += 1
        annotations = read_annotations(self._simulator)
        self._prepare_navmesh(source)
        self._renderer = HabitatRenderer(self._habitat_sim, self._simulator)
        self._truth = truth
        self._annotations = annotations
        self._loaded = source

    def _configuration(self, source: SceneSource) -> Any:
        habitat_sim = self._habitat_sim
        config = habitat_sim.SimulatorConfiguration()
        config.scene_id = source.scene_id
        config.scene_dataset_config_file = source.dataset
        config.gpu_device_id = self._gpu_device
        config.enable_physics = False
        config.random_seed = 0
        agent = habitat_sim.agent.AgentConfiguration(
            height=self._robot[1], radius=self._robot[0])
        # One sensor of each kind, so that textures and semantics are loaded.
        agent.sensor_specifications = [
            sensor_spec(habitat_sim, f'first_{kind}', kind, Lens(16, 16, False, math.pi / 2))
            for kind in ('COLOR', 'DEPTH', 'SEMANTIC')]
        return habitat_sim.Configuration(config, [agent])

    def _prepare_navmesh(self, source: SceneSource) -> None:
        """Make a navigation mesh unless one for a robot like ours came with the scene."""
        pathfinder = self._simulator.pathfinder
        if pathfinder.is_loaded and is_for_robot(pathfinder.nav_mesh_settings, *self._robot):
            return
        settings = self._habitat_sim.NavMeshSettings()
        settings.set_defaults()
        for name, value in navmesh_settings(*self._robot).items():
            setattr(settings, snake_case(name), value)
        settings.include_static_objects = True
        bodies = self._simulator.get_rigid_object_manager().get_objects_by_handle_substring('')
        for body in bodies.values():  # furniture of a composed scene: it stands still here
            body.motion_type = self._habitat_sim.physics.MotionType.STATIC
        built = self._simulator.recompute_navmesh(pathfinder, settings)
        if not (built and pathfinder.is_loaded and pathfinder.navigable_area > 0):
            raise SceneError(
                f'nothing in {source.scene_id} is navigable for a robot of {self._robot[0]} m '
                f'radius and {self._robot[1]} m height: is its up axis right (a bare .glb is '
                'taken as z-up; a *.stage_config.json says "up" and "front"), and its unit the '
                'metre?')

    def _start(self, seed: int) -> Pose2D:
        """Find the floor and the robot's start on it; know the objects from there."""
        if self._truth is not None:
            start, floor = self._truth.start, 0.0
            self._bounds = self._truth.bounds
            self._objects = list(self._truth.objects)
            self._table = np.arange(len(self._objects) + 1, dtype=np.int32)
        else:
            start, floor = self._random_start(seed)
            corners = to_world(np.array(
                [np.array(corner) for corner in self._simulator.pathfinder.get_bounds()]))
            (xmin, ymin), (xmax, ymax) = corners.min(axis=0)[:2], corners.max(axis=0)[:2]
            self._bounds = (float(xmin), float(ymin), float(xmax), float(ymax))
            self._objects, self._table = scene_objects(self._annotations, floor)
        self._renderer.floor = floor
        self._floor = NavmeshFloor(self._simulator.pathfinder, (start.x, start.y), floor)
        return start

    def _random_start(self, seed: int) -> tuple[Pose2D, float]:
        """Draw a start indoors, on a floor that is worth being on; also Habitat's y of it."""
        pathfinder = self._simulator.pathfinder
        pathfinder.seed(seed)
        yaw = float(np.random.default_rng(seed).uniform(-math.pi, math.pi))
        fallback = None
        for _ in range(_START_TRIES):
            point = np.array(pathfinder.get_random_navigable_point(), np.float32)
            if not np.isfinite(point).all() or pathfinder.island_radius(point) < _SMALLEST_FLOOR:
                continue
            self._renderer.floor = float(point[1])
            x, y, _ = (float(value) for value in to_world(point, float(point[1])))
            down = self._distance(looking_down((x, y), 0.0, _EYE))
            if down is None:
                continue  # a hole in the scan
            place = Pose2D(x, y, yaw), float(point[1]) + _EYE - down
            if self._distance(compose(np.eye(3), (x, y, _EYE))) is not None:
                return place
            fallback = fallback or place  # under the sky: on a roof, perhaps
        if fallback is None:
            raise SceneError(
                f'no start for the robot was found in {self._loaded.scene_id} in {_START_TRIES} '
                'tries: its navigable floors are smaller than 2 m, or its mesh is full of holes')
        return fallback

    def _distance(self, world_from_optical: np.ndarray) -> float | None:
        """Return how far away (m) what this view shows in its middle is, None for nothing."""
        depth = self._renderer.depth(_PROBE, world_from_optical)
        hit = depth[depth > 0]
        return float(np.median(hit)) if len(hit) > depth.size / 2 else None

    def objects(self) -> list[SceneObject]:
        """Return everything in the scene that has a name; nothing where it has no semantics."""
        self._require_scene()
        return list(self._objects)

    def room_bounds(self) -> tuple[float, float, float, float]:
        """Return (xmin, ymin, xmax, ymax) of the building, metres in the world."""
        self._require_scene()
        return self._bounds

    # Driving

    def teleport(self, pose: Pose2D) -> None:
        """Put the robot there. Raises NotNavigableError where it does not fit."""
        if not math.isfinite(pose.yaw) or not self.is_navigable(pose.x, pose.y):
            raise NotNavigableError(
                f'the robot (radius {self._robot[0]} m) cannot be at '
                f'x={pose.x:.3f}, y={pose.y:.3f}, yaw={pose.yaw:.3f}: '
                'outside the building, in an obstacle, or cut off from its start')
        self._pose = Pose2D(pose.x, pose.y, wrap_angle(pose.yaw))

    def step(self, dt: float, linear: float, angular: float) -> StepResult:
        """Drive for dt seconds at linear m/s and angular rad/s; stop at obstacles."""
        floor = self._navigable()
        result = drive(self._pose, dt, linear, angular,
                       lambda a, b: floor.connects((a.x, a.y), (b.x, b.y)))
        self._pose = result.pose
        return result

    def is_navigable(self, x: float, y: float) -> bool:
        """Tell whether the robot fits there and could drive there from its start."""
        return (x, y) in self._navigable()

    def sample_navigable(self, rng: np.random.Generator) -> tuple[float, float]:
        """Draw a navigable place, all of them equally likely."""
        return self._navigable().sample(self._bounds, rng)

    def navigable_grid(self) -> tuple[np.ndarray, tuple[float, float], float]:
        """Return (bool grid[iy, ix], world x, y of the corner of cell [0, 0], metres a cell)."""
        return self._navigable().grid(self._bounds)

    # Pictures

    def render(
        self,
        camera: CameraSpec | str,
        base: Pose2D | None = None,
        *,
        depth: bool = True,
        instance: bool = True,
    ) -> Frame:
        """
        Draw what a camera sees, from the robot's pose or any other pose of its base.

        Raises SceneError when instances are asked for in a scene without semantics.
        """
        self._require_scene()
        if isinstance(camera, str):
            if camera not in self._by_name:
                raise SimulatorError(
                    f'no camera is called "{camera}"; there are: {", ".join(self._by_name)}')
            camera = self._by_name[camera]
        world_from_optical = (base or self._pose).matrix @ camera.optical_in_base
        if not np.isfinite(world_from_optical).all():
            raise ValueError(f'cannot draw from the pose {base}')
        larger, rows, columns = centred(camera)
        frame = self._draw(larger.intrinsics, world_from_optical, depth, instance)
        frame = Frame(
            *(None if array is None else np.ascontiguousarray(array[rows, columns])
              for array in (frame.rgb, frame.depth, frame.instance)),
            world_from_optical, camera.intrinsics)
        self._require_full(frame)
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
        # The near plane cuts off what is above; ceilings do not show from their back.
        height = self._map_height if self._truth is None else self._truth.height + _SEAM
        camera = OrthographicCamera(pixels, pixels, size / pixels)
        return self._draw(camera, looking_down(center, yaw, height), depth, instance)

    def _draw(
        self,
        camera: PinholeCamera | OrthographicCamera,
        world_from_optical: np.ndarray,
        depth: bool,
        instance: bool,
    ) -> Frame:
        if threading.get_ident() != self._thread:
            raise SimulatorError(
                'this simulator was made by another thread: graphics contexts stay with theirs, '
                'so make and use a simulator in one thread')
        if instance and not self._objects:
            raise SceneError(
                f'{self._loaded.scene_id} says nothing about its objects, so there are no '
                'instances to draw: pass instance=False, or load its annotated version (HM3D: '
                'hm3d_annotated_basis.scene_dataset_config.json)')
        rgb = self._renderer.color(camera, world_from_optical)
        metres = ids = None
        # Where label 0 is a thing, only the depth tells it from nothing.
        if depth or (instance and self._table[0]):
            metres = self._renderer.depth(camera, world_from_optical)
        if instance:
            ids = look_up(self._renderer.labels(camera, world_from_optical), self._table)
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
        self._discard()
        self._closed = True

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def _discard(self) -> None:
        simulator, self._simulator = self._simulator, None
        self._scenes_loaded = 0
        self._renderer = self._floor = None
        if simulator is not None:
            simulator.close()

    def _require_open(self) -> None:
        if self._closed:
            raise SimulatorError('the simulator is closed')

    def _require_scene(self) -> None:
        self._require_open()
        if self._floor is None:
            raise SimulatorError('there is no scene yet: call reset(seed) first')

    def _navigable(self) -> NavmeshFloor:
        self._require_scene()
        return self._floor
