# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""
What domain randomisation may vary and how far: plain ranges, read from one YAML file.

`config/randomization.yaml` explains every section. Each quantity is a range that values are drawn
from evenly, written [low, high], or a single number. A section that is left out is off, and a
quantity that is left out of a section has no effect. How the values are drawn, and from which part
of the seed: `ipt_sim.randomized`.
"""

from dataclasses import dataclass, field, fields, replace
import math
from pathlib import Path
from typing import Any

from ipt_ros.yaml_files import read_yaml, YamlError
import numpy as np

MAX_SEED = 2**31 - 1


class RandomizationError(ValueError):
    """A file that cannot be used; the message names file, section, field and what is allowed."""


@dataclass(frozen=True)
class Range:
    """An interval that values are drawn from evenly."""

    low: float
    high: float

    def draw(self, rng: np.random.Generator) -> float:
        """Draw a value. One number is used up in any case, so that others do not shift."""
        return self.low + (self.high - self.low) * float(rng.random())


def _quantity(neutral: float, low: float, high: float, what: str) -> Any:
    """Return a field that holds a Range within low ... high; `neutral` has no effect."""
    return field(default=Range(neutral, neutral), metadata={
        'low': low, 'high': high, 'what': what})


def _number(neutral: float, low: float, high: float, what: str) -> Any:
    """Return a field that holds one number."""
    return field(default=neutral, metadata={'low': low, 'high': high, 'what': what})


@dataclass(frozen=True)
class Light:
    """The lamps of the room; drawn once a scene."""

    brightness: Range = _quantity(1.0, 0.0, 4.0, 'factor on each lamp')
    ambient: Range = _quantity(1.0, 0.0, 2.0, 'factor on the light from everywhere')
    turn: Range = _quantity(0.0, -math.pi, math.pi, 'rad about the vertical, each lamp')
    tilt: Range = _quantity(0.0, -1.0, 1.0, 'rad towards the horizontal, each lamp')
    warmth: Range = _quantity(0.0, -2.0, 2.0, 'stops of red over blue')


@dataclass(frozen=True)
class Textures:
    """Surfaces of the room and its furniture; drawn once a scene."""

    surfaces: float = _number(0.0, 0.0, 1.0, 'share of floors, walls and ceilings with a pattern')
    furniture: float = _number(0.0, 0.0, 1.0, 'share of furniture with a pattern')
    contrast: Range = _quantity(0.3, 0.0, 1.0, 'darkest part of a pattern, below white')
    tint: Range = _quantity(1.0, 0.2, 1.5, 'factor on each colour channel of a surface')
    hue: Range = _quantity(0.0, -180.0, 180.0, 'degrees on the colour wheel, furniture')
    saturation: Range = _quantity(1.0, 0.0, 2.0, 'factor, furniture')
    brightness: Range = _quantity(1.0, 0.2, 1.5, 'factor, furniture')


@dataclass(frozen=True)
class Camera:
    """How each camera is built and mounted, against its specification; once a scene."""

    x: Range = _quantity(0.0, -0.1, 0.1, 'm forward')
    y: Range = _quantity(0.0, -0.1, 0.1, 'm to the left')
    z: Range = _quantity(0.0, -0.3, 0.3, 'm up')
    roll: Range = _quantity(0.0, -0.5, 0.5, 'rad about the viewing direction')
    pitch: Range = _quantity(0.0, -0.5, 0.5, 'rad downwards')
    yaw: Range = _quantity(0.0, -0.5, 0.5, 'rad to the left')
    focal: Range = _quantity(1.0, 0.5, 2.0, 'factor on the focal length')
    center_u: Range = _quantity(0.0, -0.2, 0.2, 'shift of the optical axis, share of the width')
    center_v: Range = _quantity(0.0, -0.2, 0.2, 'shift of the optical axis, share of the height')


@dataclass(frozen=True)
class Exposure:
    """How well the exposure control does; each picture."""

    stops: Range = _quantity(0.0, -4.0, 4.0, 'stops of too much light')


@dataclass(frozen=True)
class WhiteBalance:
    """Gains of the camera's colours; once a scene."""

    red: Range = _quantity(0.0, -2.0, 2.0, 'stops over green')
    blue: Range = _quantity(0.0, -2.0, 2.0, 'stops over green')


@dataclass(frozen=True)
class Vignetting:
    """Darkening towards the corners; once a scene."""

    strength: Range = _quantity(0.0, 0.0, 1.0, 'share of the cos^4 law of a simple lens')


@dataclass(frozen=True)
class Defocus:
    """A lens that is out of focus; each picture."""

    probability: float = _number(1.0, 0.0, 1.0, 'share of pictures')
    radius: Range = _quantity(0.0, 0.0, 0.1, 'rad, of the disc that a point becomes')


@dataclass(frozen=True)
class MotionBlur:
    """A camera that moves while it exposes; each picture."""

    probability: float = _number(1.0, 0.0, 1.0, 'share of pictures')
    sweep: Range = _quantity(0.0, 0.0, 0.2, 'rad that the camera turns meanwhile')


@dataclass(frozen=True)
class Noise:
    """Of the sensor, in linear intensity (1: full well); levels once a scene, values anew."""

    shot: Range = _quantity(0.0, 0.0, 0.5, 'deviation at intensity 1, grows with its root')
    read: Range = _quantity(0.0, 0.0, 0.2, 'deviation in the dark')


@dataclass(frozen=True)
class Jpeg:
    """Lossy compression; quality once a scene."""

    quality: Range = _quantity(100.0, 5.0, 100.0, 'JPEG quality; 100: not compressed')


@dataclass(frozen=True)
class Drops:
    """Pictures that get lost between camera and computer."""

    probability: float = _number(0.0, 0.0, 0.95, 'share of pictures')
    burst: float = _number(0.0, 0.0, 10.0, 's: pictures of such a slice of time share their fate')


@dataclass(frozen=True)
class Randomization:
    """
    Everything that varies, and the one seed that it all comes from.

    Sections that are None are off. The default varies nothing at all.
    """

    seed: int = 0
    light: Light | None = None
    textures: Textures | None = None
    camera: Camera | None = None
    exposure: Exposure | None = None
    white_balance: WhiteBalance | None = None
    vignetting: Vignetting | None = None
    defocus: Defocus | None = None
    motion_blur: MotionBlur | None = None
    noise: Noise | None = None
    jpeg: Jpeg | None = None
    drops: Drops | None = None


_SECTIONS = {
    'light': Light, 'textures': Textures, 'camera': Camera, 'exposure': Exposure,
    'white_balance': WhiteBalance, 'vignetting': Vignetting, 'defocus': Defocus,
    'motion_blur': MotionBlur, 'noise': Noise, 'jpeg': Jpeg, 'drops': Drops,
}


def load_randomization(path: str | Path, seed: int | None = None) -> Randomization:
    """
    Read a randomisation file; `seed`, if given, replaces the file's.

    Raises RandomizationError: no file, no YAML, an unknown section or field, a value of the wrong
    kind or outside its range.
    """
    path = Path(path)
    try:
        values = read_yaml(path)
    except OSError as error:
        raise RandomizationError(f'{path}: cannot be read: {error}') from error
    except YamlError as error:
        raise RandomizationError(f'{path}: {error}') from error
    try:
        result = randomization_from(values)
        return result if seed is None else replace(result, seed=_seed(seed))
    except RandomizationError as error:
        raise RandomizationError(f'{path}: {error}') from None


def randomization_from(values: Any) -> Randomization:
    """Return the randomisation that a mapping describes, as in the file; see the loader."""
    values = _mapping(values, 'the file')
    _known(values, ('seed', *_SECTIONS), 'the file')
    sections = {
        name: _section(kind, values[name], name)
        for name, kind in _SECTIONS.items() if values.get(name) is not None}
    return Randomization(seed=_seed(values.get('seed', 0)), **sections)


def _section(kind: type, values: Any, name: str) -> Any:
    values = _mapping(values, f"section '{name}'")
    table = {item.name: item for item in fields(kind)}
    _known(values, table, f"section '{name}'")
    return kind(**{
        key: _value(value, table[key], f'{name}.{key}') for key, value in values.items()})


def _value(value: Any, item: Any, where: str) -> Range | float:
    low, high = item.metadata['low'], item.metadata['high']
    is_range = isinstance(item.default, Range)
    numbers = value if is_range and isinstance(value, list) else [value]
    expected = f"{item.metadata['what']}, {low:g} ... {high:g}"
    if len(numbers) > 2 or not numbers or not all(map(_is_number, numbers)):
        form = 'a number or [low, high]' if is_range else 'a number'
        raise RandomizationError(f'{where}: expected {form} ({expected}), got {value!r}')
    first, last = float(numbers[0]), float(numbers[-1])
    if not (low <= first <= high and low <= last <= high):
        raise RandomizationError(f'{where}: {value!r} is out of range ({expected})')
    if first > last:
        raise RandomizationError(f'{where}: {value!r} runs backwards; write [low, high]')
    return Range(first, last) if is_range else first


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _seed(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= MAX_SEED:
        raise RandomizationError(f'seed: expected a whole number, 0 ... {MAX_SEED}, got {value!r}')
    return value


def _mapping(values: Any, where: str) -> dict:
    if not isinstance(values, dict):
        raise RandomizationError(
            f'{where}: expected names and values, got {type(values).__name__} {values!r}')
    return values


def _known(values: dict, names: Any, where: str) -> None:
    unknown = [str(key) for key in values if key not in names]
    if unknown:
        raise RandomizationError(
            f"{where}: unknown {', '.join(unknown)}; there are: {', '.join(names)}")
