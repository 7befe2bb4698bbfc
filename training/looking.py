# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""
What an example's target shows, told by the letters of choices that stand before it.

A thought puts the question before the image, where an answer at once puts it behind. Patches then
have to find themselves among the choices, not choices their patches, and one letter an image
teaches that slowly. Here four names get letters, then comes the image, then many small questions:
the letter of what is in a cell, where what has a letter is, how many of it a map shows. There are
questions of the task's own form, too, about everything in the target rather than what the example
happened to ask.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from ipt_ros.spatial import LETTERS, Question, TASKS
from ipt_ros.spatial.path_marks import PARTS
from ipt_ros.spatial.tasks.counting import MAX_COUNT
from ipt_ros.spatial.tasks.path_tracing import DISTRACTORS
import numpy as np

from .data import TaskData
from .examples.counting import KEEP
from .places import locate_answer, ROOM, what_question

HEADING = 'What is there?'
ABSENT = 'none'
# As many choices as questions have; at least two of them are there.
_CHOICES, _LEAST_PRESENT = 4, 2
# Most cells that are asked about for one name.
_CELLS = 4
_NEVER_ASKED = {*PARTS, 'red X', 'nothing'}


@dataclass(frozen=True)
class Shown:
    """
    What a target shows.

    ``told``: what there is to tell of each thing by its name; ``absent``: names of what is not
    there; ``cells``: what fills a cell (row, column from 1).
    """

    told: Mapping[str, str]
    absent: list[str]
    cells: Mapping[tuple[int, int], str]


def shown(task: str, data: TaskData, index: int, patch: int) -> Shown:
    """
    Return what an example's target shows: cell and metres in a view, numbers on a map.

    What shows by a few pixels only, or in too many places, is neither told of nor absent.
    """
    if task == 'mvc':
        counts = data.target_counts[index]
        told = {name: str(count) for name, count in counts.items() if count <= MAX_COUNT}
    else:
        told = {place.name: locate_answer(place) for place in data.target_places(index, patch)}
    pixels = {data.class_names[label] for label in np.unique(data.target_classes[index])}
    hidden = _NEVER_ASKED | ROOM
    return Shown(
        {name: what for name, what in told.items() if name not in hidden},
        [name for name in data.class_names if name not in pixels | hidden],
        {cell: name for cell, name in data.target_cells(index, patch).items()
         if name not in _NEVER_ASKED})


def look(task: str, found: Shown, number: int, rng: np.random.Generator,
         ) -> tuple[str, list[tuple[str, str]]]:
    """
    Return names with letters, and up to ``number`` questions about them with their answers.

    They ask for a thing by its letter, or for the letter of what is in a cell.
    """
    things = rng.permutation(sorted({*found.told, *found.cells.values()} - ROOM)).tolist()
    room = rng.permutation(sorted(ROOM & set(found.cells.values()))).tolist()
    most = int(rng.integers(_LEAST_PRESENT, _CHOICES + 1))
    # A wall or the floor is in most cells; it takes part as one name of several.
    kept = (room[:1] + things)[:most] if rng.random() < 0.5 else (things + room)[:most]
    absent = rng.permutation(found.absent).tolist()[:_CHOICES - len(kept)]
    names = rng.permutation(kept + absent).tolist()
    letters = dict(zip(names, LETTERS))
    choices = names if task == 'mvc' else [f'the {name}' for name in names]
    cells = {name: rng.permutation([cell for cell, what in found.cells.items()
                                    if what == name])[:_CELLS] for name in names}
    asked = 'How many {}?' if task == 'mvc' else 'Where is {}?'
    questions = [(asked.format(letters[name]), found.told.get(name, ABSENT))
                 for name in names if name in found.told or name in absent]
    questions += [(what_question(*cell), letters[name])
                  for name in names for cell in cells[name]]
    questions = [questions[i] for i in rng.permutation(len(questions))[:number]]
    return TASKS[task].format_question(HEADING, choices), questions


def read_questions(task: str, found: Shown, like: Question,
                   rng: np.random.Generator) -> list[Question]:
    """Return what questions ``like`` one ask of anything in the target: paths and counting."""
    known = like.metadata
    if task == 'mvc':
        counts = {name: int(count) for name, count in found.told.items()}
        return [TASKS['mvc'].question(name, count, like.subtask, rng)
                for name, count in counts.items() if rng.random() < KEEP[count]]
    if task == 'pt' and len(found.absent) >= DISTRACTORS:
        return [TASKS['pt'].question(name, found.absent, known['side'], tuple(known['direction']),
                                     rng, known['variant']) for name in found.told]
    return []
