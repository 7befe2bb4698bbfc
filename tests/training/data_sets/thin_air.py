# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""A source that draws examples out of thin air: instant, and fixed by task and index."""

from collections import Counter
from concurrent.futures import Executor, Future
from dataclasses import dataclass, field
from itertools import count
import random

from ipt_ros.spatial import Example, TASKS
from ipt_training.datasets.units import Made, Unit
import numpy as np


def drawn(task: str, index: int, scene: int) -> Example:
    """Return a small example that differs from all others."""
    rng = np.random.default_rng([index, sum(map(ord, task))])
    images = [rng.integers(0, 256, (6, 6, 3), dtype=np.uint8) for _ in range(2)]
    if task == 'pet':
        kind = TASKS['pet'].subtasks[index % 6]
        question = TASKS['pet'].question(kind, 'lamp', 'left', rng)
        metadata = {'pose': [0.0, 0.0, 0.0], 'target_pose': [1.0, 0.0, 1.5], 'turn': 'left'}
    else:
        question = TASKS['mvc'].question('chair', index % 5 + 1, 'rotation', rng)
        metadata = {'poses': [[0.0, 0.0, 0.0]] * 4}
    return Example(task, 'drawn', images[:1], images[1], 'Look.', [question],
                   metadata | {'scene': scene, 'index': index, 'classes': ['nothing']})


@dataclass(frozen=True)
class ThinAir:
    """
    Every third attempt at a task fails, and so does every attempt at a task in ``barren``.

    last: number of the last unit of a task. unfair: every fourth example fails verification.
    ``made`` notes which units were made.
    """

    tasks: tuple[str, ...] = ('pet', 'mvc')
    unit: int = 5
    barren: tuple[str, ...] = ()
    last: int | None = None
    unfair: bool = False
    made: list[str] = field(default_factory=list, compare=False)

    def streams(self):
        return {task: self._units(task) for task in self.tasks}

    def _units(self, task):
        for number in count():
            if self.last is not None and number > self.last:
                return
            start = number * self.unit
            yield Unit(task, number, {'start': start, 'stop': start + self.unit})

    def describe(self):
        return {'kind': 'simulator', 'backend': 'none', 'unit': self.unit, 'scene': ''}

    def open(self):
        def make(unit: Unit) -> Made:
            self.made.append(unit.name)
            indices = range(unit.work['start'], unit.work['stop'])
            fails = [k for k in indices if k % 3 == 2 or unit.stream in self.barren]
            unfair = [k for k in indices if k % 4 == 0 and self.unfair and k not in fails]
            examples = [drawn(unit.stream, k, scene=k // 2) for k in indices
                        if k not in fails and k not in unfair]
            return Made(examples, len(indices), Counter({
                f'{unit.stream}: third': len(fails),
                f'{unit.stream}: verification: too easy': len(unfair)}))
        return make


class Inline(Executor):
    """Does work in this process, in an order of its own."""

    def __init__(self, seed: int = 0):
        self._random = random.Random(seed)
        self._waiting: dict[Future, tuple] = {}

    def submit(self, function, /, *arguments, **named):
        future = Future()
        self._waiting[future] = function, arguments, named
        return future

    def wait(self, futures, return_when):
        """Stand in for `concurrent.futures.wait`: do one of what waits."""
        future = self._random.choice(sorted(futures, key=id))
        function, arguments, named = self._waiting.pop(future)
        try:
            future.set_result(function(*arguments, **named))
        except Exception as error:
            future.set_exception(error)
        return type('Done', (), {'done': [future]})
