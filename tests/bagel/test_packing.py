# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""Packing: however samples and branches are laid out, each token's loss stays the same."""

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st
from ipt_ros.bagel import (
    Bagel,
    Context,
    Dropout,
    ImageSegment,
    InputError,
    pack,
    ResizeRule,
    score_texts,
    TextSegment,
)
import pytest
import torch

TOLERANCE = {'rtol': 1e-4, 'atol': 1e-4}


def losses(model, samples, time=0.4):
    """Pack and compute, every noised token at one time and with noise fixed by its order."""
    batch = pack(samples, model.config, model.tokenizer, vae=model.vae)
    batch.times[batch.noised] = time
    rows = torch.arange(len(batch.noised))
    first = torch.tensor([0, *(rows[1:][(batch.mse_source[1:] != batch.mse_source[:-1]).any(1)])])
    within = rows - first[torch.bucketize(rows, first, right=True) - 1]
    batch.noise = torch.sin(within[:, None] * 1.7 + torch.arange(batch.noise.shape[1]) * 0.9)
    with torch.no_grad():
        return model.loss(batch), batch


TEXTS = st.builds(TextSegment, st.sampled_from(['a chair', 'left', 'x', '']), st.booleans())


@st.composite
def samples(draw):
    def image(noised):
        index = draw(st.integers(0, 2))
        vae, vit = draw(st.sampled_from([(True, True), (False, True), (True, False)]))
        return ('image', index, vae, vit, noised)

    segments = []
    for _ in range(draw(st.integers(1, 4))):
        kind = draw(st.sampled_from(['text', 'image', 'noised']))
        segments.append(draw(TEXTS) if kind == 'text' else image(kind == 'noised'))
    return [*segments, TextSegment('the end', loss=True)]


def build(sample, images):
    return [s if isinstance(s, TextSegment) else
            ImageSegment(images[s[1]], vae=s[2], vit=s[3], noised=s[4]) for s in sample]


@given(batch=st.lists(samples(), min_size=2, max_size=3))
@settings(max_examples=8)
def test_packed_samples_are_as_alone(model, images, batch):
    batch = [build(sample, images) for sample in batch]
    together, _ = losses(model, batch)
    alone = [losses(model, [sample])[0] for sample in batch]
    torch.testing.assert_close(
        together.ce_tokens, torch.cat([one.ce_tokens for one in alone]), **TOLERANCE)
    torch.testing.assert_close(
        together.mse_values, torch.cat([one.mse_values for one in alone]), **TOLERANCE)


@given(trunk=samples(), branches=st.lists(samples(), min_size=1, max_size=3))
@settings(max_examples=8)
def test_branches_are_as_alone(model, images, trunk, branches):
    """A sample with branches has the losses of the samples that it stands for."""
    trunk = [replace(s, loss=False) if isinstance(s, TextSegment) else replace(s, noised=False)
             for s in build(trunk, images)]
    branches = [build(branch, images) for branch in branches]
    branched = [*trunk, *(replace(segment, branch=number)
                          for number, branch in enumerate(branches, start=1)
                          for segment in branch)]
    together, _ = losses(model, [branched])
    alone = [losses(model, [[*trunk, *branch]])[0] for branch in branches]
    torch.testing.assert_close(
        together.ce_tokens, torch.cat([one.ce_tokens for one in alone]), **TOLERANCE)
    torch.testing.assert_close(
        together.mse_values, torch.cat([one.mse_values for one in alone]), **TOLERANCE)


def test_interleaved_branches(model, images):
    """Branches may take turns: question 1, question 2, answer 1, answer 2."""
    image = ImageSegment(images[0])
    parts = {b: (TextSegment(f'question {b}', branch=b), TextSegment(f'answer {b}', True, b))
             for b in (1, 2)}
    in_turn = [image, parts[1][0], parts[2][0], parts[1][1], parts[2][1]]
    one_by_one = [image, *parts[1], *parts[2]]
    torch.testing.assert_close(losses(model, [in_turn])[0].ce_tokens,
                               losses(model, [one_by_one])[0].ce_tokens, **TOLERANCE)


def test_training_sees_what_inference_sees(model, images):
    """The loss of an answer is minus its score in a context that read the same."""
    context = Context(model)
    context.add_image(images[1])
    context.add_text('How many?')
    sample = [ImageSegment(images[1]), TextSegment('How many?'), TextSegment('three', loss=True)]
    loss, _ = losses(model, [sample])
    assert -loss.ce_tokens.sum().item() == pytest.approx(score_texts(context, ['three'])[0],
                                                         rel=1e-4)


def test_an_imagined_image_of_its_own_size_is_seen_alike_in_training_and_inference(
        golden_folder, golden, images):
    config = golden.config.replace(imagined_transform=ResizeRule(16, 16, 8))
    model = Bagel.from_checkpoint(golden_folder, config=config)
    context = Context(model)
    context.add_image(images[0])
    context.add_image(images[1], imagined=True)
    sample = [ImageSegment(images[0]), ImageSegment(images[1], imagined=True),
              TextSegment('three', loss=True)]
    loss, _ = losses(model, [sample])
    assert -loss.ce_tokens.sum().item() == pytest.approx(score_texts(context, ['three'])[0],
                                                         rel=1e-4)


def test_training_flow_is_sampling_flow(model, images):
    """The velocity that training scores is the one that sampling follows."""
    from ipt_ros.bagel.flow import velocity
    context = Context(model)
    context.add_image(images[0])
    context.add_text('Imagine.')
    sample = [ImageSegment(images[0]), TextSegment('Imagine.'),
              ImageSegment(images[1], noised=True)]
    loss, batch = losses(model, [sample], time=0.3)
    clean = batch.latents[batch.noised]
    x = 0.7 * clean + 0.3 * batch.noise
    found = velocity(context.batch, x[None], 0.3, batch.latent_cells[batch.noised])[0]
    torch.testing.assert_close((found - (batch.noise - clean)).square(), loss.mse_values,
                               **TOLERANCE)


def test_nothing_sees_the_noised_image(model, images):
    sample = [ImageSegment(images[0], noised=True), TextSegment('x', loss=True),
              ImageSegment(images[1], noised=True)]
    near, far = (losses(model, [sample], time=t)[0] for t in (0.1, 0.9))
    assert torch.equal(near.ce_tokens, far.ce_tokens)
    assert not torch.allclose(near.mse_values, far.mse_values)


def test_sources_name_sample_and_segment(model, images):
    sample = [TextSegment('a', loss=True), ImageSegment(images[0], noised=True),
              TextSegment('b', loss=True)]
    batch = pack([sample, sample], model.config, model.tokenizer, vae=model.vae)
    assert [tuple(row) for row in batch.ce_source.unique(dim=0).tolist()] == [
        (0, 0), (0, 2), (1, 0), (1, 2)]
    assert [tuple(row) for row in batch.mse_source.unique(dim=0).tolist()] == [(0, 1), (1, 1)]
    assert len(batch.mse_source) == len(batch.noised) == len(batch.noise)
    assert len(batch.ce_source) == len(batch.labels)


def test_latents_need_no_vae(model, images):
    latent = model.vae.encode_image(images[0])
    given = pack([[ImageSegment(images[0], latent=latent)]], model.config, model.tokenizer)
    made = pack([[ImageSegment(images[0])]], model.config, model.tokenizer, vae=model.vae)
    assert torch.equal(given.latents, made.latents)


def test_text_only_batch(model):
    batch = pack([[TextSegment('a', loss=True)]], model.config, model.tokenizer)
    loss = model.loss(batch)
    assert loss.mse == 0
    loss.ce.backward()
    model.zero_grad()


def test_batch_without_losses(model, images):
    batch = pack([[ImageSegment(images[0], vae=False)]], model.config, model.tokenizer)
    loss = model.loss(batch)
    assert loss.ce == loss.mse == 0


class TestDropout:

    def sample(self, images):
        return [ImageSegment(images[0]), TextSegment('q'), TextSegment('t', loss=True),
                ImageSegment(images[0], noised=True), TextSegment('a', loss=True)]

    def pack(self, model, images, **chances):
        return pack([self.sample(images)], model.config, model.tokenizer, vae=model.vae,
                    dropout=Dropout(**chances), generator=torch.Generator().manual_seed(0))

    @pytest.mark.parametrize(('kind', 'tokens', 'positions'), [
        # What is dropped: tokens gone, and by how much the last position falls.
        ('text', 3, 3), ('vae', 18, 0), ('vit', 6, 0)])
    def test_only_conditions_of_the_target_go(self, model, images, kind, tokens, positions):
        full = self.pack(model, images)
        less = self.pack(model, images, **{kind: 1.0})
        assert full.tokens - less.tokens == tokens
        assert full.positions.max() - less.positions.max() == positions
        assert torch.equal(full.labels, less.labels)
        assert len(full.noised) == len(less.noised)

    def test_generator_decides(self, model, images):
        def sizes(seed):
            generator = torch.Generator().manual_seed(seed)
            return [pack([self.sample(images)], model.config, model.tokenizer, vae=model.vae,
                         dropout=Dropout(0.5, 0.5, 0.5), generator=generator).tokens
                    for _ in range(12)]
        assert sizes(1) == sizes(1)
        assert len(set(sizes(1))) > 2


@pytest.mark.parametrize(('segments', 'message'), [
    ([TextSegment('a', branch=1), TextSegment('b')], 'trunk .* must come before'),
    ([], 'no tokens'),
    ([ImageSegment(None)], 'needs its pixels'),
    ([ImageSegment(None, vae=False)], 'encoder copy'),
    ([ImageSegment(None, latent=torch.zeros(3, 4, 4))], r'must be \(4, h, w\)'),
    ([ImageSegment(None, latent=torch.zeros(4, 4, 5))], 'multiples of 2'),
    ([ImageSegment(None, vit=False, latent=torch.zeros(4, 32, 4))], 'position table'),
])
def test_what_is_refused(model, segments, message):
    with pytest.raises(InputError, match=message):
        pack([segments], model.config, model.tokenizer, vae=model.vae)


def test_no_samples(model):
    with pytest.raises(InputError, match='no samples'):
        pack([], model.config, model.tokenizer)


def test_a_step_learns(golden, model, images):
    """A few steps on one sample bring both of its losses down."""
    fresh = Bagel.from_config(golden.config, model.tokenizer, seed=0)
    batch = pack([[ImageSegment(images[0]), TextSegment('q'),
                   ImageSegment(images[1], noised=True), TextSegment('answer', loss=True)]],
                 golden.config, model.tokenizer, vae=model.vae,
                 generator=torch.Generator().manual_seed(0))
    optimiser = torch.optim.AdamW([p for p in fresh.parameters() if p.requires_grad], lr=3e-3)
    history = []
    for _ in range(15):
        loss = fresh.loss(batch)
        history.append((loss.ce.item(), loss.mse.item()))
        (loss.ce + loss.mse).backward()
        optimiser.step()
        optimiser.zero_grad()
    assert history[-1][0] < 0.5 * history[0][0]
    assert history[-1][1] < 0.9 * history[0][1]
    assert not fresh.latent_pos_embed.pos_embed.requires_grad
