# SPDX-License-Identifier: Apache-2.0
"""The training losses of a packed batch."""

from dataclasses import dataclass

import torch
from torch import Tensor
import torch.nn.functional as F

from .decoder import GEN, UND
from .images import normalise, patchify
from .packed_attention import choose
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
        logits = model.logits(hidden[UND][batch.ce_tokens])
        ce_tokens = F.cross_entropy(logits, batch.labels, reduction='none')
    if len(batch.noised):
        velocity = model.velocity({GEN: hidden[GEN][batch.noised]})
        mse_values = (velocity - (batch.noise - clean)).square()
    return Loss(ce=ce_tokens.mean() if len(ce_tokens) else zero,
                mse=mse_values.mean() if len(mse_values) else zero,
                ce_tokens=ce_tokens, mse_values=mse_values)
