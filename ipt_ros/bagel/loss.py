# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""The training losses of a packed batch."""

from dataclasses import dataclass

import torch
from torch import Tensor
import torch.nn.functional as F
from torch.utils.checkpoint import checkpoint

from .decoder import GEN, UND
from .images import normalise, patchify
from .packed_attention import choose
from .packing import Batch

LOGITS_AT_ONCE = 2**27  # 0.5 GiB in float32: 883 tokens of a vocabulary of 152,064


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
    attend = choose(batch, model.config.llm.head_dim)
    hidden = model.decode(streams, batch.positions, attend)

    zero = batch.latents.new_zeros(())
    ce_tokens, mse_values = zero.expand(0), zero.expand(0, batch.latents.shape[-1])
    if len(batch.labels):
        ce_tokens = _cross_entropies(model, hidden[UND][batch.ce_tokens], batch.labels)
    if len(batch.noised):
        velocity = model.velocity({GEN: hidden[GEN][batch.noised]})
        mse_values = (velocity - (batch.noise - clean)).square()
    return Loss(ce=ce_tokens.mean() if len(ce_tokens) else zero,
                mse=mse_values.mean() if len(mse_values) else zero,
                ce_tokens=ce_tokens, mse_values=mse_values)


def _cross_entropies(model, hidden: Tensor, labels: Tensor) -> Tensor:
    """
    Return the cross entropy of each token (C,) from its hidden state (C, dim).

    The logits of long texts would be the largest tensors of a batch. Where they are more than
    `LOGITS_AT_ONCE`, parts are computed one after another, and again on the way back.
    """
    def compute_part(states: Tensor, wanted: Tensor) -> Tensor:
        return F.cross_entropy(model.logits(states), wanted, reduction='none')

    rows = max(1, LOGITS_AT_ONCE // model.config.llm.vocab_size)
    if len(labels) <= rows:
        return compute_part(hidden, labels)
    return torch.cat([
        checkpoint(compute_part, *part, use_reentrant=False)
        for part in zip(hidden.split(rows), labels.split(rows))])
