# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""Several contexts at once: each is what it would have been alone."""

from hypothesis import given, settings
from hypothesis import strategies as st
from ipt_ros.bagel import (
    Context,
    ContextBatch,
    generate_text,
    generate_texts,
    Guidance,
    InputError,
    read_prompt,
    read_prompts,
    reason_together,
    Sampling,
    score_each,
    score_texts,
)
from ipt_ros.bagel import context as context_module
from ipt_ros.bagel import text as text_module
from ipt_ros.bagel.config import RENORMS
from ipt_ros.bagel.flow import sample_latents, velocity
from ipt_ros.bagel.images import grid_positions, patchify
import numpy as np
import pytest
import torch

TEXTS = ('', 'a chair', 'left or right?', 'How many chairs are there in the room?')


def close(one, other):
    torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)


def assert_same(one: Context, other: Context):
    assert (one.length, one.position, one.segments) == (
        other.length, other.position, other.segments)
    for layer in (0, 2):
        for a, b in zip(one.keys_values(layer), other.keys_values(layer), strict=True):
            close(a, b)


@pytest.fixture(scope='module')
def golden_contexts(golden):
    """Return the golden contexts by case, as they are read alone: of quite unlike length."""
    full, text_free, image_free = golden._read()
    answering = Context(golden.model)
    answering.add_image(golden.images[2], vae=False)
    answering.add_text(golden.cases['context']['steps'][-1][1])
    return {'text': full, 'answer_only': answering, 'text_free': text_free,
            'image_free': image_free}


def joined(contexts) -> ContextBatch:
    return ContextBatch.join([context.batch for context in contexts])


def test_golden_cases_in_one_batch_write_the_golden_tokens(golden, golden_contexts):
    batch = joined(golden_contexts.values())
    assert len(set(batch.lengths)) == 4
    expected = [golden.numbers[f'{name}.tokens'].tolist() for name in ('text', 'answer_only')]
    most = max(map(len, expected)) - 1
    results = generate_texts(batch, max_tokens=most, seeds=range(4))
    start = golden.model.tokenizer.text_start
    for result, tokens in zip(results, expected):
        assert [start, *result.tokens][:len(tokens)] == tokens
    for context, result in zip(golden_contexts.values(), results, strict=True):
        alone = generate_text(context, max_tokens=most)
        assert result.tokens == alone.tokens
        assert result.logprobs == pytest.approx(alone.logprobs, rel=1e-4)


@pytest.mark.parametrize('name', ['global', 'channel', 'text_channel'])
def test_golden_samples_beside_other_contexts_are_the_golden_ones(golden, golden_contexts, name):
    """The golden context stands between two others, whose noise and branches are their own."""
    found = {case['cfg_renorm_type']: key for key, case in golden.cases['sample'].items()}
    assert set(found) == set(RENORMS)
    case = golden.cases['sample'][found[name]]
    noise = golden.numbers['flow.noise']
    noises = torch.stack([noise.flip(0), noise, -noise])
    order = [('answer_only', 'text_free', 'image_free'), ('text', 'text_free', 'image_free'),
             ('image_free', 'answer_only', 'text')]
    branches = [joined([golden_contexts[one] for one in column]) for column in zip(*order)]
    options = {
        'size': tuple(golden.cases['flow']['image_shape']), 'steps': case['num_timesteps'],
        'shift': case['timestep_shift'], 'guidance': Guidance(
            case['cfg_text_scale'], case['cfg_img_scale'], tuple(case['cfg_interval']), name,
            case['cfg_renorm_min'])}
    latents = sample_latents(branches[0], text_free=branches[1], image_free=branches[2],
                             noise=noises, **options)
    rows = patchify(latents, golden.config.latent_patch_size)
    expected = golden.numbers[f'sample.{found[name]}.latent']
    assert (rows[1] - expected).norm() / expected.norm() < 1e-4
    for index, names in enumerate(order):
        context, text_free, image_free = (golden_contexts[one].batch for one in names)
        alone, = sample_latents(context, text_free=text_free, image_free=image_free,
                                noise=noises[index:index + 1], **options)
        assert (latents[index] - alone).norm() / alone.norm() < 1e-4


def test_a_seed_gives_the_noise_that_it_gives_alone(golden_contexts):
    contexts = [golden_contexts['text'], golden_contexts['answer_only'], golden_contexts['text']]
    options = {'size': (32, 32), 'steps': 3, 'shift': 3.0, 'guidance': Guidance(1.0, 1.0)}
    together = sample_latents(joined(contexts), seeds=[5, 5, 6], **options)
    for latent, context, seed in zip(together, contexts, [5, 5, 6], strict=True):
        close(latent, sample_latents(context.batch, seeds=[seed], **options)[0])
    assert not torch.allclose(together[0], together[2])


def test_hot_texts_are_those_of_their_seeds_alone(golden_contexts):
    contexts = [*golden_contexts.values()] * 2
    seeds = [3, 1, 4, 1, 5, 9, 2, 6]
    results = generate_texts(joined(contexts), max_tokens=6, temperature=1.5, seeds=seeds)
    for result, context, seed in zip(results, contexts, seeds, strict=True):
        assert result.tokens == generate_text(
            context, max_tokens=6, temperature=1.5, seed=seed).tokens
    assert len({tuple(result.tokens) for result in results}) > 4


@pytest.fixture
def early_end(model, monkeypatch):
    """Make the end of a text likelier, so that hot texts end at different times."""
    original = model.logits

    def logits(hidden):
        found = original(hidden)
        found[..., model.tokenizer.text_end] = found.amax(-1) + 1
        return found

    monkeypatch.setattr(model, 'logits', logits)


def test_each_text_ends_at_its_own_time(model, golden_contexts, early_end):
    contexts = [*golden_contexts.values()] * 4
    batch, seen = joined(contexts), []
    lengths = list(batch.lengths)
    results = generate_texts(batch, max_tokens=30, temperature=2.0, seeds=range(16),
                             stop=(model.tokenizer.decode([65]),),
                             on_token=lambda row, text: seen.append((row, text)))
    assert len({len(result.tokens) for result in results}) > 4
    assert any(result.finished for result in results)
    for row, (context, result) in enumerate(zip(contexts, results, strict=True)):
        alone = generate_text(context, max_tokens=30, temperature=2.0, seed=row,
                              stop=(model.tokenizer.decode([65]),))
        assert (result.text, result.tokens, result.finished) == (
            alone.text, alone.tokens, alone.finished)
        assert result.logprobs == pytest.approx(alone.logprobs, rel=1e-3, abs=1e-4)
        own = [text for index, text in seen if index == row]
        assert len(own) == len(result.tokens)
        assert own[-1:] == [result.text][:len(own)]
    assert batch.lengths == lengths


@pytest.mark.parametrize('worth', [0, 10 ** 9])
def test_scores_in_a_batch_are_those_alone(golden_contexts, monkeypatch, worth):
    """Whether what texts have in common is read once or not."""
    texts = [['A', 'a long answer', 'a long thought'], ['left'], [], ['', 'right', 'A']]
    monkeypatch.setattr(text_module, 'PASS', worth)
    scores = score_each(joined(golden_contexts.values()), texts)
    monkeypatch.undo()
    for own, context, given_texts in zip(scores, golden_contexts.values(), texts, strict=True):
        assert own == pytest.approx(score_texts(context, given_texts), rel=1e-4)


ACTIONS = st.lists(st.one_of(
    st.tuples(st.just('text'), st.tuples(*[st.sampled_from(TEXTS)] * 3)),
    st.tuples(st.sampled_from(['image', 'vit', 'vae']), st.permutations(range(3))),
    st.tuples(st.just('select'), st.permutations(range(3))),
    st.tuples(st.just('join'), st.integers(1, 2)),
    st.tuples(st.sampled_from(['fork', 'look']), st.none())), min_size=3, max_size=9)


@given(actions=ACTIONS)
@settings(max_examples=10)
def test_a_batch_is_what_its_contexts_are_alone(model, actions):
    """Whatever three contexts read together, forked, reordered, parted and joined again."""
    rng = np.random.default_rng(0)
    images = [rng.integers(0, 256, (32, 32, 3), dtype=np.uint8) for _ in range(3)]
    batch, histories = ContextBatch(model, 3), [[] for _ in range(3)]
    for action, what in actions:
        if action == 'text':
            batch.add_texts(what)
        elif action in ('image', 'vit', 'vae'):
            batch.add_images([images[i] for i in what], vit=action != 'vae', vae=action != 'vit')
        elif action == 'select':
            batch, histories = batch.select(what), [list(histories[i]) for i in what]
            continue
        elif action == 'join':  # what one part reads for itself, the other does not
            parts = [batch.select(range(what)), batch.select(range(what, 3))]
            parts[0].add_texts(TEXTS[1:1 + what])
            for row in range(what):
                histories[row].append(('text', TEXTS[1 + row]))
            batch = ContextBatch.join(parts)
            continue
        else:
            if action == 'fork':
                batch.fork().add_texts(TEXTS[:3])
            else:
                look(batch)
            continue
        for history, own in zip(histories, what, strict=True):
            history.append((action, own))
    for row, history in enumerate(histories):
        alone = Context(model)
        for action, what in history:
            if action == 'text':
                alone.add_text(what)
            else:
                alone.add_image(images[what], vit=action != 'vae', vae=action != 'vit')
        found = Context(model, batch.select([row]))
        assert_same(found, alone)
        close(look(found.batch), look(alone.batch))


def look(batch: ContextBatch):
    cells = grid_positions((4, 6), batch.model.config.max_latent_size)
    return velocity(batch, torch.ones(len(batch), 24, batch.model.config.latent_dim), 0.5, cells)


def test_long_texts_of_unlike_length_in_pieces_are_the_same(model, monkeypatch):
    texts = ['How many chairs are in the room? ' * times for times in (1, 5, 3)]
    monkeypatch.setattr(context_module, 'PREFILL', 7)
    batch = ContextBatch(model, 3)
    batch.add_texts(texts)
    monkeypatch.undo()
    for row, text in enumerate(texts):
        alone = Context(model)
        alone.add_text(text)
        assert_same(Context(model, batch.select([row])), alone)


def test_decoded_rows_end_together(model):
    batch = ContextBatch(model, 2)
    batch.add_texts(['a chair', 'left or right?'])
    alone = [Context(model, batch.select([row])) for row in range(2)]
    rows = batch.add_tokens([[5, 6, 7], [8]])
    close(rows[0], alone[0].add_tokens([5, 6, 7]))
    close(rows[1, -1:], alone[1].add_tokens([8]))


def test_prompts_read_together_are_those_read_alone(model, images):
    pairs = [[images[0], images[0][::-1]], [images[0].copy() // 2, images[0]]]
    questions = ['What is it?', 'Where is it, and how many of them are there?']
    for mode in ('imagine', 'answer'):
        together = read_prompts(model, system='sys', images=pairs, questions=questions, mode=mode)
        for row, (own, question) in enumerate(zip(pairs, questions, strict=True)):
            alone = read_prompt(model, system='sys', images=own, question=question, mode=mode)
            assert together.image_size == alone.image_size
            for name in ('context', 'text_free', 'image_free'):
                part = getattr(together.select([row]), name)
                assert_same(Context(model, part), getattr(alone, name))


def test_one_prompt_is_reasoned_on_several_times(model, images):
    sampling = Sampling(steps=2, image_size=(32, 32), max_tokens=4, temperature=1.5)
    prompts = read_prompts(model, system='', images=[[images[0]]], questions=['What?'],
                           mode='imagine').select([0, 0, 0])
    lengths = list(prompts.context.lengths)
    found = reason_together(prompts, mode='imagine', seeds=[1, 2, 1], sampling=sampling)
    assert found[0].texts == found[2].texts != found[1].texts
    assert prompts.context.lengths == lengths


def test_what_does_not_fit_together_is_refused(model, images):
    batch = ContextBatch(model, 2)
    with pytest.raises(InputError, match='expected one for each'):
        batch.add_texts(['one'])
    with pytest.raises(InputError, match='one size'):
        batch.add_images(images[:2])
    with pytest.raises(InputError, match='at least one'):
        batch.add_tokens([[], []])
    with pytest.raises(InputError, match='needs one at least'):
        ContextBatch(model, 0)
    with pytest.raises(InputError, match='cannot join 0'):
        ContextBatch.join([])
    with pytest.raises(InputError, match='1 seeds for 2'):
        generate_texts(batch, max_tokens=1, seeds=[1])
    with pytest.raises(InputError, match='lists of texts'):
        score_each(batch, [['a']])
    with pytest.raises(InputError, match='expected one for each'):
        sample_latents(batch, size=(32, 32), steps=2, shift=1.0, guidance=Guidance(), seeds=[1])
    with pytest.raises(InputError, match='to compare with'):
        sample_latents(batch, size=(32, 32), steps=2, shift=1.0, guidance=Guidance(),
                       seeds=[1, 2], text_free=Context(model).batch)
    with pytest.raises(InputError, match='equally many'):
        read_prompts(model, system='', images=[images[:1], images[:2]], questions=['a', 'b'],
                     mode='answer')
    assert batch.lengths == [0, 0]
