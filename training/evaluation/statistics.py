# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""Intervals and tests, each from its textbook, none of them assuming a normal distribution."""

from collections.abc import Sequence
import math

import numpy as np

Z95 = 1.959963984540054
ROUNDS = 2000  # of a bootstrap; the ends of an interval then move by a few percent of its width
_CELLS = 2_000_000  # numbers drawn at once


def wilson_interval(right: int, n: int, z: float = Z95) -> tuple[float, float]:
    """
    95 % interval of a share (Wilson 1927: well behaved near 0 and 1 and for small n).

    Raises ValueError unless 0 <= right <= n and n > 0.
    """
    if n <= 0 or not 0 <= right <= n:
        raise ValueError(f'an interval needs 0 <= right <= n and n > 0, got {right} of {n}')
    share = right / n
    scale = 1 + z**2 / n
    middle = (share + z**2 / (2 * n)) / scale
    half = z * math.sqrt(share * (1 - share) / n + z**2 / (4 * n**2)) / scale
    return max(0.0, middle - half), min(1.0, middle + half)


def bootstrap_interval(groups: Sequence[Sequence[float]], seed: int = 0,
                       rounds: int = ROUNDS) -> tuple[float, float]:
    """
    95 % percentile interval of the unweighted mean of group means (Efron 1979).

    Values are drawn again within their group, so groups keep their sizes. One group gives the
    interval of a plain mean. The same seed gives the same interval. Raises ValueError for no
    group or an empty one.
    """
    if not groups or not all(len(group) for group in groups):
        raise ValueError('a bootstrap needs one group at least, and no empty group')
    rng = np.random.default_rng(seed)
    means = np.zeros(rounds)
    for group in groups:
        values = np.asarray(group, float)
        step = max(1, _CELLS // len(values))
        for start in range(0, rounds, step):
            stop = min(start + step, rounds)
            drawn = rng.integers(len(values), size=(stop - start, len(values)))
            means[start:stop] += values[drawn].mean(axis=1)
    low, high = np.percentile(means / len(groups), (2.5, 97.5))
    return float(low), float(high)


def ratio_interval(tops: Sequence[float], bottoms: Sequence[float], seed: int = 0,
                   rounds: int = ROUNDS) -> tuple[float, float]:
    """
    95 % percentile interval of sum(tops) / sum(bottoms), units drawn again as pairs.

    For shares of things that come in clusters: objects of a map, for instance. Rounds in which
    all bottoms are 0 do not count. Raises ValueError where the sum of bottoms is 0.
    """
    top, bottom = np.asarray(tops, float), np.asarray(bottoms, float)
    if top.shape != bottom.shape or not bottom.sum() > 0:
        raise ValueError('a ratio needs as many tops as bottoms, and a bottom above 0')
    drawn = np.random.default_rng(seed).integers(len(top), size=(rounds, len(top)))
    below = bottom[drawn].sum(axis=1)
    ratios = top[drawn].sum(axis=1)[below > 0] / below[below > 0]
    low, high = np.percentile(ratios, (2.5, 97.5))
    return float(low), float(high)


def mcnemar_exact(only_first: int, only_second: int) -> float:
    """
    Two-sided p of the exact McNemar test (the binomial one, without approximation).

    The arguments count questions that only the first or only the second run got right. Questions
    that both got right, or both wrong, say nothing about a difference.
    """
    n = only_first + only_second
    if min(only_first, only_second) < 0:
        raise ValueError(f'counts are not negative; got {only_first} and {only_second}')
    tail = sum(math.comb(n, k) for k in range(min(only_first, only_second) + 1))
    return min(1.0, float(2 * tail / 2**n))


def sign_flip_p(groups: Sequence[Sequence[float]], seed: int = 0, rounds: int = 9999) -> float:
    """
    Two-sided p that paired differences are as likely to point one way as the other.

    The statistic is the unweighted mean of group means, as in `bootstrap_interval`; signs are
    flipped at random (Fisher 1935), and the observed signs count as one of the draws, so that p is
    never 0 (Phipson & Smyth 2010). One value a question, the mean of its seeds for instance, keeps
    what belongs together in one draw. Raises ValueError for no group or an empty one.
    """
    if not groups or not all(len(group) for group in groups):
        raise ValueError('a test needs one group at least, and no empty group')
    shares = np.concatenate([np.asarray(group, float) / len(group) for group in groups])
    shares = shares[shares != 0]
    if not len(shares):
        return 1.0
    observed = abs(shares.sum()) * (1 - 1e-9)  # sums of the same numbers differ by rounding
    rng = np.random.default_rng(seed)
    step = max(1, _CELLS // len(shares))
    extreme = 0
    for start in range(0, rounds, step):
        signs = rng.integers(0, 2, (min(step, rounds - start), len(shares)), dtype=np.int8)
        extreme += int((abs((2.0 * signs - 1) @ shares) >= observed).sum())
    return (1 + extreme) / (1 + rounds)


def holm(values: Sequence[float]) -> list[float]:
    """Return p values adjusted for how many there are (Holm 1979), in the order given."""
    order = sorted(range(len(values)), key=values.__getitem__)
    adjusted, so_far = [0.0] * len(values), 0.0
    for rank, index in enumerate(order):
        so_far = max(so_far, min(1.0, (len(values) - rank) * values[index]))
        adjusted[index] = so_far
    return adjusted
