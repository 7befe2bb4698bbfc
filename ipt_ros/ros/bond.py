# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""
Heartbeats for a lifecycle manager that watches its nodes, such as Nav2's.

The protocol is that of bond (https://github.com/ros/bond_core): both ends publish bond/Status with
one id and an instance_id each, `active` while they live, and once more without it when they go.
The manager takes the node's name for the id.
"""

import uuid

from rclpy.clock import Clock, ClockType
from rclpy.node import Node

TOPIC = 'bond'
TIMEOUT = 4.0  # s without a heartbeat until an end counts as dead, the default of bond


class Bond:
    """One end of a bond, that of the node; it does nothing where the package bond is missing."""

    def __init__(self, node: Node, period: float):
        """`period`: seconds between two heartbeats; 0 or less sends none."""
        self._node = node
        self._period = period
        self._instance = str(uuid.uuid4())
        self._publisher = self._subscription = self._timer = None

    @property
    def alive(self) -> bool:
        """Whether heartbeats are being sent."""
        return self._timer is not None

    def start(self) -> None:
        """Begin to send heartbeats."""
        status = _status_type()
        if status is None or self._period <= 0 or self.alive:
            return
        self._publisher = self._node.create_publisher(status, TOPIC, 1)
        self._subscription = self._node.create_subscription(status, TOPIC, self._on_status, 1)
        # Not in the node's time: a simulation that pauses has not died.
        self._timer = self._node.create_timer(
            self._period, lambda: self._publish(True),
            clock=Clock(clock_type=ClockType.STEADY_TIME))

    def stop(self) -> None:
        """Say that this end goes, and send nothing more."""
        if not self.alive:
            return
        if self._node.context.ok():
            self._publish(False)
        self._node.destroy_timer(self._timer)
        self._node.destroy_subscription(self._subscription)
        self._node.destroy_publisher(self._publisher)
        self._publisher = self._subscription = self._timer = None

    def _on_status(self, message) -> None:
        """Answer an end that goes, which waits for that."""
        if (message.id == self._node.get_name() and message.instance_id != self._instance
                and not message.active):
            self._publish(False)

    def _publish(self, active: bool) -> None:
        message = _status_type()()
        message.header.stamp = self._node.get_clock().now().to_msg()
        message.id = self._node.get_name()
        message.instance_id = self._instance
        message.active = active
        message.heartbeat_timeout = TIMEOUT
        message.heartbeat_period = self._period
        self._publisher.publish(message)


def _status_type() -> type | None:
    """Return bond/Status, None where the package is not installed."""
    try:
        from bond.msg import Status
    except ImportError:
        return None
    return Status
