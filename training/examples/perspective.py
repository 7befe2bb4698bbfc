# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""Perspective-taking examples from a simulated scene."""

from collections import Counter
from dataclasses import dataclass, replace
import math

from ipt_ros.geometry import Pose2D
from ipt_ros.spatial import (
    DenseTruth,
    draw_arrow,
    draw_cross,
    Example,
    facing_arrow,
    Question,
    TASKS,
)
from ipt_ros.spatial.contrast import cross_contrast, cross_pixels, MIN_CONTRAST
from ipt_ros.spatial.errors import TargetError, TargetOccludedError
from ipt_ros.spatial.projection import locate_target
from ipt_ros.spatial.tasks.perspective import PerspectiveRules, TURNS
from ipt_ros.spatial.visibility import Sighting, sightings
from ipt_training.examples.options import ExampleOptions
from ipt_training.examples.scene import (
    FLOOR_CLASSES,
    NOTHING,
    Picture,
    Scene,
    shrink,
)
from ipt_training.examples.truth import scene_truth
import numpy as np

PET = TASKS['pet']
MARK = 'red X'  # class of the mark's pixels in the dense truth
# Nobody can tell these apart by a name, or point at them as one thing.
_NO_OBJECTS = FLOOR_CLASSES | {'wall', 'ceiling', NOTHING}
# Chance to keep a question beyond the wanted one, so that sub-tasks come out about equally often.
_KEEP = dict.fromkeys(PET.subtasks, 1.0) | {
    'distance_change_closer': 0.1, 'distance_change_further': 0.3,
    'relative_position_right_right': 0.6}


class MarkNotVisibleError(TargetError):
    """The X would have the colour of what is under it."""


def perspective_examples(
    scene: Scene,
    rng: np.random.Generator,
    goal: int,
    options: ExampleOptions,
    rejections: Counter,
) -> list[Example]:
    """
    Find a view, a floor target and a quarter turn that make a question of the wanted kind.

    ``goal`` counts through all pairs of sub-task and turn, which keeps both balanced and
    independent. The first question of the example is of that kind; more follow where objects
    allow. Return the example in each of ``options.pet_variants``, or nothing where the scene
    gave none; ``rejections`` says why.
    """
    subtask = PET.subtasks[goal % len(PET.subtasks)]
    turn = TURNS[goal // len(PET.subtasks) % len(TURNS)]
    proposals = _proposals(scene, subtask, turn, rng, options)
    if not proposals:
        rejections['pet: no pose and target suit the furniture'] += 1
    for proposal in proposals:
        found = _examples_at(scene, proposal, subtask, turn, rng, options)
        if not isinstance(found, str):
            return found
        rejections[f'pet: {found}'] += 1
    return []


@dataclass(frozen=True)
class _Proposal:
    """A first pose, a target pose and an object that by geometry alone would suit."""

    pose: Pose2D
    target: Pose2D
    key: int


def _proposals(
    scene: Scene, subtask: str, turn: str, rng: np.random.Generator, options: ExampleOptions,
) -> list[_Proposal]:
    """
    Draw pairs of places and keep those from which an object would be seen as wanted.

    Costs no render. Walls and other furniture may still hide the object or the target; the
    pictures decide that.
    """
    keys = [key for key, item in scene.objects.items() if item.name not in _NO_OBJECTS]
    places = scene.sample_positions(rng, options.pet_draws)
    if not keys or not len(places):
        return []
    headings = rng.integers(4, size=len(places)) * math.pi / 2 + rng.uniform(
        -options.heading_jitter, options.heading_jitter, len(places))
    ahead = rng.uniform(*options.pet_target_distance, len(places))
    left = rng.uniform(*_target_slopes(subtask, turn), len(places)) * ahead
    forward = np.column_stack([np.cos(headings), np.sin(headings)])
    sideways = np.column_stack([-forward[:, 1], forward[:, 0]])
    targets = places + ahead[:, None] * forward + left[:, None] * sideways
    fits = scene.can_stand(targets)
    places, headings, targets = places[fits], headings[fits], targets[fits]
    turned = headings + _quarter(turn)

    centers = np.array([scene.objects[key].position for key in keys])
    before, after = (
        _bearings(centers, spots, yaws, options)
        for spots, yaws in ((places, headings), (targets, turned)))
    rules = options.pet_rules
    names = np.array(scene.names(keys))
    namesakes = (names[:, None] == names).astype(int)
    suits = before.in_view & after.in_view
    suits &= (before.in_frame @ namesakes == 1) & (after.in_frame @ namesakes == 1)
    if subtask.startswith('relative'):
        _, _, side_before, side_after = subtask.split('_')
        suits &= before.on_side(side_before, rules) & after.on_side(side_after, rules)
    else:
        sign = 1 if subtask.endswith('further') else -1
        suits &= sign * (after.distance - before.distance) >= rules.min_distance_change
    chosen = rng.permutation(np.argwhere(suits))[:options.pet_tries]
    return [
        _Proposal(
            Pose2D(*map(float, places[row]), math.remainder(headings[row], math.tau)),
            Pose2D(*map(float, targets[row]), math.remainder(turned[row], math.tau)),
            keys[column])
        for row, column in chosen
    ]


def _target_slopes(subtask: str, turn: str) -> tuple[float, float]:
    """
    Return between which slopes (metres left a metre ahead) to look for targets.

    Who turns left sees what was left of the target. For an object on the right of the first view
    that leaves targets even further to the right only.
    """
    widest, beyond = 0.9, 0.45
    if subtask.startswith('relative_position_right') and turn == 'left':
        return -widest, -beyond
    if subtask.startswith('relative_position_left') and turn == 'right':
        return beyond, widest
    return -widest, widest


@dataclass(frozen=True)
class _Bearings:
    """Where objects (columns) are as seen from poses (rows)."""

    in_frame: np.ndarray  # where at least a part of it may be seen
    in_view: np.ndarray  # where it would be clear enough to ask about
    slope: np.ndarray  # metres to the left for each metre ahead
    distance: np.ndarray

    def on_side(self, side: str, rules: PerspectiveRules) -> np.ndarray:
        sign = 1 if side == 'left' else -1
        return sign * self.slope > 2 * rules.side_margin


def _bearings(
    centers: np.ndarray, places: np.ndarray, headings: np.ndarray, options: ExampleOptions,
) -> _Bearings:
    offset = centers[None, :, :2] - places[:, None, :]
    c, s = np.cos(headings)[:, None], np.sin(headings)[:, None]
    ahead = offset[..., 0] * c + offset[..., 1] * s
    left = -offset[..., 0] * s + offset[..., 1] * c
    slope = left / np.maximum(ahead, 1e-9)
    rise = centers[:, 2] - options.camera_height
    distance = np.sqrt((offset ** 2).sum(axis=2) + rise ** 2)
    rules = options.pet_rules
    limit = 1 - 2 * rules.edge_margin
    in_view = (
        (ahead > 0.4) & (np.abs(slope) < limit) & (np.abs(rise) < limit * ahead)
        & (distance < rules.max_distance))
    in_frame = (ahead > 0.2) & (np.abs(slope) < 1.15)
    return _Bearings(in_frame.astype(int), in_view, slope, distance)


def _quarter(turn: str) -> float:
    return math.pi / 2 if turn == 'left' else -math.pi / 2


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


def _examples_at(
    scene: Scene,
    proposal: _Proposal,
    subtask: str,
    turn: str,
    rng: np.random.Generator,
    options: ExampleOptions,
) -> list[Example] | str:
    """Render both views and ask all that can be asked, or return why that is not fair."""
    pose, target_pose = proposal.pose, proposal.target
    before = scene.look(pose, options.pet_pixels, options.supersample, options.camera_height)
    seen = _unique(scene, before).get(proposal.key)
    distance = _distance(scene, proposal.key, pose, options)
    if seen is None or not options.pet_rules.is_clear(seen, distance):
        return 'object hidden or not the only one in the first view'
    try:
        marked = {variant: _mark(scene, before, target_pose, variant)
                  for variant in options.pet_variants}
    except TargetError as error:
        return type(error).__name__
    after = scene.look(
        target_pose, options.pet_pixels, options.supersample, options.camera_height)
    possible = _possible(scene, before, after, pose, target_pose, options)
    wanted = [pair for pair in possible if pair[0] == subtask]
    if not wanted:
        return 'object not clear from the target'
    first = wanted[rng.integers(len(wanted))]
    rest = [p for p in possible if p != first and rng.random() < _KEEP[p[0]]]
    questions = [
        _question(scene, kind, key, turn, pose, target_pose, rng, options)
        for kind, key in [first, *rest]
    ]
    think = PET.think(rng)
    metadata = {
        **scene_truth(scene, [before, after], options),
        'turn': turn,
        'pose': [pose.x, pose.y, pose.yaw],
        'target_pose': [target_pose.x, target_pose.y, target_pose.yaw],
        'seen': _seen(scene, before, pose, target_pose, options),
        'classes': [*scene.class_names, MARK],
    }
    label = len(scene.class_names)
    return [
        Example(
            task='pet',
            variant=variant,
            images=[shrink(view.rgb, options.supersample)],
            target=after.rgb,
            think=think,
            questions=[PET.in_variant(question, variant) for question in questions],
            metadata=dict(metadata),
            dense=[_with_mark(before.dense, view, label, options), after.dense],
        )
        for variant, view in marked.items()
    ]


def _with_mark(
    dense: DenseTruth, marked: '_Marked', label: int, options: ExampleOptions,
) -> DenseTruth:
    """Return the truth with the X as a class of its own: an encoder must learn to see it."""
    covered = shrink(np.where(marked.inked, 255, 0).astype(np.uint8), options.supersample) > 127
    return replace(dense, classes=np.where(covered, np.uint8(label), dense.classes))


def _seen(
    scene: Scene, before: Picture, pose: Pose2D, target: Pose2D, options: ExampleOptions,
) -> list[dict]:
    """
    Say of every clear object of the first view where it is with respect to the target.

    ``object`` is its id; ``ahead`` and ``left`` are metres from the target to the object's centre
    in the heading of the first view, the distances those from the camera now and at the target.
    """
    c, s = math.cos(pose.yaw), math.sin(pose.yaw)
    rows = []
    for key, sighting in sorted(_unique(scene, before).items()):
        distance = _distance(scene, key, pose, options)
        if not options.pet_rules.is_clear(sighting, distance):
            continue
        x, y, _ = scene.objects[key].position
        dx, dy = x - target.x, y - target.y
        rows.append({
            'object': key,
            'name': scene.objects[key].name,
            'ahead': round(dx * c + dy * s, 3),
            'left': round(dy * c - dx * s, 3),
            'distance_before': round(distance, 3),
            'distance_after': round(_distance(scene, key, target, options), 3),
        })
    return rows


@dataclass(frozen=True)
class _Marked:
    """A picture with its marks, and the pixels (bool) that the X covers."""

    rgb: np.ndarray
    inked: np.ndarray


def _mark(scene: Scene, before: Picture, target: Pose2D, variant: str) -> _Marked:
    """
    Draw the X, and the arrow where wanted, at the size of the render.

    Raise TargetError where the ray through the target's pixel does not hit the floor, or where
    the X would not stand out from it.
    """
    frame = before.frame
    point = (target.x, target.y, 0.0)
    place = locate_target(frame.intrinsics, frame.world_from_optical, point, frame.depth)
    column, row = (round(c) for c in place.uv)
    if scene.name_at(before, row, column) not in FLOOR_CLASSES:
        raise TargetOccludedError('the target is hidden, or nothing says that floor is there')
    marked = draw_cross(frame.rgb, place.uv)
    if cross_contrast(frame.rgb, place.uv) < MIN_CONTRAST:
        raise MarkNotVisibleError('the red X does not stand out from the floor there')
    if variant == 'with_arrow':
        ends = facing_arrow(frame.intrinsics, frame.world_from_optical, point, target.yaw)
        marked = draw_cross(draw_arrow(frame.rgb, *ends), place.uv)
    return _Marked(marked, cross_pixels(frame.rgb.shape, place.uv))


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
    pose: Pose2D,
    target: Pose2D,
    rng: np.random.Generator,
    options: ExampleOptions,
) -> Question:
    question = PET.question(kind, scene.objects[key].name, turn, rng)
    question.metadata.update(
        object=key,
        distance_before=round(_distance(scene, key, pose, options), 3),
        distance_after=round(_distance(scene, key, target, options), 3))
    return question
