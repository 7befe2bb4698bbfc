# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""Items of a scene as a simulator describes them."""

import math

from ipt_sim.protocol import SceneObject
from ipt_sim.scenes.model import Item


def scene_object(number: int, item: Item) -> SceneObject:
    """Describe an item under the number that it has in instance images."""
    low, high = item.bounds
    middle = (low + high) / 2
    c, s = math.cos(item.pose.yaw), math.sin(item.pose.yaw)
    x = item.pose.x + c * middle[0] - s * middle[1]
    y = item.pose.y + s * middle[0] + c * middle[1]
    return SceneObject(
        number, item.name, (float(x), float(y), float(item.z + middle[2])),
        tuple(float(side) for side in high - low), item.pose.yaw, item.color, item.structural,
    )
