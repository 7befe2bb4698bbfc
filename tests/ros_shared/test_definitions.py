# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""Definitions of message types as other tools read them."""

from ipt_ros.ros.definitions import definition, message_class, UnknownTypeError
import pytest
from rosbags.typesys import get_types_from_msg, get_typestore, Stores
from sensor_msgs.msg import Image


@pytest.mark.parametrize('name', [
    'std_msgs/msg/String', 'sensor_msgs/msg/Image', 'nav_msgs/msg/Odometry',
    'tf2_msgs/msg/TFMessage', 'ipt_interfaces/msg/Answer', 'ipt_interfaces/msg/ImaginedImage'])
def test_definition_alone_explains_the_type(name):
    found = definition(name)
    store = get_typestore(Stores.EMPTY)
    store.register(get_types_from_msg(found.text, name))
    # The hash covers every field of the message and of all messages in it.
    assert store.hash_rihs01(name) == found.type_hash


def test_class_is_found_by_name():
    assert message_class('sensor_msgs/msg/Image') is Image


@pytest.mark.parametrize('name', ['no_such_msgs/msg/A', 'sensor_msgs/msg/Nothing', 'Image'])
@pytest.mark.parametrize('function', [definition, message_class])
def test_unknown_type_is_named(function, name):
    with pytest.raises(UnknownTypeError, match=name):
        function(name)
