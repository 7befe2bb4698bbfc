# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""
Listings: in one text, all that is to be told of a picture under a heading.

A question with choices brings one label for a picture; a listing brings a dozen, in a few tokens
each. What they tell: where things are, where they are from a marked place after a turn, how often
and in which pictures they are; of a map with a path, also which way it goes from its middle.
"""

from collections.abc import Mapping, Sequence

from ipt_ros.spatial.path_marks import PARTS
from ipt_ros.spatial.tasks.counting import MAX_COUNT
import numpy as np

from .data import TaskData
from .places import locate_answer, showing_answer
from .relations import answer_in_words, compass_words, on_map, Relation
from .samples import Material

COMPASS_HEADING = 'from M1 on the map:'
COUNT_HEADING = 'how many:'
# The turns after which a place is looked at, by task.
TURNS = {'pet': ('', 'left', 'right'), 'pt': ('', 'around')}
# Of the listings of a map with a path, how many tell of nothing but the marks, and how many where
# the way and everything else point on the map: all that is asked hangs on the two, and among
# everything on the map they would be a few tokens of many.
_MARKS_SHARE, _COMPASS_SHARE = 0.2, 0.3
# Of the others, and of those of other tasks, how many are the simpler of their two kinds.
_SIMPLE_SHARE = 1 / 3


def listing(task: str, data: TaskData, index: int, patch: int,
            rng: np.random.Generator) -> tuple[str, list[str]]:
    """Return a heading and, in random order, all entries under it."""
    drawn = rng.random() if task == 'pt' else 1.0
    simple = rng.random() < _SIMPLE_SHARE
    if drawn < _MARKS_SHARE:
        heading = 'on the path:'
        entries = _positions(data, index, patch, PARTS) + _way(data.relations[index])
    elif drawn < _MARKS_SHARE + _COMPASS_SHARE:
        heading, entries = COMPASS_HEADING, _compass(data.relations[index])
    elif task in TURNS and not simple:
        turn = str(rng.choice(TURNS[task]))
        heading = turned_heading(task, turn)
        entries = [f'{relation.name} {answer_in_words(relation, turn)}'
                   for relation in data.relations[index] if relation.alone]
    elif task in TURNS:
        heading, entries = 'in the picture:', _positions(data, index, patch)
    elif not simple:
        heading, entries = COUNT_HEADING, _counts(data.material(index))
    else:
        heading, entries = 'in which pictures:', _pictures(data, index, patch)
    return heading, [entries[i] for i in rng.permutation(len(entries))]


def map_listing(counts: Mapping[str, int],
                rng: np.random.Generator) -> tuple[str, list[str]]:
    """Return a heading and, in random order, how many there are of everything on a map."""
    entries = [f'{name} {count}' for name, count in counts.items() if count <= MAX_COUNT]
    return COUNT_HEADING, [entries[i] for i in rng.permutation(len(entries))]


def turned_heading(task: str, turn: str) -> str:
    """Return the heading of a listing of what is around a marked place, after a turn if any."""
    if task == 'pt':
        return f'from M1 on the way {"2 to 1" if turn else "1 to 2"}:'
    return f"from the 'X'{f' after turning {turn}' if turn else ''}:"


def _positions(data: TaskData, index: int, patch: int,
               names: tuple[str, ...] | None = None) -> list[str]:
    return [f'{place.name} {locate_answer(place)}' for place in data.places(index, patch)[0]
            if names is None or place.name in names]


def _compass(found: Sequence[Relation]) -> list[str]:
    return _way(found) + [
        f'{relation.name} {on_map(relation)}' for relation in found if relation.alone]


def _way(found: Sequence[Relation]) -> list[str]:
    return [f'way {compass_words(found[0].heading)}'] if found else []


def _counts(material: Material) -> list[str]:
    return [f'{question.metadata["category"]} {question.answer_choice}'
            for question in material.questions]


def _pictures(data: TaskData, index: int, patch: int) -> list[str]:
    pictures = data.places(index, patch)
    names = sorted({place.name for seen in pictures for place in seen})
    return [f'{name} {showing_answer(name, pictures)}' for name in names]
