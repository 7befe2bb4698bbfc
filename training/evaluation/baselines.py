# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""What one gets without looking: chance, the blind guess, and images that anybody could offer."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

import cv2
from ipt_ros.spatial import Example, Question
import numpy as np

OTHERS = 64  # true images that are kept, as images that are right for another question
_ARTICLES = ('a', 'an', 'the')


def can_judge(question: Question) -> bool:
    """Tell whether there are choices and the right one is known."""
    return len(question.choices) > 1 and bool(question.answer)


def chance(questions: Sequence[Question]) -> float:
    """Return the accuracy of drawing one of the choices blindly."""
    return float(np.mean([1 / len(question.choices) for question in questions]))


class BlindBaseline:
    """
    The best guess of one who reads the question but sees no image.

    Learned from other questions: which choice tends to be right. Where the same choices come again
    and again (numbers, left and right), that is the one that mostly was, for the object asked
    about; counting questions with the published distractors give much away, since the truth is
    always the second or third smallest choice. Where choices are drawn from a pool of objects, as
    in path tracing, hardly a set of them is met twice: there it is the choice with the best odds,
    how often it was right among the times that it was listed.
    """

    def __init__(self, questions: Iterable[Question]):
        self._counts: dict[tuple, Counter] = defaultdict(Counter)
        self._listed: Counter = Counter()
        self._right: Counter = Counter()
        for question in questions:
            self._counts[self._key(question)][question.answer_choice] += 1
            self._listed.update(_object(choice) for choice in question.choices)
            self._right[_object(question.answer_choice)] += 1

    def right(self, question: Question) -> bool:
        """Return whether the best guess is the truth."""
        return self.guess(question) == question.answer_choice

    def guess(self, question: Question) -> str:
        """Return the choice to bet on; the median one of numbers that were never met together."""
        ordered = self._ordered(question)
        numeric = _numeric(question)
        seen = self._counts.get(self._key(question))
        if seen and (numeric or len(ordered) == 2):
            return seen.most_common(1)[0][0]
        if numeric:
            return ordered[len(ordered) // 2]
        return max(ordered, key=lambda choice: self._odds(choice, len(ordered)))

    def _odds(self, choice: str, choices: int) -> float:
        """Return the odds that a choice is right; as by chance where it was never listed."""
        name = _object(choice)
        return (self._right[name] + 1) / (self._listed[name] + choices)

    def accuracy(self, questions: Sequence[Question]) -> float:
        """Return the share of questions that the baseline gets right."""
        return float(np.mean([self.right(question) for question in questions]))

    @staticmethod
    def _ordered(question: Question) -> list[str]:
        return sorted(question.choices, key=int if _numeric(question) else str)

    @classmethod
    def _key(cls, question: Question) -> tuple:
        clue = question.metadata.get('category', question.metadata.get('object', ''))
        return (tuple(cls._ordered(question)), clue)


def _numeric(question: Question) -> bool:
    return all(choice.isdigit() for choice in question.choices)


def _object(choice: str) -> str:
    """Return a choice without its article: 'the bed' and 'a bed' are one object."""
    article, _, name = choice.partition(' ')
    return name if article.lower() in _ARTICLES and name else choice


class Reference:
    """
    What is known of a task without looking at an example's images: from other examples.

    ``blind`` is a BlindBaseline of their questions; their true images give the mean image and
    images that are true, but of another place.
    """

    def __init__(self, examples: Iterable[Example]):
        questions: list[Question] = []
        self._sum: np.ndarray | None = None
        self._count = 0
        self._others: list[np.ndarray] = []
        for example in examples:
            questions += [question for question in example.questions if can_judge(question)]
            if example.target is not None:
                self._add(example.target)
        self.blind = BlindBaseline(questions)

    def _add(self, image: np.ndarray) -> None:
        if self._sum is None:
            self._sum = np.zeros(image.shape, np.float64)
        self._sum += resized(image, self._sum.shape[:2])
        self._count += 1
        if len(self._others) < OTHERS:
            self._others.append(image)

    def predictions(self, example: Example, index: int) -> dict[str, np.ndarray]:
        """
        Return images, uint8 of the true image's size, that take no imagination.

        ``nearest_input`` is the input image with the least squared error: chosen with the truth
        at hand, so no rule that copies an input could do better. ``mean_image`` and
        ``other_truth`` are there only if the reference has true images.
        """
        size = example.target.shape[:2]
        copies = [resized(image, size) for image in example.images]
        found = {}
        if copies:
            found['nearest_input'] = min(copies, key=lambda image: float(
                ((image.astype(np.float32) - example.target) ** 2).mean()))
        if self._count:
            mean = np.rint(self._sum / self._count).astype(np.uint8)
            found['mean_image'] = resized(mean, size)
            found['other_truth'] = resized(self._others[index % len(self._others)], size)
        return found


def resized(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Return an image at (height, width): averaged where it shrinks, bicubic where it grows."""
    if image.shape[:2] == tuple(size):
        return image
    shrinks = image.shape[0] >= size[0] and image.shape[1] >= size[1]
    return cv2.resize(image, (size[1], size[0]),
                      interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC)
