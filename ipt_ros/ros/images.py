# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""
Image messages to arrays and back.

cv_bridge does the colour conversion where it is installed, `ipt_ros.pixels` otherwise; both give
equal arrays.
"""

from array import array
from functools import cache
from typing import Any

from ipt_ros import pixels
from ipt_ros.pixels import decompress_depth, decompress_rgb, ImageError, to_depth
import numpy as np
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import Header

__all__ = [
    'ImageError',
    'any_to_depth',
    'any_to_rgb',
    'decompress_rgb',
    'from_depth',
    'from_ids',
    'from_rgb',
    'to_depth',
    'to_rgb',
]


@cache
def _bridge_for(encoding: str) -> Any | None:
    """Return a CvBridge that converts this encoding to RGB here, or None."""
    try:
        from cv_bridge import CvBridge
        bridge = CvBridge()
        layout = pixels.COLOUR_LAYOUTS[encoding]
        sample = np.zeros((4, 4, layout.channels), layout.dtype)
        bridge.imgmsg_to_cv2(_message(sample, encoding, None), 'rgb8')
    except Exception:
        # Not installed, built for another numpy, or too old for this encoding: each with an
        # exception type of its own.
        return None
    return bridge


def _by_bridge(message: Image) -> np.ndarray | None:
    bridge = None if message.is_bigendian else _bridge_for(message.encoding)
    if bridge is None:
        return None
    return np.ascontiguousarray(bridge.imgmsg_to_cv2(message, 'rgb8'))


def to_rgb(message: Image) -> np.ndarray:
    """
    Return a colour image as uint8 (H, W, 3) RGB; alpha is dropped.

    Raises ImageError for encodings that are not supported and for inconsistent sizes; cv_bridge
    never sees such a message.
    """
    return pixels.to_rgb(message, _by_bridge)


def any_to_rgb(message: Image | CompressedImage) -> np.ndarray:
    """Return the uint8 (H, W, 3) RGB picture of a plain or a compressed message."""
    return decompress_rgb(message) if isinstance(message, CompressedImage) else to_rgb(message)


def any_to_depth(message: Image | CompressedImage) -> np.ndarray:
    """Return the float32 (H, W) metres of a plain or a compressed depth image, 0 = none."""
    return decompress_depth(message) if isinstance(message, CompressedImage) else to_depth(message)


def _message(
    image: np.ndarray, encoding: str, header: Header | None, into: Image | None = None,
) -> Image:
    message = Image() if into is None else into
    if header is not None:
        message.header = header
    message.height, message.width = image.shape[:2]
    message.encoding = encoding
    message.is_bigendian = 0
    message.step = image.strides[0]
    if into is not None and len(into.data) == image.nbytes:
        np.frombuffer(into.data, np.uint8)[:] = image.reshape(-1).view(np.uint8)
        return message
    # array.array is what rclpy keeps inside: any other type is copied element by element.
    data = array('B')
    data.frombytes(memoryview(image).cast('B'))
    message.data = data
    return message


def from_rgb(
    image: np.ndarray, header: Header | None = None, into: Image | None = None,
) -> Image:
    """
    Return an rgb8 message of a uint8 (H, W, 3) picture.

    into: a message that has been published, to be filled anew: one of the same size keeps its
    memory, which spares a sender of many pictures from asking for it each time.
    """
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
        raise ImageError(f'expected uint8 (H, W, 3), got {image.dtype} {image.shape}')
    return _message(np.ascontiguousarray(image), 'rgb8', header, into)


def from_depth(
    depth: np.ndarray, header: Header | None = None, into: Image | None = None,
) -> Image:
    """Return a 32FC1 message of depth (H, W) in metres; `into`: see `from_rgb`."""
    if depth.ndim != 2:
        raise ImageError(f'expected (H, W), got {depth.shape}')
    return _message(np.ascontiguousarray(depth, dtype='<f4'), '32FC1', header, into)


def from_ids(ids: np.ndarray, header: Header | None = None) -> Image:
    """Return a 32SC1 message of integer ids (H, W)."""
    if ids.ndim != 2 or not np.issubdtype(ids.dtype, np.integer):
        raise ImageError(f'expected integers (H, W), got {ids.dtype} {ids.shape}')
    return _message(np.ascontiguousarray(ids, dtype='<i4'), '32SC1', header)
