# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""A small data set in our layout and a recipe that trains the tiny checkpoint on it."""

from functools import partial

from ipt_ros.bagel import Bagel
from ipt_ros.spatial import Example, Question
from ipt_training.finetune.recipe import load_finetune_recipe
from ipt_training.store import save_shard
import numpy as np
import pytest
import yaml

SIZES = ((64, 64), (48, 64), (80, 64))


def make_example(index, inputs=1, target=True):
    """Return an example with two questions and a chain of thought, its images noise."""
    rng = np.random.default_rng(index)

    def image():
        return rng.integers(0, 255, (*SIZES[index % 3], 3), dtype=np.uint8)

    questions = [Question(f'Is it {k}?\n(A) left\n(B) right', ['left', 'right'], 'AB'[k])
                 for k in range(2)]
    return Example(
        'pet', 'no_arrow', [image() for _ in range(inputs)], image() if target else None,
        'I look.', questions,
        {'scene': str(index), 'classes': [], 'chain_of_thought': 'First left. ' * (1 + index % 4)})


@pytest.fixture(scope='session')
def data_folder(tmp_path_factory):
    """Return a folder of two shards with twelve examples each."""
    folder = tmp_path_factory.mktemp('finetune') / 'data'
    for shard in range(2):
        examples = [make_example(12 * shard + i, inputs=1 + i % 2) for i in range(12)]
        save_shard(folder / 'pet' / f'train-{shard:05}.parquet', examples)
    return folder


@pytest.fixture
def model(tiny_checkpoint):
    return Bagel.from_checkpoint(tiny_checkpoint)


@pytest.fixture(scope='session')
def write_recipe(tiny_checkpoint, data_folder):
    """Return a function that writes a recipe below a folder, with some settings changed."""
    def write(folder, name='run', **changes):
        values = {
            'name': name, 'mode': 'mixed', 'steps': 4, 'start': str(tiny_checkpoint),
            'checkpoint': str(folder / name / 'checkpoint'),
            'work_dir': str(folder / name / 'work'), 'seed': 3,
            'data': {'paths': [str(data_folder)]},
            'packing': {'batch_tokens': 800, 'sample_tokens': 700, 'window': 16},
            'optimizer': {'learning_rate': 1e-3, 'warmup_steps': 2, 'ema': 0.9, 'decay': 0.0},
            'dropout': {'text': 0.1, 'vae': 0.3, 'vit': 0.3}, 'checkpoint_dtype': 'float32',
        }
        path = folder / f'{name}.yaml'
        path.write_text(yaml.safe_dump(values | changes))
        return path
    return write


@pytest.fixture
def recipe_file(write_recipe, tmp_path):
    """Return a function that writes a recipe for this test."""
    return partial(write_recipe, tmp_path)


@pytest.fixture
def make_recipe(recipe_file):
    """Return a function that reads such a recipe."""
    return lambda name='run', **changes: load_finetune_recipe(recipe_file(name, **changes))


@pytest.fixture(scope='session')
def make_examples():
    """Return the function that makes an example of a number."""
    return make_example
