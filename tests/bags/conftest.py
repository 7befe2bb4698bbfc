# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""Small bags to write, break and read back."""

from collections import defaultdict

from ipt_ros.bags import BagTopic
import pytest
from rosbags.interfaces import (
    Qos,
    QosDurability,
    QosHistory,
    QosLiveliness,
    QosReliability,
    QosTime,
)
from rosbags.rosbag2 import Reader

FOREVER = QosTime(9_223_372_036, 854_775_807)
LATCHED = Qos(
    QosHistory.KEEP_LAST, 1, QosReliability.RELIABLE, QosDurability.TRANSIENT_LOCAL, FOREVER,
    FOREVER, QosLiveliness.AUTOMATIC, FOREVER, False)
STRING = BagTopic(
    '/chatter', 'std_msgs/msg/String', 'string data\n',
    type_hash='RIHS01_df668c740482bbd48fb39d76a70dfd4bd59db1288021743503259e948f6b1a18',
    qos=(LATCHED,))
INT = BagTopic('/number', 'std_msgs/msg/Int32', 'int32 data\n')


def cdr_string(text):
    """Return a std_msgs/String as CDR."""
    data = text.encode() + b'\0'
    return b'\0\1\0\0' + len(data).to_bytes(4, 'little') + data


def messages(folder):
    """Return {topic: [(log time, bytes)]} as `rosbags` reads them."""
    found = defaultdict(list)
    with Reader(folder) as reader:
        for connection, time, data in reader.messages(reader.connections):
            found[connection.topic].append((time, bytes(data)))
    return dict(found)


@pytest.fixture
def folder(tmp_path):
    return tmp_path / 'bag'
