# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""Does pieces side by side, each when those that it needs are done."""

from collections.abc import Callable, Sequence
from concurrent.futures import Executor, FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
import multiprocessing
from pathlib import Path
import time

from ipt_training.experiment.errors import ExperimentError
from ipt_training.experiment.pieces import do, Piece
from ipt_training.experiment.progress import Pace, seconds_left, spoken
from ipt_training.locking import only_one
from ipt_training.workers import start_worker

WORD_EVERY = 60.0  # s between two words about progress


@dataclass
class _Running:
    """A piece under way: since when (s, monotonic), and its units that were done before."""

    piece: Piece
    since: float
    before: float


def run_pieces(
    pieces: Sequence[Piece],
    workers: int = 1,
    pool: Executor | None = None,
    say: Callable[[str], None] = print,
    every: float = WORD_EVERY,
) -> dict[str, str]:
    """
    Do all pieces that are not done; return why some failed, by name.

    Pieces stand in the order in which they are begun, where nothing makes them wait. A failed one
    holds up only those that need it. ``pool`` works in place of processes of our own. Raises
    ExperimentError where a folder was begun with other settings, or a worker died.
    """
    todo = [piece for piece in pieces if not piece.finished()]
    failed: dict[str, str] = {}
    running: dict[Future, _Running] = {}
    pace, spoke = Pace(), time.monotonic()
    if not todo:
        say(f'all {len(pieces)} pieces are done')
        return failed
    say(f'{len(pieces) - len(todo)} of {len(pieces)} pieces are done')
    executor = pool or ProcessPoolExecutor(
        workers, multiprocessing.get_context('spawn'), _start)
    try:
        while todo:
            for piece in _ready(todo, running, failed)[:workers - len(running)]:
                under_way = _Running(piece, time.monotonic(), piece.count())
                running[executor.submit(do, piece)] = under_way
            if not running:  # the rest waits for what failed
                break
            done, _ = wait(running, every, FIRST_COMPLETED)
            for future in done:
                ended = running.pop(future)
                reason = future.result()
                todo.remove(ended.piece)
                if reason:
                    failed[ended.piece.name] = reason
                    say(f'{ended.piece.name} FAILED: {reason}; see {ended.piece.log}')
                else:
                    took = time.monotonic() - ended.since
                    pace.measure(ended.piece, ended.piece.units - ended.before, took)
                    say(f'{ended.piece.name}: done in {spoken(took)}')
            if done or time.monotonic() - spoke >= every:
                spoke = time.monotonic()
                say(_progress(pieces, todo, running, failed, pace, workers))
    except BrokenProcessPool as error:
        raise ExperimentError(
            'a worker process died, killed or out of memory; give the same command again to go '
            'on, with fewer --workers if memory is short') from error
    except KeyboardInterrupt:
        if pool is None:  # it may have reached this process alone; pieces go on another time
            for worker in multiprocessing.active_children():
                worker.terminate()
        raise
    finally:
        executor.shutdown(wait=False, cancel_futures=True)
    return failed


def _ready(todo: Sequence[Piece], running: dict[Future, _Running],
           failed: dict[str, str]) -> list[Piece]:
    """Return the pieces that can be begun now."""
    busy = {item.piece.name for item in running.values()}
    waiting = {piece.name for piece in todo} | failed.keys()
    return [piece for piece in todo if piece.name not in busy
            and not any(name in waiting for name in piece.needs)]


def _progress(pieces: Sequence[Piece], todo: Sequence[Piece], running: dict[Future, _Running],
              failed: dict[str, str], pace: Pace, workers: int) -> str:
    """Return a line about how far everything is."""
    left, now, words = {}, pace.copy(), []
    for item in running.values():
        count = item.piece.count()
        left[item.piece.name] = max(0.0, item.piece.units - count)
        now.measure(item.piece, count - item.before, time.monotonic() - item.since)
        words.append(f'{item.piece.name} {count / max(item.piece.units, 1):.0%}')
    done = len(pieces) - len(todo) - len(failed)
    rest = seconds_left([piece for piece in todo if piece.name not in failed], left, now, workers)
    return (f'[{time.strftime("%H:%M:%S")}] {done} of {len(pieces)} done'
            + (f', {len(failed)} failed' if failed else '')
            + (f'; {", ".join(words)}' if words else '')
            + (f'; about {spoken(rest)} left' if todo else ''))


def conduct(
    work: Path,
    pieces: Sequence[Piece],
    make_data: Callable[[], None],
    report: Callable[[], None],
    workers: int,
    pool: Executor | None = None,
    say: Callable[[str], None] = print,
) -> int:
    """
    Make data, do all pieces, and report; return 1 if a piece failed, else 0.

    Raises ExperimentError as `run_pieces` does, before anything is made, and StoreError where
    another process is at work in the folder.
    """
    if workers < 1:
        raise ExperimentError(f'--workers is {workers}; give 1 or more')
    with only_one(work):
        for piece in pieces:  # what is refused is refused before the first hour, not after it
            piece.finished()
        make_data()
        failed = run_pieces(pieces, workers, pool, say)
        report()
    return 1 if failed else 0


def _start() -> None:
    """Make a process ready: one thread, since pieces fill the cores."""
    start_worker()
    import torch
    torch.set_num_threads(1)
