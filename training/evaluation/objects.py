# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""
Which objects of a true map are in an imagined one: by colour and place, from instance truth.

An object of the true map is *found* in another map when most pixels under its mask are nearer
(CIE Lab) to the object's own true colour than to the true colour of the free floor around it. That
alone would reward a map painted in furniture colours all over, so each object is also looked for
where it is not: its mask turned about the map's centre by 90, 180 and 270 degrees, wherever that
falls on free floor. An object found there is a *false alarm*, by the very same rule. What counts
is recall beside false alarms: a flat or blurred map has both low, a map full of colour both high,
the truth about 1 and 0.

Only objects that can be judged take part: furniture that an input view and the map both show, and
whose colour differs from the floor's. The rule needs no network, so that figures of different
checkpoints can be compared.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
from ipt_ros.geometry import compose, OrthographicCamera, rotation_from_yaw_pitch, transform_points
from ipt_ros.spatial import Example, get_task
import numpy as np

MIN_AREA = 0.001  # of the map; what counting asks for, too
MIN_CONTRAST = 15.0  # between object and floor in Lab, where about 2 is just visible
MIN_FREE = 0.95  # of a turned mask, to be a place where the object is not
RING = 3  # pixels around a mask that show the floor

# From the optical axes of a camera that looks down, first heading up, to forward, left and up.
_LOOKING_DOWN = np.array([[0.0, -1.0, 0.0], [-1.0, 0.0, 0.0], [0.0, 0.0, -1.0]])


@dataclass(frozen=True)
class Target:
    """A mask (H, W) bool with the two colours, Lab, that its pixels are told apart by."""

    mask: np.ndarray
    colour: np.ndarray
    floor: np.ndarray

    def found(self, lab: np.ndarray) -> bool:
        """Tell whether most pixels of a Lab image (H, W, 3) under the mask are the object's."""
        pixels = lab[self.mask]
        to_object = np.linalg.norm(pixels - self.colour, axis=1)
        to_floor = np.linalg.norm(pixels - self.floor, axis=1)
        return bool((to_object < to_floor).mean() > 0.5)


@dataclass(frozen=True)
class Targets:
    """What to look for in the map of one example: objects, and places where they are not."""

    objects: list[Target]
    decoys: list[Target]

    def count(self, image: np.ndarray) -> dict[str, int]:
        """Return how many objects and decoys are found in a uint8 image of the true map's size."""
        lab = _lab(image)
        return {
            'objects': len(self.objects),
            'found': sum(target.found(lab) for target in self.objects),
            'decoys': len(self.decoys),
            'false_alarms': sum(target.found(lab) for target in self.decoys),
        }


def targets(example: Example) -> Targets | None:
    """
    Return what to look for in an example's map, or None if its truth does not say.

    Needs a task that imagines maps, the per-pixel classes of the target, and ``objects`` and
    ``map`` in the metadata, as the simulators give them; ``seen``, where given, leaves out objects
    that no view shows.
    """
    truth = example.metadata
    if (get_task(example.task).imagination != 'bev' or example.target is None
            or not example.dense or not {'objects', 'map', 'classes'} <= truth.keys()):
        return None
    classes = example.dense[-1].classes
    number = {name: index for index, name in enumerate(truth['classes'])}
    # What the truth per pixel has no class for cannot be looked for.
    furniture = [item for item in truth['objects']
                 if not item['structural'] and item['name'] in number]
    free = ~np.isin(classes, [number[item['name']] for item in furniture])
    free &= classes != number.get('nothing', -1)
    shown = {row['object'] for row in truth['seen'] if row['views']} if 'seen' in truth else {
        item['id'] for item in furniture}
    lab = _lab(example.target)
    places = _world(truth['map'], classes.shape)
    objects, decoys = [], []
    for item in furniture:
        mask = _covers(item, places) & (classes == number[item['name']])
        if item['id'] not in shown or mask.mean() < MIN_AREA:
            continue
        colour = np.median(lab[mask], axis=0)
        for place, found in ((mask, objects), *((turned, decoys) for turned in _turned(mask))):
            if found is decoys and free[place].mean() < MIN_FREE:
                continue
            target = _target(place, colour, lab, free)
            if target is not None:
                found.append(target)
    return Targets(objects, decoys)


def _target(mask: np.ndarray, colour: np.ndarray, lab: np.ndarray,
            free: np.ndarray) -> Target | None:
    """Return None where no floor is near the mask, or the object has the floor's colour."""
    kernel = np.ones((2 * RING + 1, 2 * RING + 1), np.uint8)
    near = free & (cv2.dilate(mask.astype(np.uint8), kernel) > 0)
    if not near.any():
        return None
    floor = np.median(lab[near], axis=0)
    if np.linalg.norm(colour - floor) < MIN_CONTRAST:
        return None
    return Target(mask, colour, floor)


def _turned(mask: np.ndarray) -> Iterator[np.ndarray]:
    if mask.shape[0] == mask.shape[1]:
        yield from (np.rot90(mask, quarter) for quarter in (1, 2, 3))


def _world(where: dict, shape: tuple[int, int]) -> np.ndarray:
    """Return the world's x and y (H, W, 2), metres, of every pixel of a map."""
    height, width = shape
    camera = OrthographicCamera(width, height, where['size'] / width)
    u, v = np.meshgrid(np.arange(width), np.arange(height))
    points = camera.deproject(np.stack([u.ravel(), v.ravel()], axis=1), np.zeros(u.size))
    turn = rotation_from_yaw_pitch(where['yaw'])
    pose = compose(turn @ _LOOKING_DOWN, np.array([*where['center'], 0.0]))
    return transform_points(pose, points)[:, :2].reshape(height, width, 2)


def _covers(item: dict, places: np.ndarray) -> np.ndarray:
    """Return where the footprint of an object's box is, with half a pixel around it."""
    margin = np.linalg.norm(places[0, 1] - places[0, 0]) / 2
    offset = places - np.array(item['position'][:2])
    c, s = np.cos(item['yaw']), np.sin(item['yaw'])
    along = offset[..., 0] * c + offset[..., 1] * s
    across = offset[..., 1] * c - offset[..., 0] * s
    length, width = item['size'][:2]
    return (np.abs(along) <= length / 2 + margin) & (np.abs(across) <= width / 2 + margin)


def _lab(image: np.ndarray) -> np.ndarray:
    return cv2.cvtColor(image.astype(np.float32) / 255, cv2.COLOR_RGB2Lab)
