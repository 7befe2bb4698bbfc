# SPDX-License-Identifier: Apache-2.0
"""QoS profiles as REP-2003 asks for, and a word when two ends do not match."""

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
    QoSPolicyKind.RELIABILITY:
        "Set the parameter 'reliability' to best_effort, or make the publisher reliable.",
    QoSPolicyKind.DURABILITY:
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

    topic: its name in the graph, after remapping, where people look for it. Without
    callbacks, nothing arrives and nothing is said: the most frequent trap of ROS 2 cameras.
    """
    def callback(event: QoSRequestedIncompatibleQoSInfo) -> None:
        report(mismatch(topic, event))
    return SubscriptionEventCallbacks(incompatible_qos=callback, use_default_callbacks=False)


def mismatch(topic: str, event: QoSRequestedIncompatibleQoSInfo) -> str:
    """Return what is wrong between a publisher and a subscription, and what to do."""
    try:
        kind = QoSPolicyKind(event.last_policy_kind)
        policy = kind.name.lower()
    except ValueError:  # of a newer middleware
        kind, policy = None, f'policy {event.last_policy_kind}'
    return (
        f"a publisher on '{topic}' offers less {policy} than this subscription asks for "
        f'({event.total_count} so far): no data will come from it. '
        + _REMEDIES.get(kind, 'Change the QoS of the publisher.'))
