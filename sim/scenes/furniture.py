# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""
The furniture catalogue: composed primitives with names and characteristic colours.

Every class has a silhouette and a main colour of its own, from the side and from above, so that a
person (and a small model, at 64 pixels) can tell and count them. Instances of a class differ
mildly in size and shade. Frame of an item: origin on the floor under its middle, x to its front.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from ipt_sim.scenes.model import Axis, Color, Part
import numpy as np

Size = tuple[float, float, float]

BLACK: Color = (0.06, 0.06, 0.07)
DARK: Color = (0.2, 0.2, 0.22)
WHITE: Color = (0.97, 0.97, 0.96)
GRAY: Color = (0.55, 0.56, 0.58)
OAK: Color = (0.62, 0.38, 0.17)
WALNUT: Color = (0.32, 0.17, 0.08)


def box(
    xy: tuple[float, float], bottom: float, size: Size, color: Color, material: str = 'plain',
    facing: bool = False,
) -> Part:
    """Make a box by its middle on the floor, the height of its bottom and its full size (m)."""
    return Part(
        'box', (*xy, bottom + size[2] / 2), size, color, material, facing=facing
    )


def cylinder(
    xy: tuple[float, float], bottom: float, diameter: float, height: float, color: Color,
    material: str = 'plain',
) -> Part:
    """Make an upright cylinder."""
    size = (diameter, diameter, height)
    return Part('cylinder', (*xy, bottom + height / 2), size, color, material)


def disc(
    center: Size, diameter: float, thickness: float, color: Color, axis: Axis = 'x'
) -> Part:
    """Make a flat cylinder along x or y, given its centre."""
    sizes = {'x': (thickness, diameter, diameter), 'y': (diameter, thickness, diameter)}
    return Part('cylinder', center, sizes[axis], color, axis=axis)


def ball(center: Size, size: float | Size, color: Color) -> Part:
    """Make a sphere or an ellipsoid, given its centre and full size."""
    return Part('sphere', center, size if isinstance(size, tuple) else (size,) * 3, color)


def legs(
    length: float, width: float, height: float, thick: float, color: Color, inset: float = 0.0
) -> list[Part]:
    """Make four legs under a length x width top."""
    x, y = (length - thick) / 2 - inset, (width - thick) / 2 - inset
    return [
        box((sx * x, sy * y), 0.0, (thick, thick, height), color)
        for sx in (-1, 1)
        for sy in (-1, 1)
    ]


def _shade(rng: np.random.Generator, color: Color, amount: float = 0.05) -> Color:
    """Vary a colour mildly: common brightness, then each channel a little."""
    values = np.array(color) * rng.uniform(1 - 2 * amount, 1 + amount)
    values = np.clip(values + rng.uniform(-amount / 2, amount / 2, 3), 0.0, 1.0)
    return (float(values[0]), float(values[1]), float(values[2]))


def _chair(main: Color) -> list[Part]:
    return [
        box((0, 0), 0.42, (0.48, 0.48, 0.07), main),
        box((-0.21, 0), 0.49, (0.07, 0.48, 0.48), main),
        *legs(0.48, 0.48, 0.42, 0.06, WALNUT),
    ]


def _table(main: Color) -> list[Part]:
    return [
        box((0, 0), 0.68, (0.85, 1.3, 0.07), main, 'wood'),
        cylinder((0, 0.35), 0.75, 0.3, 0.02, WHITE),
        cylinder((0, -0.35), 0.75, 0.3, 0.02, WHITE),
        *legs(0.85, 1.3, 0.68, 0.09, WALNUT, 0.03),
    ]


def _sofa(main: Color) -> list[Part]:
    light = tuple(min(1.0, v + 0.15) for v in main)
    return [
        box((0, 0), 0.0, (0.85, 1.8, 0.38), main, 'fabric'),
        box((-0.33, 0), 0.38, (0.2, 1.8, 0.45), main, 'fabric'),
        box((0.0, 0.82), 0.38, (0.85, 0.17, 0.22), main),
        box((0.0, -0.82), 0.38, (0.85, 0.17, 0.22), main),
        box((0.1, 0.36), 0.38, (0.62, 0.7, 0.1), light),
        box((0.1, -0.36), 0.38, (0.62, 0.7, 0.1), light),
    ]


def _armchair(main: Color) -> list[Part]:
    light = tuple(min(1.0, v + 0.2) for v in main)
    return [
        box((0, 0), 0.0, (0.78, 0.78, 0.4), main, 'fabric'),
        box((-0.3, 0), 0.4, (0.18, 0.78, 0.5), main, 'fabric'),
        box((0.0, 0.32), 0.4, (0.78, 0.14, 0.2), main),
        box((0.0, -0.32), 0.4, (0.78, 0.14, 0.2), main),
        box((0.09, 0), 0.4, (0.58, 0.48, 0.09), light),
    ]


def _bed(main: Color) -> list[Part]:
    return [
        box((0, 0), 0.0, (2.0, 1.4, 0.3), OAK, 'wood'),
        box((0, 0), 0.3, (1.96, 1.36, 0.2), WHITE),
        box((0.3, 0), 0.34, (1.4, 1.42, 0.2), main, 'fabric'),
        box((-0.72, 0.34), 0.5, (0.36, 0.55, 0.11), WHITE),
        box((-0.72, -0.34), 0.5, (0.36, 0.55, 0.11), WHITE),
        box((-1.0, 0), 0.0, (0.08, 1.5, 0.95), OAK, 'wood'),
    ]


def _lamp(main: Color) -> list[Part]:
    return [
        cylinder((0, 0), 0.0, 0.32, 0.04, BLACK),
        cylinder((0, 0), 0.04, 0.05, 1.2, BLACK),
        cylinder((0, 0), 1.2, 0.46, 0.36, main, 'glow'),
    ]


def _plant(main: Color) -> list[Part]:
    light = tuple(min(1.0, v + 0.12) for v in main)
    return [
        cylinder((0, 0), 0.0, 0.34, 0.32, (0.75, 0.33, 0.16)),
        ball((0, 0, 0.72), (0.4, 0.4, 0.7), main),
        ball((0.12, 0.1, 0.6), (0.34, 0.34, 0.42), light),
        ball((-0.13, 0.07, 0.66), (0.32, 0.32, 0.42), main),
        ball((0.02, -0.14, 0.58), (0.34, 0.34, 0.4), light),
    ]


def _bookshelf(main: Color) -> list[Part]:
    return [
        box((-0.02, 0), 0.0, (0.28, 1.0, 1.75), main, 'wood'),
        box((0.125, 0), 0.08, (0.03, 0.92, 1.6), WHITE, 'books', facing=True),
    ]


def _television(main: Color) -> list[Part]:
    return [
        box((0, 0), 0.0, (0.42, 1.3, 0.42), (0.75, 0.75, 0.78)),
        box((0, 0), 0.42, (0.2, 0.4, 0.08), main),
        box((0, 0), 0.5, (0.07, 1.25, 0.75), main),
        box((0.04, 0), 0.54, (0.015, 1.15, 0.66), WHITE, 'screen', facing=True),
    ]


def _fridge(main: Color) -> list[Part]:
    return [
        box((0, 0), 0.0, (0.66, 0.7, 1.75), main),
        box((0.335, 0), 1.16, (0.01, 0.7, 0.02), DARK),
        box((0.35, 0.27), 0.6, (0.04, 0.05, 0.45), DARK),
        box((0.35, 0.27), 1.25, (0.04, 0.05, 0.3), DARK),
    ]


def _trash_can(main: Color) -> list[Part]:
    return [
        cylinder((0, 0), 0.0, 0.36, 0.55, main),
        cylinder((0, 0), 0.5, 0.4, 0.06, main),
        cylinder((0, 0), 0.545, 0.3, 0.02, BLACK),
    ]


def _ball(main: Color) -> list[Part]:
    return [
        ball((0, 0, 0.2), 0.4, main),
        cylinder((0, 0), 0.17, 0.407, 0.06, WHITE),
    ]


def _box(main: Color) -> list[Part]:
    return [
        box((0, 0), 0.0, (0.5, 0.5, 0.42), main),
        box((0, 0), 0.002, (0.505, 0.09, 0.422), (0.5, 0.33, 0.16)),
    ]


def _stool(main: Color) -> list[Part]:
    return [
        cylinder((0, 0), 0.5, 0.4, 0.09, main),
        *legs(0.34, 0.34, 0.5, 0.05, GRAY),
    ]


def _desk(main: Color) -> list[Part]:
    return [
        box((0, 0), 0.7, (0.65, 1.25, 0.05), main),
        box((0, 0.59), 0.0, (0.62, 0.05, 0.7), main),
        box((0, -0.59), 0.0, (0.62, 0.05, 0.7), main),
        box((-0.12, 0), 0.75, (0.12, 0.2, 0.12), BLACK),
        box((-0.12, 0), 0.85, (0.05, 0.65, 0.4), BLACK),
        box((-0.09, 0), 0.88, (0.015, 0.59, 0.34), (0.3, 0.9, 0.5), 'glow'),
        box((0.15, 0), 0.75, (0.16, 0.45, 0.02), DARK),
    ]


def _dresser(main: Color) -> list[Part]:
    gold = (0.95, 0.8, 0.3)
    fronts = [
        box((0.225, 0), 0.08 + 0.27 * row, (0.02, 0.86, 0.23), tuple(v * 1.25 for v in main))
        for row in range(3)
    ]
    knobs = [
        box((0.245, y), 0.17 + 0.27 * row, (0.03, 0.07, 0.05), gold)
        for row in range(3)
        for y in (-0.24, 0.24)
    ]
    return [box((0, 0), 0.0, (0.44, 0.95, 0.9), main), *fronts, *knobs]


def _washing_machine(main: Color) -> list[Part]:
    return [
        box((0, 0), 0.0, (0.6, 0.6, 0.86), main),
        disc((0.305, 0, 0.42), 0.46, 0.02, GRAY),
        disc((0.315, 0, 0.42), 0.34, 0.02, (0.1, 0.15, 0.3)),
        box((0.302, 0.0), 0.72, (0.01, 0.56, 0.1), (0.2, 0.45, 0.8)),
        box((-0.22, 0.0), 0.862, (0.14, 0.58, 0.02), (0.2, 0.45, 0.8)),
    ]


def _piano(main: Color) -> list[Part]:
    return [
        box((-0.12, 0), 0.0, (0.34, 1.4, 1.15), main),
        box((0.16, 0), 0.58, (0.3, 1.4, 0.12), main),
        box((0.17, 0), 0.69, (0.24, 1.28, 0.03), WHITE, 'keys'),
        box((0.26, 0.65), 0.0, (0.08, 0.08, 0.6), main),
        box((0.26, -0.65), 0.0, (0.08, 0.08, 0.6), main),
    ]


def _stove(main: Color) -> list[Part]:
    red = (1.0, 0.22, 0.08)
    burners = [
        cylinder((x, y), 0.86, 0.2, 0.02, red, 'glow')
        for x in (-0.14, 0.14)
        for y in (-0.15, 0.15)
    ]
    return [
        box((0, 0), 0.0, (0.6, 0.62, 0.86), main),
        box((0.305, 0), 0.2, (0.01, 0.48, 0.32), (1.0, 0.6, 0.15), 'glow'),
        box((0.32, 0), 0.6, (0.04, 0.5, 0.04), WHITE),
        *burners,
    ]


def _teddy_bear(main: Color) -> list[Part]:
    light = tuple(min(1.0, v + 0.2) for v in main)
    return [
        ball((0, 0, 0.24), (0.36, 0.4, 0.46), main),
        ball((0.1, 0, 0.24), (0.2, 0.26, 0.3), light),
        ball((0.02, 0, 0.56), 0.34, main),
        ball((0, 0.15, 0.7), 0.15, main),
        ball((0, -0.15, 0.7), 0.15, main),
        ball((0.17, 0, 0.52), 0.13, light),
        ball((0.2, 0.15, 0.09), (0.24, 0.16, 0.17), main),
        ball((0.2, -0.15, 0.09), (0.24, 0.16, 0.17), main),
    ]


def _suitcase(main: Color) -> list[Part]:
    return [
        box((0, 0), 0.06, (0.3, 0.5, 0.66), main),
        box((0.152, 0.12), 0.06, (0.012, 0.04, 0.66), WHITE),
        box((0.152, -0.12), 0.06, (0.012, 0.04, 0.66), WHITE),
        box((0, 0.12), 0.72, (0.03, 0.03, 0.2), DARK),
        box((0, -0.12), 0.72, (0.03, 0.03, 0.2), DARK),
        box((0, 0), 0.9, (0.04, 0.28, 0.04), DARK),
        box((0, 0), 0.0, (0.24, 0.44, 0.06), BLACK),
    ]


def _aquarium(main: Color) -> list[Part]:
    fish = (1.0, 0.5, 0.05)
    return [
        box((0, 0), 0.0, (0.45, 1.0, 0.6), BLACK),
        box((0, 0), 0.6, (0.43, 0.98, 0.5), main, 'glow'),
        box((0, 0), 1.1, (0.45, 1.0, 0.03), BLACK),
        box((0, 0), 1.12, (0.3, 0.8, 0.02), main, 'glow'),
        ball((0.215, 0.2, 0.9), (0.04, 0.2, 0.12), fish),
        ball((0.215, -0.22, 0.78), (0.04, 0.2, 0.12), fish),
    ]


def _rug(main: Color) -> list[Part]:
    return [box((0, 0), 0.0, (0.9, 1.3, 0.012), WHITE, 'rug')]


def _bathtub(main: Color) -> list[Part]:
    return [
        box((0, 0), 0.0, (0.75, 1.55, 0.55), main),
        Part('sphere', (0, 0, 0.54), (0.6, 1.35, 0.06), (0.45, 0.8, 0.95)),
        box((0, 0.7), 0.55, (0.06, 0.06, 0.2), GRAY),
    ]


def _toilet(main: Color) -> list[Part]:
    return [
        box((-0.24, 0), 0.36, (0.2, 0.44, 0.42), main),
        cylinder((0.0, 0), 0.0, 0.26, 0.34, main),
        ball((0.06, 0, 0.36), (0.56, 0.42, 0.2), main),
        cylinder((0.08, 0), 0.44, 0.36, 0.03, WALNUT),
    ]


def _wardrobe(main: Color) -> list[Part]:
    return [
        box((0, 0), 0.0, (0.55, 1.1, 1.95), main),
        box((0.277, 0), 0.05, (0.01, 0.025, 1.85), WALNUT),
        box((0.29, 0.08), 0.85, (0.03, 0.04, 0.25), WALNUT),
        box((0.29, -0.08), 0.85, (0.03, 0.04, 0.25), WALNUT),
        box((0, 0), 1.95, (0.45, 1.0, 0.02), tuple(0.8 * v for v in main)),
    ]


def _barrel(main: Color) -> list[Part]:
    return [
        cylinder((0, 0), 0.0, 0.5, 0.75, main),
        cylinder((0, 0), 0.1, 0.52, 0.09, BLACK),
        cylinder((0, 0), 0.56, 0.52, 0.09, BLACK),
        cylinder((0, 0), 0.74, 0.4, 0.02, (0.85, 0.65, 0.4)),
    ]


@dataclass(frozen=True)
class FurnitureClass:
    """
    A class of the catalogue.

    place: 'wall' pieces stand with their back to a wall, 'free' ones anywhere. most: how many of
    it one room may have. blocks: whether the robot has to drive around it.
    """

    name: str
    color: str
    main: Color
    shape: Callable[[Color], list[Part]]
    place: Literal['wall', 'free']
    most: int
    blocks: bool = True

    def build(self, rng: np.random.Generator) -> tuple[Part, ...]:
        """Make the parts of one instance, mildly different in size and shade."""
        sx, sy, sz = (float(v) for v in rng.uniform(0.93, 1.07, 3))
        if self.name == 'ball':
            sx = sy = sz
        elif any(part.shape != 'box' for part in self.shape(self.main)):
            sy = sx  # keep what is round round
        parts = []
        for part in self.shape(_shade(rng, self.main)):
            (x, y, z), (dx, dy, dz) = part.center, part.size
            parts.append(Part(
                part.shape, (x * sx, y * sy, z * sz), (dx * sx, dy * sy, dz * sz),
                tuple(min(1.0, float(v)) for v in part.color), part.material, part.axis,
                part.facing,
            ))
        return tuple(parts)


FURNITURE: dict[str, FurnitureClass] = {
    entry.name: entry
    for entry in (
        FurnitureClass('chair', 'orange', (1.0, 0.48, 0.05), _chair, 'free', 5),
        FurnitureClass('table', 'brown', OAK, _table, 'free', 2),
        FurnitureClass('sofa', 'blue', (0.1, 0.22, 0.75), _sofa, 'wall', 2),
        FurnitureClass('armchair', 'purple', (0.45, 0.12, 0.62), _armchair, 'free', 4),
        FurnitureClass('bed', 'pink', (1.0, 0.5, 0.65), _bed, 'wall', 2),
        FurnitureClass('lamp', 'yellow', (1.0, 0.88, 0.15), _lamp, 'free', 5),
        FurnitureClass('plant', 'green', (0.08, 0.45, 0.1), _plant, 'free', 5),
        FurnitureClass('bookshelf', 'dark brown', (0.36, 0.19, 0.08), _bookshelf, 'wall', 3),
        FurnitureClass('television', 'black', BLACK, _television, 'wall', 2),
        FurnitureClass('fridge', 'silver', (0.72, 0.78, 0.84), _fridge, 'wall', 2),
        FurnitureClass('trash can', 'lime', (0.55, 0.9, 0.05), _trash_can, 'free', 5),
        FurnitureClass('ball', 'red', (0.92, 0.05, 0.05), _ball, 'free', 5),
        FurnitureClass('box', 'tan', (0.82, 0.62, 0.38), _box, 'free', 5),
        FurnitureClass('stool', 'cyan', (0.1, 0.85, 0.92), _stool, 'free', 5),
        FurnitureClass('desk', 'white', WHITE, _desk, 'wall', 2),
        FurnitureClass('dresser', 'teal', (0.04, 0.42, 0.4), _dresser, 'wall', 3),
        FurnitureClass('washing machine', 'white', WHITE, _washing_machine, 'wall', 3),
        FurnitureClass('piano', 'black', BLACK, _piano, 'wall', 1),
        FurnitureClass('stove', 'gray', (0.3, 0.3, 0.33), _stove, 'wall', 2),
        FurnitureClass('teddy bear', 'brown', (0.58, 0.33, 0.1), _teddy_bear, 'free', 5),
        FurnitureClass('suitcase', 'magenta', (0.9, 0.08, 0.6), _suitcase, 'free', 5),
        FurnitureClass('aquarium', 'blue', (0.0, 0.35, 0.9), _aquarium, 'wall', 2),
        FurnitureClass('rug', 'dark red', WHITE, _rug, 'free', 3, blocks=False),
        FurnitureClass('bathtub', 'white', WHITE, _bathtub, 'wall', 1),
        FurnitureClass('toilet', 'white', WHITE, _toilet, 'wall', 2),
        FurnitureClass('wardrobe', 'cream', (0.95, 0.85, 0.6), _wardrobe, 'wall', 2),
        FurnitureClass('barrel', 'dark red', (0.5, 0.1, 0.1), _barrel, 'free', 4),
    )
}
