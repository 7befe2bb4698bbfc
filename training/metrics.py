# SPDX-License-Identifier: Apache-2.0
"""Accuracy with an honest interval, and how near an imagined image is to the true one."""

from collections import Counter, defaultdict
from collections.abc import Sequence
import math

from ipt_ros.spatial.examples import Question
import numpy as np

Z95 = 1.959963984540054


def wilson_interval(right: int, n: int, z: float = Z95) -> tuple[float, float]:
    """
    95 % interval of a share (Wilson 1927: well behaved near 0 and 1 and for small n).

    Raises ValueError unless 0 <= right <= n and n > 0.
    """
    if n <= 0 or not 0 <= right <= n:
        raise ValueError(f'an interval needs 0 <= right <= n and n > 0, got {right} of {n}')
    share = right / n
    scale = 1 + z**2 / n
    middle = (share + z**2 / (2 * n)) / scale
    half = z * math.sqrt(share * (1 - share) / n + z**2 / (4 * n**2)) / scale
    return max(0.0, middle - half), min(1.0, middle + half)


def chance(questions: Sequence[Question]) -> float:
    """Return the accuracy of drawing one of the choices blindly."""
    return float(np.mean([1 / len(question.choices) for question in questions]))


class BlindBaseline:
    """
    The best guess of one who reads the question but sees no image.

    Learned from training questions: the sub-task-free clues a question itself gives away, that
    is, which choice (by its text, and by its rank among numeric choices) tends to be right.
    Counting questions with the published distractors give much away: the truth is always the
    second or third smallest choice.
    """

    def __init__(self, questions: Sequence[Question]):
        self._counts: dict[tuple, Counter] = defaultdict(Counter)
        for question in questions:
            self._counts[self._key(question)][question.answer_choice] += 1

    def right(self, question: Question) -> bool:
        """Return whether the best guess is the truth; unseen questions guess the median choice."""
        seen = self._counts.get(self._key(question))
        ordered = self._ordered(question)
        guess = seen.most_common(1)[0][0] if seen else ordered[len(ordered) // 2]
        return guess == question.answer_choice

    def accuracy(self, questions: Sequence[Question]) -> float:
        """Return the share of questions that the baseline gets right."""
        return float(np.mean([self.right(question) for question in questions]))

    @staticmethod
    def _ordered(question: Question) -> list[str]:
        numeric = all(choice.isdigit() for choice in question.choices)
        return sorted(question.choices, key=int if numeric else str)

    @classmethod
    def _key(cls, question: Question) -> tuple:
        clue = question.metadata.get('category', question.metadata.get('object', ''))
        return (tuple(cls._ordered(question)), clue)


def squared_error(image: np.ndarray, truth: np.ndarray) -> float:
    """Mean squared error of uint8 images on the scale 0..1."""
    if image.shape != truth.shape:
        raise ValueError(f'images of unlike shape: {image.shape} and {truth.shape}')
    return float(np.mean((image.astype(np.float32) - truth.astype(np.float32))**2) / 255**2)
