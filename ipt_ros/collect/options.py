# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""What `ipt collect` is asked for, as plain data for its processes and its folder."""

from dataclasses import dataclass, field
from typing import Any

BAG = 'bag'
RESULT = 'collected.json'
PROGRESS = 'progress.json'


@dataclass(frozen=True)
class DriveOptions:
    """
    How to drive and record.

    seconds: of the robot's time. poses: (x, y, yaw) to visit instead of exploring. linear,
    angular: top speeds. radius: of the robot (m). dwell: seconds at each goal. recorder:
    parameters of the recorder over those of its file.
    """

    seconds: float = 60.0
    poses: tuple[tuple[float, float, float], ...] = ()
    linear: float = 0.5
    angular: float = 1.0
    radius: float = 0.2
    dwell: float = 0.5
    recorder: dict[str, Any] = field(default_factory=dict)
    recorder_files: tuple[str, ...] = ()


@dataclass(frozen=True)
class SceneOptions:
    """One scene: its folder, its seed, the parameters of the bridge over those of its file."""

    folder: str
    seed: int
    bridge: dict[str, Any]
    drive: DriveOptions

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> 'SceneOptions':
        """Return what `dataclasses.asdict` and JSON have made of one."""
        drive = dict(data['drive'])
        drive['poses'] = tuple(tuple(pose) for pose in drive['poses'])
        drive['recorder_files'] = tuple(drive['recorder_files'])
        return cls(**{**data, 'drive': DriveOptions(**drive)})
