# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""
Examples on disk: parquet shards in the published column layout.

``image_list`` (PNG; inputs, then the target), ``instruction_list`` (system prompt, question),
``output_text_list`` and ``num_input_images`` hold each example's first question, so that a row is
an ordinary row of the published kind. ``metadata`` (JSON) holds all questions and the rest of
the example; ``class_list`` and ``depth_list`` (PNG, 8 and 16 bit) its per-pixel truth.

A folder has one folder a task; files in it are called ``train-00000.parquet`` and so on where the
data set is split, ``00000.parquet`` where it is not.
"""

from collections.abc import Iterator, Sequence
import json
import os
from pathlib import Path

from ipt_ros.spatial import Example
from ipt_training.errors import StoreError
from ipt_training.own_rows import (
    classes_of,
    COLUMNS,
    example_of,
    metadata_of,
    row_of,
    SCHEMA,
)
from ipt_training.row import Row, row_at
import pyarrow as pa
import pyarrow.parquet as pq

SUFFIX = '.parquet'


def save_shard(path: Path, examples: Sequence[Example]) -> None:
    """Write examples to one file; it appears complete or not at all."""
    write_table(path, pa.Table.from_pylist(
        [row_of(example) for example in examples], schema=SCHEMA))


def write_table(path: Path, table: pa.Table) -> None:
    """Write rows of SCHEMA to one file; it appears complete or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix('.partial')
    # PNG does not compress any further.
    pq.write_table(table, partial, compression='none', row_group_size=256)
    os.replace(partial, path)


def write_json(path: Path, content: dict) -> None:
    """Write JSON that people read too; the file appears complete or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix('.partial')
    partial.write_text(json.dumps(content, indent=1) + '\n', encoding='utf-8')
    os.replace(partial, path)


def shard_paths(
    folder: str | os.PathLike, task: str | None = None, split: str | None = None,
) -> list[Path]:
    """
    Return the shards below a folder in order: of one task or of all, of one split or of all.

    Shards that belong to no split are part of each.
    """
    paths = sorted(Path(folder).glob(f'{task or "*"}/*{SUFFIX}'))
    if not paths:
        raise StoreError(
            f"no examples{f' of task {task!r}' if task else ''} in '{folder}'; make some with "
            'ipt dataset build')
    chosen = [path for path in paths if split is None or split_of_shard(path) in (split, '')]
    if not chosen:
        there = ', '.join(sorted({split_of_shard(path) for path in paths}))
        raise StoreError(f"no split '{split}' in '{folder}'; there are: {there}")
    return chosen


def split_of_shard(path: Path) -> str:
    """Return the split that a shard belongs to by its name, '' for none."""
    return path.stem.rpartition('-')[0]


def class_names(folder: str | os.PathLike) -> list[str]:
    """Return the class list of all examples below a folder; the first is 'nothing'."""
    names: set[str] = set()
    for path in shard_paths(folder):
        for row in _rows(path, ['metadata']):
            names.update(classes_of(row, metadata_of(row)))
    names.discard('nothing')
    return ['nothing', *sorted(names)]


def read_table(path: Path) -> pa.Table:
    """Read all rows of one shard as they are stored. Raises StoreError for a damaged file."""
    try:
        return pq.read_table(path, schema=SCHEMA)
    except (pa.ArrowException, OSError) as error:
        raise _unreadable(path, error) from error


def read_metadata(path: Path) -> Iterator[dict]:
    """Read what each row of a shard says of itself, without its images. Raises StoreError."""
    for row in _rows(path, ['metadata']):
        yield metadata_of(row)


def load_examples(
    folder: str | os.PathLike,
    task: str | None = None,
    dense: bool = False,
    classes: Sequence[str] | None = None,
    split: str | None = 'train',
) -> Iterator[Example]:
    """
    Read all examples below a folder, in the order of their shards.

    Of a data set with splits, only those for training: other splits, or all of them (None), must
    be asked for. A data set without splits is read whole.

    With ``dense`` the per-pixel truth is decoded as well; its class ids are indices into
    ``classes`` (which must hold every class, see `class_names`) or, without it, into each
    example's own ``metadata['classes']``. Raises StoreError for damaged files and bad rows.
    """
    for path in shard_paths(folder, task, split):
        for row in _rows(path, SCHEMA.names if dense else COLUMNS):
            yield example_of(row, classes)


def _rows(path: Path, columns: Sequence[str]) -> Iterator[Row]:
    try:
        with pq.ParquetFile(path) as file:
            missing = set(columns) - set(file.schema_arrow.names)
            if missing:
                raise StoreError(f"'{path}' has no column {sorted(missing)}; it holds data of "
                                 'another kind than ipt dataset build writes')
            index = 0
            for batch in file.iter_batches(64, columns=columns):
                for place in range(batch.num_rows):
                    yield row_at(batch, place, path, index)
                    index += 1
    except (pa.ArrowException, OSError) as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: Exception) -> StoreError:
    return StoreError(
        f"cannot read '{path}' ({error}); delete it and generate again to replace it")
