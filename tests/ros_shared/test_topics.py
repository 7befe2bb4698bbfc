# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""Choosing topics, profiles that hear everybody, and losses by sequence number."""

from types import SimpleNamespace

from hypothesis import given
from hypothesis import strategies as st
from ipt_ros.ros.flow import GapCounter
from ipt_ros.ros.qos import latched, reliable, sensor_input
from ipt_ros.ros.topics import hears, matching_qos, recorded_qos, TopicChoice
import pytest
from rclpy.duration import Duration
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from rosbags.interfaces import QosDurability, QosReliability, QosTime


@pytest.mark.parametrize(('topic', 'chosen'), [
    ('/ipt/front/image_raw', True),
    ('/ipt/front/depth/image_raw', True),
    ('/ipt/odom', True),
    ('/tf', True),
    ('/odom', False),
    ('/other/front/image_raw', False),
    ('/ipt/odometry', False),
    ('/ipt/secret/image_raw', False),
])
def test_patterns_lie_in_the_namespace_unless_they_are_absolute(topic, chosen):
    choice = TopicChoice(('*/image_raw', 'odom', '/tf'), ('secret/*',), '/ipt')
    assert (topic in choice) == chosen


def test_patterns_of_a_node_without_namespace():
    assert '/odom' in TopicChoice(('odom',), namespace='/')


def test_patterns_that_match_nothing_are_named():
    choice = TopicChoice(('*/image_raw', 'odom', '/tf'), namespace='/ipt')
    assert choice.unmatched(['/ipt/front/image_raw', '/odom']) == ['odom', '/tf']


def publishers(*profiles):
    return [SimpleNamespace(qos_profile=profile) for profile in profiles]


PROFILES = st.lists(
    st.sampled_from([reliable(), latched(), sensor_input('best_effort')]), min_size=1, max_size=4)


@given(PROFILES)
def test_matching_profile_hears_every_publisher(profiles):
    assert hears(matching_qos(publishers(*profiles), 5), publishers(*profiles))


def test_matching_profile_is_as_strict_as_can_be():
    strict = matching_qos(publishers(latched(), latched()), 5)
    assert strict.durability == DurabilityPolicy.TRANSIENT_LOCAL
    assert strict.reliability == ReliabilityPolicy.RELIABLE
    assert not hears(strict, publishers(latched(), reliable()))
    assert not hears(reliable(), publishers(sensor_input('best_effort')))
    assert hears(sensor_input('best_effort'), publishers(latched()))


def test_recorded_profile_says_what_the_publisher_offers():
    profile = latched(7)
    profile.deadline = Duration(seconds=1, nanoseconds=5)
    found = recorded_qos(profile)
    assert (found.depth, found.reliability) == (7, QosReliability.RELIABLE)
    assert found.durability == QosDurability.TRANSIENT_LOCAL
    assert found.deadline == QosTime(1, 5)
    assert recorded_qos(QoSProfile(depth=1)).durability == QosDurability.VOLATILE


@given(st.integers(1, 50), st.sets(st.integers(51, 200), min_size=1))
def test_gaps_are_what_is_missing_between_the_first_and_the_last(first, others):
    counter = GapCounter()
    counter.publishers_are([1])
    arrived = sorted({first, *others})
    for number in arrived:
        counter.add(number)
    assert counter.lost == arrived[-1] - arrived[0] + 1 - len(arrived)


def test_restarted_publisher_is_no_loss():
    counter = GapCounter()
    counter.publishers_are([1])
    for number in (5, 6, 1, 2):
        counter.add(number)
    counter.publishers_are([2])
    counter.add(400)
    assert counter.lost == 0


@pytest.mark.parametrize(('identities', 'numbers'), [([1, 2], [1, 9]), ([1], [None, None])])
def test_nothing_is_claimed_where_numbers_mean_nothing(identities, numbers):
    counter = GapCounter()
    counter.publishers_are(identities)
    for number in numbers:
        counter.add(number)
    assert counter.lost == 0
