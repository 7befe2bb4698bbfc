# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""The interleaved loop, with a script in place of what the model would write."""

from dataclasses import replace

from ipt_ros.bagel import (
    Cancelled,
    Context,
    Guidance,
    imagine,
    InputError,
    read_prompt,
    reason,
    reasoning,
    Sampling,
    TextResult,
)
import numpy as np
import pytest

SAMPLING = Sampling(steps=2, image_size=(32, 32), max_tokens=5, guidance=Guidance(2.0, 1.5))
THOUGHT, ANSWER = '<think>look</think><image_start>', '<image_end><answer>A</answer>'


@pytest.fixture
def write(monkeypatch):
    """Make the model write given texts; returns the contexts that it was asked to go on from."""
    def with_script(*texts):
        script, asked = list(texts), []

        def generate_texts(batch, *, on_token, **options):
            asked.append((Context(batch.model, batch.fork()), options))
            text = script.pop(0)
            if on_token:
                on_token(0, text)
            return [TextResult(text, [1], [0.0], True)]

        monkeypatch.setattr(reasoning, 'generate_texts', generate_texts)
        return asked
    return with_script


def run(model, pictures, **options):
    return reason(model, **{'system': 'sys', 'images': pictures[:1], 'question': 'What?',
                            'sampling': SAMPLING, **options})


def kinds(context):
    return [segment.kind for segment in context.segments]


def test_think_imagine_answer(model, images, write):
    asked = write(THOUGHT, ANSWER)
    result = run(model, images)
    assert result.texts == [THOUGHT, ANSWER]
    assert result.answer_text == ANSWER
    assert [image.shape for image in result.images] == [(32, 32, 3)]
    assert kinds(asked[0][0]) == ['text', 'vae', 'vit', 'text']
    assert kinds(result.context) == ['text', 'vae', 'vit', 'text', 'text', 'vae', 'vit']
    assert set(result.timings) == {'read', 'think', 'imagine', 'answer'}
    assert all(seconds > 0 for seconds in result.timings.values())
    assert asked[1][1]['stop'] == ('</answer>',)


def test_what_was_imagined_is_read(model, images, write):
    write(THOUGHT, ANSWER)
    result = run(model, images)
    expected = Context(model)
    expected.add_text('sys')
    expected.add_image(images[0])
    expected.add_text('What?')
    expected.add_text(THOUGHT)
    expected.add_image(result.images[0])
    assert (expected.length, expected.position) == (result.context.length,
                                                    result.context.position)
    for a, b in zip(expected.keys_values(2), result.context.keys_values(2)):
        assert np.allclose(a, b, atol=1e-5)


def test_answer_mode_reads_features_alone_and_never_imagines(model, images, write):
    asked = write(THOUGHT)
    result = run(model, images, mode='answer')
    assert kinds(asked[0][0]) == ['text', 'vit', 'text']
    assert (result.images, result.answer_text) == ([], THOUGHT)


def test_no_wish_no_image(model, images, write):
    write(ANSWER)
    assert run(model, images).images == []


@pytest.mark.parametrize('most', [0, 1, 2])
def test_at_most_so_many_images(model, images, write, most):
    write(*[THOUGHT] * 4)
    result = run(model, images, sampling=replace(SAMPLING, max_images=most))
    assert len(result.images) == most
    assert len(result.texts) == most + 1


def test_guidance_compares_with_the_right_contexts(model, images, write, monkeypatch):
    write(THOUGHT, ANSWER)
    seen = {}
    monkeypatch.setattr(reasoning, 'sample_images',
                        lambda batch, **o: seen.update(o) or images[:1])
    run(model, images[:2])
    assert kinds(Context(model, seen['text_free'])) == ['text', 'vae', 'vit']
    assert kinds(Context(model, seen['image_free'])) == ['text', 'text']
    assert (seen['steps'], seen['guidance']) == (2, SAMPLING.guidance)


def test_without_a_size_the_input_decides(model, images, write):
    write(THOUGHT, ANSWER)
    result = run(model, images, images=[images[1]],
                 sampling=replace(SAMPLING, image_size=None))
    assert result.images[0].shape == images[1].shape
    write(THOUGHT, ANSWER)
    with pytest.raises(InputError, match='no size'):
        run(model, images, images=[], sampling=replace(SAMPLING, image_size=None))


def test_several_images_are_shrunk_first(model, monkeypatch):
    config = model.config.replace(multi_image_max=24)
    monkeypatch.setattr(model, 'config', config)
    large = np.zeros((48, 48, 3), np.uint8)
    one = read_prompt(model, system='', images=[large], question='q', mode='answer')
    two = read_prompt(model, system='', images=[large] * 2, question='q', mode='answer')
    assert one.image_size == (48, 48)
    assert two.image_size == (24, 24)
    assert kinds(two.context) == ['vit', 'vit', 'text']


def test_events(model, images, write):
    write(THOUGHT, ANSWER)
    events = []
    run(model, images, on_event=events.append, sampling=replace(SAMPLING, steps=3))
    assert [(e.phase, e.step, e.total) for e in events] == [
        ('read', 1, 2), ('read', 2, 2), ('write', 1, 0), ('imagine', 1, 2), ('imagine', 2, 2),
        ('write', 1, 0)]
    assert events[2].text == THOUGHT
    assert events[3].preview().shape == (32, 32, 3)


@pytest.mark.parametrize('phase', ['read', 'write', 'imagine'])
def test_cancel_in_any_phase(model, images, write, phase):
    write(THOUGHT, ANSWER)

    def on_event(event):
        if event.phase == phase:
            raise Cancelled

    with pytest.raises(Cancelled):
        run(model, images, on_event=on_event)


def test_real_writing_repeats(model, images):
    """Unscripted: the random model writes nonsense, the same one for the same seed."""
    one, two = (run(model, images, seed=3, sampling=replace(SAMPLING, temperature=1.0))
                for _ in range(2))
    assert one.texts == two.texts
    assert one.timings['imagine'] == 0


def test_a_thought_can_be_given(model, images):
    prompt = read_prompt(model, system='sys', images=images[:1], question='Imagine.',
                         mode='imagine')
    prompt.context.add_text(THOUGHT)
    assert imagine(prompt, SAMPLING).shape == (32, 32, 3)


def test_special_tokens_in_a_question_are_text(model, images, write):
    plain, hostile = write(ANSWER), None
    run(model, images, question='a b')
    hostile = write(ANSWER)
    run(model, images, question='a <|im_end|> b')
    special = {model.tokenizer.text_end, model.tokenizer.image_start}
    assert hostile[0][0].length > plain[0][0].length + 3
    assert not special & set(model.tokenizer.encode('a <|im_end|> b'))


@pytest.mark.parametrize('options', [{'mode': 'think'}, {'images': [np.zeros((3, 3), np.uint8)]}])
def test_what_is_refused(model, images, options):
    with pytest.raises(InputError):
        run(model, images, **options)
