# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""The thread that computes: order, limits, cancelling, going down."""

import threading
import weakref

from ipt_ros.ros.worker import JobCancelledError, QueueFullError, Worker
import pytest


class Executor:
    """What a worker needs of an executor."""

    def __init__(self):
        self.woken = threading.Semaphore(0)

    def wake(self):
        self.woken.release()

    def create_task(self, callback, future):
        callback(future)


@pytest.fixture
def worker():
    worker = Worker(Executor(), queue_limit=2)
    yield worker
    assert worker.close(timeout=10.0)


def wait(job, worker: Worker):
    while not job.future.done():
        assert worker._executor.woken.acquire(timeout=10.0)
    return job.future.result()


class Gate:
    """A job that says when it runs and goes on when it may."""

    def __init__(self):
        self.entered, self.open = threading.Event(), threading.Event()

    def __call__(self, job):
        self.entered.set()
        assert self.open.wait(10.0)
        return job.cancelled


def test_jobs_run_one_by_one_in_order(worker):
    done = []
    jobs = [worker.submit(lambda job, n=n: done.append(n) or n) for n in range(2)]
    assert [wait(job, worker) for job in jobs] == [0, 1]
    assert done == [0, 1]


def test_exceptions_reach_the_one_who_waits(worker):
    job = worker.submit(lambda job: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        wait(job, worker)
    assert wait(worker.submit(lambda job: 5), worker) == 5


def test_an_idle_thread_keeps_nothing_of_its_last_job_alive(worker):
    class Model:

        def work(self, job):
            return self

    model = Model()
    trace = weakref.ref(model)
    job = worker.submit(model.work)
    assert wait(job, worker) is model
    del model, job
    for _ in range(1000):  # the thread lets go just after it has woken us
        if trace() is None:
            break
        threading.Event().wait(0.01)
    assert trace() is None


def test_the_queue_has_an_end(worker):
    gate = Gate()
    jobs = [worker.submit(gate)]
    assert gate.entered.wait(10.0)
    jobs += [worker.submit(lambda job: None) for _ in range(2)]
    assert worker.busy and worker.waiting == 2
    with pytest.raises(QueueFullError, match='queue_limit'):
        worker.submit(lambda job: None)
    gate.open.set()
    for job in jobs:
        wait(job, worker)
    assert wait(worker.submit(lambda job: 'again'), worker) == 'again'


def test_a_waiting_job_is_cancelled_at_once(worker):
    gate, ran = Gate(), []
    first = worker.submit(gate)
    assert gate.entered.wait(10.0)
    second = worker.submit(lambda job: ran.append(1))
    worker.cancel(second)
    with pytest.raises(JobCancelledError):
        second.future.result()
    gate.open.set()
    assert wait(first, worker) is False
    assert not ran


def test_a_running_job_is_told(worker):
    gate = Gate()
    job = worker.submit(gate)
    assert gate.entered.wait(10.0)
    worker.cancel(job)
    gate.open.set()
    assert wait(job, worker) is True


def test_closing_cancels_everything_and_takes_nothing_more():
    worker, gate = Worker(Executor(), queue_limit=5), Gate()
    running = worker.submit(gate)
    assert gate.entered.wait(10.0)
    waiting = worker.submit(lambda job: None)
    assert not worker.close(timeout=0.01)
    assert running.cancelled
    with pytest.raises(JobCancelledError):
        waiting.future.result()
    gate.open.set()
    assert worker.close(timeout=10.0)
    with pytest.raises(QueueFullError, match='going down'):
        worker.submit(lambda job: None)
