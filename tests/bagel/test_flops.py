# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""Operations counted by formula are those that torch counts while it computes."""

from dataclasses import replace

from ipt_ros.bagel import Bagel, ImageSegment, pack, TextSegment
from ipt_ros.bagel.flops import FlopCount
import pytest
import torch
from torch.nn.attention import sdpa_kernel, SDPBackend
from torch.utils.flop_counter import FlopCounterMode


@pytest.fixture
def fresh(golden, model):
    return Bagel.from_config(golden.config, model.tokenizer, seed=0)


def batch_of(model, images, kind):
    samples = {
        'both': [[ImageSegment(images[0]), TextSegment('q'), TextSegment('thought', loss=True),
                  ImageSegment(images[1], noised=True), TextSegment('answer', loss=True)],
                 [ImageSegment(images[1], vae=False), TextSegment('answer', loss=True)]],
        'text': [[TextSegment('who'), TextSegment('me', loss=True)]],
        'answer': [[ImageSegment(images[0], vae=False), TextSegment('answer', loss=True)]],
        'drawing': [[TextSegment('q', loss=True),
                     ImageSegment(images[1], vit=False, noised=True)]]}
    return pack(samples[kind], model.config, model.tokenizer, vae=model.vae,
                generator=torch.Generator().manual_seed(0))


def counted(model, batch):
    """Return what torch counts: forwards and backwards, attention as the products that it is."""
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        loss = model.loss(batch)
        (loss.ce + loss.mse).backward()
    return counter.get_total_flops()


def with_padding(batch):
    """Return the batch as if all places of all lines saw one another: what is computed here."""
    return replace(batch, pairs=batch.lines.shape[0] * batch.lines.shape[1]**2)


READING = ('vit_model', 'connector', 'language_model.model.embed_tokens')
FROZEN = [(), ('vit_model',), READING, (*READING, 'vae2llm', 'time_embedder'),
          (*READING, 'vae2llm', 'time_embedder', 'language_model.model.layers.0')]


@pytest.mark.parametrize('kind', ['both', 'text', 'answer', 'drawing'])
@pytest.mark.parametrize('frozen', FROZEN, ids=lambda names: f'{len(names)} frozen')
def test_the_formula_counts_what_torch_counts(fresh, images, kind, frozen):
    for name, value in fresh.named_parameters():
        if frozen and name.startswith(frozen):
            value.requires_grad_(False)
    batch = with_padding(batch_of(fresh, images, kind))
    assert FlopCount(fresh)(batch).total == pytest.approx(counted(fresh, batch), rel=0.005)


@pytest.mark.parametrize('kind', ['both', 'answer'])
def test_around_a_frozen_decoder_gradients_still_pass_through(fresh, images, kind):
    fresh.language_model.requires_grad_(False)
    batch = with_padding(batch_of(fresh, images, kind))
    assert FlopCount(fresh)(batch).total == pytest.approx(counted(fresh, batch), rel=0.005)


def test_adapters_are_counted_beside_frozen_weights(fresh, images):
    from peft import get_peft_model, LoraConfig
    batch = with_padding(batch_of(fresh, images, 'both'))
    whole = FlopCount(fresh)(batch)
    fresh.requires_grad_(False)
    get_peft_model(fresh.language_model, LoraConfig(
        r=4, target_modules=r'.*\.(q|k|v|o)_proj(_moe_gen)?'))
    adapted = FlopCount(fresh)(batch)
    assert adapted.total == pytest.approx(counted(fresh, batch), rel=0.01)
    assert adapted.understanding < whole.understanding and adapted.vit < whole.vit / 2


def test_a_model_that_is_all_trained_takes_6_operations_a_weight_and_token(fresh, images):
    batch = batch_of(fresh, images, 'both')
    flops = FlopCount(fresh)(batch)
    layers = fresh.language_model.model.layers
    weights = {expert: sum(
        value.numel() for name, value in layers.named_parameters()
        if value.ndim == 2 and ('_moe_gen' in name) is expert) for expert in (False, True)}
    latents = len(batch.latents)
    assert flops.understanding == 6 * weights[False] * (batch.tokens - latents)
    assert flops.generation == 6 * weights[True] * latents
    config = fresh.config.llm
    assert flops.attention == (12 * config.num_hidden_layers * config.hidden_size * batch.pairs)
