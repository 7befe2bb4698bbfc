# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""What the tests of evaluation share: a tiny model, examples, and words put into its mouth."""

from dataclasses import replace
from pathlib import Path

from ipt_ros.bagel import Guidance, reasoning, Sampling, TextResult
from ipt_ros.bagel.verify import Golden
from ipt_ros.spatial import DenseTruth, Example, TASKS
from ipt_ros.spatial.prompts import after_image_text, answer_text, before_image_text
import numpy as np
import pytest

TINY = Path(__file__).parents[2] / 'data' / 'tiny_bagel'


@pytest.fixture(scope='session', autouse=True)
def few_threads(one_thread):
    """Tiny tensors: threads only cost."""


@pytest.fixture(scope='session')
def model():
    """Return the tiny golden model, set to draw small pictures in two steps."""
    model = Golden(TINY).model
    model.config = model.config.replace(sampling=Sampling(
        steps=2, image_size=(32, 32), max_tokens=6, guidance=Guidance(1.0, 1.0),
        temperature=0.0))
    return model


@pytest.fixture(scope='session')
def checkpoint(model, tmp_path_factory):
    """Return the same model as a folder."""
    folder = tmp_path_factory.mktemp('checkpoint')
    model.save_checkpoint(folder)
    return folder


@pytest.fixture
def says(monkeypatch):
    """
    Make the model write what one gives, in all modes; returns a list of how it was asked.

    The words are a function of how often it was asked before and of the kinds of segments that it
    had read.
    """
    def with_words(words):
        asked = []

        def generate_texts(batch, *, seeds, max_tokens, **options):
            results = []
            for segments, seed in zip(batch.segments, seeds, strict=True):
                kinds = [segment.kind for segment in segments]
                results.append(TextResult(words(len(asked), kinds), [1], [0.0], True))
                asked.append({'kinds': kinds, 'seed': seed, 'max_tokens': max_tokens})
            return results

        monkeypatch.setattr(reasoning, 'generate_texts', generate_texts)
        return asked
    return with_words


def thinker(letter='A'):
    """Return words that think and ask for an image where none was thought of, then answer."""
    def words(number, kinds):
        if kinds.count('vae') == kinds.count('text') - 1 == 1:
            return before_image_text('I look.')
        return after_image_text(letter) if kinds[-1] in ('vae', 'vit') else answer_text(letter)
    return words


@pytest.fixture
def imagines(says):
    """Make the model imagine one image in mode imagine, and answer A always."""
    return says(thinker())


def make_example(number, answer=None):
    """
    Return a counting example with one view, and a map of two boxes on a grey floor.

    The map is 32 pixels and 3.2 m wide; a red box (id 5) is 0.8 m ahead of its centre, a blue one
    (id 6) 0.8 m to the left; both are 0.6 m in size.
    """
    rng = np.random.default_rng(number)
    view = rng.integers(0, 256, (32, 32, 3), dtype=np.uint8)
    target = np.full((32, 32, 3), 128, np.uint8)
    classes = np.ones((32, 32), np.uint8)
    target[5:11, 13:19], classes[5:11, 13:19] = (200, 30, 30), 2
    target[13:19, 5:11], classes[13:19, 5:11] = (30, 30, 200), 3
    dense = [DenseTruth(np.ones((32, 32), np.uint8), np.ones((32, 32), np.uint16)),
             DenseTruth(classes, np.ones((32, 32), np.uint16))]
    task = TASKS['mvc']
    question = task.question('chair', 1 + number % 3, task.variants[number % 2], rng)
    if answer:
        question = replace(question, answer=answer)
    size = [0.6, 0.6, 0.6]
    return Example(
        'mvc', question.subtask, [view], target, 'I look from above.', [question], {
            'scene': number,
            'classes': ['nothing', 'floor', 'box', 'chair'],
            'map': {'center': [10.0, 20.0], 'yaw': 0.0, 'size': 3.2},
            'objects': [
                {'id': 1, 'name': 'floor', 'position': [10.0, 20.0, 0.0], 'size': [9.0, 9.0, 0.0],
                 'yaw': 0.0, 'structural': True},
                {'id': 5, 'name': 'box', 'position': [10.8, 20.0, 0.3], 'size': size, 'yaw': 0.0,
                 'structural': False},
                {'id': 6, 'name': 'chair', 'position': [10.0, 20.8, 0.3], 'size': size,
                 'yaw': 0.0, 'structural': False},
            ],
            'seen': [{'object': 5, 'views': [{'view': 0}]}, {'object': 6, 'views': [{'view': 0}]}],
        }, dense)


@pytest.fixture
def example():
    """Return the function that makes examples."""
    return make_example
