# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""What every task has: its images, its way to write choices, its thoughts, its sub-tasks."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar

from ipt_ros.spatial.errors import BadQuestionError, WrongImagesError
from ipt_ros.spatial.examples import LETTERS, Question
import numpy as np


class Task(ABC):
    """
    One kind of spatial question.

    A task is stateless. To add one, subclass, fill the class variables and the two methods, and
    register it in ``ipt_ros.spatial.tasks``.
    """

    name: ClassVar[str]
    # What is imagined: 'view' (first person), 'bev' (map from above) or '' (the model decides).
    imagination: ClassVar[str]
    # Fewest and most input images.
    image_count: ClassVar[tuple[int, int]]
    variants: ClassVar[tuple[str, ...]]
    subtasks: ClassVar[tuple[str, ...]]
    think_sentences: ClassVar[tuple[str, ...]]

    @abstractmethod
    def format_question(self, text: str, choices: Sequence[str]) -> str:
        """Return the user text for a question and its choices, as in the training data."""

    @abstractmethod
    def imagination_question(self, **options: str) -> Question:
        """Return a question to ask where only the imagined image is wanted."""

    def reword(self, question: Question, rng: np.random.Generator) -> Question:
        """
        Return a generated question once more, worded and shuffled afresh.

        Means the same and has the same truth: variety for training at no cost. Tasks without
        generated questions return it as it is.
        """
        return question

    def ask(self, text: str, choices: Sequence[str] = ()) -> Question:
        """
        Return somebody's own question in this task's form; its answer is not known.

        Raise BadQuestionError for an empty text, one lone choice, more choices than letters,
        or choices that are empty or equal.
        """
        if not text.strip():
            raise BadQuestionError('the question is empty; ask something')
        return self._build(text.strip(), list(choices))

    def check_images(self, images: Sequence[np.ndarray]) -> None:
        """Raise WrongImagesError when the images do not fit this task."""
        low, high = self.image_count
        if not low <= len(images) <= high:
            wanted = str(low) if low == high else f'{low} to {high}'
            raise WrongImagesError(
                f"task '{self.name}' takes {wanted} image(s), got {len(images)}")
        for number, image in enumerate(images):
            if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
                raise WrongImagesError(
                    f'image {number} is {image.dtype} {image.shape}; expected uint8 HxWx3 RGB')

    def reading(self, question: Question) -> str:
        """
        Return what is read off the true image before the answer to a generated question, if any.

        Where an answer takes two steps, to find something in the image and to name a choice, a
        small model is only taught the second when the first is written down.
        """
        return ''

    def think(self, rng: np.random.Generator) -> str:
        """Return one of the task's sentences that announce the imagined image."""
        return self.think_sentences[rng.integers(len(self.think_sentences))]

    def _build(
        self,
        text: str,
        choices: list[str],
        truth: str = '',
        subtask: str = '',
        metadata: dict[str, Any] | None = None,
    ) -> Question:
        """Check the choices and put everything together; ``truth`` is one of the choices."""
        if len(choices) == 1 or len(choices) > len(LETTERS):
            raise BadQuestionError(
                f'give no choice or 2 to {len(LETTERS)} choices, got {len(choices)}')
        if any(not choice.strip() for choice in choices):
            raise BadQuestionError(f'a choice is empty: {choices}')
        if len({choice.strip().casefold() for choice in choices}) != len(choices):
            raise BadQuestionError(f'choices must differ: {choices}')
        return Question(
            text=self.format_question(text, choices),
            choices=choices,
            answer=LETTERS[choices.index(truth)] if truth else '',
            subtask=subtask,
            metadata=metadata or {},
        )


def lettered_lines(text: str, choices: Sequence[str]) -> str:
    """Append choices as lines: '(A) Closer', '(B) Further'."""
    lines = [f'({letter}) {choice}' for letter, choice in zip(LETTERS, choices, strict=False)]
    return '\n'.join([text, *lines])


def lettered_inline(text: str, choices: Sequence[str]) -> str:
    """Append choices to the sentence: 'A) 1 B) 2 C) 3 D) 4'."""
    parts = [f'{letter}) {choice}' for letter, choice in zip(LETTERS, choices, strict=False)]
    return ' '.join([text, *parts])
