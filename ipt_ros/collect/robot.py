# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""A recorded drive of a robot that runs already, a real one for instance."""

from dataclasses import asdict
from datetime import datetime
import os
from pathlib import Path
from typing import Any

from ipt_ros.collect.drive import CollectError, describe, record_drive, start_recorder
from ipt_ros.collect.options import DriveOptions, RESULT
from ipt_ros.collect.scene import write_json
from ipt_ros.processes import Processes, stopped_by_signals
from ipt_ros.progress import bar, Progress
from ipt_ros.ros.pilot import Pilot


def collect_robot(
    out: Path, options: DriveOptions, namespace: str, seed: int, progress: Progress,
) -> dict[str, Any]:
    """
    Drive the robot of a running graph and record it into a new folder of `out`.

    Only the recorder is started. Whatever happens, the robot is stopped and the bag ended in good
    order. Raises CollectError, RobotError, DrivingError, ProcessDiedError.
    """
    folder = out / datetime.now().strftime('robot_%Y_%m_%d-%H_%M_%S')
    try:
        folder.mkdir(parents=True)
    except OSError as error:
        raise CollectError(f"cannot write to '{out}': {error.strerror}") from error
    progress.step(f'recording to {folder}')
    with stopped_by_signals(), Processes() as processes:
        start_recorder(processes, folder, options, namespace, os.environ, sim_time=False)

        def waiting(seconds: float) -> None:
            processes.check()

        with Pilot(namespace, waiting) as pilot:
            try:
                drive = record_drive(
                    pilot, options, seed, teleport=False,
                    report=lambda share, doing: progress.live(
                        f'{bar(round(share * 100), 100)} {doing}'))
            except BaseException:
                pilot.halt()
                raise
            progress.clear()
            processes.stop()
            result = {'scene': folder.name, **describe(folder, drive, pilot),
                      'options': asdict(options)}
    write_json(folder / RESULT, result)
    return result
