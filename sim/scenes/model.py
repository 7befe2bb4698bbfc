# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""Scenes as plain data: parts make items, items make a scene."""

from collections.abc import Mapping
from dataclasses import dataclass, field
import math
from typing import Literal

from ipt_ros.geometry import Pose2D
import numpy as np

Shape = Literal['box', 'cylinder', 'sphere']
Axis = Literal['x', 'y', 'z']
Color = tuple[float, float, float]


@dataclass(frozen=True)
class Part:
    """
    One coloured primitive of an item, in the item's frame (x to its front, z up, on the floor).

    center: metres. size: full extents in metres along `item` axes. A 'sphere' fills its box as an
    ellipsoid; a 'cylinder' runs along `axis`. A texture on a box shows once on every face, or, on
    a `facing` box, upright on the face that looks along +x.
    """

    shape: Shape
    center: tuple[float, float, float]
    size: tuple[float, float, float]
    color: Color
    material: str = 'plain'
    axis: Axis = 'z'
    facing: bool = False
    opacity: float = 1.0


@dataclass(frozen=True)
class Item:
    """
    Something with a name that stands in the room or belongs to it.

    pose: where its frame is, z: height of its frame above the floor (m). color: name of the main
    colour. blocks: the robot cannot drive through it. structural: see SceneObject.
    """

    name: str
    parts: tuple[Part, ...]
    pose: Pose2D
    color: str
    z: float = 0.0
    blocks: bool = False
    structural: bool = False

    @property
    def bounds(self) -> tuple[np.ndarray, np.ndarray]:
        """Lower and upper corner (3,) of its bounding box, in its own frame."""
        centers = np.array([part.center for part in self.parts])
        halves = np.array([part.size for part in self.parts]) / 2
        return (centers - halves).min(axis=0), (centers + halves).max(axis=0)

    @property
    def footprint(self) -> np.ndarray:
        """Return the four corners (4, 2) of its bounding box on the floor, metres in the world."""
        low, high = self.bounds
        corners = np.array(
            [[low[0], low[1]], [high[0], low[1]], [high[0], high[1]], [low[0], high[1]]]
        )
        c, s = math.cos(self.pose.yaw), math.sin(self.pose.yaw)
        return corners @ np.array([[c, s], [-s, c]]) + (self.pose.x, self.pose.y)


@dataclass(frozen=True)
class Light:
    """A light without a place: `direction` (world) that it shines along, brightness, colour."""

    direction: tuple[float, float, float]
    brightness: float
    color: Color = (1.0, 1.0, 1.0)


@dataclass(frozen=True)
class Pattern:
    """
    A texture that is painted as it is described; see `ipt_sim.scenes.textures.paint`.

    kind: name of the painter. seed: of what is random in it. contrast: how far below white its
    darkest part is, 0 ... 1. color: of that part.
    """

    kind: str
    seed: int
    contrast: float
    color: Color = (0.0, 0.0, 0.0)


@dataclass(frozen=True)
class Scene:
    """
    A furnished room. The room's centre is the origin of the world.

    size: floor extents along x and y (m). height: of the ceiling (m). start: where the robot
    begins, a free place near the middle. ambient: light that comes from everywhere. patterns: of
    the materials SURFACES and FINISHES of `ipt_sim.scenes.textures` that the scene uses.
    """

    seed: int
    size: tuple[float, float]
    height: float
    start: Pose2D
    items: tuple[Item, ...] = ()
    lights: tuple[Light, ...] = field(default=())
    ambient: Color = (0.6, 0.6, 0.6)
    patterns: Mapping[str, Pattern] = field(default_factory=dict)
