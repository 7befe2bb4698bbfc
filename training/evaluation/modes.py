# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""
A question asked in each of the ways that the paper compares.

==============  =============  ==============  ================================================
mode            system prompt  input images    what the model does
==============  =============  ==============  ================================================
``answer``      answer only    ViT             answers at once
``answer-vae``  answer only    VAE and ViT     answers at once
``imagine``     think          VAE and ViT     thinks, imagines, reads its image, answers
``text-cot``    think          ViT             thinks in words, answers
``oracle``      think          VAE and ViT     answers after the TRUE image in place of its own
==============  =============  ==============  ================================================

``answer`` and ``imagine`` are the robot's own loop; the others take it apart.
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
import time

from ipt_ros.bagel import (
    Bagel,
    ContextBatch,
    read_prompts,
    reason_together,
    Reasoning,
    Sampling,
    score_each,
)
from ipt_ros.spatial import answers_like, choice_probabilities, Example, extract_answer, Question
from ipt_ros.spatial.prompts import ANSWER_ONLY_PROMPT, before_image_text, THINK_PROMPT
import numpy as np

from .baselines import can_judge

MODES = ('answer', 'answer-vae', 'imagine', 'text-cot', 'oracle')
THINKING = ('imagine', 'text-cot', 'oracle')
READING_LATENTS = ('answer-vae', 'imagine', 'oracle')
ORACLE_INPUTS = ('vae+vit', 'vae')


@dataclass(frozen=True)
class Options:
    """
    How questions are asked.

    ``oracle_input``: how the true image enters, as in training ('vae+vit') or as in the released
    evaluation ('vae'). ``cot_tokens``: how many tokens a thought in words may have at least.
    ``steps``: time points of the flow, None for the checkpoint's own.
    """

    oracle_input: str = 'vae+vit'
    cot_tokens: int = 512
    steps: int | None = None

    def sampling(self, own: Sampling, mode: str) -> Sampling:
        """Return a checkpoint's own settings with these over them."""
        tokens = max(own.max_tokens, self.cot_tokens) if mode == 'text-cot' else own.max_tokens
        return replace(own, steps=self.steps or own.steps, max_tokens=tokens)


@dataclass(frozen=True)
class Reply:
    """
    What a model made of a question.

    ``letter`` is '' and ``rule`` 'none' where no letter could be read. ``probabilities`` has the
    model's belief in each choice at the point where it wrote its answer; it is empty where there
    are no choices. ``image`` is what it imagined, None for nothing. ``seconds`` are by phase.
    """

    text: str
    letter: str
    rule: str
    probabilities: list[float]
    image: np.ndarray | None
    seconds: dict[str, float]


def can_ask(example: Example, question: Question, mode: str) -> bool:
    """
    Tell whether there is what a mode needs, and something to learn from asking.

    An oracle needs the true image. A question without a known answer is worth asking only for
    what is imagined on it.
    """
    if mode == 'oracle' and example.target is None:
        return False
    return mode == 'imagine' or can_judge(question)


def shapes(example: Example, mode: str) -> Hashable:
    """Return what must be equal of examples to be asked about together in a mode."""
    images = [*example.images, example.target] if mode == 'oracle' else example.images
    return tuple(image.shape[:2] for image in images)


def ask(model: Bagel, example: Example, question: Question, mode: str, seed: int,
        options: Options) -> Reply:
    """Ask one question about an example's images. Raises BagelError for unreadable input."""
    return ask_together(model, [(example, question)], mode, [[seed]], options)[0][0]


def ask_together(model: Bagel, asked: Sequence[tuple[Example, Question]], mode: str,
                 seeds: Sequence[Sequence[int]], options: Options) -> list[list[Reply]]:
    """
    Ask several questions in one batch, each as often as it has seeds; return its replies in order.

    All answers are those of `ask`, to rounding. The examples must have equal `shapes`. Seconds are
    each reply's share of the batch's. Raises BagelError.
    """
    began = time.perf_counter()
    oracle = mode == 'oracle'
    prompts = read_prompts(
        model, system=THINK_PROMPT if mode in THINKING else ANSWER_ONLY_PROMPT,
        images=[example.images for example, _ in asked],
        questions=[question.text for _, question in asked],
        mode='imagine' if mode in READING_LATENTS else 'answer')
    if oracle:
        prompts.context.add_texts([before_image_text(example.think) for example, _ in asked])
        prompts.context.add_images([example.target for example, _ in asked], imagined=True,
                                   vit='vit' in options.oracle_input)
    owners = [row for row, own in enumerate(seeds) for _ in own]
    prompts = prompts.select(owners)
    read = (time.perf_counter() - began) / len(owners)
    results = reason_together(
        prompts, mode='imagine' if mode == 'imagine' else 'answer',
        sampling=options.sampling(model.config.sampling, mode),
        # A text is drawn from the seed plus the number of texts before it.
        seeds=[seed + oracle for own in seeds for seed in own])
    began = time.perf_counter()
    beliefs = _beliefs(results, [asked[row][1].choices for row in owners], oracle)
    score = (time.perf_counter() - began) / len(owners)
    replies: list[list[Reply]] = [[] for _ in asked]
    for row, result, probabilities in zip(owners, results, beliefs):
        example, question = asked[row]
        given = [before_image_text(example.think)] if oracle else []
        found = extract_answer(result.answer_text, question.choices)
        spent = {**result.timings, 'read': read, 'score': score}
        replies[row].append(Reply(
            ''.join([*given, *result.texts]), found.letter, found.rule, probabilities,
            result.images[-1] if result.images else None,
            {phase: taken for phase, taken in spent.items() if taken}))
    return replies


def _beliefs(results: Sequence[Reasoning], choices: Sequence[Sequence[str]],
             after_image: bool) -> list[list[float]]:
    """Return the probability of each of a reply's ``choices`` as what its answer says."""
    contexts = ContextBatch.join([result.context.batch for result in results])
    scores = score_each(contexts, [
        answers_like(result.answer_text, own, after_image or bool(result.images))
        for result, own in zip(results, choices)])
    return [choice_probabilities(own) if own else [] for own in scores]
