# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""How long an experiment will still take, from how long its pieces took."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from copy import deepcopy
from statistics import median

from ipt_training.experiment.pieces import Piece


class Pace:
    """Seconds a unit of work, by the pace of pieces: measured where they were, guessed else."""

    def __init__(self):
        self._units: dict[str, float] = defaultdict(float)
        self._seconds: dict[str, float] = defaultdict(float)
        self._efforts: dict[str, float] = {}

    def copy(self) -> 'Pace':
        """Return another one that knows the same."""
        return deepcopy(self)

    def measure(self, piece: Piece, units: float, seconds: float) -> None:
        """Note that so many units of a piece took so long."""
        if units > 0:
            self._units[piece.pace] += units
            self._seconds[piece.pace] += seconds
            self._efforts[piece.pace] = piece.effort

    def seconds_a_unit(self, piece: Piece) -> float:
        """Return what a unit of a piece takes; guesses are off by as much as others were."""
        if piece.pace in self._units:
            return self._seconds[piece.pace] / self._units[piece.pace]
        off = [self._seconds[name] / self._units[name] / effort
               for name, effort in self._efforts.items()]
        return piece.effort * (median(off) if off else 1.0)


def seconds_left(todo: Iterable[Piece], running: Mapping[str, float], pace: Pace,
                 workers: int) -> float:
    """
    Estimate how long the rest takes on so many workers.

    ``running``: units that are left of pieces under way, by name. Never shorter than the longest
    chain of a piece and what waits for it alone.
    """
    pieces = list(todo)
    cost = {piece.name: pace.seconds_a_unit(piece) * running.get(piece.name, piece.units)
            for piece in pieces}
    needs = {piece.name: piece.needs for piece in pieces}

    def chain(name: str) -> float:
        return cost[name] + max((chain(need) for need in needs[name] if need in needs),
                                default=0.0)

    return max(sum(cost.values()) / workers, max(map(chain, needs), default=0.0))


def spoken(seconds: float) -> str:
    """Return a duration as people say it."""
    if seconds < 90:
        return f'{seconds:.0f} s'
    minutes = round(seconds / 60)
    return f'{minutes} min' if minutes < 90 else f'{minutes // 60} h {minutes % 60:02} min'
