# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""
What a simulated robot is: the `Simulator` protocol and the plain data that it speaks.

Frames follow REP-103 and REP-105. `world` (the odometry origin of a scene) and `base_link` have x
forward, y left, z up; `base_link` lies on the floor under the centre of the robot. Optical frames
have z forward, x right, y down. Metres, radians, seconds.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
import math
from typing import Protocol, runtime_checkable

from ipt_ros.geometry import (
    compose,
    OPTICAL_IN_BODY,
    OrthographicCamera,
    PinholeCamera,
    Pose2D,
    rotation_from_yaw_pitch,
)
from ipt_sim.scenes.model import Scene
import numpy as np


class SimulatorError(RuntimeError):
    """Something a simulator cannot do; the message says what, and what to do about it."""


class NotNavigableError(SimulatorError):
    """The robot does not fit at the place that was asked for."""


class RenderingUnavailableError(SimulatorError):
    """No way to draw was found on this machine."""


class BackendUnavailableError(SimulatorError):
    """A simulator that is not installed here."""


class SceneError(SimulatorError):
    """A scene that does not exist, or lacks what was asked of it."""


class EmptyFrameError(SimulatorError):
    """A draw came back empty where something had to be seen."""


@dataclass(frozen=True)
class CameraSpec:
    """
    A camera on the robot.

    width, height: pixels. hfov: horizontal field of view (rad), square pixels. position: metres in
    base_link. yaw: to the left, pitch: DOWNWARDS, roll: the picture's top to the right (all rad;
    REP-103 signs). center_shift: whole pixels (du, dv) by which the optical axis lies right of and
    below the middle of the picture; the focal length is that of `hfov` without it.
    """

    name: str
    width: int = 256
    height: int = 256
    hfov: float = math.pi / 2
    position: tuple[float, float, float] = (0.0, 0.0, 1.2)
    yaw: float = 0.0
    pitch: float = 0.0
    roll: float = 0.0
    center_shift: tuple[int, int] = (0, 0)

    def __post_init__(self):
        """Refuse sizes and fields of view that no camera has."""
        if not (self.width >= 1 and self.height >= 1):
            raise ValueError(f'camera "{self.name}" must have at least 1x1 pixels, got '
                             f'{self.width}x{self.height}')
        if not 0.0 < self.hfov < math.pi:
            raise ValueError(f'camera "{self.name}" must have a hfov between 0 and pi rad, got '
                             f'{self.hfov}')

    @property
    def intrinsics(self) -> PinholeCamera:
        """Return the pinhole camera of this specification."""
        camera = PinholeCamera.from_hfov(self.width, self.height, self.hfov)
        du, dv = self.center_shift
        return replace(camera, cx=camera.cx + du, cy=camera.cy + dv) if du or dv else camera

    @property
    def camera_in_base(self) -> np.ndarray:
        """4x4 pose of the camera's body frame (x forward, z up) in base_link."""
        rotation = rotation_from_yaw_pitch(self.yaw, self.pitch)
        if self.roll:
            c, s = math.cos(self.roll), math.sin(self.roll)
            rotation = rotation @ np.array([[1.0, 0.0, 0.0], [0.0, c, -s], [0.0, s, c]])
        return compose(rotation, self.position)

    @property
    def optical_in_base(self) -> np.ndarray:
        """4x4 pose of the camera's optical frame in base_link."""
        return self.camera_in_base @ compose(OPTICAL_IN_BODY, (0.0, 0.0, 0.0))


def surround_cameras(size: int = 256, height: float = 1.2) -> tuple[CameraSpec, ...]:
    """Return four square cameras of 90 degrees: front, left, back, right, counter-clockwise."""
    names = ('front', 'left', 'back', 'right')
    yaws = (0.0, math.pi / 2, math.pi, -math.pi / 2)
    return tuple(
        CameraSpec(name, size, size, position=(0.0, 0.0, height), yaw=yaw)
        for name, yaw in zip(names, yaws)
    )


@dataclass(frozen=True)
class Frame:
    """
    What one camera saw at one moment.

    rgb: uint8 (H, W, 3). depth: float32 (H, W), metres along the optical axis, 0 = nothing hit.
    instance: int32 (H, W), the `SceneObject.id` of each pixel, 0 = nothing hit. depth and instance
    are None where they were not asked for. world_from_optical: 4x4. intrinsics: the camera model.
    """

    rgb: np.ndarray
    depth: np.ndarray | None
    instance: np.ndarray | None
    world_from_optical: np.ndarray
    intrinsics: PinholeCamera | OrthographicCamera


@dataclass(frozen=True)
class SceneObject:
    """
    Something with a name in the scene.

    id: the number in instance images, above 0, unique in the scene. name: its class, as a person
    would say it. position: centre of its bounding box (m, world). size: full extents (m) along its
    own axes. yaw: heading of its front (rad, world). color: name of its main colour. structural:
    part of the room itself (floor, ceiling, wall, door, window, painting), not furniture.
    """

    id: int
    name: str
    position: tuple[float, float, float]
    size: tuple[float, float, float]
    yaw: float
    color: str
    structural: bool = False


@dataclass(frozen=True)
class StepResult:
    """Where the robot is after a step, and whether something was in its way."""

    pose: Pose2D
    collided: bool


@runtime_checkable
class Simulator(Protocol):
    """
    A robot with cameras in a furnished room.

    Every backend is deterministic: the same seed gives the same scene, the same start pose and, on
    one machine, the same pictures bit for bit. `reset` must be called before anything else.
    A simulator belongs to the thread that made it, as graphics contexts do.
    """

    @property
    def cameras(self) -> Sequence[CameraSpec]:
        """Return the cameras of the robot."""
        ...

    @property
    def pose(self) -> Pose2D:
        """Where the robot is."""
        ...

    def reset(self, seed: int) -> None:
        """
        Build the scene of this seed and put the robot at its start.

        Raises ValueError for a seed that is no whole number from 0 on; there is no largest one.
        """
        ...

    def objects(self) -> list[SceneObject]:
        """Return everything in the scene that has a name, ascending by id."""
        ...

    def room_bounds(self) -> tuple[float, float, float, float]:
        """Return (xmin, ymin, xmax, ymax) of the floor, metres in the world."""
        ...

    def teleport(self, pose: Pose2D) -> None:
        """Put the robot there. Raises NotNavigableError where it does not fit."""
        ...

    def step(self, dt: float, linear: float, angular: float) -> StepResult:
        """Drive for dt seconds at linear m/s and angular rad/s; stop at obstacles."""
        ...

    def render(
        self,
        camera: CameraSpec | str,
        base: Pose2D | None = None,
        *,
        depth: bool = True,
        instance: bool = True,
    ) -> Frame:
        """
        Draw what a camera sees, from the robot's pose or from any other pose of its base.

        camera: the name of one of the robot's cameras, or any specification. The robot's own body
        is never in the picture. Raises EmptyFrameError if the draw failed.
        """
        ...

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
        """
        Draw a square of `size` metres around `center` from above, without the ceiling.

        The heading `yaw` points UP in the picture and left is left. The picture is orthographic,
        pixels x pixels. depth counts from the height of the camera, see world_from_optical.
        """
        ...

    def is_navigable(self, x: float, y: float) -> bool:
        """Tell whether the robot fits at this place and could drive there from its start."""
        ...

    def sample_navigable(self, rng: np.random.Generator) -> tuple[float, float]:
        """Draw a navigable place, all of them equally likely."""
        ...

    def navigable_grid(self) -> tuple[np.ndarray, tuple[float, float], float]:
        """
        Return (grid, origin, resolution): bool grid[iy, ix] of places where the robot fits.

        origin: world x, y (m) of the outer corner of cell [0, 0]; resolution: metres a cell.
        """
        ...

    def close(self) -> None:
        """Free the renderer. Further calls fail; closing twice is fine."""
        ...


@runtime_checkable
class Restylable(Protocol):
    """A backend that can change how its generated rooms look."""

    def restyle(self, change: Callable[[Scene], Scene] | None) -> None:
        """
        Show scenes, from the next reset on, as `change` returns them; None: as generated.

        `change` may replace lights, colours, materials and patterns, never what stands where: ids,
        depth, objects and the navigable places stay those of the generated scene.
        """
        ...
