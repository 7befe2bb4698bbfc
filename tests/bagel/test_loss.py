# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""Logits of long texts: computed in parts, with the losses and gradients of the whole."""

from ipt_ros.bagel import Bagel, ImageSegment, loss, pack, TextSegment
from ipt_training.memory import saved_bytes
import pytest
import torch


@pytest.fixture
def model(tiny_checkpoint):
    return Bagel.from_checkpoint(tiny_checkpoint).requires_grad_(True)


@pytest.fixture
def batch(model, images):
    told = TextSegment('the chair is left of the table, the lamp behind it', loss=True)
    return pack([[ImageSegment(images[0], vae=False), told], [TextSegment('who'), told]],
                model.config, model.tokenizer, vae=model.vae)


def in_parts_of(tokens, model, monkeypatch):
    monkeypatch.setattr(loss, 'LOGITS_AT_ONCE', tokens * model.config.llm.vocab_size)


def losses_and_gradients(model, batch):
    model.zero_grad()
    found = model.loss(batch)
    found.ce.backward()
    return found.ce_tokens.detach(), {name: value.grad.clone() for name, value
                                      in model.named_parameters() if value.grad is not None}


@pytest.mark.parametrize(('tokens', 'narrow'), [(1, False), (7, False), (7, True)])
def test_parts_have_the_losses_and_gradients_of_the_whole(
        tokens, narrow, model, batch, monkeypatch):
    assert len(batch.labels) % 7 and len(batch.labels) > 14
    with torch.autocast('cpu', torch.bfloat16, enabled=narrow):
        wanted, slopes = losses_and_gradients(model, batch)
        in_parts_of(tokens, model, monkeypatch)
        found, own = losses_and_gradients(model, batch)
    tolerance = {'rtol': 1e-2, 'atol': 1e-3} if narrow else {'rtol': 1e-5, 'atol': 1e-6}
    torch.testing.assert_close(found, wanted, **tolerance)
    assert own.keys() == slopes.keys() and 'language_model.lm_head.weight' in own
    for name, slope in slopes.items():
        torch.testing.assert_close(own[name], slope, **tolerance, msg=name)


def test_parts_keep_no_logits(model, batch, monkeypatch):
    def kept():
        return saved_bytes(lambda: model.loss(batch).ce, model.parameters())

    whole = kept()
    in_parts_of(7, model, monkeypatch)
    logits = 4 * len(batch.labels) * model.config.llm.vocab_size
    assert whole - kept() == pytest.approx(logits, rel=0.1)
