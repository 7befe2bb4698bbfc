# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""
Path-tracing examples from a simulated scene.

Metadata, besides what `scene_truth` gives: ``path`` [[x, y], ...] (m) from waypoint 1 to 2,
``length`` (m) and ``bin`` ('1-2 m', '2-4 m', '4 m up'); ``direction`` [1, 2] or [2, 1];
``midpoint`` [x, y, yaw], the yaw being the heading of travel, ``side`` and ``side_pose`` [x, y,
yaw], from where the target was taken; ``ego_poses`` at the start and the end of the walk (empty
but for td_ego_dir); ``map`` {center, yaw, size}. ``seen`` lists every object with a pixel in the
target: {object, name, area}; ``shown`` those large enough in one input at least: {object, name,
map_area, ego_areas}, areas being fractions of the image.
"""

from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
import math

from ipt_ros.geometry import Pose2D
from ipt_ros.spatial import (
    DenseTruth,
    draw_path,
    Example,
    FloorPath,
    label_path,
    locate_path,
    PathPixels,
    Question,
    TASKS,
)
from ipt_ros.spatial.errors import PathInvalidError, PathOutsideMapError
from ipt_ros.spatial.path_marks import PARTS
from ipt_ros.spatial.paths import MIN_SEPARATION
from ipt_ros.spatial.tasks.path_tracing import DIRECTIONS, DISTRACTORS, LENGTH_BINS, SIDES
from ipt_ros.spatial.visibility import Sighting, sightings
from ipt_training.examples.options import ExampleOptions
from ipt_training.examples.scene import FLOOR_CLASSES, NOTHING, Picture, Scene, shrink
from ipt_training.examples.truth import scene_truth
import numpy as np

PT = TASKS['pt']
BIN_NAMES = ('1-2 m', '2-4 m', '4 m up')
# Nobody would name these when asked which object is there.
_NO_OBJECTS = FLOOR_CLASSES | {'wall', 'ceiling', NOTHING}
_IN_FRAME = 1.0  # metres aside a metre ahead at the edge of a view of 90 degrees
_WIDER = math.radians(94)


def path_tracing_example(
    scene: Scene,
    rng: np.random.Generator,
    goal: int,
    options: ExampleOptions,
    rejections: Counter,
) -> Example | None:
    """
    Walk a path and look to one side half way.

    ``goal`` counts through all combinations of side, direction, length bin and variant, which
    keeps them balanced and independent. Questions are about different objects in sight. Return
    None when the scene gave none; ``rejections`` says why.
    """
    wish = _wish(goal, options)
    tries = 0
    for path in _paths(scene, wish, rng, options):
        found = _example_at(scene, path, wish, rng, options)
        if isinstance(found, Example):
            return found
        rejections[f'pt: {found}'] += 1
        tries += 1
        if tries == options.pt_tries:
            break
    if not tries:
        rejections[f'pt: no path of {BIN_NAMES[wish.bin]} passes by an object'] += 1
    return None


@dataclass(frozen=True)
class _Wish:
    """What kind of example is wanted; ``bin`` is an index into LENGTH_BINS."""

    variant: str
    side: str
    direction: tuple[int, int]
    bin: int

    def walked(self, path: FloorPath) -> FloorPath:
        """Return the path in the direction in which it is walked."""
        return path if self.direction == (1, 2) else path.reversed()

    def look(self, path: FloorPath) -> Pose2D:
        """Return where one stands and looks at the midpoint."""
        quarter = math.pi / 2 if self.side == 'left' else -math.pi / 2
        return self.walked(path).midpoint.moved(0.0, turn=quarter)


def _wish(goal: int, options: ExampleOptions) -> _Wish:
    rest, side = divmod(goal, len(SIDES))
    rest, direction = divmod(rest, len(DIRECTIONS))
    rest, length = divmod(rest, len(LENGTH_BINS))
    variant = options.pt_variants[rest % len(options.pt_variants)]
    return _Wish(variant, SIDES[side], DIRECTIONS[direction], length)


def _paths(
    scene: Scene, wish: _Wish, rng: np.random.Generator, options: ExampleOptions,
) -> Iterator[FloorPath]:
    """
    Yield paths of the wanted length beside whose midpoint there should be an object.

    Costs no render. Objects may still be hidden; the pictures decide that.
    """
    places = scene.ways.places
    low, high = LENGTH_BINS[wish.bin]
    for start in rng.integers(len(places), size=options.pt_starts if len(places) else 0):
        ways = scene.ways.from_place(places[start])
        apart = np.hypot(*(places - places[start]).T)
        # Ways over the grid are up to a twelfth longer than what is walked.
        suits = (ways.distances >= low) & (ways.distances < 1.1 * high) & (apart > MIN_SEPARATION)
        for goal in rng.permutation(np.nonzero(suits)[0])[:options.pt_ways]:
            try:
                path = FloorPath(ways.to(goal))
            except PathInvalidError:
                continue
            straight = path.bend_at(path.length / 2) <= options.pt_bend
            if low <= path.length < high and straight and _passes_by(scene, wish, path, options):
                yield path


def _passes_by(scene: Scene, wish: _Wish, path: FloorPath, options: ExampleOptions) -> bool:
    """Tell whether by geometry alone there are objects in sight, and enough that are not."""
    pose = wish.look(path)
    items = [item for item in scene.objects.values() if item.name not in _NO_OBJECTS]
    places = np.array([item.position[:2] for item in items]).reshape(-1, 2)
    offset = places - (pose.x, pose.y)
    c, s = math.cos(pose.yaw), math.sin(pose.yaw)
    ahead, left = offset @ (c, s), offset @ (-s, c)
    near = np.hypot(ahead, left) < options.pt_max_distance
    in_sight = near & (ahead > 0.3) & (np.abs(left) < _IN_FRAME * ahead)
    if wish.variant != 'td_ego_dir':  # what hangs on a wall does not show on the map
        floor = np.array([item.size[0] * item.size[1] for item in items])
        near &= floor >= options.min_map_area * options.pt_map_size ** 2
    names = np.array([item.name for item in items])
    return bool((in_sight & near).any()) and (
        len(set(names[near]) - set(names[in_sight])) >= DISTRACTORS)


def _example_at(
    scene: Scene,
    path: FloorPath,
    wish: _Wish,
    rng: np.random.Generator,
    options: ExampleOptions,
) -> Example | str:
    """Render everything and ask all that can be asked, or return why that is not fair."""
    pose = wish.look(path)
    target = _look(scene, pose, options.pt_pixels, options)
    seen = _sighted(scene, target.frame.instance)
    clear = _clear(scene, seen, pose, options)
    if not clear:
        return 'nothing clear to see on the side'
    context = _context(scene, path, wish, options)
    if isinstance(context, str):
        return context
    shown = context.shown(scene, options)
    answers = sorted({scene.objects[key].name for key in clear & shown.keys()})
    if not answers:
        return 'what is in sight does not show on the input'
    # A little wider: not even the edge of a distractor, finer than a pixel, may peep in.
    wide = scene.look(
        pose, options.pt_pixels, options.supersample, options.camera_height, _WIDER)
    in_sight = {scene.objects[key].name for key in _sighted(scene, wide.frame.instance)}
    unseen = _distractors(scene, in_sight, shown.keys(), pose, rng, options)
    if len(unseen) < DISTRACTORS:
        return 'too few objects in other directions'
    questions = [
        _question(name, unseen, wish, rng)
        for name in rng.permutation(answers)[:options.pt_questions].tolist()
    ]
    pictures = [context.chart, *context.egos, target]
    classes = [*scene.class_names, *PARTS]
    return Example(
        task='pt',
        variant=wish.variant,
        images=[shrink(context.marked, options.supersample), *(ego.rgb for ego in context.egos)],
        target=target.rgb,
        think=PT.think(rng, wish.side),
        questions=questions,
        metadata={
            **scene_truth(scene, pictures, options),
            'path': np.round(path.points, 3).tolist(),
            'length': round(path.length, 3),
            'bin': BIN_NAMES[wish.bin],
            'direction': list(wish.direction),
            'midpoint': _listed(wish.walked(path).midpoint),
            'side': wish.side,
            'side_pose': _listed(pose),
            'ego_poses': [_listed(ego) for ego in context.ego_poses],
            'map': context.square,
            'seen': [
                {'object': key, 'name': scene.objects[key].name, 'area': round(float(s.area), 5)}
                for key, s in sorted(seen.items())],
            'shown': [row for _, row in sorted(shown.items())],
            'classes': classes,
        },
        dense=[context.labelled(scene, options), *(ego.dense for ego in context.egos),
               target.dense],
    )


@dataclass(frozen=True)
class _Context:
    """What is given beside the question: the map with its marks, and the views ahead if any."""

    chart: Picture
    square: dict
    pixels: PathPixels
    marked: np.ndarray
    labels: np.ndarray
    ego_poses: list[Pose2D]
    egos: list[Picture]

    def shown(self, scene: Scene, options: ExampleOptions) -> dict[int, dict]:
        """Return the metadata of objects that are large enough in one picture, marks apart."""
        on_map = _areas(scene, np.where(self.labels > 0, 0, self.chart.frame.instance))
        in_egos = [_areas(scene, ego.frame.instance) for ego in self.egos]
        rows = {}
        for key in set(on_map).union(*in_egos):
            ego_areas = [areas.get(key, 0.0) for areas in in_egos]
            if (on_map.get(key, 0.0) >= options.min_map_area
                    or max(ego_areas, default=0.0) >= options.min_view_area):
                rows[key] = {
                    'object': key,
                    'name': scene.objects[key].name,
                    'map_area': round(on_map.get(key, 0.0), 5),
                    'ego_areas': [round(area, 5) for area in ego_areas]}
        return rows

    def labelled(self, scene: Scene, options: ExampleOptions) -> DenseTruth:
        """Return the map's truth with the marks as classes: an encoder must learn to see them."""
        middle = slice(options.supersample // 2, None, options.supersample)
        labels = self.labels[middle, middle]
        first = len(scene.class_names) - 1
        classes = np.where(labels > 0, labels + np.uint8(first), self.chart.dense.classes)
        return replace(self.chart.dense, classes=classes.astype(np.uint8))


def _context(
    scene: Scene, path: FloorPath, wish: _Wish, options: ExampleOptions,
) -> _Context | str:
    """Draw the map around the path and look ahead from its ends, or say why that cannot be."""
    walked, pose = wish.walked(path), wish.look(path)
    ego_poses = []
    if wish.variant == 'td_ego_dir':
        ego_poses = [walked.pose_at(0.0), walked.pose_at(walked.length)]
    pixels = options.pt_multi_pixels if ego_poses else options.pt_pixels
    low, high = path.points.min(axis=0), path.points.max(axis=0)
    center = tuple(((low + high) / 2).round(3).tolist())
    # Any heading may be up: derived from the path, it needs no random number of its own.
    yaw = math.remainder(round(1000 * path.length) * 2.399963, math.tau)
    chart = scene.look_down(center, yaw, options.pt_map_size, pixels, options.supersample)
    arrow = pose.yaw if wish.variant == 'td_path_arrow' else None
    frame = chart.frame
    try:
        marks = locate_path(frame.intrinsics, frame.world_from_optical, path, arrow)
    except PathOutsideMapError:
        return 'the path is longer than the map'
    return _Context(
        chart, {'center': list(center), 'yaw': yaw, 'size': options.pt_map_size}, marks,
        draw_path(frame.rgb, *marks), label_path(frame.rgb.shape, *marks), ego_poses,
        [_look(scene, ego, pixels, options) for ego in ego_poses])


def _distractors(
    scene: Scene,
    in_sight: set[str],
    shown: Collection[int],
    pose: Pose2D,
    rng: np.random.Generator,
    options: ExampleOptions,
) -> list[str]:
    """
    Return the classes to draw distractors from: what one sees to the other side.

    Where that is too little, what one sees ahead and behind fills up. All of them would make fair
    answers if one looked there, and none has a pixel in the view that is asked about. A class is
    as often on one side as on the other, so by itself it does not tell whether it is the answer;
    but doors are more often ahead of one who walks than beside, so they fill up last.
    """
    def names_at(*turns: float) -> list[str]:
        keys: set[int] = set()
        for turn in turns:
            view = scene.look(
                pose.moved(0.0, turn=turn), options.pt_pixels, 1, options.camera_height)
            keys |= _clear(scene, _sighted(scene, view.frame.instance), pose, options) & set(shown)
        names = sorted({scene.objects[key].name for key in keys} - in_sight)
        return rng.permutation(names).tolist()

    found = names_at(math.pi)
    if len(found) < DISTRACTORS:
        fixtures = {item.name for item in scene.objects.values() if item.structural}
        others = [name for name in names_at(-math.pi / 2, math.pi / 2) if name not in found]
        others.sort(key=fixtures.__contains__)
        found += others[:DISTRACTORS - len(found)]
    return found


def _clear(
    scene: Scene, seen: dict[int, Sighting], pose: Pose2D, options: ExampleOptions,
) -> set[int]:
    """Return the objects that are large, near and central enough to be asked about."""
    low, high = options.pt_area
    margin = options.pt_edge_margin
    return {
        key for key, sighting in seen.items()
        if low <= sighting.area <= high
        and margin <= sighting.u <= 1 - margin and margin <= sighting.v <= 1 - margin
        and math.dist((pose.x, pose.y), scene.objects[key].position[:2]) <= options.pt_max_distance
    }


def _question(name: str, unseen: list[str], wish: _Wish, rng: np.random.Generator) -> Question:
    question = PT.question(name, unseen, wish.side, wish.direction, rng, wish.variant)
    question.metadata['bin'] = BIN_NAMES[wish.bin]
    return question


def _look(scene: Scene, pose: Pose2D, pixels: int, options: ExampleOptions) -> Picture:
    return scene.look(pose, pixels, options.supersample, options.camera_height)


def _sighted(scene: Scene, instance: np.ndarray) -> dict[int, Sighting]:
    """Return the objects that one would name, as far as one pixel of them is seen."""
    return {key: sighting for key, sighting in sightings(instance).items()
            if scene.objects[key].name not in _NO_OBJECTS}


def _areas(scene: Scene, instance: np.ndarray) -> dict[int, float]:
    return {key: float(sighting.area) for key, sighting in _sighted(scene, instance).items()}


def _listed(pose: Pose2D) -> list[float]:
    return [pose.x, pose.y, pose.yaw]
