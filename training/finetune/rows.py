# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""Rows of parquet files by number, with the encoded rows of a few row groups held in memory."""

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from itertools import accumulate
from pathlib import Path
from threading import Lock

from ipt_ros.spatial import Example
from ipt_training.datasets.published import open_published, PublishedError
from ipt_training.datasets.reading import list_shards, Shard
from ipt_training.finetune.errors import FinetuneError
from ipt_training.row import row_at
import pyarrow as pa


class Rows:
    """
    All rows of some files or folders, counted through.

    Raises PublishedError for files that are no parquet or of no known layout.
    """

    def __init__(self, paths: Sequence[str], layout: str = '', split: str = 'train'):
        self.shards: list[Shard] = []
        for path in paths:
            if not Path(path).exists():
                raise FinetuneError(f"data.paths: there is no '{path}'")
            self.shards += [shard for shard in list_shards(Path(path), layout or None)
                            if shard.split in (split, '')]
        if not self.shards:
            raise FinetuneError(f"no file of split '{split}' in {', '.join(paths)}")
        self._starts = [0, *accumulate(shard.length for shard in self.shards)]
        self.groups: list[range] = []  # row numbers of each row group
        self._places: list[tuple[Shard, int, int]] = []  # shard, group in it, row in it
        for shard, start in zip(self.shards, self._starts, strict=False):
            first = 0
            with open_published(shard.path) as file:
                for group in range(file.num_row_groups):
                    count = file.metadata.row_group(group).num_rows
                    self.groups.append(range(start + first, start + first + count))
                    self._places.append((shard, group, first))
                    first += count
        # the row group of each row
        self.group_of = [number for number, group in enumerate(self.groups) for _ in group]
        self._held: OrderedDict[int, pa.Table] = OrderedDict()
        self._lock = Lock()  # a thread makes batches while another one draws a preview
        self.hold = 2  # row groups

    def __len__(self) -> int:
        return self._starts[-1]

    def example(self, row: int) -> Example:
        """Read one example. Raises BadRowError for what cannot be one, and StoreError."""
        group = self.group_of[row]
        shard, _, first = self._places[group]
        place = row - self.groups[group].start
        return shard.read(row_at(self._table(group), place, shard.path, first + place))

    def fingerprint(self) -> Iterator[list]:
        """Say what tells the files from others: path, rows, bytes and time of change."""
        for shard in self.shards:
            status = shard.path.stat()
            yield [str(shard.path.resolve()), shard.length, status.st_size, status.st_mtime_ns]

    def _table(self, group: int) -> pa.Table:
        with self._lock:
            if group not in self._held:
                while len(self._held) >= self.hold:
                    self._held.popitem(last=False)
                self._held[group] = self._read(group)
            self._held.move_to_end(group)
            return self._held[group]

    def _read(self, group: int) -> pa.Table:
        shard, number, _ = self._places[group]
        try:
            with open_published(shard.path) as file:
                return file.read_row_group(number, columns=shard.columns(file.schema_arrow))
        except (pa.ArrowException, OSError) as error:
            raise PublishedError(
                f"cannot read row group {number} of '{shard.path}' ({error}); the file is "
                'damaged: download or build it again, then give the same command to go on'
            ) from error
