# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""Processes that make examples or maps: how they start, and what comes of one that dies."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import as_completed, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
import multiprocessing
import multiprocessing.connection
import os
import signal
import threading
from typing import TypeVar

from .store import StoreError

Result = TypeVar('Result')


def finished(
    work: Callable[..., Result],
    jobs: Sequence[tuple],
    workers: int,
    start: Callable[..., None],
    start_with: tuple,
) -> Iterator[Result]:
    """
    Yield what ``work(*job)`` returns for each job, as they end, from so many processes.

    Each process runs ``start(*start_with)`` first. Raise StoreError when one dies.
    """
    context = multiprocessing.get_context('spawn')  # OpenGL does not survive a fork
    pool = ProcessPoolExecutor(workers, context, start, start_with)
    try:
        for future in as_completed([pool.submit(work, *job) for job in jobs]):
            yield future.result()
    except BrokenProcessPool as error:
        raise StoreError(
            'a worker process died (killed, or out of memory); what is finished is kept: give the '
            'same command again, with fewer workers if memory is short') from error
    finally:
        pool.shutdown(cancel_futures=True)


def start_worker() -> None:
    """Make ready a process: one thread, since processes fill the cores; end with the parent."""
    os.environ.setdefault('OMP_NUM_THREADS', '1')
    import cv2
    cv2.setNumThreads(1)
    # Ctrl-C reaches every process of a terminal; end at once and leave the words to the parent.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """End this process when the main one is gone, killed for instance."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        multiprocessing.connection.wait([parent.sentinel])
        os._exit(1)
