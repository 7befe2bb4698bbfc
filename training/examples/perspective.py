# SPDX-License-Identifier: Apache-2.0
"""Perspective-taking examples from a simulated scene."""

from collections import Counter
import math

from ipt_ros.geometry import Pose2D
from ipt_ros.spatial import draw_arrow, draw_cross, Example, facing_arrow, Question, TASKS
from ipt_ros.spatial.errors import TargetError
from ipt_ros.spatial.projection import locate_target
from ipt_ros.spatial.tasks.perspective import TURNS
from ipt_ros.spatial.visibility import Sighting, sightings
from ipt_training.examples.options import ExampleOptions
from ipt_training.examples.scene import (
    FLOOR_CLASSES,
    NOTHING,
    Picture,
    quarter_heading,
    Scene,
    shrink,
)
import numpy as np

PET = TASKS['pet']
# Nobody can tell these apart by a name, or point at them as one thing.
_NO_OBJECTS = FLOOR_CLASSES | {'wall', 'ceiling', NOTHING}
# Chance to keep a question beyond the wanted one, so that sub-tasks come out about equally often.
_KEEP = dict.fromkeys(PET.subtasks, 1.0)


def perspective_example(
    scene: Scene,
    rng: np.random.Generator,
    goal: int,
    options: ExampleOptions,
    rejections: Counter,
    variant: str = 'no_arrow',
) -> Example | None:
    """
    Find a view, a floor target and a quarter turn that make a question of the wanted kind.

    ``goal`` counts through all pairs of sub-task and turn, which keeps both balanced and
    independent. The first question of the example is of that kind; more follow where objects
    allow. Return None when the scene gave none; ``rejections`` says why.
    """
    subtask = PET.subtasks[goal % len(PET.subtasks)]
    turn = TURNS[goal // len(PET.subtasks) % len(TURNS)]
    for _ in range(options.pet_poses):
        pose = _first_pose(scene, rng, options)
        if pose is None:
            rejections['pet: no room to stand'] += 1
            continue
        before = scene.look(pose, options.pet_pixels, options.supersample, options.camera_height)
        asked = _askable(scene, before, pose, options)
        if subtask.startswith('relative'):
            side = subtask.split('_')[2]
            asked = {k: s for k, s in asked.items() if options.pet_rules.side(s) == side}
        if not asked:
            rejections['pet: no clear object in the first view'] += 1
            continue
        targets = _targets(scene, before, pose, asked, subtask, turn, rng, options)
        if not targets:
            rejections['pet: no target on the floor suits'] += 1
            continue
        for target in targets:
            example = _example_at(
                scene, before, pose, target, subtask, turn, variant, rng, options)
            if example is not None:
                return example
            rejections['pet: object not clear from the target'] += 1
    rejections['pet: GAVE UP'] += 1
    return None


def _first_pose(scene: Scene, rng: np.random.Generator, options: ExampleOptions) -> Pose2D | None:
    """Draw a place and a heading with some room ahead."""
    place = scene.sample_position(rng)
    if place is None:
        return None
    headings = [quarter_heading(rng, options.heading_jitter) for _ in range(3)]
    yaw = max(headings, key=lambda heading: _room_ahead(scene, place, heading))
    return Pose2D(*place, yaw)


def _room_ahead(scene: Scene, place: tuple[float, float], heading: float) -> float:
    """Return the metres to the wall of the room along a heading."""
    xmin, ymin, xmax, ymax = scene.sim.room_bounds()
    c, s = math.cos(heading), math.sin(heading)
    along_x = ((xmax if c > 0 else xmin) - place[0]) / c if abs(c) > 1e-9 else math.inf
    along_y = ((ymax if s > 0 else ymin) - place[1]) / s if abs(s) > 1e-9 else math.inf
    return min(along_x, along_y)


def _unique(scene: Scene, picture: Picture) -> dict[int, Sighting]:
    """Return the objects that are the only one of their name in a picture."""
    seen = {
        key: sighting for key, sighting in sightings(picture.frame.instance).items()
        if scene.objects[key].name not in _NO_OBJECTS
    }
    names = Counter(scene.names(seen))
    return {key: s for key, s in seen.items() if names[scene.objects[key].name] == 1}


def _distance(scene: Scene, key: int, pose: Pose2D, options: ExampleOptions) -> float:
    """Return the metres from the camera at a pose to the centre of an object."""
    eye = (pose.x, pose.y, options.camera_height)
    return math.dist(eye, scene.objects[key].position)


def _askable(
    scene: Scene, picture: Picture, pose: Pose2D, options: ExampleOptions,
) -> dict[int, Sighting]:
    """Return the objects of a picture that a question may be about."""
    return {
        key: s for key, s in _unique(scene, picture).items()
        if options.pet_rules.is_clear(s, _distance(scene, key, pose, options))
    }


def _targets(
    scene: Scene,
    before: Picture,
    pose: Pose2D,
    asked: dict[int, Sighting],
    subtask: str,
    turn: str,
    rng: np.random.Generator,
    options: ExampleOptions,
) -> list[tuple[float, float]]:
    """
    Return a few floor points from which some object should be seen as the sub-task wants.

    Points are found like a ray cast would: random pixels of the view that show the floor.
    Whether the object is really seen from there is for the render at the target to decide.
    """
    frame = before.frame
    floor_ids = [key for key, item in scene.objects.items() if item.name in FLOOR_CLASSES]
    rows, columns = np.nonzero(np.isin(frame.instance, floor_ids))
    if not len(rows):
        return []
    picked = rng.permutation(len(rows))[:options.pet_casts]
    pixels = np.stack([columns[picked], rows[picked]], axis=1).astype(float)
    points = frame.intrinsics.deproject(pixels, frame.depth[rows[picked], columns[picked]])
    pose4 = frame.world_from_optical
    ground = (points @ pose4[:3, :3].T + pose4[:3, 3])[:, :2]

    objects = np.array([scene.objects[key].position for key in asked])
    yaw = _turned(pose, turn).yaw
    offset = objects[None, :, :2] - ground[:, None, :]
    ahead = offset[..., 0] * math.cos(yaw) + offset[..., 1] * math.sin(yaw)
    left = -offset[..., 0] * math.sin(yaw) + offset[..., 1] * math.cos(yaw)
    rules = options.pet_rules
    in_view = (ahead > 0.4) & (np.abs(left) < (1 - 2 * rules.edge_margin) * ahead)
    if subtask.startswith('relative'):
        sign = 1 if subtask.endswith('left') else -1
        suits = in_view & (sign * left > 2 * rules.side_margin * ahead)
    else:
        height = objects[:, 2] - options.camera_height
        after = np.hypot(np.hypot(offset[..., 0], offset[..., 1]), height)
        change = after - [_distance(scene, key, pose, options) for key in asked]
        sign = 1 if subtask.endswith('further') else -1
        suits = in_view & (sign * change >= rules.min_distance_change)
    good = [
        (float(x), float(y)) for (x, y), fits in zip(ground, suits.any(axis=1), strict=True)
        if fits and scene.sim.is_navigable(float(x), float(y))
    ]
    return good[:options.pet_targets]


def _turned(pose: Pose2D, turn: str) -> Pose2D:
    quarter = math.pi / 2 if turn == 'left' else -math.pi / 2
    return Pose2D(pose.x, pose.y, math.remainder(pose.yaw + quarter, math.tau))


def _example_at(
    scene: Scene,
    before: Picture,
    pose: Pose2D,
    target: tuple[float, float],
    subtask: str,
    turn: str,
    variant: str,
    rng: np.random.Generator,
    options: ExampleOptions,
) -> Example | None:
    """Render the view from the target and ask all that can be asked, the wanted kind first."""
    target_pose = Pose2D(*target, _turned(pose, turn).yaw)
    try:
        marked = _mark(before, target_pose, variant)
    except TargetError:
        return None
    after = scene.look(
        target_pose, options.pet_pixels, options.supersample, options.camera_height)
    possible = _possible(scene, before, after, pose, target_pose, options)
    wanted = [pair for pair in possible if pair[0] == subtask]
    if not wanted:
        return None
    first = wanted[rng.integers(len(wanted))]
    rest = [p for p in possible if p != first and rng.random() < _KEEP[p[0]]]
    questions = [
        _question(scene, kind, key, turn, variant, pose, target_pose, rng, options)
        for kind, key in [first, *rest]
    ]
    return Example(
        task='pet',
        variant=variant,
        images=[shrink(marked, options.supersample)],
        target=after.rgb,
        think=PET.think(rng),
        questions=questions,
        metadata={
            'scene': scene.seed,
            'turn': turn,
            'pose': [pose.x, pose.y, pose.yaw],
            'target_pose': [target_pose.x, target_pose.y, target_pose.yaw],
            'classes': scene.class_names,
        },
        dense=[before.dense, after.dense],
    )


def _mark(before: Picture, target: Pose2D, variant: str) -> np.ndarray:
    """Draw the X, and the arrow where wanted, at the size of the render."""
    frame = before.frame
    point = (target.x, target.y, 0.0)
    place = locate_target(frame.intrinsics, frame.world_from_optical, point, frame.depth)
    image = frame.rgb
    if variant == 'with_arrow':
        ends = facing_arrow(frame.intrinsics, frame.world_from_optical, point, target.yaw)
        image = draw_arrow(image, *ends)
    return draw_cross(image, place.uv)


def _possible(
    scene: Scene,
    before: Picture,
    after: Picture,
    pose: Pose2D,
    target: Pose2D,
    options: ExampleOptions,
) -> list[tuple[str, int]]:
    """Return (sub-task, object id) of every fair question about two views."""
    first, second = _unique(scene, before), _unique(scene, after)
    # Named once in each view is not enough: it must be the same thing.
    return [
        (kind, key) for key in sorted(first.keys() & second.keys())
        for kind in options.pet_rules.subtasks(
            first[key], second[key],
            _distance(scene, key, pose, options), _distance(scene, key, target, options))
    ]


def _question(
    scene: Scene,
    kind: str,
    key: int,
    turn: str,
    variant: str,
    pose: Pose2D,
    target: Pose2D,
    rng: np.random.Generator,
    options: ExampleOptions,
) -> Question:
    question = PET.question(kind, scene.objects[key].name, turn, rng, variant)
    question.metadata.update(
        object=key,
        distance_before=round(_distance(scene, key, pose, options), 3),
        distance_after=round(_distance(scene, key, target, options), 3))
    return question
