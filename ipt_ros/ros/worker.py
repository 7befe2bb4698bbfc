# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""
One thread for the model beside a single-threaded executor.

Callbacks stay quick because they only await; the model runs one job at a time. Measured against a
multi-threaded executor, this kept both the job and the node's timers several times faster.
"""

from collections import deque
from collections.abc import Callable
import threading
from typing import Any

from rclpy.executors import Executor
from rclpy.task import Future


class QueueFullError(RuntimeError):
    """As many jobs wait as may wait."""


class JobCancelledError(RuntimeError):
    """The job was cancelled before it had begun."""


class Job:
    """Something for the worker to do, what comes of it, and a flag to stop it."""

    def __init__(self, run: Callable[['Job'], Any], executor: Executor):
        self.run = run
        self.future = Future(executor=executor)
        self._executor = executor
        self._cancelled = threading.Event()

    @property
    def cancelled(self) -> bool:
        """Whether somebody wants the job to stop; the job itself has to look."""
        return self._cancelled.is_set()

    def cancel(self) -> None:
        """Ask the job to stop at its next look."""
        self._cancelled.set()

    def finish(self, result: Any = None, error: BaseException | None = None) -> None:
        """Complete the future and wake the executor, from any thread."""
        if error is None:
            self.future.set_result(result)
        else:
            self.future.set_exception(error)
        self._executor.wake()


class Worker:
    """A thread that runs jobs one after the other."""

    def __init__(self, executor: Executor, queue_limit: int):
        """`queue_limit`: how many jobs may wait while one runs."""
        self._executor = executor
        self._limit = queue_limit
        self._waiting: deque[Job] = deque()
        self._running: Job | None = None
        self._closed = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._loop, name='model', daemon=True)
        self._thread.start()

    @property
    def waiting(self) -> int:
        """Return the number of jobs that wait."""
        return len(self._waiting)

    @property
    def busy(self) -> bool:
        """Whether a job runs."""
        return self._running is not None

    def submit(self, run: Callable[[Job], Any]) -> Job:
        """
        Queue `run(job)`; await the returned job's `future` for its result or its exception.

        Raises QueueFullError when as many jobs wait as may.
        """
        with self._changed:
            if self._closed:
                raise QueueFullError('the node is going down')
            ahead = len(self._waiting) + (self._running is not None)
            if ahead > self._limit:
                raise QueueFullError(
                    f'{ahead} request(s) come first and at most {self._limit} may wait; try again '
                    "later, or raise the parameter 'queue_limit'")
            job = Job(run, self._executor)
            self._waiting.append(job)
            self._changed.notify()
        return job

    def cancel(self, job: Job) -> None:
        """Stop a job: at once if it still waits, at its next look if it runs."""
        job.cancel()
        with self._changed:
            if job not in self._waiting:
                return
            self._waiting.remove(job)
        job.finish(error=JobCancelledError('cancelled while it waited'))

    def cancel_all(self) -> None:
        """Stop every job."""
        with self._changed:
            jobs = [*self._waiting, *([self._running] if self._running else [])]
        for job in jobs:
            self.cancel(job)

    def close(self, timeout: float | None = 10.0) -> bool:
        """Cancel everything and end the thread; tell whether it ended within `timeout` s."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        self.cancel_all()
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def _loop(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._closed)
                if not self._waiting:
                    return
                job = self._running = self._waiting.popleft()
            result, error = None, None
            try:
                result = job.run(job)
            except BaseException as raised:  # noqa: B902  (handed to whoever awaits the job)
                error = raised
            with self._changed:
                self._running = None
            job.finish(result, error)
            # While it waits for the next job, the thread must not keep alive what the last one
            # worked with: that may be a model that has been replaced.
            job = result = error = None
