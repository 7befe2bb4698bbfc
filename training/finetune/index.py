# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""
Which samples the data give, and how long each is, found out once and kept in a file.

Batches can then be planned before an image is read again, and bad rows show at the start of a run,
not in its third night.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
import hashlib
import json
from pathlib import Path

from ipt_ros.bagel import BagelConfig, Tokenizer
from ipt_training.datasets.published import BadRowError
from ipt_training.finetune.errors import FinetuneError
from ipt_training.finetune.processes import ALONE, Processes
from ipt_training.finetune.recipe import FinetuneRecipe
from ipt_training.finetune.rows import Rows
from ipt_training.finetune.samples import (
    build_sample,
    count_tokens,
    fit_questions,
    KINDS,
    UnfitError,
)
from ipt_training.store import write_json
from tqdm import tqdm

_VERSION = 1  # of the file's content
_BLOCKS = 8  # in which a part of the rows is read


@dataclass(frozen=True)
class Unit:
    """One sample: a row's example, asked some of its questions, as one kind."""

    kind: str
    row: int
    questions: tuple[int, ...]
    tokens: int


@dataclass(frozen=True)
class Index:
    """
    All samples, and how many rows or samples were left out, by reason.

    ``mark``: of the data and settings that it is of.
    """

    units: list[Unit]
    skipped: Counter
    mark: str = ''


@dataclass(frozen=True)
class Reading:
    """What an index is made of: rows, and how they become samples."""

    rows: Rows
    recipe: FinetuneRecipe
    config: BagelConfig
    tokenizer: Tokenizer

    def mark(self) -> str:
        """Return a hash of all that decides which samples there are and how long they are."""
        recipe = self.recipe
        decides = [
            _VERSION, recipe.mode, recipe.seed, asdict(recipe.data), asdict(recipe.format),
            recipe.packing.sample_tokens, asdict(self.config), len(self.tokenizer),
            *self.rows.fingerprint()]
        return hashlib.sha256(json.dumps(decides).encode()).hexdigest()


def shared_index(path: Path, reading: Reading, processes: Processes = ALONE) -> Index:
    """
    Return the index kept in a file if it is of these data and settings, else make it.

    Each process reads its share of the rows: one alone would let the others wait for hours.
    Raises what `make_index` raises.
    """
    with processes.agreed():
        mark = reading.mark()
        kept = load_index(path, mark) if processes.lead else None
    if processes.decide(kept is None):
        with processes.agreed():
            first, end = ((processes.rank + i) * len(reading.rows) // processes.world
                          for i in (0, 1))
            part = read_rows(reading, range(first, end))
        parts = processes.collect(part)
        with processes.agreed():
            if processes.lead:
                save_index(path, join(parts, mark))
    with processes.agreed():
        index = load_index(path, mark)
        if index is None:
            raise FinetuneError(
                f"work_dir '{path.parent}' is not the same folder in process {processes.rank}; "
                'with many machines it must be on a file system that all of them share')
        check_complete(index, reading)
    return index


def load_index(path: Path, mark: str) -> Index | None:
    """Return the index kept in a file if it has this mark."""
    try:
        kept = json.loads(path.read_text(encoding='utf-8'))
    except (FileNotFoundError, ValueError):
        return None
    if kept.get('fingerprint') != mark:
        return None
    units = [Unit(kind, row, tuple(asked), tokens) for kind, row, asked, tokens in kept['units']]
    return Index(units, Counter(kept['skipped']), mark)


def save_index(path: Path, index: Index) -> None:
    """Keep an index in a file."""
    write_json(path, {
        'fingerprint': index.mark, 'skipped': index.skipped,
        'units': [[unit.kind, unit.row, unit.questions, unit.tokens] for unit in index.units]})


def join(parts: Iterable[Index], mark: str) -> Index:
    """Return one index of several."""
    units: list[Unit] = []
    skipped: Counter = Counter()
    for part in parts:
        units += part.units
        skipped += part.skipped
    return Index(units, skipped, mark)


def make_index(reading: Reading, limit: int | None = None) -> Index:
    """
    Read every row once, or ``limit`` of them from all over the data.

    Raises BadRowError for the first bad row unless the recipe skips them, and FinetuneError where
    a kind of sample has nothing left to learn from.
    """
    index = read_rows(reading, spread_rows(len(reading.rows), limit))
    check_complete(index, reading)
    return index


def spread_rows(count: int, limit: int | None) -> Sequence[int]:
    """
    Return the numbers of at most ``limit`` of ``count`` rows, in order.

    Files come task by task and kind by kind, so the first rows alone would not show all of them.
    Neighbours are read together, so it is blocks that are spread.
    """
    if limit is None or count <= limit:
        return range(count)
    blocks = min(_BLOCKS, limit)
    size = limit // blocks
    starts = [(count - size) * block // max(1, blocks - 1) for block in range(blocks)]
    return sorted({start + step for start in starts for step in range(size)})


def check_complete(index: Index, reading: Reading) -> None:
    """Raise FinetuneError where a kind of sample has nothing left to learn from."""
    mode = reading.recipe.mode
    for kind in KINDS[mode]:
        if not any(unit.kind == kind for unit in index.units):
            raise FinetuneError(
                f"mode '{mode}' needs samples of kind '{kind}', but the rows gave none: "
                f'{dict(index.skipped)}')


def read_rows(reading: Reading, numbers: Sequence[int]) -> Index:
    """Return the samples of some rows. Raises BadRowError unless the recipe skips bad rows."""
    rows, recipe, config = reading.rows, reading.recipe, reading.config
    units: list[Unit] = []
    skipped: Counter = Counter()
    for row in tqdm(numbers, desc='index', unit='row', mininterval=2.0):
        try:
            example = rows.example(row)
        except BadRowError as error:
            if recipe.data.bad_rows == 'stop':
                raise
            skipped[error.reason] += 1
            continue
        for kind in KINDS[recipe.mode]:
            try:
                texts = fit_questions(kind, example, (recipe.seed, row), recipe.data.detail)
            except UnfitError as error:
                skipped[f'{kind}: {error}'] += 1
                continue
            asked = list(texts)
            for start in range(0, len(asked), recipe.data.questions):
                chunk = tuple(asked[start:start + recipe.data.questions])
                segments = build_sample(
                    kind, example, {i: texts[i] for i in chunk}, recipe.format, config)
                tokens = count_tokens(segments, config, reading.tokenizer)
                if tokens > recipe.packing.sample_tokens:
                    skipped[f'{kind}: longer than packing.sample_tokens'] += 1
                else:
                    units.append(Unit(kind, row, chunk, tokens))
    return Index(units, skipped)
