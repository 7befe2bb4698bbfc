# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""One row of a data set: cells by column name, errors that name file, row and column."""

import ast
from collections.abc import Sequence
import contextlib
from dataclasses import dataclass
import json
from pathlib import Path
from typing import Any

from ipt_training.answers import answer_letter, AnswerError
from ipt_training.decoding import decode_picture, PictureError
from ipt_training.errors import BadRowError
from ipt_training.files_below import file_below, ForeignFileError
import numpy as np
import pyarrow as pa


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
            except (ValueError, RecursionError):
                with contextlib.suppress(ValueError, SyntaxError, RecursionError, MemoryError):
                    cell = ast.literal_eval(cell)
        if not isinstance(cell, list) or not cell or not all(isinstance(t, str) for t in cell):
            raise self.bad(column, 'a list of texts', cell)
        return cell

    def image(self, column: str) -> np.ndarray:
        """Return an image as uint8 (H, W, 3) RGB."""
        return self.picture(column, self.cells.get(column))

    def images(self, column: str) -> list[np.ndarray]:
        """Return a list of images, at least one."""
        cell = self.cells.get(column)
        if not isinstance(cell, list) or not cell:
            raise self.bad(column, 'a list of images', cell)
        return [self.picture(column, item) for item in cell]

    def letter(self, column: str, choices: Sequence[str]) -> str:
        """Return the letter of the right choice, from a letter or from a choice's text."""
        cell = self.cells.get(column)
        try:
            return answer_letter('' if cell is None else str(cell), choices)
        except AnswerError as error:
            raise self.bad(column, f'a letter of, or one of, the choices {list(choices)}', cell,
                           f'{column}: {error}') from None

    def bad(self, column: str, expected: str, found: Any, reason: str = '') -> BadRowError:
        """Return the error about a cell."""
        shown = f'{type(found).__name__} {str(found)[:60]!r}' if found is not None else 'nothing'
        return self.refused(column, f'expected {expected}, found {shown}',
                            reason or f'{column}: not {expected.partition(",")[0]}')

    def picture(self, column: str, cell: Any) -> np.ndarray:
        """Return an image cell, or one of a list of them, as uint8 (H, W, 3) RGB."""
        data = cell.get('bytes') if isinstance(cell, dict) else cell
        if isinstance(cell, dict) and not data and cell.get('path'):
            data = self._beside(column, cell['path'])
        if not isinstance(data, bytes) or not data:
            raise self.bad(column, 'image bytes', cell, f'{column}: no image')
        try:
            return decode_picture(data)
        except PictureError as error:
            raise self.refused(
                column, str(error), f'{column}: image does not decode') from error

    def refused(self, column: str, message: str, reason: str) -> BadRowError:
        """Return the error about a cell in these words."""
        return BadRowError(f"'{self.path}', row {self.index}, column '{column}': {message}",
                           reason)

    def _beside(self, column: str, name: Any) -> bytes:
        """Return the bytes of an image that is named instead of embedded."""
        try:
            return file_below(self.path.parent, name).read_bytes()
        except (ForeignFileError, OSError) as error:
            raise self.refused(
                column, f"expected image bytes, or a file below '{self.path.parent}', found the "
                f'path {str(name)[:200]!r}: {error}',
                f'{column}: the image is neither embedded nor below the folder of the file',
            ) from error


def row_at(table: pa.RecordBatch | pa.Table, place: int, path: Path, index: int) -> Row:
    """Return the row at a place of a table, row ``index`` of its file. Raise BadRowError."""
    try:
        return Row(path, index, table.slice(place, 1).to_pylist()[0])
    except (UnicodeDecodeError, OverflowError, ValueError) as error:
        raise BadRowError(f"'{path}', row {index}: expected values of the columns' kinds, texts "
                          f'in UTF-8; {error}', 'a text is not UTF-8') from error
