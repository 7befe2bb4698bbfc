# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""
Generate a furnished room from a seed.

Places are found on a 5 cm occupancy grid: a box filter over what is taken tells at once everywhere
a footprint fits, so one furnished room costs about a millisecond and no placement loops for long.
"""

from dataclasses import replace
import math

import cv2
from ipt_ros.geometry import Pose2D
from ipt_sim.scenes.furniture import box, Color, FURNITURE, FurnitureClass, WHITE
from ipt_sim.scenes.model import Item, Light, Part, Scene
from ipt_sim.scenes.textures import PAINTINGS
from ipt_sim.seeds import checked_seed
import numpy as np

CELL = 0.05
WALL_THICKNESS = 0.1
FREE_RADIUS = 0.75  # kept clear around the robot's start, m
GAP = 0.08  # between two items, m
DOOR_CLEARANCE = 0.8  # kept clear in front of a door, m
FURNITURE_ITEMS = (8, 14)  # fewest and most
WALL_PIECES = (2, 5)  # of these, along the walls

_FLOORS: tuple[tuple[str, Color], ...] = (
    ('planks', (0.66, 0.54, 0.41)),
    ('planks', (0.49, 0.41, 0.34)),
    ('planks', (0.71, 0.64, 0.54)),
    ('tiles', (0.66, 0.66, 0.66)),
    ('tiles', (0.59, 0.54, 0.49)),
    ('tiles', (0.51, 0.56, 0.59)),
    ('carpet', (0.54, 0.54, 0.54)),
    ('carpet', (0.51, 0.49, 0.57)),
    ('carpet', (0.49, 0.54, 0.48)),
)
_WALLS: tuple[Color, ...] = (
    (0.93, 0.91, 0.86), (0.86, 0.9, 0.93), (0.93, 0.86, 0.82), (0.86, 0.92, 0.86),
    (0.92, 0.9, 0.76), (0.88, 0.86, 0.93),
)


class _Places:
    """What is still free on the floor, and where a footprint would fit."""

    def __init__(self, size: tuple[float, float]):
        self._low = (-size[0] / 2, -size[1] / 2)
        shape = (round(size[1] / CELL), round(size[0] / CELL))
        # A border of taken cells keeps footprints inside the walls.
        self._taken = np.ones((shape[0] + 2, shape[1] + 2), np.uint8)
        self._taken[1:-1, 1:-1] = 0

    def take(self, corners: np.ndarray) -> None:
        """Mark a convex polygon (N, 2), metres, as taken, borders included."""
        cells = (corners - self._low) / CELL + 0.5  # cell centres are integers, border included
        cv2.fillConvexPoly(self._taken, np.round(cells).astype(np.int32), 1)

    def take_disc(self, x: float, y: float, radius: float) -> None:
        """Mark a disc as taken."""
        column, row = ((x - self._low[0]) / CELL + 0.5, (y - self._low[1]) / CELL + 0.5)
        cv2.circle(self._taken, (round(column), round(row)), math.ceil(radius / CELL), 1, -1)

    def fits(self, extents: tuple[float, float]) -> np.ndarray:
        """Return (N, 2) centres, metres, at which an upright rectangle of this size is free."""
        kernel = [2 * math.ceil((extent / 2 + GAP) / CELL) + 1 for extent in extents]
        blocked = cv2.dilate(self._taken, np.ones((kernel[1], kernel[0]), np.uint8))
        rows, columns = np.nonzero(blocked == 0)
        return np.column_stack([columns - 0.5, rows - 0.5]) * CELL + self._low


def _footprint_extents(item: Item, yaw: float) -> tuple[float, float]:
    low, high = item.bounds
    reach_x = 2 * max(-low[0], high[0])
    reach_y = 2 * max(-low[1], high[1])
    c, s = abs(math.cos(yaw)), abs(math.sin(yaw))
    return reach_x * c + reach_y * s, reach_x * s + reach_y * c


def _how_many(entry: FurnitureClass, rng: np.random.Generator) -> int:
    """Draw how many of a class stand in the room: one is common, several are too."""
    return min(int(rng.choice(5, p=(0.3, 0.25, 0.2, 0.15, 0.1))) + 1, entry.most)


def _against_wall(
    item: Item, places: _Places, size: tuple[float, float], rng: np.random.Generator
) -> Pose2D | None:
    for side in rng.permutation(4):
        yaw = (0.0, math.pi / 2, math.pi, -math.pi / 2)[side]  # looking into the room
        extents = _footprint_extents(item, yaw)
        spots = places.fits(extents)
        axis = int(side % 2)
        inward = 1.0 if side < 2 else -1.0
        # Distance of the wall behind from the centre of every free spot.
        behind = size[axis] / 2 + inward * spots[:, axis]
        near = spots[behind < extents[axis] / 2 + GAP + 2.5 * CELL]
        if len(near):
            x, y = near[rng.integers(len(near))]
            flush = -inward * (size[axis] / 2 - extents[axis] / 2 - 0.02)
            place = (flush, float(y)) if axis == 0 else (float(x), flush)
            return Pose2D(float(place[0]), float(place[1]), yaw)
    return None


def _anywhere(
    item: Item, places: _Places, size: tuple[float, float], rng: np.random.Generator
) -> Pose2D | None:
    del size  # the free places know it already; _against_wall has the same signature
    # Where space is short an item fits only along the walls: that is what the last try is for.
    for yaw in (*rng.uniform(-math.pi, math.pi, 3), math.pi / 2 * int(rng.integers(4))):
        spots = places.fits(_footprint_extents(item, float(yaw)))
        if len(spots):
            x, y = spots[rng.integers(len(spots))]
            return Pose2D(float(x), float(y), float(yaw))
    return None


def _furnish(
    size: tuple[float, float], start: Pose2D, doors: list[Item], rng: np.random.Generator
) -> list[Item]:
    places = _Places(size)
    for door in doors:
        c, s = math.cos(door.pose.yaw), math.sin(door.pose.yaw)
        x = door.pose.x + c * DOOR_CLEARANCE / 2
        y = door.pose.y + s * DOOR_CLEARANCE / 2
        half = (abs(c) * DOOR_CLEARANCE / 2 + abs(s) * 0.45,
                abs(s) * DOOR_CLEARANCE / 2 + abs(c) * 0.45)
        places.take(np.array([[x + i * half[0], y + j * half[1]]
                              for i, j in ((-1, -1), (1, -1), (1, 1), (-1, 1))]))
    places.take_disc(start.x, start.y, FREE_RADIUS)
    target = int(rng.integers(FURNITURE_ITEMS[0], FURNITURE_ITEMS[1] + 1))
    # Wall pieces first: they are the large ones, and they have the fewest places to go.
    wall_target = int(rng.integers(WALL_PIECES[0], WALL_PIECES[1] + 1))
    items: list[Item] = []
    for place, find, limit in (('wall', _against_wall, wall_target), ('free', _anywhere, target)):
        classes = [entry for entry in FURNITURE.values() if entry.place == place]
        for index in rng.permutation(len(classes)):
            entry = classes[index]
            for _ in range(min(_how_many(entry, rng), limit - len(items))):
                draft = Item(entry.name, entry.build(rng), Pose2D(0.0, 0.0), entry.color,
                             blocks=entry.blocks)
                pose = find(draft, places, size, rng)
                if pose is None:
                    break
                item = replace(draft, pose=pose)
                places.take(item.footprint)
                items.append(item)
    return items


def _walls(
    size: tuple[float, float], height: float, color: Color, material: str, trim: Color
) -> list[Item]:
    walls = []
    for yaw, axis in ((0.0, 0), (math.pi / 2, 1), (math.pi, 0), (-math.pi / 2, 1)):
        reach = size[axis] / 2 + WALL_THICKNESS / 2
        length = size[1 - axis] + (2 * WALL_THICKNESS if axis == 0 else 0.0)
        pose = Pose2D(-math.cos(yaw) * reach, -math.sin(yaw) * reach, yaw)
        face = WALL_THICKNESS / 2
        walls.append(Item('wall', (
            box((0, 0), 0.0, (WALL_THICKNESS, length, height), color, material, facing=True),
            box((face + 0.005, 0), 0.0, (0.01, length, 0.1), trim),
        ), pose, 'white', structural=True))
    return walls


def _fixture(name: str, pose: Pose2D, rng: np.random.Generator) -> Item:
    if name == 'door':
        leaf = ((0.45, 0.24, 0.12), (0.25, 0.35, 0.5), (0.9, 0.9, 0.88))[rng.integers(3)]
        parts: tuple[Part, ...] = (
            box((0.01, 0), 0.0, (0.02, 0.98, 2.08), (0.3, 0.2, 0.15)),
            box((0.02, 0), 0.0, (0.03, 0.86, 2.02), leaf, 'wood'),
            box((0.06, 0.34), 1.0, (0.06, 0.12, 0.05), (0.9, 0.75, 0.3)),
        )
        return Item('door', parts, pose, 'brown', structural=True)
    if name == 'window':
        parts = (
            box((0.01, 0), 0.9, (0.02, 1.2, 1.1), WHITE),
            box((0.022, 0), 0.97, (0.01, 1.06, 0.96), WHITE, 'window', facing=True),
            box((0.03, 0), 0.97, (0.02, 0.05, 0.96), WHITE),
        )
        return Item('window', parts, pose, 'light blue', structural=True)
    picture = PAINTINGS[rng.integers(len(PAINTINGS))]
    parts = (
        box((0.01, 0), 1.2, (0.02, 0.9, 0.7), (0.55, 0.4, 0.12)),
        box((0.022, 0), 1.25, (0.01, 0.8, 0.6), WHITE, picture, facing=True),
    )
    return Item('painting', parts, pose, 'golden', structural=True)


def _fixtures(size: tuple[float, float], rng: np.random.Generator) -> list[Item]:
    """Hang a door, and perhaps windows and paintings, at most two things on a wall."""
    names = ['door'] + [
        str(name) for name in rng.choice(('window', 'painting', 'door'), int(rng.integers(1, 5)),
                                         p=(0.45, 0.45, 0.1))
    ]
    slots = [(wall, half) for wall in range(4) for half in (-1, 1)]
    fixtures = []
    for name, slot in zip(names, rng.permutation(len(slots))):
        wall, half = slots[slot]
        yaw, axis = (0.0, math.pi / 2, math.pi, -math.pi / 2)[wall], wall % 2
        along = half * size[1 - axis] / 4 + float(rng.uniform(-0.15, 0.15))
        back = -(size[axis] / 2) * (1.0 if wall < 2 else -1.0)
        x, y = (back, along) if axis == 0 else (along, back)
        fixtures.append(_fixture(name, Pose2D(x, y, yaw), rng))
    return fixtures


def generate_scene(seed: int) -> Scene:
    """
    Generate the furnished room of this seed; the same seed always gives the same room.

    Rooms measure 4 to 5.5 m a side and hold 8 to 14 pieces where they fit. Raises ValueError for
    anything but a whole number from 0 on.
    """
    seed = checked_seed(seed)
    rng = np.random.default_rng(seed)
    size = tuple(round(float(side) / CELL) * CELL for side in rng.uniform(4.0, 5.5, 2))
    height = float(rng.uniform(2.4, 2.7))
    start = Pose2D(*(float(v) for v in rng.uniform(-0.25, 0.25, 2)),
                   float(rng.uniform(-math.pi, math.pi)))

    floor_material, floor_color = _FLOORS[rng.integers(len(_FLOORS))]
    wall_color = _WALLS[rng.integers(len(_WALLS))]
    wall_material = ('plaster', 'stripes')[rng.integers(2)]
    floor = Item('floor', (
        box((0, 0), -0.1, (*size, 0.1), floor_color, floor_material),
    ), Pose2D(0.0, 0.0), 'brown', structural=True)
    ceiling = Item('ceiling', (
        box((0, 0), 0.0, (size[0] + 0.2, size[1] + 0.2, 0.1), WHITE),
    ), Pose2D(0.0, 0.0), 'white', z=height, structural=True)
    walls = _walls(size, height, wall_color, wall_material, tuple(0.7 * v for v in floor_color))

    fixtures = _fixtures(size, rng)
    doors = [fixture for fixture in fixtures if fixture.name == 'door']
    furniture = _furnish(size, start, doors, rng)
    azimuth = float(rng.uniform(-math.pi, math.pi))
    strength = float(rng.uniform(0.9, 1.05))
    lights = tuple(
        Light((math.cos(azimuth + turn), math.sin(azimuth + turn), -tilt), strength * share)
        for turn, tilt, share in ((0.0, 1.3, 0.4), (2.2, 0.7, 0.22))
    )
    items = (floor, ceiling, *walls, *fixtures, *furniture)
    return Scene(seed, size, height, start, items, lights)
