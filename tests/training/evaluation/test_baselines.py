# SPDX-License-Identifier: Apache-2.0
"""Intervals, chance, the blind guess, and errors of images."""

from hypothesis import given
from hypothesis import strategies as st
from ipt_ros.spatial import TASKS
from ipt_training.evaluation.baselines import BlindBaseline, chance
from ipt_training.evaluation.images import squared_error
from ipt_training.evaluation.statistics import wilson_interval
import numpy as np
import pytest


def test_wilson_interval_against_published_values():
    # Newcombe 1998, table I: 81 of 263 and 0 of 20.
    assert wilson_interval(81, 263) == pytest.approx((0.2553, 0.3662), abs=1e-4)
    assert wilson_interval(0, 20) == pytest.approx((0.0, 0.1611), abs=1e-4)


@given(st.integers(1, 500).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_interval_holds_the_share(case):
    right, n = case
    low, high = wilson_interval(right, n)
    assert 0 <= low <= right / n + 1e-12
    assert right / n - 1e-12 <= high <= 1


@pytest.mark.parametrize(('right', 'n'), [(1, 0), (-1, 5), (6, 5)])
def test_an_impossible_share_is_refused(right, n):
    with pytest.raises(ValueError, match='needs'):
        wilson_interval(right, n)


def counting(count, rng):
    return TASKS['mvc'].question('chair', count, 'rotation', rng)


def test_the_blind_guess_uses_what_the_choices_give_away():
    rng = np.random.default_rng(0)
    # Three chairs whenever three is offered: the baseline must learn it.
    train = [counting(3, rng) for _ in range(50)]
    blind = BlindBaseline(train)
    assert chance(train) == 0.25
    assert blind.accuracy(train) == 1.0
    # A question that it never met: it still guesses, a middle choice.
    assert blind.accuracy([counting(count, rng) for count in (40, 50, 60, 70)]) >= 0.0


def test_squared_error():
    black = np.zeros((4, 4, 3), np.uint8)
    assert squared_error(black, black) == 0
    assert squared_error(black, black + np.uint8(255)) == 1
    with pytest.raises(ValueError, match='unlike shape'):
        squared_error(black, black[:2])
