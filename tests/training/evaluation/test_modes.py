# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""What the model reads, and in which order, in each mode."""

from dataclasses import replace

from ipt_ros.bagel import (
    Context,
    ContextBatch,
    InputError,
    reasoning,
    score_texts,
    TextResult,
)
from ipt_ros.spatial import answers_like, choice_probabilities, Question
from ipt_ros.spatial.prompts import (
    after_image_text,
    ANSWER_ONLY_PROMPT,
    answer_text,
    before_image_text,
    THINK_PROMPT,
)
from ipt_training.evaluation.modes import (
    ask,
    ask_together,
    can_ask,
    MODES,
    Options,
    shapes,
)
import numpy as np
import pytest


@pytest.fixture
def read_texts(monkeypatch):
    """Return the list of all texts that contexts read, in order."""
    texts = []
    original = ContextBatch.add_texts

    def add_texts(self, given):
        texts.extend(given)
        original(self, given)

    monkeypatch.setattr(ContextBatch, 'add_texts', add_texts)
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
    original = ContextBatch.add_images

    def add_images(self, images, **how):
        read.extend(images)
        original(self, images, **how)

    monkeypatch.setattr(ContextBatch, 'add_images', add_images)
    says(lambda number, kinds: after_image_text('A'))
    ask(model, one, one.questions[0], 'oracle', 0, Options())
    assert before_image_text(one.think) in read_texts
    assert np.array_equal(read[-1], one.target)


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


def test_belief_is_the_probability_of_each_choice_after_what_was_read(model, example, says):
    one = example(0)
    said = '<think>Two here.</think><answer>B</answer>'
    says(lambda number, kinds: said)
    context = Context(model)
    context.add_text(THINK_PROMPT)
    context.add_image(one.images[0], vae=False)
    context.add_text(one.questions[0].text)
    expected = choice_probabilities(score_texts(
        context, answers_like(said, one.questions[0].choices)))
    found = ask(model, one, one.questions[0], 'text-cot', 0, Options()).probabilities
    assert found == pytest.approx(expected, rel=1e-4)
    assert sum(found) == pytest.approx(1)


def test_the_seed_decides_what_is_imagined(model, example, imagines):
    one = example(0)
    images = [ask(model, one, one.questions[0], 'imagine', seed, Options()).image
              for seed in (1, 1, 2)]
    assert np.array_equal(images[0], images[1])
    assert not np.array_equal(images[0], images[2])


@pytest.mark.parametrize('mode', MODES)
def test_asked_together_is_asked_alone(model, example, mode, monkeypatch):
    """Questions, thoughts and choices of unlike length, and several seeds each."""
    def think_or_answer(batch, *, seeds, **options):
        return [TextResult(
            answer_text('A') if seed % 2 else before_image_text('I look. ' * (seed // 2)), [1],
            [0.0], True) for seed in seeds]

    if mode == 'imagine':  # elsewhere the model writes for itself
        monkeypatch.setattr(reasoning, 'generate_texts', think_or_answer)
    examples = [example(number) for number in range(3)]
    asked = [(one, replace(one.questions[0], text=one.questions[0].text + ' Look well.' * number,
                           choices=one.questions[0].choices[:4 - number]))
             for number, one in enumerate(examples)]
    seeds = [[2, 4], [6], [4, 3]] if mode == 'imagine' else [[2], [4], [6]]
    options = Options(cot_tokens=12)
    together = ask_together(model, asked, mode, seeds, options)
    for (one, question), own, replies in zip(asked, seeds, together, strict=True):
        for seed, reply in zip(own, replies, strict=True):
            alone = ask(model, one, question, mode, seed, options)
            assert (reply.text, reply.letter, reply.rule) == (alone.text, alone.letter, alone.rule)
            assert reply.text
            assert reply.probabilities == pytest.approx(alone.probabilities, rel=1e-3)
            assert len(reply.probabilities) == len(question.choices)
            assert (reply.image is None) == (alone.image is None)
            if reply.image is not None:
                # Cut to 8 bits: a level is rounding.
                assert np.abs(reply.image.astype(int) - alone.image.astype(int)).max() <= 1


def test_examples_of_unlike_shapes_are_not_asked_together(model, example):
    one, other = example(0), example(1)
    other = replace(other, images=[np.zeros((64, 32, 3), np.uint8)])
    assert shapes(one, 'answer') != shapes(other, 'answer')
    with pytest.raises(InputError, match='one size'):
        ask_together(model, [(e, e.questions[0]) for e in (one, other)], 'answer', [[1], [1]],
                     Options())
    target = replace(one, target=np.zeros((64, 32, 3), np.uint8))
    assert shapes(one, 'imagine') == shapes(target, 'imagine')
    assert shapes(one, 'oracle') != shapes(target, 'oracle')
