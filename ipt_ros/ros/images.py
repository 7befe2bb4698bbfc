# SPDX-License-Identifier: Apache-2.0
"""
Image messages to arrays and back.

cv_bridge does the colour conversion where it is installed, numpy and OpenCV otherwise; both give
equal arrays. What neither may see is checked here first: a message whose size, step and data do
not fit each other ends in an `ImageError` that says which.
"""

from array import array
from dataclasses import dataclass
from functools import cache
from typing import Any

import cv2
import numpy as np
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import Header

MAX_PIXELS = 64 * 1024 * 1024  # a corrupt compressed header must not allocate the machine away


class ImageError(ValueError):
    """An image message that cannot be used; the message says why and what is expected."""


@dataclass(frozen=True)
class _Encoding:
    """Pixel layout of an encoding and the OpenCV code that makes it RGB (None: it is)."""

    dtype: str
    channels: int
    to_rgb: int | None = None


_COLOUR = {
    'rgb8': _Encoding('u1', 3),
    'bgr8': _Encoding('u1', 3, cv2.COLOR_BGR2RGB),
    'rgba8': _Encoding('u1', 4, cv2.COLOR_RGBA2RGB),
    'bgra8': _Encoding('u1', 4, cv2.COLOR_BGRA2RGB),
    'mono8': _Encoding('u1', 1, cv2.COLOR_GRAY2RGB),
    'mono16': _Encoding('u2', 1, cv2.COLOR_GRAY2RGB),
    'yuv422': _Encoding('u1', 2, cv2.COLOR_YUV2RGB_UYVY),
    'uyvy': _Encoding('u1', 2, cv2.COLOR_YUV2RGB_UYVY),
    'yuv422_yuy2': _Encoding('u1', 2, cv2.COLOR_YUV2RGB_YUYV),
    'yuyv': _Encoding('u1', 2, cv2.COLOR_YUV2RGB_YUYV),
    'bayer_rggb8': _Encoding('u1', 1, cv2.COLOR_BayerBG2RGB),
    'bayer_bggr8': _Encoding('u1', 1, cv2.COLOR_BayerRG2RGB),
    'bayer_gbrg8': _Encoding('u1', 1, cv2.COLOR_BayerGR2RGB),
    'bayer_grbg8': _Encoding('u1', 1, cv2.COLOR_BayerGB2RGB),
}
_DEPTH = {'16UC1': _Encoding('u2', 1), '32FC1': _Encoding('f4', 1)}

COLOUR_ENCODINGS = tuple(_COLOUR)
DEPTH_ENCODINGS = tuple(_DEPTH)


@cache
def _bridge_for(encoding: str) -> Any | None:
    """Return a CvBridge that converts this encoding to RGB here, or None."""
    try:
        from cv_bridge import CvBridge
        bridge = CvBridge()
        sample = np.zeros((4, 4, _COLOUR[encoding].channels), _COLOUR[encoding].dtype)
        bridge.imgmsg_to_cv2(_message(sample, encoding, None), 'rgb8')
    except Exception:
        # Not installed, built for another numpy, or too old for this encoding: each with an
        # exception type of its own.
        return None
    return bridge


def _pixels(message: Image, encodings: dict[str, _Encoding]) -> tuple[np.ndarray, _Encoding]:
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


def _rgb_from_pixels(pixels: np.ndarray, encoding: _Encoding) -> np.ndarray:
    if pixels.dtype == np.uint16:
        # As cv_bridge: the whole range of 16 bit onto that of 8 bit.
        pixels = cv2.convertScaleAbs(pixels, alpha=255.0 / 65535.0)
    if encoding.to_rgb is None:
        return pixels.copy()
    return cv2.cvtColor(pixels, encoding.to_rgb)


def _check_chroma(message: Image) -> None:
    if _COLOUR[message.encoding].channels == 2 and message.width % 2:
        raise ImageError(
            f"'{message.encoding}' shares its colour between two pixels of a row, so the width "
            f'must be even; it is {message.width}')
    if message.encoding.startswith('bayer') and (message.width < 3 or message.height < 3):
        raise ImageError(f'a Bayer image of {message.width}x{message.height} pixels is too small')


def to_rgb(message: Image) -> np.ndarray:
    """
    Return a colour image as uint8 (H, W, 3) RGB; alpha is dropped.

    Raises ImageError for encodings other than COLOUR_ENCODINGS and for inconsistent sizes.
    """
    pixels, encoding = _pixels(message, _COLOUR)
    _check_chroma(message)
    bridge = None if message.is_bigendian else _bridge_for(message.encoding)
    if bridge is not None:
        return np.ascontiguousarray(bridge.imgmsg_to_cv2(message, 'rgb8'))
    return _rgb_from_pixels(pixels, encoding)


def to_depth(message: Image) -> np.ndarray:
    """
    Return a depth image as float32 (H, W) metres; 0 where nothing was measured.

    16UC1 is millimetres, 32FC1 is metres with NaN and infinities as in REP-117; both become 0.
    Raises ImageError for other encodings and for inconsistent sizes.
    """
    pixels, encoding = _pixels(message, _DEPTH)
    if encoding.dtype == 'u2':
        return pixels.astype(np.float32) * np.float32(0.001)
    return np.where(np.isfinite(pixels) & (pixels > 0), pixels, np.float32(0)).astype(np.float32)


def decompress_rgb(message: CompressedImage) -> np.ndarray:
    """
    Return a JPEG or PNG image as uint8 (H, W, 3) RGB.

    Raises ImageError when the bytes are no such image.
    """
    data = np.frombuffer(message.data, np.uint8)
    if not data.size:
        raise ImageError('empty compressed image')
    pixels = cv2.imdecode(data, cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
    if pixels is None:
        raise ImageError(
            f"cannot decode {data.size} bytes of format '{message.format}'; JPEG and PNG are "
            'supported')
    if pixels.shape[0] * pixels.shape[1] > MAX_PIXELS:
        raise ImageError(f'{pixels.shape[1]}x{pixels.shape[0]} pixels are more than {MAX_PIXELS}')
    return cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB)


def any_to_rgb(message: Image | CompressedImage) -> np.ndarray:
    """Return the uint8 (H, W, 3) RGB picture of a plain or a compressed message."""
    return decompress_rgb(message) if isinstance(message, CompressedImage) else to_rgb(message)


def _message(pixels: np.ndarray, encoding: str, header: Header | None) -> Image:
    message = Image()
    if header is not None:
        message.header = header
    message.height, message.width = pixels.shape[:2]
    message.encoding = encoding
    message.is_bigendian = 0
    message.step = pixels.strides[0]
    # array.array is what rclpy keeps inside: any other type is copied element by element.
    message.data = array('B', pixels.tobytes())
    return message


def from_rgb(image: np.ndarray, header: Header | None = None) -> Image:
    """Return an rgb8 message of a uint8 (H, W, 3) picture."""
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
        raise ImageError(f'expected uint8 (H, W, 3), got {image.dtype} {image.shape}')
    return _message(np.ascontiguousarray(image), 'rgb8', header)


def from_depth(depth: np.ndarray, header: Header | None = None) -> Image:
    """Return a 32FC1 message of depth (H, W) in metres."""
    if depth.ndim != 2:
        raise ImageError(f'expected (H, W), got {depth.shape}')
    return _message(np.ascontiguousarray(depth, dtype='<f4'), '32FC1', header)


def from_ids(ids: np.ndarray, header: Header | None = None) -> Image:
    """Return a 32SC1 message of integer ids (H, W)."""
    if ids.ndim != 2 or not np.issubdtype(ids.dtype, np.integer):
        raise ImageError(f'expected integers (H, W), got {ids.dtype} {ids.shape}')
    return _message(np.ascontiguousarray(ids, dtype='<i4'), '32SC1', header)
