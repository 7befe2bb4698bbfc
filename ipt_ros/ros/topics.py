# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""Which topics of a graph are meant, and the QoS that hears all of their publishers."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from ipt_ros.bags import INFINITE
from rclpy.duration import Duration
from rclpy.qos import DurabilityPolicy, HistoryPolicy, QoSProfile, ReliabilityPolicy
from rclpy.topic_endpoint_info import TopicEndpointInfo
from rosbags.interfaces import (
    Qos,
    QosDurability,
    QosHistory,
    QosLiveliness,
    QosReliability,
    QosTime,
)


@dataclass(frozen=True)
class TopicChoice:
    """
    Topics by pattern: `*` stands for any text, slashes included, `?` for one character.

    Patterns without a leading slash lie in `namespace`. A topic is chosen if a pattern of
    `include` matches and none of `exclude` does.
    """

    include: Sequence[str]
    exclude: Sequence[str] = ()
    namespace: str = '/'

    def __contains__(self, topic: str) -> bool:
        """Tell whether a topic (its full name) is chosen."""
        return self._any(self.include, topic) and not self._any(self.exclude, topic)

    def unmatched(self, topics: Iterable[str]) -> list[str]:
        """Return the patterns of `include` that match none of the topics."""
        topics = list(topics)
        return [pattern for pattern in self.include
                if not any(self._any((pattern,), topic) for topic in topics)]

    def _any(self, patterns: Sequence[str], topic: str) -> bool:
        return any(fnmatchcase(topic, self._full(pattern)) for pattern in patterns)

    def _full(self, pattern: str) -> str:
        return pattern if pattern.startswith('/') else f"{self.namespace.rstrip('/')}/{pattern}"


def matching_qos(publishers: Sequence[TopicEndpointInfo], depth: int) -> QoSProfile:
    """
    Return the strictest profile that hears all of these publishers.

    It is reliable, and transient local, where every one of them is.
    """
    profiles = [item.qos_profile for item in publishers]
    reliable = all(item.reliability == ReliabilityPolicy.RELIABLE for item in profiles)
    latched = all(item.durability == DurabilityPolicy.TRANSIENT_LOCAL for item in profiles)
    return QoSProfile(
        history=HistoryPolicy.KEEP_LAST, depth=depth,
        reliability=ReliabilityPolicy.RELIABLE if reliable else ReliabilityPolicy.BEST_EFFORT,
        durability=DurabilityPolicy.TRANSIENT_LOCAL if latched else DurabilityPolicy.VOLATILE)


def hears(subscription: QoSProfile, publishers: Sequence[TopicEndpointInfo]) -> bool:
    """Tell whether a subscription of this profile gets messages of all publishers."""
    best = matching_qos(publishers, subscription.depth)
    return (
        (best.reliability == ReliabilityPolicy.RELIABLE
         or subscription.reliability != ReliabilityPolicy.RELIABLE)
        and (best.durability == DurabilityPolicy.TRANSIENT_LOCAL
             or subscription.durability != DurabilityPolicy.TRANSIENT_LOCAL))


def recorded_qos(profile: QoSProfile) -> Qos:
    """Return a publisher's profile as a bag keeps it."""
    def known(kind, policy):
        return getattr(kind, policy.name, kind.UNKNOWN)

    return Qos(
        known(QosHistory, profile.history), profile.depth,
        known(QosReliability, profile.reliability), known(QosDurability, profile.durability),
        _time(profile.deadline), _time(profile.lifespan),
        known(QosLiveliness, profile.liveliness), _time(profile.liveliness_lease_duration),
        profile.avoid_ros_namespace_conventions)


def _time(duration: Duration) -> QosTime:
    seconds, nanoseconds = divmod(duration.nanoseconds, 1_000_000_000)
    return QosTime(*min((seconds, nanoseconds), INFINITE))
