# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""A running habitat_sim: loads scenes, makes their navigation mesh, finds a floor to start on."""

import logging
import math
import os
from typing import Any

from ipt_ros.geometry import compose, looking_down, PinholeCamera, Pose2D
from ipt_sim.egl_context import EglContext
from ipt_sim.habitat_frames import to_world
from ipt_sim.habitat_lifetimes import HabitatSimulators
from ipt_sim.habitat_lighting import unlit_mediator
from ipt_sim.habitat_navmesh import (
    furniture_tops,
    is_for_robot,
    navmesh_settings,
    SAME_FLOOR,
    snake_case,
)
from ipt_sim.habitat_renderer import HabitatRenderer, Lens, sensor_spec
from ipt_sim.habitat_scenes import is_flat, SceneSource
from ipt_sim.habitat_semantics import Annotation, read_annotations, without_triangles
from ipt_sim.protocol import BackendUnavailableError, SceneError
import numpy as np

_log = logging.getLogger(__name__)
# habitat_sim keeps the scene graphs of earlier scenes: after so many of them start afresh.
_SCENES_A_SIMULATOR = 50
_START_TRIES = 50
_SMALLEST_FLOOR = 1.0  # m, radius of the smallest island of navigable floor to start on
_EYE = 1.0  # m above the navigation mesh, from where floor and ceiling are looked for
# All of a thread's habitat_sim.Simulators share the graphics context of the first.
_CONTEXT = EglContext()
_SIMULATORS = HabitatSimulators(_CONTEXT)
_PROBE = PinholeCamera.from_hfov(16, 16, 0.3)


def load_habitat_sim() -> Any:
    """Return the module habitat_sim. Raises BackendUnavailableError where it is missing."""
    # Both print a page at every start; whoever wants to read it sets them.
    os.environ.setdefault('MAGNUM_LOG', 'quiet')
    os.environ.setdefault('HABITAT_SIM_LOG', 'quiet')
    try:
        import habitat_sim
    except ImportError as error:
        raise BackendUnavailableError(
            'the habitat backend needs habitat-sim v0.3.4 or later, which is not on PyPI: build '
            'it from source (docs/habitat.md), or conda install habitat-sim headless -c '
            'conda-forge -c aihabitat-nightly, into the environment that runs this; or use '
            f'backend mujoco ({error})') from error
    return habitat_sim


def pathfinder_seed(seed: int) -> int:
    """
    Return what to seed Habitat's pathfinder with for a seed of ours, however large.

    It takes 32 bits and hands them to the C library, for which 0 and 1 are the same.
    """
    return int(np.random.SeedSequence(seed).generate_state(1)[0]) or 1


class HabitatWorld:
    """
    One habitat_sim.Simulator, started with the first scene.

    radius, height: of the robot (m). gpu_device: CUDA device to draw with, -1: what EGL offers.
    renderer, annotations, source: of the present scene, None before the first.
    """

    def __init__(self, radius: float, height: float, gpu_device: int):
        self._habitat_sim = load_habitat_sim()
        self._robot = radius, height
        self._gpu_device = gpu_device
        self._simulator: Any = None
        self._lit = False  # whether scenes are drawn that need light
        self._mediator: Any = None  # of this simulator, None for its own
        self._scenes = 0
        self.source: SceneSource | None = None
        self.renderer: HabitatRenderer | None = None
        self.annotations: list[Annotation] = []
        self._known: dict[SceneSource, list[Annotation]] = {}
        self._tops: frozenset[int] | None = None  # islands of the present scene; not known yet

    @property
    def pathfinder(self) -> Any:
        """habitat_sim's pathfinder on the present scene."""
        return self._simulator.pathfinder

    def load(self, source: SceneSource) -> None:
        """Make this the present scene. Raises SceneError; then there is no scene at all."""
        if source == self.source:
            return
        self.source = self.renderer = self._tops = None
        needs_light = not (self._lit or is_flat(source))
        if self._scenes >= _SCENES_A_SIMULATOR or needs_light:
            self.close()
            self._lit |= needs_light
        _CONTEXT.restore()
        try:
            if self._simulator is None:
                self._mediator = None if self._lit else unlit_mediator(self._habitat_sim)
                self._simulator = _SIMULATORS.start(
                    lambda: self._habitat_sim.Simulator(self._configuration(source)))
            else:
                self._simulator.reconfigure(self._configuration(source))
        except Exception as error:  # habitat_sim raises whatever its parts raise
            self.close()
            raise SceneError(f'Habitat cannot load {source.scene_id}: {error}') from error
        _CONTEXT.remember()
        self._scenes += 1
        # habitat_sim measures the boxes of objects while it reads a semantic mesh, and reads each
        # mesh once: on a second visit the boxes are empty.
        if source not in self._known:
            self._known[source] = read_annotations(self._simulator)
            self._tell_of_gaps(source)
        self.annotations = self._known[source]
        self._prepare_navmesh(source)
        self.renderer = HabitatRenderer(self._habitat_sim, self._simulator, _CONTEXT)
        self.source = source

    def _tell_of_gaps(self, source: SceneSource) -> None:
        """Log how many annotated objects no picture can show."""
        missing, named = without_triangles(self._known[source])
        if missing:
            _log.warning(
                '%s: %d of %d annotated objects have no triangle in the semantic mesh, such as '
                '"%s": nothing there has their colour%s', source.scene_id, len(missing), named,
                missing[0].category, '' if len(missing) < named else
                '. Are vertex colours encoded as Habitat reads them, and is this the mesh that '
                'belongs to the description?')

    def _configuration(self, source: SceneSource) -> Any:
        habitat_sim = self._habitat_sim
        config = habitat_sim.SimulatorConfiguration()
        config.scene_id = source.scene_id
        config.scene_dataset_config_file = source.dataset
        config.gpu_device_id = self._gpu_device
        config.enable_physics = False
        config.random_seed = 0
        radius, height = self._robot
        agent = habitat_sim.agent.AgentConfiguration(height=height, radius=radius)
        # One sensor of each kind, so that textures and semantics are loaded.
        agent.sensor_specifications = [
            sensor_spec(habitat_sim, f'first_{kind}', kind, Lens(16, 16, False, math.pi / 2))
            for kind in ('COLOR', 'DEPTH', 'SEMANTIC')]
        if self._mediator is None:
            return habitat_sim.Configuration(config, [agent])
        return habitat_sim.Configuration(config, [agent], self._mediator)

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
            radius, height = self._robot
            raise SceneError(
                f'nothing in {source.scene_id} is navigable for a robot of {radius} m radius and '
                f'{height} m height: is its up axis right (a bare .glb is taken as z-up; a '
                '*.stage_config.json says "up" and "front"), and its unit the metre?')

    def bounds(self) -> tuple[float, float, float, float]:
        """Return (xmin, ymin, xmax, ymax) of the present scene, metres in our world."""
        corners = to_world(np.array([np.array(corner) for corner in self.pathfinder.get_bounds()]))
        (xmin, ymin), (xmax, ymax) = corners.min(axis=0)[:2], corners.max(axis=0)[:2]
        return float(xmin), float(ymin), float(xmax), float(ymax)

    def find_start(self, seed: int) -> tuple[Pose2D, float]:
        """
        Draw a start indoors, on a floor that is worth being on; also Habitat's y of that floor.

        Tops of beds and tables are none. The navigation mesh floats above the floor, so a camera
        looks where the floor is. Raises SceneError when no place is found.
        """
        pathfinder = self.pathfinder
        if self._tops is None:
            self._tops = furniture_tops(pathfinder)
        pathfinder.seed(pathfinder_seed(seed))
        yaw = float(np.random.default_rng(seed).uniform(-math.pi, math.pi))
        fallback = None
        for _ in range(_START_TRIES):
            point = np.array(pathfinder.get_random_navigable_point(), np.float32)
            if not np.isfinite(point).all() or pathfinder.island_radius(point) < _SMALLEST_FLOOR:
                continue
            if pathfinder.get_island(point) in self._tops:
                continue
            mesh = float(point[1])
            self.renderer.floor = mesh
            x, y, _ = (float(value) for value in to_world(point, mesh))
            down = self._distance(looking_down((x, y), 0.0, _EYE))
            if down is None or abs(_EYE - down) > SAME_FLOOR:
                continue  # a hole in the scan, or something that stands on the floor
            place = Pose2D(x, y, yaw), mesh + _EYE - down
            looking_up = compose(np.eye(3), (x, y, _EYE))
            if self._distance(looking_up) is not None:
                return place
            fallback = fallback or place  # under the sky: on a roof, perhaps
        if fallback is None:
            raise SceneError(
                f'no start for the robot was found in {self.source.scene_id} in {_START_TRIES} '
                'tries: its navigable floors are smaller than 2 m or tops of furniture, or its '
                'mesh is full of holes')
        return fallback

    def shows_floor(self, place: Pose2D) -> bool:
        """Tell whether a camera that looks down there sees the floor, as it did at the start."""
        return self._distance(looking_down((place.x, place.y), 0.0, _EYE)) is not None

    def _distance(self, world_from_optical: np.ndarray) -> float | None:
        """Return how far away (m) what this view shows is, None where it shows nothing."""
        depth = self.renderer.depth(_PROBE, world_from_optical)
        hit = depth[depth > 0]
        return float(np.median(hit)) if len(hit) > depth.size / 2 else None

    def close(self) -> None:
        """Free what habitat_sim holds; the next scene starts it again."""
        simulator, self._simulator = self._simulator, None
        self._scenes = 0
        self._known.clear()
        self.source = self.renderer = self._mediator = None
        if simulator is not None:
            _SIMULATORS.end(simulator)

    def __del__(self):
        if getattr(self, '_simulator', None) is not None:
            self.close()
