# SPDX-License-Identifier: Apache-2.0
"""One row of somebody else's data set: cells by column name, errors that name the place."""

import ast
from collections.abc import Callable, Sequence
import contextlib
from dataclasses import dataclass
from io import BytesIO
import json
from pathlib import Path
from typing import Any

import cv2
from ipt_ros.bagel.images import check_image
from ipt_ros.spatial import LETTERS
from ipt_ros.spatial.answers import letter_of_choice
from ipt_ros.spatial.tasks.base import lettered_inline, lettered_lines
from ipt_training.datasets.published.choices import choices_in
from ipt_training.store import StoreError
import numpy as np
from PIL import Image


class PublishedError(StoreError):
    """A file is not of the layout it should have; says file, column, expected and found."""


class BadRowError(PublishedError):
    """One row of a file that is fine otherwise cannot become an example."""

    def __init__(self, message: str, reason: str):
        """``reason`` is the message without place and content, to count rows by."""
        super().__init__(message)
        self.reason = reason


@dataclass(frozen=True)
class Row:
    """
    Cells of one row; every reader raises BadRowError where a cell is not what it should be.

    ``index`` counts rows from 0 in the file.
    """

    path: Path
    index: int
    cells: dict[str, Any]

    def has(self, column: str) -> bool:
        """Tell whether the column exists and this row's cell is not empty."""
        cell = self.cells.get(column)
        if isinstance(cell, dict):
            return any(cell.values())
        return cell not in (None, '', [])

    def text(self, column: str) -> str:
        """Return a text without blanks around it."""
        cell = self.cells.get(column)
        if not isinstance(cell, str) or not cell.strip():
            raise self.bad(column, 'a text', cell)
        return cell.strip()

    def whole(self, column: str) -> int:
        """Return a whole number, from a number or its digits."""
        cell = self.cells.get(column)
        try:
            if isinstance(cell, float) and not cell.is_integer():
                raise ValueError
            return int(cell)
        except (TypeError, ValueError):
            raise self.bad(column, 'a whole number', cell) from None

    def texts(self, column: str) -> list[str]:
        """Return a list of texts, also from a text that holds one, as JSON or Python writes it."""
        cell = self.cells.get(column)
        if isinstance(cell, str):
            try:
                cell = json.loads(cell)
            except json.JSONDecodeError:
                with contextlib.suppress(ValueError, SyntaxError):
                    cell = ast.literal_eval(cell)
        if not isinstance(cell, list) or not cell or not all(isinstance(t, str) for t in cell):
            raise self.bad(column, 'a list of texts', cell)
        return cell

    def image(self, column: str) -> np.ndarray:
        """Return an image as uint8 (H, W, 3) RGB."""
        return self._decoded(column, self.cells.get(column))

    def images(self, column: str) -> list[np.ndarray]:
        """Return a list of images, at least one."""
        cell = self.cells.get(column)
        if not isinstance(cell, list) or not cell:
            raise self.bad(column, 'a list of images', cell)
        return [self._decoded(column, item) for item in cell]

    def letter(self, column: str, choices: Sequence[str]) -> str:
        """Return the letter of the right choice, from a letter or from a choice's text."""
        cell = self.cells.get(column)
        text = '' if cell is None else str(cell).strip()
        named = letter_of_choice(text, choices)
        if named:
            return named
        letter = text.strip('().').upper()
        if len(letter) == 1 and letter in LETTERS[:len(choices)]:
            return letter
        raise self.bad(column, f'a letter of, or one of, the choices {list(choices)}', cell)

    def bad(self, column: str, expected: str, found: Any, reason: str = '') -> BadRowError:
        """Return the error about a cell."""
        shown = f'{type(found).__name__} {str(found)[:60]!r}' if found is not None else 'nothing'
        return BadRowError(
            f"'{self.path}', row {self.index}, column '{column}': expected {expected}, found "
            f'{shown}', reason or f'{column}: not {expected.partition(",")[0]}')

    def _decoded(self, column: str, cell: Any) -> np.ndarray:
        data = cell.get('bytes') if isinstance(cell, dict) else cell
        if isinstance(cell, dict) and not data and cell.get('path'):
            file = self.path.parent / cell['path']
            if not file.is_file():
                raise self.bad(column, f"image bytes, or a file '{file}'", cell,
                               f'{column}: the image is neither embedded nor beside the file')
            data = file.read_bytes()
        if not isinstance(data, bytes) or not data:
            raise self.bad(column, 'image bytes', cell, f'{column}: no image')
        image = _see_through(data)
        if image is not None:
            return check_image(image)
        image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
        if image is None:
            raise self.bad(column, 'an image that decodes (PNG, JPEG, WebP)',
                           f'{len(data)} bytes that do not', f'{column}: image does not decode')
        return cv2.cvtColor(image, cv2.COLOR_BGR2RGB)


def _see_through(data: bytes) -> np.ndarray | None:
    """Return an image that may be transparent as RGBA, None for any other."""
    try:
        with Image.open(BytesIO(data)) as picture:
            return np.asarray(picture.convert('RGBA')) if picture.has_transparency_data else None
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return None  # whether it is an image at all is OpenCV's to say


def with_choices(
    text: str,
    choices: Sequence[str],
    append: Callable[[str, Sequence[str]], str] = lettered_lines,
) -> str:
    """Return a question with its choices: appended, unless it lists them already."""
    return text if choices_in(text) else append(text, choices)


__all__ = [
    'BadRowError',
    'PublishedError',
    'Row',
    'lettered_inline',
    'lettered_lines',
    'with_choices',
]
