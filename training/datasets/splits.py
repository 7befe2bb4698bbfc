# SPDX-License-Identifier: Apache-2.0
"""
Which split an example belongs to: that of the place it shows, never one of its own.

A place is drawn into a split by a hash of its name, so that it is in the same split of every data
set with the same shares, whatever the seed, the number of examples or the simulator; two data sets
can be joined. Rooms
from EVALUATION_SEED on are what checkpoints are evaluated on, and always in the test split.
"""

from collections.abc import Mapping
import hashlib
import math

from ipt_training.examples import EVALUATION_SEED

SPLITS = ('train', 'validation', 'test')
SHARES = {'train': 0.9, 'validation': 0.05, 'test': 0.05}


def place_of(scene: int | str) -> str:
    """Return the name of a place: a generated room by its seed, anything else by its name."""
    return f'room {scene}' if isinstance(scene, int) else f'scene {scene}'


def split_of(scene: int | str, shares: Mapping[str, float] = SHARES) -> str:
    """Return the split of a scene; ``shares`` (sum 1) says how much of all scenes each gets."""
    if isinstance(scene, int) and scene >= EVALUATION_SEED:
        return 'test'
    digest = hashlib.blake2b(place_of(scene).encode(), digest_size=8).digest()
    drawn = int.from_bytes(digest, 'big') / 2**64
    for split in SPLITS:
        drawn -= shares.get(split, 0.0)
        if drawn < 0:
            return split
    # Rounding in the sum of the shares.
    return max(shares, key=shares.get)


def checked_shares(values: list[float]) -> dict[str, float]:
    """Return shares by split. Raise ValueError unless there is one each, none below 0, sum 1."""
    if (len(values) != len(SPLITS) or not all(value >= 0 for value in values)
            or not math.isclose(sum(values), 1.0, abs_tol=1e-6)):
        raise ValueError(
            f'give one share for each of {", ".join(SPLITS)}, at least 0, sum 1; got {values}')
    return dict(zip(SPLITS, values, strict=True))
