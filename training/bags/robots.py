# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""Robots that share one tree of frames, told apart by a prefix: 'robot1/base_link'."""

import re

from ipt_ros.geometry.transform_tree import TransformError, TransformTree

_BASE = re.compile(r'base(_link|_footprint)?$')


def base_of(frame: str) -> str:
    """Return what the name of a robot's own frame ends with: 'base_link' of 'robot1/base_link'."""
    found = _BASE.search(frame.rpartition('/')[2])
    return found[0] if found else frame.rpartition('/')[2]


def other_base(tree: TransformTree, frame: str, base: str) -> str:
    """Return the base of another robot that a frame hangs on, '' where it is of this one."""
    try:
        above, shared = tree.ancestors(frame), tree.ancestors(base)
    except TransformError:
        return ''  # whoever looks up its pose says what is wrong
    own = next((name for name in above if base_of(name) == base_of(base)), '')
    return '' if base in above or own in shared else own
