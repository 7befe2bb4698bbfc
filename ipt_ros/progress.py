# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""Lines that show what is going on, on a terminal and in a log file."""

import sys
from time import monotonic
from typing import TextIO

_QUIET = 5.0  # s between lines about something unfinished where lines cannot be overwritten


class Progress:
    """
    One line a step, and a live line for what is under way.

    On a terminal the live line overwrites itself; elsewhere it is printed now and then, so that a
    log shows that something moves without drowning in it.
    """

    def __init__(self, output: TextIO | None = None):
        self._output = output or sys.stdout
        self._terminal = self._output.isatty()
        self._began = monotonic()
        self._last_live = self._began
        self._width = 0

    @property
    def elapsed(self) -> float:
        """Seconds since the beginning."""
        return monotonic() - self._began

    def step(self, text: str) -> None:
        """Print a line that stays."""
        self._write(f'[{self.elapsed:5.1f} s] {text}', end='\n')
        self._last_live = monotonic()

    def live(self, text: str) -> None:
        """Show what is under way."""
        if self._terminal:
            self._write(f'[{self.elapsed:5.1f} s]   {text}', end='')
        elif monotonic() - self._last_live > _QUIET:
            self.step(f'  {text}')

    def clear(self) -> None:
        """Take the live line away."""
        if self._terminal and self._width:
            self._output.write('\r' + ' ' * self._width + '\r')
            self._output.flush()
            self._width = 0

    def plain(self, text: str) -> None:
        """Print text as it is."""
        self._write(text, end='\n')

    def _write(self, text: str, end: str) -> None:
        if self._terminal:
            # Blanks over the rest of a longer live line.
            text = '\r' + text[:200].ljust(self._width) if not end else '\r' + (
                ' ' * self._width + '\r' + text)
            self._width = 0 if end else len(text)
        self._output.write(text + end)
        self._output.flush()


def bar(step: int, total: int, width: int = 24) -> str:
    """Return a bar such as '#####-----  5/10'."""
    filled = round(width * step / total) if total else 0
    return f"{'#' * filled}{'-' * (width - filled)} {step}/{total or '?'}"
