# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""The rule that reads occupancy off a map's colours, on true maps of the simulator."""

from ipt_ros.spatial.imagined import FREE, occupancy, OCCUPIED, UNKNOWN
from ipt_sim import make_simulator
import numpy as np


def test_true_maps_are_read_mostly_right():
    simulator = make_simulator()
    free, occupied, outside = [], [], []
    try:
        for seed in range(1_000_100, 1_000_104):
            simulator.reset(seed)
            pose = simulator.pose
            bird = simulator.render_topdown((pose.x, pose.y), pose.yaw, 8.0, 96)
            # Whatever lies flat on the floor can be driven on.
            flat = [o.id for o in simulator.objects() if o.name == 'floor' or o.size[2] < 0.05]
            floor, nothing = np.isin(bird.instance, flat), bird.instance == 0
            grid = occupancy([bird.rgb], 8.0 / 96)
            free.append((grid[floor] == FREE).mean())
            occupied.append((grid[~floor & ~nothing] == OCCUPIED).mean())
            outside.append((grid[nothing] == UNKNOWN).mean())
    finally:
        simulator.close()
    assert np.mean(free) > 0.85
    assert np.mean(occupied) > 0.75
    assert np.mean(outside) > 0.95
