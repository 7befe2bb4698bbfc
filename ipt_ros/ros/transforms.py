# SPDX-License-Identifier: Apache-2.0
"""
A buffer over /tf and /tf_static.

tf2's own listener is part of a full ROS installation, but not of every one; this small one speaks
to the same topics.
"""

from builtin_interfaces.msg import Time
from ipt_ros.geometry.transform_tree import TransformError, TransformTree
from tf2_msgs.msg import TFMessage

__all__ = ['TransformBuffer', 'TransformError', 'nanoseconds']


def nanoseconds(stamp: Time) -> int:
    """Return a stamp as nanoseconds."""
    return stamp.sec * 1_000_000_000 + stamp.nanosec


class TransformBuffer(TransformTree):
    """The transform tree of the last seconds, from messages."""

    def add_message(self, message: TFMessage, static: bool = False) -> None:
        """Take in a message of /tf or, `static`, of /tf_static; broken transforms are ignored."""
        for item in message.transforms:
            t, q = item.transform.translation, item.transform.rotation
            self.add(item.header.frame_id, item.child_frame_id, nanoseconds(item.header.stamp),
                     (t.x, t.y, t.z), (q.x, q.y, q.z, q.w), static)
