# SPDX-License-Identifier: Apache-2.0
"""How many camera frames a second get from the simulator to another process."""

import os
from pathlib import Path
from tempfile import TemporaryDirectory

from ipt_ros.demo.story import CAMERAS
from ipt_ros.graph import graph_environment, NAMESPACE, node_command
from ipt_ros.processes import Processes
from ipt_ros.ros.client import Robot

SECONDS = 8.0
# More than any machine reaches, so that the bridge runs as fast as it can.
ASKED = 200.0


def measure() -> dict[str, float]:
    """Return frames/s summed over the cameras, each frame with its colour and depth image."""
    environment = graph_environment(os.environ)
    os.environ.update(environment)
    with TemporaryDirectory() as folder, Processes() as processes:
        processes.start(
            'sim_bridge', node_command('sim_bridge', {'frame_rate': ASKED, 'update_rate': ASKED}),
            Path(folder) / 'sim_bridge.log', environment)
        with Robot(NAMESPACE, waiting=lambda seconds: processes.check()) as robot:
            robot.wait_for_cameras(CAMERAS)
            frames = robot.count_frames(CAMERAS, SECONDS)
    return {'frames a second of the bridge (colour and depth)': frames / SECONDS}
