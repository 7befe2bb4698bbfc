# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""
The rows of a data set as other trainers want them: what the model writes in one mode, no more.

A data set holds rows of the mode ``ipt``: a thought, the imagined image, the answer. The other
modes of the paper are trained on rows that share their inputs and are, as published, data sets of
their own. `ipt train` needs none of these: it takes all modes from the data set itself.
"""

from collections import Counter
import json
from pathlib import Path
import zlib

from ipt_ros.spatial import Example
from ipt_ros.spatial.chains import chain_of_thought, ChainError
from ipt_ros.spatial.prompts import ANSWER_ONLY_PROMPT, answer_text, THINK_PROMPT
from ipt_training.datasets.card import CARD
from ipt_training.own_rows import example_of, SCHEMA
from ipt_training.row import Row, row_at
from ipt_training.store import (
    read_table,
    shard_paths,
    split_of_shard,
    StoreError,
    write_json,
    write_table,
)
import numpy as np
import pyarrow as pa

# The system prompt of each mode. Half of the rows of the mode `mixed` are `answer-only`.
PROMPTS = {
    'label-only': THINK_PROMPT, 'answer-only': ANSWER_ONLY_PROMPT, 'text-cot': THINK_PROMPT}
_COLUMNS = ('image_list', 'instruction_list', 'output_text_list', 'num_input_images')
_SCHEMA = pa.schema([SCHEMA.field(name) for name in _COLUMNS])


def mode_folder(data_set: Path, mode: str) -> Path:
    """Return the folder of a data set's rows of a mode: beside it, `rooms-text-cot`."""
    return data_set.resolve().with_name(f'{data_set.resolve().name}-{mode}')


def write_mode_rows(data_set: Path, recipe: dict, mode: str) -> Counter:
    """
    Write the rows of a mode to `mode_folder`, a folder a split; the same rows each time.

    recipe: of the data set, from its card. Return how many rows were written ('rows'), and how
    many were left out for which reason. Raise StoreError where the folder holds something else.
    """
    folder = mode_folder(data_set, mode)
    made_of = {'mode': mode, 'recipe': recipe}
    if folder.exists() and _made_of(folder) != made_of:
        raise StoreError(f"'{folder}' holds something else than the {mode} rows of '{data_set}'; "
                         'move or delete it')
    write_json(folder / CARD, made_of)
    count: Counter = Counter()
    for path in shard_paths(data_set):
        task, split, number = path.parent.name, split_of_shard(path), path.stem.split('-')[-1]
        rows = []
        table = read_table(path)
        for place in range(table.num_rows):
            row = row_at(table, place, path, place)
            seed = [zlib.crc32(f'{task}/{path.name}'.encode()), place]
            try:
                rows.append(_row(row, mode, seed))
            except ChainError:
                count[f'{task}: what is stored of the scene does not lead to the answer'] += 1
        count['rows'] += len(rows)
        write_table(folder / split / f'{task}-{number}{path.suffix}',
                    pa.Table.from_pylist(rows, schema=_SCHEMA))
    return count


def _made_of(folder: Path) -> dict | None:
    try:
        return json.loads((folder / CARD).read_text(encoding='utf-8'))
    except (OSError, ValueError):
        return None


def _row(row: Row, mode: str, seed: list[int]) -> dict:
    example = example_of(row, pictures=False)
    inputs = row.cells['num_input_images']
    return {
        'image_list': row.cells['image_list'][:inputs],
        'instruction_list': [PROMPTS[mode], row.cells['instruction_list'][1]],
        'output_text_list': [_target(example, mode, seed)],
        'num_input_images': inputs,
    }


def _target(example: Example, mode: str, seed: list[int]) -> str:
    question = example.questions[0]
    if mode == 'text-cot':
        return chain_of_thought(example, question, np.random.default_rng(seed)).target
    return answer_text(question.answer or question.metadata.get('truth', ''))
