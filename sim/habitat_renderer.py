# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""
Pictures from Habitat, from any camera at any pose.

Sensors sit at the origin of Habitat's agent, which is moved to the camera for each picture: so
the pose of the robot stays our affair. A sensor is made when a size and a field of view are first
asked for, and kept for the next picture.
"""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
import math
from typing import Any

from ipt_ros.geometry import OrthographicCamera, PinholeCamera
from ipt_sim.egl_context import EglContext
from ipt_sim.habitat_frames import camera_pose
from ipt_sim.protocol import BackendUnavailableError, RenderingUnavailableError
import numpy as np

NEAR, FAR = 0.01, 100.0  # clipping planes, m
_KEPT = 24  # sensors; the one unused for longest goes


@dataclass(frozen=True)
class Lens:
    """
    The projection of a sensor.

    parallel: an orthographic view. extent: of the picture, horizontally: radians, or metres where
    it is parallel.
    """

    width: int
    height: int
    parallel: bool
    extent: float

    @classmethod
    def of(cls, camera: PinholeCamera | OrthographicCamera) -> 'Lens':
        """Return the lens of a camera; its optical axis must pass through the middle."""
        if isinstance(camera, OrthographicCamera):
            width = camera.width * camera.metres_per_pixel
            return cls(camera.width, camera.height, True, width)
        middle = ((camera.width - 1) / 2, (camera.height - 1) / 2)
        if not np.allclose((camera.cx, camera.cy), middle) or not math.isclose(
                camera.fx, camera.fy):
            raise ValueError(
                f'Habitat draws only centred cameras with square pixels, not {camera}')
        return cls(camera.width, camera.height, False, camera.hfov)


def orthographic_depth(raw: np.ndarray, near: float = NEAR, far: float = FAR) -> np.ndarray:
    """
    Return metres (float32, 0 = no hit) from what habitat_sim calls the depth of a parallel view.

    habitat_sim 0.3.3 turns every depth buffer into metres as if the view were a perspective one:
    raw = a / (buffer + b) with a, b from the projection matrix. In a parallel view the buffer runs
    linearly from 0 at the near plane to 1 at the far plane.
    """
    a = (far + near) / (near - far) / 2  # entries of the orthographic projection matrix
    b = 1 / (near - far) - 0.5
    raw = np.asarray(raw, np.float64)
    with np.errstate(divide='ignore'):  # 0 is replaced below; infinity is a good value
        buffer = a / raw - b
    return np.where(raw == 0, 0.0, near + buffer * (far - near)).astype(np.float32)


class HabitatRenderer:
    """
    Draws what a habitat_sim.Simulator has loaded, from poses in our world.

    context: in which the simulator draws. floor: Habitat's y (m) of the floor on which our z is 0.
    Raises BackendUnavailableError for a release that lacks what it needs.
    """

    def __init__(self, habitat_sim: Any, simulator: Any, context: EglContext):
        if not hasattr(simulator, 'sensors'):
            raise BackendUnavailableError(
                'this release of habitat-sim has no Simulator.sensors: the habitat backend needs '
                'v0.3.4 or later (docs/habitat.md)')
        self.floor = 0.0
        self._context = context
        self._habitat_sim = habitat_sim
        self._simulator = simulator
        self._sensors: OrderedDict[str, None] = OrderedDict()
        self._parallel_is_metric: bool | None = None

    def draw(
        self,
        camera: PinholeCamera | OrthographicCamera,
        world_from_optical: np.ndarray,
        depth: bool = False,
        labels: bool = False,
    ) -> tuple[np.ndarray, np.ndarray | None, np.ndarray | None]:
        """
        Draw colour, and on demand depth and labels, all of one view.

        Colour is uint8 (H, W, 3); depth float32 (H, W), metres along the optical axis, 0 where
        nothing was hit; labels uint32 (H, W), the numbers that the scene's annotations use.
        """
        kinds = ['COLOR', *['DEPTH'] * depth, *['SEMANTIC'] * labels]
        lens = Lens.of(camera)
        drawn = dict(zip(kinds, self._observe(kinds, lens, world_from_optical), strict=True))
        return (
            np.ascontiguousarray(drawn['COLOR'][:, :, :3]),
            self._metres(drawn['DEPTH'], lens, world_from_optical) if depth else None,
            np.array(drawn['SEMANTIC'], np.uint32) if labels else None)

    def depth(
        self, camera: PinholeCamera | OrthographicCamera, world_from_optical: np.ndarray
    ) -> np.ndarray:
        """Draw depth alone; see `draw`."""
        lens = Lens.of(camera)
        raw, = self._observe(['DEPTH'], lens, world_from_optical)
        return self._metres(raw, lens, world_from_optical)

    def _metres(
        self, raw: np.ndarray, lens: Lens, world_from_optical: np.ndarray
    ) -> np.ndarray:
        raw = np.array(raw, np.float32)
        if not (lens.parallel and raw.any()):
            return raw
        if self._parallel_is_metric is None:
            self._parallel_is_metric = self._compare_depths(lens, world_from_optical, raw)
        return raw if self._parallel_is_metric else orthographic_depth(raw)

    def _observe(
        self, kinds: Sequence[str], lens: Lens, world_from_optical: np.ndarray
    ) -> list[np.ndarray]:
        """Return what sensors of these kinds, all with this lens, observe from a pose."""
        self._context.restore()
        # The sensors come first: adding one moves the agent's sensors about.
        uuids = [self._sensor(kind, lens) for kind in kinds]
        position, rotation = camera_pose(world_from_optical, self.floor)
        state = self._habitat_sim.AgentState()
        state.position = position.astype(np.float32)
        state.rotation = rotation  # (x, y, z, w)
        self._simulator.get_agent(0).set_state(state)
        observed = []
        for uuid in uuids:
            sensor = self._simulator.sensors[uuid]
            sensor.draw_observation()
            observed.append(sensor.get_observation())
        return observed

    def _sensor(self, kind: str, lens: Lens) -> str:
        unit = 'm' if lens.parallel else 'rad'
        uuid = f'{kind}_{lens.width}x{lens.height}_{lens.extent!r}{unit}'
        if uuid in self._sensors:
            self._sensors.move_to_end(uuid)
            return uuid
        if len(self._sensors) >= _KEPT and hasattr(self._simulator, 'remove_sensor'):
            oldest, _ = self._sensors.popitem(last=False)  # older releases cannot remove any
            self._simulator.remove_sensor(oldest)
        self._simulator.add_sensor(sensor_spec(self._habitat_sim, uuid, kind, lens))
        self._sensors[uuid] = None
        return uuid

    def _compare_depths(
        self, lens: Lens, world_from_optical: np.ndarray, raw: np.ndarray
    ) -> bool:
        """
        Tell whether depths of parallel views are metres already, by moving on a known way.

        Releases of habitat_sim differ in nothing that could be asked. Raises
        RenderingUnavailableError when neither reading of the depths fits the move.
        """
        way = 0.02  # short: what is close to the near plane must not be lost
        moved = world_from_optical.copy()
        moved[:3, 3] += way * moved[:3, 2]
        again = np.array(self._observe(['DEPTH'], lens, moved)[0], np.float32)
        for is_metric, metres in ((False, orthographic_depth), (True, np.asarray)):
            both = (raw != 0) & (again != 0)
            if both.any() and abs(np.median((metres(raw) - metres(again))[both]) - way) < 0.002:
                return is_metric
        raise RenderingUnavailableError(
            'this release of habitat_sim gives depths of orthographic views that are not '
            'understood: ask for a map without depth, or use habitat-sim v0.3.4')


def sensor_spec(habitat_sim: Any, uuid: str, kind: str, lens: Lens) -> Any:
    """Return the CameraSensorSpec of a sensor (COLOR, DEPTH or SEMANTIC) at the agent's origin."""
    spec = habitat_sim.CameraSensorSpec()
    spec.uuid = uuid
    spec.sensor_type = getattr(habitat_sim.SensorType, kind)
    spec.resolution = [int(lens.height), int(lens.width)]
    spec.position = [0.0, 0.0, 0.0]
    spec.orientation = [0.0, 0.0, 0.0]
    spec.near, spec.far = NEAR, FAR
    if lens.parallel:
        spec.sensor_subtype = habitat_sim.SensorSubType.ORTHOGRAPHIC
        spec.ortho_scale = 1.0 / lens.extent  # the picture is 1 / ortho_scale wide
    else:
        spec.sensor_subtype = habitat_sim.SensorSubType.PINHOLE
        spec.hfov = math.degrees(lens.extent)
    return spec
