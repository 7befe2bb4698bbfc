# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""
The unit of work of a build, and the process that does it.

A unit's examples go to part files, one a task and split; its record, written last, says that they
are complete. So a build that is killed at any moment loses the units under way and nothing else.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
import json
from pathlib import Path
import time
from typing import Any, Protocol

from ipt_ros.spatial import Example
from ipt_training.datasets.splits import place_of, seed_in, split_of
from ipt_training.store import save_shard, SUFFIX, write_json

_VERIFICATION = ' verification: '  # stands in the reasons that `keep_fair` counts


@dataclass(frozen=True)
class Unit:
    """Unit ``number`` of a stream; ``work`` says what to make, in the words of its source."""

    stream: str
    number: int
    work: Mapping[str, Any]

    @property
    def name(self) -> str:
        """Return the name that its files begin with."""
        return f'{self.stream}-{self.number:05}'


@dataclass
class Made:
    """
    What came of a unit; complete once all examples were taken.

    ``attempts``: how many examples were tried for. ``turned_down``: what did not suit while
    looking for examples, and questions that failed verification, by reason as `keep_fair` counts
    them. ``refused``: inputs that could not be used at all, by name.
    """

    examples: Iterable[Example]
    attempts: int = 0
    turned_down: Counter = field(default_factory=Counter)
    refused: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Record:
    """
    What a finished unit left: ``rows`` are (task, split) of its examples, in their order.

    ``failed`` counts questions by the rule of verification that they did not pass. ``seconds`` and
    ``cpu_seconds`` are those of one process, by the clock and of processor time.
    """

    rows: list[tuple[str, str]]
    attempts: int
    turned_down: dict[str, int]
    failed: dict[str, int]
    refused: dict[str, str]
    seconds: float
    cpu_seconds: float


class Source(Protocol):
    """Where examples come from. Sent to the workers, so it holds plain data only."""

    def streams(self) -> dict[str, Iterable[Unit]]:
        """Return rows of units by name; the units of a row are used in its order."""
        ...

    def open(self) -> Callable[[Unit], Made]:
        """Return what makes units, in the process that is to make them."""
        ...

    def describe(self) -> dict:
        """Return what decides the examples, as JSON values."""
        ...


_open: tuple[Source, Callable[[Unit], Made]] | None = None  # of this process


def _maker(source: Source) -> Callable[[Unit], Made]:
    """Open a source, once a process."""
    global _open
    if _open is None or _open[0] != source:
        _open = source, source.open()
    return _open[1]


def work_on(
    source: Source, unit: Unit, folder: Path, shares: Mapping[str, float], about: Mapping,
) -> None:
    """Make a unit and write its parts and record below ``folder``; ``about``: for metadata."""
    began, busy = time.perf_counter(), time.process_time()
    made = _maker(source)(unit)
    rows: list[tuple[str, str]] = []
    parts: dict[tuple[str, str], list[Example]] = {}
    for example in made.examples:
        split = split_of(scene_of(example), shares, seed_in(example.metadata))
        rows.append((example.task, split))
        parts.setdefault((example.task, split), []).append(_described(example, split, about))
    for (task, split), examples in parts.items():
        save_shard(part_path(folder, unit.name, task, split), examples)
    reasons = +made.turned_down
    write_json(record_path(folder, unit.name), {
        'rows': rows,
        'attempts': made.attempts,
        'turned_down': {r: n for r, n in reasons.items() if _VERIFICATION not in r},
        'failed': {r.replace(_VERIFICATION, ' '): n for r, n in reasons.items()
                   if _VERIFICATION in r},
        'refused': made.refused,
        'seconds': time.perf_counter() - began,
        'cpu_seconds': time.process_time() - busy,
    })


def part_path(folder: Path, unit: str, task: str, split: str) -> Path:
    """Return where a unit's examples of a task and split are kept until they are packed."""
    return folder / 'parts' / f'{unit}-{task}-{split}{SUFFIX}'


def record_path(folder: Path, unit: str) -> Path:
    """Return where the record of a finished unit is."""
    return folder / 'records' / f'{unit}.json'


def read_record(folder: Path, unit: str) -> Record | None:
    """Return the record of a unit, or None for a unit that is not finished."""
    try:
        content = json.loads(record_path(folder, unit).read_text())
    except FileNotFoundError:
        return None
    return Record(**content | {'rows': [tuple(row) for row in content['rows']]})


def scene_of(example: Example) -> int | str:
    """Return what the place of an example is known by: a named scene, else a room's seed."""
    return example.metadata.get('scene_name') or example.metadata['scene']


def _described(example: Example, split: str, about: Mapping) -> Example:
    """Add what every row says of itself: split, place, truth and poses in one form."""
    first, known = example.questions[0], example.metadata
    poses = known.get('poses') or [
        *known.get('ego_poses', []),
        *(known[name] for name in ('pose', 'target_pose', 'side_pose') if name in known)]
    return replace(example, metadata={
        **known,
        **about,
        'split': split,
        'place': place_of(scene_of(example)),
        'truth': first.answer_choice if first.answer else first.metadata.get('truth', ''),
        'poses': poses,
    })
