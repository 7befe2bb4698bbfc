# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""
Maps alone, without the views and questions of an example.

To count on a map is learned from many maps, and a map alone takes a fifth of the time of a
counting example.
"""

from collections import Counter
from dataclasses import dataclass

from ipt_ros.spatial import DenseTruth
from ipt_ros.spatial.visibility import sightings
import numpy as np

from .counting import counts_in, from_center, map_square, MVC, rings
from .options import ExampleOptions
from .scene import Scene


@dataclass(frozen=True)
class ThingOnMap:
    """Name and place of an object's middle: across and down, from 0 to 1; its share of the map."""

    name: str
    across: float
    down: float
    area: float


@dataclass(frozen=True)
class LoneMap:
    """A map, uint8 (H, W, 3), its per-pixel truth, and all furniture that shows on it."""

    rgb: np.ndarray
    dense: DenseTruth
    things: tuple[ThingOnMap, ...]


def lone_maps(scene: Scene, rng: np.random.Generator, number: int,
              options: ExampleOptions) -> list[LoneMap]:
    """Return up to ``number`` maps of one scene, around places where examples stand as well."""
    found = []
    for _ in range(number):
        variant = MVC.variants[rng.integers(len(MVC.variants))]
        ring = next(iter(rings(scene, rng, variant, options)), None)
        if ring is None:
            continue
        center, poses = ring
        center, size = map_square(scene, center, poses, variant, options)
        yaw = poses[0].yaw
        picture = scene.look_down(center, yaw, size, options.map_pixels, options.supersample)
        things = []
        for key, seen in sorted(sightings(picture.frame.instance).items()):
            item = scene.objects[key]
            if item.structural:
                continue
            ahead, left = from_center(item, center, yaw)
            things.append(ThingOnMap(
                item.name, 0.5 - left / size, 0.5 - ahead / size, float(seen.area)))
        found.append(LoneMap(picture.rgb, picture.dense, tuple(things)))
    return found


def most_of_a_kind(scene: Scene) -> int:
    """Return how many there are of what a scene has most of."""
    return max(counts_in(scene), default=0)


def middles_and_counts(
    things: tuple[ThingOnMap, ...], options: ExampleOptions,
) -> tuple[list[tuple[str, float, float]], dict[str, int]]:
    """
    Return name and place of all that shows well, and how often a class does, if beyond doubt.

    A class of which one object hardly shows is in doubt.
    """
    clear = [thing for thing in things if thing.area >= options.min_map_area]
    doubtful = {thing.name for thing in things if thing.area < options.min_map_area}
    counts = Counter(thing.name for thing in clear if thing.name not in doubtful)
    return [(thing.name, thing.across, thing.down) for thing in clear], dict(counts)
