# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""
Procedural textures: uint8 (64, 64, 3) pictures, the same at every run.

Most are light greys that a part's colour tints; the pictures (books, screens, paintings, ...)
carry colours of their own and are used with white parts. Patterns are painted on demand, where a
scene describes some, for materials that stay white otherwise.
"""

from collections.abc import Callable

from ipt_sim.scenes.model import Pattern, Scene
import numpy as np

SIZE = 64
# Materials for the patterns of a scene: 'flat' ones with one repeat a metre for surfaces of the
# room, 'cube' ones that show once on every face for furniture.
SURFACES = tuple(f'surface_{number}' for number in range(4))
FINISHES = tuple(f'finish_{number}' for number in range(6))


def _gray(values: np.ndarray) -> np.ndarray:
    """Turn (64, 64) brightness in 0..1 into a grey picture."""
    return np.repeat((np.clip(values, 0, 1) * 255).astype(np.uint8)[:, :, None], 3, axis=2)


def _filled(color: tuple[int, int, int]) -> np.ndarray:
    return np.full((SIZE, SIZE, 3), color, dtype=np.uint8)


def _wood(rng: np.random.Generator) -> np.ndarray:
    streaks = 0.9 + 0.05 * rng.standard_normal((SIZE, 1))
    return _gray(streaks + 0.02 * rng.standard_normal((SIZE, SIZE)))


def _planks(rng: np.random.Generator) -> np.ndarray:
    values = _wood(rng)[:, :, 0] / 255.0
    for row in range(4):
        top = row * SIZE // 4
        values[top:top + SIZE // 4] *= (0.86, 1.04, 0.93, 1.0)[row]
        values[top] *= 0.7
        seam = (row * 29) % SIZE
        values[top:top + SIZE // 4, seam] *= 0.75
    return _gray(values)


def _tiles(rng: np.random.Generator) -> np.ndarray:
    values = 0.95 + 0.01 * rng.standard_normal((SIZE, SIZE))
    half = SIZE // 2
    values[:half, half:] *= 0.88
    values[half:, :half] *= 0.88
    values[::half] *= 0.8
    values[:, ::half] *= 0.8
    return _gray(values)


def _carpet(rng: np.random.Generator) -> np.ndarray:
    return _gray(0.92 + 0.06 * rng.standard_normal((SIZE, SIZE)))


def _stripes(rng: np.random.Generator) -> np.ndarray:
    columns = np.where(np.arange(SIZE) % 32 < 16, 0.98, 0.9)
    return _gray(np.tile(columns, (SIZE, 1)) + 0.01 * rng.standard_normal((SIZE, SIZE)))


def _plaster(rng: np.random.Generator) -> np.ndarray:
    return _gray(0.96 + 0.015 * rng.standard_normal((SIZE, SIZE)))


def _books(rng: np.random.Generator) -> np.ndarray:
    palette = np.array(
        [[200, 40, 40], [40, 90, 190], [235, 200, 60], [50, 150, 70], [235, 235, 225],
         [150, 60, 150], [230, 130, 40]]
    )
    picture = _filled((45, 25, 12))
    for shelf in range(4):
        top, column = shelf * 16 + 3, 1
        while column < SIZE - 5:
            width, gap = int(rng.integers(4, 7)), int(rng.integers(0, 3))
            color = palette[rng.integers(len(palette))]
            picture[top + gap:top + 12, column:column + width - 1] = color
            column += width
        picture[shelf * 16 + 14:shelf * 16 + 16] = (90, 55, 28)
    return picture


def _screen(rng: np.random.Generator) -> np.ndarray:
    rows = np.linspace(0, 1, SIZE)[:, None, None]
    picture = (1 - rows) * (60, 140, 255) + rows * (160, 225, 255)
    picture = np.repeat(picture, SIZE, axis=1)
    picture[44:] = (40, 170, 80)
    return picture.astype(np.uint8)


def _window(rng: np.random.Generator) -> np.ndarray:
    rows = np.linspace(0, 1, SIZE)[:, None, None]
    picture = np.repeat((1 - rows) * (120, 190, 250) + rows * (235, 245, 255), SIZE, axis=1)
    picture[46:] = (120, 180, 100)
    return picture.astype(np.uint8)


def _painting(rng: np.random.Generator) -> np.ndarray:
    picture = _filled(tuple(int(v) for v in rng.integers(150, 250, 3)))
    yy, xx = np.mgrid[:SIZE, :SIZE]
    for _ in range(5):
        y, x, radius = rng.integers(8, 56), rng.integers(8, 56), rng.integers(7, 18)
        color = rng.integers(20, 240, 3)
        picture[(yy - y) ** 2 + (xx - x) ** 2 < radius**2] = color
    return picture


def _keys(rng: np.random.Generator) -> np.ndarray:
    picture = _filled((245, 245, 240))
    picture[:, ::8] = (120, 120, 120)
    for column in range(8, SIZE, 8):
        if (column // 8) % 7 not in (0, 3):
            picture[:38, column - 2:column + 3] = (10, 10, 10)
    return picture


def _rug(rng: np.random.Generator) -> np.ndarray:
    picture = _filled((240, 225, 190))
    picture[5:-5, 5:-5] = (165, 20, 45)
    picture[14:-14, 14:-14] = (240, 225, 190)
    picture[18:-18, 18:-18] = (165, 20, 45)
    return picture


# name -> (painter, kind, repeats a metre). 'flat' textures lie on the x-y plane of a box, 'cube'
# textures show on every face; 0 repeats a metre: once over the whole face.
_CATALOGUE = {
    'wood': (_wood, 'cube', 0),
    'fabric': (_carpet, 'cube', 0),
    'planks': (_planks, 'flat', 1.0),
    'tiles': (_tiles, 'flat', 1.0),
    'carpet': (_carpet, 'flat', 1.5),
    'stripes': (_stripes, 'flat', 1.2),
    'plaster': (_plaster, 'flat', 1.0),
    'books': (_books, 'flat', 0),
    'screen': (_screen, 'flat', 0),
    'window': (_window, 'flat', 0),
    'painting_a': (_painting, 'flat', 0),
    'painting_b': (_painting, 'flat', 0),
    'painting_c': (_painting, 'flat', 0),
    'keys': (_keys, 'flat', 0),
    'rug': (_rug, 'flat', 0),
}
PAINTINGS = tuple(name for name in _CATALOGUE if name.startswith('painting'))


def all_textures() -> dict[str, tuple[np.ndarray, str, float]]:
    """Return {name: (picture uint8 (64, 64, 3), 'flat' or 'cube', repeats a metre)}."""
    fixed = {
        name: (painter(np.random.default_rng(index)), kind, repeats)
        for index, (name, (painter, kind, repeats)) in enumerate(_CATALOGUE.items())
    }
    white = _filled((255, 255, 255))
    return (fixed | dict.fromkeys(SURFACES, (white, 'flat', 1.0))
            | dict.fromkeys(FINISHES, (white, 'cube', 0)))


def scene_textures(scene: Scene) -> dict[str, tuple[np.ndarray, str, float]]:
    """Return `all_textures` with the patterns of this scene painted in."""
    textures = all_textures()
    for name, pattern in scene.patterns.items():
        textures[name] = (paint(pattern), *textures[name][1:])
    return textures


def paint(pattern: Pattern) -> np.ndarray:
    """
    Return the uint8 (64, 64, 3) picture of a pattern, which can be laid side by side.

    White where the painter says 0, and as dark as `contrast` says, in its colour, where it says 1.
    Raises ValueError for a kind that is not in PATTERNS.
    """
    if pattern.kind not in PATTERNS:
        raise ValueError(f"no pattern '{pattern.kind}'; there are: {', '.join(PATTERNS)}")
    amount = PATTERNS[pattern.kind](np.random.default_rng(pattern.seed))
    dark = pattern.contrast * (1.0 - np.array(pattern.color))
    values = 1.0 - np.clip(amount, 0.0, 1.0)[:, :, None] * dark
    return np.round(values * 255).astype(np.uint8)


def _waves(rng: np.random.Generator) -> np.ndarray:
    """Return the phase (64, 64), in turns, of a plane wave that fits the tile; any direction."""
    while True:
        du, dv = (int(value) for value in rng.integers(-6, 7, 2))
        if du or dv:
            break
    v, u = np.mgrid[:SIZE, :SIZE] / SIZE
    return u * du + v * dv + rng.random()


def _pattern_stripes(rng: np.random.Generator) -> np.ndarray:
    return ((_waves(rng) % 1.0) < rng.uniform(0.15, 0.6)).astype(float)


def _pattern_checks(rng: np.random.Generator) -> np.ndarray:
    cells = int(2 ** rng.integers(1, 4))
    v, u = np.mgrid[:SIZE, :SIZE] * cells // SIZE
    return ((u + v) % 2).astype(float)


def _pattern_bricks(rng: np.random.Generator) -> np.ndarray:
    rows = int(2 ** rng.integers(2, 4))
    height, length, joint = SIZE // rows, 2 * SIZE // rows, int(rng.integers(1, 3))
    v, u = np.mgrid[:SIZE, :SIZE]
    course = v // height
    shifted = (u + course % 2 * length // 2) % SIZE
    shade = rng.uniform(0.0, 0.6, (rows, max(1, SIZE // length)))[course, shifted // length]
    seam = (v % height < joint) | (shifted % length < joint)
    return np.where(seam, 1.0, shade)


def _pattern_dots(rng: np.random.Generator) -> np.ndarray:
    cell = SIZE // int(2 ** rng.integers(2, 4))
    v, u = np.mgrid[:SIZE, :SIZE] % cell - (cell - 1) / 2
    return (np.hypot(u, v) < cell * rng.uniform(0.2, 0.45)).astype(float)


def _pattern_clouds(rng: np.random.Generator) -> np.ndarray:
    field = sum(np.sin(2 * np.pi * _waves(rng)) for _ in range(6))
    return (field - field.min()) / np.ptp(field)


def _pattern_grain(rng: np.random.Generator) -> np.ndarray:
    streaks = rng.random((SIZE, 1)) if rng.random() < 0.5 else rng.random((1, SIZE))
    return 0.7 * streaks + 0.3 * rng.random((SIZE, SIZE))


def _pattern_speckle(rng: np.random.Generator) -> np.ndarray:
    return (rng.random((SIZE, SIZE)) < rng.uniform(0.05, 0.5)).astype(float)


# Painters of patterns: generator -> amount (64, 64), 0 ... 1, that continues over the edges.
PATTERNS: dict[str, Callable[[np.random.Generator], np.ndarray]] = {
    'stripes': _pattern_stripes,
    'checks': _pattern_checks,
    'bricks': _pattern_bricks,
    'dots': _pattern_dots,
    'clouds': _pattern_clouds,
    'grain': _pattern_grain,
    'speckle': _pattern_speckle,
}
