# SPDX-License-Identifier: Apache-2.0
"""Pixels of messages without ROS: compressed depth; tests/ros_shared has the rest."""

from dataclasses import dataclass
import struct

import cv2
from ipt_ros.pixels import decompress_depth, decompress_rgb, ImageError, to_depth, to_rgb
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
])
def test_broken_compressed_depth_says_what_is_wrong(words, data, why):
    with pytest.raises(ImageError, match=why):
        decompress_depth(Packed(words, frozen(data)))


def test_a_header_that_promises_too_many_pixels_is_refused():
    image = bytearray(png(np.zeros((2, 2), np.uint8)))
    image[16:24] = struct.pack('>II', 60000, 60000)
    with pytest.raises(ImageError):
        decompress_rgb(Packed('png', frozen(bytes(image))))
