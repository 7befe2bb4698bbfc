# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""
Chains of thought, written from what an example's metadata say about its scene.

The text reasons to an answer that is worked out here once more, step by step, from places and
sightings, never taken from the stored answer; where both differ there is no chain but an error.
The manner follows the published ones: perspective taking in four steps, counting view by view,
path tracing in five steps.
"""

from collections.abc import Sequence
from dataclasses import dataclass
import math
from typing import Any, Literal

from ipt_ros.geometry import Pose2D
from ipt_ros.spatial import chain_wordings as wordings
from ipt_ros.spatial.answers import letter_of_choice
from ipt_ros.spatial.errors import SpatialError
from ipt_ros.spatial.examples import Example, Question
from ipt_ros.spatial.prompts import reasoned_text
import numpy as np

Detail = Literal['full', 'brief']
_NUMBERS = ('none', 'one', 'two', 'three', 'four', 'five', 'six', 'seven', 'eight', 'nine')
_COMPASS = ('up', 'up and to the left', 'to the left', 'down and to the left', 'down',
            'down and to the right', 'to the right', 'up and to the right')


class ChainError(SpatialError):
    """The metadata do not lead to the answer: something is missing, or contradicts it."""


@dataclass(frozen=True)
class Chain:
    """
    Sentences, and what they conclude.

    ``conclusion`` is the answer in words; ``letter`` its letter, '' for a question without
    choices.
    """

    sentences: list[str]
    conclusion: str
    letter: str

    @property
    def thought(self) -> str:
        """Return the sentences as one text, as it stands inside of <think>."""
        return ' '.join(self.sentences)

    @property
    def target(self) -> str:
        """Return the target of the text-CoT mode: thought, then answer, each in its tags."""
        return reasoned_text(self.thought, self.letter or self.conclusion)


def chain_of_thought(
    example: Example, question: Question, rng: np.random.Generator, detail: Detail = 'full',
) -> Chain:
    """
    Write the chain of one of an example's questions; ``rng`` draws the wordings.

    'brief' chains have a sentence or two besides the conclusion, for models that write little.
    Raise ChainError for a task without chains, for metadata that do not say enough (those of
    examples that were not generated may not), and where they contradict the stored answer.
    """
    try:
        write = _WRITERS[example.task]
    except KeyError:
        raise ChainError(
            f"no chains of thought for task '{example.task}'; there are some for "
            f'{", ".join(_WRITERS)}') from None
    try:
        sentences, conclusion = write(example.metadata, question, _Words(rng), detail == 'full')
    except KeyError as error:
        raise ChainError(
            f"the metadata of this '{example.task}' example have no {error}; chains are written "
            'for generated examples, which carry the truth of their scene') from None
    letter = letter_of_choice(conclusion, question.choices)
    if question.choices and not letter or question.answer and letter != question.answer:
        raise ChainError(
            f"the metadata lead to '{conclusion}', but the answer to {question.text!r} is given "
            f"as '{question.answer}'; verify the example")
    if letter:
        sentences.append(_Words(rng).say(wordings.CLOSING, letter=letter))
    return Chain(sentences, conclusion, letter)


class _Words:
    """Draws one of the wordings of a step and fills it in."""

    def __init__(self, rng: np.random.Generator):
        self._rng = rng

    def say(self, step: Sequence[str], **fields: Any) -> str:
        text = step[int(self._rng.integers(len(step)))].format(**fields)
        return text[0].upper() + text[1:]

    def part(self, step: Sequence[str], **fields: Any) -> str:
        """As `say`, for a part of a sentence."""
        return step[int(self._rng.integers(len(step)))].format(**fields)


def _metres(value: float) -> str:
    return f'{abs(value):.1f} m'


def _listed(parts: Sequence[str]) -> str:
    """Join parts with commas inside: 'one on the left, new; and one in the middle'."""
    return parts[0] if len(parts) == 1 else f'{"; ".join(parts[:-1])}; and {parts[-1]}'


def _perspective(known: dict, question: Question, words: _Words, full: bool):
    told = question.metadata
    name, turn = told['category'], told['turn']
    rows = [row for row in known['seen']
            if row['name'] == name and row['object'] == told.get('object', row['object'])]
    if len(rows) != 1:
        raise ChainError(f"the first view has {len(rows)} clear objects called '{name}', not one")
    row = rows[0]
    # A quarter turn to the left takes ahead to the right and behind to the left.
    from_ahead, from_behind = ('right', 'left') if turn == 'left' else ('left', 'right')
    is_ahead = row['ahead'] > 0
    fields = {
        'object': name,
        'turn': turn,
        'ahead': 'ahead' if is_ahead else 'behind',
        'along': _metres(row['ahead']),
        'left': 'left' if row['left'] > 0 else 'right',
        'across': _metres(row['left']),
        'from_ahead': from_ahead,
        'from_behind': from_behind,
        'side': from_ahead if is_ahead else from_behind,
        'before': _metres(row['distance_before']),
        'after': _metres(row['distance_after']),
    }
    closer = row['distance_after'] < row['distance_before']
    fields['change'] = 'closer' if closer else 'further'
    fields['less'] = 'less' if closer else 'more'
    if question.subtask.startswith('distance'):
        steps = (
            [wordings.PET_NOW, wordings.PET_MOVE, wordings.PET_PLACE, wordings.PET_THEN,
             wordings.PET_SPOT, wordings.PET_DISTANCE] if full else [wordings.PET_BRIEF_DISTANCE])
        conclusion = fields['change'].capitalize()
    else:
        steps = (
            [wordings.PET_MOVE, wordings.PET_PLACE, wordings.PET_TURN, wordings.PET_SIDE]
            if full else [wordings.PET_BRIEF_SIDE])
        conclusion = fields['side']
    return [words.say(step, **fields) for step in steps], conclusion


def _counting(known: dict, question: Question, words: _Words, full: bool):
    name = question.metadata['category']
    rows = [row for row in known['seen'] if row['name'] == name and row['views']]
    first_view: dict[int, int] = {}
    sentences = [words.say(wordings.MVC_OPENING, object=name)] if full else []
    for view in range(len(known['poses'])):
        here = sorted(
            (sighting['u'], row['object']) for row in rows for sighting in row['views']
            if sighting['view'] == view)
        fresh = [key for _, key in here if key not in first_view]
        if full:
            sentences += _one_view(name, view, here, first_view, words)
        else:
            sentences.append(_one_view_briefly(view, len(fresh), len(here) - len(fresh)))
        first_view |= dict.fromkeys(fresh, view)
        if full and fresh:
            sentences.append(words.say(wordings.MVC_SO_FAR, total=len(first_view)))
    if full and rows:
        places = [f'one {_from_center(row)}' for row in rows]
        sentences.append(words.say(wordings.MVC_ABOVE, listed=_listed(places)))
    total = str(len(first_view))
    sentences.append(words.say(wordings.MVC_TOTAL, total=total))
    return sentences, total


def _one_view(name: str, view: int, here: list, first_view: dict, words: _Words) -> list[str]:
    """Say what a view shows, from left to right, and which of it was seen before."""
    if not here:
        return [words.say(wordings.MVC_NONE, view=view + 1, object=name)]
    parts = []
    for u, key in here:
        place = f'one {_place_in_view(u)}'
        parts.append(
            words.part(wordings.MVC_KNOWN, place=place, first=first_view[key] + 1)
            if key in first_view else words.part(wordings.MVC_NEW, place=place))
    return [words.say(wordings.MVC_SOME, view=view + 1, listed=_listed(parts))]


def _one_view_briefly(view: int, fresh: int, known: int) -> str:
    parts = [f'{_NUMBERS[count]} {what}'
             for count, what in ((fresh, 'new'), (known, 'seen before')) if count]
    return f'View {view + 1}: {", ".join(parts) or _NUMBERS[0]}.'


def _place_in_view(u: float) -> str:
    if u < 1 / 3:
        return 'on the left'
    return 'on the right' if u > 2 / 3 else 'in the middle'


def _from_center(row: dict) -> str:
    """Say where an object is on the map, from its centre; nothing of less than 5 cm."""
    parts = [
        f'{_metres(row[axis])} {positive if row[axis] > 0 else negative}'
        for axis, positive, negative in (
            ('ahead', 'ahead', 'behind'), ('left', 'to the left', 'to the right'))
        if abs(row[axis]) >= 0.05
    ]
    return ' and '.join(parts) or 'right there'


def _path_tracing(known: dict, question: Question, words: _Words, full: bool):
    told = question.metadata
    start, end = told['direction']
    middle, side = Pose2D(*known['midpoint']), told['side']
    look = middle.moved(0.0, turn=math.pi / 2 if side == 'left' else -math.pi / 2)
    in_sight = {row['object']: row['name'] for row in known['seen']}
    names = {_without_article(choice): choice for choice in question.choices} or {
        told['seen']: told['seen']}
    right = [name for name in names if name in in_sight.values()]
    if len(right) != 1:
        raise ChainError(f'of the choices {list(names)}, {len(right)} are in sight, not one')
    answer = right[0]
    places = {row['id']: (row['name'], row['position']) for row in known['objects']}
    nearest = min(
        math.dist((look.x, look.y), places[key][1][:2])
        for key, name in in_sight.items() if name == answer)
    up = known['map']['yaw']
    fields = {
        'start': start,
        'end': end,
        'side': side,
        'opposite': 'right' if side == 'left' else 'left',
        'heading': _on_map(middle.yaw - up),
        'toward': _on_map(look.yaw - up),
        'distance': _metres(nearest),
    }
    steps = [wordings.PT_PATH, wordings.PT_HEADING, wordings.PT_SIDE, wordings.PT_SEEN]
    sentences = [
        words.say(step, object=answer, **fields) for step in (steps if full else steps[1:])]
    for name in names if full else ():
        if name != answer:
            why = _why_not_seen(name, places.values(), look, side)
            sentences.append(words.say(wordings.PT_NOT_SEEN[why], object=name, **fields))
    return sentences, names[answer]


def _without_article(choice: str) -> str:
    first, _, rest = choice.partition(' ')
    return rest if first in ('a', 'an', 'the') and rest else choice


def _on_map(angle: float) -> str:
    """Name a direction on the map, given the angle (rad) to the left of up."""
    return _COMPASS[round(angle / (math.pi / 4)) % len(_COMPASS)]


def _why_not_seen(name: str, places, look: Pose2D, side: str) -> str:
    """
    Say where something is that the view at M1 does not show.

    look: the pose of that view. Of several of a name the nearest is meant.
    """
    offsets = [(position[0] - look.x, position[1] - look.y)
               for other, position in places if other == name]
    if not offsets:
        return 'absent'
    x, y = min(offsets, key=lambda offset: math.hypot(*offset))
    c, s = math.cos(look.yaw), math.sin(look.yaw)
    ahead, left = x * c + y * s, y * c - x * s
    if ahead > abs(left):
        return 'hidden'
    if -ahead > abs(left):
        return 'opposite'
    # Who looks to the left has the way ahead on the right of the view.
    return 'ahead' if (left < 0) == (side == 'left') else 'behind'


_WRITERS = {'pet': _perspective, 'mvc': _counting, 'pt': _path_tracing}
