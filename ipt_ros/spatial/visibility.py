# SPDX-License-Identifier: Apache-2.0
"""What an instance-id image says about which objects are seen, where and how large."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Sighting:
    """
    One object in one image; lengths are fractions of the image's width or height.

    ``area`` is the fraction of the image's pixels; ``u`` and ``v`` are the mask's mean position,
    ``u_min`` and ``u_max`` the left and right edge of the mask (0 is the image's left edge).
    """

    area: float
    u: float
    v: float
    u_min: float
    u_max: float


def sightings(instance: np.ndarray, min_pixels: int = 1) -> dict[int, Sighting]:
    """Return a sighting for each id > 0 in an integer HxW image that covers enough pixels."""
    height, width = instance.shape
    flat = instance.ravel()
    ids, inverse, counts = np.unique(flat, return_inverse=True, return_counts=True)
    columns = np.tile(np.arange(width), height)
    rows = np.repeat(np.arange(height), width)
    mean_u = (np.bincount(inverse, columns) / counts + 0.5) / width
    mean_v = (np.bincount(inverse, rows) / counts + 0.5) / height
    first = np.full(len(ids), width)
    last = np.zeros(len(ids), int)
    np.minimum.at(first, inverse, columns)
    np.maximum.at(last, inverse, columns)
    return {
        int(ids[k]): Sighting(
            counts[k] / flat.size, float(mean_u[k]), float(mean_v[k]),
            first[k] / width, (last[k] + 1) / width)
        for k in range(len(ids)) if ids[k] > 0 and counts[k] >= min_pixels
    }
