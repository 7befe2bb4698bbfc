# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""Path tracing (PT): walk from one waypoint to another, say what is on one side half way."""

from collections.abc import Sequence
from dataclasses import replace
import re

from ipt_ros.spatial.errors import BadQuestionError
from ipt_ros.spatial.examples import Question
from ipt_ros.spatial.tasks import path_wordings as wordings
from ipt_ros.spatial.tasks.base import lettered_lines, Task
import numpy as np

SIDES = ('left', 'right')
DISTRACTORS = 3
# Waypoints from which and to which one goes.
DIRECTIONS = ((1, 2), (2, 1))
# Metres of path, from (inclusive) and to (exclusive), as in the published data.
LENGTH_BINS = ((1.0, 2.0), (2.0, 4.0), (4.0, float('inf')))

_WORDINGS = {
    'td_path': wordings.PATH,
    'td_path_arrow': wordings.PATH_ARROW,
    'td_ego_dir': wordings.EGO_DIR,
}
_IMAGE_TAG = re.compile(r'<image_(\d+)>')
_SIDE = re.compile(r'\b(left|right)\b', re.IGNORECASE)
_DIRECTION = re.compile(
    r'\b([12])\s*(?:→|->|to)\s*(?:the\s+)?(?:way)?(?:point\s*)?([12])\b', re.IGNORECASE)
_ARROW = re.compile(r'\barrow\b', re.IGNORECASE)


class PathTracing(Task):
    """
    A map with a path on it; the imagination is the view to one side from the path's midpoint M1.

    ``td_path``: the map alone. ``td_path_arrow``: the map with an arrow at M1 that points to the
    side asked. ``td_ego_dir``: the map, then the views ahead from where the walk starts and from
    where it ends. Sides are those of one who walks, from waypoint 1 to 2 or from 2 to 1.
    """

    name = 'pt'
    imagination = 'view'
    image_count = (1, 3)
    variants = ('td_path', 'td_path_arrow', 'td_ego_dir')
    subtasks = variants
    think_sentences = tuple(
        text.format(side=side) for text in wordings.THOUGHTS for side in SIDES)

    def format_question(self, text: str, choices: Sequence[str]) -> str:
        """
        Return the question with one line a choice: '(A) ...'.

        References to images, ``<image_1>``, take the form that published models read.
        """
        return lettered_lines(_IMAGE_TAG.sub(r'<img><|image_\1|></img>', text), choices)

    def imagination_question(self, **options: str) -> Question:
        """Return a question about a ``side`` ('left' or 'right') on the way from 1 to 2."""
        side = _checked_side(options.get('side', 'left'))
        return self._build(wordings.PATH[0].format(start=1, end=2, side=side), [])

    def think(self, rng: np.random.Generator, side: str = '') -> str:
        """Return a sentence that announces the view to a side, or to any."""
        fitting = [text for text in self.think_sentences if f' {side}' in text]
        return fitting[rng.integers(len(fitting))]

    def question(
        self,
        seen: str,
        unseen: Sequence[str],
        side: str,
        direction: tuple[int, int],
        rng: np.random.Generator,
        variant: str = 'td_path',
    ) -> Question:
        """
        Return 'Which object can you see ...' with one object that is seen and three that are not.

        seen: the class of the right one. unseen: three classes or more, of which three are drawn.
        Wording, article and the order of choices are drawn by ``rng``. The metadata names the
        truth ``seen``, and holds ``unseen`` for another draw.
        """
        side = _checked_side(side)
        if variant not in self.variants or tuple(direction) not in DIRECTIONS:
            raise BadQuestionError(
                f"unknown variant '{variant}' or direction {direction}; expected one of "
                f'{self.variants} and {DIRECTIONS}')
        if len(set(unseen) - {seen}) != len(unseen) or len(unseen) < DISTRACTORS:
            raise BadQuestionError(
                f"need {DISTRACTORS} or more different objects other than '{seen}' that are not "
                f'seen, got {list(unseen)}')
        texts = _WORDINGS[variant]
        wording = int(rng.integers(len(texts)))
        definite = bool(rng.integers(2))
        drawn = [str(name) for name in rng.permutation(list(unseen))[:DISTRACTORS]]
        choices = [_with_article(str(name), definite) for name in rng.permutation([seen, *drawn])]
        start, end = direction
        return self._build(
            texts[wording].format(start=start, end=end, side=side), choices,
            truth=_with_article(seen, definite), subtask=variant,
            metadata={
                'seen': seen, 'distractors': drawn, 'unseen': list(unseen), 'side': side,
                'direction': [start, end], 'variant': variant, 'wording': wording})

    def reword(self, question: Question, rng: np.random.Generator) -> Question:
        """Return the same question in other words, with other distractors where there are any."""
        known = question.metadata
        again = self.question(
            known['seen'], known['unseen'], known['side'], tuple(known['direction']), rng,
            known['variant'])
        return replace(again, metadata=known | again.metadata)

    def from_other_end(self, question: Question, rng: np.random.Generator) -> Question:
        """Return the same about the same view for one who comes the other way, the other side."""
        known = question.metadata
        walked = {'side': SIDES[1 - SIDES.index(known['side'])],
                  'direction': known['direction'][::-1]}
        return self.reword(replace(question, metadata=known | walked), rng)


def side_in(question: str) -> str:
    """Return the side that a question names, 'left' or 'right', or '' if none or both."""
    found = {side.lower() for side in _SIDE.findall(question)}
    return found.pop() if len(found) == 1 else ''


def goes_back(question: str) -> bool:
    """Tell whether a question goes from waypoint 2 to waypoint 1; most go from 1 to 2."""
    return ('2', '1') in _DIRECTION.findall(question)


def names_arrow(question: str) -> bool:
    """Tell whether a question is about an arrow on the map."""
    return _ARROW.search(question) is not None


def _with_article(name: str, definite: bool) -> str:
    if definite:
        return f'the {name}'
    return f'{"an" if name.lower().startswith(tuple("aeiou")) else "a"} {name}'


def _checked_side(side: str) -> str:
    if side not in SIDES:
        raise BadQuestionError(f"side must be 'left' or 'right', got '{side}'")
    return side
