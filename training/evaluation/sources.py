# SPDX-License-Identifier: Apache-2.0
"""
Where questions come from: our own scenes, parquet files, or a robot's bag.

Whatever the source, an evaluation sees `Example`s; only their first question is asked, so that
answers are independent of each other.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path

from ipt_ros.spatial import Example
from ipt_training.examples import GENERATED_TASKS
from ipt_training.generate import generate
from ipt_training.store import load_examples, StoreError
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from .baselines import Reference
from .errors import EvaluationError

SPARE = 1.1  # some examples cannot be made; ask for a tenth more
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

    def examples(self, task: str, n: int) -> list[Example]:
        """Return the first ``n`` examples of the seed. Raises StoreError if there are fewer."""
        return list(self._made(task, n, self._seed, self._folder / f'scenes-{self._seed}'))

    def references(self, task: str, examples: Sequence[Example]) -> list[Reference]:
        """Return for each example what is known without looking at it."""
        known = self._made(task, self._reference_size, 0, self._folder / 'scenes-reference') \
            if self._reference is None else _first(self._reference, task, self._reference_size)
        return [Reference(known)] * len(examples)

    def _made(self, task: str, n: int, seed: int, folder: Path) -> Iterator[Example]:
        generate([task], int(n * SPARE) + 10, seed, folder, self._workers, shard_size=50)
        found = list(islice(load_examples(folder, task, dense=True), n))
        if len(found) < n:
            raise StoreError(
                f'only {len(found)} of {n} examples of {task} could be made from seed {seed}; see '
                f'the reasons in {folder}/dataset.json')
        return iter(found)


class DataSource:
    """
    Examples from parquet files, ours or of a published layout, or from a bag.

    Where there are more than wanted, ``n`` of them are drawn by the seed. Without a ``reference``
    each half of the examples serves as the other half's.
    """

    def __init__(self, path: Path, seed: int, reference: Path | None, reference_size: int):
        self._path = path
        self._seed = seed
        self._reference = reference
        self._reference_size = reference_size
        self.skipped: Counter = Counter()

    def examples(self, task: str, n: int) -> list[Example]:
        """Return up to ``n`` examples, in the order of the data. Raises StoreError for none."""
        self.skipped.clear()
        # Reservoir sampling (Vitter 1985, algorithm R): all equally likely, few in memory.
        rng = np.random.default_rng(self._seed)
        kept: list[tuple[int, Example]] = []
        questions = (example for example in self._questions(task) if example.task == task)
        for index, example in enumerate(questions):
            if index < n:
                kept.append((index, example))
                continue
            place = int(rng.integers(index + 1))
            if place < n:
                kept[place] = index, example
        if not kept:
            raise StoreError(f"no question of task '{task}' with choices and a known answer in "
                             f"'{self._path}'{_reasons(self.skipped)}")
        return [example for _, example in sorted(kept, key=lambda pair: pair[0])]

    def references(self, task: str, examples: Sequence[Example]) -> list[Reference]:
        """Return for each example what is known without looking at it."""
        if self._reference is not None:
            return [Reference(_first(self._reference, task, self._reference_size))] * len(examples)
        halves = [Reference(examples[1::2]), Reference(examples[::2])]
        return [halves[index % 2] for index in range(len(examples))]

    def _questions(self, task: str | None = None) -> Iterator[Example]:
        for example in read_examples(self._path, self._seed, self.skipped, task):
            first = example.questions[0] if example.questions else None
            if first is None or len(first.choices) < 2 or not first.answer:
                self.skipped['no choices, or no known answer'] += 1
            elif not example.images:
                self.skipped['no image'] += 1
            else:
                yield example


def data_tasks(path: Path, seed: int) -> list[str]:
    """Return the tasks that data have questions of. Raises StoreError for none."""
    skipped: Counter = Counter()
    found = sorted({example.task for example in read_examples(path, seed, skipped)})
    if not found:
        raise StoreError(f"no example in '{path}'{_reasons(skipped)}")
    return found


def read_examples(path: Path, seed: int, skipped: Counter,
                  task: str | None = None) -> Iterator[Example]:
    """
    Read examples from whatever there is at ``path``; ``skipped`` counts what could not be read.

    Raises StoreError where there is nothing to read. ``task`` saves reading other tasks, where the
    layout tells them apart by folder.
    """
    if not path.exists():
        raise StoreError(f"'{path}' does not exist; give a folder of parquet files, a parquet "
                         'file, or a bag')
    if is_bag(path):
        yield from _from_bag(path, seed, skipped, task)
    elif _is_store(path):
        present = sorted(p.parent.name for p in path.glob('*/*.parquet'))
        if task is None or task in present:
            yield from load_examples(path, task, dense=True)
    else:
        from ipt_training.datasets.published import load_published
        yield from load_published(path, skipped=skipped)


def is_bag(path: Path) -> bool:
    """Tell whether a path is a recording: an MCAP file, or a folder with one right in it."""
    return path.suffix == BAG_SUFFIX or (path.is_dir() and any(path.glob('*' + BAG_SUFFIX)))


def _from_bag(path: Path, seed: int, skipped: Counter, task: str | None) -> Iterator[Example]:
    try:
        from ipt_training.bags import read_rollout
        from ipt_training.mining import mine_examples
    except ImportError as error:
        raise EvaluationError(f"cannot read the bag '{path}': {error}; install the packages of "
                              'requirements/runtime.txt') from error
    tasks = GENERATED_TASKS if task is None else (task,)
    mined = mine_examples(read_rollout(path), tasks, seed)
    yield from mined
    skipped.update(getattr(mined, 'skipped', {}))


def _is_store(path: Path) -> bool:
    """Tell a folder of ours (a sub-folder a task, with a metadata column) from published files."""
    first = next(iter(sorted(path.glob('*/*.parquet'))), None) if path.is_dir() else None
    if first is None:
        return False
    try:
        return {'metadata', 'class_list'} <= set(pq.read_schema(first).names)
    except (pa.ArrowException, OSError):
        return False  # the loader says what is wrong with it


def _first(path: Path, task: str, number: int) -> Iterator[Example]:
    found = (e for e in read_examples(path, 0, Counter(), task) if e.task == task)
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
