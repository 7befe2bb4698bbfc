# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""Intervals and tests against published and hand-computed values."""

from hypothesis import given
from hypothesis import strategies as st
from ipt_training.evaluation.statistics import (
    bootstrap_interval,
    holm,
    mcnemar_exact,
    ratio_interval,
    wilson_interval,
)
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


def test_bootstrap_interval_agrees_with_the_normal_one_where_that_holds():
    values = np.random.default_rng(1).normal(5.0, 2.0, 400)
    low, high = bootstrap_interval([values], seed=3, rounds=4000)
    half = 1.96 * values.std() / 20
    assert (low, high) == pytest.approx((values.mean() - half, values.mean() + half), abs=0.02)


def test_bootstrap_weighs_groups_alike_whatever_their_size():
    # All of a small group, none of a large one: half, without any doubt.
    assert bootstrap_interval([[1.0] * 2, [0.0] * 200]) == (0.5, 0.5)


def test_the_same_seed_gives_the_same_interval():
    values = np.random.default_rng(0).random(50)
    assert bootstrap_interval([values], seed=1) == bootstrap_interval([values], seed=1)
    assert bootstrap_interval([values], seed=1) != bootstrap_interval([values], seed=2)


@pytest.mark.parametrize('groups', [[], [[1.0], []]])
def test_bootstrap_of_nothing_is_refused(groups):
    with pytest.raises(ValueError, match='group'):
        bootstrap_interval(groups)


def test_ratio_counts_things_and_not_clusters():
    # 1 of 1 and 0 of 9: the mean of ratios would be 0.5.
    low, high = ratio_interval([1, 0] * 50, [1, 9] * 50)
    assert low < 0.1 < high < 0.2
    with pytest.raises(ValueError, match='above 0'):
        ratio_interval([0], [0])


@pytest.mark.parametrize(('only_first', 'only_second', 'p'), [
    (0, 0, 1.0),
    (5, 5, 1.0),
    (0, 5, 2 / 32),
    (5, 0, 2 / 32),
    (1, 9, 2 * (1 + 10) / 1024),
    (2, 8, 2 * (1 + 10 + 45) / 1024),
])
def test_mcnemar_against_binomial_tails_by_hand(only_first, only_second, p):
    assert mcnemar_exact(only_first, only_second) == pytest.approx(p)


def test_mcnemar_refuses_negative_counts():
    with pytest.raises(ValueError, match='negative'):
        mcnemar_exact(-1, 3)


def test_holm_by_hand():
    # Sorted: 0.01 * 4, 0.02 * 3, 0.03 * 2 (not below 0.06), 0.5 * 1.
    assert holm([0.5, 0.01, 0.03, 0.02]) == pytest.approx([0.5, 0.04, 0.06, 0.06])


@given(st.lists(st.floats(0, 1), max_size=8))
def test_holm_never_makes_p_smaller_and_keeps_the_order(values):
    adjusted = holm(values)
    assert all(p <= q <= 1 for p, q in zip(values, adjusted))
    order = np.argsort(values, kind='stable')
    assert all(np.diff(np.array(adjusted)[order]) >= 0)
