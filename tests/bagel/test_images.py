# SPDX-License-Identifier: Apache-2.0
from hypothesis import given
from hypothesis import strategies as st
from ipt_ros.bagel import InputError, ResizeRule
from ipt_ros.bagel.images import (
    check_image,
    fit,
    fitted_size,
    grid_positions,
    MAX_PIXELS,
    normalise,
    patchify,
    shrink,
    sincos_table,
    to_tensor,
    unpatchify,
)
import numpy as np
import pytest
import torch

SIDES = st.integers(1, 4000)


@given(height=SIDES, width=SIDES)
def test_fitted_sides_obey_the_rule(height, width):
    rule = ResizeRule(1024, 512, 16)
    size = fitted_size((height, width), rule)
    assert all(side % 16 == 0 and 16 <= side <= 1024 for side in size)
    assert size[0] * size[1] <= MAX_PIXELS
    assert fitted_size(size[::-1], rule) == fitted_size(size, rule)[::-1]


@given(side=st.integers(32, 64))
def test_sizes_within_the_rule_stay(side):
    side *= 16
    assert fitted_size((side, side), ResizeRule(1024, 512, 16)) == (side, side)


@given(h=st.integers(1, 4), w=st.integers(1, 4), patch=st.integers(1, 3))
def test_patches_come_back(h, w, patch):
    image = torch.randn(3, h * patch, w * patch)
    assert torch.equal(unpatchify(patchify(image, patch), patch, (h, w)), image)


def test_patch_layout():
    """A patch lists its pixels row by row, channels together; patches run along the rows."""
    image = torch.arange(2 * 4 * 4).reshape(2, 4, 4)
    rows = patchify(image, 2)
    assert rows[0].tolist() == [0, 16, 1, 17, 4, 20, 5, 21]
    assert rows[1, 0] == image[0, 0, 2]


def test_transparent_images_lie_on_white():
    image = np.zeros((2, 2, 4), np.uint8)
    image[0, 0] = 10, 20, 30, 255
    flat = check_image(image)
    assert flat[0, 0].tolist() == [10, 20, 30]
    assert flat[1, 1].tolist() == [255, 255, 255]


@pytest.mark.parametrize('image', [
    np.zeros((4, 4, 3), np.float32), np.zeros((4, 4), np.uint8), np.zeros((0, 4, 3), np.uint8),
    np.zeros((4, 4, 1), np.uint8), [[1]], None])
def test_what_is_no_image_is_refused(image):
    with pytest.raises(InputError, match='uint8 array'):
        check_image(image)


def test_normalised_range():
    pixels = normalise(to_tensor(np.array([[[0, 127, 255]]], np.uint8)))
    assert pixels.flatten().tolist() == pytest.approx([-1, -0.00392, 1], abs=1e-4)


def test_fit_keeps_an_image_of_the_right_size():
    image = np.zeros((32, 32, 3), np.uint8)
    assert fit(image, ResizeRule(32, 32, 16)) is image


def test_shrink_never_enlarges():
    image = np.zeros((100, 50, 3), np.uint8)
    assert shrink(image, 200) is image
    assert shrink(image, 20).shape == (20, 10, 3)


def test_grid_positions():
    assert grid_positions((2, 3), 8).tolist() == [0, 1, 2, 8, 9, 10]
    with pytest.raises(InputError, match='9x1 patches'):
        grid_positions((9, 1), 8)


def test_position_table(model):
    table = sincos_table(8, 64)
    assert torch.allclose(table, model.latent_pos_embed.pos_embed, atol=1e-6)
