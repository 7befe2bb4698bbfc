# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""One recorded drive: the recorder runs, the robot moves, the result is told."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ipt_ros.bags import BagError, inspect
from ipt_ros.collect.options import BAG, DriveOptions
from ipt_ros.driving import Driver, DriverOptions, DrivingError, FrontierGoals, GivenPoses, Limits
from ipt_ros.geometry import Pose2D
from ipt_ros.graph import node_command
from ipt_ros.processes import Processes
from ipt_ros.ros.client import RobotError
from ipt_ros.ros.pilot import Pilot
import numpy as np

# Called with the share that is done, 0 to 1, and what is being done.
Report = Callable[[float, str], None]
RECORDER = 'rollout_recorder'


class CollectError(RuntimeError):
    """A drive could not be recorded; the message says why."""


@dataclass
class Drive:
    """What a drive came to; left_out: poses that could not be reached, with the reason."""

    seconds: float = 0.0
    distance: float = 0.0
    goals: int = 0
    blocked: int = 0
    known_area: float = 0.0
    left_out: list[dict[str, Any]] = field(default_factory=list)


def start_recorder(
    processes: Processes, folder: Path, options: DriveOptions, namespace: str,
    environment: Mapping[str, str], sim_time: bool,
) -> None:
    """Start the recorder; its bag is `folder`/bag."""
    parameters = {
        'output_dir': folder.resolve(), 'bag_name': BAG, 'use_sim_time': sim_time,
        **options.recorder}
    processes.start(
        RECORDER, node_command(
            RECORDER, parameters, namespace, [Path(name) for name in options.recorder_files]),
        folder / f'{RECORDER}.log', environment)


def record_drive(
    pilot: Pilot, options: DriveOptions, seed: int, teleport: bool, report: Report,
) -> Drive:
    """
    Drive while the recorder runs, then end its bag.

    teleport: put a simulated robot to the given poses instead of driving it there. Raises
    RobotError, DrivingError.
    """
    report(0.0, 'waiting for the recorder')
    pilot.wait_for_recording()
    if options.poses and teleport:
        drive = _visit(pilot, options, report)
    else:
        drive = _explore(pilot, options, seed, report)
    report(1.0, 'ending the bag')
    pilot.stop_recording()
    return drive


def describe(folder: Path, drive: Drive, pilot: Pilot) -> dict[str, Any]:
    """Return what is worth knowing about a recorded drive. Raises CollectError."""
    try:
        bag = inspect(folder / BAG)
    except BagError as error:
        raise CollectError(str(error)) from error
    recorder = pilot.recorder.values if pilot.recorder else {}
    return {
        'seconds': round(drive.seconds, 3),
        'distance_m': round(drive.distance, 3),
        'goals_reached': drive.goals,
        'blocked': drive.blocked,
        'known_area_m2': round(drive.known_area, 2),
        'poses_left_out': drive.left_out,
        'messages': bag.count,
        'bytes': sum(path.stat().st_size for path in (folder / BAG).iterdir()),
        'dropped': int(recorder.get('dropped', 0)),
        'lost': int(recorder.get('lost', 0)),
        'topics': {topic.name: topic.count for topic in bag.topics},
    }


def _explore(pilot: Pilot, options: DriveOptions, seed: int, report: Report) -> Drive:
    """Explore, or drive to the given poses."""
    goals = (GivenPoses(Pose2D(*pose) for pose in options.poses) if options.poses
             else FrontierGoals(np.random.default_rng(seed)))
    driver = Driver(goals, DriverOptions(
        Limits(options.linear, options.angular), options.radius, dwell=options.dwell,
        endless=not options.poses))

    def told(seconds: float) -> None:
        report(min(1.0, seconds / options.seconds),
               f'{driver.log.distance:.1f} m driven, {driver.map.known_area:.0f} m2 seen')

    seconds = pilot.drive(driver, options.seconds, told)
    log = driver.log
    left_out = [
        {'pose': [pose.x, pose.y, pose.yaw], 'reason': 'no way there was found'}
        for pose in getattr(goals, 'left_out', ())]
    return Drive(seconds, log.distance, log.reached, log.blocked, driver.map.known_area, left_out)


def _visit(pilot: Pilot, options: DriveOptions, report: Report) -> Drive:
    """Put a simulated robot from pose to pose."""
    drive, cameras = Drive(), tuple(pilot.depth_cameras())
    for number, pose in enumerate(options.poses):
        report(number / len(options.poses), f'pose {number + 1} of {len(options.poses)}')
        try:
            pilot.teleport(*pose, cameras)
        except RobotError as error:
            drive.left_out.append({'pose': list(pose), 'reason': str(error)})
            continue
        pilot.rest(options.dwell)
        pilot.check_recorder()
        drive.goals += 1
    if not drive.goals:
        raise DrivingError(
            f'none of the {len(options.poses)} poses could be taken; the first: '
            f"{drive.left_out[0]['reason']}")
    return drive
