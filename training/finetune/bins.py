# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""Samples of unequal lengths into batches of one token budget."""

from bisect import bisect_left, insort
from collections.abc import Sequence


def best_fit(lengths: Sequence[int], capacity: int) -> list[list[int]]:
    """
    Put items, in the order given, into few bins; return the items' indices, bin by bin.

    Best fit: each goes where it leaves the least room. Longest first that is within 11/9 of the
    fewest possible bins (Johnson 1974); in random order, bins hold a better mixture. Raises
    ValueError for an item longer than a bin.
    """
    bins: list[list[int]] = []
    rooms: list[tuple[int, int]] = []  # (room left, bin), sorted
    for item, length in enumerate(lengths):
        if length > capacity:
            raise ValueError(f'an item of length {length} does not fit a bin of {capacity}')
        place = bisect_left(rooms, (length, -1))
        if place == len(rooms):
            bins.append([])
            room, number = capacity, len(bins) - 1
        else:
            room, number = rooms.pop(place)
        bins[number].append(item)
        insort(rooms, (room - length, number))
    return bins


def fill_bins(lengths: Sequence[int], capacity: int, share: float = 0.95) -> list[list[int]]:
    """
    Fill bins to ``share`` of their capacity, if that can be done; see `best_fit`.

    Items are taken as they come where this is enough, longest first where it is not: bins of
    equally long items would be bins of one kind, and batches are better mixed.
    """
    bins = best_fit(lengths, capacity)
    if sum(lengths) >= share * capacity * len(bins):
        return bins
    order = sorted(range(len(lengths)), key=lambda item: (-lengths[item], item))
    sorted_bins = best_fit([lengths[item] for item in order], capacity)
    if len(sorted_bins) >= len(bins):
        return bins
    return [[order[place] for place in places] for places in sorted_bins]


def budget_to_fill(lengths: Sequence[int], capacity: int, share: float = 0.95) -> int | None:
    """
    Return the capacity nearest to the given one that bins of these items fill to ``share``.

    Items of nearly one length fill only what is a little more than a multiple of it. Looked for
    from half to twice the given one; None where no capacity there does.
    """
    tried = sorted((capacity * part // 64 for part in range(32, 129)),
                   key=lambda room: abs(room - capacity))
    for room in tried:
        if room >= max(lengths):
            bins = fill_bins(lengths, room, share)
            if sum(lengths) >= share * room * len(bins):
                return room
    return None
