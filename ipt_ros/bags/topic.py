# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""What a bag says about a topic."""

from dataclasses import dataclass

from rosbags.interfaces import Qos

# The values that stand for "no such limit" in recorded profiles, as rosbag2 writes them.
INFINITE = (9_223_372_036, 854_775_807)


@dataclass(frozen=True)
class BagTopic:
    """
    A topic with everything that a reader needs to understand its messages.

    type: 'package/msg/Name'. definition: text of the message and of all messages in it, in the
    concatenated form of MCAP ('ros2msg' or, as `encoding` says, 'ros2idl'). type_hash: RIHS01
    text, '' where not known. qos: the profile of each publisher.
    """

    name: str
    type: str
    definition: str
    encoding: str = 'ros2msg'
    type_hash: str = ''
    qos: tuple[Qos, ...] = ()
