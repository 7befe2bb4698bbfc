# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""The outcomes as a small table for a terminal."""

from collections.abc import Sequence
import math
import textwrap

from ipt_ros.demo.record import Outcome

_HEADS = ('', 'question', 'answer', 'truth', 'sure', 'time (s)')
_WIDEST = (2, 44, 10, 10, 5, 30)


def table(outcomes: Sequence[Outcome]) -> str:
    """Return the table; long texts are wrapped within their column."""
    rows = [_cells(number, outcome) for number, outcome in enumerate(outcomes, 1)]
    widths = [
        min(limit, max(len(line) for row in [_HEADS, *rows] for line in row[i].split('\n')))
        for i, limit in enumerate(_WIDEST)]
    rule = '-+-'.join('-' * width for width in widths)
    lines = [_line(_HEADS, widths), rule.replace('-', '=').replace('+', '=')]
    for row in rows:
        wrapped = [_wrap(cell, width) for cell, width in zip(row, widths)]
        height = max(map(len, wrapped))
        lines += [
            _line([cell[i] if i < len(cell) else '' for cell in wrapped], widths)
            for i in range(height)]
        lines.append(rule)
    return '\n'.join(lines)


def seconds_text(outcome: Outcome) -> str:
    """Return the whole time and that of each phase."""
    phases = ', '.join(f'{name} {seconds:.2f}' for name, seconds in outcome.phases.items())
    return f'{outcome.seconds:.1f}: {phases}' if phases else f'{outcome.seconds:.1f}'


def _cells(number: int, outcome: Outcome) -> tuple[str, ...]:
    request = outcome.request
    question = f'{request.task} over {request.over}, {request.mode}: {request.question}'
    if outcome.error:
        return (str(number), question, 'failed', request.truth, '', outcome.error)
    sure = '' if math.isnan(outcome.confidence) else f'{outcome.confidence:.0%}'
    answer = f"{outcome.answer} ({'right' if outcome.correct else 'wrong'})"
    return (str(number), question, answer, request.truth, sure, seconds_text(outcome))


def _wrap(text: str, width: int) -> list[str]:
    return [line for part in text.split('\n') for line in textwrap.wrap(part, width) or ['']]


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    return ' | '.join(cell.ljust(width) for cell, width in zip(cells, widths)).rstrip()
