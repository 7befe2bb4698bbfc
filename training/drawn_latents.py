# SPDX-License-Identifier: Apache-2.0
"""Latents as a model draws them by itself, of examples whose true image is known."""

from ipt_ros.bagel import Bagel, fast_dtype, read_prompts
from ipt_ros.bagel.flow import sample_latents
from ipt_ros.spatial.prompts import before_image_text, THINK_PROMPT
import torch
from torch import Tensor
from tqdm import tqdm

from .data import TaskData


@torch.no_grad()
def draw_latents(model: Bagel, data: TaskData, count: int, seed: int, batch: int = 16) -> Tensor:
    """
    Return what the model draws on the first question of the first ``count`` examples.

    Float32 (count, z, h, w), drawn as the model's own sampling says, after the thought that was
    written for the example. The noise depends on ``seed`` and the example's number alone.
    """
    sampling = model.config.sampling
    dtype = fast_dtype(model.device)
    parts = []
    with torch.autocast(model.device.type, dtype, enabled=dtype != torch.float32):
        for first in tqdm(range(0, count, batch), desc='draw', mininterval=2.0):
            indices = range(first, min(first + batch, count))
            questions = [data.questions[index][0] for index in indices]
            prompts = read_prompts(
                model, system=THINK_PROMPT, images=[list(data.inputs[index]) for index in indices],
                questions=[question.text for question in questions], mode='imagine')
            prompts.context.add_texts([
                before_image_text(question.metadata.get('think', data.thinks[index]))
                for index, question in zip(indices, questions)])
            parts.append(sample_latents(
                prompts.context, size=sampling.image_size or prompts.image_size,
                steps=sampling.steps, shift=sampling.shift, guidance=sampling.guidance,
                text_free=prompts.text_free, image_free=prompts.image_free,
                seeds=[seed + index for index in indices]).float().cpu())
    return torch.cat(parts)
