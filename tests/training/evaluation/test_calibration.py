# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""Calibration against cases computed by hand."""

from hypothesis import given
from hypothesis import strategies as st
from ipt_training.evaluation.calibration import (
    auroc,
    brier,
    calibration,
    expected_calibration_error,
    reliability,
    vote,
)
import pytest

SURE = [0.95, 0.9, 0.55, 0.55, 0.3]
RIGHT = [True, False, True, False, False]


def test_reliability_bins_by_hand():
    rows = reliability(SURE, RIGHT, bins=5)
    # 0.3 lies in (0.2, 0.4], both 0.55 in (0.4, 0.6], the others in (0.8, 1].
    assert [(row['n'], row['confidence'], row['accuracy']) for row in rows] == [
        (1, pytest.approx(0.3), 0.0), (2, pytest.approx(0.55), 0.5),
        (2, pytest.approx(0.925), 0.5)]
    assert expected_calibration_error(rows) == pytest.approx(
        (1 * 0.3 + 2 * 0.05 + 2 * 0.425) / 5)


@pytest.mark.parametrize(('share', 'low'), [
    (0.0, 0.0), (3 / 5, 0.5), (0.7 - 0.1, 0.5), (1.0, 0.9)])
def test_a_confidence_on_an_edge_belongs_to_the_bin_below(share, low):
    (row,) = reliability([share], [True])
    assert row['low'] == pytest.approx(low)


def test_auroc_by_hand():
    # Pairs right over wrong: 0.95 beats all three, 0.55 ties one, loses one and beats one.
    assert auroc(SURE, RIGHT) == pytest.approx((3 + 0 + 0.5 + 1) / 6)
    assert auroc([0.5, 0.7], [True, True]) is None
    assert auroc([0.5, 0.5], [True, False]) == 0.5


@given(st.lists(st.tuples(st.integers(0, 8), st.booleans()), min_size=1, max_size=30))
def test_auroc_is_the_share_of_pairs_in_order(cases):
    sure, hits = [level / 8 for level, _ in cases], [hit for _, hit in cases]
    pairs = [(s > t) + 0.5 * (s == t) for s, a in zip(sure, hits) if a
             for t, b in zip(sure, hits) if not b]
    expected = sum(pairs) / len(pairs) if pairs else None
    assert auroc(sure, hits) == (None if expected is None else pytest.approx(expected))


def test_brier_by_hand():
    assert brier([1.0, 0.5, 0.0], [True, True, True]) == pytest.approx((0 + 0.25 + 1) / 3)


def test_a_model_that_is_as_often_right_as_sure_has_no_gap():
    found = calibration([0.75] * 8, [True] * 6 + [False] * 2)
    assert found['ece'] == pytest.approx(0) and found['accuracy'] == 0.75


@pytest.mark.parametrize(('sure', 'hits', 'word'), [
    ([], [], 'one answer'), ([0.5], [True, False], 'one confidence'), ([1.5], [True], '0..1'),
    ([float('nan')], [True], '0..1')])
def test_impossible_confidences_are_refused(sure, hits, word):
    with pytest.raises(ValueError, match=word):
        calibration(sure, hits)


def test_votes_are_counted_and_ties_go_to_the_likelier():
    even = [[0.5, 0.5]] * 4
    assert vote(['A', 'B', 'B', ''], even) == ('B', 0.5)
    assert vote(['A', 'B'], [[0.9, 0.1], [0.6, 0.4]]) == ('A', 0.5)
    assert vote(['A', 'B'], [[0.4, 0.6], [0.3, 0.7]]) == ('B', 0.5)
    assert vote(['', ''], even[:2]) == ('', 0.0)
