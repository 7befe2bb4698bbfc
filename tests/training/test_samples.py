# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""Training samples: each mode shows what it shall show, in the order of inference, and no more."""

from dataclasses import replace

from ipt_ros.bagel import ImageSegment, TextSegment
from ipt_ros.spatial import TASKS
from ipt_ros.spatial.prompts import ANSWER_ONLY_PROMPT, THINK_PROMPT
from ipt_training.samples import (
    answer_of,
    answer_sample,
    drill_sample,
    imagine_sample,
    listing_sample,
    look_sample,
    Material,
    open_form,
    read_sample,
    with_truth,
)
import numpy as np
import pytest
import torch

RNG = np.random.default_rng(0)


def counting(category='chair', count=2):
    return with_truth(TASKS['mvc'].question(category, count, 'rotation', RNG))


def perspective(subtask='relative_position_left_right'):
    return with_truth(TASKS['pet'].question(subtask, 'lamp', 'left', RNG))


@pytest.fixture
def material():
    views = [np.full((64, 64, 3), 10 * i, np.uint8) for i in range(4)]
    return Material(
        images=views, latents=[torch.zeros(16, 8, 8)] * 4,
        target=np.full((96, 96, 3), 200, np.uint8), target_latent=torch.ones(16, 12, 12),
        think='From above.', questions=[counting('chair', 2), counting('sofa', 1)])


def texts(segments, **wanted):
    return [s.text for s in segments if isinstance(s, TextSegment)
            and all(getattr(s, name) == value for name, value in wanted.items())]


def test_answers_rest_on_encoder_copies_alone_and_every_question_is_a_branch(material):
    segments = answer_sample(material, material.questions)
    images = [s for s in segments if isinstance(s, ImageSegment)]
    assert segments[0].text == ANSWER_ONLY_PROMPT
    assert [(i.vit, i.vae, i.noised, i.branch) for i in images] == [(True, False, False, 0)] * 4
    for branch, question in enumerate(material.questions, start=1):
        assert texts(segments, branch=branch, loss=False) == [question.text]
        assert texts(segments, branch=branch, loss=True) == [
            f'<answer>{question.answer}</answer>']


def test_a_listing_shows_its_images_and_learns_the_entries_alone():
    image = ImageSegment(np.zeros((96, 96, 3), np.uint8), vae=False)
    first, heading, told = listing_sample([image], 'how many:', ['chair 2', 'sofa 1'])
    assert first is image
    assert (heading.text, heading.loss) == ('how many:', False)
    assert (told.text, told.loss) == ('chair 2, sofa 1', True)


def test_what_is_read_off_the_target_stands_between_it_and_the_answer(material):
    questions = [replace(question, metadata=question.metadata | {
        'reading': TASKS['mvc'].reading(question)}) for question in material.questions]
    assert [question.metadata['reading'] for question in questions] == ['chair 2.', 'sofa 1.']
    for segments in (imagine_sample(material, questions, 2), read_sample(material, questions)):
        told = [text for text in texts(segments, loss=True) if '<image_end>' in text]
        assert told == [f'<image_end>{question.metadata["reading"]}<answer>{question.answer}'
                        '</answer>' for question in questions]


def test_imagining_draws_once_and_answers_from_the_clean_target(material):
    segments = imagine_sample(material, material.questions, noised_copies=3)
    assert segments[0].text == THINK_PROMPT
    inputs = [s for s in segments if isinstance(s, ImageSegment) and s.branch == 0]
    assert all(image.vae and image.vit and not image.noised for image in inputs)
    noised = [s for s in segments if isinstance(s, ImageSegment) and s.noised]
    assert [s.branch for s in noised] == [1, 1, 1]
    # One of the noised copies brings the clean ones along; the other branch has clean ones only.
    clean = [(s.branch, s.vae, s.vit) for s in segments
             if isinstance(s, ImageSegment) and s.branch > 0 and s.vae]
    assert clean == [(1, True, True), (2, True, True)]
    answers = texts(segments, loss=True)
    assert answers[0] == '<think>From above.</think><image_start>'
    assert answers[1] == f'<image_end><answer>{material.questions[0].answer}</answer>'


def test_reading_shows_nothing_but_the_clean_target(material):
    segments = read_sample(material, material.questions)
    images = [s for s in segments if isinstance(s, ImageSegment)]
    assert [(i.branch, i.vae, i.vit, i.noised) for i in images] == [
        (1, True, True, False), (2, True, True, False)]
    assert all((i.image == material.target).all() for i in images)
    assert texts(segments) == texts(imagine_sample(material, material.questions, 0))


def test_reading_may_begin_with_what_another_example_shows(material):
    other = replace(material, images=[255 - image for image in material.images])
    segments = read_sample(material, material.questions, other)
    before = [s for s in segments if isinstance(s, ImageSegment) and not s.branch]
    assert len(before) == len(material.images) > 0
    for segment, image, latent in zip(before, other.images, other.latents, strict=True):
        assert (segment.image == image).all() and segment.latent is latent
    behind = [s for s in segments if isinstance(s, ImageSegment) and s.branch]
    assert all((s.image == material.target).all() and not s.noised for s in behind)
    assert texts(segments) == texts(imagine_sample(material, material.questions, 0))


def test_a_look_names_things_before_the_clean_target_and_asks_behind_both(material):
    heading, image, *branches = look_sample(
        material, 'A) x', [('Where is A?', 'none'), ('What?', 'B')])
    assert (heading.text, heading.branch, image.branch) == ('A) x', 0, 0)
    assert (image.image == material.target).all()
    assert (image.vae, image.vit, image.noised) == (True, True, False)
    assert [(s.text, s.loss, s.branch) for s in branches] == [
        ('Where is A?', False, 1), ('<answer>none</answer>', True, 1),
        ('What?', False, 2), ('<answer>B</answer>', True, 2)]


def test_a_question_may_have_a_thought_of_its_own(material):
    question = material.questions[0]
    own = replace(question, metadata=question.metadata | {'think': 'To the left.'})
    thoughts = texts(imagine_sample(material, [question, own], 0), loss=True)[::2]
    assert thoughts == ['<think>From above.</think><image_start>',
                        '<think>To the left.</think><image_start>']


def test_a_drill_names_the_letter_of_every_choice_once():
    question = counting()
    segments = drill_sample(question)
    claims = texts(segments, loss=False)[2:]
    assert claims == [f'{choice} chair.' for choice in question.choices]
    assert texts(segments, loss=True) == [f'<answer>{letter}</answer>' for letter in 'ABCD']


@pytest.mark.parametrize(('question', 'task', 'truth'), [
    (counting('sofa', 3), 'mvc', '3'), (perspective(), 'pet', 'right')])
def test_an_open_question_shows_no_choice_and_is_answered_in_words(question, task, truth):
    asked = open_form(question, TASKS[task])
    assert question.text.startswith(asked.text)
    assert 'A)' not in asked.text and not asked.choices
    assert answer_of(question) == f'<answer>{question.answer}</answer>'
    assert answer_of(asked) == f'<answer>{truth}</answer>'
