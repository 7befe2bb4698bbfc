# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""Subscriptions to every chosen topic as it appears, without decoding what arrives."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from ipt_ros.bags import BagTopic
from ipt_ros.ros.definitions import definition, message_class, UnknownTypeError
from ipt_ros.ros.flow import GapCounter, identities
from ipt_ros.ros.topics import hears, matching_qos, recorded_qos, TopicChoice
from rclpy.event_handler import SubscriptionEventCallbacks
from rclpy.node import Node
from rclpy.qos import QoSProfile
from rclpy.subscription import Subscription
from rclpy.topic_endpoint_info import TopicEndpointInfo

# Called with (number of the topic, serialised message, time of publication in ns or None).
OnMessage = Callable[[int, bytes, int | None], None]


@dataclass
class _Ear:
    """The subscription to one topic."""

    number: int
    type: str
    qos: QoSProfile
    subscription: Subscription
    gaps: GapCounter = field(default_factory=GapCounter)


class Listener:
    """
    Listens to the topics of a choice while it is started; call `look` again and again.

    on_topic(BagTopic) -> number of the topic. on_message: see `OnMessage`.
    """

    def __init__(
        self, node: Node, choice: TopicChoice, depth: int,
        on_topic: Callable[[BagTopic], int], on_message: OnMessage,
    ):
        """`depth`: how many messages of a topic may wait for this process."""
        self._node = node
        self._choice = choice
        self._depth = depth
        self._on_topic = on_topic
        self._on_message = on_message
        self._ears: dict[str, _Ear] = {}
        self._refused: dict[str, str] = {}

    @property
    def problems(self) -> dict[str, str]:
        """Why topics that were chosen are not listened to."""
        return dict(self._refused)

    @property
    def lost(self) -> dict[str, int]:
        """How many messages of each topic were published but did not arrive."""
        return {topic: ear.gaps.lost for topic, ear in self._ears.items()}

    def look(self) -> None:
        """Subscribe to chosen topics that have appeared, and follow changes of publishers."""
        for topic, _ in self._node.get_topic_names_and_types():
            if topic not in self._choice:
                continue
            publishers = self._node.get_publishers_info_by_topic(topic)
            if not publishers:
                continue
            kinds = sorted({item.topic_type for item in publishers})
            if len(kinds) > 1:
                self._refuse(topic, f"its publishers disagree on the type: {', '.join(kinds)}")
            elif topic not in self._ears:
                self._begin(topic, kinds[0], publishers)
            else:
                self._follow(topic, publishers)

    def stop(self) -> None:
        """Unsubscribe from everything."""
        for ear in self._ears.values():
            self._node.destroy_subscription(ear.subscription)
        self._ears.clear()
        self._refused.clear()

    def _refuse(self, topic: str, reason: str) -> None:
        if self._refused.get(topic) != reason:
            self._refused[topic] = reason
            self._node.get_logger().error(f"'{topic}' is not recorded: {reason}")

    def _begin(self, topic: str, kind: str, publishers: list[TopicEndpointInfo]) -> None:
        try:
            message_type, text = message_class(kind), definition(kind)
        except UnknownTypeError as error:
            self._refuse(topic, str(error))
            return
        self._refused.pop(topic, None)
        number = self._on_topic(BagTopic(
            topic, kind, text.text, type_hash=text.type_hash,
            qos=tuple(recorded_qos(item.qos_profile) for item in publishers)))
        qos = matching_qos(publishers, self._depth)
        ear = _Ear(number, kind, qos, None)
        ear.gaps.publishers_are(identities(publishers))
        ear.subscription = self._subscribe(topic, message_type, ear)
        self._ears[topic] = ear
        self._node.get_logger().debug(f"recording '{topic}' ({kind})")

    def _follow(self, topic: str, publishers: list[TopicEndpointInfo]) -> None:
        ear = self._ears[topic]
        ear.gaps.publishers_are(identities(publishers))
        if not hears(ear.qos, publishers):
            # A publisher with a weaker profile has joined; the present subscription is deaf to it.
            self._node.destroy_subscription(ear.subscription)
            ear.qos = matching_qos(publishers, self._depth)
            ear.subscription = self._subscribe(topic, message_class(ear.type), ear)

    def _subscribe(self, topic: str, message_type: type, ear: _Ear) -> Subscription:
        def receive(data: bytes, info: dict[str, Any]) -> None:
            ear.gaps.add(info.get('publication_sequence_number'))
            self._on_message(ear.number, data, info.get('source_timestamp'))

        return self._node.create_subscription(
            message_type, topic, receive, ear.qos, raw=True,
            # Publishers of another profile are followed by `look`; nobody needs a warning.
            event_callbacks=SubscriptionEventCallbacks(
                incompatible_qos=lambda event: None, use_default_callbacks=False))
