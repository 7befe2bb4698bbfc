# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""QoS profiles as REP-2003 asks for, and a word when two ends do not match."""

from collections.abc import Callable
from dataclasses import dataclass

from ipt_ros.ros.parameters import parameter, Parameters
from rclpy.event_handler import QoSRequestedIncompatibleQoSInfo, SubscriptionEventCallbacks
from rclpy.node import Node
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


@dataclass(frozen=True)
class Override:
    """What may be said of the subscription to one topic, by the names that ROS 2 gives it."""

    history: str = parameter(
        'keep_last', 'QoS of a subscription.', choices=('keep_last', 'keep_all'),
        applies='at start')
    depth: int = parameter(
        5, 'Messages that may wait, with keep_last.', low=1, high=1000, applies='at start')
    reliability: str = parameter(
        'best_effort', 'QoS of a subscription.', choices=RELIABILITIES, applies='at start')


def sensor_input(reliability: str, depth: int = 5) -> QoSProfile:
    """Return the profile of a camera subscription: newest few, 'best_effort' or 'reliable'."""
    return QoSProfile(
        history=HistoryPolicy.KEEP_LAST, depth=depth,
        reliability=ReliabilityPolicy[reliability.upper()])


class Overrides:
    """
    QoS overrides of subscriptions: parameters 'qos_overrides.<topic>.subscription.reliability' ...

    They are there as long as the subscriptions are. rclpy's own options declare read-only ones for
    good, so what the node asked for the first time would win over what it asks for later.
    """

    def __init__(self, node: Node):
        """Declare nothing yet."""
        self._node = node
        self._declared: dict[str, Parameters[Override]] = {}  # by topic

    def apply(self, topic: str, profile: QoSProfile) -> QoSProfile:
        """Return a profile with what is given for a topic (its name in the graph)."""
        if topic not in self._declared:
            self._declared[topic] = Parameters(
                self._node, Override, '', f'qos_overrides.{topic}.subscription.',
                Override(profile.history.name.lower(), profile.depth,
                         profile.reliability.name.lower()))
        given = self._declared[topic].read()
        return QoSProfile(
            history=HistoryPolicy[given.history.upper()], depth=given.depth,
            reliability=ReliabilityPolicy[given.reliability.upper()])

    def withdraw(self) -> None:
        """Undeclare all of them."""
        while self._declared:
            self._declared.popitem()[1].withdraw()


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
