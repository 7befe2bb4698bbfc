# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
import math

from hypothesis import given
from hypothesis import strategies as st
from ipt_ros.ros.pacing import Pacer, RateMeter
import pytest


def test_pacer_makes_one_step_a_period():
    pacer = Pacer(step=0.05)
    assert [pacer.due(now) for now in (10.0, 10.01, 10.051, 10.06, 10.101)] == [1, 0, 1, 0, 1]


def test_pacer_catches_up_after_a_delay():
    pacer = Pacer(step=0.05, max_backlog=0.5)
    pacer.due(0.0)
    assert pacer.due(0.21) == 4


def test_pacer_gives_up_what_is_beyond_the_backlog():
    pacer = Pacer(step=0.05, max_backlog=0.5)
    pacer.due(0.0)
    assert pacer.due(60.0) == 11  # half a second of them, and the present one
    assert pacer.due(60.02) == 0


def test_pacer_catches_nothing_up_after_a_restart():
    pacer = Pacer(step=0.05, max_backlog=0.5)
    pacer.due(0.0)
    pacer.restart()
    assert [pacer.due(now) for now in (20.0, 20.051)] == [1, 1]


def test_pacer_scales_with_the_real_time_factor():
    pacer = Pacer(step=0.1, real_time_factor=4.0)
    assert sum(pacer.due(0.001 + k * 0.01) for k in range(102)) == 41


@given(st.lists(st.floats(0.0, 0.3), min_size=1, max_size=200))
def test_pacer_never_runs_ahead_of_the_wall_clock(delays):
    pacer, now, made = Pacer(step=0.05), 0.0, 0
    for delay in delays:
        now += delay
        made += pacer.due(now)
        assert (made - 1) * 0.05 <= now + 1e-9


def test_rate_meter_counts_over_its_window():
    meter = RateMeter(window=2.0)
    assert math.isnan(meter.rate(0.0))
    for k in range(50):
        meter.add(k * 0.1)
    assert meter.rate(4.95) == pytest.approx(10.0)
    assert meter.rate(100.0) == 0.0


def test_rate_meter_says_nothing_before_a_whole_window():
    meter = RateMeter(window=2.0)
    meter.add(0.0)
    assert math.isnan(meter.rate(1.9))
    assert meter.rate(2.0) == 0.0
