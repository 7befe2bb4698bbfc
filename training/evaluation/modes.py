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

from dataclasses import dataclass, replace
import time

from ipt_ros.bagel import (
    Bagel,
    Context,
    generate_text,
    read_prompt,
    reason,
    Sampling,
    score_texts,
)
from ipt_ros.bagel.reasoning import ANSWERED
from ipt_ros.spatial import choice_probabilities, Example, extract_answer, LETTERS, Question
from ipt_ros.spatial.prompts import (
    ANSWER_ONLY_PROMPT,
    answer_text,
    before_image_text,
    IMAGE_END,
    THINK_PROMPT,
)
import numpy as np

from .baselines import can_judge

MODES = ('answer', 'answer-vae', 'imagine', 'text-cot', 'oracle')
ORACLE_INPUTS = ('vae+vit', 'vae')
_ANSWER_TAG = '<answer>'


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


def ask(model: Bagel, example: Example, question: Question, mode: str, seed: int,
        options: Options) -> Reply:
    """Ask one question about an example's images. Raises BagelError for unreadable input."""
    sampling = options.sampling(model.config.sampling, mode)
    if mode in ('answer-vae', 'oracle'):
        texts, image, context, seconds = _ask_apart(
            model, example, question, mode, sampling, seed, options.oracle_input)
    else:
        result = reason(
            model, system=ANSWER_ONLY_PROMPT if mode == 'answer' else THINK_PROMPT,
            images=example.images, question=question.text,
            mode='imagine' if mode == 'imagine' else 'answer', sampling=sampling, seed=seed)
        texts, context = result.texts, result.context
        image = result.images[-1] if result.images else None
        seconds = {phase: taken for phase, taken in result.timings.items() if taken}
    found = extract_answer(texts[-1], question.choices)
    began = time.perf_counter()
    after_image = image is not None or mode == 'oracle'
    probabilities = []
    if question.choices:
        probabilities = believe(context, texts[-1], len(question.choices), after_image)
    seconds['score'] = time.perf_counter() - began
    return Reply(''.join(texts), found.letter, found.rule, probabilities, image, seconds)


def believe(context: Context, written: str, count: int, after_image: bool) -> list[float]:
    """
    Return the probability of each of ``count`` choices as the answer in place of the written one.

    What stands before the answer in the written text, a thought for instance, is taken as given.
    """
    before, tag, _ = written.rpartition(_ANSWER_TAG)
    if not tag:
        before = IMAGE_END if after_image else ''
    return choice_probabilities(score_texts(
        context, [before + answer_text(letter) for letter in LETTERS[:count]]))


def _ask_apart(model: Bagel, example: Example, question: Question, mode: str, sampling: Sampling,
               seed: int, oracle_input: str) -> tuple[list[str], None, Context, dict[str, float]]:
    """Ask in a way that the robot's loop has no use for."""
    began = time.perf_counter()
    oracle = mode == 'oracle'
    context = read_prompt(
        model, system=THINK_PROMPT if oracle else ANSWER_ONLY_PROMPT, images=example.images,
        question=question.text, mode='imagine').context
    texts = []
    if oracle:
        texts.append(before_image_text(example.think))
        context.add_text(texts[0])
        context.add_image(example.target, vit='vit' in oracle_input)
    read = time.perf_counter()
    texts.append(generate_text(
        context, max_tokens=sampling.max_tokens, temperature=sampling.temperature,
        seed=seed + len(texts), stop=(ANSWERED,)).text)
    return texts, None, context, {'read': read - began, 'answer': time.perf_counter() - read}
