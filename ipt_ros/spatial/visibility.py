# Copyright 2026 IPT-ROS contributors
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
    number = int(instance.max(initial=0)) + 1
    ids = np.where(instance > 0, instance, 0).astype(np.int64)
    # How many pixels an id has in each column and in each row.
    in_column = np.bincount(
        (ids * width + np.arange(width)).ravel(), minlength=number * width).reshape(number, width)
    in_row = np.bincount(
        (ids * height + np.arange(height)[:, None]).ravel(), minlength=number * height,
    ).reshape(number, height)
    pixels = in_row.sum(axis=1)
    found = {}
    for key in np.nonzero(pixels >= max(min_pixels, 1))[0]:
        if key == 0:
            continue
        columns = np.nonzero(in_column[key])[0]
        found[int(key)] = Sighting(
            area=pixels[key] / instance.size,
            u=(in_column[key] @ np.arange(width) / pixels[key] + 0.5) / width,
            v=(in_row[key] @ np.arange(height) / pixels[key] + 0.5) / height,
            u_min=columns[0] / width,
            u_max=(columns[-1] + 1) / width)
    return found
