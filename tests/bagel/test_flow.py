# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""Sampling: guidance, its switches, cancelling and what is refused."""

from dataclasses import replace

from ipt_ros.bagel import Cancelled, Context, flow, Guidance, InputError, sample_image
from ipt_ros.bagel.images import patchify
from ipt_ros.bagel.packing import shift_time
import numpy as np
import pytest
import torch


@pytest.fixture(scope='module')
def contexts(model, images):
    full, image_free = Context(model), Context(model)
    full.add_image(images[0])
    text_free = full.fork()
    for context in (full, image_free):
        context.add_text('the view from there')
    return {'text_free': text_free, 'image_free': image_free, 'context': full}


OPTIONS = {'size': (32, 32), 'steps': 4, 'shift': 3.0}
GUIDANCE = Guidance(text=4.0, image=2.0)


def test_same_seed_same_image(contexts):
    one, two, other = (sample_image(**contexts, **OPTIONS, guidance=GUIDANCE, seed=seed)
                       for seed in (1, 1, 2))
    assert one.shape == (32, 32, 3)
    assert one.dtype == np.uint8
    assert np.array_equal(one, two)
    assert not np.array_equal(one, other)


@pytest.fixture
def velocities(monkeypatch, contexts):
    """Replace the model by fixed velocities, one a context; count how often each is asked."""
    rng = torch.Generator().manual_seed(0)
    table = {id(c): torch.randn(6, 16, generator=rng) for c in contexts.values()}
    asked = []

    def velocity(context, x, t, cells):
        asked.append(context)
        return table[id(context)]

    monkeypatch.setattr(flow, 'velocity', velocity)
    return {name: table[id(c)] for name, c in contexts.items()}, asked


def guided(contexts, guidance, t=0.5):
    branches = {name.replace('context', 'batch'): one for name, one in contexts.items()}
    return flow.guided_velocity(guidance, torch.zeros(6, 16), t, torch.arange(6), **branches)


def lengths(v, renorm):
    return v.norm() if renorm == 'global' else v.norm(dim=-1)


@pytest.mark.parametrize('renorm', ['global', 'channel'])
@pytest.mark.parametrize(('text', 'image'), [(4.0, 2.0), (4.0, 1.0), (1.0, 2.0), (0.5, 1.5)])
def test_guided_velocity_is_never_longer(velocities, contexts, renorm, text, image):
    v = guided(contexts, Guidance(text, image, renorm=renorm))
    plain = velocities[0]['context']
    assert (lengths(v, renorm) <= lengths(plain, renorm) * (1 + 1e-5)).all()
    direction = plain
    if text > 1:
        base = velocities[0]['text_free']
        direction = base + text * (plain - base)
    if image > 1:
        base = velocities[0]['image_free']
        direction = base + image * (direction - base)
    cosine = torch.nn.functional.cosine_similarity(v, direction, dim=-1)
    assert torch.allclose(cosine, torch.ones(6), atol=1e-5)


def test_text_channel_holds_the_text_term_alone(velocities, contexts):
    v = velocities[0]
    text = v['text_free'] + 4 * (v['context'] - v['text_free'])
    text = text * (v['context'].norm(dim=-1) / text.norm(dim=-1)).clamp(max=1)[:, None]
    expected = v['image_free'] + 2 * (text - v['image_free'])
    torch.testing.assert_close(guided(contexts, Guidance(4.0, 2.0)), expected)


def test_renorm_min(velocities, contexts):
    free = Guidance(4.0, 1.0, renorm='channel', renorm_min=1.0)
    v = velocities[0]
    torch.testing.assert_close(guided(contexts, free),
                               v['text_free'] + 4 * (v['context'] - v['text_free']))


@pytest.mark.parametrize(('guidance', 't', 'calls'), [
    (Guidance(4.0, 2.0), 0.5, 3), (Guidance(1.0, 2.0), 0.5, 2), (Guidance(4.0, 1.0), 0.5, 2),
    (Guidance(1.0, 1.0), 0.5, 1), (Guidance(4.0, 2.0, interval=(0.4, 1.0)), 0.4, 1),
    (Guidance(4.0, 2.0, interval=(0.4, 1.0)), 1.0, 3)])
def test_branches_that_are_off_cost_nothing(velocities, contexts, guidance, t, calls):
    v = guided(contexts, guidance, t)
    assert len(velocities[1]) == calls
    if calls == 1:
        assert torch.equal(v, velocities[0]['context'])


def test_branch_without_a_context_is_off(velocities, contexts):
    alone = {'context': contexts['context'], 'text_free': None, 'image_free': None}
    assert torch.equal(guided(alone, GUIDANCE), velocities[0]['context'])


def test_straight_flow_arrives(monkeypatch, contexts, model):
    """With the true velocity of one target, any number of steps ends at the target."""
    target = torch.randn(16, 16, generator=torch.Generator().manual_seed(5))
    noise = torch.randn(16, 16, generator=torch.Generator().manual_seed(6))
    monkeypatch.setattr(flow, 'velocity', lambda *_: noise - target)
    for steps, shift in ((2, 1.0), (7, 3.0)):
        latent, = flow.sample_latents(contexts['context'].batch, size=(32, 32), steps=steps,
                                      shift=shift, guidance=GUIDANCE, noise=noise[None])
        rows = patchify(latent, model.config.latent_patch_size)
        torch.testing.assert_close(rows, target, rtol=1e-4, atol=1e-5)


def test_steps_and_previews(contexts):
    seen = []

    def on_step(step, total, preview):
        seen.append((step, total))
        assert preview().shape == (32, 32, 3)

    sample_image(**contexts, **OPTIONS, guidance=GUIDANCE, on_step=on_step)
    assert seen == [(1, 3), (2, 3), (3, 3)]


@pytest.mark.parametrize('at', [1, 2, 3])
def test_cancel_at_any_step(contexts, at):
    def stop(step, total, preview):
        if step == at:
            raise Cancelled('enough')

    expected = sample_image(**contexts, **OPTIONS, guidance=GUIDANCE)
    lengths = [c.length for c in contexts.values()]
    with pytest.raises(Cancelled, match='enough'):
        sample_image(**contexts, **OPTIONS, guidance=GUIDANCE, on_step=stop)
    assert [c.length for c in contexts.values()] == lengths
    assert np.array_equal(sample_image(**contexts, **OPTIONS, guidance=GUIDANCE), expected)


@pytest.mark.parametrize(('change', 'message'), [
    ({'steps': 1}, 'at least 2'), ({'size': (30, 32)}, 'multiples of 8'),
    ({'size': (0, 32)}, 'multiples of 8'), ({'size': (72, 32)}, 'position table')])
def test_what_is_refused(contexts, change, message):
    with pytest.raises(InputError, match=message):
        sample_image(**contexts, **{**OPTIONS, **change})


def test_defaults_come_from_the_model(contexts, model, monkeypatch):
    sampling = replace(model.config.sampling, steps=3, image_size=(16, 24))
    monkeypatch.setattr(model, 'config', model.config.replace(sampling=sampling))
    seen = []
    image = sample_image(contexts['context'], on_step=lambda step, total, _: seen.append(total))
    assert image.shape == (16, 24, 3)
    assert seen == [2, 2]
    bare = replace(sampling, image_size=None)
    monkeypatch.setattr(model, 'config', model.config.replace(sampling=bare))
    with pytest.raises(InputError, match='no default image size'):
        sample_image(contexts['context'])


def test_shift_keeps_the_ends():
    t = torch.linspace(0, 1, 5)
    assert shift_time(t, 3.0)[[0, -1]].tolist() == [0, 1]
    assert (shift_time(t, 3.0)[1:-1] > t[1:-1]).all()
    assert torch.equal(shift_time(t, 1.0), t)
