# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""
Furnished rooms from a seed, as plain data that any backend can draw.

`generate_scene(seed)` gives a `Scene`: named items made of coloured primitives, and which of them
stand in the way of a robot.
"""

from ipt_sim.scenes.furniture import FURNITURE, FurnitureClass
from ipt_sim.scenes.model import Item, Part, Scene
from ipt_sim.scenes.room import generate_scene

__all__ = ['FURNITURE', 'FurnitureClass', 'Item', 'Part', 'Scene', 'generate_scene']
