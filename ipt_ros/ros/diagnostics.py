# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""Health of a node on /diagnostics, once per second of real time."""

from collections.abc import Callable, Mapping
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rclpy.clock import Clock, ClockType
from rclpy.node import Node

OK, WARN, ERROR, STALE = (
    DiagnosticStatus.OK, DiagnosticStatus.WARN, DiagnosticStatus.ERROR, DiagnosticStatus.STALE)


def status(
    level: bytes, message: str, values: Mapping[str, Any] | None = None,
) -> DiagnosticStatus:
    """Return a status; values of any type become text."""
    return DiagnosticStatus(
        level=level, message=message,
        values=[KeyValue(key=key, value=str(value)) for key, value in (values or {}).items()])


class Diagnostics:
    """Publishes what its checks return; a check is a function without arguments."""

    def __init__(self, node: Node, hardware_id: str, checks: Mapping[str, Callable[[], Any]]):
        """Take `checks`: names of what is checked, and functions that return the status."""
        self._node = node
        self.hardware_id = hardware_id
        self._checks = dict(checks)
        self._publisher = node.create_publisher(DiagnosticArray, '/diagnostics', 10)
        # Not in the node's time: a /clock that is silent is when one looks here.
        self._timer = node.create_timer(
            1.0, self.publish, clock=Clock(clock_type=ClockType.STEADY_TIME))

    def publish(self) -> None:
        """Run all checks and publish them."""
        message = DiagnosticArray()
        message.header.stamp = self._node.get_clock().now().to_msg()
        for name, check in self._checks.items():
            item = check()
            item.name = f'{self._node.get_fully_qualified_name().lstrip("/")}: {name}'
            item.hardware_id = self.hardware_id
            message.status.append(item)
        self._publisher.publish(message)
