# SPDX-License-Identifier: Apache-2.0
"""
Which samples the data give, and how long each is, found out once and kept in a file.

Batches can then be planned before an image is read again, and bad rows show at the start of a run,
not in its third night.
"""

from collections import Counter
from dataclasses import asdict, dataclass
import hashlib
import json
from pathlib import Path

from ipt_ros.bagel import BagelConfig, Tokenizer
from ipt_training.datasets.published import BadRowError
from ipt_training.finetune.errors import FinetuneError
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


@dataclass(frozen=True)
class Unit:
    """One sample: a row's example, asked some of its questions, as one kind."""

    kind: str
    row: int
    questions: tuple[int, ...]
    tokens: int


@dataclass(frozen=True)
class Index:
    """All samples, and how many rows or samples were left out, by reason."""

    units: list[Unit]
    skipped: Counter


def load_index(path: Path, rows: Rows, recipe: FinetuneRecipe, config: BagelConfig,
               tokenizer: Tokenizer) -> Index:
    """Return the index kept in a file if it is of these data and settings, else make it."""
    mark = fingerprint(rows, recipe, config, tokenizer)
    if path.exists():
        try:
            kept = json.loads(path.read_text(encoding='utf-8'))
        except ValueError:
            kept = {}
        if kept.get('fingerprint') == mark:
            units = [Unit(kind, row, tuple(asked), tokens)
                     for kind, row, asked, tokens in kept['units']]
            return Index(units, Counter(kept['skipped']))
    index = make_index(rows, recipe, config, tokenizer)
    write_json(path, {
        'fingerprint': mark, 'skipped': index.skipped,
        'units': [[unit.kind, unit.row, unit.questions, unit.tokens] for unit in index.units]})
    return index


def fingerprint(rows: Rows, recipe: FinetuneRecipe, config: BagelConfig,
                tokenizer: Tokenizer) -> str:
    """Return a hash of all that decides which samples there are and how long they are."""
    decides = [
        _VERSION, recipe.mode, recipe.seed, asdict(recipe.data), asdict(recipe.format),
        recipe.packing.sample_tokens, asdict(config), len(tokenizer), *rows.fingerprint()]
    return hashlib.sha256(json.dumps(decides).encode()).hexdigest()


def make_index(rows: Rows, recipe: FinetuneRecipe, config: BagelConfig, tokenizer: Tokenizer,
               limit: int | None = None) -> Index:
    """
    Read every row once, the first ``limit`` at most.

    Raises BadRowError for the first bad row unless the recipe skips them, and FinetuneError where
    a kind of sample has nothing left to learn from.
    """
    units: list[Unit] = []
    skipped: Counter = Counter()
    count = len(rows) if limit is None else min(limit, len(rows))
    for row in tqdm(range(count), desc='index', unit='row', mininterval=2.0):
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
                tokens = count_tokens(segments, config, tokenizer)
                if tokens > recipe.packing.sample_tokens:
                    skipped[f'{kind}: longer than packing.sample_tokens'] += 1
                else:
                    units.append(Unit(kind, row, chunk, tokens))
    for kind in KINDS[recipe.mode]:
        if not any(unit.kind == kind for unit in units):
            raise FinetuneError(
                f"mode '{recipe.mode}' needs samples of kind '{kind}', but {count} rows gave "
                f'none: {dict(skipped)}')
    return Index(units, skipped)
