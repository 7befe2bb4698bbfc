# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""Examples survive the disk, in the published columns."""

from dataclasses import replace
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from ipt_ros.spatial import DenseTruth, Example, TASKS
from ipt_ros.spatial.prompts import THINK_PROMPT
from ipt_training.store import class_names, load_examples, save_shard, StoreError
import numpy as np
import pyarrow.parquet as pq
import pytest


def example(seed: int, classes: list[str], views: int = 4) -> Example:
    rng = np.random.default_rng(seed)
    mvc = TASKS['mvc']
    images = [rng.integers(0, 256, (16, 16, 3), dtype=np.uint8) for _ in range(views + 1)]
    dense = [
        DenseTruth(rng.integers(0, len(classes), (16, 16), dtype=np.uint8),
                   rng.integers(0, 65536, (16, 16), dtype=np.uint16))
        for _ in images
    ]
    questions = [mvc.question(name, k + 1, 'rotation', rng) for k, name in enumerate(classes[1:])]
    return Example('mvc', 'rotation', images[:-1], images[-1], mvc.think(rng), questions,
                   {'scene': seed, 'index': seed, 'classes': classes}, dense)


def assert_same(one: Example, other: Example) -> None:
    assert (one.task, one.variant, one.think, one.questions) == (
        other.task, other.variant, other.think, other.questions)
    assert one.metadata == other.metadata
    for a, b in zip([*one.images, one.target], [*other.images, other.target], strict=True):
        assert np.array_equal(a, b)
    for a, b in zip(one.dense, other.dense, strict=True):
        assert np.array_equal(a.classes, b.classes) and np.array_equal(a.depth_mm, b.depth_mm)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 1000), st.integers(1, 4))
def test_round_trip(tmp_path_factory, seed, views):
    folder = tmp_path_factory.mktemp('store')
    saved = [example(seed + k, ['nothing', 'sofa', 'chair'], views) for k in range(3)]
    save_shard(folder / 'mvc' / '00000.parquet', saved)
    for one, other in zip(saved, load_examples(folder, dense=True), strict=True):
        assert_same(one, other)


def test_rows_are_of_the_published_kind(tmp_path):
    saved = example(1, ['nothing', 'sofa', 'chair'])
    save_shard(tmp_path / 'mvc' / '00000.parquet', [saved])
    (row,) = pq.read_table(tmp_path / 'mvc' / '00000.parquet').to_pylist()
    assert row['num_input_images'] == 4 and len(row['image_list']) == 5
    assert all(data.startswith(b'\x89PNG') for data in row['image_list'])
    first = saved.questions[0]
    assert row['instruction_list'] == [THINK_PROMPT, first.text]
    assert row['output_text_list'] == [
        f'<think>{saved.think}</think><image_start>',
        f'<image_end><answer>{first.answer}</answer>']


def test_class_ids_of_different_scenes_get_one_common_list(tmp_path):
    saved = [example(1, ['nothing', 'sofa', 'chair']), example(2, ['nothing', 'bed', 'sofa'])]
    for number, one in enumerate(saved):
        save_shard(tmp_path / 'mvc' / f'{number:05}.parquet', [one])
    classes = class_names(tmp_path)
    assert classes == ['nothing', 'bed', 'chair', 'sofa']
    for one, loaded in zip(saved, load_examples(tmp_path, dense=True, classes=classes),
                           strict=True):
        for before, after in zip(one.dense, loaded.dense, strict=True):
            names = np.array(one.metadata['classes'])[before.classes]
            assert (np.array(classes)[after.classes] == names).all()


def test_dense_truth_is_read_only_on_demand(tmp_path):
    save_shard(tmp_path / 'mvc' / '00000.parquet', [example(1, ['nothing', 'sofa'])])
    (loaded,) = load_examples(tmp_path)
    assert loaded.dense == []


def test_tasks_are_kept_apart(tmp_path):
    save_shard(tmp_path / 'mvc' / '00000.parquet', [example(1, ['nothing', 'sofa'])])
    assert len(list(load_examples(tmp_path, 'mvc'))) == 1
    with pytest.raises(StoreError, match="task 'pet'"):
        list(load_examples(tmp_path, 'pet'))


def test_empty_folder_says_what_to_do(tmp_path):
    with pytest.raises(StoreError, match='ipt dataset build'):
        list(load_examples(tmp_path))


def test_only_the_training_split_is_read_unless_asked_for_more(tmp_path):
    for number, split in enumerate(('train', 'validation', 'test')):
        save_shard(tmp_path / 'mvc' / f'{split}-00000.parquet',
                   [example(number, ['nothing', 'sofa'])])
    assert [e.metadata['scene'] for e in load_examples(tmp_path)] == [0]
    assert [e.metadata['scene'] for e in load_examples(tmp_path, split='test')] == [2]
    assert len(list(load_examples(tmp_path, split=None))) == 3
    (tmp_path / 'mvc' / 'train-00000.parquet').unlink()
    with pytest.raises(StoreError, match="no split 'train'.*test, validation"):
        list(load_examples(tmp_path))


def test_an_example_without_a_target_is_an_answer_only_row(tmp_path):
    saved = replace(example(1, ['nothing', 'sofa']), target=None, dense=[])
    save_shard(tmp_path / 'mvc' / '00000.parquet', [saved])
    (row,) = pq.read_table(tmp_path / 'mvc' / '00000.parquet').to_pylist()
    assert row['output_text_list'] == [f'<answer>{saved.questions[0].answer}</answer>']
    (loaded,) = load_examples(tmp_path, dense=True)
    assert loaded.target is None and loaded.dense == []
    assert len(loaded.images) == len(row['image_list']) == 4


def damage_cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-50])


def damage_other(path: Path) -> None:
    path.write_text('not parquet')


@pytest.mark.parametrize('damage', [damage_cut, damage_other])
def test_broken_shard_is_named(tmp_path, damage):
    path = tmp_path / 'mvc' / '00000.parquet'
    save_shard(path, [example(1, ['nothing', 'sofa'])])
    damage(path)
    with pytest.raises(StoreError, match='00000.parquet'):
        list(load_examples(tmp_path))


def test_shard_of_other_columns_is_named(tmp_path):
    path = tmp_path / 'mvc' / '00000.parquet'
    save_shard(path, [example(1, ['nothing', 'sofa'])])
    table = pq.read_table(path).drop_columns(['metadata'])
    pq.write_table(table, path)
    with pytest.raises(StoreError, match='no column'):
        list(load_examples(tmp_path))
