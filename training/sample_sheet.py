# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""Training samples as a picture: what the model reads and is to imagine, a sample a row."""

from collections.abc import Sequence
from pathlib import Path

from ipt_ros.bagel import ImageSegment
from ipt_training.evaluation.pictures import write_grid
from ipt_training.samples import Segment
import numpy as np

_SHOWN = 16  # samples
_SIDE = 128  # pixels that the largest image is enlarged to, about


def draw_samples_sheet(path: Path, samples: Sequence[Sequence[Segment]]) -> bool:
    """
    Draw the images of the first samples as a PNG; return whether there were any.

    Each image of a sample is drawn once, however many copies and branches have it.
    """
    rows = []
    for sample in samples:
        images = {id(segment.image): segment.image for segment in sample
                  if isinstance(segment, ImageSegment) and segment.image is not None}
        if images:
            rows.append(list(images.values()))
    if not rows:
        return False
    rows = rows[:_SHOWN]
    columns = max(map(len, rows))
    blank = np.full((8, 8, 3), 255, np.uint8)
    largest = max(max(image.shape[:2]) for row in rows for image in row)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_grid(path, [[*row, *[blank] * (columns - len(row))] for row in rows],
               zoom=max(1, _SIDE // largest))
    return True
