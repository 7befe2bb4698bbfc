# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""
A simulator whose looks, cameras and sensors vary: domain randomisation for sim-to-real.

Everything random is a function of the randomisation's seed and of what is drawn: the scene's seed
for lights, textures and cameras; also the camera, the pose and the simulated time since the reset
for exposure, blur and noise. So the same calls give the same bits, in any order, in any process,
and each effect has a stream of its own: turning one off leaves the others as they are.
"""

from collections.abc import Sequence
from dataclasses import replace
import logging
import math
import zlib

from ipt_ros.geometry import Pose2D, wrap_angle
from ipt_sim.backend import find_camera
from ipt_sim.protocol import (
    CameraSpec,
    Frame,
    Restylable,
    SceneObject,
    Simulator,
    StepResult,
)
from ipt_sim.randomization import Camera, Randomization
from ipt_sim.restyling import relight, retexture
from ipt_sim.scenes.model import Scene
from ipt_sim.sensor_effects import expose, Sensor
import numpy as np

_log = logging.getLogger(__name__)


class RandomizedSimulator:
    """
    Any simulator, seen through randomised looks, cameras and sensors; see `Simulator`.

    Frames tell the truth: depth, instances, intrinsics and world_from_optical are those of the
    picture as it was drawn. `cameras` are the robot's as they are built and mounted in the present
    scene; any other specification given to `render` is taken as the maker's word, and the camera
    comes out as this scene's errors make it. Maps from above have the lights and textures of the
    scene, and no sensor.

    Lights and textures need a backend that is `Restylable`; for another one they are left out,
    with one warning.
    """

    def __init__(self, sim: Simulator, randomization: Randomization):
        """Wrap `sim`, which belongs to this object from now on."""
        self._sim = sim
        self._what = randomization
        self._nominal = {camera.name: camera for camera in sim.cameras}
        self._built: dict[CameraSpec, CameraSpec] = {}
        self._scene = 0
        self._time_ns = 0
        if randomization.light is not None or randomization.textures is not None:
            if isinstance(sim, Restylable):
                sim.restyle(self._restyled)
            else:
                _log.warning(
                    'the backend %s cannot change lights and textures: these sections of the '
                    'randomisation are left out', type(sim).__name__)

    @property
    def randomization(self) -> Randomization:
        """Return what varies here."""
        return self._what

    @property
    def cameras(self) -> Sequence[CameraSpec]:
        """Return the cameras of the robot as they are in the present scene."""
        return tuple(self._as_built(camera) for camera in self._nominal.values())

    @property
    def pose(self) -> Pose2D:
        """Where the robot is."""
        return self._sim.pose

    @property
    def scene_name(self) -> str:
        """Name of the present scene; AttributeError with a backend that knows seeds only."""
        return self._sim.scene_name

    def reset(self, seed: int) -> None:
        """Build the scene of this seed, with the looks and cameras that it has here."""
        before = self._scene
        self._scene = seed  # the new looks are drawn while the scene is built
        try:
            self._sim.reset(seed)
        except Exception:
            self._scene = before  # the old scene is still there
            raise
        self._built.clear()
        self._time_ns = 0

    def objects(self) -> list[SceneObject]:
        """Return everything in the scene that has a name, ascending by id."""
        return self._sim.objects()

    def room_bounds(self) -> tuple[float, float, float, float]:
        """Return (xmin, ymin, xmax, ymax) of the floor, metres in the world."""
        return self._sim.room_bounds()

    def teleport(self, pose: Pose2D) -> None:
        """Put the robot there. Raises NotNavigableError where it does not fit."""
        self._sim.teleport(pose)

    def step(self, dt: float, linear: float, angular: float) -> StepResult:
        """Drive for dt seconds; what varies from picture to picture varies with this time."""
        result = self._sim.step(dt, linear, angular)
        self._time_ns += round(dt * 1e9)
        return result

    def render(
        self,
        camera: CameraSpec | str,
        base: Pose2D | None = None,
        *,
        depth: bool = True,
        instance: bool = True,
    ) -> Frame:
        """Draw what a camera delivers, from the robot's pose or any other pose of its base."""
        spec, base = self._asked(camera), self._sim.pose if base is None else base
        frame = self._sim.render(spec, base, depth=depth, instance=instance)
        sensor = self._sensor(spec, base)
        rgb = expose(frame.rgb, frame.intrinsics, sensor, self._stream('noise values', spec, base))
        return replace(frame, rgb=rgb)

    def render_ideal(
        self,
        camera: CameraSpec | str,
        base: Pose2D | None = None,
        *,
        depth: bool = True,
        instance: bool = True,
    ) -> Frame:
        """Draw the same view, of the same scene and camera, as a perfect sensor would see it."""
        return self._sim.render(self._asked(camera), base, depth=depth, instance=instance)

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
        return self._sim.render_topdown(
            center, yaw, size, pixels, depth=depth, instance=instance)

    def is_lost(self, camera: str) -> bool:
        """Tell whether the picture that this camera takes at this moment gets lost."""
        drops = self._what.drops
        if drops is None:
            return False
        burst_ns = round(drops.burst * 1e9)
        moment = self._time_ns // burst_ns if burst_ns else self._time_ns
        rng = np.random.default_rng([*self._key('drops'), *_words(camera, moment)])
        return bool(rng.random() < drops.probability)

    def is_navigable(self, x: float, y: float) -> bool:
        """Tell whether the robot fits at this place and could drive there from its start."""
        return self._sim.is_navigable(x, y)

    def sample_navigable(self, rng: np.random.Generator) -> tuple[float, float]:
        """Draw a navigable place, all of them equally likely."""
        return self._sim.sample_navigable(rng)

    def navigable_grid(self) -> tuple[np.ndarray, tuple[float, float], float]:
        """Return (bool grid[iy, ix], world x, y of the corner of cell [0, 0], metres a cell)."""
        return self._sim.navigable_grid()

    def close(self) -> None:
        """Free the simulator."""
        self._sim.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def _restyled(self, scene: Scene) -> Scene:
        what = self._what
        if what.light is not None:
            scene = relight(scene, what.light, self._scene_stream('light'))
        if what.textures is not None:
            scene = retexture(scene, what.textures, self._scene_stream('textures'))
        return scene

    def _asked(self, camera: CameraSpec | str) -> CameraSpec:
        """Return the camera to draw: as built, whichever way it was named."""
        if not isinstance(camera, str):
            nominal = self._nominal.get(camera.name)
            if nominal is not None and camera == self._as_built(nominal):
                return camera
            return self._as_built(camera)
        return self._as_built(find_camera(camera, self._nominal))

    def _as_built(self, nominal: CameraSpec) -> CameraSpec:
        ranges = self._what.camera
        if ranges is None:
            return nominal
        if nominal not in self._built:
            rng = self._scene_stream('camera', nominal.name)
            self._built[nominal] = build_camera(nominal, ranges, rng)
        return self._built[nominal]

    def _sensor(self, camera: CameraSpec, base: Pose2D) -> Sensor:
        """Return the state of a camera's sensor at this moment and pose."""
        what, values = self._what, {}
        if what.white_balance is not None:
            rng = self._scene_stream('white_balance', camera.name)
            values['red'] = 2.0 ** what.white_balance.red.draw(rng)
            values['blue'] = 2.0 ** what.white_balance.blue.draw(rng)
        if what.vignetting is not None:
            rng = self._scene_stream('vignetting', camera.name)
            values['vignetting'] = what.vignetting.strength.draw(rng)
        if what.noise is not None:
            rng = self._scene_stream('noise', camera.name)
            values['shot'] = what.noise.shot.draw(rng)
            values['read'] = what.noise.read.draw(rng)
        if what.jpeg is not None:
            quality = round(what.jpeg.quality.draw(self._scene_stream('jpeg', camera.name)))
            values['jpeg'] = quality if quality < 100 else None
        if what.exposure is not None:
            stops = what.exposure.stops.draw(self._stream('exposure', camera, base))
            values['gain'] = 2.0 ** stops
        focal = camera.intrinsics.fx  # pixels a radian, near the axis
        if what.defocus is not None:
            rng = self._stream('defocus', camera, base)
            radius = what.defocus.radius.draw(rng) * focal
            values['defocus'] = radius if rng.random() < what.defocus.probability else 0.0
        if what.motion_blur is not None:
            rng = self._stream('motion_blur', camera, base)
            length, angle = what.motion_blur.sweep.draw(rng) * focal, rng.uniform(0.0, math.pi)
            if rng.random() < what.motion_blur.probability:
                values['motion'] = (length * math.cos(angle), length * math.sin(angle))
        return Sensor(**values)

    def _key(self, effect: str) -> list[int]:
        return [self._what.seed, self._scene, zlib.crc32(effect.encode())]

    def _scene_stream(self, effect: str, camera: str = '') -> np.random.Generator:
        """Return the random numbers of an effect that lasts as long as the scene."""
        return np.random.default_rng([*self._key(effect), *_words(camera)])

    def _stream(self, effect: str, camera: CameraSpec, base: Pose2D) -> np.random.Generator:
        """Return the random numbers of an effect on one picture."""
        place = (base.x, base.y, wrap_angle(base.yaw))
        # To a nanometre: the way to a pose must not tell, and -0.0 is 0.0.
        steps = [round(value * 1e9) for value in place]
        return np.random.default_rng(
            [*self._key(effect), *_words(camera.name, self._time_ns, *steps)])


def _words(name: str, *numbers: int) -> list[int]:
    """Return a camera's name and whole numbers as what seeds are made of: none below 0."""
    return [zlib.crc32(name.encode()), *(number % 2**64 for number in numbers)]


def build_camera(
    nominal: CameraSpec, ranges: Camera, rng: np.random.Generator,
) -> CameraSpec:
    """Return a camera as it comes out of factory and workshop: nearly as specified."""
    x, y, z = (axis + span.draw(rng) for axis, span in zip(
        nominal.position, (ranges.x, ranges.y, ranges.z)))
    roll, pitch, yaw = (angle + span.draw(rng) for angle, span in zip(
        (nominal.roll, nominal.pitch, nominal.yaw), (ranges.roll, ranges.pitch, ranges.yaw)))
    hfov = 2 * math.atan(math.tan(nominal.hfov / 2) / ranges.focal.draw(rng))
    shift = (
        nominal.center_shift[0] + round(ranges.center_u.draw(rng) * nominal.width),
        nominal.center_shift[1] + round(ranges.center_v.draw(rng) * nominal.height))
    return replace(
        nominal, position=(x, y, z), roll=roll, pitch=pitch, yaw=yaw, hfov=hfov,
        center_shift=shift)
