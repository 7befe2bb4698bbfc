# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""Objects with names, from the annotations of a Habitat scene."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
import math
import re
from typing import Any

from ipt_ros.geometry import matrix_from_quaternion
from ipt_sim.habitat_frames import to_world, WORLD_FROM_HABITAT
from ipt_sim.protocol import SceneObject
import numpy as np

UNKNOWN_COLOR = 'unknown'  # scans do not say what colour a thing has
_NAMELESS = frozenset(
    {'', 'unknown', 'unlabeled', 'void', 'misc', 'object', 'remove', 'undefined'})
# What belongs to a building rather than to its furniture, in the words of HM3D, MP3D and Replica.
_STRUCTURE = frozenset({
    'banister', 'beam', 'ceiling', 'column', 'door', 'door frame', 'doorframe', 'doorway', 'floor',
    'picture', 'painting', 'railing', 'roof', 'stair', 'stairs', 'wall', 'window', 'window frame'})
_MIN_SIDE = 1e-3  # m, of the longest: floors and pictures are flat, a box without triangles is 0


@dataclass(frozen=True)
class Annotation:
    """
    One annotated object, in Habitat's world.

    label: the number in semantic pictures. center, sizes: of its box (m). rotation: quaternion
    (x, y, z, w) that takes the axes of the box to Habitat's.
    """

    label: int
    category: str
    center: tuple[float, float, float]
    sizes: tuple[float, float, float]
    rotation: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 1.0)


def read_annotations(simulator: Any) -> list[Annotation]:
    """
    Return what a running habitat_sim.Simulator says about its scene.

    Objects that the scene is composed of (ReplicaCAD) get numbers of their own, above those of
    the stage, since such data sets number classes and not things.
    """
    found = []
    scene = simulator.semantic_scene
    for thing in scene.objects if scene is not None else ():
        if thing is None or thing.category is None:
            continue
        box = thing.obb  # `aabb` is wrong for boxes off the origin: it always holds the origin
        found.append(Annotation(
            int(thing.semantic_id), thing.category.name(), _numbers(box.center),
            _numbers(box.sizes), _numbers(box.rotation)))
    label = max((item.label for item in found), default=0)
    bodies = simulator.get_rigid_object_manager().get_objects_by_handle_substring('')
    for handle in sorted(bodies):
        body = bodies[handle]
        label += 1
        body.semantic_id = label
        box = body.root_scene_node.cumulative_bb  # in the body's own axes
        turn = (*_numbers(body.rotation.vector), float(body.rotation.scalar))
        middle = np.array(body.translation) + matrix_from_quaternion(turn) @ np.array(box.center())
        found.append(Annotation(
            label, category_of_handle(handle), _numbers(middle), _numbers(box.size()), turn))
    return found


def category_of_handle(handle: str) -> str:
    """
    Return what a person would call the object with this handle.

    >>> category_of_handle('frl_apartment_wall_cabinet_01_:0003')
    'wall cabinet'
    """
    name = re.split(r'[:.]', handle.rsplit('/', 1)[-1], maxsplit=1)[0]
    name = re.sub(r'^(frl_apartment|fremont|replica_cad|replica)_', '', name)
    words = [word for word in name.split('_') if word and not word.isdigit()]
    return ' '.join(words) or 'object'


def scene_objects(
    annotations: Iterable[Annotation], floor: float
) -> tuple[list[SceneObject], np.ndarray]:
    """
    Return the objects with names, and the table that takes labels of pictures to their ids.

    floor: Habitat's y (m) of the floor on which our z is 0. Ids are the labels, or, where label 0
    is a thing, one more; everything without a name becomes 0 in the table (int32).
    """
    named = [item for item in annotations if _is_named(item) and _has_triangles(item)
             and np.isfinite([*item.center, *item.sizes]).all()]
    shift = int(any(item.label == 0 for item in named))
    table = np.zeros(max((item.label for item in named), default=0) + 1, np.int32)
    objects = {}
    for item in named:
        number = item.label + shift
        table[item.label] = number
        size, yaw = _upright(item.sizes, item.rotation)
        name = item.category.strip().lower().replace('_', ' ')
        objects[number] = SceneObject(
            number, name, _numbers(to_world(item.center, floor)), size, yaw, UNKNOWN_COLOR,
            name in _STRUCTURE)
    return [objects[number] for number in sorted(objects)], table


def without_triangles(annotations: Iterable[Annotation]) -> tuple[list[Annotation], int]:
    """Return the objects with names that nothing in the scene shows, and how many have names."""
    named = [item for item in annotations if _is_named(item)]
    return [item for item in named if not _has_triangles(item)], len(named)


def _is_named(item: Annotation) -> bool:
    return item.category.strip().lower() not in _NAMELESS and item.label >= 0


def _has_triangles(item: Annotation) -> bool:
    return max(item.sizes) > _MIN_SIDE


def look_up(labels: np.ndarray, table: np.ndarray) -> np.ndarray:
    """Take a picture of labels (H, W) to one of ids, int32; labels beyond the table become 0."""
    labels = np.minimum(labels, len(table))
    return np.append(table, np.int32(0))[labels]


def _upright(
    sizes: Sequence[float], rotation: Sequence[float]
) -> tuple[tuple[float, float, float], float]:
    """
    Return the size along an object's own axes (z up) and the heading of its x, of a turned box.

    A box does not say where its front is: of the four headings the one nearest to 0 is taken.
    """
    axes = WORLD_FROM_HABITAT @ matrix_from_quaternion(np.array(rotation))  # columns, our world
    up = int(np.argmax(np.abs(axes[2])))
    first, second = (axis for axis in range(3) if axis != up)
    if abs(axes[0, first]) < abs(axes[0, second]):
        first, second = second, first
    heading = math.atan2(axes[1, first], axes[0, first])
    yaw = math.remainder(heading, math.pi)
    return (float(sizes[first]), float(sizes[second]), float(sizes[up])), yaw


def _numbers(values: Any) -> tuple[float, ...]:
    return tuple(np.array(values, np.float64).tolist())  # Magnum's vectors are buffers
