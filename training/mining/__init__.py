# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""
Examples out of a robot's own recordings: nobody labels anything.

The view that a robot had when it came to a place is the truth of what it should have imagined from
afar (PET); what its depth cameras measured, seen from above, is the map that it should have
imagined from four views (MVC).

>>> with read_rollout('drive') as rollout:
...     mined = mine_examples(rollout, ['pet', 'mvc'], seed=0)
...     examples = list(mined)
>>> mined.skipped
"""

from collections import Counter
from collections.abc import Iterator, Sequence

from ipt_ros.spatial import Example
from ipt_training.bags import Rollout
from ipt_training.mining.counting import mine_rings
from ipt_training.mining.options import MiningOptions
from ipt_training.mining.perspective import mine_pairs
from ipt_training.mining.place import Place
import numpy as np

_MINERS = {'pet': mine_pairs, 'mvc': mine_rings}
MINED_TASKS = tuple(_MINERS)


class MinedExamples(Iterator[Example]):
    """
    Examples, one at a time; `skipped` counts what was left out until now, and why.

    place: floor, surface and tracks, as far as they were needed.
    """

    def __init__(self, examples: Iterator[Example], place: Place):
        """Wrap a generator and what it works on."""
        self._examples = examples
        self.place = place
        self.skipped = place.skipped

    def __next__(self) -> Example:
        return next(self._examples)


def mine_examples(
    rollout: Rollout,
    tasks: Sequence[str] = MINED_TASKS,
    seed: int = 0,
    options: MiningOptions | None = None,
    skipped: Counter | None = None,
) -> MinedExamples:
    """
    Find examples in a recording.

    tasks: those of MINED_TASKS are mined; others are counted as not minable. The same recording,
    seed and options give the same examples in the same order. skipped: a counter to use. What a
    frame itself lacks is counted in `Rollout.problems`.
    """
    skipped = Counter() if skipped is None else skipped
    options = options or MiningOptions()
    place = Place(rollout, options, skipped)
    return MinedExamples(_mine(place, tuple(tasks), seed), place)


def _mine(place: Place, tasks: tuple[str, ...], seed: int) -> Iterator[Example]:
    for task in tasks:
        if task not in _MINERS:
            place.skipped[f'{task}: cannot be mined; only {", ".join(MINED_TASKS)} can'] += 1
            continue
        rng = np.random.default_rng([seed, MINED_TASKS.index(task)])
        yield from _MINERS[task](place, rng)


__all__ = ['MINED_TASKS', 'MinedExamples', 'MiningOptions', 'mine_examples']
