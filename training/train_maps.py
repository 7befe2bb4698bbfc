# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""
The image encoder once more, on maps alone: how many of everything there are.

Furniture on a map is smaller than a patch, so what is in a patch says little of how often it is
there, and counting behind a true map was as good as without. Here a patch learns to say how many
of each class have their middle in it, and how many of what it shows are on the whole map: a
decoder that looks for a chair then finds the number where it finds the chair, as it finds metres.
Features of all other images are held where they are: a model that was trained on these needs no
further training.
"""

from collections.abc import Callable, Sequence
import copy
from pathlib import Path

from ipt_ros.bagel import fast_dtype
import numpy as np
import torch
from torch import nn, Tensor
from torch.nn import functional as F

from .align import patch_shares
from .loop import run_stage
from .places import ROOM
from .recipe import MapsRecipe
from .train_encoder import dense_loss, DenseHead, DenseImages
from .train_vae import to_signed

# Of a class that a map shows, the error of its number weighs so much more than of one that it
# does not: most classes are on no map.
_SHOWN_WEIGHT = 6.0
# Of the loss on maps, for squared changes of other features as a share of their variance.
_HOLD_WEIGHT = 3.0
# A patch shows a class that has this share of its pixels.
_SHOWS = 0.03
# Numbers that are told apart: from 0 to this one, which stands for more as well.
_MOST = 6


def count_grid(middles: Sequence[tuple[str, float, float]], rows: int, columns: int,
               names: Sequence[str]) -> np.ndarray:
    """
    Return how many of each class have their middle in each patch: uint8 (rows * columns, names).

    ``middles``: name and place of every object, from 0 (left, top) to 1 (right, bottom).
    """
    counts = np.zeros((rows, columns, len(names)), np.uint8)
    for name, u, v in middles:
        row, column = (min(max(int(place * count), 0), count - 1)
                       for place, count in ((v, rows), (u, columns)))
        counts[row, column, names.index(name)] += 1
    return counts.reshape(rows * columns, len(names))


def turned(arrays: Sequence[np.ndarray], rng: np.random.Generator) -> list[np.ndarray]:
    """
    Turn and mirror what belongs together, (N, H, W, ...) each, in one of the eight ways.

    Up is nowhere in particular on a map, and nobody reads it in a mirror: eight maps for one.
    """
    quarter, mirrored = int(rng.integers(4)), rng.random() < 0.5
    found = [np.rot90(array, quarter, axes=(1, 2)) for array in arrays]
    return [np.ascontiguousarray(array[:, :, ::-1] if mirrored else array) for array in found]


def counting_loss(rates: Tensor, counts: Tensor) -> dict[str, Tensor]:
    """
    Return the losses of expected numbers, both (N, patches, classes).

    ``patches``: negative log likelihood of a Poisson distribution; ``maps``: squared error of
    the whole map's numbers; ``exact``: how many of those that are not 0 round to the truth.
    """
    patches = F.poisson_nll_loss(rates, counts, log_input=False, eps=1e-4) * counts.shape[2]
    found, truth = rates.sum(1), counts.sum(1)
    shown = truth > 0
    weights = torch.where(shown, _SHOWN_WEIGHT, 1.0)
    maps = ((found - truth).square() * weights).mean() / _SHOWN_WEIGHT
    exact = (found.round() == truth)[shown].float().mean()
    return {'patches': patches, 'maps': maps, 'exact': exact}


class TotalHead(nn.Module):
    """From patch features (N, T, D) to how many of each class the map has: (N, T, classes, M)."""

    def __init__(self, width: int, classes: int):
        super().__init__()
        # What all classes share is one code for a number, whatever there are so many of.
        self.shared = nn.Linear(width, _MOST + 1)
        self.own = nn.Linear(width, classes * (_MOST + 1))

    def forward(self, features: Tensor) -> Tensor:
        """Return logits of the numbers 0 to M - 1."""
        own = self.own(features).unflatten(2, (-1, _MOST + 1))
        return own + self.shared(features)[:, :, None]


def total_loss(logits: Tensor, counts: Tensor, shows: Tensor) -> dict[str, Tensor]:
    """
    Return cross entropy and share of right numbers, where a patch shows a class.

    logits (N, T, classes, M); counts (N, T, classes) of middles; shows bool (N, T, classes).
    """
    totals = counts.sum(1, keepdim=True).clamp(max=_MOST).long().expand_as(counts)[shows]
    chosen = logits.float()[shows]
    return {'totals': F.cross_entropy(chosen, totals).nan_to_num(),  # 0 where nothing shows
            'totals_right': (chosen.argmax(-1) == totals).float().mean()}


def train_maps(
    encoder: nn.Module,
    encode: Callable[[nn.Module, Tensor], Tensor],
    maps: DenseImages,
    counts: np.ndarray,
    others: Sequence[np.ndarray],
    *,
    names: Sequence[str],
    width: int,
    patch: int,
    settings: MapsRecipe,
    folder: Path,
    seed: int,
) -> None:
    """
    Train ``encoder`` in place; ``encode`` maps it and pixels (N, 3, H, W) to features (N, T, D).

    ``counts``: those of the maps, uint8 (N, T, classes), see `count_grid`; ``names``: of the
    classes. ``others``: groups of equal-size images, uint8 (N, H, W, 3), which take turns.
    Resumes from ``folder``.
    """
    device = next(encoder.parameters()).device
    dtype = fast_dtype(device)
    rows, columns = (side // patch for side in maps.pixels.shape[1:3])
    counts = counts.reshape(len(counts), rows, columns, -1)
    before = copy.deepcopy(encoder).requires_grad_(False)
    encoder.requires_grad_(True)
    both = nn.ModuleDict({
        'encoder': encoder,
        'cell_head': DenseHead(width, patch, settings.cell, counts.shape[-1]).to(device),
        'number_head': nn.Linear(width, counts.shape[-1]).to(device),
        'total_head': TotalHead(width, counts.shape[-1]).to(device)})
    room = [names.index(name) for name in ROOM if name in names]

    def losses_at(step: int) -> dict[str, Tensor]:
        rng = np.random.default_rng((seed, step))
        index = rng.integers(len(maps.pixels), size=settings.batch_size)
        row, column = rng.integers(settings.cell, size=2)  # as in `train_encoder`
        pixels, classes, depth, truth = turned(
            [values[index] for values in (maps.pixels, maps.classes, maps.depth_mm, counts)], rng)
        pixels = to_signed(pixels).to(device)
        cells = [torch.from_numpy(values[:, row::settings.cell, column::settings.cell]
                                  .astype(np.int64)).to(device) for values in (classes, depth)]
        truth = torch.from_numpy(truth).float().to(device)
        shows = patch_shares(classes, patch, truth.shape[-1]).to(device) > _SHOWS
        shows[:, :, room] = False
        losses: dict[str, Tensor] = {}
        with torch.autocast(device.type, dtype, enabled=dtype != torch.float32):
            features = encode(encoder, pixels)
            if step < settings.head_steps:  # heads that know nothing would only do harm
                features = features.detach()
            else:
                group = others[step % len(others)]
                held = to_signed(group[rng.integers(len(group), size=settings.others)]).to(device)
                with torch.no_grad():
                    wanted = encode(before, held).float()
                change = (encode(encoder, held).float() - wanted).square().mean() / wanted.var()
                losses['changed'] = change
            seen = both['cell_head'](features, *truth.shape[1:3])
            rates = F.softplus(both['number_head'](features).float())
            totals = both['total_head'](features)
        found, truth = dense_loss(*seen, *cells), truth.flatten(1, 2)
        losses |= {'cells': found['ce'], **counting_loss(rates, truth),
                   **total_loss(totals, truth, shows & (truth.sum(1, keepdim=True) > 0))}
        total = found['loss'] + losses['patches'] + losses['maps'] + losses['totals']
        return losses | {'loss': total + _HOLD_WEIGHT * losses.get('changed', 0.0)}

    run_stage('maps', both, losses_at, steps=settings.steps, settings=settings.optimizer,
              folder=folder)
