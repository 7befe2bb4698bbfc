# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""Other looks for a generated room: lights, colours, patterns. Nothing moves or changes size."""

from collections.abc import Callable
from dataclasses import replace
import math

import cv2
from ipt_sim.randomization import Light as LightRanges
from ipt_sim.randomization import Textures as TextureRanges
from ipt_sim.scenes.model import Color, Item, Light, Part, Pattern, Scene
from ipt_sim.scenes.textures import FINISHES, PATTERNS, SURFACES
import numpy as np

_SURFACE_ITEMS = ('floor', 'wall', 'ceiling')
_KINDS = tuple(PATTERNS)


def relight(scene: Scene, ranges: LightRanges, rng: np.random.Generator) -> Scene:
    """Return the scene with other lamps: brightness, direction, colour."""
    warmth = ranges.warmth.draw(rng)
    color = (2.0 ** (warmth / 2), 1.0, 2.0 ** (-warmth / 2))
    ambient = ranges.ambient.draw(rng)
    lights = tuple(
        Light(_turned(light.direction, ranges.turn.draw(rng), ranges.tilt.draw(rng)),
              light.brightness * ranges.brightness.draw(rng), _times(light.color, color))
        for light in scene.lights)
    return replace(
        scene, lights=lights, ambient=_times(_times(scene.ambient, color), (ambient,) * 3))


def retexture(scene: Scene, ranges: TextureRanges, rng: np.random.Generator) -> Scene:
    """
    Return the scene with other patterns and tints of its surfaces, and others of its furniture.

    The furniture's own pictures (books, screens, keys) and what glows keep their material: classes
    are told apart by them.
    """
    patterns = {
        name: Pattern(_KINDS[rng.integers(len(_KINDS))], int(rng.integers(2**31)),
                      ranges.contrast.draw(rng), tuple(float(v) for v in rng.uniform(0.0, 0.6, 3)))
        for name in (*SURFACES, *FINISHES)}
    # All walls of a room are papered alike.
    looks = {name: _surface_look(ranges, rng) for name in _SURFACE_ITEMS}
    recolor = _furniture_look(ranges, rng)
    items = []
    for item in scene.items:
        if item.name in looks:
            items.append(_surface(item, *looks[item.name]))
        elif item.structural:
            items.append(item)
        else:
            material = FINISHES[rng.integers(len(FINISHES))]
            has_pattern = rng.random() < ranges.furniture
            items.append(_furniture(item, recolor, material if has_pattern else None))
    used = {part.material for item in items for part in item.parts}
    return replace(
        scene, items=tuple(items),
        patterns={name: patterns[name] for name in patterns if name in used})


def _surface_look(
    ranges: TextureRanges, rng: np.random.Generator,
) -> tuple[Color, str | None]:
    tint = tuple(ranges.tint.draw(rng) for _ in range(3))
    material = SURFACES[rng.integers(len(SURFACES))]
    return tint, material if rng.random() < ranges.surfaces else None


def _surface(item: Item, tint: Color, material: str | None) -> Item:
    first, *rest = item.parts  # what follows are trims
    return replace(item, parts=(
        replace(first, color=tuple(min(1.0, value) for value in _times(first.color, tint)),
                material=material or first.material),
        *rest))


def _furniture_look(ranges: TextureRanges, rng: np.random.Generator) -> Callable[[Color], Color]:
    """Return a change of colour, the same for all furniture: how this maker paints."""
    hue, saturation, brightness = (
        span.draw(rng) for span in (ranges.hue, ranges.saturation, ranges.brightness))

    def recolor(color: Color) -> Color:
        pixel = np.array([[color]], np.float32)
        h, s, v = cv2.cvtColor(pixel, cv2.COLOR_RGB2HSV)[0, 0]  # degrees, 0 ... 1, 0 ... 1
        changed = np.array(
            [[((h + hue) % 360.0, min(s * saturation, 1.0), min(v * brightness, 1.0))]],
            np.float32)
        return tuple(float(value) for value in cv2.cvtColor(changed, cv2.COLOR_HSV2RGB)[0, 0])

    if (hue, saturation, brightness) == (0.0, 1.0, 1.0):
        return lambda color: color  # exactly, not after a way through HSV
    return recolor


def _furniture(item: Item, recolor: Callable[[Color], Color], material: str | None) -> Item:
    def changed(part: Part) -> Part:
        plain = part.material in ('plain', 'wood', 'fabric')
        return replace(part, color=recolor(part.color),
                       material=material if material and plain else part.material)

    return replace(item, parts=tuple(map(changed, item.parts)))


def _turned(direction: tuple[float, float, float], turn: float, tilt: float):
    """Turn a downward direction about the vertical and tilt it, but never up to the horizon."""
    x, y, z = direction
    azimuth = math.atan2(y, x) + turn
    elevation = min(max(math.atan2(-z, math.hypot(x, y)) - tilt, 0.1), math.pi / 2)
    length = math.sqrt(x * x + y * y + z * z)
    flat = length * math.cos(elevation)
    return (flat * math.cos(azimuth), flat * math.sin(azimuth), -length * math.sin(elevation))


def _times(one: Color, other: Color) -> Color:
    return tuple(float(a * b) for a, b in zip(one, other))
