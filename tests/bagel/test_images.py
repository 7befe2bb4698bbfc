# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
from zlib import crc32

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
    resize,
    shrink,
    sincos_table,
    to_tensor,
    unpatchify,
)
import numpy as np
import PIL
from PIL import Image
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


def pattern(height, width):
    """Return an image of hard edges, the same everywhere: rounding errors show at these."""
    row, column = np.mgrid[:height, :width]
    return np.stack([(row * 5 + column * 3) % 7 * 42, (row * column) % 2 * 255,
                     (row // 3 + column // 2) % 3 * 127], -1).astype(np.uint8)


# Size, wanted size, checksums of `resize` and of `shrink` to the wanted height. Versions of Pillow
# differ on the third, the fifth and the sixth.
RESIZED = [
    ((48, 64), (32, 40), 0x9f91739a, 0x93feb132),
    ((48, 64), (112, 160), 0xbae5c890, 0x73a1590b),
    ((90, 30), (40, 25), 0x8ddf6db6, 0xcdb3513a),
    ((64, 48), (60, 48), 0xe265797c, 0x830e9668),
    ((33, 70), (30, 90), 0x43765409, 0xc17b22c2),
    ((200, 41), (16, 39), 0xb6204256, 0x5a13cdbe),
    ((7, 90), (70, 9), 0x0b8afa43, 0xc8820863),
]


@pytest.mark.parametrize(('size', 'wanted', 'resized', 'shrunk'), RESIZED)
def test_resizing_gives_the_same_numbers_whatever_pillow_is_installed(
        size, wanted, resized, shrunk):
    image = pattern(*size)
    assert crc32(resize(image, wanted).tobytes()) == resized
    assert crc32(shrink(image, wanted[0]).tobytes()) == shrunk


@pytest.mark.parametrize('first', ['height', 'width'])
@pytest.mark.parametrize(('size', 'wanted', 'resized', 'shrunk'), RESIZED)
def test_resizing_does_not_leave_the_order_of_the_axes_to_pillow(
        monkeypatch, size, wanted, resized, shrunk, first):
    original = Image.Image.resize

    def in_order(picture, size, *options):
        between = (picture.width, size[1]) if first == 'height' else (size[0], picture.height)
        return original(original(picture, between, *options), size, *options)

    monkeypatch.setattr(Image.Image, 'resize', in_order)
    image = pattern(*size)
    assert crc32(resize(image, wanted).tobytes()) == resized
    assert crc32(shrink(image, wanted[0]).tobytes()) == shrunk


@pytest.mark.skipif(int(PIL.__version__.split('.')[0]) != 13, reason='other rules in this Pillow')
@given(size=st.tuples(st.integers(1, 120), st.integers(1, 120)),
       wanted=st.tuples(st.integers(1, 120), st.integers(1, 120)))
def test_resizing_is_that_of_pillow_13(size, wanted):
    image = pattern(*size)
    expected = Image.fromarray(image).resize(wanted[::-1], Image.Resampling.BICUBIC)
    assert (resize(image, wanted) == np.asarray(expected)).all()
