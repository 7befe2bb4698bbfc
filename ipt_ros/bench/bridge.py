# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""
How many camera frames a second get from the simulator to another process.

Beside it stands what the simulator alone draws, on the same cameras: what the bridge, DDS and a
subscriber cost is the difference. The simulator is measured before and after the bridge, so that
a machine which changes its speed in between does not look like a fast or slow bridge.
"""

from itertools import cycle
import os
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter

from ipt_ros.demo.story import CAMERAS
from ipt_ros.graph import graph_environment, NAMESPACE, node_command
from ipt_ros.processes import Processes
from ipt_ros.ros.client import Robot
from ipt_sim import make_simulator, surround_cameras

SECONDS = 8.0
SEED = 1_000_000
# Times what the simulator alone can draw, so that the bridge runs as fast as it can; but not much
# more, since odometry and transforms are published at this rate, too.
ASKED = 1.5
HIGHEST = 200.0  # Hz: the bridge's limit


def measure() -> dict[str, float]:
    """Return frames/s summed over the cameras, each frame with its colour and depth image."""
    before = _simulator_alone(SECONDS / 2)
    bridge = _bridge(min(ASKED * before / len(CAMERAS), HIGHEST))
    alone = (before + _simulator_alone(SECONDS / 2)) / 2
    return {
        'frames a second of the simulator alone': alone,
        'frames a second through the bridge': bridge,
        'share that gets through the bridge': bridge / alone,
    }


def _simulator_alone(seconds: float) -> float:
    with make_simulator(cameras=surround_cameras(256)) as simulator:
        simulator.reset(SEED)
        names = cycle(CAMERAS)
        for _ in CAMERAS:  # the first ones are slower
            simulator.render(next(names), instance=False)
        began, frames = perf_counter(), 0
        while perf_counter() - began < seconds:
            simulator.render(next(names), instance=False)
            frames += 1
        return frames / (perf_counter() - began)


def _bridge(rate: float) -> float:
    environment = graph_environment(os.environ)
    os.environ.update(environment)
    parameters = {
        'seed': SEED, 'frame_rate': rate, 'update_rate': rate, 'camera_width': 256,
        'camera_height': 256}
    with TemporaryDirectory() as folder, Processes() as processes:
        processes.start(
            'sim_bridge', node_command('sim_bridge', parameters),
            Path(folder) / 'sim_bridge.log', environment)
        with Robot(NAMESPACE, waiting=lambda seconds: processes.check()) as robot:
            robot.wait_for_cameras(CAMERAS)
            return robot.count_frames(CAMERAS, SECONDS) / SECONDS
