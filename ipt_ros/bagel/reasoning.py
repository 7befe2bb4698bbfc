# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""
The interleaved loop: read, think, imagine, look at what was imagined, answer.

Texts that the model writes ask for an image with the plain words `<image_start>`; the answer
stands inside `<answer>...</answer>`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
import time

import numpy as np

from .config import Sampling
from .context import Context, ContextBatch
from .errors import InputError
from .flow import of_one, OnBatchStep, OnStep, sample_images
from .images import check_image, fit, fitted_size, shrink
from .text import generate_texts

IMAGINE = '<image_start>'
ANSWERED = '</answer>'
MODES = ('imagine', 'answer')
PHASES = ('read', 'think', 'imagine', 'answer')


@dataclass(frozen=True)
class Event:
    """
    Something that just happened in the loop.

    `phase` is 'read' (a step an input), 'write' (a step a token; `text` so far) or 'imagine' (a
    step a flow step; `preview()` decodes the image so far). `total` is 0 where nobody knows it.
    """

    phase: str
    step: int
    total: int
    text: str = ''
    preview: Callable[[], np.ndarray] | None = None


@dataclass(frozen=True)
class Reasoning:
    """
    What came of it.

    `texts` are all written texts, the last one being `answer_text`; `images` what was imagined in
    between. `context` is what the model had read before it wrote the last text: score choices of
    the answer there. `timings` are seconds a phase: read, think, imagine, answer; in a batch,
    this one's share of them.
    """

    texts: list[str]
    images: list[np.ndarray]
    answer_text: str
    timings: dict[str, float]
    context: Context


@dataclass
class PromptBatch:
    """Questions as read, one image size for all, and what guidance compares them with."""

    context: ContextBatch
    text_free: ContextBatch  # without the question
    image_free: ContextBatch  # without the images
    image_size: tuple[int, int] | None  # (height, width) of the last image as the model saw it

    def __len__(self) -> int:
        return len(self.context)

    def select(self, rows: Sequence[int]) -> 'PromptBatch':
        """Return forks of some of them, in the order given; one may come repeatedly."""
        return PromptBatch(self.context.select(rows), self.text_free.select(rows),
                           self.image_free.select(rows), self.image_size)


@dataclass
class Prompt:
    """A question as read, ready to reason on, and what guidance compares it with."""

    context: Context
    text_free: Context  # without the question
    image_free: Context  # without the images
    image_size: tuple[int, int] | None  # (height, width) of the last image as the model saw it

    @property
    def batch(self) -> PromptBatch:
        """Return the same contexts as a batch of one."""
        return PromptBatch(self.context.batch, self.text_free.batch, self.image_free.batch,
                           self.image_size)


def read_prompts(model, *, system: str, images: Sequence[Sequence[np.ndarray]],
                 questions: Sequence[str], mode: str,
                 on_event: Callable[[int, Event], None] | None = None) -> PromptBatch:
    """
    Read several questions, each with its images, in one batch.

    Questions to be read together have equally many images, and their first images come to one size
    when resized, as do their second ones, and so on. Events come with the index of the question.
    See `read_prompt`. Raises InputError.
    """
    if mode not in MODES:
        raise InputError(f'mode must be one of {MODES}, got {mode!r}')
    if not questions or len({len(images), len(questions)}) > 1 or len(set(map(len, images))) > 1:
        raise InputError('questions that are read together need images for each, and equally '
                         f'many: {len(questions)} questions have {[*map(len, images)]} images')
    images = [[check_image(image) for image in own] for own in images]
    longest = model.config.multi_image_max
    if len(images[0]) > 1 and longest:
        images = [[shrink(image, longest) for image in own] for own in images]
    steps = [list(column) for column in zip(*images)]

    def report(step: int) -> None:
        for index in range(len(questions)):
            if on_event is not None:
                on_event(index, Event('read', step, len(steps) + 1))

    context = ContextBatch(model)
    if system:
        context.add_texts([system])
    context = context.select([0] * len(questions))
    image_free = context.fork()
    for step, column in enumerate(steps, start=1):
        context.add_images(column, vit=True, vae=mode == 'imagine')
        report(step)
    text_free = context.fork()
    context.add_texts(questions)
    if mode == 'imagine':
        image_free.add_texts(questions)
    report(len(steps) + 1)
    size = None
    if steps:
        size = fit(steps[-1][0], model.config.vae_transform).shape[:2]
        size = fitted_size(size, model.config.latent_rule(imagined=True))
    return PromptBatch(context, text_free, image_free, size)


def read_prompt(model, *, system: str, images: Sequence[np.ndarray], question: str, mode: str,
                on_event: Callable[[Event], None] | None = None) -> Prompt:
    """
    Read system text, images and question, in this order.

    In mode 'imagine' images enter as latents and features, in mode 'answer' as features alone.
    Images are uint8 (height, width, 3); several are shrunk to `config.multi_image_max` first.
    """
    batch = read_prompts(model, system=system, images=[images], questions=[question], mode=mode,
                         on_event=_of_one(on_event))
    return Prompt(*(Context(model, part) for part in (
        batch.context, batch.text_free, batch.image_free)), batch.image_size)


def reason_together(prompts: PromptBatch, *, mode: str, seeds: Sequence[int],
                    sampling: Sampling | None = None,
                    on_event: Callable[[int, Event], None] | None = None) -> list[Reasoning]:
    """
    Answer questions that `read_prompts` read, each with a seed of its own.

    To reason several times on one question, read it once and select it repeatedly. Events come
    with the index of the question. The prompts do not change. See `reason`.
    """
    model = prompts.context.model
    sampling = sampling or model.config.sampling
    texts: list[list[str]] = [[] for _ in seeds]
    images: list[list[np.ndarray]] = [[] for _ in seeds]
    timings = [dict.fromkeys(PHASES, 0.0) for _ in seeds]
    found: dict[int, Reasoning] = {}
    going = list(range(len(prompts)))  # whose question each row of `prompts` is
    clock = time.perf_counter()

    def lap(phases: Sequence[str]) -> None:
        """Share the time since the last lap among those that go on, a phase for each."""
        nonlocal clock
        now = time.perf_counter()
        for index, phase in zip(going, phases):
            timings[index][phase] += (now - clock) / len(going)
        clock = now

    def on_token(row: int, text: str) -> None:
        written[row] += 1
        on_event(going[row], Event('write', written[row], 0, text=text))

    def on_step(step: int, total: int, preview: Callable[[int], np.ndarray]) -> None:
        for row, index in enumerate(going):
            on_event(index, Event('imagine', step, total, preview=partial(preview, row)))

    while going:
        written = [0] * len(going)
        results = generate_texts(
            prompts.context, max_tokens=sampling.max_tokens, temperature=sampling.temperature,
            seeds=[seeds[index] + len(texts[index]) for index in going], stop=(ANSWERED,),
            on_token=on_event and on_token)
        asking = []
        for row, (index, result) in enumerate(zip(going, results)):
            texts[index].append(result.text)
            if mode == 'imagine' and IMAGINE in result.text \
                    and len(images[index]) < sampling.max_images:
                asking.append(row)
            else:
                context = Context(model, prompts.context.select([row]))
                found[index] = Reasoning(
                    texts[index], images[index], result.text, timings[index], context)
        lap(['think' if row in asking else 'answer' for row in range(len(going))])
        if not asking:
            break
        prompts, going = prompts.select(asking), [going[row] for row in asking]
        prompts.context.add_texts([texts[index][-1] for index in going])
        lap(['think'] * len(going))
        drawn = imagine_together(
            prompts, sampling, seeds=[seeds[index] + len(images[index]) for index in going],
            on_step=on_event and on_step)
        prompts.context.add_images(drawn, imagined=True)
        for index, image in zip(going, drawn):
            images[index].append(image)
        lap(['imagine'] * len(going))
    return [found[index] for index in range(len(found))]


def reason(model, *, system: str, images: Sequence[np.ndarray], question: str,
           mode: str = 'imagine', sampling: Sampling | None = None, seed: int = 42,
           on_event: Callable[[Event], None] | None = None) -> Reasoning:
    """
    Answer a question about images, imagining on the way if the model asks to.

    Nothing in `system` or `question` can act as a special token. `sampling` None means the
    model's own. `on_event` may raise `Cancelled`, which ends the loop. Raises InputError.
    """
    began = time.perf_counter()
    prompt = read_prompt(model, system=system, images=images, question=question, mode=mode,
                         on_event=on_event)
    read = time.perf_counter() - began
    result, = reason_together(prompt.batch, mode=mode, seeds=[seed], sampling=sampling,
                              on_event=_of_one(on_event))
    result.timings['read'] = read
    return result


def imagine_together(prompts: PromptBatch, sampling: Sampling, *, seeds: Sequence[int],
                     on_step: OnBatchStep | None = None) -> list[np.ndarray]:
    """Imagine the image that the context of each prompt leads to; see `imagine`."""
    size = sampling.image_size or prompts.image_size
    if size is None:
        raise InputError('no size for the imagined image: set sampling.image_size, or give images')
    return sample_images(
        prompts.context, size=size, steps=sampling.steps, shift=sampling.shift,
        guidance=sampling.guidance, text_free=prompts.text_free, image_free=prompts.image_free,
        seeds=seeds, on_step=on_step)


def imagine(prompt: Prompt, sampling: Sampling, *, seed: int = 42,
            on_step: OnStep | None = None) -> np.ndarray:
    """
    Imagine the image that the context of a prompt leads to.

    For callers that write the thought themselves: add it to `prompt.context` first.
    """
    return imagine_together(prompt.batch, sampling, seeds=[seed], on_step=of_one(on_step))[0]


def _of_one(on_event: Callable[[Event], None] | None) -> Callable[[int, Event], None] | None:
    """Return what a batch of one reports its events to."""
    return on_event and (lambda index, event: on_event(event))
