# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""
Published data sets, loaded as they are: one file a layout.

>>> from ipt_training.datasets.published import load_published
>>> for example in load_published('pet-eval-ai2thor/data'):
...     print(example.questions[0].text)
"""

from collections import Counter
from collections.abc import Iterator
import os
from pathlib import Path

from ipt_ros.bagel.mistaken import mistaken
from ipt_ros.spatial import Example
from ipt_training.datasets.published.camera_motion import CAMERA_MOTION
from ipt_training.datasets.published.counting import COUNTING
from ipt_training.datasets.published.layout import Layout
from ipt_training.datasets.published.messytable import MESSYTABLE
from ipt_training.datasets.published.path_tracing import PATH_TRACING, PATH_TRACING_REAL
from ipt_training.datasets.published.perspective import PERSPECTIVE, PERSPECTIVE_ARROW
from ipt_training.datasets.published.perspective_raw import PERSPECTIVE_RAW
from ipt_training.datasets.published.scannet import SCANNET
from ipt_training.datasets.published.training_rows import TRAINING_ROWS
from ipt_training.errors import BadRowError, PublishedError
from ipt_training.row import Row, row_at
import pyarrow as pa
import pyarrow.parquet as pq

# The first one that a file fits is its layout; narrow ones stand before wide ones.
LAYOUTS: dict[str, Layout] = {
    layout.name: layout for layout in (
        TRAINING_ROWS, PERSPECTIVE, PERSPECTIVE_ARROW, PERSPECTIVE_RAW, PATH_TRACING, COUNTING,
        MESSYTABLE, SCANNET, CAMERA_MOTION, PATH_TRACING_REAL)
}


def load_published(
    path: str | os.PathLike, layout: str | None = None, skipped: Counter | None = None,
) -> Iterator[Example]:
    """
    Read the examples of a parquet file, or of all below a folder, in order.

    ``layout`` is one of LAYOUTS, or None to tell it from the columns. Raise PublishedError for
    files that are no parquet, are cut off or have other columns. A bad row raises BadRowError;
    with ``skipped`` it is left out and counted there by reason.
    """
    for file in published_files(path):
        with open_published(file) as parquet:
            chosen = choose_layout(file, parquet.schema_arrow, layout)
            yield from _examples(file, parquet, chosen, skipped)


def published_files(path: str | os.PathLike) -> list[Path]:
    """Return the file itself or all parquet files below a folder; PublishedError for none."""
    path = Path(path)
    files = [path] if path.is_file() else sorted(
        file for file in path.rglob('*.parquet')
        if not any(part.startswith('.') for part in file.relative_to(path).parts))
    if not files:
        raise PublishedError(f"no parquet file at '{path}'; give a file or a folder that has some")
    return files


def open_published(file: Path) -> pq.ParquetFile:
    """Open a parquet file. Raise PublishedError where it is none, or not whole."""
    try:
        return pq.ParquetFile(file)
    except (pa.ArrowException, OSError) as error:
        with file.open('rb') as stream:
            start = stream.read(40)
        if known := mistaken(file):
            hint = known
        elif start.startswith(b'PAR1'):
            hint = 'it is cut off; download it again'
        else:
            hint = f'it starts with {start[:8]!r}; only parquet is read'
        raise PublishedError(f"cannot read '{file}' as parquet: {hint} ({error})") from error


def choose_layout(file: Path, schema: pa.Schema, name: str | None = None) -> Layout:
    """Return the layout of a file. Raise PublishedError with what is missing."""
    if name is not None:
        if name not in LAYOUTS:
            raise PublishedError(f"no layout '{name}'; there are: {', '.join(LAYOUTS)}")
        faults = LAYOUTS[name].faults(schema)
        if faults:
            raise PublishedError(f"'{file}' is not of layout '{name}': {'; '.join(faults)}")
        return LAYOUTS[name]
    fitting = [layout for layout in LAYOUTS.values() if not layout.faults(schema)]
    if fitting:
        return fitting[0]
    nearest = min(LAYOUTS.values(),
                  key=lambda layout: len(layout.faults(schema)) / len(layout.columns))
    raise PublishedError(
        f"'{file}' has none of the known layouts ({', '.join(LAYOUTS)}). It is nearest to "
        f"'{nearest.name}': {'; '.join(nearest.faults(schema))}. It has the columns "
        f"{', '.join(schema.names)}")


def _examples(
    file: Path, parquet: pq.ParquetFile, layout: Layout, skipped: Counter | None,
) -> Iterator[Example]:
    index = 0
    try:
        # Few at a time: some releases have images of many megabytes.
        for batch in parquet.iter_batches(8, columns=layout.wanted(parquet.schema_arrow)):
            for place in range(batch.num_rows):
                try:
                    yield layout.read(row_at(batch, place, file, index))
                except BadRowError as error:
                    if skipped is None:
                        raise
                    skipped[error.reason] += 1
                index += 1
    except (pa.ArrowException, OSError) as error:
        raise PublishedError(
            f"cannot read on in '{file}' after row {index} ({error}); download it again"
        ) from error


__all__ = [
    'LAYOUTS',
    'BadRowError',
    'Layout',
    'PublishedError',
    'Row',
    'choose_layout',
    'load_published',
    'open_published',
    'published_files',
]
