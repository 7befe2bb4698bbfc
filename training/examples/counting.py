# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""Multiview-counting examples from a simulated scene."""

from collections import Counter
import math

from ipt_ros.geometry import Pose2D
from ipt_ros.spatial import Example, TASKS
from ipt_ros.spatial.tasks.counting import MAX_COUNT
from ipt_ros.spatial.visibility import sightings
from ipt_sim.protocol import SceneObject
from ipt_training.examples.options import ExampleOptions
from ipt_training.examples.scene import Picture, Scene
from ipt_training.examples.truth import scene_truth
import numpy as np

MVC = TASKS['mvc']
# Chance to keep a question beyond the first, by its answer: evens out how often each comes.
KEEP = {1: 0.08, 2: 0.2, 3: 0.4, 4: 1.0, 5: 1.0}
# Most scenes do not have five of a kind: chance that this is looked for first.
_FIVE_FIRST = 0.45
# Which of the others comes first, in turn; one block of scenes in five has no four of a kind.
_TURNS = (4, 3, 2, 4, 1)


def wanted_counts(goal: int, rng: np.random.Generator) -> list[int]:
    """
    Return the answers 1 to 5 in the order in which to look for them.

    The rarer ones come first more often, and so all are found about equally often. ``goal``
    decides which of 1 to 4 has its turn.
    """
    turn = _TURNS[goal // len(MVC.variants) % len(_TURNS)]
    rest = [count for count in range(1, MAX_COUNT) if count != turn]
    order = [turn, *rng.permutation(rest).tolist()]
    order.insert(0 if rng.random() < _FIVE_FIRST else len(order), MAX_COUNT)
    return order


def counting_example(
    scene: Scene,
    rng: np.random.Generator,
    goal: int,
    options: ExampleOptions,
    rejections: Counter,
    wanted: int,
) -> Example | None:
    """
    Look around and count everything that is there to count.

    ``goal`` alternates the two variants. The first question is about a class of which ``wanted``
    are there; more follow about others. Return None when the scene gave nothing like that;
    ``rejections`` says why.
    """
    variant = MVC.variants[goal % len(MVC.variants)]
    if max(counts_in(scene), default=0) < wanted:
        rejections[f'mvc: no class has {wanted} in the scene'] += 1
        return None
    around = rings(scene, rng, variant, options)
    if not around:
        rejections[f'mvc: no room for {variant}'] += 1
    for center, poses in around:
        views = [
            scene.look(pose, options.mvc_pixels, options.supersample, options.camera_height)
            for pose in poses
        ]
        center, size = map_square(scene, center, poses, variant, options)
        yaw = poses[0].yaw
        bird = scene.look_down(center, yaw, size, options.map_pixels, options.supersample)
        seen = _seen(scene, views, bird, center, yaw, options)
        counts = countable(seen)
        if wanted not in counts.values():
            rejections['mvc: counts are in doubt'] += 1
            continue
        if not options.mvc_single_view:
            counts = {n: c for n, c in counts.items() if c == 1 or most_in_one_view(seen, n) < c}
        names = [str(name) for name in rng.permutation(sorted(counts))]
        first = next((name for name in names if counts[name] == wanted), None)
        if first is None:
            rejections['mvc: one view shows all of them'] += 1
            continue
        rest = [n for n in names if n != first and rng.random() < KEEP[counts[n]]]
        return Example(
            task='mvc',
            variant=variant,
            images=[view.rgb for view in views],
            target=bird.rgb,
            think=MVC.think(rng),
            questions=[MVC.question(n, counts[n], variant, rng) for n in [first, *rest]],
            metadata={
                **scene_truth(scene, [*views, bird], options),
                'poses': [[p.x, p.y, p.yaw] for p in poses],
                'map': {'center': list(center), 'yaw': yaw, 'size': size},
                'seen': seen,
            },
            dense=[picture.dense for picture in [*views, bird]],
        )
    return None


def counts_in(scene: Scene) -> set[int]:
    """Return how often classes of furniture stand in a scene, seen or not."""
    return set(Counter(item.name for item in scene.furniture().values()).values())


def map_square(
    scene: Scene,
    center: tuple[float, float],
    poses: list[Pose2D],
    variant: str,
    options: ExampleOptions,
) -> tuple[tuple[float, float], float]:
    """
    Return centre and size of the map.

    A cropped map holds the camera places with the published padding around them, as far as that
    is inside of the room: of a house the area that is counted, of a small room all of it.
    """
    if not options.map_crop:
        return center, options.map_size
    padding = options.mvc_padding[variant]
    places = np.array([(pose.x, pose.y) for pose in poses])
    xmin, ymin, xmax, ymax = scene.sim.room_bounds()
    low = np.maximum(places.min(axis=0) - padding, (xmin, ymin))
    high = np.minimum(places.max(axis=0) + padding, (xmax, ymax))
    # The square's sides follow the first heading, not the room.
    c, s = abs(math.cos(poses[0].yaw)), abs(math.sin(poses[0].yaw))
    width, depth = high - low
    size = max(c * width + s * depth, s * width + c * depth)
    x, y = (low + high) / 2
    return (float(x), float(y)), round(float(size), 3)


def rings(
    scene: Scene, rng: np.random.Generator, variant: str, options: ExampleOptions,
) -> list[tuple[tuple[float, float], list[Pose2D]]]:
    """
    Return centres, each with four poses whose headings go round counter-clockwise.

    In the multi-camera variant each pose stands a radius behind the centre and looks at it. Its
    square stands on a corner with respect to the room, so that headings follow the room's axes
    in both variants.
    """
    number = options.mvc_draws
    headings = rng.integers(4, size=number) * math.pi / 2 + rng.uniform(
        -options.heading_jitter, options.heading_jitter, number)
    yaws = headings[:, None] + np.arange(4) * math.pi / 2
    if variant == 'rotation':
        centers = scene.sample_positions(rng, number, options.mvc_wall_distance)
        if not len(centers):
            return []
        radii = np.zeros(number)
    else:
        # The centre itself may well be occupied, by a table for instance.
        xmin, ymin, xmax, ymax = scene.sim.room_bounds()
        low, high = options.mvc_radius
        centers = rng.uniform((xmin + low, ymin + low), (xmax - low, ymax - low), (number, 2))
        radii = rng.uniform(low, high, number)
    forward = np.stack([np.cos(yaws), np.sin(yaws)], axis=2)
    places = centers[:, None, :] - radii[:, None, None] * forward
    fits = scene.can_stand(places.reshape(-1, 2)).reshape(number, 4).all(axis=1)
    return [
        (tuple(map(float, centers[k])), [
            Pose2D(float(x), float(y), math.remainder(yaw, math.tau))
            for (x, y), yaw in zip(places[k], yaws[k], strict=True)])
        for k in np.nonzero(fits)[0][:options.mvc_tries]
    ]


def countable(seen: list[dict]) -> dict[str, int]:
    """
    Return how often each class is seen, for classes whose number is beyond doubt.

    ``seen`` is the metadata of that name. An instance counts when it covers enough of the map and
    enough of one view at least. A class with an instance that only the map or only a view shows is
    left out: views, map and answer would disagree.
    """
    doubtful = {row['name'] for row in seen if bool(row['views']) != (row['map_area'] > 0)}
    counts = Counter(row['name'] for row in seen)
    return {n: c for n, c in counts.items() if n not in doubtful and c <= MAX_COUNT}


def most_in_one_view(seen: list[dict], name: str) -> int:
    """Return how many of a class the view with most of them shows."""
    return max(Counter(
        sighting['view'] for row in seen if row['name'] == name for sighting in row['views']
    ).values(), default=0)


def from_center(
    item: SceneObject, center: tuple[float, float], yaw: float,
) -> tuple[float, float]:
    """Return how many metres an object is ahead and to the left of a map's centre."""
    c, s = math.cos(yaw), math.sin(yaw)
    dx, dy = item.position[0] - center[0], item.position[1] - center[1]
    return dx * c + dy * s, dy * c - dx * s


def _seen(
    scene: Scene,
    views: list[Picture],
    bird: Picture,
    center: tuple[float, float],
    yaw: float,
    options: ExampleOptions,
) -> list[dict]:
    """
    Say of every piece of furniture that one picture at least shows well, which ones do.

    ``object`` is its id; ``ahead`` and ``left`` are metres from the map's centre to the object's
    in the heading of the first view. ``views`` has a row for each view that shows enough of it:
    ``view`` counts from 0, ``u`` is where its visible part is (0 the image's left edge, 1 the
    right one) and ``area`` its share of the image. ``map_area`` is its share of the map, 0 where
    that is too small to count.
    """
    on_map = sightings(bird.frame.instance)
    in_views = [sightings(view.frame.instance) for view in views]
    rows = []
    for key, item in sorted(scene.furniture().items()):
        shown = [
            {'view': index, 'u': round(seen[key].u, 3), 'area': round(seen[key].area, 5)}
            for index, seen in enumerate(in_views)
            if key in seen and seen[key].area >= options.min_view_area
        ]
        map_area = on_map[key].area if key in on_map else 0.0
        map_area = round(map_area, 5) if map_area >= options.min_map_area else 0.0
        if not shown and not map_area:
            continue
        ahead, left = from_center(item, center, yaw)
        rows.append({
            'object': key,
            'name': item.name,
            'ahead': round(ahead, 3),
            'left': round(left, 3),
            'views': shown,
            'map_area': map_area,
        })
    return rows
