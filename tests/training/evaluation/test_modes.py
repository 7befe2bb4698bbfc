# SPDX-License-Identifier: Apache-2.0
"""What the model reads, and in which order, in each mode."""

from dataclasses import replace

from ipt_ros.bagel import score_texts
from ipt_ros.spatial import choice_probabilities, Question
from ipt_ros.spatial.prompts import (
    after_image_text,
    ANSWER_ONLY_PROMPT,
    answer_text,
    before_image_text,
    THINK_PROMPT,
)
from ipt_training.evaluation import modes
from ipt_training.evaluation.modes import ask, believe, can_ask, MODES, Options
import numpy as np
import pytest


@pytest.fixture
def read_texts(monkeypatch):
    """Return the list of all texts that contexts read, in order."""
    texts = []
    original = modes.Context.add_text

    def add_text(self, text):
        texts.append(text)
        original(self, text)

    monkeypatch.setattr(modes.Context, 'add_text', add_text)
    return texts


@pytest.mark.parametrize(('mode', 'system', 'kinds'), [
    ('answer', ANSWER_ONLY_PROMPT, ['text', 'vit', 'text']),
    ('answer-vae', ANSWER_ONLY_PROMPT, ['text', 'vae', 'vit', 'text']),
    ('text-cot', THINK_PROMPT, ['text', 'vit', 'text']),
    ('oracle', THINK_PROMPT, ['text', 'vae', 'vit', 'text', 'text', 'vae', 'vit']),
])
def test_what_was_read_before_the_answer(model, example, says, read_texts, mode, system, kinds):
    one = example(0)
    asked = says(lambda number, kinds: answer_text('B'))
    reply = ask(model, one, one.questions[0], mode, 0, Options())
    assert [entry['kinds'] for entry in asked] == [kinds]
    assert read_texts[:2] == [system, one.questions[0].text]
    assert (reply.letter, reply.rule, reply.image) == ('B', 'answer tag', None)
    assert 'read' in reply.seconds and 'answer' in reply.seconds


def test_imagine_reads_its_own_image_before_it_answers(model, example, imagines):
    one = example(0)
    reply = ask(model, one, one.questions[0], 'imagine', 0, Options())
    assert [entry['kinds'] for entry in imagines] == [
        ['text', 'vae', 'vit', 'text'], ['text', 'vae', 'vit', 'text', 'text', 'vae', 'vit']]
    assert reply.image.shape == (32, 32, 3)
    assert reply.text == before_image_text('I look.') + after_image_text('A')


def test_the_oracle_reads_the_example_s_thought_and_the_true_image(
        model, example, says, read_texts, monkeypatch):
    one, read = example(0), []
    original = modes.Context.add_image

    def add_image(self, image, **how):
        read.append((image, how))
        original(self, image, **how)

    monkeypatch.setattr(modes.Context, 'add_image', add_image)
    says(lambda number, kinds: after_image_text('A'))
    ask(model, one, one.questions[0], 'oracle', 0, Options())
    assert before_image_text(one.think) in read_texts
    assert np.array_equal(read[-1][0], one.target)


def test_the_oracle_may_read_latents_alone(model, example, says):
    asked = says(lambda number, kinds: after_image_text('A'))
    one = example(0)
    ask(model, one, one.questions[0], 'oracle', 0, Options(oracle_input='vae'))
    assert asked[0]['kinds'][-1] == 'vae'


def test_an_oracle_needs_a_true_image(example):
    blank = replace(example(0), target=None)
    question = blank.questions[0]
    assert not can_ask(blank, question, 'oracle')
    assert can_ask(blank, question, 'imagine') and can_ask(example(0), question, 'oracle')


def test_a_question_without_a_known_answer_is_asked_for_its_image_only(example):
    request = Question('Generate the map.')
    assert [mode for mode in MODES if can_ask(example(0), request, mode)] == ['imagine']


def test_thoughts_in_words_have_room(model, example, says):
    asked = says(lambda number, kinds: '<think>So it is.</think>' + answer_text('C'))
    one = example(0)
    assert ask(model, one, one.questions[0], 'text-cot', 0, Options(cot_tokens=99)).letter == 'C'
    ask(model, one, one.questions[0], 'answer', 0, Options(cot_tokens=99))
    assert [entry['max_tokens'] for entry in asked] == [99, model.config.sampling.max_tokens]


def test_steps_replace_the_checkpoint_s_own(model):
    own = model.config.sampling
    assert Options(steps=7).sampling(own, 'imagine').steps == 7
    assert Options().sampling(own, 'imagine') == own


@pytest.mark.parametrize(('written', 'after_image', 'before'), [
    ('<answer>A</answer>', False, ''),
    ('<think>Two here.</think><answer>B</answer>', False, '<think>Two here.</think>'),
    ('<image_end><answer>B</answer>', True, '<image_end>'),
    ('I do not know', False, ''),
    ('I do not know', True, '<image_end>'),
])
def test_belief_is_that_in_the_answer_at_its_place(model, written, after_image, before):
    context = modes.Context(model)
    context.add_text('What is it?')
    expected = choice_probabilities(
        score_texts(context, [before + answer_text(letter) for letter in 'ABC']))
    assert believe(context, written, 3, after_image) == pytest.approx(expected)
    assert sum(expected) == pytest.approx(1)


def test_the_seed_decides_what_is_imagined(model, example, imagines):
    one = example(0)
    images = [ask(model, one, one.questions[0], 'imagine', seed, Options()).image
              for seed in (1, 1, 2)]
    assert np.array_equal(images[0], images[1])
    assert not np.array_equal(images[0], images[2])
