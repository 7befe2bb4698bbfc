# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""Questions about objects, for recordings of a simulator that told where its objects are."""

from collections import Counter
import math

from ipt_ros.geometry import transform_points
from ipt_ros.geometry.fusion import Floor
from ipt_ros.geometry.topdown_fusion import TopDownMap
from ipt_ros.spatial import Question, TASKS
from ipt_ros.spatial.tasks.counting import MAX_COUNT
from ipt_ros.spatial.tasks.perspective import PerspectiveRules
from ipt_ros.spatial.visibility import Sighting, sightings
from ipt_training.bags import Frame
from ipt_training.mining.place import points_of
from ipt_training.mining.scene_labels import SceneLabels
import numpy as np

PET, MVC = TASKS['pet'], TASKS['mvc']
_NAMESAKE_AREA = 0.0005  # of the image: from here on a second object of a name confuses


def instances(labels: SceneLabels, floor: Floor, frame: Frame) -> np.ndarray:
    """Return the object id of each pixel (H, W), 0 where there is none or no depth."""
    points, measured = points_of(frame)
    image = np.zeros(measured.shape, np.int32)
    image[measured] = labels.owners(points, floor.heights(points))
    return image


def perspective_truth(
    labels: SceneLabels,
    floor: Floor,
    before: Frame,
    after: Frame,
    turn: str,
    rules: PerspectiveRules,
    asked: Counter,
    rng: np.random.Generator,
) -> tuple[list[Question], list[dict]]:
    """
    Return the fair questions about two views, rare sub-tasks first, and what the first view shows.

    asked: how often each sub-task was asked already. What the first view shows is given in the
    form of generated examples: metres ahead and left of the target in the first heading, and
    distances from the camera before and after.
    """
    first, second = (_unique(labels, instances(labels, floor, f)) for f in (before, after))
    eyes = [frame.record.fixed_from_optical[:3, 3] for frame in (before, after)]
    questions, seen = [], []
    for key, sighting in sorted(first.items()):
        item = labels.objects[key]
        distances = [math.dist(eye, item.position) for eye in eyes]
        if rules.is_clear(sighting, distances[0]):
            ahead, left = _from_target(before, eyes[1], item.position)
            seen.append({
                'name': item.name, 'ahead': round(ahead, 3), 'left': round(left, 3),
                'distance_before': round(distances[0], 3),
                'distance_after': round(distances[1], 3)})
        if key in second:
            questions += [
                PET.question(kind, item.name, turn, rng)
                for kind in rules.subtasks(sighting, second[key], *distances)]
    order = rng.permutation(len(questions))
    return sorted((questions[k] for k in order), key=lambda q: asked[q.subtask]), seen


def counting_truth(
    labels: SceneLabels,
    floor: Floor,
    views: list[Frame],
    picture: TopDownMap,
    variant: str,
    min_view_area: float,
    min_map_area: float,
    rng: np.random.Generator,
) -> list[Question]:
    """
    Ask for the number of each class whose number is beyond doubt.

    As for generated examples: an object counts when one view at least and the map show enough of
    it, and a class with an object that only one of the two shows is left out.
    """
    in_views: set[int] = set()
    for view in views:
        found = sightings(instances(labels, floor, view)).items()
        in_views |= {key for key, s in found if s.area >= min_view_area}
    on_map = {key for key, s in sightings(_map_instances(labels, picture, floor)).items()
              if s.area >= min_map_area}
    doubtful = set(labels.names(on_map ^ in_views))
    counts = Counter(labels.names(on_map & in_views))
    fair = {name: n for name, n in counts.items() if name not in doubtful and n <= MAX_COUNT}
    return [MVC.question(str(name), fair[str(name)], variant, rng)
            for name in rng.permutation(sorted(fair))]


def _map_instances(labels: SceneLabels, picture: TopDownMap, floor: Floor) -> np.ndarray:
    rows, columns = np.nonzero(picture.known)
    heights = picture.height[rows, columns].astype(float)
    # The optical axis is the floor's normal to within its lean, which is small.
    depth = picture.world_from_optical[2, 3] - floor.z(
        *picture.world_from_optical[:2, 3]) - heights
    points = transform_points(
        picture.world_from_optical,
        picture.camera.deproject(np.column_stack([columns, rows]).astype(float), depth))
    image = np.zeros(picture.known.shape, np.int32)
    image[rows, columns] = labels.owners(points, heights)
    return image


def _unique(labels: SceneLabels, image: np.ndarray) -> dict[int, Sighting]:
    """Return the objects that are the only one of their name in a picture."""
    seen = sightings(image, max(1, round(_NAMESAKE_AREA * image.size)))
    names = Counter(labels.names(seen))
    return {key: s for key, s in seen.items() if names[labels.objects[key].name] == 1}


def _from_target(
    before: Frame, target: np.ndarray, position: tuple[float, float, float],
) -> tuple[float, float]:
    """Return metres ahead and left of a target, in the heading of the first view."""
    axis = before.record.fixed_from_optical[:2, 2]
    axis = axis / np.linalg.norm(axis)
    offset = np.asarray(position)[:2] - target[:2]
    return float(offset @ axis), float(offset @ (-axis[1], axis[0]))


__all__ = ['counting_truth', 'instances', 'perspective_truth']
