# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""
Keys and values of what was read, for several readings side by side.

A cache has one row a reading. Rows of unlike length are aligned at their ends, so that what is
read next goes into the same slots of all; the slots that a row leaves empty are hidden from it.

Keys and values are written in place into one growing buffer. A fork shares the buffer of its
parent. The tail beyond a cache's length is free for it to write as long as no other living cache
that shares the buffer is longer; else it moves to a buffer of its own first. So a fork costs
nothing, a fork that is dropped leaves nothing behind, and the shared prefix is copied only when
two caches that both live on really part ways. No fork ever changes its parent.
"""

from collections.abc import Sequence
import weakref

import torch
from torch import Tensor
import torch.nn.functional as F

from .config import LlmConfig

# A new buffer holds at least this many slots.
MIN_CAPACITY = 256


class _Buffer:
    """Storage, (layers, 2, rows, kv_heads, capacity, head_dim), and the caches that share it."""

    def __init__(self, data: Tensor):
        self.data = data
        self.sharers: weakref.WeakSet[Cache] = weakref.WeakSet()

    @property
    def capacity(self) -> int:
        return self.data.shape[4]


class Cache:
    """
    Keys and values of all layers.

    `length` counts the slots in use, the same for all rows. `seen`, (rows, length) bool, is false
    where a slot is hidden from its row; None where no slot is hidden from any.
    """

    def __init__(self, data: Tensor, length: int = 0, seen: Tensor | None = None):
        """Take over `data` (layers, 2, rows, kv_heads, capacity, head_dim)."""
        self.length, self.seen = length, seen
        self._share(_Buffer(data))

    @classmethod
    def empty(cls, config: LlmConfig, rows: int, device: torch.device,
              dtype: torch.dtype) -> 'Cache':
        return cls(torch.empty(config.num_hidden_layers, 2, rows, config.num_key_value_heads, 0,
                               config.head_dim, device=device, dtype=dtype))

    @property
    def rows(self) -> int:
        return self.data.shape[2]

    @property
    def data(self) -> Tensor:
        """Return the buffer as it is now, slots beyond `length` included."""
        return self._buffer.data

    def fork(self) -> 'Cache':
        """Return a cache that holds the same and grows apart from here."""
        twin = object.__new__(Cache)
        twin.length, twin.seen = self.length, self.seen
        twin._share(self._buffer)
        return twin

    def select(self, rows: Sequence[int]) -> 'Cache':
        """Return a cache of some rows, in the order given; a row may come more than once."""
        if list(rows) == list(range(self.rows)):
            return self.fork()
        index = torch.tensor(rows, device=self.data.device)
        return Cache(self.data[..., :self.length, :].index_select(2, index), self.length,
                     None if self.seen is None else self.seen[index])

    @staticmethod
    def join(caches: Sequence['Cache']) -> 'Cache':
        """Return a cache with the rows of all, the shorter ones hidden in front."""
        length = max(cache.length for cache in caches)
        parts = [F.pad(cache.data[..., :cache.length, :], (0, 0, length - cache.length, 0))
                 for cache in caches]
        seen = None
        if any(cache.seen is not None or cache.length < length for cache in caches):
            seen = torch.cat([F.pad(cache.all_seen(), (length - cache.length, 0))
                              for cache in caches])
        return Cache(torch.cat(parts, dim=2), length, seen)

    def all_seen(self) -> Tensor:
        """Return `seen` spelled out."""
        if self.seen is not None:
            return self.seen
        return torch.ones(self.rows, self.length, dtype=torch.bool, device=self.data.device)

    def mask(self, new: int, causal: bool, fresh: Tensor | None = None) -> Tensor | None:
        """
        Return who sees whom when `new` slots are added, as `decoder.attention` takes it.

        Bool, to be broadcast to (rows, heads, new, length + new); None where all see all. `causal`
        hides later new slots, `fresh` (rows, new), if given, those that are padding.
        """
        causal = causal and new > 1
        if self.seen is None and fresh is None and not causal:
            return None
        device = self.data.device
        whole = torch.ones(new, self.length + new, dtype=torch.bool, device=device)
        if self.seen is None and fresh is None:
            return whole.tril(self.length)
        mask = self.grown(new, fresh)[:, None, None]
        if causal:
            # Padding sees itself: a row of attention that sees nothing would be NaN.
            earlier = whole.tril(self.length)
            mask = mask & earlier | earlier.triu(self.length)
        return mask

    def grown(self, new: int, fresh: Tensor | None = None) -> Tensor | None:
        """Return what `seen` is after `new` slots, of which `fresh` (rows, new) are in use."""
        if self.seen is None and fresh is None:
            return None
        if fresh is None:
            return F.pad(self.seen, (0, new), value=True)
        return torch.cat([self.all_seen(), fresh], dim=1)

    def make_room(self, slots: int) -> None:
        """Make the `slots` places beyond `length` ours to write; `data` may be another one."""
        needed = self.length + slots
        buffer = self._buffer
        taken = any(c.length > self.length for c in buffer.sharers if c is not self)
        if not taken and needed <= buffer.capacity:
            return
        capacity = max(MIN_CAPACITY, needed + needed // 2)
        shape = (*buffer.data.shape[:4], capacity, buffer.data.shape[5])
        own = buffer.data.new_empty(shape)
        own[..., :self.length, :] = buffer.data[..., :self.length, :]
        buffer.sharers.discard(self)
        self._share(_Buffer(own))

    def _share(self, buffer: _Buffer) -> None:
        self._buffer = buffer
        buffer.sharers.add(self)
