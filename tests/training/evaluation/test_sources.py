# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""Questions from files and scenes: all or a fair share of them, reasons for what is left."""

from collections import Counter
from dataclasses import replace
import importlib.util
from pathlib import Path
import sys

from box_world import BoxWorld
import cv2
from ipt_ros.spatial import Question
from ipt_sim.protocol import surround_cameras
from ipt_training.evaluation import sources
from ipt_training.evaluation.sources import (
    data_tasks,
    DataSource,
    is_bag,
    read_examples,
    SceneSource,
)
from ipt_training.store import save_shard, StoreError
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest


@pytest.fixture
def ours(tmp_path, example):
    """Return a folder of our own layout with twelve examples."""
    save_shard(tmp_path / 'ours' / 'mvc' / '00000.parquet', [example(k) for k in range(12)])
    return tmp_path / 'ours'


@pytest.fixture
def published(tmp_path):
    """Return a file in the layout of the released perspective evaluation, a row a sub-task."""
    picture = cv2.imencode('.png', np.full((24, 24, 3), 99, np.uint8))[1].tobytes()
    kinds = ['closer', 'further']
    rows = [{
        'question_no_arrow': f'Will the sofa {number} be closer or further?',
        'question_with_arrow': '', 'question': f'Will the sofa {number} be closer or further?',
        'answer': 'AB'[number % 2], 'answer_choices': '["Closer", "Further"]',
        'question_type': 'perspective_distance_change', 'marked_image_no_arrow': picture,
        'marked_image_with_arrow': picture, 'marked_image': picture,
        'new_perspective': picture, 'scene_name': 'House_1', 'trajectory_id': f'sample_{number}',
    } for number in range(4)]
    path = tmp_path / 'published' / f'distance_change_{kinds[0]}.parquet'
    path.parent.mkdir()
    pq.write_table(pa.Table.from_pylist(rows), path)
    return path.parent


def source(path, seed=0, reference=None):
    return DataSource(path, seed, reference, 300)


def test_all_examples_come_in_order_with_their_truth(ours, example):
    found = source(ours).examples('mvc', 100)
    assert [one.metadata['scene'] for one in found] == list(range(12))
    assert all(one.dense for one in found)
    assert data_tasks(ours, 0) == ['mvc']


@pytest.fixture
def split(tmp_path, example):
    """Return a folder of our own layout with two tasks and two splits."""
    folder = tmp_path / 'split'
    for name, numbers in (('train', range(4)), ('test', range(4, 7))):
        save_shard(folder / 'mvc' / f'{name}-00000.parquet', [example(k) for k in numbers])
        save_shard(folder / 'pet' / f'{name}-00000.parquet',
                   [replace(example(k), task='pet') for k in numbers])
    return folder


def test_the_folder_of_a_task_gives_what_the_data_set_gives(split, monkeypatch):
    monkeypatch.chdir(split / 'mvc')
    whole = source(split).examples('mvc', 10)
    assert [one.metadata['scene'] for one in whole] == [4, 5, 6]
    for path in (split / 'mvc', Path('.')):
        found = source(path).examples('mvc', 10)
        assert [one.metadata for one in found] == [one.metadata for one in whole]
        assert [one.questions for one in found] == [one.questions for one in whole]
        assert [one.variant for one in found] == [one.variant for one in whole]
        assert all(len(one.dense) == 2 for one in found)
        assert data_tasks(path, 0) == ['mvc']
        train = DataSource(path, 0, None, 300, 'train').examples('mvc', 10)
        assert [one.metadata['scene'] for one in train] == [0, 1, 2, 3]
    with pytest.raises(StoreError, match="no question of task 'pet'"):
        source(split / 'mvc').examples('pet', 10)
    with pytest.raises(StoreError, match="no split 'other'"):
        data_tasks(split / 'mvc', 0, 'other')


def test_the_folder_of_a_task_serves_as_reference(split):
    # Judged by training examples, as with the whole data set.
    examples = source(split).examples('mvc', 2)
    means = [source(split, reference=path).references('mvc', examples)[0].predictions(
        examples[0], 0)['mean_image'] for path in (split, split / 'mvc')]
    assert np.array_equal(*means)


def test_parts_of_our_data_that_would_lose_their_split_are_refused(split, published):
    hint = f"folder of that data set, '{split}', with --tasks mvc"
    for path in (split / 'mvc' / 'test-00000.parquet', split.parent):
        with pytest.raises(StoreError, match=hint):
            source(path).examples('mvc', 10)
        with pytest.raises(StoreError, match=hint):
            data_tasks(path, 0)


def test_task_folders_may_be_links(ours, tmp_path):
    (tmp_path / 'links').mkdir()
    (tmp_path / 'links' / 'mvc').symlink_to(ours / 'mvc')
    assert all(one.dense for one in source(tmp_path / 'links').examples('mvc', 3))


def test_a_part_is_drawn_by_the_seed_and_stays_in_order(ours):
    drawn = [[one.metadata['scene'] for one in source(ours, seed).examples('mvc', 5)]
             for seed in (1, 1, 2)]
    assert drawn[0] == drawn[1] != drawn[2]
    assert all(part == sorted(set(part)) and len(part) == 5 for part in drawn)


def test_every_example_is_as_likely_to_be_drawn(ours):
    seen = Counter(one.metadata['scene'] for seed in range(120)
                   for one in source(ours, seed).examples('mvc', 3))
    # 30 each on average; 5 standard deviations of a binomial are 24.
    assert len(seen) == 12 and min(seen.values()) > 6 and max(seen.values()) < 54


def test_published_files_are_read_as_they_are(published):
    found = source(published).examples('pet', 10)
    assert [one.questions[0].answer for one in found] == ['A', 'B', 'A', 'B']
    assert all(one.target is not None for one in found)
    assert data_tasks(published, 0) == ['pet']


def test_examples_serve_as_reference_of_the_other_half_only(ours):
    data = source(ours)
    examples = data.examples('mvc', 12)
    examples = [replace(one, target=np.full((8, 8, 3), 10 * (k % 2), np.uint8))
                for k, one in enumerate(examples)]
    references = data.references('mvc', examples)
    means = [references[k].predictions(examples[k], 0)['mean_image'][0, 0, 0] for k in (0, 1)]
    assert means == [10, 0]


def test_a_given_reference_serves_all(ours, example, tmp_path):
    white = replace(example(0), target=np.full((8, 8, 3), 255, np.uint8))
    save_shard(tmp_path / 'other' / 'mvc' / '00000.parquet', [white])
    data = source(ours, reference=tmp_path / 'other')
    examples = data.examples('mvc', 3)
    for one, reference in zip(examples, data.references('mvc', examples), strict=True):
        assert (reference.predictions(one, 0)['mean_image'] == 255).all()


def test_questions_that_cannot_be_judged_are_left_out_and_counted(
        tmp_path, example, monkeypatch):
    one, request = example(0), Question('Generate the map.')
    silent = replace(one, questions=[])
    examples = [one, replace(one, questions=[request, *one.questions]),
                replace(one, questions=[request])]
    data = source(tmp_path)
    monkeypatch.setattr(sources, 'read_examples', lambda *_: iter(
        [*examples, replace(examples[2], target=None), silent]))
    found = data.examples('mvc', 10)
    # The question that can be judged, wherever it stands; the request where there is no other.
    assert [e.questions for e in found] == [one.questions, one.questions, [request]]
    assert data.skipped == {'no known answer, and no true image': 2}
    # What another task lacks is not left out of this one.
    monkeypatch.setattr(sources, 'read_examples', lambda *_: iter(
        [one, replace(silent, task='pet', target=None)]))
    assert len(data.examples('mvc', 10)) == 1 and not data.skipped


def test_data_without_a_question_of_the_task_say_so(ours, tmp_path):
    with pytest.raises(StoreError, match="task 'pet'"):
        source(ours).examples('pet', 3)
    with pytest.raises(StoreError, match='does not exist'):
        list(read_examples(tmp_path / 'none', 0, Counter()))


@pytest.fixture(scope='module')
def bag(tmp_path_factory):
    """Return what a robot with four cameras recorded on a drive between boxes."""
    world = BoxWorld()
    world.reset(3)
    bags = load_module('mining/simulated_bags')
    way = bags.drive([(-1.8, -1.8), (1.7, -1.8), (1.7, 1.7)])
    return bags.record(
        tmp_path_factory.mktemp('bags') / 'drive', world, way, bags.Settings(surround_cameras(32)))


def load_module(name):
    path = Path(__file__).parents[1] / f'{name}.py'
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    return module


def test_a_recording_gives_questions_with_true_images(bag):
    data = source(bag)
    found = data.examples('pet', 6)
    assert len(found) == 6
    for one in found:
        (question,) = one.questions
        assert question.choices in ([], ['Yes', 'No']) and one.target is not None
    assert any('odometry' in reason or 'target' in reason for reason in data.skipped)


def test_a_broken_recording_is_named(bag, tmp_path):
    (tmp_path / 'cut').mkdir()
    for path in bag.iterdir():
        data = path.read_bytes()
        cut = len(data) // 3 if path.suffix == '.mcap' else len(data)
        (tmp_path / 'cut' / path.name).write_bytes(data[:cut])
    with pytest.raises(StoreError, match='cut'):
        source(tmp_path / 'cut').examples('pet', 3)


def test_a_recording_is_known_by_its_files(tmp_path, ours):
    assert not is_bag(ours)
    (tmp_path / 'bag').mkdir()
    (tmp_path / 'bag' / 'bag_0.mcap').touch()
    assert is_bag(tmp_path / 'bag') and is_bag(tmp_path / 'bag' / 'bag_0.mcap')


def test_too_few_scenes_are_an_error(tmp_path, monkeypatch, example):
    def generate(tasks, number, seed, folder, workers, shard_size):
        save_shard(folder / tasks[0] / '00000.parquet', [example(0)])

    monkeypatch.setattr(sources, 'generate', generate)
    scenes = SceneSource(1_000_000, tmp_path, 1, None, 1)
    with pytest.raises(StoreError, match='only 1 of 2 examples of mvc'):
        scenes.examples('mvc', 2)
    assert len(scenes.examples('mvc', 1)) == 1
