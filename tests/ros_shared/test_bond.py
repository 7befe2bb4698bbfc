# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""Heartbeats for a lifecycle manager, without the package bond and with one that is made up."""

import sys
from types import ModuleType, SimpleNamespace

from ipt_ros.ros import bond
from ipt_ros.ros.bond import Bond
import pytest


class Status:
    """The fields of bond/Status that are set."""

    def __init__(self):
        self.header = SimpleNamespace(stamp=None)


class Node:
    """What a bond asks of a node; keeps what is published."""

    def __init__(self):
        self.sent, self.open = [], []
        self.context = SimpleNamespace(ok=lambda: True)

    def get_name(self):
        return 'imagination'

    def get_clock(self):
        return SimpleNamespace(now=lambda: SimpleNamespace(to_msg=lambda: 'now'))

    def create_publisher(self, kind, topic, depth):
        return self._opened(SimpleNamespace(topic=topic, publish=self.sent.append))

    def create_subscription(self, kind, topic, callback, depth):
        return self._opened(SimpleNamespace(topic=topic, callback=callback))

    def create_timer(self, period, callback, clock):
        return self._opened(SimpleNamespace(period=period, callback=callback))

    def _opened(self, item):
        self.open.append(item)
        return item

    def destroy_timer(self, item):
        self.open.remove(item)

    destroy_subscription = destroy_publisher = destroy_timer


@pytest.fixture
def node(monkeypatch):
    """Return a node beside the made-up package bond."""
    messages = ModuleType('bond.msg')
    messages.Status = Status
    monkeypatch.setitem(sys.modules, 'bond', ModuleType('bond'))
    monkeypatch.setitem(sys.modules, 'bond.msg', messages)
    return Node()


def status(**fields):
    return SimpleNamespace(
        **{'id': 'imagination', 'instance_id': 'manager', 'active': True} | fields)


def test_heartbeats_come_until_the_end_goes_and_says_so(node):
    end = Bond(node, 0.1)
    end.start()
    end.start()  # once is enough
    publisher, subscription, timer = node.open
    assert publisher.topic == subscription.topic == bond.TOPIC and timer.period == 0.1
    timer.callback()
    timer.callback()
    end.stop()
    end.stop()
    assert [message.active for message in node.sent] == [True, True, False]
    assert {m.id for m in node.sent} == {'imagination'}
    assert len({m.instance_id for m in node.sent}) == 1
    assert not node.open and not end.alive
    end.start()
    assert end.alive


def test_a_manager_that_goes_is_answered_and_others_are_not(node):
    end = Bond(node, 0.1)
    end.start()
    _, subscription, timer = node.open
    timer.callback()
    own = node.sent[0].instance_id
    for message in (status(), status(id='other', active=False),
                    status(instance_id=own, active=False)):
        subscription.callback(message)
    assert len(node.sent) == 1
    subscription.callback(status(active=False))
    assert [message.active for message in node.sent] == [True, False]


def test_without_the_package_or_a_period_nothing_is_opened(node, monkeypatch):
    Bond(node, 0.0).start()
    monkeypatch.setitem(sys.modules, 'bond.msg', None)
    end = Bond(node, 0.1)
    end.start()
    end.stop()
    assert not node.open and not node.sent
