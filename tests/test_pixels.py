# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""Pixels of messages without ROS: what is compressed; tests/ros_shared has the rest."""

from dataclasses import dataclass
import struct

import cv2
from hypothesis import given
from hypothesis import strategies as st
from ipt_ros.pixels import (
    COLOUR_LAYOUTS,
    decompress_depth,
    decompress_rgb,
    ImageError,
    to_depth,
    to_rgb,
)
import numpy as np
import pytest


@dataclass
class Packed:
    """The fields of sensor_msgs/CompressedImage as `rosbags` gives them: a read-only array."""

    format: str
    data: np.ndarray


@dataclass
class Plain:
    """The fields of sensor_msgs/Image as `rosbags` gives them."""

    height: int
    width: int
    encoding: str
    is_bigendian: int
    step: int
    data: np.ndarray


def frozen(data: bytes) -> np.ndarray:
    return np.frombuffer(data, np.uint8)


def png(pixels: np.ndarray) -> bytes:
    return cv2.imencode('.png', pixels)[1].tobytes()


def tiff(pixels: np.ndarray) -> bytes:
    return cv2.imencode('.tiff', pixels)[1].tobytes()


def jpeg(pixels: np.ndarray) -> bytes:
    return cv2.imencode('.jpg', pixels, [cv2.IMWRITE_JPEG_QUALITY, 100])[1].tobytes()


# A picture of two colours, halves side by side: JPEG keeps their middles nearly as they are.
PICTURE = np.zeros((32, 32, 3), np.uint8)
PICTURE[:, :16], PICTURE[:, 16:] = (200, 120, 40), (20, 60, 180)
RED, GREEN, BLUE = 0, 1, 2


def picture_seen(words: str, data: bytes) -> None:
    """Assert that a compressed message shows PICTURE."""
    seen = decompress_rgb(Packed(words, frozen(data)))
    assert seen.dtype == np.uint8 and seen.shape == PICTURE.shape, words
    for column in (8, 24):
        np.testing.assert_allclose(
            seen[16, column].astype(int), PICTURE[16, column], atol=4, err_msg=words)


def mosaic(pattern: str) -> np.ndarray:
    """Return what a sensor behind a mosaic of colours measures of PICTURE."""
    planes = {'r': RED, 'g': GREEN, 'b': BLUE}
    sensor = np.zeros(PICTURE.shape[:2], np.uint8)
    for place, letter in enumerate(pattern):
        row, column = divmod(place, 2)
        sensor[row::2, column::2] = PICTURE[row::2, column::2, planes[letter]]
    return sensor


@pytest.mark.parametrize('encoding', ['rgb8', 'bgr8', 'mono8', 'yuyv'])
def test_arrays_that_cannot_be_written_to_are_read(encoding):
    channels = {'mono8': 1, 'yuyv': 2}.get(encoding, 3)
    data = frozen(bytes(range(4 * 6 * channels)))
    assert not data.flags.writeable
    rgb = to_rgb(Plain(4, 6, encoding, 0, 6 * channels, data))
    assert rgb.shape == (4, 6, 3) and rgb.flags.writeable
    depth = to_depth(Plain(2, 3, '32FC1', 0, 12, frozen(np.ones((2, 3), '<f4').tobytes())))
    np.testing.assert_array_equal(depth, 1)


@pytest.mark.parametrize('words', ['16UC1; compressedDepth', '16UC1; compressedDepth png'])
def test_compressed_depth_in_millimetres(words):
    depth = np.array([[0, 1234], [65535, 1]], np.uint16)
    seen = decompress_depth(Packed(words, frozen(bytes(12) + png(depth))))
    np.testing.assert_allclose(seen, depth * 0.001, rtol=1e-6)
    np.testing.assert_array_equal(
        decompress_depth(Packed('png', frozen(png(depth)))), seen)


def test_compressed_depth_in_metres_is_inverse_depth():
    metres = np.array([[0.5, 1.0], [4.0, 9.5]])
    scale, offset = 10.0 * (10.0 + 1.0), 10.0 * (10.0 + 1.0) / 10.0 - 10.0
    stored = np.round(scale / metres + offset).astype(np.uint16)
    stored[0, 0] = 0
    seen = decompress_depth(Packed(
        '32FC1; compressedDepth png', frozen(struct.pack('<iff', 0, scale, offset) + png(stored))))
    assert seen.dtype == np.float32 and seen[0, 0] == 0
    np.testing.assert_allclose(seen.ravel()[1:], metres.ravel()[1:], rtol=0.05)


@pytest.mark.parametrize('words,data,why', [
    ('16UC1; compressedDepth rvl', bytes(40), 'rvl'),
    ('8UC1; compressedDepth', bytes(40), '8UC1'),
    ('16UC1; compressedDepth', bytes(12), 'too few'),
    ('16UC1; compressedDepth', bytes(60), 'cannot decode'),
    ('16UC1; compressedDepth', bytes(12) + png(np.zeros((2, 2, 3), np.uint8)), '16 bit'),
    ('32FC1; compressedDepth', bytes(12) + png(np.zeros((2, 2), np.uint8)), '16 bit'),
    ('png', png(np.zeros((2, 2), np.uint8)), '16 bit'),
    ('16UC1; jpeg compressed mono8', jpeg(np.zeros((2, 2), np.uint8)), 'jpeg compressed mono8'),
    ('32FC1; tiff compressed ', tiff(np.zeros((2, 2), np.uint16)), '32 bit'),
])
def test_broken_compressed_depth_says_what_is_wrong(words, data, why):
    with pytest.raises(ImageError, match=why):
        decompress_depth(Packed(words, frozen(data)))


def test_a_header_that_promises_too_many_pixels_is_refused():
    image = bytearray(png(np.zeros((2, 2), np.uint8)))
    image[16:24] = struct.pack('>II', 60000, 60000)
    with pytest.raises(ImageError):
        decompress_rgb(Packed('png', frozen(bytes(image))))


@pytest.mark.parametrize('words', [
    'jpeg', 'jpg', 'JPEG', 'image/jpeg', '', 'rgb8', 'rgb8; jpeg compressed bgr8',
    'bgr8; jpeg compressed bgr8', 'rgba8; jpeg compressed bgr8', 'bgra8; jpeg compressed bgr8',
    'rgb16; jpeg compressed bgr8', 'bayer_rggb8; jpeg compressed bgr8',
    'bayer_gbrg16; jpeg compressed bgr8', 'bgr8; jpeg', 'bgr8; jpeg compressed ',
    'yuv422_yuy2; jpeg compressed bgr8', 'nv21; jpeg compressed bgr8', '8UC3; jpeg compressed ',
    'BGR8; jpeg compressed BGR8', ' rgb8 ;jpeg  compressed  bgr8 '])
def test_a_file_with_its_channels_in_the_usual_order(words):
    picture_seen(words, jpeg(PICTURE[..., ::-1]))
    picture_seen(words.replace('jpeg', 'png').replace('JPEG', 'PNG'), png(PICTURE[..., ::-1]))


@pytest.mark.parametrize('words', [
    'rgb8; jpeg compressed rgb8', 'bgr8; jpeg compressed rgb8', 'rgb8; jpeg compressed ',
    'rgb8; jpeg compressed', 'rgb8; jpeg', 'bayer_bggr8; jpeg compressed rgb8'])
def test_a_file_with_red_and_blue_swapped_that_says_so(words):
    picture_seen(words, jpeg(PICTURE))
    picture_seen(words.replace('jpeg', 'png'), png(PICTURE))


@pytest.mark.parametrize('encoding', [
    'rgb8', 'bgr8', 'rgba8', 'bgra8', 'rgb16', 'bgr16', 'rgba16', 'bgra16'])
def test_what_compressed_image_transport_makes_of_every_colour_encoding(encoding):
    bits = 16 if encoding.endswith('16') else 8
    bgr = PICTURE[..., ::-1].astype(f'u{bits // 8}') * (257 if bits == 16 else 1)
    alpha = np.full((*bgr.shape[:2], 1), 9, bgr.dtype)
    picture_seen(f'{encoding}; png compressed bgr{bits}', png(bgr))
    picture_seen(f'{encoding}; png compressed bgra{bits}', png(np.dstack([bgr, alpha])))
    # As tiff, the pixels are packed in the camera's order.
    own = bgr if encoding.startswith('bgr') else bgr[..., ::-1]
    own = np.dstack([own, alpha]) if 'a' in encoding else np.ascontiguousarray(own)
    picture_seen(f'{encoding}; tiff compressed ', tiff(own))


@pytest.mark.parametrize('pattern', ['rggb', 'bggr', 'gbrg', 'grbg'])
def test_a_mosaic_of_colours_becomes_a_picture(pattern):
    sensor = mosaic(pattern)
    wide = sensor.astype(np.uint16) * 257
    for name in (f'bayer_{pattern}8', f'bayer_{pattern}16'):
        # The second one is that of jpeg_compress_bayer, the first one that of ROS 1.
        for words in (f'{name}; jpeg compressed ', f'{name}; jpeg compressed {name}'):
            picture_seen(words, jpeg(sensor))
        picture_seen(f'{name}; png compressed ', png(wide if name.endswith('16') else sensor))
        picture_seen(f'{name}; tiff compressed ', tiff(wide if name.endswith('16') else sensor))


@pytest.mark.parametrize('words', [
    'jpeg', 'png', 'mono8; jpeg compressed mono8', 'mono8; jpeg compressed ', 'mono8; png',
    'mono16; jpeg compressed mono8', '8UC1; jpeg compressed ', 'yuv422; jpeg compressed mono8',
    # Without jpeg_compress_bayer, image_transport makes a mosaic grey before it is packed.
    'bayer_rggb8; jpeg compressed mono8', 'rgb8; jpeg compressed bgr8', 'bgr8; png'])
def test_a_grey_file_is_grey(words):
    grey = np.tile(np.arange(0, 256, 8, dtype=np.uint8), (32, 1))
    seen = decompress_rgb(Packed(words, frozen(jpeg(grey))))
    np.testing.assert_allclose(seen.astype(int), np.repeat(grey[..., None], 3, 2), atol=4)


@given(st.sampled_from(['png', 'mono16; png compressed ', '16-bit; png compressed mono16']),
       st.integers(0, 65535))
def test_16_bits_are_scaled_as_those_of_a_plain_image(words, value):
    grey = np.full((4, 6), value, np.uint16)
    seen = decompress_rgb(Packed(words, frozen(png(grey))))
    plain = to_rgb(Plain(4, 6, 'mono16', 0, 12, frozen(grey.astype('<u2').tobytes())))
    np.testing.assert_array_equal(seen, plain)


@given(st.sampled_from(sorted(COLOUR_LAYOUTS)), st.integers(0, 2**32 - 1))
def test_pixels_that_were_packed_as_they_are_come_out_as_those_of_the_plain_image(encoding, seed):
    layout = COLOUR_LAYOUTS[encoding]
    if layout.channels == 2:
        return  # no file holds two channels
    shape = (4, 6) if layout.channels == 1 else (4, 6, layout.channels)
    pixels = np.random.default_rng(seed).integers(0, 256, shape).astype(f'<{layout.dtype}')
    plain = to_rgb(Plain(4, 6, encoding, 0, pixels.strides[0], frozen(pixels.tobytes())))
    for pack, codec in ((png, 'png'), (tiff, 'tiff')):
        np.testing.assert_array_equal(decompress_rgb(Packed(
            f'{encoding}; {codec} compressed {encoding}', frozen(pack(pixels)))), plain)


GREY, COLOUR = np.zeros((8, 8), np.uint8), np.zeros((8, 8, 3), np.uint8)


@pytest.mark.parametrize('words,data,why', [
    ('bayer_rggb8; jpeg compressed bgr8', jpeg(GREY), '1 channel'),
    ('bayer_rggb8; jpeg compressed bayer_rggb8', jpeg(COLOUR), '3 channel'),
    ('bayer_rggb12; png compressed ', png(GREY), 'bayer_rggb12.*supported'),
    ('bayer_rggb8; png compressed ', png(GREY[:2, :2]), 'too small'),
    ('rgb8; jpeg compressed hsv8', jpeg(COLOUR), 'hsv8.*supported'),
    ('8UC2; tiff compressed ', tiff(COLOUR), '8UC2'),
    ('32FC3; tiff compressed ', tiff(COLOUR.astype(np.float32)), '8 or 16 bits'),
    ('tiff', tiff(GREY.astype(np.float32)), '8 or 16 bits'),
    ('16UC1; png compressed ', png(GREY.astype(np.uint16)), 'depth'),
    ('16UC1; compressedDepth png', bytes(12) + png(GREY.astype(np.uint16)), 'depth'),
    ('h264', b'\0\0\0\1\x67' + bytes(30), "'h264'.*JPEG, PNG"),
    ('bgr8; libx264', bytes(30), 'libx264'),
])
def test_a_format_that_does_not_go_with_its_file_says_so(words, data, why):
    with pytest.raises(ImageError, match=why):
        decompress_rgb(Packed(words, frozen(data)))


@given(st.text(max_size=40), st.sampled_from([jpeg(GREY), png(COLOUR), b'nothing']))
def test_whatever_the_format_it_is_a_picture_or_an_error(words, data):
    try:
        assert decompress_rgb(Packed(words, frozen(data))).shape == (8, 8, 3)
    except ImageError:
        pass


@pytest.mark.parametrize('words,pack', [
    ('16UC1; png compressed ', png), ('16UC1; png', png), ('16UC1; tiff compressed ', tiff)])
def test_depth_that_was_packed_as_a_picture(words, pack):
    depth = np.array([[0, 1234], [65535, 1]], np.uint16)
    seen = decompress_depth(Packed(words, frozen(pack(depth))))
    np.testing.assert_allclose(seen, depth * 0.001, rtol=1e-6)
    metres = np.array([[np.nan, 1.5], [np.inf, -1]], np.float32)
    np.testing.assert_array_equal(
        decompress_depth(Packed('32FC1; tiff compressed ', frozen(tiff(metres)))),
        [[0, 1.5], [0, 0]])
