# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""
Where in a picture things are, in a few words: what ties names to patches.

Every spatial answer begins with finding the object that the question names. A question about one
picture and one name asks for that alone, and a small model learns it first. The truth comes from
the per-pixel classes and depths of examples.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

SMALLEST = 0.004  # of the picture
# Everywhere, so nowhere in particular.
ROOM = {'nothing', 'floor', 'wall', 'ceiling'}


@dataclass(frozen=True)
class Place:
    """A class of things in a picture: grid row and column from 1, and metres to its middle."""

    name: str
    row: int
    column: int
    metres: int


def places(classes: np.ndarray, depth_mm: np.ndarray, names: Sequence[str],
           patch: int) -> list[Place]:
    """
    Return where each class is that covers enough of the picture and is in one piece.

    classes uint8 (H, W), indices into ``names``; depth_mm uint16 (H, W). The grid has cells of
    ``patch`` pixels, those of the image encoder. A class whose pixels spread over more than half
    of the width or height has no one place and is left out.
    """
    found = []
    for label in np.unique(classes):
        if names[label] in ROOM:
            continue
        rows, columns = np.nonzero(classes == label)
        height, width = classes.shape
        if len(rows) < SMALLEST * classes.size or rows.std() > height / 4 \
                or columns.std() > width / 4:
            continue
        metres = np.median(depth_mm[rows, columns]) / 1000
        found.append(Place(
            names[label], int(np.median(rows)) // patch + 1, int(np.median(columns)) // patch + 1,
            min(9, max(1, round(metres)))))
    return found


def patch_names(classes: np.ndarray, names: Sequence[str], patch: int,
                least: float = 0.6, thing: float | None = None) -> dict[tuple[int, int], str]:
    """
    Return what fills each grid cell (row, column from 1), where one class fills most of it.

    With ``thing``, a thing on the floor or the wall behind it needs that share only.
    """
    rows, columns = classes.shape[0] // patch, classes.shape[1] // patch
    cells = classes[:rows * patch, :columns * patch].reshape(rows, patch, columns, patch)
    room = [label for label, name in enumerate(names) if name in ROOM]
    found = {}
    for row in range(rows):
        for column in range(columns):
            counts = np.bincount(cells[row, :, column].ravel(), minlength=len(names))
            if thing is not None:
                things = counts.copy()
                things[room] = 0
                if things.max() >= thing * patch**2:
                    found[row + 1, column + 1] = names[things.argmax()]
                    continue
            if counts.max() >= least * patch**2:
                found[row + 1, column + 1] = names[counts.argmax()]
    return found


def what_question(row: int, column: int) -> str:
    """Ask what is in a cell of the only picture."""
    return f'What is at {row} {column}?'


def where_question(name: str) -> str:
    """Ask where something is: where in the only picture, or in which of several."""
    return f'Where is the {name}?'


def locate_answer(place: Place) -> str:
    """Return row, column and metres, a digit each."""
    return f'{place.row} {place.column} {place.metres}'


def showing_answer(name: str, pictures: Sequence[Sequence[Place]]) -> str:
    """Return the numbers from 1 of the pictures that show it, or 'none'."""
    numbers = [str(number) for number, seen in enumerate(pictures, start=1)
               if any(place.name == name for place in seen)]
    return ' '.join(numbers) or 'none'
