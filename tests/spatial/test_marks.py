# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""Marks at pixel level."""

import cv2
from ipt_ros.spatial import draw_arrow, draw_cross
from ipt_ros.spatial.contrast import cross_contrast, cross_pixels, MIN_CONTRAST
import numpy as np
import pytest

GREY = 128


def blank(side: int) -> np.ndarray:
    return np.full((side, side, 3), GREY, np.uint8)


def is_red(image: np.ndarray) -> np.ndarray:
    return (image[..., 0] > 200) & (image[..., 1] < 60) & (image[..., 2] < 60)


@pytest.mark.parametrize('side', [64, 96, 256, 1024])
def test_cross_scales_with_the_image_and_is_centred(side):
    center = side * 0.4, side * 0.7
    changed = (draw_cross(blank(side), center) != GREY).any(axis=2)
    rows, columns = np.nonzero(changed)
    assert columns.mean() == pytest.approx(center[0], abs=0.6)
    assert rows.mean() == pytest.approx(center[1], abs=0.6)
    width = columns.max() - columns.min() + 1
    assert 0.08 * side <= width <= 0.13 * side + 2


def test_cross_is_an_x():
    red = is_red(draw_cross(blank(96), (48, 48)))
    assert red[48, 48] and red[46, 46] and red[50, 50] and red[46, 50] and red[50, 46]
    assert not (red[44, 48] or red[52, 48] or red[48, 44] or red[48, 52])


def test_cross_is_clearly_visible_at_model_size():
    assert is_red(draw_cross(blank(96), (30, 60))).sum() >= 15


def test_robot_and_training_see_the_same_mark():
    """Drawn at 256 or at 192 pixels, the mark is the same once resized to 96."""
    small = []
    for side in (256, 192):
        u, v = (0.37 * side - 0.5, 0.71 * side - 0.5)
        drawn = draw_cross(blank(side), (u, v))
        small.append(cv2.resize(drawn, (96, 96), interpolation=cv2.INTER_AREA).astype(int))
    assert np.abs(small[0] - small[1]).mean() < 1.0
    assert np.abs(small[0] - small[1]).max() < 90


def test_sub_pixel_positions_move_the_mark():
    one = draw_cross(blank(96), (48.0, 48.0)).astype(int)
    other = draw_cross(blank(96), (48.5, 48.0)).astype(int)
    weight = [np.abs(image - GREY).sum(axis=(0, 2)) for image in (one, other)]
    means = [np.average(np.arange(96), weights=w) for w in weight]
    assert means[1] - means[0] == pytest.approx(0.5, abs=0.1)


def test_marks_leave_the_input_and_far_pixels_alone():
    image = blank(96)
    drawn = draw_cross(image, (20, 20))
    assert (image == GREY).all()
    assert (drawn[40:, 40:] == GREY).all()


def test_mark_at_the_border_is_cut():
    drawn = draw_cross(blank(96), (0, 95))
    assert is_red(drawn)[95, 0]
    assert drawn.shape == (96, 96, 3)


def test_arrow_is_blue_and_its_head_is_at_the_tip():
    drawn = draw_arrow(blank(96), (20, 50), (70, 50))
    blue = (drawn[..., 2] > 200) & (drawn[..., 0] < 60)
    spread = blue.sum(axis=0)
    assert spread[20:70].min() >= 1
    assert spread[64:70].max() > spread[25:60].max()
    assert spread[:17].sum() == spread[74:].sum() == 0


def test_arrow_without_length_is_a_dot():
    drawn = draw_arrow(blank(96), (50, 50), (50, 50))
    assert 1 <= (drawn != GREY).any(axis=2).sum() < 30


@pytest.mark.parametrize('image', [
    np.zeros((8, 8), np.uint8), np.zeros((8, 8, 3), np.float32), np.zeros((8, 8, 4), np.uint8),
])
def test_other_images_are_refused(image):
    with pytest.raises(ValueError, match='uint8 HxWx3'):
        draw_cross(image, (4, 4))


def test_a_cross_stands_out_from_grey_and_not_from_red():
    grey, red = np.full((64, 64, 3), 128, np.uint8), np.full((64, 64, 3), 10, np.uint8)
    red[..., 0] = 240
    assert cross_contrast(grey, (30.2, 31.7)) > MIN_CONTRAST > cross_contrast(red, (30.2, 31.7))
    assert cross_contrast(grey, (-500.0, 0.0)) == 0
    inked = cross_pixels(grey.shape, (30.2, 31.7))
    assert (draw_cross(grey, (30.2, 31.7))[inked] != 128).any(axis=1).all()
    assert 20 < inked.sum() < 120
