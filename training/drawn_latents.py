# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""What a model draws by itself for examples whose true image is known."""

from pathlib import Path

from ipt_ros.bagel import Bagel, fast_dtype, read_prompts
from ipt_ros.bagel.flow import sample_latents
from ipt_ros.bagel.tensor_files import kept_tensors, write_tensors
from ipt_ros.spatial.prompts import before_image_text, THINK_PROMPT
import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from .data import encode_images, TaskData
from .finetune.latents import fingerprint, mark


def add_drawn(data: TaskData, model: Bagel, count: int, seed: int,
              cache: Path | None = None) -> None:
    """Give the first ``count`` examples the images that the model draws, and their latents."""
    latents = draw_latents(model, data, count, seed, cache)
    data.drawn = np.stack([image for part in latents.split(64)
                           for image in model.vae.decode_images(part.to(model.device))])
    data.drawn_latents = encode_images(model.vae, data.drawn)


@torch.no_grad()
def draw_latents(model: Bagel, data: TaskData, count: int, seed: int,
                 cache: Path | None = None, batch: int = 16) -> Tensor:
    """
    Return what the model draws on the first question of the first ``count`` examples.

    Float32 (count, z, h, w), drawn as the model's own sampling says, after the thought that was
    written for the example. The noise depends on ``seed`` and the example's number alone. They
    are kept in the file ``cache``, where one is given, for this model.
    """
    key = {'model': _mark(model), 'count': str(count), 'seed': str(seed)}
    kept = kept_tensors(cache, key)
    if kept is not None:
        return kept['latents']
    dtype = fast_dtype(model.device)
    parts = []
    with torch.autocast(model.device.type, dtype, enabled=dtype != torch.float32):
        for first in tqdm(range(0, count, batch), desc='draw', mininterval=2.0):
            parts.append(_drawn(model, data, range(first, min(first + batch, count)), seed))
    latents = torch.cat(parts)
    if cache is not None:
        write_tensors(cache, {'latents': latents}, key)
    return latents


def _drawn(model: Bagel, data: TaskData, indices: range, seed: int) -> Tensor:
    sampling = model.config.sampling
    questions = [data.questions[index][0] for index in indices]
    prompts = read_prompts(
        model, system=THINK_PROMPT, images=[list(data.inputs[index]) for index in indices],
        questions=[question.text for question in questions], mode='imagine')
    prompts.context.add_texts([
        before_image_text(question.metadata.get('think', data.thinks[index]))
        for index, question in zip(indices, questions)])
    return sample_latents(
        prompts.context, size=sampling.image_size or prompts.image_size, steps=sampling.steps,
        shift=sampling.shift, guidance=sampling.guidance, text_free=prompts.text_free,
        image_free=prompts.image_free, seeds=[seed + index for index in indices]).float().cpu()


def _mark(model: Bagel) -> str:
    """Return what tells from others a model that draws other latents; a decoder changes none."""
    return mark(f'{model.config} {fingerprint(model.vae)}', model.state_dict())
