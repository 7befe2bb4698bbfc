# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""
Which split an example belongs to: that of the place it shows, never one of its own.

A place is drawn into a split by a hash of its name, so that it is in the same split of every data
set with the same shares, whatever the seed, the number of examples or the simulator; two data sets
can be joined. What has a seed from EVALUATION_SEED on is what checkpoints are evaluated on, and
always in the test split: whether the seed is given, or stands in the name of a scene that was
exported (`ipt scene export`) or recorded (`ipt collect`).
"""

from collections.abc import Mapping
import hashlib
import math
import re
from typing import Any

from ipt_sim import BACKENDS
from ipt_training.examples import EVALUATION_SEED

SPLITS = ('train', 'validation', 'test')
SHARES = {'train': 0.9, 'validation': 0.05, 'test': 0.05}


# Generated rooms: as truth calls them, and as they are exported, in another look as well.
_ROOM = re.compile(rf'(?:{"|".join(BACKENDS)})_(\d+)|room_(\d{{10,}})(?:_[0-9a-f]{{12}})?')
# Names with a seed in them: an exported room's within a path or a longer name; a collected bag's.
_WITH_SEED = re.compile(r'room_(\d{10,})|^scene_(\d{7,})$', re.IGNORECASE)


def room_seed(scene: int | str) -> int | None:
    """Return the seed of a generated room, given as it is or by name; None for other places."""
    if isinstance(scene, int):
        return scene
    room = _ROOM.fullmatch(scene)
    return int(room[1] or room[2]) if room else None


def place_of(scene: int | str) -> str:
    """Return the name of a place: a generated room by its seed, anything else by its name."""
    seed = room_seed(scene)
    return f'scene {scene}' if seed is None else f'room {seed}'


def is_for_evaluation(scene: int | str, seed: int | None = None) -> bool:
    """
    Tell whether nothing may be trained on a scene, for a seed from EVALUATION_SEED on.

    ``seed``: that the scene was made or entered with, where its name need not say.
    """
    seeds = [room_seed(scene), seed]
    if isinstance(scene, str):
        seeds += [int(first or second) for first, second in _WITH_SEED.findall(scene)]
    return any(number is not None and number >= EVALUATION_SEED for number in seeds)


def seed_in(known: Mapping[str, Any]) -> int | None:
    """Return the seed that a simulator had for the scene of an example with this metadata."""
    seeds = [known.get('scene'), known.get('scene_seed')]
    return max((seed for seed in seeds if isinstance(seed, int)), default=None)


def split_of(
    scene: int | str, shares: Mapping[str, float] = SHARES, seed: int | None = None,
) -> str:
    """
    Return the split of a scene; ``shares`` (sum 1) says how much of all scenes each gets.

    ``seed``: see `is_for_evaluation`.
    """
    if is_for_evaluation(scene, seed):
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
