# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""
The image encoder on the simulator's dense truth, a stand-in for SigLIP's pretraining.

Every patch predicts the class and the depth of each small cell inside it. The prediction head is
thrown away afterwards; what stays are patch features that know what stands where and how far.
"""

from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path

from ipt_ros.bagel import Bagel, fast_dtype
from ipt_ros.bagel.images import grid_positions, patchify
import numpy as np
import torch
from torch import nn, Tensor
from torch.nn import functional as F

from .loop import run_stage
from .optimizers import OptimizerSettings
from .train_vae import to_signed


@dataclass(frozen=True)
class DenseImages:
    """Equal-size images with their truth: pixels (N,H,W,3), classes (N,H,W) uint8, depth in mm."""

    pixels: np.ndarray
    classes: np.ndarray
    depth_mm: np.ndarray


def joined(*groups: DenseImages) -> DenseImages:
    """Return images of one size as one group."""
    return DenseImages(*(np.concatenate([getattr(group, field.name) for group in groups])
                         for field in fields(DenseImages)))


class DenseHead(nn.Module):
    """From patch features (N, T, D) to class logits and log-depth of every cell of the patch."""

    def __init__(self, width: int, patch: int, cell: int, classes: int):
        super().__init__()
        if patch % cell:
            raise ValueError(f'encoder.cell {cell} does not divide the patch size {patch}')
        self.cells = patch // cell
        self.classes = classes
        self.linear = nn.Linear(width, self.cells**2 * (classes + 1))

    def forward(self, features: Tensor, rows: int, columns: int) -> tuple[Tensor, Tensor]:
        """Return logits (N, R, C, classes) and log depth (N, R, C); R = rows * cells a patch."""
        n, c = len(features), self.cells
        out = self.linear(features).view(n, rows, columns, c, c, self.classes + 1)
        out = out.permute(0, 1, 3, 2, 4, 5).reshape(n, rows * c, columns * c, self.classes + 1)
        return out[..., :-1], out[..., -1]


def encode_pixels(model: Bagel, pixels: Tensor, encoder: nn.Module | None = None) -> Tensor:
    """
    Run the image encoder on pixels (N, 3, H, W) in -1..1: features (N, patches, width).

    ``encoder`` is another one of the same sizes, in place of the model's own.
    """
    patch = model.config.vit.patch_size
    grid = pixels.shape[2] // patch, pixels.shape[3] // patch
    cells = grid_positions(grid, model.config.vit_max_num_patch_per_side)
    return (encoder or model.vit_model)(patchify(pixels, patch), cells)


def dense_loss(logits: Tensor, log_depth: Tensor, classes: Tensor,
               depth_mm: Tensor) -> dict[str, Tensor]:
    """Cross entropy of the cells' classes and absolute error of log depth where one is known."""
    ce = F.cross_entropy(logits.float().flatten(0, 2), classes.flatten())
    known = depth_mm > 0
    truth = torch.log(depth_mm.clamp(min=1).float() / 1000)
    depth = ((log_depth.float() - truth).abs() * known).sum() / known.sum().clamp(min=1)
    right = (logits.argmax(-1) == classes).float().mean()
    return {'loss': ce + 0.5 * depth, 'ce': ce, 'depth': depth, 'right': right}


def train_encoder(
    encoder: nn.Module,
    encode: Callable[[Tensor], Tensor],
    groups: list[DenseImages],
    *,
    width: int,
    patch: int,
    classes: int,
    cell: int,
    steps: int,
    batch_size: int,
    settings: OptimizerSettings,
    folder: Path,
    seed: int,
) -> None:
    """
    Train ``encoder`` in place; ``encode`` maps pixels (N, 3, H, W) to patch features (N, T, D).

    Groups (of equal-size images each) take turns, a batch from one group. Resumes from ``folder``.
    """
    device = next(encoder.parameters()).device
    dtype = fast_dtype(device)
    both = nn.ModuleDict({
        'encoder': encoder, 'head': DenseHead(width, patch, cell, classes).to(device)})

    def losses_at(step: int) -> dict[str, Tensor]:
        rng = np.random.default_rng((seed, step))
        group = groups[step % len(groups)]
        index = rng.integers(len(group.pixels), size=batch_size)
        # One pixel stands for its cell; another one each time, so that small things count too.
        row, column = rng.integers(cell, size=2)
        classes_ = torch.from_numpy(group.classes[index][:, row::cell, column::cell].astype('i8'))
        depth = torch.from_numpy(group.depth_mm[index][:, row::cell, column::cell].astype('i4'))
        pixels = to_signed(group.pixels[index])
        rows, columns = pixels.shape[2] // patch, pixels.shape[3] // patch
        with torch.autocast(device.type, dtype, enabled=dtype != torch.float32):
            logits, log_depth = both['head'](encode(pixels.to(device)), rows, columns)
        return dense_loss(logits, log_depth, classes_.to(device), depth.to(device))

    run_stage('encoder', both, losses_at, steps=steps, settings=settings, folder=folder)
