# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""Path-tracing examples against plain geometry, in a ray-cast world and in the real simulator."""

from collections import Counter
from dataclasses import replace
import math

import box_world
from ipt_ros.spatial import Example
from ipt_ros.spatial.path_marks import PARTS, WAYPOINT_COLORS
from ipt_ros.spatial.tasks.path_tracing import LENGTH_BINS
from ipt_sim import make_simulator, RenderingUnavailableError
from ipt_sim.protocol import CameraSpec, SceneObject
from ipt_training.examples.options import ExampleOptions
from ipt_training.examples.path_tracing import BIN_NAMES, path_tracing_example
from ipt_training.examples.scene import Scene
import numpy as np
import pytest

ALL = replace(ExampleOptions(), pt_variants=('td_path', 'td_path_arrow', 'td_ego_dir'))
# Ray casting in numpy is slow: small pictures.
SMALL = replace(ALL, supersample=1, pt_pixels=64, pt_multi_pixels=48)
GOALS = [5 * k % 36 for k in range(18)]  # half of all sides, directions, lengths and variants


def examples_of(sim, options, seed: int, goals=GOALS) -> list[Example]:
    """Make an example for each goal, in the first of a few scenes that has one."""
    found = []
    for goal in goals:
        for scene in range(seed + 4 * (goal // 4), seed + 4 * (goal // 4) + 4):
            rng = np.random.default_rng([scene, goal])
            example = path_tracing_example(Scene(sim, scene), rng, goal, options, Counter())
            if example is not None:
                found.append(example)
                break
    return found


@pytest.fixture(scope='module', params=['boxes', 'mujoco'])
def world(request):
    """Yield a simulator, options, and an example for (nearly) every goal."""
    if request.param == 'boxes':
        sim, options, goals = box_world.BoxWorld(), SMALL, GOALS[:9]
    else:
        try:
            sim = make_simulator('mujoco')
        except RenderingUnavailableError as error:
            pytest.skip(f'no simulator: {error}')
        options, goals = ALL, GOALS
    made = examples_of(sim, options, 40, goals)
    assert len(made) >= 0.75 * len(goals)
    yield sim, options, made
    if request.param == 'mujoco':
        sim.close()


def looked(sim, pose, pixels: int, height: float):
    """Render a square view of 90 degrees straight from the simulator."""
    from ipt_ros.geometry import Pose2D
    camera = CameraSpec('check', pixels, pixels, math.pi / 2, (0.0, 0.0, height))
    return sim.render(camera, Pose2D(*pose))


def test_the_right_object_is_in_sight_and_the_others_are_not(world):
    sim, options, made = world
    for example in made:
        sim.reset(example.metadata['scene'])
        names = {item.id: item.name for item in sim.objects()}
        # Finer than training: not a corner of a distractor may peep in.
        frame = looked(sim, example.metadata['side_pose'], 256, options.camera_height)
        pixels = Counter()
        for key, count in zip(*np.unique(frame.instance, return_counts=True)):
            pixels[names.get(int(key))] += int(count)
        for question in example.questions:
            assert pixels[question.metadata['seen']] >= 0.9 * options.pt_area[0] * (
                frame.instance.size)
            hidden = [pixels[name] for name in question.metadata['distractors']]
            assert max(hidden) == 0, question
            assert question.answer_choice.split(' ', 1)[1] == question.metadata['seen']


def test_one_looks_to_the_named_side_half_way_along_the_walk(world):
    for example in world[2]:
        truth = example.metadata
        walk = np.array(truth['path'])[::1 if truth['direction'] == [1, 2] else -1]
        legs = np.hypot(*np.diff(walk, axis=0).T)
        x, y, heading = truth['midpoint']
        along = np.concatenate([[0], legs.cumsum()])
        half = [np.interp(along[-1] / 2, along, axis) for axis in walk.T]
        assert (x, y) == pytest.approx(half, abs=0.01)
        leg = np.searchsorted(along, along[-1] / 2) - 1
        forward = math.atan2(*(walk[leg + 1] - walk[leg])[::-1])
        assert abs(math.remainder(heading - forward, math.tau)) < math.radians(25)
        turn = math.pi / 2 if truth['side'] == 'left' else -math.pi / 2
        assert truth['side_pose'][:2] == [x, y]
        assert math.remainder(truth['side_pose'][2] - heading - turn, math.tau) == pytest.approx(
            0, abs=1e-9)
        for question in example.questions:
            assert f' {truth["side"]}' in question.text
        assert truth['side'] in example.think


def test_answers_lie_on_the_named_side_of_the_walk(world):
    for example in world[2]:
        x, y, heading = example.metadata['midpoint']
        sign = 1 if example.metadata['side'] == 'left' else -1
        places = {row['id']: row['position'] for row in example.metadata['objects']}
        for question in example.questions:
            lefts = [
                sign * ((places[row['object']][1] - y) * math.cos(heading)
                        - (places[row['object']][0] - x) * math.sin(heading))
                for row in example.metadata['seen'] if row['name'] == question.metadata['seen']]
            assert max(lefts) > 0


def test_paths_are_drivable_and_as_long_as_wanted(world):
    sim, options, made = world
    for example in made:
        scene = Scene(sim, example.metadata['scene'])
        points = np.array(example.metadata['path'])
        for start, end in zip(points, points[1:]):
            places = np.linspace(start, end, 30)
            assert scene.can_stand(places).mean() > 0.95  # lines are checked by samples
        length = np.hypot(*np.diff(points, axis=0).T).sum()
        low, high = LENGTH_BINS[BIN_NAMES.index(example.metadata['bin'])]
        assert low - 0.01 <= length <= high + 0.01
        assert math.dist(points[0], points[-1]) >= 0.99


def test_goals_are_balanced(world):
    kinds = Counter()
    for example in world[2]:
        truth = example.metadata
        kinds.update([truth['side'], str(truth['direction']), truth['bin'], example.variant])
    number = len(world[2])
    for name in ('left', 'right', '[1, 2]', '[2, 1]'):
        assert 0.3 * number <= kinds[name] <= 0.7 * number
    for name in (*BIN_NAMES, *ALL.pt_variants):
        assert 0.1 * number <= kinds[name] <= 0.6 * number


def on_map(example: Example, place) -> tuple[float, float]:
    """Return row and column of a place on the map, by its metadata."""
    chart, side = example.metadata['map'], len(example.images[0])
    x, y = np.subtract(place, chart['center']) * side / chart['size']
    c, s = math.cos(chart['yaw']), math.sin(chart['yaw'])
    return (side - 1) / 2 - (x * c + y * s), (side - 1) / 2 + (x * s - y * c)


def test_waypoints_are_drawn_where_the_path_ends(world):
    for example in world[2]:
        image, classes = example.images[0].astype(int), example.metadata['classes']
        for number, color in zip((0, -1), WAYPOINT_COLORS):
            name = f'waypoint {1 if number == 0 else 2}'
            rows, columns = np.nonzero(example.dense[0].classes == classes.index(name))
            assert len(rows) >= 9
            wanted = on_map(example, example.metadata['path'][number])
            assert (rows.mean(), columns.mean()) == pytest.approx(wanted, abs=1.5)
            other = WAYPOINT_COLORS[1 + number]
            mean = image[rows, columns].mean(axis=0)  # the digit is white
            assert np.abs(mean - color).sum() < np.abs(mean - other).sum()


def test_the_arrow_is_drawn_for_its_variant_alone_and_to_the_side(world):
    for example in world[2]:
        labels = example.dense[0].classes
        classes = example.metadata['classes']
        rows, columns = np.nonzero(labels == classes.index('arrow'))
        assert bool(len(rows)) == (example.variant == 'td_path_arrow')
        if len(rows):
            look = example.metadata['side_pose'][2] - example.metadata['map']['yaw']
            row, column = on_map(example, example.metadata['midpoint'][:2])
            away = (row - rows.mean()) * math.cos(look) + (column - columns.mean()) * math.sin(
                look)
            assert away > 0.03 * len(labels)


def test_views_ahead_are_those_of_the_ends_of_the_walk(world):
    sim, options, made = world
    for example in made:
        ego = example.variant == 'td_ego_dir'
        assert len(example.images) == len(example.metadata['ego_poses']) + 1 == (3 if ego else 1)
        assert len({image.shape for image in example.images}) == 1
        assert example.target.shape[0] == options.pt_pixels
        if not ego:
            continue
        walk = example.metadata['path'][::1 if example.metadata['direction'] == [1, 2] else -1]
        sim.reset(example.metadata['scene'])
        for end, pose, image in zip((walk[0], walk[-1]), example.metadata['ego_poses'],
                                    example.images[1:]):
            assert pose[:2] == pytest.approx(end, abs=0.01)
            frame = looked(sim, pose, options.pt_multi_pixels, options.camera_height)
            assert np.abs(frame.rgb.astype(int) - image).mean() < 12


def test_answers_and_distractors_can_be_made_out_on_the_input(world):
    for example in world[2]:
        shown = {row['name'] for row in example.metadata['shown']}
        for question in example.questions:
            assert {question.metadata['seen'], *question.metadata['unseen']} <= shown


def test_dense_truth_names_the_marks(world):
    for example in world[2]:
        classes = example.metadata['classes']
        assert classes[-len(PARTS):] == list(PARTS)
        assert len(example.dense) == len(example.images) + 1
        for truth, picture in zip(example.dense, [*example.images, example.target], strict=True):
            assert truth.classes.shape == truth.depth_mm.shape == picture.shape[:2]
            assert truth.classes.dtype == np.uint8 and truth.classes.max() < len(classes)
        found = {classes[number] for number in np.unique(example.dense[0].classes)}
        # The marks of a short path cover its line.
        line = {'path'} if example.metadata['length'] > 2 else set()
        assert line | {'midpoint', 'waypoint 1', 'waypoint 2'} <= found
        assert not set(PARTS) & {classes[n] for n in np.unique(example.dense[-1].classes)}


def test_examples_repeat_bit_for_bit(world):
    sim, options, made = world
    example = made[0]
    again = examples_of(sim, options, 40, [0])[0]
    assert again.metadata == example.metadata and again.questions == example.questions
    for one, other in zip([*again.images, again.target], [*example.images, example.target]):
        assert np.array_equal(one, other)


def test_variants_can_be_chosen():
    sim = box_world.BoxWorld()
    options = replace(SMALL, pt_variants=('td_ego_dir',))
    made = examples_of(sim, options, 40, [0, 4])
    assert made and {example.variant for example in made} == {'td_ego_dir'}


@pytest.mark.parametrize(('boxes', 'reason'), [
    ([], 'passes by an object'),
    ([SceneObject(10, 'sofa', (0.0, 1.5, 0.3), (0.4, 0.4, 0.6), 0.0, 'red')],
     'passes by an object')])
def test_a_room_with_too_little_gives_nothing_and_says_why(boxes, reason):
    reasons = Counter()
    rng = np.random.default_rng(0)
    scene = Scene(box_world.BoxWorld(boxes=boxes), 0)
    assert path_tracing_example(scene, rng, 0, SMALL, reasons) is None
    assert any(reason in said for said in reasons)


def test_a_room_without_space_to_stand_gives_nothing_and_says_why():
    block = SceneObject(10, 'box', (0.0, 0.0, 0.3), (5.0, 5.0, 0.6), 0.0, 'red')
    reasons = Counter()
    scene = Scene(box_world.BoxWorld(boxes=[block]), 0)
    assert path_tracing_example(
        scene, np.random.default_rng(0), 0, SMALL, reasons) is None
    assert sum(reasons.values()) == 1
