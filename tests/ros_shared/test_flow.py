# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""Rates and losses of frames, by their times of arrival, stamps and sequence numbers."""

from hypothesis import given
from hypothesis import strategies as st
from ipt_ros.ros.flow import Flow
import pytest

SECOND = 1_000_000_000


def flow_of(numbers, rate=30.0, publishers=(1,)) -> Flow:
    """Return what frames of these numbers leave that a camera sends so often."""
    flow = Flow()
    flow.publishers_are(publishers)
    for number in numbers:
        flow.add(number / rate, round(number / rate * SECOND), number)
    return flow


@pytest.mark.parametrize(('every', 'share'), [(1, 0.0), (2, 0.5), (5, 0.8)])
def test_a_camera_of_which_some_frames_come_has_its_own_rate_and_one_of_arrival(every, share):
    flow = flow_of(range(0, 240, every))
    now = range(0, 240, every)[-1] / 30
    assert flow.share_lost(now) == pytest.approx(share, abs=0.01)
    assert flow.own_rate(now) == pytest.approx(30.0)
    assert flow.rate(now) == pytest.approx(30.0 / every)
    assert (flow.frames, flow.lost) == (240 // every, (240 // every - 1) * (every - 1))


def test_what_is_long_ago_is_counted_but_says_nothing_of_now():
    flow = flow_of(range(0, 300, 5))
    assert flow.share_lost(1000.0) == flow.rate(1000.0) == flow.own_rate(1000.0) == 0.0
    assert flow.lost > 200
    for number in range(300, 600):
        flow.add(number / 30, number, number)
    assert flow.share_lost(20.0) < 0.05


def test_few_frames_are_no_share():
    assert flow_of([1, 5]).share_lost(1.0) == 0.0
    assert flow_of([1, 15]).share_lost(1.0) > 0.8


def test_a_camera_that_stops_slows_down():
    flow = flow_of(range(60))
    assert flow.rate(2.0) > 25 > 15 > flow.rate(5.0) > flow.rate(9.0) > 0


def test_what_is_sent_while_nobody_listens_is_not_lost():
    flow = flow_of(range(30))
    flow.interrupt()
    flow.publishers_are([1])
    flow.add(9.0, 9 * SECOND, 270)
    assert flow.lost == 0 and flow.rate(9.0) == 0.0 and flow.frames == 31


@pytest.mark.parametrize(('publishers', 'numbers'), [((1, 2), range(0, 90, 3)), ((), range(9))])
def test_of_several_publishers_nothing_is_claimed(publishers, numbers):
    flow = flow_of(numbers, publishers=publishers)
    assert flow.lost == 0 and flow.share_lost(3.0) == 0.0


@given(st.lists(st.tuples(st.floats(0, 1), st.integers(0, 10**18),
                          st.none() | st.integers(0, 10**6)), max_size=40))
def test_whatever_comes_shares_and_rates_are_numbers(frames):
    flow, now = Flow(), 0.0
    flow.publishers_are([1])
    for pause, stamp, number in frames:
        now += pause
        flow.add(now, stamp, number)
    assert 0.0 <= flow.share_lost(now) < 1.0 and flow.rate(now) >= 0 and flow.own_rate(now) >= 0
