# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""
From an example to a training sample: the segments of each training mode.

Nine kinds; ``answer`` and ``imagine`` follow the order of inference (system text, images,
question, answer).

- ``drill``: no image; one question, every branch claims another of its choices and gets that one's
  letter. What a large model brings along from its pretraining, a small one learns here.
- ``locate``: images as ViT segments; every branch asks where in the picture something is or, of
  several pictures, which ones show it.
- ``list``: images as ViT segments and one text that tells of everything in them under a heading
  (`listings`). Many small labels a picture, which questions with choices only give by detours.
- ``tell``: a map as ViT segment and one text that tells how often everything is on it.
- ``answer``: images as ViT segments alone; every question is a branch of its own behind the same
  images, answered at once.
- ``imagine``: images as VAE and ViT segments; a branch thinks, imagines the target (several noised
  copies, each with its own time, so that one pass teaches the flow at several noise levels), sees
  the clean target and answers. Further branches see the clean target only, and learn to read it.
  Where the task says so, what is read off the target stands before the answer.
- ``read``: the clean target and the answer alone, behind no images or those of another example, so
  that what the target shows is all there is to go by. Where it could be had from its own images as
  well, a model that can read the target will not (docs/nano.md).
- ``own``: as ``imagine``, but what stands before the answer is what the model drew, and nothing is
  learned of drawing: so it learns how far to trust itself.
- ``look``: four names with letters, then the clean target, then a branch each many questions
  about both (`looking`).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from ipt_ros.bagel import ImageSegment, TextSegment
from ipt_ros.spatial import LETTERS, Question, Task
from ipt_ros.spatial.prompts import (
    ANSWER_ONLY_PROMPT,
    answer_text,
    before_image_text,
    IMAGE_END,
    THINK_PROMPT,
)
import numpy as np
import torch

from .relations import Relation

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
    relations: list[Relation] = field(default_factory=list)


def drill_sample(question: Question) -> list[Segment]:
    """Return one sample that teaches to find the letter of a choice."""
    segments: list[Segment] = [TextSegment(ANSWER_ONLY_PROMPT), TextSegment(question.text)]
    for branch, (letter, choice) in enumerate(zip(LETTERS, question.choices), start=1):
        segments += [
            TextSegment(f'{choice} {question.metadata.get("category", "")}'.rstrip() + '.',
                        branch=branch),
            TextSegment(answer_text(letter), loss=True, branch=branch),
        ]
    return segments


def told_sample(material: Material, told: list[tuple[str, str]]) -> list[Segment]:
    """Return one sample of short questions and their answers in words, a branch each."""
    segments: list[Segment] = [TextSegment(ANSWER_ONLY_PROMPT)]
    segments += [ImageSegment(image, vae=False) for image in material.images]
    return segments + _branches((text, answer_text(answer)) for text, answer in told)


def listing_sample(images: Sequence[ImageSegment], heading: str,
                   entries: list[str]) -> list[Segment]:
    """Return one sample whose only text lists what images show, under a heading."""
    return [*images, TextSegment(heading), TextSegment(', '.join(entries), loss=True)]


def open_form(question: Question, task: Task) -> Question:
    """Return the question without its choices; its answer is then the truth in words."""
    asked = question.text.removesuffix(task.format_question('', question.choices))
    return replace(question, text=asked, choices=[], answer='')


def with_truth(question: Question) -> Question:
    """Return the question with the truth in words in its metadata, whatever becomes of choices."""
    return replace(question, metadata=question.metadata | {'truth': question.answer_choice})


def answer_of(question: Question) -> str:
    """Return the target text: the letter, or the truth in words where there are no choices."""
    return answer_text(question.answer or question.metadata['truth'])


def answer_sample(material: Material, questions: list[Question]) -> list[Segment]:
    """Return one sample of the label-only mode: a branch a question."""
    segments: list[Segment] = [TextSegment(ANSWER_ONLY_PROMPT)]
    segments += [ImageSegment(image, vae=False) for image in material.images]
    return segments + _branches((question.text, answer_of(question)) for question in questions)


def imagine_sample(material: Material, questions: list[Question],
                   noised_copies: int) -> list[Segment]:
    """Return one sample of the imagination mode; only its first branch learns to draw."""
    segments: list[Segment] = [TextSegment(THINK_PROMPT)]
    for image, latent in zip(material.images, material.latents, strict=True):
        segments.append(ImageSegment(image, latent=latent))
    for branch, question in enumerate(questions, start=1):
        segments += [
            TextSegment(question.text, branch=branch),
            TextSegment(before_image_text(question.metadata.get('think', material.think)),
                        loss=True, branch=branch),
        ]
        draws = branch == 1 and noised_copies > 0
        if draws:
            extra = ImageSegment(
                latent=material.target_latent, vae=False, vit=False, noised=True, branch=branch)
            segments += [extra] * (noised_copies - 1)
        segments += [
            ImageSegment(material.target, latent=material.target_latent, noised=draws,
                         branch=branch),
            TextSegment(
                IMAGE_END + question.metadata.get('reading', '') + answer_of(question),
                loss=True, branch=branch),
        ]
    return segments


def read_sample(material: Material, questions: list[Question],
                other: Material | None = None) -> list[Segment]:
    """
    Return one sample that teaches to read what was imagined, and nothing else.

    Before it there are the images of an ``other`` example, or none.
    """
    images, latents = ([], []) if other is None else (other.images, other.latents)
    return imagine_sample(
        replace(material, images=images, latents=latents), questions, noised_copies=0)


def look_sample(material: Material, heading: str, told: list[tuple[str, str]]) -> list[Segment]:
    """Return one sample of a text, the clean target and, a branch each, questions about both."""
    segments: list[Segment] = [
        TextSegment(heading), ImageSegment(material.target, latent=material.target_latent)]
    return segments + _branches((text, answer_text(answer)) for text, answer in told)


def _branches(told: Iterable[tuple[str, str]]) -> list[Segment]:
    """Return texts and what is to be learned behind each, a branch a pair."""
    segments: list[Segment] = []
    for branch, (text, answer) in enumerate(told, start=1):
        segments += [TextSegment(text, branch=branch),
                     TextSegment(answer, loss=True, branch=branch)]
    return segments
