# SPDX-License-Identifier: Apache-2.0
"""The training losses of a packed batch."""

from dataclasses import dataclass

import torch
from torch import Tensor
import torch.nn.functional as F

from .decoder import attention, GEN, UND
from .images import normalise, patchify
from .packing import Batch


@dataclass
class Loss:
    """
    Means, and what they are means of, for callers that weigh tokens themselves.

    `ce` and `mse` are scalars; zero where the batch holds no such tokens.
    `ce_tokens` (C,) goes with `Batch.labels` and `Batch.ce_source`; `mse_values` (M, latent_dim)
    are squared errors of the velocity and go with `Batch.noised` and `Batch.mse_source`.
    """

    ce: Tensor
    mse: Tensor
    ce_tokens: Tensor
    mse_values: Tensor

    @property
    def mse_tokens(self) -> Tensor:
        """Mean squared error of each noised token, (M,)."""
        return self.mse_values.mean(-1)


class _Gather(torch.autograd.Function):
    """
    Take rows of a matrix where every row is taken at one known place, or not used at all.

    Its gradient is then a gather too, much faster than the scattered addition of index_select.
    """

    @staticmethod
    def forward(ctx, x: Tensor, index: Tensor, inverse: Tensor) -> Tensor:
        ctx.save_for_backward(inverse)
        return x.index_select(0, index)

    @staticmethod
    def backward(ctx, grad: Tensor):
        inverse, = ctx.saved_tensors
        return grad.index_select(0, inverse), None, None


class _LineAttention:
    """
    Attention of a packed batch: one padded line per sample, masked.

    Places of padding repeat token 0. No token sees them, and they see only each other, so what
    they hold changes nothing, forwards or backwards.
    """

    def __init__(self, batch: Batch):
        self.lines, self.places, self.mask = batch.lines, batch.places, batch.mask

    def __call__(self, layer: int, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        flat = self.lines.flatten()

        def line_up(x: Tensor) -> Tensor:
            rows = _Gather.apply(x.flatten(1), flat, self.places)
            return rows.view(*self.lines.shape, *x.shape[1:]).transpose(1, 2)

        mixed = attention(line_up(q), line_up(k), line_up(v), self.mask)
        rows = mixed.transpose(1, 2).flatten(2).flatten(0, 1)
        return _Gather.apply(rows, self.places, flat).view(q.shape)


def compute(model, batch: Batch) -> Loss:
    """
    Return the cross entropy of texts and the squared error of velocities.

    Runs under autocast too; losses are taken in float32.
    """
    texts = [model.embed_text(batch.text_ids)]
    for group in batch.vit:
        patches = patchify(normalise(group.pixels), model.config.vit.patch_size)
        texts.append(model.embed_vit(patches, group.cells).flatten(0, 1))
    streams = {UND: torch.cat([t.to(texts[0].dtype) for t in texts])}
    if len(batch.latents):
        clean = batch.latents[batch.noised]
        t = batch.times[batch.noised, None]
        latents = batch.latents.index_copy(0, batch.noised, (1 - t) * clean + t * batch.noise)
        streams[GEN] = model.embed_latents(latents, batch.times, batch.latent_cells).to(
            texts[0].dtype)
    hidden = model.decode(streams, batch.positions, _LineAttention(batch))

    zero = batch.latents.new_zeros(())
    ce_tokens, mse_values = zero.expand(0), zero.expand(0, batch.latents.shape[-1])
    if len(batch.labels):
        logits = model.logits(hidden[UND][batch.ce_tokens])
        ce_tokens = F.cross_entropy(logits, batch.labels, reduction='none')
    if len(batch.noised):
        velocity = model.velocity({GEN: hidden[GEN][batch.noised]})
        mse_values = (velocity - (batch.noise - clean)).square()
    return Loss(ce=ce_tokens.mean() if len(ce_tokens) else zero,
                mse=mse_values.mean() if len(mse_values) else zero,
                ce_tokens=ce_tokens, mse_values=mse_values)
