# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""The letters of answers among all that is trained, and questions from a path's other end."""

from ipt_ros.bagel import Bagel, pack, TextSegment
from ipt_ros.spatial import TASKS
from ipt_ros.spatial.prompts import answer_text, before_image_text, IMAGE_END
from ipt_ros.spatial.tasks.path_tracing import side_in
from ipt_training.train_model import from_other_end, letter_places, reading_places
import numpy as np
import pytest

NANO = 'checkpoints/ipt-bagel-nano'


@pytest.fixture(scope='module')
def model():
    return Bagel.from_checkpoint(NANO)


@pytest.mark.parametrize(('text', 'letters'), [
    (answer_text('B'), 1),
    (IMAGE_END + answer_text('D'), 1),
    (answer_text('left'), 0),
    (before_image_text('At midpoint M1, looking to the left, I see:'), 0),
    (before_image_text('Analyzing the different perspectives.'), 0),
    (before_image_text('At M1.') + IMAGE_END + answer_text('A'), 1),
])
def test_a_letter_is_what_stands_alone_in_an_answer(model, text, letters):
    samples = [[TextSegment('Which?'), TextSegment(text, loss=True)]] * 2
    batch = pack(samples, model.config, model.tokenizer)
    assert letter_places(batch, model).sum() == 2 * letters


@pytest.mark.parametrize(('text', 'numbers'), [
    (IMAGE_END + 'chair 3.' + answer_text('B'), 1),
    (IMAGE_END + 'coffee table 1.' + answer_text('A'), 1),
    ('chair 3, sofa 1', 0),  # a listing, all of which has to be found out
    (before_image_text('3.') + IMAGE_END + answer_text('3'), 0),
])
def test_what_is_read_before_an_answer_is_its_number(model, text, numbers):
    samples = [[TextSegment('How many?'), TextSegment(text, loss=True)]] * 2
    batch = pack(samples, model.config, model.tokenizer)
    assert reading_places(batch, model).sum() == 2 * numbers


def test_from_the_other_end_the_thought_looks_to_the_other_side():
    rng = np.random.default_rng(0)
    question = TASKS['pt'].question('bed', ['sofa', 'lamp', 'rug'], 'left', (1, 2), rng)
    for turned in from_other_end([question] * 8, rng):
        assert turned.metadata['side'] == 'right'
        assert side_in(turned.metadata['think']) in ('right', '')
