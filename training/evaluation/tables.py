# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""Tables, as HTML and as lines of text, from the same cells."""

from collections.abc import Sequence
from html import escape


def html_table(caption: str, heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table; all cells are plain text. '' without rows."""
    if not rows:
        return ''
    top = ''.join(f'<th scope="col">{escape(head)}</th>' for head in heads)
    body = ''.join(
        f'<tr>{"".join(f"<td>{escape(cell)}</td>" for cell in row)}</tr>' for row in rows)
    return (f'<div class="wide"><table><caption>{escape(caption)}</caption><thead><tr>{top}</tr>'
            f'</thead><tbody>{body}</tbody></table></div>')


def text_table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table for a terminal: first column to the left, the others to the right."""
    widths = [max(len(row[i]) for row in [heads, *rows]) for i in range(len(heads))]
    return '\n'.join(
        '  '.join(cell.ljust(width) if i == 0 else cell.rjust(width)
                  for i, (cell, width) in enumerate(zip(row, widths))).rstrip()
        for row in [heads, *rows])


def share(value: float | None) -> str:
    """Return a share as a percentage, '-' for None."""
    return '-' if value is None else f'{value:.1%}'


def share_range(ends: Sequence[float]) -> str:
    """Return an interval of shares."""
    return f'{ends[0]:.1%} to {ends[1]:.1%}'


def number_range(mean: float, ends: Sequence[float], digits: int = 3, sign: bool = False) -> str:
    """Return a number with its interval."""
    form = f'{"+" if sign else ""}.{digits}f'
    return f'{mean:{form}} [{ends[0]:{form}}, {ends[1]:{form}}]'
