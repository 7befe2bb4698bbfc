# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""Single examples from a data set of ours or of somebody else, without reading all of it."""

from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from ipt_ros.spatial import Example
from ipt_training.datasets.published import (
    BadRowError,
    choose_layout,
    Layout,
    open_published,
    published_files,
)
from ipt_training.own_rows import COLUMNS, example_of, SCHEMA
from ipt_training.row import Row, row_at
from ipt_training.store import split_of_shard
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

_FEW = 8  # rows in memory at a time: some data sets have images of megabytes


@dataclass(frozen=True)
class Shard:
    """A file of a data set; ``layout`` is None for our own."""

    path: Path
    length: int
    layout: Layout | None

    @property
    def task(self) -> str:
        """Return the task, as far as it is known without reading."""
        return self.path.parent.name if self.layout is None else self.layout.name

    @property
    def split(self) -> str:
        """Return the split, '' for none or not known."""
        return split_of_shard(self.path) if self.layout is None else ''

    def example(self, index: int) -> Example:
        """Read one example. Raises PublishedError, BadRowError or StoreError."""
        with open_published(self.path) as file:
            table = _row(file, index, self.columns(file.schema_arrow))
            if table is None:
                raise IndexError(f"'{self.path}' has no row {index}")
        return self.read(row_at(table, 0, self.path, index))

    def columns(self, schema: pa.Schema) -> list[str]:
        """Return the columns of the file that are worth reading."""
        return COLUMNS if self.layout is None else self.layout.wanted(schema)

    def read(self, row: Row) -> Example:
        """Return the example of a row with these columns. Raises BadRowError."""
        return example_of(row) if self.layout is None else self.layout.read(row)


def _row(file: pq.ParquetFile, index: int, columns: list[str]) -> pa.RecordBatch | None:
    """Return one row without decoding those after it."""
    for group in range(file.num_row_groups):
        rows = file.metadata.row_group(group).num_rows
        if index < rows:
            batches = file.iter_batches(_FEW, row_groups=[group], columns=columns)
            return next(islice(batches, index // _FEW, None)).slice(index % _FEW, 1)
        index -= rows
    return None


def list_shards(path: Path, layout: str | None = None) -> list[Shard]:
    """Return the files of a data set in order. Raises PublishedError for files of other kinds."""
    shards = []
    for file in published_files(path):
        with open_published(file) as parquet:
            schema: pa.Schema = parquet.schema_arrow
            ours = layout is None and set(SCHEMA.names) <= set(schema.names)
            shards.append(Shard(file, parquet.metadata.num_rows,
                                None if ours else choose_layout(file, schema, layout)))
    return shards


def sample(
    shards: list[Shard], number: int, seed: int = 0, refused: list[BadRowError] | None = None,
) -> list[tuple[Shard, int, Example]]:
    """
    Draw examples at random, as many of each task as can be.

    Bad rows are passed over, and their errors added to ``refused``.
    Return (file, row, example), ordered by file and row.
    """
    rng = np.random.default_rng(seed)
    rows: dict[str, list[tuple[Shard, int]]] = {}
    for shard in shards:
        rows.setdefault(shard.task, []).extend((shard, index) for index in range(shard.length))
    queues = [[places[k] for k in rng.permutation(len(places))] for places in rows.values()]
    drawn = []
    while len(drawn) < number and any(queues):
        for queue in queues:
            if not queue or len(drawn) >= number:
                continue
            shard, index = queue.pop()
            try:
                drawn.append((shard, index, shard.example(index)))
            except BadRowError as error:
                if refused is not None:
                    refused.append(error)
    order = {shard.path: place for place, shard in enumerate(shards)}
    return sorted(drawn, key=lambda item: (order[item[0].path], item[1]))
