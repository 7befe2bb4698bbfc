# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""
From the parts that units leave to the shards of the data set.

Which rows a shard holds follows from the order of the units alone. So shards that exist are kept
when a build is taken up again, parts are deleted as soon as their rows are in shards, and a data
set never needs much more room than its own size.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ipt_training.datasets.units import part_path
from ipt_training.store import read_table, StoreError, SUFFIX, write_table
import pyarrow as pa


@dataclass
class _Row:
    """All rows of a task and split: parts in order, each with how many of its rows are kept."""

    parts: list[tuple[Path, int]] = field(default_factory=list)
    shards: int = 0  # that are on disk and hold the first rows

    @property
    def length(self) -> int:
        return sum(kept for _, kept in self.parts)


class Packer:
    """Fills shards of ``shard_size`` examples below ``out`` from parts below ``work``."""

    def __init__(self, out: Path, work: Path, shard_size: int):
        """Take up whatever is there already."""
        self._out = out
        self._work = work
        self._size = shard_size
        self._rows: dict[tuple[str, str], _Row] = {}

    def add(self, unit: str, kept: Mapping[tuple[str, str], int]) -> None:
        """
        Take a unit's parts; units must come in their order.

        kept: how many of the first rows of the part of a (task, split) belong to the data set.
        """
        for (task, split), count in kept.items():
            row = self._rows.setdefault((task, split), _Row())
            row.parts.append((part_path(self._work, unit, task, split), count))
            while row.length >= (row.shards + 1) * self._size:
                self._fill(task, split, row)

    def finish(self) -> dict[Path, int]:
        """Write the last, shorter shards; return all shards with their lengths, in order."""
        shards = {}
        for (task, split), row in sorted(self._rows.items()):
            if row.length > row.shards * self._size:
                self._fill(task, split, row)
            for number in range(row.shards):
                length = min(self._size, row.length - number * self._size)
                shards[self._path(task, split, number)] = length
        return shards

    def _path(self, task: str, split: str, number: int) -> Path:
        return self._out / task / f'{split}-{number:05}{SUFFIX}'

    def _fill(self, task: str, split: str, row: _Row) -> None:
        """Write the next shard, unless it is there, and delete the parts that are used up."""
        path = self._path(task, split, row.shards)
        first, last = row.shards * self._size, (row.shards + 1) * self._size
        start, used = 0, []
        tables = []
        for part, kept in row.parts:
            low, high = max(first - start, 0), min(last - start, kept)
            if low < high and not path.exists():
                tables.append(_part(part).slice(low, high - low))
            if start + kept <= last:
                used.append(part)
            start += kept
        if tables:
            write_table(path, pa.concat_tables(tables))
        row.shards += 1
        for part in used:
            part.unlink(missing_ok=True)


def _part(path: Path) -> pa.Table:
    if not path.exists():
        raise StoreError(f"'{path}' is missing: something was deleted in the folder of a build "
                         'under way; delete the whole folder and build again')
    return read_table(path)


def count_rows(rows: list[tuple[str, str]], quotas: Mapping[str, int | None]) -> Counter:
    """
    Count (task, split) among a unit's first rows, as many of each task as are still wanted.

    quotas: by task; None for no limit.
    """
    kept: Counter = Counter()
    taken: Counter = Counter()
    for task, split in rows:
        limit = quotas[task]
        if limit is None or taken[task] < limit:
            taken[task] += 1
            kept[task, split] += 1
    return kept
