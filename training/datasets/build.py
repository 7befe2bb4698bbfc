# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""
Build a data set: units of work on all cores, in an order that no number of workers changes.

The data set is the first N examples that pass verification, in the order of the units. Units may
be finished in any order and by any number of processes; they are used in their own.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import (
    Executor,
    FIRST_COMPLETED,
    Future,
    ProcessPoolExecutor,
    wait,
)
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from importlib.metadata import version
import json
import multiprocessing
from pathlib import Path
import shutil

from ipt_training.datasets.card import CARD, finish_card, make_card
from ipt_training.datasets.packing import count_rows, Packer
from ipt_training.datasets.splits import SHARES
from ipt_training.datasets.units import (
    read_record,
    Record,
    Source,
    Unit,
    work_on,
)
from ipt_training.locking import only_one
from ipt_training.store import StoreError, write_json
from ipt_training.workers import start_worker
from tqdm import tqdm

WORK = '.build'  # below the data set while it is being built
SHARD_SIZE = 256
# A task is given up after so many attempts, and so many more for each example that came of them.
_PATIENCE, _PATIENCE_EACH = 100, 25


class BuildError(StoreError):
    """A data set cannot be built; the message says why and what to do."""


@dataclass(frozen=True)
class Plan:
    """
    What data set to build.

    ``number``: examples over all tasks, the same for each give or take one; None for all that the
    source has. ``shares``: of scenes a split.
    """

    tasks: tuple[str, ...]
    number: int | None
    source: Source
    shares: Mapping[str, float] = field(default_factory=lambda: dict(SHARES))
    shard_size: int = SHARD_SIZE

    def quotas(self) -> dict[str, int | None]:
        """Return how many examples of each task are wanted; None for no limit."""
        if self.number is None:
            return dict.fromkeys(self.tasks)
        share, rest = divmod(self.number, len(self.tasks))
        return {task: share + (place < rest) for place, task in enumerate(self.tasks)}

    def recipe(self) -> dict:
        """Return all that decides the data set, as JSON values."""
        return json.loads(json.dumps({
            'tasks': self.tasks,
            'n': self.number,
            'shares': dict(self.shares),
            'shard_size': self.shard_size,
            'source': self.source.describe(),
            'ipt_ros': version('ipt_ros'),
        }))


def build(
    plan: Plan,
    out: Path,
    workers: int = 1,
    about: Mapping | None = None,
    pool: Executor | None = None,
) -> dict:
    """
    Build the data set in the folder ``out``, or go on with one, and return its card.

    ``about`` is added to every row's metadata. ``pool`` does the work in place of processes of
    our own. What kept the data set from being what was asked for is listed in the card's
    ``problems``. Raise StoreError where the folder holds something else, is in use, or a worker
    dies; finished units are kept.
    """
    work = out / WORK
    card = _opened(out, work, plan)
    if card is not None:
        return card
    with only_one(out, f'{WORK}/lock'):
        streams = {name: _Stream(name, units) for name, units in plan.source.streams().items()}
        packer = Packer(out, work, plan.shard_size)
        state = _State(streams, plan.quotas(), packer, work)
        with (pool or _processes(workers)) as running, tqdm(
                total=plan.number, unit='example', smoothing=0.05) as bar:
            _run(state, plan, running, 2 * workers, about or {}, bar)
        shards = packer.finish()
        card = make_card(plan, shards, state.tally(), out)
        finish_card(card, out)
    shutil.rmtree(work)
    return card


@dataclass
class _Stream:
    """The units of a row, and how far they are."""

    name: str
    units: Iterator[Unit]
    ahead: list[Unit] = field(default_factory=list)  # begun or done, not used yet; in order
    done: dict[int, Record] = field(default_factory=dict)
    attempts: int = 0
    kept: int = 0
    failed: bool = False  # given up
    over: bool = False  # no more units

    def __post_init__(self):
        self.units = iter(self.units)


@dataclass
class _State:
    """All streams, what is still wanted, and the records of all units that were used."""

    streams: dict[str, _Stream]
    quotas: dict[str, int | None]
    packer: Packer
    work: Path
    used: list[tuple[str, Record]] = field(default_factory=list)

    def wants(self, stream: _Stream) -> bool:
        """Tell whether units of a stream are still of use."""
        tasks = [stream.name] if stream.name in self.quotas else self.quotas
        return not stream.failed and any(self.quotas[t] is None or self.quotas[t] for t in tasks)

    def next_unit(self) -> tuple[_Stream, Unit] | None:
        """Return a unit to begin with, of the stream that is least far; None for none."""
        for stream in sorted(self.streams.values(), key=lambda s: (len(s.ahead), s.attempts)):
            # No unit that is likely not needed: count on all of what is under way.
            quota = self.quotas.get(stream.name)
            likely = sum(unit.work.get('stop', 0) - unit.work.get('start', 0)
                         for unit in stream.ahead)
            if stream.over or not self.wants(stream) or (quota is not None and likely >= quota):
                continue
            unit = next(stream.units, None)
            if unit is None:
                stream.over = True
                continue
            stream.ahead.append(unit)
            return stream, unit
        return None

    def use_finished(self) -> int:
        """Use all units whose turn it is; return how many examples they brought."""
        brought = 0
        for stream in self.streams.values():
            while stream.ahead and stream.ahead[0].number in stream.done:
                unit = stream.ahead.pop(0)
                record = stream.done.pop(unit.number)
                if self.wants(stream):
                    brought += self._use(stream, unit, record)
        return brought

    def _use(self, stream: _Stream, unit: Unit, record: Record) -> int:
        kept = count_rows(record.rows, self.quotas)
        for (task, _), count in kept.items():
            if self.quotas[task] is not None:
                self.quotas[task] -= count
        self.packer.add(unit.name, kept)
        self.used.append((stream.name, record))
        stream.attempts += record.attempts
        stream.kept += kept.total()
        # Never for a source that comes to an end by itself.
        stream.failed = (
            stream.name in self.quotas
            and stream.attempts > _PATIENCE + _PATIENCE_EACH * stream.kept)
        return kept.total()

    def tally(self) -> dict:
        """Add up the records of the units that were used."""
        total = {name: Counter() for name in ('turned_down', 'failed')}
        refused: dict[str, str] = {}
        cost = {name: Counter() for name in self.streams}
        for name, record in self.used:
            total['turned_down'].update(record.turned_down)
            total['failed'].update(record.failed)
            refused.update(record.refused)
            cost[name].update(attempts=record.attempts, seconds=record.seconds,
                              cpu_seconds=record.cpu_seconds)
        return {
            **{name: dict(sorted(counts.items())) for name, counts in total.items()},
            'refused': refused,
            'cost': cost,
            'missing': {task: count for task, count in self.quotas.items() if count},
            'given_up': [s.name for s in self.streams.values() if s.failed],
        }


def _processes(workers: int) -> ProcessPoolExecutor:
    # OpenGL does not survive a fork.
    return ProcessPoolExecutor(workers, multiprocessing.get_context('spawn'), start_worker)


def _run(
    state: _State, plan: Plan, pool: Executor, ahead: int, about: Mapping, bar: tqdm,
) -> None:
    """Do all units that are needed, ``ahead`` of them at a time, and use them in order."""
    running: dict[Future, tuple[_Stream, Unit]] = {}
    try:
        while True:
            bar.update(state.use_finished())
            begun = state.next_unit() if len(running) < ahead else None
            if begun is not None:
                stream, unit = begun
                record = read_record(state.work, unit.name)
                if record is None:
                    task = pool.submit(
                        work_on, plan.source, unit, state.work, plan.shares, about)
                    running[task] = begun
                else:
                    stream.done[unit.number] = record
                continue
            if not running or not any(map(state.wants, state.streams.values())):
                return
            for task in wait(running, return_when=FIRST_COMPLETED).done:
                stream, unit = running.pop(task)
                task.result()
                stream.done[unit.number] = read_record(state.work, unit.name)
    except BrokenProcessPool as error:
        raise BuildError(
            'a worker process died before it was done, killed or out of memory. Run the same '
            'command again to go on, with fewer --workers if memory is short') from error
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _opened(out: Path, work: Path, plan: Plan) -> dict | None:
    """Make the folder ready; return the card of a data set that is there already, complete."""
    recipe = plan.recipe()
    path = out / CARD
    if path.exists():
        card = _read_json(path)
        _check_same(out, card.get('recipe'), recipe)
        shutil.rmtree(work, ignore_errors=True)
        return card
    begun = work / 'recipe.json'
    if any(work.glob('records/*')):
        _check_same(out, _read_json(begun), recipe)
        return None
    if not begun.exists() and out.exists() and any(item.name != WORK for item in out.iterdir()):
        raise BuildError(f"'{out}' holds something else; choose a new or empty folder")
    write_json(begun, recipe)
    return None


def _read_json(path: Path) -> dict:
    try:
        return json.loads(path.read_text(encoding='utf-8'))
    except json.JSONDecodeError as error:
        raise BuildError(f"'{path}' is no JSON ({error}); choose another folder or delete this "
                         'one') from error


def _check_same(out: Path, there: dict | None, asked: dict) -> None:
    if there == asked:
        return
    there = there or {}
    differences = [
        f'{name}: {there.get(name)!r} there, {asked.get(name)!r} asked for'
        for name in {**asked, **there} if there.get(name) != asked.get(name)]
    raise BuildError(f"'{out}' was made in another way ({'; '.join(differences)}); choose another "
                     'folder or delete this one')


__all__ = ['SHARD_SIZE', 'WORK', 'BuildError', 'Plan', 'build']
