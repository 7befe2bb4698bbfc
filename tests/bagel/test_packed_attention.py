# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""Attention of packed batches: one rule of who sees whom, in two forms that agree."""

from types import SimpleNamespace

from hypothesis import given, settings
from hypothesis import strategies as st
from ipt_ros.bagel import ImageSegment, pack, packed_attention, TextSegment
from ipt_ros.bagel.packed_attention import (
    as_one_row,
    block_mask,
    by_lines,
    choose,
    row_roles,
)
import pytest
import torch
import torch.nn.functional as F

# It says that it is slow so, which is right, and why nobody but tests calls it so.
pytestmark = pytest.mark.filterwarnings('ignore:flex_attention called without torch.compile')


@pytest.fixture(scope='module', autouse=True)
def short_rows():
    """Pad rows less than kernels want: here every place costs."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(packed_attention, '_LEAST_ROW', 16)
        yield


@st.composite
def segment_lists(draw):
    """Return a sample of texts and images, some noised, on a trunk and up to two branches."""
    kinds = st.lists(st.sampled_from(['text', 'told', 'image', 'noised']), min_size=1, max_size=3)
    return [(kind, branch) for branch in range(draw(st.integers(1, 3))) for kind in draw(kinds)]


def packed(model, samples):
    def segment(kind, branch):
        if kind in ('text', 'told'):
            return TextSegment('a chair', loss=kind == 'told', branch=branch)
        # Latents of two tokens; no pixels, so that this takes no time.
        return ImageSegment(latent=torch.zeros(4, 2, 4), vit=False, noised=kind == 'noised',
                            branch=branch)

    return pack([[segment(*one) for one in sample] for sample in samples], model.config,
                model.tokenizer)


def seen_by_the_words(model, samples):
    """Return who sees whom token by token, from the sentences that describe it."""
    tokens = []  # (sample, branch, piece, causal, hidden)
    words = len(model.tokenizer.encode('a chair')) + 2
    for index, sample in enumerate(samples):
        for number, (kind, branch) in enumerate(sample):
            if kind in ('text', 'told'):
                tokens += [(index, branch, (number, 0), True, False)] * words
                continue
            if kind == 'noised':
                tokens += [(index, branch, (number, 0), False, True)] * 4
            tokens += [(index, branch, (number, 1), False, False)] * 4

    def sees(i, j):
        query, key = tokens[i], tokens[j]
        if query[0] != key[0]:
            return False
        if query[2] == key[2]:
            return j <= i or not query[3]
        return key[2] < query[2] and key[1] in (0, query[1]) and not key[4]

    count = len(tokens)
    return torch.tensor([[sees(i, j) for j in range(count)] for i in range(count)])


@given(st.lists(segment_lists(), min_size=1, max_size=3))
@settings(max_examples=12)
def test_both_forms_of_the_mask_are_what_the_words_say(model, samples):
    batch = packed(model, samples)
    expected = seen_by_the_words(model, samples)
    padding = 3
    roles = row_roles(batch, batch.places.argsort(), batch.tokens + padding)
    mask_mod = block_mask(roles, compiled=False).mask_mod
    row = torch.arange(batch.tokens + padding)
    assert torch.equal(mask_mod(0, 0, row[:, None], row[None]),
                       torch.block_diag(expected, torch.eye(padding)).bool())
    # The dense mask of each line is its sample's square on the diagonal.
    at = 0
    for line, length in enumerate(torch.bincount(roles.sample[:-padding]).tolist()):
        square = expected[at:at + length, at:at + length]
        assert torch.equal(batch.mask[line, 0, :length, :length], square)
        at += length
    assert batch.pairs == expected.sum()


def test_padding_sees_only_itself_and_is_seen_by_nobody_else(model):
    batch = packed(model, [[('text', 0)], [('text', 0), ('image', 0)]])
    length = batch.lines.shape[1] - 4  # of the shorter one
    mask = batch.mask[0, 0]
    assert not mask[:length, length:].any() and not mask[length:, :length].any()
    assert mask[length:, length:].all()


@given(st.lists(segment_lists(), min_size=1, max_size=3))
@settings(max_examples=4)
def test_flex_attention_gives_what_padded_lines_give(model, samples):
    batch = packed(model, samples)
    generator = torch.Generator().manual_seed(0)
    q, k, v = (torch.randn(batch.tokens, heads, 16, generator=generator) for heads in (4, 2, 2))
    lines, row = by_lines(batch), as_one_row(batch, compiled=False)
    torch.testing.assert_close(row(0, q, k, v), lines(0, q, k, v), rtol=1e-5, atol=1e-5)


def test_gradients_find_their_way_back_through_the_row(model):
    batch = packed(model, [[('image', 0), ('told', 1)], [('told', 0), ('noised', 0)]])
    generator = torch.Generator().manual_seed(0)
    q, k, v, wanted = (torch.randn(batch.tokens, heads, 16, generator=generator)
                       for heads in (4, 2, 2, 4))
    row = as_one_row(batch, compiled=False)
    # On a CPU the fused function has no way back; any other one sees the same rows.
    place = torch.arange(row.lines.shape[1])
    mask = block_mask(row_roles(batch, batch.places.argsort(), len(place)), False).mask_mod(
        0, 0, place[:, None], place[None])
    row.mix = lambda q, k, v: F.scaled_dot_product_attention(
        q, k, v, attn_mask=mask, enable_gqa=True)
    found = []
    for attend in (row, by_lines(batch)):
        inputs = [x.clone().requires_grad_() for x in (q, k, v)]
        (attend(0, *inputs) * wanted).sum().backward()
        found.append([x.grad for x in inputs])
    for one, other in zip(*found):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)


def test_a_whole_loss_is_the_same_in_both_forms(model, images, monkeypatch):
    batch = pack([[ImageSegment(images[0]), TextSegment('q'),
                   ImageSegment(images[1], noised=True), TextSegment('a', loss=True)],
                  [TextSegment('who'), TextSegment('me', loss=True)]],
                 model.config, model.tokenizer, vae=model.vae,
                 generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        lines = model.loss(batch)
        monkeypatch.setattr('ipt_ros.bagel.loss.choose', lambda batch, head_dim: as_one_row(
            batch, compiled=False))
        row = model.loss(batch)
    torch.testing.assert_close(row.ce_tokens, lines.ce_tokens, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(row.mse_values, lines.mse_values, rtol=1e-4, atol=1e-4)


def test_blocks_in_which_nobody_sees_anybody_are_passed_over(model):
    # Samples of more than a block each, one after another: only blocks on the diagonal are full.
    words = ' '.join(['chair'] * 100)
    sample = [TextSegment(words, loss=True)]
    batch = pack([sample] * 4, model.config, model.tokenizer)
    assert batch.tokens > 512
    mask = block_mask(row_roles(batch, batch.places.argsort(), 1024), compiled=False)
    assert mask.sparsity() > 60  # percent


@pytest.mark.parametrize(('device', 'head', 'triton', 'flex'), [
    ('cpu', 128, True, False), ('cuda', 128, True, True), ('cuda', 8, True, False),
    ('cuda', 128, False, False)])
def test_flex_attention_is_chosen_where_it_can_be_compiled(device, head, triton, flex,
                                                           monkeypatch):
    elsewhere = SimpleNamespace(positions=SimpleNamespace(device=torch.device(device)))
    monkeypatch.setattr(packed_attention, 'find_spec', lambda name: triton or None)
    monkeypatch.setattr(packed_attention, 'as_one_row', lambda batch, compiled: 'flex')
    monkeypatch.setattr(packed_attention, 'by_lines', lambda batch: 'lines')
    assert choose(elsewhere, head) == ('flex' if flex else 'lines')
