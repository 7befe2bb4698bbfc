# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""
The connector alone: what a patch shows shall look to the decoder like the names of it.

The decoder then finds an object by its name from the first step on: like attends to like. Without
it, a question and the patches it is about have nothing in common, and a small model spends
thousands of steps before it looks at all.
"""

from collections.abc import Sequence

from ipt_ros.bagel import Bagel
import numpy as np
import torch
from torch import Tensor
import torch.nn.functional as F

from .train_encoder import DenseImages, encode_pixels
from .train_vae import to_signed


def name_vectors(model: Bagel, names: Sequence[str]) -> Tensor:
    """Return the mean embedding of each name's tokens, scaled to unit size: (names, dim)."""
    rows = [model.embed_text(torch.tensor(model.tokenizer.encode(f' {name}'))).mean(0)
            for name in names]
    vectors = torch.stack(rows).detach()
    return vectors / vectors.square().mean(1, keepdim=True).sqrt()


def patch_shares(classes: np.ndarray, patch: int, count: int) -> Tensor:
    """Return the share of each class in every patch: (N, H, W) to (N, patches, count)."""
    one_hot = F.one_hot(torch.from_numpy(classes.astype('i8')), count).movedim(-1, 1).float()
    return F.avg_pool2d(one_hot, patch).flatten(2).transpose(1, 2)


def align_connector(model: Bagel, groups: Sequence[DenseImages], names: Sequence[str], *,
                    steps: int = 300, batch_size: int = 32, learning_rate: float = 2e-3,
                    seed: int = 0) -> float:
    """
    Train ``model.connector`` in place; everything else stays. Return the last mean squared error.

    The target of a patch is the mean of its classes' name vectors, which have unit size.
    """
    vectors = name_vectors(model, names)
    optimizer = torch.optim.AdamW(model.connector.parameters(), lr=learning_rate)
    patch = model.config.vit.patch_size
    loss = torch.zeros(())
    for step in range(steps):
        group = groups[step % len(groups)]
        index = np.random.default_rng((seed, step)).integers(len(group.pixels), size=batch_size)
        with torch.no_grad():
            features = encode_pixels(model, to_signed(group.pixels[index]))
            target = patch_shares(group.classes[index], patch, len(names)) @ vectors
        loss = F.mse_loss(model.connector(features), target)
        for settings in optimizer.param_groups:
            settings['lr'] = learning_rate * min(1.0, 3 * (1 - step / steps))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return loss.item()


@torch.no_grad()
def tie_first_head(model: Bagel, layers: int = 2) -> None:
    """
    Let the first head of the first layers attend to what looks like the token itself.

    Its keys are computed as its queries are, in place. With aligned names, an object's name then
    attends to the patches that show it. From unrelated queries and keys, that head has to be
    found class by class, while nothing yet rewards looking.
    """
    width = model.config.llm.head_dim
    for layer in model.language_model.model.layers[:layers]:
        attention = layer.self_attn
        for part in ('weight', 'bias'):
            getattr(attention.k_proj, part)[:width] = getattr(attention.q_proj, part)[:width]
