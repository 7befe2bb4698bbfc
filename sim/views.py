# SPDX-License-Identifier: Apache-2.0
"""Poses of cameras that look straight down."""

import math

from ipt_ros.geometry import compose
import numpy as np


def looking_down(center: tuple[float, float], yaw: float, height: float) -> np.ndarray:
    """
    Return world_from_optical (4x4) of a camera above `center` (x, y, m) that looks at the floor.

    The heading `yaw` (rad) points up in its picture, and left of it is left.
    """
    c, s = math.cos(yaw), math.sin(yaw)
    # Columns: right of the heading, backwards (down in the picture), down to the floor.
    rotation = np.array([[s, -c, 0.0], [-c, -s, 0.0], [0.0, 0.0, -1.0]])
    return compose(rotation, (*center, height))
