# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""
A buffer over /tf and /tf_static.

tf2's own listener is part of a full ROS installation, but not of every one; this small one speaks
to the same topics.
"""

from collections.abc import Callable

from builtin_interfaces.msg import Time
from ipt_ros.geometry.transform_tree import transform_problem, TransformError, TransformTree
from tf2_msgs.msg import TFMessage

__all__ = ['TransformBuffer', 'TransformError', 'nanoseconds']


def nanoseconds(stamp: Time) -> int:
    """Return a stamp as nanoseconds."""
    return stamp.sec * 1_000_000_000 + stamp.nanosec


class TransformBuffer(TransformTree):
    """The transform tree of the last seconds, from messages."""

    def __init__(self, warn: Callable[[str], None] | None = None, **options):
        """`warn`: is told once a frame of a broken transform. `options` go to the tree."""
        super().__init__(**options)
        self._warn = warn
        self._warned: set[tuple[str, str]] = set()

    def add_message(self, message: TFMessage, static: bool = False) -> None:
        """Take in a message of /tf or, `static`, of /tf_static; broken transforms are ignored."""
        for item in message.transforms:
            parent, child = item.header.frame_id, item.child_frame_id
            t, q = item.transform.translation, item.transform.rotation
            place, turn = (t.x, t.y, t.z), (q.x, q.y, q.z, q.w)
            if not self.add(parent, child, nanoseconds(item.header.stamp), place, turn, static):
                self._tell(parent, child, place, turn, '/tf_static' if static else '/tf')

    def _tell(self, parent: str, child: str, place: tuple, turn: tuple, topic: str) -> None:
        why = transform_problem(parent, child, place, turn)
        if self._warn is None or (child, why) in self._warned:
            return
        self._warned.add((child, why))
        self._warn(
            f"{topic}: a transform {why}: '{child}' in '{parent}', translation {place}, "
            f'quaternion (x, y, z, w) {turn}; whoever publishes it must correct it')
