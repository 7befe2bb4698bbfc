# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""
One scene in a process of its own: a simulated robot, a recorder and a driver in their own domain.

    python -m ipt_ros.collect.scene OPTIONS.json
"""

from collections.abc import Sequence
from dataclasses import asdict
import json
import os
from pathlib import Path
import shutil
import signal
import sys
from time import monotonic
from typing import Any

from ipt_ros.collect.drive import CollectError, describe, record_drive, start_recorder
from ipt_ros.collect.options import BAG, PROGRESS, RESULT, SceneOptions
from ipt_ros.domains import free_domain
from ipt_ros.driving import DrivingError
from ipt_ros.graph import graph_environment, NAMESPACE, node_command
from ipt_ros.processes import ProcessDiedError, Processes, stopped_by_signals
from ipt_ros.ros.client import RobotError
from ipt_ros.ros.pilot import Pilot

BRIDGE = 'sim_bridge'
_PERIOD = 0.5  # s between two notes of progress


def main(arguments: Sequence[str] | None = None) -> int:
    """Collect the scene that a JSON file describes; return the exit code."""
    path = Path((sys.argv[1:] if arguments is None else arguments)[0])
    options = SceneOptions.from_json(json.loads(path.read_text(encoding='utf-8')))
    # A shell that starts us in the background has us ignore it.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with stopped_by_signals(), free_domain() as domain:
            collect_scene(options, domain)
    except (CollectError, DrivingError, ProcessDiedError, RobotError) as error:
        print(f'ipt collect: scene {options.seed}: {error}', file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


def collect_scene(options: SceneOptions, domain: int) -> dict[str, Any]:
    """Record one scene in a ROS domain; return, and write beside the bag, what came of it."""
    folder = Path(options.folder)
    # What an earlier, unfinished try left behind; the scene will be driven through again.
    shutil.rmtree(folder / BAG, ignore_errors=True)
    environment = graph_environment({**os.environ, 'ROS_DOMAIN_ID': str(domain)})
    os.environ.update(environment)  # this process joins the graph as well
    began = monotonic()
    with Processes() as processes:
        processes.start(
            BRIDGE, node_command(BRIDGE, {**options.bridge, 'seed': options.seed}),
            folder / f'{BRIDGE}.log', environment)
        start_recorder(processes, folder, options.drive, NAMESPACE, environment, sim_time=False)
        with Pilot(NAMESPACE, waiting=lambda seconds: processes.check()) as pilot:
            drive = record_drive(
                pilot, options.drive, options.seed, teleport=True,
                report=_Notes(folder / PROGRESS))
            codes = processes.stop()
            result = describe(folder, drive, pilot)
    if any(codes.values()):
        raise CollectError(f'a node ended badly: {codes}; its log is in {folder}')
    result = {
        'scene': options.seed, **result, 'wall_seconds': round(monotonic() - began, 1),
        'options': asdict(options)}
    write_json(folder / RESULT, result)
    return result


def write_json(path: Path, data: Any) -> None:
    """Write a file as a whole or not at all."""
    partial = path.with_suffix('.partial')
    partial.write_text(json.dumps(data, indent=2) + '\n', encoding='utf-8')
    partial.replace(path)


class _Notes:
    """Notes progress in a file for whoever shows it."""

    def __init__(self, path: Path):
        self._path = path
        self._last = 0.0

    def __call__(self, share: float, doing: str) -> None:
        if monotonic() - self._last >= _PERIOD:
            self._last = monotonic()
            write_json(self._path, {'share': share, 'doing': doing})


if __name__ == '__main__':
    sys.exit(main())
