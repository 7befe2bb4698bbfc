# SPDX-License-Identifier: Apache-2.0
"""QoS profiles as REP-2003 asks for, and a word in the log when two ends do not match."""

from collections.abc import Callable

from rclpy.event_handler import QoSRequestedIncompatibleQoSInfo, SubscriptionEventCallbacks
from rclpy.qos import (
    DurabilityPolicy,
    HistoryPolicy,
    QoSPolicyKind,
    QoSProfile,
    ReliabilityPolicy,
)

_REMEDIES = {
    int(QoSPolicyKind.RELIABILITY):
        "Set the parameter 'reliability' to best_effort, or make the publisher reliable.",
    int(QoSPolicyKind.DURABILITY):
        'Make the publisher latched: reliable and transient local.',
}
RELIABILITIES = ('best_effort', 'reliable')


def sensor_input(reliability: str, depth: int = 5) -> QoSProfile:
    """Return the profile of a camera subscription: newest few, 'best_effort' or 'reliable'."""
    return QoSProfile(
        history=HistoryPolicy.KEEP_LAST, depth=depth,
        reliability=ReliabilityPolicy[reliability.upper()])


def reliable(depth: int = 10) -> QoSProfile:
    """Return the profile of drivers and of everything that must not get lost on the way."""
    return QoSProfile(
        history=HistoryPolicy.KEEP_LAST, depth=depth, reliability=ReliabilityPolicy.RELIABLE)


def latched(depth: int = 1) -> QoSProfile:
    """Return the profile of answers, maps and static transforms: late joiners get the last."""
    return QoSProfile(
        history=HistoryPolicy.KEEP_LAST, depth=depth, reliability=ReliabilityPolicy.RELIABLE,
        durability=DurabilityPolicy.TRANSIENT_LOCAL)


def on_incompatible(report: Callable[[str], None], topic: str) -> SubscriptionEventCallbacks:
    """
    Return event callbacks that call `report` with a sentence when a publisher's QoS does not fit.

    Without them, nothing arrives and nothing is said: the most frequent trap of ROS 2 cameras.
    """
    def callback(event: QoSRequestedIncompatibleQoSInfo) -> None:
        report(
            f"a publisher on '{topic}' offers less than this subscription asks for (policy "
            f'{event.last_policy_kind}, {event.total_count} so far): no data will come from it. '
            + _REMEDIES.get(int(event.last_policy_kind), 'Change the QoS of the publisher.'))
    return SubscriptionEventCallbacks(incompatible_qos=callback, use_default_callbacks=False)
