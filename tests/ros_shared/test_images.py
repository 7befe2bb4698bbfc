# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""Image messages to arrays and back, without a node."""

from array import array
import sys
from types import ModuleType

import cv2
from hypothesis import given, settings
from hypothesis import strategies as st
from ipt_ros.pixels import COLOUR_LAYOUTS, rgb_from_pixels
from ipt_ros.ros import images
from ipt_ros.ros.images import ImageError
import numpy as np
import pytest
from sensor_msgs.msg import CompressedImage, Image

sizes = st.tuples(st.integers(1, 24), st.integers(1, 24))
seeds = st.integers(0, 2**32 - 1)


def message(pixels: np.ndarray, encoding: str, padding: int = 0, big: bool = False) -> Image:
    """Build a message by hand, with `padding` bytes of rubbish after each row."""
    if big:
        pixels = pixels.astype(pixels.dtype.newbyteorder('>'))
    rows = pixels.reshape(pixels.shape[0], -1).view(np.uint8)
    rows = np.hstack([rows, np.full((len(rows), padding), 171, np.uint8)])
    return Image(
        height=pixels.shape[0], width=pixels.shape[1], encoding=encoding, is_bigendian=int(big),
        step=rows.shape[1], data=array('B', rows.tobytes()))


def noise(seed: int, *shape: int, dtype=np.uint8) -> np.ndarray:
    info = np.iinfo(dtype)
    return np.random.default_rng(seed).integers(0, info.max, shape, dtype, endpoint=True)


@given(sizes, seeds, st.integers(0, 5))
@settings(deadline=None)
def test_colour_orders_and_row_padding(size, seed, padding):
    rgba = noise(seed, *size, 4)
    rgb = rgba[..., :3]
    for encoding, pixels in {
        'rgb8': rgb, 'bgr8': rgb[..., ::-1], 'rgba8': rgba, 'bgra8': rgba[..., [2, 1, 0, 3]],
    }.items():
        seen = images.to_rgb(message(np.ascontiguousarray(pixels), encoding, padding))
        np.testing.assert_array_equal(seen, rgb, err_msg=encoding)
        assert seen.flags.c_contiguous


@given(sizes, seeds, st.integers(0, 5))
@settings(deadline=None)
def test_grey(size, seed, padding):
    grey = noise(seed, *size)
    seen = images.to_rgb(message(grey, 'mono8', padding))
    np.testing.assert_array_equal(seen, np.repeat(grey[..., None], 3, axis=2))


@given(sizes, seeds, st.booleans())
@settings(deadline=None)
def test_colours_of_16_bit_keep_their_range(size, seed, big):
    rgba = noise(seed, *size, 4, dtype=np.uint16)
    for encoding, channels in {
        'rgb16': [0, 1, 2], 'bgr16': [2, 1, 0], 'rgba16': [0, 1, 2, 3], 'bgra16': [2, 1, 0, 3],
    }.items():
        seen = images.to_rgb(message(np.ascontiguousarray(rgba[..., channels]), encoding, 2, big))
        np.testing.assert_allclose(seen, rgba[..., :3] / 257, atol=0.501, err_msg=encoding)


def test_arrays_of_opencv_are_taken_in_its_order():
    bgra = noise(4, 5, 6, 4)
    for encoding, pixels in (('8UC3', bgra[..., :3]), ('8UC4', bgra)):
        seen = images.to_rgb(message(np.ascontiguousarray(pixels), encoding))
        np.testing.assert_array_equal(seen, bgra[..., 2::-1])
    np.testing.assert_array_equal(
        images.to_rgb(message(bgra[..., 0].copy(), '8UC1'))[..., 1], bgra[..., 0])


@given(sizes, seeds, st.booleans())
@settings(deadline=None)
def test_grey_of_16_bit_keeps_the_range(size, seed, big):
    grey = noise(seed, *size, dtype=np.uint16)
    seen = images.to_rgb(message(grey, 'mono16', 2, big))
    np.testing.assert_allclose(seen[..., 0], grey / 257, atol=0.501)


@given(sizes, seeds, st.booleans(), st.integers(0, 5))
@settings(deadline=None)
def test_depth_in_millimetres_is_metres(size, seed, big, padding):
    depth = noise(seed, *size, dtype=np.uint16)
    seen = images.to_depth(message(depth, '16UC1', padding, big))
    assert seen.dtype == np.float32
    np.testing.assert_allclose(seen, depth * 0.001, rtol=1e-6)


def test_depth_that_was_not_measured_is_zero():
    depth = np.array([[1.5, np.nan, np.inf, -np.inf, -2.0, 0.0]], np.float32)
    seen = images.to_depth(message(depth, '32FC1'))
    np.testing.assert_array_equal(seen, np.array([[1.5, 0, 0, 0, 0, 0]], np.float32))


@pytest.mark.parametrize('encoding', ['yuv422', 'uyvy', 'yuv422_yuy2', 'yuyv'])
def test_yuv(encoding):
    grey, neutral = noise(3, 4, 6), np.full((4, 6), 128, np.uint8)
    planes = (neutral, grey) if encoding in ('yuv422', 'uyvy') else (grey, neutral)
    seen = images.to_rgb(message(np.stack(planes, axis=2), encoding))
    # Without colour, all three channels are the luma, stretched from 16..235 to 0..255.
    expected = np.clip((grey.astype(float) - 16) * 255 / 219, 0, 255)
    np.testing.assert_allclose(seen, np.repeat(expected[..., None], 3, 2), atol=1.01)


@pytest.mark.parametrize('encoding,first', [
    ('bayer_rggb8', 'rggb'), ('bayer_bggr8', 'bggr'), ('bayer_gbrg8', 'gbrg'),
    ('bayer_grbg8', 'grbg')])
def test_bayer_of_one_colour(encoding, first):
    colour = {'r': 200, 'g': 120, 'b': 40}
    tile = np.array([colour[letter] for letter in first], np.uint8).reshape(2, 2)
    seen = images.to_rgb(message(np.tile(tile, (4, 4)), encoding))
    np.testing.assert_array_equal(seen[2:-2, 2:-2], np.broadcast_to((200, 120, 40), (4, 4, 3)))
    wide = np.tile(tile.astype(np.uint16) * 257, (4, 4))
    np.testing.assert_array_equal(
        images.to_rgb(message(wide, f'{encoding[:-1]}16'))[2:-2, 2:-2], seen[2:-2, 2:-2])


@pytest.mark.parametrize('change,words', [
    ({'encoding': 'hsv8'}, ['hsv8', 'rgb8']),
    ({'encoding': 'nv21'}, ['nv21', 'rgb8']),
    ({'encoding': '16UC3'}, ['16UC3', 'rgb8']),
    ({'encoding': ''}, ['unsupported']),
    ({'step': 17}, ['step is 17', '18']),
    ({'height': 5}, ['72', '90']),
    ({'height': 0}, ['empty']),
    ({'width': 0}, ['empty']),
    ({'data': array('B', bytes(71))}, ['71', '72']),
    ({'data': array('B')}, ['0 bytes']),
])
def test_broken_messages_say_what_is_wrong(change, words):
    broken = message(noise(0, 4, 6, 3), 'rgb8')
    for name, value in change.items():
        setattr(broken, name, value)
    with pytest.raises(ImageError) as caught:
        images.to_rgb(broken)
    assert all(word in str(caught.value) for word in words), caught.value


@pytest.mark.parametrize('encoding', ['rgb8', '8UC3', ''])
def test_depth_of_a_colour_image_is_refused(encoding):
    with pytest.raises(ImageError, match='16UC1'):
        images.to_depth(message(noise(0, 4, 6, 3), encoding))


def test_odd_yuv_and_tiny_bayer_images_are_refused():
    with pytest.raises(ImageError, match='even'):
        images.to_rgb(message(noise(0, 4, 5, 2), 'yuyv'))
    with pytest.raises(ImageError, match='too small'):
        images.to_rgb(message(noise(0, 2, 2), 'bayer_rggb8'))


@given(sizes, seeds)
@settings(deadline=None)
def test_there_and_back(size, seed):
    rgb = noise(seed, *size, 3)
    np.testing.assert_array_equal(images.to_rgb(images.from_rgb(rgb)), rgb)
    depth = np.random.default_rng(seed).random(size, np.float32) + 0.1
    np.testing.assert_array_equal(images.to_depth(images.from_depth(depth)), depth)


def test_slices_become_messages_too():
    rgb = noise(1, 8, 9, 3)[::2, ::-1]
    np.testing.assert_array_equal(images.to_rgb(images.from_rgb(rgb)), rgb)


@pytest.mark.parametrize('array_', [np.zeros((4, 4)), np.zeros((4, 4, 3)),
                                    np.zeros((4, 4, 4), np.uint8)])
def test_only_pictures_become_pictures(array_):
    with pytest.raises(ImageError):
        images.from_rgb(array_)


@pytest.mark.parametrize('ending,tolerance', [('.png', 0), ('.jpg', 12)])
def test_compressed(ending, tolerance):
    rgb = cv2.resize(noise(5, 4, 4, 3), (32, 32), interpolation=cv2.INTER_CUBIC)
    data = cv2.imencode(ending, rgb[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 98])[1]
    seen = images.any_to_rgb(CompressedImage(format=ending[1:], data=array('B', data.tobytes())))
    assert np.abs(seen.astype(int) - rgb).max() <= tolerance or (
        ending == '.jpg' and np.abs(seen.astype(int) - rgb).mean() < 6)


@pytest.mark.parametrize('data', [b'', b'no image', b'\x89PNG\r\n\x1a\n' + bytes(20)])
def test_broken_compressed_images_are_refused(data):
    with pytest.raises(ImageError):
        images.decompress_rgb(CompressedImage(format='png', data=array('B', data)))


def test_cv_bridge_gives_equal_arrays():
    pytest.importorskip('cv_bridge')
    for encoding, layout in COLOUR_LAYOUTS.items():
        shape = (8, 10) if layout.channels == 1 else (8, 10, layout.channels)
        picture = noise(7, *shape, dtype=np.dtype(layout.dtype).type)
        ours = rgb_from_pixels(picture, layout)
        np.testing.assert_array_equal(
            images.to_rgb(message(picture, encoding)), ours, err_msg=encoding)


@pytest.fixture
def bridge(monkeypatch):
    """Pretend that a cv_bridge is installed which knows rgb8 only and paints it grey."""
    class CvBridge:

        def imgmsg_to_cv2(self, message, desired):
            if message.encoding != 'rgb8':
                raise RuntimeError('unknown here')
            return np.full((message.height, message.width, 3), 77, np.uint8)

    module = ModuleType('cv_bridge')
    module.CvBridge = CvBridge
    monkeypatch.setitem(sys.modules, 'cv_bridge', module)
    images._bridge_for.cache_clear()
    yield
    images._bridge_for.cache_clear()


def test_cv_bridge_is_used_for_what_it_can_convert(bridge):
    assert (images.to_rgb(message(noise(0, 4, 6, 3), 'rgb8')) == 77).all()
    grey = noise(0, 4, 6)
    np.testing.assert_array_equal(images.to_rgb(message(grey, 'mono8'))[..., 0], grey)


def test_cv_bridge_never_sees_broken_messages(bridge):
    broken = message(noise(0, 4, 6, 3), 'rgb8')
    broken.step = 7
    with pytest.raises(ImageError, match='step'):
        images.to_rgb(broken)


@given(st.lists(st.tuples(sizes, seeds), min_size=1, max_size=4))
def test_a_message_filled_anew_is_as_a_new_one(pictures):
    colour, metres = Image(), Image()
    for size, seed in pictures:
        rgb = noise(seed, *size, 3)
        depth = noise(seed, *size).astype(np.float32)
        assert images.from_rgb(rgb, None, colour) is colour
        assert colour == images.from_rgb(rgb)
        assert images.from_depth(depth, None, metres) == images.from_depth(depth)
