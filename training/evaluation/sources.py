# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""
Where questions come from: our own scenes, parquet files, or a robot's bag.

Whatever the source, an evaluation sees `Example`s. One question of each is asked, so that answers
are independent of each other: the first one with choices and a known answer. Where an example has
none, as a robot's own recordings may, its first question stays, for what is imagined on it.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path

from ipt_ros.spatial import Example
from ipt_training.bags import BagReadError, read_rollout
from ipt_training.datasets.published import load_published
from ipt_training.generate import generate
from ipt_training.mining import mine_examples, MINED_TASKS
from ipt_training.store import load_examples, shard_paths, StoreError
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from .baselines import can_judge, Reference

SPARE = 1.1  # some examples cannot be made; ask for a tenth more
TRIES = 4  # and for more again where that was not enough
BAG_SUFFIX = '.mcap'


class SceneSource:
    """
    Examples from simulated scenes, made when first asked for and kept below ``folder``.

    The reference is made from training scenes (seed 0), or read from ``reference``.
    """

    def __init__(self, seed: int, folder: Path, workers: int, reference: Path | None,
                 reference_size: int):
        self._seed = seed
        self._folder = folder
        self._workers = workers
        self._reference = reference
        self._reference_size = reference_size
        # Others are made for those that cannot be; the folder's dataset.json says why.
        self.skipped: Counter = Counter()

    def examples(self, task: str, n: int) -> list[Example]:
        """Return the first ``n`` examples of the seed. Raises StoreError if there are fewer."""
        return list(self._made(task, n, self._seed, self._folder / f'scenes-{self._seed}'))

    def references(self, task: str, examples: Sequence[Example]) -> list[Reference]:
        """Return for each example what is known without looking at it."""
        known = self._made(task, self._reference_size, 0, self._folder / 'scenes-reference') \
            if self._reference is None else _first(self._reference, task, self._reference_size)
        return [Reference(known)] * len(examples)

    def _made(self, task: str, n: int, seed: int, folder: Path) -> Iterator[Example]:
        found, asked = [], int(n * SPARE) + 10
        for _ in range(TRIES):
            generate([task], asked, seed, folder, self._workers, shard_size=50)
            found = list(islice(load_examples(folder, task, dense=True), n))
            if len(found) == n:
                return iter(found)
            asked = int(asked * SPARE * n / max(len(found), n / 2)) + 10
        raise StoreError(
            f'only {len(found)} of {n} examples of {task} could be made from seed {seed}; see the '
            f'reasons in {folder}/dataset.json')


class DataSource:
    """
    Examples from parquet files, ours or of a published layout, or from a bag.

    Of a data set with splits, ``split`` is read. Where there are more than wanted, ``n`` of them
    are drawn by the seed. Without a ``reference`` each half of the examples serves as the other
    half's. ``skipped`` counts by reason what the last look for examples left out.
    """

    def __init__(self, path: Path, seed: int, reference: Path | None, reference_size: int,
                 split: str = 'test'):
        self._path = path
        self._seed = seed
        self._split = split
        self._reference = reference
        self._reference_size = reference_size
        self.skipped: Counter = Counter()

    def examples(self, task: str, n: int) -> list[Example]:
        """Return up to ``n`` examples, in the order of the data. Raises StoreError for none."""
        self.skipped.clear()
        # Reservoir sampling (Vitter 1985, algorithm R): all equally likely, few in memory.
        rng = np.random.default_rng(self._seed)
        kept: list[tuple[int, Example]] = []
        for index, example in enumerate(self._questions(task)):
            if index < n:
                kept.append((index, example))
                continue
            place = int(rng.integers(index + 1))
            if place < n:
                kept[place] = index, example
        if not kept:
            raise StoreError(
                f"no question of task '{task}' with choices and a known answer, or with a true "
                f"image, in '{self._path}'{_reasons(self.skipped)}")
        return [example for _, example in sorted(kept, key=lambda pair: pair[0])]

    def references(self, task: str, examples: Sequence[Example]) -> list[Reference]:
        """Return for each example what is known without looking at it."""
        if self._reference is not None:
            return [Reference(_first(self._reference, task, self._reference_size))] * len(examples)
        halves = [Reference(examples[1::2]), Reference(examples[::2])]
        return [halves[index % 2] for index in range(len(examples))]

    def _questions(self, task: str) -> Iterator[Example]:
        for example in read_examples(
                self._path, self._seed, self.skipped, task, self._split):
            if example.task != task:
                continue
            asked = [question for question in example.questions if can_judge(question)]
            if not asked and example.target is not None:
                asked = example.questions
            if not asked:
                self.skipped['no known answer, and no true image'] += 1
            elif not example.images:
                self.skipped['no image'] += 1
            else:
                yield replace(example, questions=asked[:1])


def data_tasks(path: Path, seed: int, split: str = 'test') -> list[str]:
    """Return the tasks that data have questions of. Raises StoreError for none."""
    store = _store(path)
    if store is not None:
        return sorted({shard.parent.name for shard in shard_paths(*store, split)})
    skipped: Counter = Counter()
    found = sorted({example.task for example in read_examples(path, seed, skipped)})
    if not found:
        raise StoreError(f"no example in '{path}'{_reasons(skipped)}")
    return found


def read_examples(path: Path, seed: int, skipped: Counter, task: str | None = None,
                  split: str | None = None) -> Iterator[Example]:
    """
    Read examples from whatever there is at ``path``; ``skipped`` counts what could not be read.

    Raises StoreError where there is nothing to read. ``task`` saves reading other tasks, where the
    layout tells them apart by folder; ``split`` chooses among ours that have splits, be it the
    folder of a data set or that of one task in it.
    """
    if not path.exists():
        raise StoreError(f"'{path}' does not exist; give a folder of parquet files, a parquet "
                         'file, or a bag')
    if is_bag(path):
        yield from _from_bag(path, seed, skipped, task)
        return
    store = _store(path)
    if store is None:
        yield from load_published(path, skipped=skipped)
        return
    folder, only = store
    present = {shard.parent.name for shard in shard_paths(folder, only)}
    if task is None or task in present:
        yield from load_examples(folder, task or only, dense=True, split=split)


def is_bag(path: Path) -> bool:
    """Tell whether a path is a recording: an MCAP file, or a folder with one right in it."""
    return path.suffix == BAG_SUFFIX or (path.is_dir() and any(path.glob('*' + BAG_SUFFIX)))


def _from_bag(path: Path, seed: int, skipped: Counter, task: str | None) -> Iterator[Example]:
    try:
        with read_rollout(path) as rollout:
            yield from mine_examples(rollout, MINED_TASKS if task is None else (task,), seed,
                                     skipped=skipped)
            skipped.update(rollout.problems)
    except BagReadError as error:
        raise StoreError(str(error)) from error


def _store(path: Path) -> tuple[Path, str | None] | None:
    """
    Return the folder of a data set of ours and the task in it (None: all); None for others.

    What is in the files decides, as in training. Ours would pass for published training rows,
    but their splits, sub-tasks and truth would be lost. So a file of ours alone, or folders that
    are neither a data set nor a task of one, raise StoreError.
    """
    # The second pattern follows links to folders, as the reader of our data does.
    files = [path] if path.is_file() else sorted(
        {*path.rglob('*.parquet'), *path.glob('*/*.parquet')})
    files = [file for file in files
             if not any(part.startswith('.') for part in file.relative_to(path).parts)]
    ours = next(filter(_is_ours, files), None)
    if ours is None:
        return None
    depths = {len(file.relative_to(path).parts) for file in files}
    if depths == {2}:
        return path, None
    whole = ours.absolute()
    if depths == {1}:
        return whole.parent.parent, whole.parent.name
    what = 'is one file' if path.is_file() else f"has, with '{ours}', a part"
    raise StoreError(
        f"'{path}' {what} of a data set of ipt dataset build; give the folder of that data set, "
        f"'{whole.parent.parent}', with --tasks {whole.parent.name} and the --split that you want")


def _is_ours(file: Path) -> bool:
    """Tell a file of ours, with columns for metadata and per-pixel truth, from published ones."""
    try:
        return {'metadata', 'class_list'} <= set(pq.read_schema(file).names)
    except (pa.ArrowException, OSError):
        return False  # the loader says what is wrong with it


def _first(path: Path, task: str, number: int) -> Iterator[Example]:
    found = (e for e in read_examples(path, 0, Counter(), task, 'train') if e.task == task)
    return _some(found, number, f"'{path}' has no example of task '{task}' to refer to")


def _some(examples: Iterable[Example], number: int, otherwise: str) -> Iterator[Example]:
    found = False
    for example in islice(examples, number):
        found = True
        yield example
    if not found:
        raise StoreError(otherwise)


def _reasons(skipped: Counter) -> str:
    if not skipped:
        return ''
    return '; left out: ' + ', '.join(f'{reason} ({n})' for reason, n in skipped.most_common(5))
