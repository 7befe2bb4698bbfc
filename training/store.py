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
from dataclasses import asdict
import json
import os
from pathlib import Path

import cv2
from ipt_ros.spatial import DenseTruth, Example, Question
from ipt_ros.spatial.prompts import (
    after_image_text,
    answer_text,
    before_image_text,
    THINK_PROMPT,
)
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

SCHEMA = pa.schema([
    ('image_list', pa.list_(pa.binary())),
    ('instruction_list', pa.list_(pa.string())),
    ('output_text_list', pa.list_(pa.string())),
    ('num_input_images', pa.int64()),
    ('class_list', pa.list_(pa.binary())),
    ('depth_list', pa.list_(pa.binary())),
    ('metadata', pa.string()),
])
SUFFIX = '.parquet'


class StoreError(ValueError):
    """A file or folder does not hold examples; the message says which and what to do."""


def save_shard(path: Path, examples: Sequence[Example]) -> None:
    """Write examples to one file; it appears complete or not at all."""
    write_table(path, pa.Table.from_pylist(
        [_to_row(example) for example in examples], schema=SCHEMA))


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
        for metadata in read_metadata(path):
            names.update(metadata['classes'])
    names.discard('nothing')
    return ['nothing', *sorted(names)]


def read_table(path: Path) -> pa.Table:
    """Read all rows of one shard as they are stored. Raises StoreError for a damaged file."""
    try:
        return pq.read_table(path, schema=SCHEMA)
    except (pa.ArrowException, OSError) as error:
        raise _unreadable(path, error) from error


def read_metadata(path: Path) -> Iterator[dict]:
    """Read what each row of a shard says of itself, without its images."""
    for row in _rows(path, ['metadata']):
        yield json.loads(row['metadata'])


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
    example's own ``metadata['classes']``.
    """
    skipped = () if dense else ('class_list', 'depth_list')
    columns = [name for name in SCHEMA.names if name not in skipped]
    for path in shard_paths(folder, task, split):
        for row in _rows(path, columns):
            yield example_from_row(row, classes)


def _rows(path: Path, columns: list[str]) -> Iterator[dict]:
    try:
        with pq.ParquetFile(path) as file:
            missing = set(columns) - set(file.schema_arrow.names)
            if missing:
                raise StoreError(f"'{path}' has no column {sorted(missing)}; it holds data of "
                                 'another kind than ipt dataset build writes')
            for batch in file.iter_batches(64, columns=columns):
                yield from batch.to_pylist()
    except (pa.ArrowException, OSError) as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: Exception) -> StoreError:
    return StoreError(
        f"cannot read '{path}' ({error}); delete it and generate again to replace it")


def _to_row(example: Example) -> dict:
    first = example.questions[0]
    answer = first.answer or first.metadata.get('truth', '')
    if example.target is None:
        pictures, texts = example.images, [answer_text(answer)]
    else:
        pictures = [*example.images, example.target]
        texts = [before_image_text(example.think), after_image_text(answer)]
    return {
        'image_list': [_to_png(image) for image in pictures],
        'instruction_list': [THINK_PROMPT, first.text],
        'output_text_list': texts,
        'num_input_images': len(example.images),
        'class_list': [_to_png(truth.classes) for truth in example.dense],
        'depth_list': [_to_png(truth.depth_mm) for truth in example.dense],
        'metadata': json.dumps({
            **example.metadata,
            'task': example.task,
            'variant': example.variant,
            'think': example.think,
            'questions': [asdict(question) for question in example.questions],
        }),
    }


def example_from_row(row: dict, classes: Sequence[str] | None = None) -> Example:
    """Return the example of one stored row; see `load_examples`."""
    metadata = json.loads(row['metadata'])
    images = [_from_png(data) for data in row['image_list']]
    inputs = row['num_input_images']
    dense = [
        DenseTruth(_from_png(ids), _from_png(depth))
        for ids, depth in zip(
            row.get('class_list') or [], row.get('depth_list') or [], strict=True)
    ]
    if dense and classes is not None:
        if len(classes) > 256:
            raise StoreError(
                f'the data set names {len(classes)} classes of things; the truth of a pixel can '
                'tell 256 apart: use fewer scenes at a time')
        table = np.array([classes.index(name) for name in metadata['classes']], np.uint8)
        dense = [DenseTruth(table[truth.classes], truth.depth_mm) for truth in dense]
        metadata['classes'] = list(classes)
    return Example(
        task=metadata.pop('task'),
        variant=metadata.pop('variant'),
        images=images[:inputs],
        target=images[inputs] if inputs < len(images) else None,
        think=metadata.pop('think'),
        questions=[Question(**question) for question in metadata.pop('questions')],
        metadata=metadata,
        dense=dense,
    )


def _to_png(image: np.ndarray) -> bytes:
    """Encode RGB uint8, grey uint8 or grey uint16."""
    if image.ndim == 3:
        image = image[..., ::-1]
    image = np.ascontiguousarray(image)
    done, data = cv2.imencode('.png', image, [cv2.IMWRITE_PNG_COMPRESSION, 3])
    if not done:
        raise StoreError(f'cannot encode an image of {image.dtype} {image.shape} as PNG')
    return data.tobytes()


def _from_png(data: bytes) -> np.ndarray:
    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if image is None:
        raise StoreError('an image in the data set does not decode; generate the shard again')
    return np.ascontiguousarray(image[..., ::-1]) if image.ndim == 3 else image
