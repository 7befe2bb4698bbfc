# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""What every backend does alike: a robot with cameras that drives, and checks of what is asked."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
import math
from typing import Protocol

from ipt_ros.geometry import OrthographicCamera, Pose2D, wrap_angle
from ipt_sim.driving import drive
from ipt_sim.protocol import (
    CameraSpec,
    Frame,
    NotNavigableError,
    SimulatorError,
    StepResult,
    surround_cameras,
)
import numpy as np


class Places(Protocol):
    """Where the robot may be in the present scene."""

    def __contains__(self, place: tuple[float, float]) -> bool:
        """Tell whether the robot's centre may be at (x, y)."""
        ...

    def sample(self, rng: np.random.Generator) -> tuple[float, float]:
        """Draw a place (x, y), all of them equally likely."""
        ...


class Backend(ABC):
    """
    A differential-drive robot with cameras; see `Simulator` for the calls.

    A backend adds how scenes are loaded (`reset`, `objects`, `room_bounds`, `navigable_grid`,
    `close`) and drawn, and sets `_pose` when it loads one.
    """

    def __init__(self, cameras: Sequence[CameraSpec] | None, robot_radius: float):
        """Take the robot's cameras (None: four, all around) and its radius (m)."""
        if not robot_radius > 0:
            raise ValueError(f'robot_radius must be positive metres, got {robot_radius}')
        self._cameras = tuple(cameras) if cameras is not None else surround_cameras()
        self._by_name = {camera.name: camera for camera in self._cameras}
        if len(self._by_name) != len(self._cameras):
            raise ValueError('two cameras have the same name')
        self._radius = robot_radius
        self._pose = Pose2D(0.0, 0.0)

    @property
    def cameras(self) -> tuple[CameraSpec, ...]:
        """Return the cameras of the robot."""
        return self._cameras

    @property
    def pose(self) -> Pose2D:
        """Where the robot is."""
        return self._pose

    # What a backend knows

    @abstractmethod
    def _places(self) -> Places:
        """Return where the robot may be. Raises SimulatorError where there is no scene."""

    @abstractmethod
    def _draw_view(
        self, camera: CameraSpec, world_from_optical: np.ndarray, depth: bool, instance: bool,
    ) -> Frame:
        """Draw what a camera sees from a pose. Raises EmptyFrameError if the draw failed."""

    @abstractmethod
    def _draw_map(
        self, camera: OrthographicCamera, center: tuple[float, float], yaw: float, depth: bool,
        instance: bool,
    ) -> Frame:
        """Draw what a camera above `center` sees of the room without its ceiling, `yaw` up."""

    @abstractmethod
    def _require_scene(self) -> None:
        """Raise SimulatorError where there is no scene."""

    @abstractmethod
    def close(self) -> None:
        """Free the renderer."""

    def _can_move(self, start: Pose2D, end: Pose2D) -> bool:
        """Tell whether the robot can go straight from one pose to another, close by."""
        return (end.x, end.y) in self._places()

    # Driving

    def teleport(self, pose: Pose2D) -> None:
        """Put the robot there. Raises NotNavigableError where it does not fit."""
        if not math.isfinite(pose.yaw) or not self.is_navigable(pose.x, pose.y):
            raise NotNavigableError(
                f'the robot (radius {self._radius} m) cannot be at '
                f'x={pose.x:.3f}, y={pose.y:.3f}, yaw={pose.yaw:.3f}: '
                'outside the building, in an obstacle, or cut off from its start')
        self._pose = Pose2D(pose.x, pose.y, wrap_angle(pose.yaw))

    def step(self, dt: float, linear: float, angular: float) -> StepResult:
        """Drive for dt seconds at linear m/s and angular rad/s; stop at obstacles."""
        self._require_scene()
        result = drive(self._pose, dt, linear, angular, self._can_move)
        self._pose = result.pose
        return result

    def is_navigable(self, x: float, y: float) -> bool:
        """Tell whether the robot fits there and could drive there from its start."""
        return (x, y) in self._places()

    def sample_navigable(self, rng: np.random.Generator) -> tuple[float, float]:
        """Draw a navigable place, all of them equally likely."""
        return self._places().sample(rng)

    # Pictures

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
        camera = find_camera(camera, self._by_name)
        base = self._pose if base is None else base
        world_from_optical = base.matrix @ camera.optical_in_base
        if not np.isfinite(world_from_optical).all():
            raise ValueError(f'cannot draw from the pose {base}')
        return self._draw_view(camera, world_from_optical, depth, instance)

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
        if not pixels >= 1:
            raise ValueError(f'a map must have at least 1x1 pixels, got {pixels}')
        camera = OrthographicCamera(pixels, pixels, size / pixels)
        return self._draw_map(camera, center, yaw, depth, instance)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def find_camera(camera: CameraSpec | str, by_name: Mapping[str, CameraSpec]) -> CameraSpec:
    """Return a specification, or the one of that name. Raises SimulatorError for no name."""
    if not isinstance(camera, str):
        return camera
    if camera not in by_name:
        raise SimulatorError(f'no camera is called "{camera}"; there are: {", ".join(by_name)}')
    return by_name[camera]
