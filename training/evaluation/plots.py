# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""Plots as SVG to stand inside a web page, in its colours, with words for those who cannot see."""

from collections.abc import Mapping, Sequence
from html import escape

_WIDTH, _BAR, _LABEL = 700, 26, 190


def bars(rows: Mapping[str, dict], marks: Mapping[str, float], title: str) -> str:
    """
    Return horizontal bars of shares with their intervals, and vertical lines at marked shares.

    rows: ``accuracy`` and ``ci95`` by name. marks: where the lines are, by name.
    """
    height = _BAR * len(rows) + 44
    span = _WIDTH - _LABEL - 60

    def x(share: float) -> float:
        return round(_LABEL + span * share, 1)

    parts = []
    for number, (name, row) in enumerate(rows.items()):
        top = 8 + _BAR * number
        middle = top + _BAR / 2 - 2
        low, high = row['ci95']
        parts.append(
            f'<text class="label" x="{_LABEL - 10}" y="{middle + 5}">{escape(name)}</text>'
            f'<rect class="bar" x="{_LABEL}" y="{top}" width="{x(row["accuracy"]) - _LABEL:.1f}" '
            f'height="{_BAR - 8}" rx="3"/>'
            f'<path class="whisker" d="M{x(low)} {middle}H{x(high)}M{x(low)} {middle - 4}v8'
            f'M{x(high)} {middle - 4}v8"/>'
            f'<text x="{x(high) + 8}" y="{middle + 5}">{row["accuracy"]:.1%}</text>')
    bottom = 8 + _BAR * len(rows)
    for number, (name, share) in enumerate(marks.items()):
        parts.append(
            f'<path class="mark" d="M{x(share)} 4V{bottom}"/>'
            f'<text class="note" x="{x(share)}" y="{bottom + 13 + 14 * number}">{escape(name)} '
            f'{share:.1%}</text>')
    words = ', '.join(f'{name} {row["accuracy"]:.1%}' for name, row in rows.items())
    return _svg(_WIDTH, height, f'{title}: {words}', parts)


def reliability_plot(rows: Sequence[dict], title: str) -> str:
    """
    Return a reliability diagram: accuracy against confidence, dots as large as their bins.

    rows: what `calibration.reliability` returns. On the diagonal a confidence says how often it is
    right; below it, it says too much.
    """
    side, left, top = 220, 52, 12

    def x(share: float) -> float:
        return round(left + side * share, 1)

    def y(share: float) -> float:
        return round(top + side * (1 - share), 1)

    parts = [f'<rect class="frame" x="{left}" y="{top}" width="{side}" height="{side}"/>',
             f'<path class="mark" d="M{x(0)} {y(0)}L{x(1)} {y(1)}"/>']
    for share in (0, 0.5, 1):
        parts.append(f'<text class="note" x="{x(share)}" y="{y(0) + 16}">{share:g}</text>'
                     f'<text class="label" x="{left - 8}" y="{y(share) + 4}">{share:g}</text>')
    total = sum(row['n'] for row in rows)
    for row in rows:
        gap = f'M{x(row["confidence"])} {y(row["confidence"])}V{y(row["accuracy"])}'
        parts.append(
            f'<path class="gap" d="{gap}"/>'
            f'<circle class="dot" cx="{x(row["confidence"])}" cy="{y(row["accuracy"])}" '
            f'r="{3 + 11 * (row["n"] / total) ** 0.5:.1f}"><title>confidence '
            f'{row["confidence"]:.2f}, right {row["accuracy"]:.2f}, n = {row["n"]}</title>'
            '</circle>')
    parts.append(f'<text class="note" x="{x(0.5)}" y="{y(0) + 34}">confidence</text>'
                 f'<text class="note" transform="translate(12 {y(0.5)}) rotate(-90)">share right'
                 '</text>')
    words = ', '.join(f'{row["confidence"]:.2f} sure {row["accuracy"]:.2f} right' for row in rows)
    return _svg(left + side + 20, top + side + 42, f'{title}: {words}', parts)


def _svg(width: int, height: int, words: str, parts: Sequence[str]) -> str:
    return (f'<svg class="plot" role="img" aria-label="{escape(words)}" '
            f'viewBox="0 0 {width} {height}" width="{width}" height="{height}">'
            f'{"".join(parts)}</svg>')
