# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""Multiview counting (MVC): four views of one area, and how many of a kind are there."""

from collections.abc import Sequence
from dataclasses import replace

from ipt_ros.spatial.errors import BadQuestionError
from ipt_ros.spatial.examples import Question
from ipt_ros.spatial.tasks.base import lettered_inline, Task
import numpy as np

MAX_COUNT = 5
# Chance that the row of choices starts two below the truth, not one. With counts of 1 to 5 equally
# common, both middle numbers of a row are right about equally often, and who knows these chances
# but sees no image is right in 60 % of all questions. Less is not possible with rows of four.
_ROW_FROM_TWO_BELOW = {1: 0.0, 2: 0.9, 3: 0.3, 4: 0.35, 5: 0.9}


class MultiviewCounting(Task):
    """
    Count a category over four views; the imagination is a map seen from above.

    The views look along headings 0, 90, 180 and 270 degrees, counter-clockwise: from one place
    (``rotation``), or from the four corners of a square path towards its centre
    (``multi_camera``). The first view's heading points up in the map.
    """

    name = 'mvc'
    imagination = 'bev'
    image_count = (4, 4)
    variants = ('rotation', 'multi_camera')
    subtasks = variants
    think_sentences = (
        'Examining the scene from above to identify all objects.',
        'Let me consider the overlap between different camera views.',
        "I'll examine the top-down perspective to count the objects.",
        'Analyzing the different perspectives to avoid double-counting.',
    )

    def format_question(self, text: str, choices: Sequence[str]) -> str:
        """Return the question with the choices in the same line."""
        return lettered_inline(text, choices)

    def imagination_question(self, **options: str) -> Question:
        """Return the usual question; ``category`` may be given."""
        text = self._text(options.get('category', 'chair'))
        return self._build(text, ['1', '2', '3', '4'])

    def question(
        self, category: str, count: int, variant: str, rng: np.random.Generator,
    ) -> Question:
        """
        Return 'How many ...' with the count and three distractors at +-1 and +-2.

        The choices are four numbers in a row: with a gap, only one of them would be within 2 of
        all the others, and the question would answer itself. No choice is negative, so the
        truth is always second or third smallest of the four; the metadata says which
        (``rank``, from 0), for a baseline that reads the question only.
        """
        if count < 1:
            raise BadQuestionError(f'count must be 1 or more, got {count}')
        rank = 1 + int(rng.random() < _ROW_FROM_TWO_BELOW.get(count, 0.5))
        choices = [str(n) for n in rng.permutation(np.arange(4) + count - rank)]
        return self._build(
            self._text(category), choices, truth=str(count), subtask=variant,
            metadata={'category': category, 'count': count, 'rank': rank})

    def reword(self, question: Question, rng: np.random.Generator) -> Question:
        """Return the same question with other distractors and another order, where it is ours."""
        truth = question.metadata
        if 'category' not in truth:
            return question
        again = self.question(truth['category'], truth['count'], question.subtask, rng)
        return replace(again, metadata=truth | again.metadata)

    def reading(self, question: Question) -> str:
        """Return the category and how many of it there are."""
        known = question.metadata
        return f'{known["category"]} {known["count"]}.' if 'category' in known else ''

    @staticmethod
    def _text(category: str) -> str:
        return f'How many {category}(s) are in this area?'
