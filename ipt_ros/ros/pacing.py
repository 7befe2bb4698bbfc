# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""How fast things run: a simulation held at the pace of the wall clock, and rates as measured."""

from collections import deque
import math


class Pacer:
    """
    Tells how many steps of a simulation are due, so that it keeps pace with the wall clock.

    Steps that a slow machine could not make in time are caught up, at most `max_backlog` seconds
    of them; the rest is given up and the simulation is then slower than the wall clock, which
    `RateMeter` makes visible. The length of a step never changes, so results do not depend on
    the machine.
    """

    def __init__(self, step: float, real_time_factor: float = 1.0, max_backlog: float = 0.5):
        """Take the step (simulated s), simulated seconds a wall second, and the backlog (s)."""
        self._wall_step = step / real_time_factor
        self._max_backlog = max(max_backlog, self._wall_step)
        self._next: float | None = None

    def due(self, now: float) -> int:
        """Return the number of steps to make at wall time `now` (s, any origin)."""
        if self._next is None:
            self._next = now
        if now < self._next:
            return 0
        self._next = max(self._next, now - self._max_backlog)
        steps = int((now - self._next) / self._wall_step) + 1
        self._next += steps * self._wall_step
        return steps

    def restart(self) -> None:
        """Forget what is overdue: the simulation stood still on purpose."""
        self._next = None


class RateMeter:
    """The rate of events over the last seconds."""

    def __init__(self, window: float = 5.0):
        """`window`: how many wall-clock seconds count."""
        self._window = window
        self._began: float | None = None
        self._times: deque[float] = deque()

    def add(self, now: float) -> None:
        """Count an event at wall time `now` (s, any origin)."""
        if self._began is None:
            self._began = now
        self._times.append(now)
        self._expire(now)

    def rate(self, now: float) -> float:
        """Return events a second; NaN before a whole window has passed."""
        if self._began is None or now - self._began < self._window:
            return math.nan
        self._expire(now)
        return len(self._times) / self._window

    def _expire(self, now: float) -> None:
        while self._times and self._times[0] <= now - self._window:
            self._times.popleft()
