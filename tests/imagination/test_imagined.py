# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""What is read off imagined pictures."""

import math

from hypothesis import given
from hypothesis import strategies as st
from ipt_ros.spatial.imagined import agreement, FREE, occupancy, OCCUPIED, UNKNOWN
import numpy as np

RNG = np.random.default_rng(0)


def room(floor=(130, 100, 70), outside=(10, 10, 12), obstacle=(40, 60, 190)) -> np.ndarray:
    """Paint an 8 m map of 64 px with a room of 5 m and a box in it."""
    image = np.full((64, 64, 3), outside, np.uint8)
    image[12:52, 12:52] = floor
    image[20:26, 40:46] = obstacle
    return image


def test_floor_obstacle_and_outside():
    grid = occupancy([room()], 0.125)
    assert (grid[13:19, 13:51] == FREE).all()
    assert (grid[20:26, 40:46] == OCCUPIED).all()
    assert (grid[:12] == UNKNOWN).all() and (grid[:, 52:] == UNKNOWN).all()


def test_a_patterned_floor_is_floor():
    image = room()
    checker = np.indices((40, 40)).sum(0) % 2 == 0
    image[12:52, 12:52][checker] = (150, 120, 90)
    image[20:26, 40:46] = (40, 60, 190)
    grid = occupancy([image], 0.125)
    assert (grid[27:52, 12:52] == FREE).all()
    assert (grid[20:26, 40:46] == OCCUPIED).all()


def test_a_floor_that_fills_the_picture_is_not_outside():
    image = np.full((64, 64, 3), (130, 100, 70), np.uint8)
    assert (occupancy([image], 0.125) == FREE).all()


def test_samples_vote():
    without = room()
    without[20:26, 40:46] = (130, 100, 70)
    grid = occupancy([room(), without, without], 0.125)
    assert (grid[20:26, 40:46] == 33).all()


def test_where_the_robot_stands_is_free():
    image = RNG.integers(0, 255, (64, 64, 3), np.uint8)
    grid = occupancy([image], 0.125)
    assert (grid[31:33, 31:33] == FREE).all()


@given(st.integers(0, 2**31))
def test_a_grid_holds_only_what_a_message_may(seed):
    images = np.random.default_rng(seed).integers(0, 255, (2, 16, 16, 3), np.uint8)
    grid = occupancy(images, 0.5)
    assert grid.dtype == np.int8 and grid.min() >= -1 and grid.max() <= 100


def test_agreement_of_the_same_and_of_unlike_pictures():
    smooth = np.linspace(0, 255, 48 * 48).reshape(48, 48)
    image = np.repeat(smooth[..., None], 3, 2).astype(np.uint8)
    noisy = np.clip(image + RNG.normal(0, 20, image.shape), 0, 255).astype(np.uint8)
    assert agreement(image, [image]) == 1.0
    assert agreement(image, [noisy]) > 0.9
    assert agreement(image, [255 - image]) == 0.0
    assert 0.4 < agreement(image, [image, 255 - image]) < 0.6
    assert math.isnan(agreement(image, []))


def test_flat_pictures():
    flat = np.full((16, 16, 3), 9, np.uint8)
    assert agreement(flat, [flat]) == 1.0
    assert agreement(flat, [flat + 50]) == 0.0
