# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""What the seed of a scene may be."""

import operator
from typing import SupportsIndex


def checked_seed(seed: SupportsIndex) -> int:
    """
    Return the seed of a scene as an int, however large; numpy's integers are fine as well.

    Raises ValueError for anything but a whole number from 0 on.
    """
    try:
        number = -1 if isinstance(seed, bool) else operator.index(seed)
    except TypeError:
        number = -1
    if number < 0:
        raise ValueError(f'a scene seed must be a whole number, not negative, got {seed!r}')
    return number
