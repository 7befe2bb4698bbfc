# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""Other devices and number formats, as far as a machine without a GPU can tell."""

from contextlib import nullcontext

from ipt_ros.bagel import (
    Bagel,
    BagelConfig,
    Context,
    fast_dtype,
    generate_text,
    Guidance,
    ImageSegment,
    pack,
    sample_image,
    TextSegment,
)
from ipt_ros.bagel.flow import sample_latents
import numpy as np
import pytest
import torch


@pytest.fixture(scope='module')
def big(model):
    """Build the 7B in bfloat16 on a device that computes shapes only, and is not the CPU."""
    with torch.device('meta'):
        return Bagel(BagelConfig(), model.tokenizer).to(torch.bfloat16)


def test_the_7b_reads_and_imagines_on_its_device(big):
    """Tensors made on the CPU by mistake would not mix with those of the device."""
    context = Context(big)
    context.add_text('hello')
    image_free = context.fork()
    context.batch.add_latents(torch.zeros(1, 16, 64, 64))
    context.batch.add_vits(torch.zeros(1, 3, 448, 448))
    text_free = context.fork()
    context.add_text('look')
    hidden = context.fork().add_tokens([1, 2, 3])
    assert (hidden.device.type, hidden.dtype) == ('meta', torch.bfloat16)
    assert big.logits(hidden).dtype == torch.float32
    assert context.batch.cache.data.dtype == torch.bfloat16
    latent, = sample_latents(
        context.batch, size=(512, 512), steps=3, shift=3.0, guidance=Guidance(),
        text_free=text_free.batch, image_free=image_free.batch, seeds=[42])
    assert (latent.shape, latent.device.type) == ((16, 64, 64), 'meta')
    assert latent.dtype == torch.float32
    assert big.vae.decode(latent[None]).shape == (1, 3, 512, 512)


def test_the_7b_trains_on_its_device(big):
    image = np.zeros((512, 512, 3), np.uint8)
    latent = torch.zeros(16, 64, 64)
    batch = pack([[ImageSegment(image, noised=True, latent=latent), TextSegment('a', loss=True)]],
                 big.config, big.tokenizer).to('meta')
    loss = big.loss(batch)
    assert loss.ce.device.type == loss.mse.device.type == 'meta'


def test_bfloat16_is_near_float32(model, golden_folder, golden, images):
    narrow = Bagel.from_checkpoint(golden_folder, dtype=torch.bfloat16, config=golden.config)
    pictures, texts = [], []
    for one in (model, narrow):
        context = Context(one)
        context.add_image(images[0])
        context.add_text('Imagine.')
        pictures.append(sample_image(context, size=(32, 32), steps=4, seed=1).astype(int))
        texts.append(generate_text(context, max_tokens=3).tokens)
    assert len(texts[1]) == 3
    # Random weights spread pictures over the whole range; bfloat16 holds 2 to 3 digits.
    assert np.abs(pictures[0] - pictures[1]).mean() < 0.1 * pictures[0].std()


def test_training_under_autocast(model, images):
    batch = pack([[ImageSegment(images[0], noised=True), TextSegment('a', loss=True)]],
                 model.config, model.tokenizer, vae=model.vae,
                 generator=torch.Generator().manual_seed(0))
    exact = model.loss(batch)
    with torch.autocast('cpu', torch.bfloat16):
        narrow = model.loss(batch)
    assert narrow.ce.dtype == narrow.mse.dtype == torch.float32
    assert narrow.ce.item() == pytest.approx(exact.ce.item(), rel=0.02)
    assert narrow.mse.item() == pytest.approx(exact.mse.item(), rel=0.02)
    (narrow.ce + narrow.mse).backward()
    assert all(p.grad.dtype == torch.float32 and p.grad.isfinite().all()
               for p in model.parameters() if p.grad is not None)
    model.zero_grad()


def test_fast_dtype_asks_the_processor(monkeypatch):
    for able, expected in (({'amx_bf16': True}, torch.bfloat16),
                           ({'avx512_bf16': True}, torch.bfloat16),
                           ({'avx512_f': True}, torch.float32)):
        monkeypatch.setattr(torch.cpu, 'get_capabilities', lambda able=able: able)
        assert fast_dtype('cpu') == expected


@pytest.mark.parametrize('native', [True, False])
def test_fast_dtype_takes_no_emulation_for_fast(monkeypatch, native):
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: True)
    monkeypatch.setattr(torch.cuda, 'device', lambda device: nullcontext())
    monkeypatch.setattr(torch.cuda, 'is_bf16_supported',
                        lambda including_emulation=True: native or including_emulation)
    assert fast_dtype('cuda:1') == (torch.bfloat16 if native else torch.float32)
