# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""Sheets of pictures for people to look at."""

from pathlib import Path

import cv2
from ipt_ros.pictures import png
import numpy as np


def write_grid(path: Path, rows: list[list[np.ndarray]], zoom: int = 3) -> None:
    """Write rows of uint8 RGB images as one PNG, every image at the largest one's size."""
    height = zoom * max(image.shape[0] for row in rows for image in row)
    width = zoom * max(image.shape[1] for row in rows for image in row)
    tiles = [[cv2.resize(image, (width, height), interpolation=cv2.INTER_NEAREST)
              for image in row] for row in rows]
    grid = np.concatenate([np.concatenate(row, axis=1) for row in tiles])
    path.write_bytes(png(grid))
