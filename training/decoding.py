# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""
Pictures of a data set, from the bytes of their files to pixels.

Data sets come from other people and other programs, so a picture may be transparent, have a
palette, 16 bits or four inks, be cut off, or claim to be as large as a city. All rows are read by
this one reader, ours and published ones alike.
"""

from io import BytesIO

from ipt_ros.bagel.images import check_image
from ipt_ros.pixels import MAX_PIXELS
import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

# Not all that Pillow knows: some of its readers start other programs.
FORMATS = ('PNG', 'JPEG', 'WEBP', 'BMP', 'GIF', 'TIFF', 'PPM', 'JPEG2000')
Image.init()  # Pillow knows a format by name only once it has loaded its reader


class PictureError(ValueError):
    """Bytes that are no picture we read; the message says what was expected and what found."""


def decode_picture(data: bytes) -> np.ndarray:
    """
    Return a picture as uint8 (H, W, 3) RGB.

    What is transparent is laid onto white; of 16 bits the upper 8 count; a picture is turned as
    its EXIF data say. Raise PictureError for anything else than whole pictures of FORMATS with 8
    or 16 bits a channel and at most MAX_PIXELS pixels.
    """
    picture = ImageOps.exif_transpose(_loaded(data))
    if picture.mode.startswith('I;16'):
        picture = Image.fromarray((np.asarray(picture) >> 8).astype(np.uint8))
    if picture.mode in ('I', 'F'):
        raise PictureError('expected a picture of 8 or 16 bits a channel, found one of 32')
    kind = 'RGBA' if picture.has_transparency_data else 'RGB'
    return check_image(np.array(picture.convert(kind)))


def decode_plane(data: bytes, kind: type[np.generic]) -> np.ndarray:
    """
    Return a grey picture as (H, W) of ``kind``, np.uint8 or np.uint16, its values as stored.

    Raise PictureError for colours, another depth, and what is no whole picture.
    """
    pixels = np.array(_loaded(data))
    if pixels.ndim != 2 or pixels.dtype != kind:
        raise PictureError(f'expected a grey picture of {np.dtype(kind).itemsize * 8} bits, found '
                           f'{pixels.dtype} {pixels.shape}')
    return pixels


def _loaded(data: bytes) -> Image.Image:
    if not data:
        raise PictureError('expected the bytes of a picture, found none')
    size = ''
    try:
        picture = Image.open(BytesIO(data), formats=FORMATS)
        size = f' ({picture.width} x {picture.height} pixels)'
        if 0 < picture.width * picture.height <= MAX_PIXELS:
            picture.load()
            return picture
    except Image.DecompressionBombError:
        size = ''
    except Exception as error:  # a decoder may raise anything for bytes that are none
        reason = '' if isinstance(error, UnidentifiedImageError) else f': {error!r}'
        raise PictureError('expected an image that decodes (PNG, JPEG, WebP), found '
                           f'{len(data)} bytes that do not{reason}') from error
    raise PictureError(
        f'expected a picture of 1 to {MAX_PIXELS} pixels, found another size{size}')
