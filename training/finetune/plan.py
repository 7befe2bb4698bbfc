# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""
Which samples make up which batch: fixed by the samples, the recipe's seed and the batch's number.

Row groups are shuffled every epoch and read window by window; inside a window samples are shuffled
and packed. So every file is read in order and only one window is in memory, whatever its size.
"""

from collections import defaultdict
from collections.abc import Sequence
from functools import lru_cache

from ipt_training.finetune.bins import fill_bins
from ipt_training.finetune.errors import FinetuneError
from ipt_training.finetune.index import Unit
import numpy as np


class Plan:
    """
    The batches of all epochs, one after another.

    ``group_of``: the row group of each row; ``batch_tokens``: a batch's budget; ``window``: rows.
    With ``batch_samples`` each batch has so many samples; what is left over at the end of an epoch
    is left out of it. Raises FinetuneError where an epoch has fewer than that.
    """

    def __init__(self, units: Sequence[Unit], group_of: Sequence[int], *, seed: int,
                 batch_tokens: int, window: int, batch_samples: int = 0):
        self.units = units
        self.batch_tokens = batch_tokens
        self._group_of = group_of
        self._seed = seed
        self._window = window
        self._batch_samples = batch_samples
        self._starts = [0]  # number of each epoch's first batch
        self.epoch = lru_cache(maxsize=2)(self._epoch)

    def batch(self, number: int) -> list[Unit]:
        """Return the samples of a batch, counted from 0 over all epochs."""
        while self._starts[-1] <= number:
            epoch = len(self._starts) - 1
            self._starts.append(self._starts[-1] + len(self.epoch(epoch)))
        epoch = int(np.searchsorted(self._starts, number, side='right')) - 1
        return [self.units[i] for i in self.epoch(epoch)[number - self._starts[epoch]]]

    def efficiency(self, epoch: int = 0) -> float:
        """Return which share of an epoch's token budget is filled."""
        batches = self.epoch(epoch)
        filled = sum(self.units[i].tokens for batch in batches for i in batch)
        return filled / (len(batches) * self.batch_tokens)

    def groups_at_once(self) -> int:
        """Return how many row groups a window spans at most."""
        return max(len({self._group_of[self.units[i].row] for i in window})
                   for window in self._windows(0))

    def _epoch(self, number: int) -> list[list[int]]:
        rng = np.random.default_rng((self._seed, number))
        batches = []
        windows = [[window[i] for i in rng.permutation(len(window))]
                   for window in self._windows(number)]
        if self._batch_samples:
            return self._equal(sum(windows, []))
        for mixed in windows:
            packed = fill_bins([self.units[i].tokens for i in mixed], self.batch_tokens)
            batches += [[mixed[i] for i in packed[k]] for k in rng.permutation(len(packed))]
        return batches

    def _equal(self, mixed: list[int]) -> list[list[int]]:
        count = self._batch_samples
        if len(mixed) < count:
            raise FinetuneError(
                f'the data give {len(mixed)} samples an epoch, fewer than a batch has '
                f'(packing.batch_samples: {count}); give more data, or smaller batches')
        return [mixed[start:start + count]
                for start in range(0, len(mixed) - count + 1, count)]

    def _windows(self, epoch: int) -> list[list[int]]:
        rng = np.random.default_rng((self._seed, epoch, 1))
        by_kind: dict[str, list[int]] = defaultdict(list)
        for index, unit in enumerate(self.units):
            by_kind[unit.kind].append(index)
        # As many of each kind; of the kind with more, others every epoch.
        fewest = min(map(len, by_kind.values()))
        by_group: dict[int, list[int]] = defaultdict(list)
        for chosen in by_kind.values():
            if len(chosen) > fewest:
                chosen = rng.choice(chosen, fewest, replace=False).tolist()
            for index in chosen:
                by_group[self._group_of[self.units[index].row]].append(index)
        order = sorted(by_group)
        windows: list[list[int]] = [[]]
        rows = 0
        for k in rng.permutation(len(order)):
            members = by_group[order[k]]
            count = len({self.units[i].row for i in members})
            if windows[-1] and rows + count > self._window:
                windows.append([])
                rows = 0
            windows[-1] += members
            rows += count
        return windows
