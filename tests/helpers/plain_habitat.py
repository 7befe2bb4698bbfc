# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""
What the backend uses of habitat_sim v0.3.4, in plain Python: floors of one colour, one ray a view.

Behaves where it matters as the real one was seen to: seeds are 32 bits and 0 is 1, the first
simulator owns the graphics context of all, the mesh floats above the floor.
"""

from dataclasses import dataclass, field
import math
import os
from pathlib import Path
from types import SimpleNamespace

from ipt_ros.geometry import matrix_from_quaternion
from ipt_sim.habitat_frames import to_habitat, to_world
import numpy as np

FLOATING = 0.1  # m, of the mesh above the floor


@dataclass(frozen=True)
class Surface:
    """A level rectangle in our world: (xmin, ymin, xmax, ymax), height (m), label, category."""

    bounds: tuple[float, float, float, float]
    height: float = 0.0
    label: int = 1
    category: str = 'floor'

    def holds(self, x: float, y: float, slack: float = 0.0) -> bool:
        xmin, ymin, xmax, ymax = self.bounds
        return xmin - slack <= x <= xmax + slack and ymin - slack <= y <= ymax + slack

    @property
    def area(self) -> float:
        xmin, ymin, xmax, ymax = self.bounds
        return (xmax - xmin) * (ymax - ymin)


@dataclass
class House:
    """
    What a simulator loads: surfaces to be seen, and those of them that can be walked on.

    walkable: rectangles one after the other; each is an island. sizes: of the boxes of
    annotations, by label, where they are not those of the surfaces.
    """

    surfaces: list[Surface]
    walkable: list[Surface]
    sizes: dict[int, tuple[float, float, float]] = field(default_factory=dict)


class PathFinder:
    """A navigation mesh of level rectangles, each an island of its own."""

    is_loaded = True

    def __init__(self, islands: list[Surface]):
        self._islands = islands
        self.nav_mesh_settings = SimpleNamespace(agent_radius=0.2, agent_height=1.5)
        self.seeds: list[int] = []
        self.seed(1)

    def seed(self, number: int) -> None:
        if not 0 <= number < 2**32:
            raise TypeError('seed(): incompatible function arguments')
        self.seeds.append(number)
        self._rng = np.random.default_rng(number or 1)

    @property
    def navigable_area(self) -> float:
        return sum(island.area for island in self._islands)

    @property
    def num_islands(self) -> int:
        return len(self._islands)

    def get_bounds(self):
        corners = np.array([
            to_habitat((x, y, island.height)) for island in self._islands
            for x, y in (island.bounds[:2], island.bounds[2:])])
        return corners.min(axis=0), corners.max(axis=0)

    def get_random_navigable_point(self):
        areas = np.array([island.area for island in self._islands])
        island = self._islands[self._rng.choice(len(areas), p=areas / areas.sum())]
        x, y = self._rng.uniform(island.bounds[:2], island.bounds[2:])
        return to_habitat((x, y, island.height + FLOATING))

    def _nearest(self, point):
        x, y, z = to_world(point)
        found = []
        for number, island in enumerate(self._islands):
            xmin, ymin, xmax, ymax = island.bounds
            near = min(max(x, xmin), xmax), min(max(y, ymin), ymax), island.height + FLOATING
            found.append((math.dist(near, (x, y, z)), number, to_habitat(near)))
        return min(found, key=lambda item: item[0])

    def snap_point(self, point):
        return self._nearest(point)[2]

    def get_island(self, point) -> int:
        return self._nearest(point)[1]

    def island_radius(self, point) -> float:
        xmin, ymin, xmax, ymax = self._islands[self.get_island(point)].bounds
        return math.hypot(xmax - xmin, ymax - ymin) / 2

    def is_navigable(self, point, max_y_delta: float) -> bool:
        near = self.snap_point(point)
        return abs(near[1] - point[1]) <= max_y_delta and math.hypot(
            near[0] - point[0], near[2] - point[2]) < 1e-2

    def try_step_no_sliding(self, start, end):
        return self.snap_point(end)

    def build_navmesh_vertices(self, island_index: int):
        island = self._islands[island_index]
        xmin, ymin, xmax, ymax = island.bounds
        return list(to_habitat([
            (x, y, island.height + FLOATING)
            for x, y in ((xmin, ymin), (xmax, ymin), (xmax, ymax), (xmin, ymax))]))

    def build_navmesh_vertex_indices(self, island_index: int):
        return [0, 1, 2, 0, 2, 3]


class _Sensor:
    """Shows along all of the picture what the ray in its middle hits."""

    def __init__(self, simulator: 'Simulator', spec: SimpleNamespace):
        self._simulator, self._spec = simulator, spec

    def draw_observation(self) -> None:
        self._simulator.habitat_sim.events.append(('draw', self._spec.sensor_type))

    def get_observation(self) -> np.ndarray:
        sim, shape = self._simulator, tuple(self._spec.resolution)
        working = not sim.habitat_sim.driver_failed
        distance, label = sim.hit() if working else (0.0, 0)
        if self._spec.sensor_type == 'DEPTH':
            return np.full(shape, distance, np.float32)
        if self._spec.sensor_type == 'SEMANTIC':
            return np.full(shape, label, np.uint32)
        return np.full((*shape, 4), 120 if distance else 0, np.uint8)


class Simulator:
    """One scene at a time, out of `PlainHabitat.houses` by the name of its file."""

    def __init__(self, habitat_sim: 'PlainHabitat', config: SimpleNamespace):
        self.habitat_sim = habitat_sim
        self.owns_context = not habitat_sim.context
        habitat_sim.context = True
        self.open = True
        habitat_sim.events.append(('start', config.metadata_mediator))
        self._load(config)

    def _load(self, config: SimpleNamespace) -> None:
        name = Path(config.sim_cfg.scene_id).name.split('.')[0]
        self.habitat_sim.events.append(('load', name))
        self._house = self.habitat_sim.houses[name]
        self.sensors = {
            spec.uuid: _Sensor(self, spec) for spec in config.agents[0].sensor_specifications}
        self._agent = SimpleNamespace(set_state=self._set_state)
        self.pathfinder = PathFinder(self._house.walkable)
        self.semantic_scene = SimpleNamespace(objects=[
            self._annotation(surface) for surface in self._house.surfaces if surface.category])

    def _annotation(self, surface: Surface) -> SimpleNamespace:
        xmin, ymin, xmax, ymax = surface.bounds
        center = to_habitat(((xmin + xmax) / 2, (ymin + ymax) / 2, surface.height))
        sizes = self._house.sizes.get(surface.label, (ymax - ymin, 0.0, xmax - xmin))
        return SimpleNamespace(
            semantic_id=surface.label,
            category=SimpleNamespace(name=lambda: surface.category),
            obb=SimpleNamespace(center=center, sizes=sizes, rotation=(0.0, 0.0, 0.0, 1.0)))

    def reconfigure(self, config: SimpleNamespace) -> None:
        self._load(config)

    def _set_state(self, state: SimpleNamespace) -> None:
        self.habitat_sim.events.append(('pose', None))
        self._state = state

    def hit(self) -> tuple[float, int]:
        """Return the depth and the label of what the middle of a view shows, (0, 0) for none."""
        eye = to_world(self._state.position)
        ahead = to_world(matrix_from_quaternion(self._state.rotation) @ (0, 0, -1))
        hits = []
        for surface in self._house.surfaces:
            if abs(ahead[2]) < 1e-6:
                continue
            distance = (surface.height - eye[2]) / ahead[2]
            if distance > 1e-6 and surface.holds(*(eye + distance * ahead)[:2]):
                hits.append((float(distance), surface.label))
        return min(hits, default=(0.0, 0))

    def get_agent(self, number: int) -> SimpleNamespace:
        return self._agent

    def add_sensor(self, spec: SimpleNamespace) -> None:
        self.sensors[spec.uuid] = _Sensor(self, spec)

    def remove_sensor(self, uuid: str) -> None:
        del self.sensors[uuid]

    def get_rigid_object_manager(self) -> SimpleNamespace:
        return SimpleNamespace(get_objects_by_handle_substring=lambda part: {})

    def recompute_navmesh(self, pathfinder, settings) -> bool:
        return True

    def close(self) -> None:
        """End; the real one aborts the process where its context is gone already."""
        assert self.open, 'closed twice'
        assert self.habitat_sim.context, 'the graphics context is gone: this would abort'
        self.open = False
        self.habitat_sim.events.append(('close', self))
        if self.owns_context:
            self.habitat_sim.context = False


class PlainHabitat:
    """
    A stand-in for the module habitat_sim.

    houses: by the name of their file. events: what was done, in order. driver_failed: whether all
    pictures come back empty. mediators: whether there are MetadataMediators, as in v0.3.4.
    """

    SimulatorConfiguration = NavMeshSettings = AgentState = CameraSensorSpec = SimpleNamespace
    SensorType = SimpleNamespace(COLOR='COLOR', DEPTH='DEPTH', SEMANTIC='SEMANTIC')
    SensorSubType = SimpleNamespace(PINHOLE='PINHOLE', ORTHOGRAPHIC='ORTHOGRAPHIC')
    agent = SimpleNamespace(AgentConfiguration=SimpleNamespace)

    def __init__(self, houses: dict[str, House], mediators: bool = True):
        self.houses = houses
        self.events: list[tuple] = []
        self.context = self.driver_failed = False
        if mediators:
            self.metadata = SimpleNamespace(MetadataMediator=self._mediator)

    def _mediator(self) -> dict:
        """Read what the real one reads when it is made: a file of the working directory."""
        path = Path(os.getcwd(), 'data', 'default.pbr_config.json')
        return {'pbr': path.read_text() if path.exists() else ''}

    @staticmethod
    def Configuration(sim_cfg, agents, metadata_mediator=None):  # noqa: N802
        return SimpleNamespace(
            sim_cfg=sim_cfg, agents=agents, metadata_mediator=metadata_mediator)

    def Simulator(self, config):  # noqa: N802
        return Simulator(self, config)

    def count(self, kind: str) -> int:
        """Return how many events of a kind there were."""
        return sum(event[0] == kind for event in self.events)
