# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""
From one example to a training sample, in each of the paper's modes.

==========  ===========  ============  ==========================================================
kind        prompt       input images  target texts and images
==========  ===========  ============  ==========================================================
``label``   by recipe    ViT           the answer
``answer``  answer only  ViT           the answer
``cot``     think        ViT           a chain of thought and the answer
``ipt``     think        VAE, ViT      the thought, the image (noised, then clean), the answer
==========  ===========  ============  ==========================================================
"""

from collections.abc import Sequence
from dataclasses import replace

from ipt_ros.bagel import BagelConfig, ImageSegment, ResizeRule, TextSegment, Tokenizer
from ipt_ros.bagel.images import fitted_size, shrink
from ipt_ros.bagel.packing import Segment
from ipt_ros.spatial import Example, Question
from ipt_ros.spatial.chains import chain_of_thought, ChainError
from ipt_ros.spatial.prompts import (
    ANSWER_ONLY_PROMPT,
    answer_text,
    before_image_text,
    IMAGE_END,
    reasoned_text,
    THINK_PROMPT,
)
from ipt_training.finetune.errors import FinetuneError
from ipt_training.finetune.recipe import FormatSettings
import numpy as np

# The kinds of samples of a mode, in equal numbers.
KINDS = {
    'label-only': ('label',),
    'text-cot': ('cot',),
    'ipt': ('ipt',),
    'mixed': ('answer', 'ipt'),
}


class UnfitError(ValueError):
    """An example lacks what a kind of sample needs; the message is short, to count by."""


def checkpoint_config(config: BagelConfig, settings: FormatSettings) -> BagelConfig:
    """
    Return the configuration of the finished checkpoint, which imagines at the trained size.

    Raises FinetuneError for a size that latents cannot have.
    """
    side = settings.imagined_side
    if not side:
        return config
    stride, most = config.latent_stride, config.latent_stride * config.max_latent_size
    if side % stride or side > most:
        raise FinetuneError(
            f'format.imagined_side is {side}: this checkpoint can imagine sides of multiples of '
            f'{stride} pixels, up to {most}')
    rule = ResizeRule(side, side, stride)
    sampling = config.sampling
    if sampling.image_size:
        sampling = replace(sampling, image_size=fitted_size(sampling.image_size, rule))
    return replace(config, imagined_transform=rule, sampling=sampling)


def training_config(config: BagelConfig, settings: FormatSettings) -> BagelConfig:
    """Return the checkpoint's configuration with the image sizes of the training."""
    if not settings.vit_max_side:
        return config
    rule = replace(config.vit_transform, max_side=settings.vit_max_side)
    return replace(config, vit_transform=rule)


def fit_questions(kind: str, example: Example, seed: Sequence[int],
                  detail: str) -> dict[int, list[str]]:
    """
    Return for each usable question, by its index, the texts the model learns to write.

    Two texts stand around an imagined image, one alone otherwise. ``seed`` draws the wording of
    chains of thought. Raise UnfitError when no question can be used.
    """
    if kind == 'ipt' and example.target is None:
        raise UnfitError('no image to imagine')
    fitting, reason = {}, 'no questions'
    for index, question in enumerate(example.questions):
        answer = question.answer or question.metadata.get('truth', '')
        if not answer:
            reason = 'no known answer'
            continue
        try:
            fitting[index] = _texts(kind, example, question, answer, (*seed, index), detail)
        except ChainError:
            reason = 'no chain of thought, and no metadata to write one from'
    if not fitting:
        raise UnfitError(reason)
    return fitting


def _texts(kind: str, example: Example, question: Question, answer: str, seed: Sequence[int],
           detail: str) -> list[str]:
    if kind == 'ipt':
        after = example.metadata.get('after_image', '')
        told = reasoned_text(after, answer) if after else answer_text(answer)
        return [before_image_text(example.think), IMAGE_END + told]
    if kind == 'cot':
        written = example.metadata.get('chain_of_thought', '')
        if written:
            return [reasoned_text(written, answer)]
        rng = np.random.default_rng(seed)
        return [chain_of_thought(example, question, rng, detail).target]
    return [answer_text(answer)]


def build_sample(kind: str, example: Example, texts: dict[int, list[str]],
                 settings: FormatSettings, config: BagelConfig) -> list[Segment]:
    """
    Return the segments of one sample: the images as trunk, every question a branch.

    texts: of the questions to ask, see `fit_questions`. Only the first branch learns to draw; the
    others see the clean target and learn to read it.
    """
    imagines = kind == 'ipt'
    think = imagines or kind == 'cot' or (kind == 'label' and settings.label_prompt == 'think')
    prompt = THINK_PROMPT if think else ANSWER_ONLY_PROMPT
    first = settings.order == 'prompt-first'
    images = example.images
    if len(images) > 1 and config.multi_image_max:
        images = [shrink(image, config.multi_image_max) for image in images]
    segments: list[Segment] = [TextSegment(prompt)] if first else []
    segments += [ImageSegment(image, vae=imagines) for image in images]
    for branch, (index, (target, *after)) in enumerate(texts.items(), start=1):
        asked = example.questions[index].text
        segments += [
            TextSegment(asked if first else prompt + asked, branch=branch),
            TextSegment(target, loss=True, branch=branch),
        ]
        if not imagines:
            continue
        draws = branch == 1
        if draws:
            extra = ImageSegment(example.target, vae=False, vit=False, noised=True, branch=branch)
            segments += [extra] * (settings.noised_copies - 1)
        segments += [
            ImageSegment(example.target, noised=draws, imagined=True, branch=branch),
            TextSegment(after[0], loss=True, branch=branch),
        ]
    return segments


def count_tokens(segments: Sequence[Segment], config: BagelConfig, tokenizer: Tokenizer) -> int:
    """Return how many tokens `pack` makes of a sample when nothing is dropped."""
    count = 0
    for segment in segments:
        if isinstance(segment, TextSegment):
            count += len(tokenizer.encode(segment.text)) + 2
            continue
        size = segment.image.shape[:2]
        if segment.takes_imagined_size and config.imagined_transform:
            size = fitted_size(size, config.imagined_transform)
        copies = segment.noised + segment.vae
        rule = config.latent_rule(segment.takes_imagined_size)
        count += copies * _cells(size, rule, config.latent_stride)
        count += segment.vit * _cells(size, config.vit_transform, config.vit.patch_size)
    return count


def _cells(size: tuple[int, int], rule, stride: int) -> int:
    """Return the tokens of one copy of an image, the frame around it included."""
    height, width = fitted_size(size, rule)
    return (height // stride) * (width // stride) + 2
