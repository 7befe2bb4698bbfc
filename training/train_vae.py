# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""
The VAE alone, on crops of everything that the cameras and the map show.

The loss is the absolute error of pixels, edges and means, with a light pull of the latent towards
a unit normal. After the stage the latent's own mean and spread become ``shift_factor`` and
``scale_factor``, so that the flow starts from data of unit variance.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from ipt_ros.bagel import fast_dtype
from ipt_ros.bagel.images import normalise
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from .loop import run_stage
from .optimizers import OptimizerSettings

if TYPE_CHECKING:
    from diffusers import AutoencoderKL


def to_signed(images: np.ndarray) -> Tensor:
    """Uint8 (N, H, W, 3) to float32 (N, 3, H, W) in [-1, 1]."""
    return normalise(torch.from_numpy(np.ascontiguousarray(images)).permute(0, 3, 1, 2))


def random_crops(groups: list[np.ndarray], count: int, side: int,
                 rng: np.random.Generator) -> np.ndarray:
    """
    Cut ``count`` square crops out of groups of equal-size images, groups taking equal turns.

    ``groups``: arrays of uint8 (N, H, W, 3). Returns uint8 (count, side, side, 3).
    """
    crops = np.empty((count, side, side, 3), np.uint8)
    for index in range(count):
        group = groups[index % len(groups)]
        image = group[rng.integers(len(group))]
        top = rng.integers(image.shape[0] - side + 1)
        left = rng.integers(image.shape[1] - side + 1)
        crops[index] = image[top:top + side, left:left + side]
    return crops


def reconstruction_loss(output: Tensor, target: Tensor) -> Tensor:
    """
    Squared and absolute error of pixels, absolute errors of neighbour differences and 4x4 means.

    Absolute errors alone are long content with grey: few pixels are vivid, but their squares
    count. The means ask for colour, the differences for edges.
    """
    error = output - target
    edges = sum(error.diff(dim=axis).abs().mean() for axis in (2, 3))
    return (5 * error.square().mean() + error.abs().mean() + 0.5 * edges
            + F.avg_pool2d(error, 4).abs().mean())


def train_vae(vae: 'AutoencoderKL', groups: list[np.ndarray], *, steps: int, batch_size: int,
              crop: int, kl_weight: float, settings: OptimizerSettings, folder: Path,
              seed: int) -> None:
    """Train ``vae`` in place on uint8 image groups; resumes from ``folder``."""
    vae.to(memory_format=torch.channels_last)
    dtype = fast_dtype('cpu')

    def losses_at(step: int) -> dict[str, Tensor]:
        rng = np.random.default_rng((seed, step))
        pixels = to_signed(random_crops(groups, batch_size, crop, rng))
        pixels = pixels.contiguous(memory_format=torch.channels_last)
        generator = torch.Generator().manual_seed(int(rng.integers(2**62)))
        with torch.autocast('cpu', dtype, enabled=dtype != torch.float32):
            posterior = vae.encode(pixels).latent_dist
            output = vae.decode(posterior.sample(generator)).sample
        pixel = reconstruction_loss(output.float(), pixels)
        kl = posterior.kl().mean() / posterior.mean[0].numel()
        return {'loss': pixel + kl_weight * kl, 'pixel': pixel, 'kl': kl}

    run_stage('vae', vae, losses_at, steps=steps, settings=settings, folder=folder)
    vae.to(memory_format=torch.contiguous_format)


@torch.no_grad()
def latent_statistics(vae: 'AutoencoderKL', groups: list[np.ndarray],
                      count: int = 256) -> tuple[float, float]:
    """Return (mean, standard deviation) of the posterior means over some images of each group."""
    values = torch.cat([
        vae.encode(to_signed(group[:count])).latent_dist.mode().flatten() for group in groups])
    return values.mean().item(), values.std().item()
