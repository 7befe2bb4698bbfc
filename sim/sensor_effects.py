# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""
What a real lens and sensor do to a perfect picture: pure functions on arrays.

The order is that of light on its way: blur of the lens and of motion, vignetting, exposure, shot
and read noise, saturation, white balance, the sRGB curve, JPEG. All but the last two work on
linear intensity, where light adds up; a rendered picture is taken for sRGB (IEC 61966-2-1).
"""

from dataclasses import dataclass
from functools import lru_cache
import math

import cv2
from ipt_ros.geometry import PinholeCamera
import numpy as np

_CODES = 16384  # entries of the curve back to sRGB: fine enough to give every byte back


@dataclass(frozen=True)
class Sensor:
    """
    State of a lens and sensor while one picture is taken; the default is perfect.

    gain: exposure, 1 as intended. red, blue: white balance gains (green: 1). vignetting: share of
    the cos^4 law. defocus: radius (pixels) of the disc that a point becomes. motion: (du, dv)
    pixels that a point moves while it is exposed. shot, read: standard deviation of the noise at
    full intensity and in the dark, as shares of full intensity. jpeg: quality, None for none.
    """

    gain: float = 1.0
    red: float = 1.0
    blue: float = 1.0
    vignetting: float = 0.0
    defocus: float = 0.0
    motion: tuple[float, float] = (0.0, 0.0)
    shot: float = 0.0
    read: float = 0.0
    jpeg: int | None = None


PERFECT = Sensor()


def expose(
    rgb: np.ndarray, camera: PinholeCamera, sensor: Sensor, rng: np.random.Generator,
) -> np.ndarray:
    """
    Return the uint8 (H, W, 3) picture that this sensor takes of a perfect one.

    camera: of the picture, for the angle of each pixel. rng: of the noise; nothing else is random.
    A perfect sensor returns the picture as it is.
    """
    if sensor == PERFECT:
        return rgb
    if sensor != Sensor(jpeg=sensor.jpeg):
        light = blur(to_linear(rgb), sensor.defocus, sensor.motion)
        if sensor.vignetting:
            light *= falloff(camera, sensor.vignetting)[:, :, None]
        light *= np.float32(sensor.gain)
        if sensor.shot or sensor.read:
            light = add_noise(light, sensor.shot, sensor.read, rng)
        np.clip(light, 0.0, 1.0, out=light)  # the well is full
        light *= np.array([sensor.red, 1.0, sensor.blue], np.float32)
        rgb = to_srgb(light)
    return rgb if sensor.jpeg is None else through_jpeg(rgb, sensor.jpeg)


@lru_cache(maxsize=1)
def _curves() -> tuple[np.ndarray, np.ndarray]:
    """Return the sRGB curve: linear float32 (256,) by byte, byte (_CODES,) by linear."""
    code = np.arange(256) / 255.0
    linear = np.where(code <= 0.04045, code / 12.92, ((code + 0.055) / 1.055) ** 2.4)
    light = np.arange(_CODES) / (_CODES - 1)
    encoded = np.where(
        light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
    return linear.astype(np.float32), np.round(encoded * 255).astype(np.uint8)


def to_linear(rgb: np.ndarray) -> np.ndarray:
    """Return the linear intensities, float32 0 ... 1, of an sRGB picture in bytes."""
    return _curves()[0][rgb]


def to_srgb(light: np.ndarray) -> np.ndarray:
    """Return linear intensities as sRGB bytes; what is outside 0 ... 1 is cut off."""
    codes = np.clip(light, 0.0, 1.0) * np.float32(_CODES - 1) + np.float32(0.5)
    return _curves()[1][codes.astype(np.uint16)]


def blur(
    light: np.ndarray, defocus: float, motion: tuple[float, float] = (0.0, 0.0),
) -> np.ndarray:
    """Blur float32 (H, W, 3) by a disc of radius `defocus` and along `motion`, both pixels."""
    for kernel in (disc_kernel(defocus), line_kernel(*motion)):
        if kernel.size > 1:
            light = cv2.filter2D(light, -1, kernel, borderType=cv2.BORDER_REFLECT_101)
    return light


def disc_kernel(radius: float) -> np.ndarray:
    """Return the odd-sized float32 kernel, of sum 1, of a disc with soft edges."""
    reach = math.ceil(radius)
    v, u = np.mgrid[-reach:reach + 1, -reach:reach + 1]
    # The share of a pixel that the disc covers falls from 1 to 0 across its edge.
    kernel = np.clip(radius + 0.5 - np.hypot(u, v), 0.0, 1.0)
    return (kernel / kernel.sum()).astype(np.float32)


def line_kernel(du: float, dv: float) -> np.ndarray:
    """Return the odd-sized float32 kernel, of sum 1, of an even motion by (du, dv) pixels."""
    reach = math.ceil(max(abs(du), abs(dv)) / 2)
    kernel = np.zeros((2 * reach + 1, 2 * reach + 1))
    for share in np.linspace(-0.5, 0.5, 4 * reach * 2 + 1):
        u, v = reach + share * du, reach + share * dv
        column, row = math.floor(u), math.floor(v)
        for di, wv in ((0, row + 1 - v), (1, v - row)):
            for dj, wu in ((0, column + 1 - u), (1, u - column)):
                if wu * wv > 0:
                    kernel[row + di, column + dj] += wu * wv
    return (kernel / kernel.sum()).astype(np.float32)


@lru_cache(maxsize=64)
def falloff(camera: PinholeCamera, strength: float) -> np.ndarray:
    """
    Return the float32 (H, W) share of light that gets to each pixel.

    A simple lens loses it with the fourth power of the cosine of the angle to its axis; `strength`
    0 ... 1 says how much of that is left after the maker's correction.
    """
    v, u = np.mgrid[:camera.height, :camera.width]
    tan2 = ((u - camera.cx) / camera.fx) ** 2 + ((v - camera.cy) / camera.fy) ** 2
    shares = 1.0 - strength * (1.0 - (1.0 + tan2) ** -2)
    shares = shares.astype(np.float32)
    shares.setflags(write=False)  # it is kept
    return shares


def add_noise(
    light: np.ndarray, shot: float, read: float, rng: np.random.Generator,
) -> np.ndarray:
    """
    Add the noise of photons and of reading out, as Gaussians of variance shot^2 I + read^2.

    light: linear intensity I, 0 and above; the result may be negative.
    """
    deviation = np.sqrt(np.float32(shot**2) * light + np.float32(read**2))
    return light + deviation * rng.standard_normal(light.shape, np.float32)


def through_jpeg(rgb: np.ndarray, quality: int) -> np.ndarray:
    """Return the picture after JPEG of this quality (1 ... 100), colours at half resolution."""
    done, data = cv2.imencode(
        '.jpg', cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, quality])
    if not done:
        raise RuntimeError(f'OpenCV could not write {rgb.shape} as JPEG of quality {quality}')
    return cv2.cvtColor(cv2.imdecode(data, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)
