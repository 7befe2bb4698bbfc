# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""Batches of a token budget: full, fair, and the same whenever they are asked for."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st
from ipt_training.finetune.bins import best_fit, budget_to_fill, fill_bins
from ipt_training.finetune.errors import FinetuneError
from ipt_training.finetune.index import spread_rows, Unit
from ipt_training.finetune.plan import Plan
import numpy as np
import pytest


@pytest.mark.parametrize('pack', [best_fit, fill_bins])
@given(lengths=st.lists(st.integers(1, 100), max_size=80))
def test_every_item_is_in_one_bin_and_no_bin_is_overfull(pack, lengths):
    bins = pack(lengths, 100)
    assert sorted(i for items in bins for i in items) == list(range(len(lengths)))
    assert all(sum(lengths[i] for i in items) <= 100 for items in bins)


@given(st.integers(0, 3000), st.integers(1, 600))
def test_a_part_of_the_rows_is_from_all_over_them(count, limit):
    rows = list(spread_rows(count, limit))
    assert rows == sorted(set(rows)) and all(0 <= row < count for row in rows)
    assert min(count, limit) - 7 <= len(rows) <= limit
    if 8 <= limit < count:  # a stretch of a quarter is never missed
        gaps = np.diff([-1, *rows, count])
        assert gaps.max() <= max(count / 4, 8)
    assert list(spread_rows(count, None)) == list(range(count))


@given(st.lists(st.integers(1, 100), max_size=80))
def test_filling_never_takes_more_bins_than_the_order_given(lengths):
    assert len(fill_bins(lengths, 100)) <= len(best_fit(lengths, 100))


def test_items_are_mixed_where_that_fills_bins_and_sorted_where_it_does_not():
    assert fill_bins([10, 1, 10, 1] * 50, 100)[0][:4] == [0, 1, 2, 3]
    # As they come, nothing of 6 fits beside two of 4; longest first, each 6 finds its 4.
    assert len(fill_bins([4, 4, 6, 6], 10)) == 2


@given(st.lists(st.integers(1, 100), min_size=1, max_size=80))
def test_no_two_bins_could_be_one(lengths):
    filled = sorted(sum(lengths[i] for i in items) for items in best_fit(lengths, 100))
    assert len(filled) == 1 or filled[0] + filled[1] > 100


def test_an_item_longer_than_a_bin_is_refused():
    with pytest.raises(ValueError, match='length 11 does not fit a bin of 10'):
        best_fit([11], 10)


def units(count=600, seed=0, kinds=('answer', 'ipt')):
    """Return samples of the published kinds: short answers, long imaginations."""
    rng = np.random.default_rng(seed)
    means = {'answer': 2_000, 'ipt': 6_000, 'cot': 2_500}
    return [Unit(kind, row, (0,), int(rng.integers(means[kind] // 2, means[kind] * 3 // 2)))
            for row in range(count) for kind in kinds]


def plan(samples, seed=1, window=256, group=50, budget=32_768, count=0):
    rows = 1 + max(unit.row for unit in samples)
    return Plan(samples, [row // group for row in range(rows)], seed=seed, batch_tokens=budget,
                window=window, batch_samples=count)


@pytest.mark.parametrize('seed', range(5))
@pytest.mark.parametrize('kinds', [('answer',), ('cot',), ('answer', 'ipt')])
def test_at_least_95_percent_of_the_budget_is_filled(seed, kinds):
    assert plan(units(seed=seed, kinds=kinds), window=600).efficiency() >= 0.95


@pytest.mark.parametrize('mean', [15_300, 17_100, 19_400])  # published rows of PET, PT and MVC
def test_for_samples_of_nearly_one_length_a_budget_is_found_that_they_fill(mean):
    rng = np.random.default_rng(mean)
    samples = [Unit('ipt', row, (0,), int(mean + rng.integers(-100, 100))) for row in range(600)]
    assert plan(samples).efficiency() < 0.95
    budget = budget_to_fill([unit.tokens for unit in samples], 32_768)
    assert plan(samples, budget=budget).efficiency() >= 0.95


def test_no_budget_is_named_where_none_helps():
    assert budget_to_fill([90, 10], 100) == 100
    assert budget_to_fill([10], 100) is None


def test_an_epoch_holds_every_sample_once():
    samples = units()
    counted = Counter(i for batch in plan(samples).epoch(0) for i in batch)
    assert counted == Counter(range(len(samples)))


def test_batches_of_equally_many_samples_hold_none_twice_and_leave_out_the_rest():
    samples = units(100, kinds=('answer', 'ipt'))
    made = plan(samples, count=7, window=30)
    epoch = made.epoch(0)
    assert {len(batch) for batch in epoch} == {7} and len(epoch) == 200 // 7
    assert max(Counter(i for batch in epoch for i in batch).values()) == 1
    kinds = Counter(samples[i].kind for batch in epoch for i in batch)
    assert abs(kinds['ipt'] - kinds['answer']) <= 200 % 7
    # The next epoch goes on at once, and leaves out others.
    assert len(made.batch(len(epoch))) == 7
    assert set(sum(epoch, [])) != set(sum(made.epoch(1), []))


def test_too_few_samples_for_a_batch_are_refused():
    with pytest.raises(FinetuneError, match='200 samples an epoch, fewer than a batch has'):
        plan(units(100), count=201).epoch(0)


def test_of_the_kind_with_more_samples_each_epoch_takes_others():
    samples = [*units(kinds=('answer',)), *units(100, kinds=('ipt',))]
    made = plan(samples)
    chosen = []
    for epoch in range(2):
        taken = [samples[i] for batch in made.epoch(epoch) for i in batch]
        assert Counter(unit.kind for unit in taken) == {'answer': 100, 'ipt': 100}
        chosen.append({unit.row for unit in taken if unit.kind == 'answer'})
    assert chosen[0] != chosen[1]


def test_batches_depend_on_seed_and_number_alone():
    samples = units(100)
    asked_in_order, asked_at_once = plan(samples), plan(samples)
    last = [asked_in_order.batch(number) for number in range(60)][-1]
    assert asked_at_once.batch(59) == last
    assert asked_at_once.batch(3) == asked_in_order.batch(3)
    assert plan(samples, seed=2).batch(0) != plan(samples, seed=1).batch(0)


def test_epochs_follow_one_another_and_differ():
    samples = units(100)
    made = plan(samples)
    first = made.epoch(0)
    assert [made.batch(i) for i in range(len(first))] == [[samples[k] for k in b] for b in first]
    assert made.batch(len(first)) == [samples[k] for k in made.epoch(1)[0]]
    assert made.epoch(1) != first


def test_batches_near_each_other_come_from_few_row_groups():
    made = plan(units(), window=100, group=50)
    assert made.groups_at_once() == 2
    groups = [{made.units[i].row // 50 for i in batch} for batch in made.epoch(0)]
    assert all(len(found) <= 2 for found in groups)
