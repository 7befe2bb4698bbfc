# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""
Samples of what moves, until all have been read and it is known which of them hold.

A frame has one pose at a time. Where a bag says otherwise, as where two nodes publish the same
transform, taking both in turn would make the robot jump to and fro; so one of them is left out, or
both where nothing tells them apart, and that is said.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
import math

from ipt_ros.geometry.transform_tree import TransformTree
from ipt_training.bags.options import FIXED_FRAMES, ReadOptions
import numpy as np

Vector = tuple[float, ...]
# No robot leaves the line between the samples before and after by so much so quickly; the noise of
# localisation, and each of its corrections, may do so now and then.
_METRES, _RADIANS = 0.1, math.radians(6)
_METRES_S2, _RADIANS_S2 = 30.0, 100.0
_FEW, _SHARE = 5, 0.1  # samples that may be out of line


@dataclass
class _Samples:
    """All samples of one frame in one parent, in the order in which they were logged."""

    topic: str
    rows: list[tuple[int, Vector, Vector]] = field(default_factory=list)


class MovingPoses:
    """What one epoch says of frames that move: samples by child, parent."""

    def __init__(self) -> None:
        """Start without any."""
        self._children: dict[str, dict[str, _Samples]] = {}

    def add(self, topic: str, parent: str, child: str, stamp: int, translation: Vector,
            rotation: Vector) -> None:
        """Take note of a sample that `transform_problem` finds none with: ns, m, (x, y, z, w)."""
        parents = self._children.setdefault(child.lstrip('/'), {})
        samples = parents.setdefault(parent.lstrip('/'), _Samples(topic))
        samples.rows.append((stamp, translation, rotation))

    def above(self, frames: Iterable[str], fixed: Mapping[str, str]) -> set[str]:
        """Return frames and all that they hang on, by way of any parent; fixed: static parents."""
        found, waiting = set(), list(frames)
        while waiting:
            frame = waiting.pop()
            if frame not in found:
                found.add(frame)
                waiting += [*self._children.get(frame, ()), *filter(None, [fixed.get(frame)])]
        return found

    def settle(
        self, tree: TransformTree, options: ReadOptions, problems: Counter[str],
        frames: AbstractSet[str],
    ) -> Iterator[str]:
        """
        Add what holds to a tree, count what does not; yield the frames that are placed.

        frames: those that matter. Of others no one asks: wheels spin faster than they are sent.
        """
        for child, parents in self._children.items():
            kept = {parent: samples.rows for parent, samples in parents.items()}
            if child in frames:
                kept = {parent: _without_contradictions(samples, child, parent, options, problems)
                        for parent, samples in parents.items()}
            kept = {parent: rows for parent, rows in kept.items() if rows}
            if not kept:
                continue
            best = max(kept, key=lambda name: (*rank_of_parent(name, options), len(kept[name])))
            if child in frames:
                self._tell_parents(child, best, kept, tree, problems)
            for row in kept[best]:
                tree.add(best, child, *row)
            yield child

    def _tell_parents(
        self, child: str, best: str, kept: Mapping[str, list], tree: TransformTree,
        problems: Counter[str],
    ) -> None:
        """Count samples of other parents than the one that is used."""
        topic = self._children[child][best].topic
        for parent in kept.keys() - {best}:
            problems[f"{self._children[child][parent].topic}: '{child}' hangs on '{parent}' and "
                     f"on '{best}' by turns; only '{best}' is used"] += len(kept[parent])
        fixed = tree.static_transforms().get(child)
        if fixed and fixed[0] != best:
            problems[f"{topic}: '{child}' moves in '{best}', but stands still in '{fixed[0]}'; "
                     f"only '{best}' is used"] += 1


def rank_of_parent(name: str, options: ReadOptions) -> tuple[bool, int]:
    """Return what makes a frame the one to hang on: the greater, the better."""
    last = name.rpartition('/')[2]
    order = FIXED_FRAMES.index(last) if last in FIXED_FRAMES else len(FIXED_FRAMES)
    return name == options.fixed_frame.lstrip('/'), -order


def is_jump(seconds: np.ndarray, metres: np.ndarray, radians: np.ndarray,
            options: ReadOptions) -> np.ndarray:
    """Tell which steps are more than a robot can do; very small ones in time are only noise."""
    return (metres > options.max_speed * seconds + 0.02) | (
        radians > options.max_turn_rate * seconds + math.radians(2))


def steps(
    stamps: np.ndarray, places: np.ndarray, turns: np.ndarray, apart: int = 1,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return seconds, metres and rad between samples and those some places further on."""
    alike = np.abs((turns[apart:] * turns[:-apart]).sum(axis=1))
    return ((stamps[apart:] - stamps[:-apart]) * 1e-9,
            np.linalg.norm(places[apart:] - places[:-apart], axis=1),
            2 * np.arccos(np.clip(alike, 0, 1)))


def _without_contradictions(
    samples: _Samples, child: str, parent: str, options: ReadOptions, problems: Counter[str],
) -> list[tuple[int, Vector, Vector]]:
    """Return the samples that can be believed; those of two sources by turns cannot."""
    rows = sorted(samples.rows, key=lambda row: row[0])
    if len(rows) < 2:
        return rows
    stamps = np.array([stamp for stamp, _, _ in rows])
    places = np.array([place for _, place, _ in rows], np.float64)
    turns = np.array([turn for _, _, turn in rows], np.float64)
    turns /= np.linalg.norm(turns, axis=1, keepdims=True)
    double = is_jump(*steps(stamps, places, turns), options) & (np.diff(stamps) == 0)
    with np.errstate(all='ignore'):  # two samples may have one stamp
        number = int(double.sum() + _out_of_line(stamps, places, turns).sum())
    if number > _FEW and number > _SHARE * len(rows):
        problems[f"{samples.topic}: '{child}' jumps to and fro in '{parent}' as if two sources "
                 'told of it; neither is used'] += len(rows)
        return []
    twice = set(stamps[1:][double].tolist())
    if twice:
        problems[f"{samples.topic}: '{child}' has two poses in '{parent}' at one time"] += len(
            twice)
    return [row for row in rows if row[0] not in twice]


def _out_of_line(stamps: np.ndarray, places: np.ndarray, turns: np.ndarray) -> np.ndarray:
    """Tell which samples, but the first and last, are off the line between their neighbours."""
    seconds, _, radians = steps(stamps, places, turns)
    before, after = seconds[:-1], seconds[1:]
    both, _, direct = steps(stamps, places, turns, 2)
    share = np.where(both > 0, before / both, 0.5)[:, None]
    off = np.linalg.norm(places[1:-1] - (1 - share) * places[:-2] - share * places[2:], axis=1)
    detour = (radians[:-1] + radians[1:] - direct) / 2
    return (off > _METRES + _METRES_S2 * before * after / 2) | (
        detour > _RADIANS + _RADIANS_S2 * before * after / 2)
