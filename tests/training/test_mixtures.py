# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""Data sets put together from others: shares, order, sizes, and what is refused."""

from collections import Counter
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st
from ipt_ros.spatial import DenseTruth, Example, TASKS
from ipt_training.mixtures import _quotas, mix, Part
from ipt_training.store import class_names, load_examples, save_shard, StoreError
import numpy as np
import pytest

CLASSES = ['nothing', 'sofa', 'chair']


def example(number: int, side: int = 16, views: int = 4, dense: bool = True) -> Example:
    rng = np.random.default_rng(number)
    mvc = TASKS['mvc']
    images = [rng.integers(0, 256, (side, side, 3), dtype=np.uint8) for _ in range(views + 1)]
    truth = [DenseTruth(np.full((side, side), k % 3, np.uint8),
                        np.full((side, side), 1000 + k, np.uint16))
             for k in range(views + 1)] if dense else []
    questions = [mvc.question(name, k + 1, 'rotation', rng) for k, name in enumerate(CLASSES[1:])]
    return Example('mvc', 'rotation', images[:-1], images[-1], mvc.think(rng), questions,
                   {'scene': number, 'index': number, 'classes': CLASSES}, truth)


def stored(folder, numbers, name='00000', **options):
    save_shard(folder / 'mvc' / f'{name}.parquet', [example(k, **options) for k in numbers])
    return folder


@pytest.fixture
def parts(tmp_path):
    return [Part('plain', stored(tmp_path / 'plain', range(12)), 0.75),
            Part('other', stored(tmp_path / 'other', range(100, 112)), 0.25)]


def scenes(folder):
    return [(e.metadata['ingredient'], e.metadata['scene']) for e in load_examples(folder)]


def test_a_mixture_has_the_first_examples_of_each_part_in_its_share(parts, tmp_path):
    made = mix(parts, ['mvc'], 8, 0, tmp_path / 'out')
    assert made['examples'] == {'mvc': {'plain': 6, 'other': 2}}
    assert Counter(scenes(tmp_path / 'out')) == Counter(
        [('plain', k) for k in range(6)] + [('other', k) for k in (100, 101)])


def test_examples_are_shuffled_by_the_seed_and_otherwise_as_they_were(parts, tmp_path):
    for name, seed in (('a', 0), ('b', 0), ('c', 1)):
        mix(parts, ['mvc'], 12, seed, tmp_path / name)
    assert scenes(tmp_path / 'a') == scenes(tmp_path / 'b') != scenes(tmp_path / 'c')
    assert sorted(scenes(tmp_path / 'a')) == sorted(scenes(tmp_path / 'c'))
    assert scenes(tmp_path / 'a') != sorted(scenes(tmp_path / 'a'))
    found = next(e for e in load_examples(
        tmp_path / 'a', dense=True, classes=class_names(tmp_path / 'a'))
        if e.metadata['scene'] == 3)
    original = example(3)
    assert found.questions == original.questions
    np.testing.assert_array_equal(found.target, original.target)
    names = class_names(tmp_path / 'a')
    np.testing.assert_array_equal(
        np.array(names)[found.dense[2].classes], np.array(CLASSES)[original.dense[2].classes])


def test_truth_a_pixel_is_left_out_where_one_part_has_none(parts, tmp_path):
    bare = Part('bare', stored(tmp_path / 'bare', range(4), dense=False), 0.25)
    made = mix([parts[0], bare], ['mvc'], 8, 0, tmp_path / 'out')
    assert made['dense truth'] is False
    assert not any(e.dense for e in load_examples(tmp_path / 'out', dense=True))


def test_images_of_recordings_get_the_size_of_the_first_part(parts, tmp_path):
    large = Part('large', stored(tmp_path / 'large', range(4), side=40, dense=False), 0.25)
    mix([parts[0], large], ['mvc'], 8, 0, tmp_path / 'out')
    sizes = {image.shape for e in load_examples(tmp_path / 'out') for image in (*e.images,
                                                                                e.target)}
    assert sizes == {(16, 16, 3)}


def test_a_finished_mixture_is_kept_and_another_refused(parts, tmp_path):
    out = tmp_path / 'out'
    first = mix(parts, ['mvc'], 8, 0, out)
    before = (out / 'mvc' / '00000.parquet').stat().st_mtime_ns
    assert mix(parts, ['mvc'], 8, 0, out) == first
    assert (out / 'mvc' / '00000.parquet').stat().st_mtime_ns == before
    with pytest.raises(StoreError, match='holds another mixture'):
        mix(parts, ['mvc'], 6, 0, out)


def test_a_folder_of_something_else_is_left_alone(parts, tmp_path):
    with pytest.raises(StoreError, match='is no mixture'):
        mix(parts, ['mvc'], 8, 0, parts[0].folder)
    assert len(list(load_examples(parts[0].folder))) == 12


def test_what_a_killed_run_left_does_not_get_into_the_mixture(parts, tmp_path):
    stored(tmp_path / 'out.partial', range(500, 520), '00007')
    mix(parts, ['mvc'], 8, 0, tmp_path / 'out')
    assert len(scenes(tmp_path / 'out')) == 8
    assert not (tmp_path / 'out.partial').exists()


def test_only_the_split_that_is_asked_for_is_taken(tmp_path):
    folder = stored(tmp_path / 'split', range(3), 'train-00000')
    stored(folder, range(50, 53), 'test-00000')
    mix([Part('held out', folder, split='test')], ['mvc'], 3, 0, tmp_path / 'out')
    assert {scene for _, scene in scenes(tmp_path / 'out')} == {50, 51, 52}


@pytest.mark.parametrize(('change', 'words'), [
    (lambda a, b: [replace(a, share=0.5), b], 'add up to 1'),
    (lambda a, b: [replace(a, share=1.25), replace(b, share=-0.25)], 'add up to 1'),
])
def test_shares_that_are_no_shares_are_refused(parts, tmp_path, change, words):
    with pytest.raises(StoreError, match=words):
        mix(change(*parts), ['mvc'], 8, 0, tmp_path / 'out')


def test_a_part_with_too_few_examples_is_named_with_what_it_has(parts, tmp_path):
    with pytest.raises(StoreError, match=r'other\) has 12 examples.*takes 15'):
        mix([replace(parts[0], share=0.0), replace(parts[1], share=1.0)], ['mvc'], 15, 0,
            tmp_path / 'out')
    assert not (tmp_path / 'out').exists()


@pytest.mark.parametrize(('options', 'words'), [
    ({'views': 3}, '3 input images where the first part has 4'),
    ({'side': 20}, 'truth of another size'),
])
def test_examples_that_do_not_fit_together_are_named(parts, tmp_path, options, words):
    odd = Part('odd', stored(tmp_path / 'odd', range(4), **options), 0.25)
    with pytest.raises(StoreError, match=words):
        mix([parts[0], odd], ['mvc'], 8, 0, tmp_path / 'out')


def test_a_task_that_a_part_lacks_is_named(parts, tmp_path):
    with pytest.raises(StoreError, match="no examples of task 'pet'"):
        mix(parts, ['mvc', 'pet'], 8, 0, tmp_path / 'out')


@given(st.lists(st.integers(1, 9), min_size=1, max_size=5), st.integers(0, 1000))
def test_quotas_are_whole_numbers_next_to_their_shares(weights, number):
    shares = [weight / sum(weights) for weight in weights]
    quotas = _quotas(shares, number)
    assert sum(quotas) == number
    assert all(abs(quota - share * number) < 1 + 1e-6 for quota, share in zip(quotas, shares))
