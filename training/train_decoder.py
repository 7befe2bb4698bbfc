# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""
The VAE's decoder alone, on whole images and latents that are a little off.

The VAE's own stage has crops and latents of real images. What is drawn is a whole image, whose
latent the flow gets right only roughly: first stood in for by noise, later, once there is a model,
drawn by it. The encoder, and with it every latent, stays as it is: a model that was trained on
these latents needs no further training.
"""

from collections.abc import Sequence
from pathlib import Path

from ipt_ros.bagel import fast_dtype, Vae
import numpy as np
import torch
from torch import Tensor

from .loop import run_stage
from .optimizers import OptimizerSettings
from .train_vae import reconstruction_loss, to_signed


def reached(output: Tensor, target: Tensor) -> Tensor:
    """
    Return the output, clamped to an end of the range wherever the target is at that end.

    Pixels (n, 3, H, W) in [-1, 1]. Blacker than black is shown as black, so it is no error there.
    A decoder that may pass an end need not hit it, and gets large black areas right.
    """
    output = torch.where(target <= -1, output.clamp(min=-1), output)
    return torch.where(target >= 1, output.clamp(max=1), output)


def train_decoder(vae: Vae, groups: Sequence[np.ndarray], *, steps: int, batch_size: int,
                  noise: float, settings: OptimizerSettings, folder: Path, seed: int,
                  drawn: Sequence[Tensor] = (), stage: str = 'decoder') -> None:
    """
    Train the decoder of ``vae`` in place on uint8 image groups; resumes from ``folder``.

    A step has images of one group, groups taking turns. ``noise``: most standard deviation of
    what is added to latents, whose own is 1; each image has its own amount, uniform from 0 on.
    ``drawn``: for each group, latents that a model drew for its images; a step then has each image
    twice, once from what was drawn.
    """
    vae.float()  # rounding to bfloat16 would eat small steps
    vae.requires_grad_(False)
    vae.net.decoder.requires_grad_(True)
    vae.net.to(memory_format=torch.channels_last)
    device = next(vae.parameters()).device
    dtype = fast_dtype(device)

    def losses_at(step: int) -> dict[str, Tensor]:
        rng = np.random.default_rng((seed, step))
        turn = step % len(groups)
        rows = rng.integers(len(groups[turn]), size=batch_size)
        target = to_signed(groups[turn][rows]).to(device)
        with torch.autocast(device.type, dtype, enabled=dtype != torch.float32):
            latents = vae.encode(target)
            spread = rng.uniform(0, noise, (batch_size, 1, 1, 1))
            errors = torch.from_numpy(spread * rng.standard_normal(latents.shape)).float()
            latents = latents + errors.to(device)
            if drawn:
                latents = torch.cat([latents, drawn[turn][rows].to(latents)])
                target = torch.cat([target, target])
            output = vae.net.decode(vae.unscale(latents)).sample.float()
        return {'loss': reconstruction_loss(reached(output, target), target)}

    run_stage(stage, vae.net, losses_at, steps=steps, settings=settings, folder=folder)
    vae.requires_grad_(False)
    vae.net.to(memory_format=torch.contiguous_format)
