# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""
Rollouts of robots, real or simulated, out of rosbag2 recordings (MCAP or sqlite3), without ROS.

>>> with read_rollout('drive') as rollout:
...     for record in rollout.frames:
...         frame = rollout.load(record)
"""

from ipt_training.bags.bag import Bag
from ipt_training.bags.errors import BagReadError, FrameError
from ipt_training.bags.frames import Frame, FrameRecord
from ipt_training.bags.options import CameraTopics, ReadOptions
from ipt_training.bags.rollout import read_rollout, Rollout

__all__ = [
    'Bag',
    'BagReadError',
    'CameraTopics',
    'Frame',
    'FrameError',
    'FrameRecord',
    'ReadOptions',
    'Rollout',
    'read_rollout',
]
