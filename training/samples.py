# SPDX-License-Identifier: Apache-2.0
"""
From an example to a training sample: the segments of each training mode.

Two kinds, both in the order of inference (system text, images, question, answer):

- ``answer``: images as ViT segments alone; every question is a branch of its own behind the same
  images, answered at once.
- ``imagine``: images as VAE and ViT segments; a branch thinks, imagines the target (several noised
  copies, each with its own time, so that one pass teaches the flow at several noise levels), sees
  the clean target and answers. Further branches see the clean target only, and learn to read it.
"""

from dataclasses import dataclass

from ipt_ros.bagel import ImageSegment, TextSegment
from ipt_ros.spatial.examples import Question
from ipt_ros.spatial.prompts import (
    after_image_text,
    ANSWER_ONLY_PROMPT,
    answer_text,
    before_image_text,
    THINK_PROMPT,
)
import numpy as np
import torch

Segment = TextSegment | ImageSegment


@dataclass(frozen=True)
class Material:
    """
    An example as training needs it: pixels at the model's size and the VAE's latents.

    ``images`` and ``target`` are uint8 (H, W, 3); ``latents`` and ``target_latent`` float
    (z, h, w), already scaled and shifted; empty and None where only answers are trained.
    """

    images: list[np.ndarray]
    latents: list[torch.Tensor]
    target: np.ndarray
    target_latent: torch.Tensor | None
    think: str
    questions: list[Question]


def answer_sample(material: Material, questions: list[Question]) -> list[Segment]:
    """Return one sample of the label-only mode: a branch a question."""
    segments: list[Segment] = [TextSegment(ANSWER_ONLY_PROMPT)]
    segments += [ImageSegment(image, vae=False) for image in material.images]
    for branch, question in enumerate(questions, start=1):
        segments += [
            TextSegment(question.text, branch=branch),
            TextSegment(answer_text(question.answer), loss=True, branch=branch),
        ]
    return segments


def imagine_sample(material: Material, questions: list[Question],
                   noised_copies: int) -> list[Segment]:
    """Return one sample of the imagination mode; only its first branch learns to draw."""
    segments: list[Segment] = [TextSegment(THINK_PROMPT)]
    for image, latent in zip(material.images, material.latents, strict=True):
        segments.append(ImageSegment(image, latent=latent))
    for branch, question in enumerate(questions, start=1):
        segments += [
            TextSegment(question.text, branch=branch),
            TextSegment(before_image_text(material.think), loss=True, branch=branch),
        ]
        draws = branch == 1 and noised_copies > 0
        if draws:
            extra = ImageSegment(
                latent=material.target_latent, vae=False, vit=False, noised=True, branch=branch)
            segments += [extra] * (noised_copies - 1)
        segments += [
            ImageSegment(material.target, latent=material.target_latent, noised=draws,
                         branch=branch),
            TextSegment(after_image_text(question.answer), loss=True, branch=branch),
        ]
    return segments
