# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""
Bags (rosbag2, MCAP) without a ROS installation: written so that a crash costs a second at most.

>>> writer = BagWriter(Path('drive'))
>>> chatter = writer.add_topic(BagTopic('/chatter', 'std_msgs/msg/String', 'string data'))
>>> writer.write(chatter, serialised, log_time=now, publish_time=now)
>>> writer.close()

`repair` makes a bag readable whose writer was killed. To read bags, use `rosbags`.
"""

from ipt_ros.bags.errors import BagError
from ipt_ros.bags.metadata import BagSummary, TopicSummary
from ipt_ros.bags.recording import Recording, RecordingOptions, TopicCount
from ipt_ros.bags.repairing import inspect, Repair, repair
from ipt_ros.bags.topic import BagTopic, INFINITE
from ipt_ros.bags.writer import BagWriter, COMPRESSIONS, WriterOptions

__all__ = [
    'COMPRESSIONS',
    'INFINITE',
    'BagError',
    'BagSummary',
    'BagTopic',
    'BagWriter',
    'Recording',
    'RecordingOptions',
    'Repair',
    'TopicCount',
    'TopicSummary',
    'WriterOptions',
    'inspect',
    'repair',
]
