# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""
Imagining an image: guided rectified flow from noise, after a context.

x(1) is noise, x(0) the latent, and the model gives the velocity dx/dt = noise - latent. Latents
are handled as patch rows (contexts, n, latent_dim) in float32 throughout.
"""

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import torch
from torch import Tensor

from .config import Guidance
from .context import Context, ContextBatch
from .errors import InputError
from .images import grid_positions, unpatchify
from .packing import shift_time

# (steps done, steps in all, preview): `preview()` decodes what the image looks like so far.
OnStep = Callable[[int, int, Callable[[], np.ndarray]], None]
# The same for a batch: `preview(index)` decodes the image of one context.
OnBatchStep = Callable[[int, int, Callable[[int], np.ndarray]], None]


@torch.no_grad()
def velocity(batch: ContextBatch, x: Tensor, t: float, cells: Tensor) -> Tensor:
    """Return the plain velocity of x (contexts, n, latent_dim) at time t, given contexts."""
    time = torch.full((1,), t, device=x.device)
    return batch.model.velocity(batch.decode_latents(x, time, cells))


def guided_velocity(guidance: Guidance, x: Tensor, t: float, cells: Tensor, batch: ContextBatch,
                    text_free: ContextBatch | None, image_free: ContextBatch | None) -> Tensor:
    """
    Return the velocity pushed towards what the texts and the images of the context ask for.

    v' = v_img + s_img * ((v_text + s_text * (v - v_text)) - v_img), held to the length of v.
    Each branch has its own switch; the reference guides by images only where it guides by text.
    """
    plain = velocity(batch, x, t, cells)
    low, high = guidance.interval
    by_text = guidance.text > 1 and text_free is not None and low < t <= high
    by_image = guidance.image > 1 and image_free is not None and low < t <= high
    if not by_text and not by_image:
        return plain

    def held(v: Tensor, per_token: bool) -> Tensor:
        dim = -1 if per_token else (-2, -1)
        ratio = plain.norm(dim=dim, keepdim=True) / (v.norm(dim=dim, keepdim=True) + 1e-8)
        return v * ratio.clamp(guidance.renorm_min, 1)

    guided = plain
    if by_text:
        base = velocity(text_free, x, t, cells)
        guided = base + guidance.text * (plain - base)
        if guidance.renorm == 'text_channel':
            guided = held(guided, per_token=True)
    if by_image:
        base = velocity(image_free, x, t, cells)
        guided = base + guidance.image * (guided - base)
    if guidance.renorm != 'text_channel':
        guided = held(guided, per_token=guidance.renorm == 'channel')
    return guided


@torch.no_grad()
def sample_latents(batch: ContextBatch, *, size: tuple[int, int], steps: int, shift: float,
                   guidance: Guidance, text_free: ContextBatch | None = None,
                   image_free: ContextBatch | None = None, seeds: Sequence[int] = (),
                   noise: Tensor | None = None, on_step: OnBatchStep | None = None) -> Tensor:
    """
    Return sampled latents (contexts, z, h, w); see `sample_images`.

    `noise` (contexts, n, latent_dim) overrides the seeds'.
    """
    model = batch.model
    config = model.config
    grid = size[0] // config.latent_stride, size[1] // config.latent_stride
    if steps < 2:
        raise InputError(f'steps must be at least 2 time points, got {steps}')
    if min(grid) < 1 or any(side % config.latent_stride for side in size):
        raise InputError(f'an imagined image must have sides that are multiples of '
                         f'{config.latent_stride} px, got {size[0]}x{size[1]}')
    batch.must_match(len(seeds if noise is None else noise), 'seeds or noises')
    for branch in (text_free, image_free):
        if branch is not None:
            batch.must_match(len(branch), 'contexts to compare with')
    cells = grid_positions(grid, config.max_latent_size, 'imagined image').to(model.device)
    if noise is None:
        # Drawn on the CPU: the same seed gives the same noise on every device.
        noise = torch.stack([
            torch.randn(len(cells), config.latent_dim,
                        generator=torch.Generator().manual_seed(seed)) for seed in seeds])
    x = noise.to(model.device)
    times = shift_time(torch.linspace(1, 0, steps), shift).tolist()

    def preview(index: int) -> np.ndarray:
        latent = unpatchify(straight[index], config.latent_patch_size, grid)
        return model.vae.decode_image(latent)

    for step, (t, later) in enumerate(zip(times, times[1:]), start=1):
        v = guided_velocity(guidance, x, t, cells, batch, text_free, image_free)
        straight = x - t * v  # where a straight line from here would end
        x = x - (t - later) * v
        if on_step is not None:
            on_step(step, steps - 1, preview)
    return torch.stack([unpatchify(rows, config.latent_patch_size, grid) for rows in x])


def sample_images(batch: ContextBatch, *, seeds: Sequence[int],
                  size: tuple[int, int] | None = None, steps: int | None = None,
                  shift: float | None = None, guidance: Guidance | None = None,
                  text_free: ContextBatch | None = None, image_free: ContextBatch | None = None,
                  on_step: OnBatchStep | None = None) -> list[np.ndarray]:
    """
    Imagine an image after each context of a batch, all of one size, each from its own seed.

    The contexts do not change. See `sample_image`; a seed gives the noise that it gives there.
    """
    settings = batch.model.config.sampling
    size = size or settings.image_size
    if size is None:
        raise InputError('sample_image: the model has no default image size; give one')
    latents = sample_latents(
        batch, size=size, steps=settings.steps if steps is None else steps,
        shift=settings.shift if shift is None else shift,
        guidance=guidance or settings.guidance, text_free=text_free, image_free=image_free,
        seeds=seeds, on_step=on_step)
    return batch.model.vae.decode_images(latents)


def sample_image(context: Context, *, size: tuple[int, int] | None = None,
                 steps: int | None = None, shift: float | None = None,
                 guidance: Guidance | None = None, text_free: Context | None = None,
                 image_free: Context | None = None, seed: int = 42,
                 on_step: OnStep | None = None) -> np.ndarray:
    """
    Imagine an image after a context; the context does not change.

    `size` is (height, width) in pixels. `steps` counts time points (N points are N - 1 steps) and
    `shift` warps them towards noise; what is None comes from the model's `config.sampling`.
    `text_free` is the context without its last text, `image_free` without images; a branch without
    its context is off. `on_step` sees every step and may raise `Cancelled`, which ends sampling
    and leaves the contexts as they were. Returns uint8 (height, width, 3). Raises InputError.
    """
    return sample_images(
        context.batch, size=size, steps=steps, shift=shift, guidance=guidance,
        text_free=text_free and text_free.batch, image_free=image_free and image_free.batch,
        seeds=[seed], on_step=of_one(on_step))[0]


def of_one(on_step: OnStep | None) -> OnBatchStep | None:
    """Return what a batch of one reports its steps to."""
    return on_step and (
        lambda step, total, preview: on_step(step, total, partial(preview, 0)))
