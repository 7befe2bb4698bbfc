# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""The parameters of the simulator bridge."""

from dataclasses import dataclass
import math
import re

from ipt_ros.paths import config_file, MissingFileError
from ipt_ros.ros.parameters import parameter, ParameterError
from ipt_sim import (
    BACKENDS,
    CameraSpec,
    load_randomization,
    Randomization,
    RandomizationError,
)

_CAMERA_NAME = re.compile(r'[A-Za-z]\w*', re.ASCII)


@dataclass(frozen=True)
class Settings:
    """The node's parameters; config/sim_bridge.yaml explains them at more length."""

    backend: str = parameter('mujoco', 'Simulator to use.', choices=BACKENDS)
    scene: str = parameter(
        '', 'Scene files or names, separated by commas; empty: a room generated from the seed.')
    scene_dataset: str = parameter('', 'A *.scene_dataset_config.json that scene names belong to.')
    seed: int = parameter(
        1_000_000, 'Scene at the start; ~/reset changes it.', low=0, high=2**31 - 1)
    randomization: str = parameter(
        '', 'YAML file of domain randomisation, or the name of a shipped one; empty: none.')
    randomization_seed: int = parameter(
        -1, 'Seed of the randomisation; -1: the one in its file.', low=-1, high=2**31 - 1)
    publish_clock: bool = parameter(
        True, 'Publish /clock and stamp with simulated time; false: stamp with wall-clock time.')
    real_time_factor: float = parameter(
        1.0, 'Simulated seconds a wall-clock second.', low=0.01, high=100.0)
    update_rate: float = parameter(
        20.0, 'Hz (simulated) of motion, odom, /tf and /clock.', low=1.0, high=200.0)
    frame_rate: float = parameter(
        5.0, 'Hz (simulated) of each camera; at most update_rate.', low=0.01, high=200.0)
    cameras: tuple = parameter(
        ('front', 'left', 'back', 'right'), 'Names of the cameras; topics begin with them.')
    camera_yaws: tuple = parameter(
        (0.0, math.pi / 2, math.pi, -math.pi / 2), 'Heading of each camera (rad, to the left).')
    camera_width: int = parameter(256, 'Pixels.', low=16, high=4096)
    camera_height: int = parameter(256, 'Pixels.', low=16, high=4096)
    camera_hfov: float = parameter(
        math.pi / 2, 'Horizontal field of view (rad).', low=0.1, high=3.0)
    camera_z: float = parameter(1.2, 'Height above the floor (m).', low=0.05, high=2.3)
    camera_pitch: float = parameter(0.0, 'Downward tilt (rad).', low=-1.5, high=1.5)
    map_frame: str = parameter('map', 'World frame; the same for every robot.')
    odom_frame: str = parameter('odom', 'Odometry frame.')
    base_frame: str = parameter('base_link', 'Body frame: on the floor, x forward.')
    frame_prefix: str = parameter('', 'Put before every frame but map_frame.')
    max_linear: float = parameter(1.0, 'm/s; faster commands are limited.', low=0.0, high=10.0)
    max_angular: float = parameter(2.0, 'rad/s; faster commands are limited.', low=0.0, high=20.0)
    cmd_vel_timeout: float = parameter(
        0.5, 'Simulated s without a command until the robot stops.', low=0.0, high=60.0)

    def camera_specs(self) -> tuple[CameraSpec, ...]:
        """Return the cameras; raise ParameterError where the lists do not fit each other."""
        if not self.cameras or len(set(self.cameras)) != len(self.cameras):
            raise ParameterError(
                f"'cameras' must name one or more different cameras, got {list(self.cameras)}")
        bad = [name for name in self.cameras if not _CAMERA_NAME.fullmatch(name)]
        if bad:
            raise ParameterError(
                f"'cameras' become parts of topics: letters, digits and _ only, got {bad}")
        if not all(map(math.isfinite, self.camera_yaws)):
            raise ParameterError(f"'camera_yaws' must be finite, got {list(self.camera_yaws)}")
        if len(self.camera_yaws) != len(self.cameras):
            raise ParameterError(
                f"'camera_yaws' has {len(self.camera_yaws)} values for {len(self.cameras)} "
                'cameras; give one heading (rad) a camera')
        if self.frame_rate > self.update_rate:
            raise ParameterError(
                f"'frame_rate' ({self.frame_rate} Hz) is above 'update_rate' "
                f'({self.update_rate} Hz); raise the latter')
        return tuple(
            CameraSpec(
                name, self.camera_width, self.camera_height, self.camera_hfov,
                (0.0, 0.0, self.camera_z), yaw, self.camera_pitch)
            for name, yaw in zip(self.cameras, self.camera_yaws))

    def read_randomization(self) -> Randomization | None:
        """Read the file of domain randomisation, if one is named; raise ParameterError."""
        if not self.randomization:
            return None
        seed = None if self.randomization_seed < 0 else self.randomization_seed
        try:
            return load_randomization(config_file(self.randomization), seed)
        except (MissingFileError, RandomizationError) as error:
            raise ParameterError(f"'randomization': {error}") from error
