# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""Pictures of every kind that people write are read alike; what is no whole picture is refused."""

from io import BytesIO
import struct
import zlib

from hypothesis import given, settings
from hypothesis import strategies as st
from ipt_training.decoding import decode_picture, decode_plane, PictureError
import numpy as np
from PIL import Image
import pytest

RED = (200, 40, 10)


def encoded(picture: Image.Image, kind: str = 'PNG', **options) -> bytes:
    buffer = BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


def red(mode: str = 'RGB') -> Image.Image:
    picture = Image.new('RGB', (12, 8), RED)
    return picture.quantize(4) if mode == 'P' else picture.convert(mode)


def png_of(width: int, height: int) -> bytes:
    """Return a small file that claims to be a PNG of this size."""
    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack('>I', len(data)) + name + data + struct.pack(
            '>I', zlib.crc32(name + data))
    return (b'\x89PNG\r\n\x1a\n' + chunk(b'IHDR', struct.pack('>IIBBBBB', width, height, 8, 2, 0,
                                                              0, 0))
            + chunk(b'IDAT', zlib.compress(b'\0' * 100)) + chunk(b'IEND', b''))


@pytest.mark.parametrize(('mode', 'kind'), [
    ('RGB', 'PNG'), ('RGBA', 'PNG'), ('P', 'PNG'), ('RGB', 'BMP'), ('RGB', 'TIFF'),
    ('RGBA', 'TIFF'), ('CMYK', 'TIFF'), ('P', 'GIF')])
def test_every_mode_gives_the_same_pixels(mode, kind):
    pixels = decode_picture(encoded(red(mode), kind))
    assert pixels.dtype == np.uint8 and pixels.shape == (8, 12, 3)
    assert np.abs(pixels.astype(int) - RED).max() <= 3


@pytest.mark.parametrize(('mode', 'kind'), [('RGB', 'JPEG'), ('CMYK', 'JPEG'), ('RGB', 'WEBP')])
def test_what_is_stored_with_losses_has_nearly_the_same_pixels(mode, kind):
    pixels = decode_picture(encoded(red(mode), kind))
    assert pixels.shape == (8, 12, 3) and np.abs(pixels.astype(int) - RED).max() <= 8


@pytest.mark.parametrize('mode', ['L', '1', 'LA'])
def test_grey_pictures_get_three_channels(mode):
    pixels = decode_picture(encoded(Image.new('L', (5, 4), 255).convert(mode)))
    assert pixels.shape == (4, 5, 3) and (pixels == 255).all()


@settings(max_examples=40, deadline=None)
@given(st.sampled_from(['RGBA', 'LA']), st.integers(0, 255), st.integers(0, 255))
def test_what_is_transparent_lies_on_white(mode, value, alpha):
    picture = Image.new('RGBA', (3, 2), (value, value, value, alpha)).convert(mode)
    expected = 255 + (value - 255) * alpha / 255
    assert np.abs(decode_picture(encoded(picture)).astype(float) - expected).max() <= 1


def test_a_transparent_colour_of_a_palette_lies_on_white():
    picture = red('P')
    assert (decode_picture(encoded(picture, transparency=picture.getpixel((0, 0)))) == 255).all()


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 65535))
def test_of_sixteen_bits_the_upper_eight_count(value):
    grey = Image.fromarray(np.full((4, 4), value, np.uint16))
    assert (decode_picture(encoded(grey)) == value >> 8).all()


def test_a_picture_is_turned_as_its_file_says():
    picture = Image.new('RGB', (4, 2))
    turn = Image.Exif()
    turn[0x0112] = 6
    assert decode_picture(encoded(picture, 'JPEG', exif=turn)).shape == (4, 2, 3)


@pytest.mark.parametrize(('data', 'said'), [
    (b'', 'found none'),
    (b'\x89PNG\r\n\x1a\n', 'that do not'),
    (b'no picture at all', '17 bytes that do not'),
    (b'%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n', 'that do not'),
    (encoded(red())[:-30], 'that do not'),
    (encoded(Image.effect_noise((60, 60), 50), 'JPEG')[:-400], 'truncated'),
    (png_of(0, 10), ''),
    (png_of(60_000, 60_000), '60000|another size'),
    (png_of(9_000, 9_000), r'another size \(9000 x 9000 pixels\)'),
    (encoded(Image.new('F', (4, 4)), 'TIFF'), 'found one of 32'),
])
@pytest.mark.filterwarnings('ignore::PIL.Image.DecompressionBombWarning')
def test_what_is_no_whole_picture_is_refused_in_words(data, said):
    with pytest.raises(PictureError, match=said) as caught:
        decode_picture(data)
    assert str(caught.value).startswith('expected ')


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=200), st.integers(0, 120))
def test_no_bytes_end_in_another_error(noise, keep):
    for data in (noise, encoded(red())[:keep] + noise, encoded(red(), 'JPEG')[:keep] + noise):
        try:
            assert decode_picture(data).shape[2] == 3
        except PictureError:
            pass


def test_planes_keep_their_values_and_nothing_else_is_one():
    depth = np.arange(12, dtype=np.uint16).reshape(3, 4) * 5000
    assert (decode_plane(encoded(Image.fromarray(depth)), np.uint16) == depth).all()
    with pytest.raises(PictureError, match='grey picture of 8 bits'):
        decode_plane(encoded(Image.fromarray(depth)), np.uint8)
    with pytest.raises(PictureError, match='grey picture of 8 bits'):
        decode_plane(encoded(red()), np.uint8)
