# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""
The pixels of sensor_msgs/Image and CompressedImage as arrays, for nodes and for bags alike.

Messages are anything with the fields of those two types, from rclpy or from `rosbags`; nothing
here needs ROS. A message whose size, step and data do not fit each other ends in an `ImageError`
that says which.
"""

from collections.abc import Callable
from dataclasses import dataclass
import struct
from typing import Any, Protocol

import cv2
import numpy as np

MAX_PIXELS = 64 * 1024 * 1024  # a corrupt compressed header must not allocate the machine away
# Before the PNG of compressed_depth_image_transport: the format, then the two parameters of its
# inverse-depth quantisation.
_DEPTH_HEADER = struct.Struct('<iff')


class ImageError(ValueError):
    """An image message that cannot be used; the message says why and what is expected."""


class RawImage(Protocol):
    """The fields of sensor_msgs/Image; `data` is anything with a buffer of bytes."""

    height: int
    width: int
    encoding: str
    is_bigendian: int
    step: int
    data: Any


class Compressed(Protocol):
    """The fields of sensor_msgs/CompressedImage."""

    format: str
    data: Any


@dataclass(frozen=True)
class Layout:
    """Pixel layout of an encoding and the OpenCV code that makes it RGB (None: it is)."""

    dtype: str
    channels: int
    to_rgb: int | None = None


# Of an OpenCV array that was sent as it is, RViz, Foxglove and everybody who calls cv_bridge
# without an encoding take the channels to be in OpenCV's own order: blue, green, red.
COLOUR_LAYOUTS = {
    'rgb8': Layout('u1', 3),
    'bgr8': Layout('u1', 3, cv2.COLOR_BGR2RGB),
    'rgba8': Layout('u1', 4, cv2.COLOR_RGBA2RGB),
    'bgra8': Layout('u1', 4, cv2.COLOR_BGRA2RGB),
    'mono8': Layout('u1', 1, cv2.COLOR_GRAY2RGB),
    'rgb16': Layout('u2', 3),
    'bgr16': Layout('u2', 3, cv2.COLOR_BGR2RGB),
    'rgba16': Layout('u2', 4, cv2.COLOR_RGBA2RGB),
    'bgra16': Layout('u2', 4, cv2.COLOR_BGRA2RGB),
    'mono16': Layout('u2', 1, cv2.COLOR_GRAY2RGB),
    '8UC1': Layout('u1', 1, cv2.COLOR_GRAY2RGB),
    '8UC3': Layout('u1', 3, cv2.COLOR_BGR2RGB),
    '8UC4': Layout('u1', 4, cv2.COLOR_BGRA2RGB),
    'yuv422': Layout('u1', 2, cv2.COLOR_YUV2RGB_UYVY),
    'uyvy': Layout('u1', 2, cv2.COLOR_YUV2RGB_UYVY),
    'yuv422_yuy2': Layout('u1', 2, cv2.COLOR_YUV2RGB_YUYV),
    'yuyv': Layout('u1', 2, cv2.COLOR_YUV2RGB_YUYV),
    'bayer_rggb8': Layout('u1', 1, cv2.COLOR_BayerBG2RGB),
    'bayer_bggr8': Layout('u1', 1, cv2.COLOR_BayerRG2RGB),
    'bayer_gbrg8': Layout('u1', 1, cv2.COLOR_BayerGR2RGB),
    'bayer_grbg8': Layout('u1', 1, cv2.COLOR_BayerGB2RGB),
    'bayer_rggb16': Layout('u2', 1, cv2.COLOR_BayerBG2RGB),
    'bayer_bggr16': Layout('u2', 1, cv2.COLOR_BayerRG2RGB),
    'bayer_gbrg16': Layout('u2', 1, cv2.COLOR_BayerGR2RGB),
    'bayer_grbg16': Layout('u2', 1, cv2.COLOR_BayerGB2RGB),
}
_DEPTH = {'16UC1': Layout('u2', 1), '32FC1': Layout('f4', 1)}

COLOUR_ENCODINGS = tuple(COLOUR_LAYOUTS)
DEPTH_ENCODINGS = tuple(_DEPTH)
_SPELLINGS = {name.lower(): name for name in (*COLOUR_ENCODINGS, *DEPTH_ENCODINGS)}
_STILL = 'JPEG, PNG and other still pictures'


def _pixels(message: RawImage, encodings: dict[str, Layout]) -> tuple[np.ndarray, Layout]:
    """Check the message and return its pixels as (H, W) or (H, W, C), a view where possible."""
    encoding = encodings.get(message.encoding)
    if encoding is None:
        raise ImageError(
            f"unsupported encoding '{message.encoding}'; supported: {', '.join(encodings)}")
    height, width, step = message.height, message.width, message.step
    if not height or not width:
        raise ImageError(f'empty image: {width}x{height} pixels')
    dtype = np.dtype(encoding.dtype).newbyteorder('>' if message.is_bigendian else '<')
    row = width * encoding.channels * dtype.itemsize
    if step < row:
        raise ImageError(
            f"step is {step} bytes, but a row of {width} '{message.encoding}' pixels has {row}")
    if len(message.data) != step * height:
        raise ImageError(
            f'data has {len(message.data)} bytes, but step * height = {step} * {height} = '
            f'{step * height}')
    rows = np.frombuffer(message.data, np.uint8).reshape(height, step)[:, :row]
    pixels = np.ascontiguousarray(rows).view(dtype)
    if dtype.byteorder == '>':
        pixels = pixels.astype(dtype.newbyteorder('='))
    if encoding.channels > 1:
        pixels = pixels.reshape(height, width, encoding.channels)
    return pixels, encoding


def rgb_from_pixels(pixels: np.ndarray, encoding: Layout) -> np.ndarray:
    """Return pixels of a colour layout as uint8 (H, W, 3) RGB."""
    if encoding.to_rgb is not None:
        pixels = cv2.cvtColor(pixels, encoding.to_rgb)
    if pixels.dtype == np.uint16:
        # As cv_bridge: the whole range of 16 bit onto that of 8 bit, after the colours.
        return cv2.convertScaleAbs(pixels, alpha=255.0 / 65535.0)
    return pixels if encoding.to_rgb is not None else pixels.copy()


def _check_chroma(encoding: str, width: int, height: int) -> None:
    if COLOUR_LAYOUTS[encoding].channels == 2 and width % 2:
        raise ImageError(
            f"'{encoding}' shares its colour between two pixels of a row, so the width must be "
            f'even; it is {width}')
    if encoding.startswith('bayer') and (width < 3 or height < 3):
        raise ImageError(f'a Bayer image of {width}x{height} pixels is too small')


def to_rgb(
    message: RawImage, convert: Callable[[Any], np.ndarray | None] | None = None,
) -> np.ndarray:
    """
    Return a colour image as uint8 (H, W, 3) RGB; alpha is dropped.

    convert: another converter, asked first once the message has been checked; it may return None.
    Raises ImageError for encodings other than COLOUR_ENCODINGS and for inconsistent sizes.
    """
    pixels, encoding = _pixels(message, COLOUR_LAYOUTS)
    _check_chroma(message.encoding, message.width, message.height)
    converted = convert(message) if convert else None
    return rgb_from_pixels(pixels, encoding) if converted is None else converted


def to_depth(message: RawImage) -> np.ndarray:
    """
    Return a depth image as float32 (H, W) metres; 0 where nothing was measured.

    16UC1 is millimetres, 32FC1 is metres with NaN and infinities as in REP-117; both become 0.
    Raises ImageError for other encodings and for inconsistent sizes.
    """
    pixels, encoding = _pixels(message, _DEPTH)
    if encoding.dtype == 'u2':
        return _millimetres(pixels)
    return _cleaned(pixels)


def decompress_rgb(message: Compressed) -> np.ndarray:
    """
    Return a compressed picture as uint8 (H, W, 3) RGB.

    The format is one of compressed_image_transport, '<encoding>; <codec> compressed <layout>':
    the layout is that of the pixels in the file, the encoding that of the camera's own image.
    Without a layout the camera's pixels were packed as they are. Any other format, such as
    'jpeg', says nothing of them, so the file counts: grey or, as OpenCV reads it, colour.
    https://github.com/ros-perception/image_transport_plugins (compressed_image_transport).

    Raises ImageError when the bytes are no picture, or not what their format says.
    """
    words = _Format.of(message)
    if words.encoding in DEPTH_ENCODINGS or words.codec.startswith('compressedDepth'):
        raise ImageError(f"format '{message.format}' is that of a depth image, not of a picture")
    pixels = _decoded(
        message, np.frombuffer(message.data, np.uint8), cv2.IMREAD_UNCHANGED, _STILL)
    if pixels.dtype not in (np.uint8, np.uint16):
        raise ImageError(
            f"a picture has 8 or 16 bits per channel; that of format '{message.format}' has "
            f'{pixels.dtype}')
    name = _layout_name(message, words, 1 if pixels.ndim == 2 else pixels.shape[2])
    _check_chroma(name, pixels.shape[1], pixels.shape[0])
    return rgb_from_pixels(pixels, COLOUR_LAYOUTS[name])


def decompress_depth(message: Compressed) -> np.ndarray:
    """
    Return a compressed depth image as float32 (H, W) metres, 0 = none.

    Of compressed_depth_image_transport the format is '<encoding>; compressedDepth png' or, of
    older versions, without the last word; 16UC1 is stored as it is, 32FC1 as 16 bit inverse depth
    whose scale is in front of the PNG:
    https://github.com/ros-perception/image_transport_plugins (compressed_depth_image_transport).
    '<encoding>; png compressed' and the same with tiff, of compressed_image_transport, hold the
    pixels as they are. A bare 16 bit PNG counts as millimetres. Raises ImageError for anything
    else.
    """
    data = np.frombuffer(message.data, np.uint8)
    words = _Format.of(message)
    if not words.encoding:
        return _millimetres(_decoded(message, data, cv2.IMREAD_UNCHANGED, '16 bit PNG'))
    plain = words.codec in ('png', 'tiff')
    if not plain and words.codec not in ('compressedDepth', 'compressedDepth png'):
        raise ImageError(
            f"unsupported depth format '{message.format}'; supported: compressedDepth with PNG, "
            'png and tiff')
    if words.encoding not in DEPTH_ENCODINGS:
        raise ImageError(
            f"unsupported depth encoding '{words.encoding}'; supported: "
            f"{', '.join(DEPTH_ENCODINGS)}")
    if not plain and data.size <= _DEPTH_HEADER.size:
        raise ImageError(f'{data.size} bytes are too few for a compressed depth image')
    pixels = _decoded(
        message, data if plain else data[_DEPTH_HEADER.size:], cv2.IMREAD_UNCHANGED, '16 bit PNG')
    if words.encoding == '16UC1':
        return _millimetres(pixels)
    if plain:
        if pixels.dtype != np.float32 or pixels.ndim != 2:
            raise ImageError(f'expected 32 bit numbers, got {pixels.dtype} {pixels.shape}')
        return _cleaned(pixels)
    if pixels.dtype != np.uint16 or pixels.ndim != 2:
        raise ImageError(f'expected a 16 bit PNG, got {pixels.dtype} {pixels.shape}')
    _, scale, offset = _DEPTH_HEADER.unpack(data[:_DEPTH_HEADER.size].tobytes())
    with np.errstate(divide='ignore', invalid='ignore'):
        depth = np.float32(scale) / (pixels.astype(np.float32) - np.float32(offset))
    return _cleaned(np.where(pixels > 0, depth, np.float32(0)))


@dataclass(frozen=True)
class _Format:
    """
    The words of CompressedImage.format, '' where one is not there.

    encoding: of the image that was compressed. codec: of the file. layout: of the file's pixels.
    """

    encoding: str
    codec: str
    layout: str

    @classmethod
    def of(cls, message: Compressed) -> '_Format':
        encoding, found, rest = message.format.partition(';')
        if not found:
            return cls('', message.format.strip(), '')
        words = rest.split()
        end = words.index('compressed') if 'compressed' in words else len(words)
        return cls(_as_known(encoding.strip()), ' '.join(words[:end]),
                   _as_known(' '.join(words[end + 1:])))


def _as_known(encoding: str) -> str:
    """Return an encoding as it is spelt in this module, however it was spelt."""
    return _SPELLINGS.get(encoding.lower(), encoding)


def _layout_name(message: Compressed, words: _Format, channels: int) -> str:
    """Return what the pixels of a file are, one of COLOUR_LAYOUTS with that many channels."""
    name = words.layout or words.encoding
    known = COLOUR_LAYOUTS.get(name)
    if known is None and (words.layout or name[:1].isdigit() or name.startswith('bayer')):
        raise ImageError(
            f"unsupported pixels '{name}' in the format '{message.format}'; supported: "
            f"{', '.join(COLOUR_ENCODINGS)}")
    if known is not None and known.channels == channels:
        return name
    # The file says what pixels of another number of channels are, but not whether its only one is
    # a mosaic of colours.
    grey = channels == 1
    if channels not in (1, 3, 4) or (words.encoding if grey else words.layout).startswith('bayer'):
        raise ImageError(
            f"the format is '{message.format}', but the file has {channels} channel(s)")
    if grey:
        return 'mono8'
    order = 'rgb' if name.startswith('rgb') else 'bgr'
    return f'{order}8' if channels == 3 else f'{order}a8'


def _decoded(message: Compressed, data: np.ndarray, flags: int, wanted: str) -> np.ndarray:
    """Return what OpenCV makes of the bytes."""
    if not data.size:
        raise ImageError('empty compressed image')
    try:
        pixels = cv2.imdecode(data, flags)
    except cv2.error as error:  # larger than what OpenCV is willing to allocate
        raise ImageError(f'cannot decode {data.size} bytes: {error.err}') from error
    if pixels is None:
        raise ImageError(
            f"cannot decode {data.size} bytes of format '{message.format}'; {wanted} are "
            'supported')
    if pixels.shape[0] * pixels.shape[1] > MAX_PIXELS:
        raise ImageError(f'{pixels.shape[1]}x{pixels.shape[0]} pixels are more than {MAX_PIXELS}')
    return pixels


def _millimetres(pixels: np.ndarray) -> np.ndarray:
    if pixels.dtype != np.uint16 or pixels.ndim != 2:
        raise ImageError(f'expected 16 bit grey values, got {pixels.dtype} {pixels.shape}')
    return pixels.astype(np.float32) * np.float32(0.001)


def _cleaned(depth: np.ndarray) -> np.ndarray:
    """Return metres with 0 in place of NaN, infinities and values that are not in front."""
    return np.where(np.isfinite(depth) & (depth > 0), depth, np.float32(0)).astype(np.float32)
