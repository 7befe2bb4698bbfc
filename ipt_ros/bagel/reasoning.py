# SPDX-License-Identifier: Apache-2.0
"""
The interleaved loop: read, think, imagine, look at what was imagined, answer.

Texts that the model writes ask for an image with the plain words `<image_start>`; the answer
stands inside `<answer>...</answer>`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
import time

import numpy as np

from .config import Sampling
from .context import Context
from .errors import InputError
from .flow import sample_image
from .images import check_image, fit, shrink
from .text import generate_text

IMAGINE = '<image_start>'
ANSWERED = '</answer>'
MODES = ('imagine', 'answer')


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
    the answer there. `timings` are seconds a phase: read, think, imagine, answer.
    """

    texts: list[str]
    images: list[np.ndarray]
    answer_text: str
    timings: dict[str, float]
    context: Context


@dataclass
class Prompt:
    """A question as read, ready to reason on, and what guidance compares it with."""

    context: Context
    text_free: Context  # without the question
    image_free: Context  # without the images
    image_size: tuple[int, int] | None  # (height, width) of the last image as the model saw it


def read_prompt(model, *, system: str, images: Sequence[np.ndarray], question: str, mode: str,
                on_event: Callable[[Event], None] | None = None) -> Prompt:
    """
    Read system text, images and question, in this order.

    In mode 'imagine' images enter as latents and features, in mode 'answer' as features alone.
    Images are uint8 (height, width, 3); several are shrunk to `config.multi_image_max` first.
    """
    if mode not in MODES:
        raise InputError(f'mode must be one of {MODES}, got {mode!r}')
    images = [check_image(image) for image in images]
    longest = model.config.multi_image_max
    if len(images) > 1 and longest:
        images = [shrink(image, longest) for image in images]
    total = len(images) + 1
    context = Context(model)
    if system:
        context.add_text(system)
    image_free = context.fork()
    for step, image in enumerate(images, start=1):
        context.add_image(image, vit=True, vae=mode == 'imagine')
        if on_event is not None:
            on_event(Event('read', step, total))
    text_free = context.fork()
    context.add_text(question)
    if mode == 'imagine':
        image_free.add_text(question)
    if on_event is not None:
        on_event(Event('read', total, total))
    size = fit(images[-1], model.config.vae_transform).shape[:2] if images else None
    return Prompt(context, text_free, image_free, size)


def reason(model, *, system: str, images: Sequence[np.ndarray], question: str,
           mode: str = 'imagine', sampling: Sampling | None = None, seed: int = 42,
           on_event: Callable[[Event], None] | None = None) -> Reasoning:
    """
    Answer a question about images, imagining on the way if the model asks to.

    Nothing in `system` or `question` can act as a special token. `sampling` None means the
    model's own. `on_event` may raise `Cancelled`, which ends the loop. Raises InputError.
    """
    sampling = sampling or model.config.sampling
    timings = dict.fromkeys(('read', 'think', 'imagine', 'answer'), 0.0)
    clock = time.perf_counter()

    def lap(phase: str) -> None:
        nonlocal clock
        now = time.perf_counter()
        timings[phase] += now - clock
        clock = now

    def on_token(text: str) -> None:
        nonlocal written
        written += 1
        if on_event is not None:
            on_event(Event('write', written, 0, text=text))

    def on_step(step: int, total: int, preview: Callable[[], np.ndarray]) -> None:
        if on_event is not None:
            on_event(Event('imagine', step, total, preview=preview))

    prompt = read_prompt(model, system=system, images=images, question=question, mode=mode,
                         on_event=on_event)
    context = prompt.context
    lap('read')
    texts, imagined = [], []
    while True:
        written = 0
        text = generate_text(
            context, max_tokens=sampling.max_tokens, temperature=sampling.temperature,
            seed=seed + len(texts), stop=(ANSWERED,), on_token=on_token).text
        texts.append(text)
        if mode == 'answer' or IMAGINE not in text or len(imagined) >= sampling.max_images:
            lap('answer')
            return Reasoning(texts, imagined, text, timings, context)
        context.add_text(text)
        lap('think')
        imagined.append(imagine(prompt, sampling, seed=seed + len(imagined), on_step=on_step))
        context.add_image(imagined[-1])
        lap('imagine')


def imagine(prompt: Prompt, sampling: Sampling, *, seed: int = 42,
            on_step: Callable | None = None) -> np.ndarray:
    """
    Imagine the image that the context of a prompt leads to.

    For callers that write the thought themselves: add it to `prompt.context` first.
    """
    size = sampling.image_size or prompt.image_size
    if size is None:
        raise InputError('no size for the imagined image: set sampling.image_size, or give images')
    return sample_image(
        prompt.context, size=size, steps=sampling.steps, shift=sampling.shift,
        guidance=sampling.guidance, text_free=prompt.text_free, image_free=prompt.image_free,
        seed=seed, on_step=on_step)
