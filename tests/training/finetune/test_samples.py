# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""Samples of each mode: what the model reads, what it learns to write, how long that is."""

from dataclasses import replace

from ipt_ros.bagel import ImageSegment, pack, TextSegment
from ipt_ros.spatial import Question
from ipt_ros.spatial.prompts import ANSWER_ONLY_PROMPT, THINK_PROMPT
from ipt_training.finetune.errors import FinetuneError
from ipt_training.finetune.recipe import FormatSettings
from ipt_training.finetune.samples import (
    build_sample,
    checkpoint_config,
    count_tokens,
    fit_questions,
    training_config,
    UnfitError,
)
import pytest

PLAIN = FormatSettings()
KINDS = ('label', 'answer', 'cot', 'ipt')


def sample(kind, example, config, settings=PLAIN, questions=2):
    texts = fit_questions(kind, example, (0, 0), 'full')
    chosen = {index: texts[index] for index in list(texts)[:questions]}
    return build_sample(kind, example, chosen, settings, config)


def written(segments):
    return [s.text for s in segments if isinstance(s, TextSegment) and s.loss]


def pictures(segments):
    return [s for s in segments if isinstance(s, ImageSegment)]


def test_labels_and_answers_read_images_by_the_vit_alone_and_draw_nothing(model, make_examples):
    for kind, prompt in (('label', THINK_PROMPT), ('answer', ANSWER_ONLY_PROMPT)):
        segments = sample(kind, make_examples(0), model.config)
        assert segments[0] == TextSegment(prompt)
        assert written(segments) == ['<answer>A</answer>', '<answer>B</answer>']
        assert [(p.vae, p.vit, p.noised) for p in pictures(segments)] == [(False, True, False)]


def test_a_chain_of_thought_comes_before_the_answer(model, make_examples):
    segments = sample('cot', make_examples(0), model.config, questions=1)
    assert segments[0].text == THINK_PROMPT
    assert written(segments) == ['<think>First left. </think><answer>A</answer>']
    assert not any(p.vae or p.noised for p in pictures(segments))


def test_imagining_learns_thought_image_and_answer_in_this_order(model, make_examples):
    example = make_examples(0)
    segments = sample('ipt', example, model.config, questions=1)
    assert written(segments) == [
        '<think>I look.</think><image_start>', '<image_end><answer>A</answer>']
    given, imagined = pictures(segments)
    assert given.vae and given.vit and not given.noised
    assert imagined.image is example.target
    assert imagined.vae and imagined.vit and imagined.noised
    assert segments[4] is imagined  # after prompt, input, question and thought


def test_only_the_first_of_several_questions_draws(model, make_examples):
    segments = sample('ipt', make_examples(0), model.config, FormatSettings(noised_copies=3))
    assert [p.branch for p in pictures(segments) if p.noised] == [1, 1, 1]
    assert [p.branch for p in pictures(segments) if p.vae and p.vit] == [0, 1, 2]


def test_the_published_order_makes_one_text_of_prompt_and_question(model, make_examples):
    example = make_examples(0)
    segments = sample('ipt', example, model.config, FormatSettings(order='images-first'), 1)
    assert isinstance(segments[0], ImageSegment)
    assert segments[1].text == THINK_PROMPT + example.questions[0].text


@pytest.mark.parametrize('kind', KINDS)
@pytest.mark.parametrize('inputs', [1, 3])
def test_counted_tokens_are_those_that_packing_makes(model, kind, inputs, make_examples):
    settings = FormatSettings(noised_copies=2)
    config = training_config(model.config, settings)
    segments = sample(kind, make_examples(1, inputs=inputs), config, settings)
    batch = pack([segments], config, model.tokenizer, vae=model.vae)
    assert count_tokens(segments, config, model.tokenizer) == batch.tokens


def test_a_smaller_vit_limit_makes_shorter_samples_only_in_training(model, make_examples):
    settings = FormatSettings(vit_max_side=28)
    config = training_config(model.config, settings)
    assert config.vit_transform.max_side == 28 != model.config.vit_transform.max_side


def test_the_imagined_image_has_a_size_of_its_own(model, make_examples):
    """Latent size as in the paper's ablation: fewer tokens to imagine, inputs as they were."""
    settings = FormatSettings(imagined_side=16)
    config = checkpoint_config(model.config, settings)
    # Two questions: the second branch has a clean copy only.
    segments = sample('ipt', make_examples(0), config, settings)
    small = pack([segments], config, model.tokenizer, vae=model.vae)
    full = pack([segments], model.config, model.tokenizer, vae=model.vae)
    cells = (16 // config.latent_stride)**2
    given = len(pack([segments[:2]], config, model.tokenizer, vae=model.vae).latents)
    assert len(small.noised) == cells < len(full.noised)
    assert len(small.latents) == given + 3 * cells
    assert count_tokens(segments, config, model.tokenizer) == small.tokens
    assert config.sampling.image_size == (16, 16)
    assert config.vae_transform == model.config.vae_transform


@pytest.mark.parametrize('side', [20, 4096])
def test_a_size_that_latents_cannot_have_is_refused(model, side):
    with pytest.raises(FinetuneError, match=f'imagined_side is {side}.*multiples of 8'):
        checkpoint_config(model.config, FormatSettings(imagined_side=side))


@pytest.mark.parametrize(('kind', 'change', 'reason'), [
    ('ipt', {'target': None}, 'no image to imagine'),
    ('cot', {'metadata': {}}, 'no chain of thought'),
    ('label', {'questions': [Question('What?')]}, 'no known answer')])
def test_what_lacks_something_is_unfit_and_says_why(kind, change, reason, make_examples):
    with pytest.raises(UnfitError, match=reason):
        fit_questions(kind, replace(make_examples(0), **change), (0, 0), 'full')
