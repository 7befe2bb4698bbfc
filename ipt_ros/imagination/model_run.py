# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""One request on the model."""

from collections.abc import Callable, Sequence
from dataclasses import replace
import math
import re
import time

from ipt_ros.bagel import (
    Bagel,
    Cancelled,
    Event,
    imagine,
    read_prompt,
    reason,
    Reasoning,
    Sampling,
    score_texts,
)
from ipt_ros.imagination.data import Answer, Code, ImaginationError, Options, Progress
from ipt_ros.imagination.prepare import Prepared
from ipt_ros.spatial import answers_like, choice_probabilities, extract_answer, LETTERS
from ipt_ros.spatial.prompts import ANSWER_ONLY_PROMPT, before_image_text, THINK_PROMPT
import numpy as np

_TAG = re.compile(r'<answer>\s*(.*?)\s*(?:</answer>|$)', re.DOTALL)


class ModelRun:
    """
    A request while the model works on it.

    `phases` fills with the seconds of each phase that there was: read, think, imagine, answer,
    score, confirm.
    """

    def __init__(self, model: Bagel, options: Options, seed: int,
                 on_progress: Callable[[Progress], None] | None,
                 cancelled: Callable[[], bool] | None):
        self.phases: dict[str, float] = {}
        self._model = model
        self._options = options
        self._seed = seed
        self._on_progress = on_progress or (lambda progress: None)
        self._cancelled = cancelled or (lambda: False)

    def answer(self, prepared: Prepared) -> tuple[Answer, list[np.ndarray]]:
        """Return the answer to a question and the pictures that were imagined on the way."""
        return self._stoppable(lambda: self._answer(prepared))

    def imagine(self, prepared: Prepared) -> list[np.ndarray]:
        """Return the imagined picture and, after it, quick samples that may confirm it."""
        return self._stoppable(lambda: self._imagine(prepared))

    def _answer(self, prepared: Prepared) -> tuple[Answer, list[np.ndarray]]:
        system = THINK_PROMPT if prepared.mode == 'imagine' else ANSWER_ONLY_PROMPT
        reasoning = reason(
            self._model, system=system, images=prepared.images, question=prepared.question.text,
            mode=prepared.mode, sampling=self._sampling(), seed=self._seed,
            on_event=self._on_event)
        self.phases.update({name: took for name, took in reasoning.timings.items() if took})
        began = time.perf_counter()
        choices = prepared.question.choices
        probabilities = self._believe(reasoning, choices) if choices else []
        self.phases['score'] = time.perf_counter() - began
        letter = _letter(reasoning, choices, probabilities)
        index = LETTERS.index(letter) if letter else -1
        answer = Answer(
            question=prepared.request.question, choices=tuple(choices), task=prepared.task.name,
            mode=prepared.mode,
            text=choices[index] if letter else _untagged(reasoning.answer_text),
            letter=letter, index=index,
            confidence=probabilities[index] if letter else math.nan,
            probabilities=tuple(probabilities), reasoning=''.join(reasoning.texts))
        return answer, reasoning.images

    def _imagine(self, prepared: Prepared) -> list[np.ndarray]:
        began = time.perf_counter()
        prompt = read_prompt(
            self._model, system=THINK_PROMPT, images=prepared.images,
            question=prepared.question.text, mode='imagine', on_event=self._on_event)
        # The thought is known beforehand, so the model need not write it.
        prompt.context.add_text(before_image_text(prepared.task.think_sentences[0]))
        self._lap('read', began)

        def draw(sampling: Sampling, seed: int, phase: str) -> np.ndarray:
            return imagine(
                prompt, sampling, seed=seed, on_step=lambda step, total, preview: self._report(
                    Progress(phase, step, total, preview)))

        began = time.perf_counter()
        sampling = self._sampling()
        pictures = [draw(sampling, self._seed, 'imagine')]
        began = self._lap('imagine', began)
        quick = replace(sampling, steps=min(sampling.steps, self._options.confidence_steps))
        for number in range(1, self._options.confidence_samples + 1):
            pictures.append(draw(quick, self._seed + number, 'confirm'))
        self._lap('confirm', began)
        return pictures

    def _sampling(self) -> Sampling:
        """Return the checkpoint's own settings with those of the options over them."""
        own, options = self._model.config.sampling, self._options
        return replace(
            own, steps=options.steps or own.steps, temperature=options.temperature,
            max_tokens=options.max_tokens or own.max_tokens)

    def _believe(self, reasoning: Reasoning, choices: Sequence[str]) -> list[float]:
        """Return the model's probability of each choice, as the answer that it was to write."""
        candidates = answers_like(reasoning.answer_text, choices, bool(reasoning.images))
        self._report(Progress('score', 1, 1))
        return choice_probabilities(score_texts(reasoning.context, candidates))

    def _on_event(self, event: Event) -> None:
        self._report(Progress(event.phase, event.step, event.total, event.preview))

    def _report(self, progress: Progress) -> None:
        if self._cancelled():
            raise Cancelled
        self._on_progress(progress)

    def _stoppable(self, work: Callable):
        try:
            self._report(Progress('read', 0, 0))
            return work()
        except Cancelled:
            raise ImaginationError(Code.CANCELLED, 'the request was cancelled') from None

    def _lap(self, phase: str, began: float) -> float:
        now = time.perf_counter()
        self.phases[phase] = now - began
        return now


def _letter(reasoning: Reasoning, choices: list[str], probabilities: list[float]) -> str:
    """Return the letter that was written, or the likeliest one where none was."""
    if not choices:
        return ''
    written = extract_answer(reasoning.answer_text, choices).letter
    return written or LETTERS[int(np.argmax(probabilities))]


def _untagged(text: str) -> str:
    """Return what stands in the answer tag, or all of the text without one."""
    found = _TAG.findall(text)
    return found[-1] if found else text.strip()
