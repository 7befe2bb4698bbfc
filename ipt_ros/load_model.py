# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""`ipt load-model`: another model for a node that runs, without a request lost."""

from argparse import Namespace
from pathlib import Path
import sys

from ipt_ros.progress import Progress
from ipt_ros.ros.client import Robot, RobotError


def load_model(options: Namespace) -> int:
    """Do what the command line says, print which model serves; return the exit code."""
    # The node may run in another folder. What is no folder here may be one on its machine.
    folder = Path(options.source)
    source = str(folder.resolve()) if folder.is_dir() else options.source
    progress = Progress(sys.stderr)

    def wait(seconds: float) -> None:
        progress.live(f'the node loads {source} ({seconds:.0f} s)')

    try:
        with Robot(options.namespace, wait, options.timeout) as robot:
            response = robot.load_model(source)
    except RobotError as error:
        print(f'ipt: {error}', file=sys.stderr)
        return 1
    finally:
        progress.clear()
    if not response.success:
        print(f'ipt: {response.message} (error code {response.error_code})', file=sys.stderr)
        return 1
    print(f'{response.message} (loaded in {response.seconds:.1f} s)')
    return 0
