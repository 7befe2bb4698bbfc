# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""Perspective taking (PET): walk to the red X, turn a quarter, say what has changed."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ipt_ros.spatial.errors import BadQuestionError
from ipt_ros.spatial.examples import Question
from ipt_ros.spatial.tasks import wordings
from ipt_ros.spatial.tasks.base import lettered_lines, Task
from ipt_ros.spatial.visibility import Sighting
import numpy as np

DISTANCE_SUBTASKS = ('distance_change_closer', 'distance_change_further')
SIDE_SUBTASKS = tuple(
    f'relative_position_{before}_{after}' for before in ('left', 'right')
    for after in ('left', 'right'))
TURNS = ('left', 'right')

_WORDINGS = {
    ('distance', 'no_arrow'): wordings.DISTANCE,
    ('distance', 'with_arrow'): wordings.DISTANCE_ARROW,
    ('side', 'no_arrow'): wordings.SIDE,
    ('side', 'with_arrow'): wordings.SIDE_ARROW,
}


@dataclass(frozen=True)
class PerspectiveRules:
    """
    When an object makes a fair question.

    Pixel rules are fractions of the image, so that they hold at any size; the published figures
    are for images of 1024 px. Distances are metres.
    """

    min_area: float = 0.004  # of the image, in both views; published: 0.4 %
    max_distance: float = 5.0
    edge_margin: float = 150 / 1024  # mask centre to the image's edge
    side_margin: float = 150 / 1024  # mask centre to the middle line, for left/right
    min_distance_change: float = 0.5

    def is_clear(self, sighting: Sighting, distance: float) -> bool:
        """Tell whether an object is large, near and central enough to be asked about."""
        return (
            sighting.area >= self.min_area
            and distance <= self.max_distance
            and self.edge_margin <= sighting.u <= 1 - self.edge_margin
            and self.edge_margin <= sighting.v <= 1 - self.edge_margin
        )

    def side(self, sighting: Sighting) -> str | None:
        """Return 'left' or 'right', or None for an object at or across the middle line."""
        if sighting.u <= 0.5 - self.side_margin and sighting.u_max <= 0.5:
            return 'left'
        if sighting.u >= 0.5 + self.side_margin and sighting.u_min >= 0.5:
            return 'right'
        return None

    def subtasks(
        self,
        before: Sighting,
        after: Sighting,
        distance_before: float,
        distance_after: float,
    ) -> list[str]:
        """
        Return the sub-tasks for which an object, seen in both views, makes a question.

        At most one of the two distance sub-tasks and one of the four side sub-tasks.
        """
        if not (self.is_clear(before, distance_before) and self.is_clear(after, distance_after)):
            return []
        found = []
        change = distance_after - distance_before
        if abs(change) >= self.min_distance_change:
            found.append(DISTANCE_SUBTASKS[change > 0])
        sides = self.side(before), self.side(after)
        if None not in sides:
            found.append('relative_position_{}_{}'.format(*sides))
        return found


class PerspectiveTaking(Task):
    """
    One first-person view with an X on the floor; the imagination is the view from there.

    The observer moves to the X keeping the heading, then turns 90 degrees left or right.
    """

    name = 'pet'
    imagination = 'view'
    image_count = (1, 1)
    variants = ('no_arrow', 'with_arrow')
    subtasks = DISTANCE_SUBTASKS + SIDE_SUBTASKS
    think_sentences = (
        'I need to visualize the scene from the new perspective after moving to the marked '
        'position.',
        'Let me imagine what the view looks like from the target position.',
        'Visualizing the novel viewpoint to determine the spatial relation.',
    )

    def format_question(self, text: str, choices: Sequence[str]) -> str:
        """Return the question with one line a choice: '(A) ...'."""
        return lettered_lines(text, choices)

    def imagination_question(self, **options: str) -> Question:
        """Return a question about a place's ``object`` after a ``turn`` ('left' or 'right')."""
        turn = _checked_turn(options.get('turn', 'left'))
        text = wordings.DISTANCE[1].format(direction=turn, object=options.get('object', 'door'))
        return self._build(text, ['Closer', 'Further'])

    def question(
        self,
        subtask: str,
        category: str,
        turn: str,
        rng: np.random.Generator,
        variant: str = 'no_arrow',
    ) -> Question:
        """
        Return a question of a sub-task about an object; wording and order of choices by ``rng``.

        ``subtask`` says the truth: what it ends with is the right choice.
        """
        wording = int(rng.integers(len(wordings.DISTANCE)))
        return self._worded(subtask, category, turn, variant, wording, bool(rng.integers(2)))

    def in_variant(self, question: Question, variant: str) -> Question:
        """
        Return a generated question as the twin for another marked image.

        The choices keep their order, and the wording its number: in the published rows both
        questions share one answer.
        """
        known = question.metadata
        reverse = question.choices != sorted(question.choices)
        twin = self._worded(
            question.subtask, known['category'], known['turn'], variant, known['wording'], reverse)
        return replace(twin, metadata=known | twin.metadata)

    def reword(self, question: Question, rng: np.random.Generator) -> Question:
        """Return the same question in another wording and order of choices, where it is ours."""
        known = question.metadata
        if question.subtask not in self.subtasks:
            return question
        again = self.question(
            question.subtask, known['category'], known['turn'], rng,
            known.get('variant', 'no_arrow'))
        return replace(again, metadata=known | again.metadata)

    def _worded(
        self, subtask: str, category: str, turn: str, variant: str, wording: int, reverse: bool,
    ) -> Question:
        turn = _checked_turn(turn)
        if subtask not in self.subtasks or variant not in self.variants:
            raise BadQuestionError(
                f"unknown sub-task '{subtask}' or variant '{variant}'; expected one of "
                f'{self.subtasks} and {self.variants}')
        kind = 'distance' if subtask in DISTANCE_SUBTASKS else 'side'
        choices = ['Closer', 'Further'] if kind == 'distance' else ['left', 'right']
        ending = subtask.rsplit('_', 1)[1]
        truth = ending.capitalize() if kind == 'distance' else ending
        text = _WORDINGS[kind, variant][wording].format(direction=turn, object=category)
        return self._build(
            text, choices[::-1] if reverse else choices, truth, subtask,
            metadata={
                'category': category, 'turn': turn, 'variant': variant, 'wording': wording})


def _checked_turn(turn: str) -> str:
    if turn not in TURNS:
        raise BadQuestionError(f"turn must be 'left' or 'right', got '{turn}'")
    return turn
