# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""Pages in Markdown that are written anew from results, but for what people wrote into them."""

from collections.abc import Sequence
import os
from pathlib import Path
import re

from ipt_training.store import write_json

_BEGIN, _END = '<!-- notes: kept when the page is written anew -->', '<!-- end of notes -->'
_NOTES = re.compile(f'{re.escape(_BEGIN)}\n(.*?){re.escape(_END)}', re.DOTALL)
_EMPTY = '*Nothing has been written here yet.*\n'


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table, '' without rows. A bar in a cell is escaped: it would end the cell."""
    if not rows:
        return ''
    lines = [heads, ['---'] * len(heads), *rows]
    return '\n'.join(
        '| ' + ' | '.join(cell.replace('|', '\\|') for cell in line) + ' |' for line in lines)


def notes() -> str:
    """Return where people write, empty."""
    return f'{_BEGIN}\n{_EMPTY}{_END}'


def write_page(path: Path, sections: Sequence[str]) -> None:
    """
    Write a page of sections ('' is none), whole or not at all.

    What stands between the marks of `notes` in the page that is there takes their place.
    """
    text = '\n\n'.join(section.strip('\n') for section in sections if section) + '\n'
    if path.exists():
        kept = _NOTES.search(path.read_text(encoding='utf-8'))
        if kept:
            text = _NOTES.sub(lambda _: kept[0], text)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix('.partial')
    partial.write_text(text, encoding='utf-8')
    os.replace(partial, path)


def write_report(page: Path, sections: Sequence[str], numbers: dict) -> None:
    """Write the page as `write_page` does, and the numbers to a JSON file of its name."""
    write_page(page, sections)
    write_json(page.with_suffix('.json'), numbers)
