# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""A trial of a model that was just loaded: it shows what finite weights alone do not."""

import math

import numpy as np
import torch

from .errors import BagelError
from .finite import is_finite
from .flow import sample_latents
from .model import Bagel
from .reasoning import read_prompt
from .text import score_texts

_CELLS = 8  # along a side of what is imagined: a small image shows as much as a large one


@torch.no_grad()
def try_out(model: Bagel) -> None:
    """
    Let a model read, imagine, look at what it imagined, and weigh two answers.

    Raises BagelError when the numbers that come of it are not finite, whatever torch raises when
    it cannot run.
    """
    grey = np.full((64, 64, 3), 127, np.uint8)
    prompt = read_prompt(model, system='', images=[grey], question='?', mode='imagine')
    config, batch = model.config, prompt.batch
    side = min(_CELLS, config.max_latent_size) * config.latent_stride
    latents = sample_latents(
        batch.context, size=(side, side), steps=2, shift=config.sampling.shift,
        guidance=config.sampling.guidance, text_free=batch.text_free,
        image_free=batch.image_free, seeds=[0])
    # As a picture they would all be levels: what is no number becomes black.
    _must_be_finite(latents, 'the image of a trial')
    _must_be_finite(model.vae.decode(latents), 'the image of a trial')
    prompt.context.add_image(model.vae.decode_images(latents)[0], imagined=True)
    if not all(math.isfinite(score) for score in score_texts(prompt.context, ['A', 'B'])):
        raise _no_numbers('the answer to a trial question')


def _must_be_finite(values: torch.Tensor, what: str) -> None:
    if not is_finite(values):
        raise _no_numbers(what)


def _no_numbers(what: str) -> BagelError:
    return BagelError(
        f'NaN or infinity in {what}, though all weights are finite: they are too large to '
        'compute with, or of a training that diverged; take a checkpoint from before that')
