# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""Generated examples against plain geometry, in a ray-cast world and in the real simulator."""

from collections import Counter
from dataclasses import replace
import math
import multiprocessing
import threading
import time

import box_world
from ipt_ros.geometry import PinholeCamera, Pose2D
from ipt_ros.spatial import Example, TASKS
from ipt_sim import make_simulator, RenderingUnavailableError, SceneError
from ipt_sim.protocol import CameraSpec, SceneObject
from ipt_training.evaluation.objects import targets
from ipt_training.examples import (
    EVALUATION_SEED,
    ExampleOptions,
    ExampleSource,
    generate_example,
    GENERATED_TASKS,
    scene_seeds,
)
from ipt_training.examples.counting import counting_example, wanted_counts
from ipt_training.examples.perspective import perspective_examples
from ipt_training.examples.scene import Scene
from ipt_training.generate import generate
from ipt_training.relations import relations
from ipt_training.store import load_examples, save_shard, StoreError
from ipt_training.verification import verify_example
import numpy as np
import pytest

# Ray casting in numpy is slow: small pictures, few tries.
SMALL = replace(ExampleOptions(), supersample=1, pet_pixels=64, mvc_pixels=48, map_pixels=64)


def red(image: np.ndarray) -> np.ndarray:
    return (image[..., 0] > 200) & (image[..., 1] < 70) & (image[..., 2] < 70)


@pytest.fixture(scope='module', params=['boxes', 'mujoco'])
def world(request):
    """Yield a simulator, generation options and a few examples of each task."""
    if request.param == 'boxes':
        sim, options, numbers = box_world.BoxWorld(), SMALL, {'pet': 12, 'mvc': 6}
    else:
        try:
            sim = make_simulator('mujoco')
        except RenderingUnavailableError as error:
            pytest.skip(f'no simulator: {error}')
        options, numbers = ExampleOptions(), {'pet': 24, 'mvc': 10}
    source = ExampleSource(sim, 40, options)
    examples = {
        task: [source.make(task, index) for index in range(number)]
        for task, number in numbers.items()
    }
    yield sim, options, examples
    if request.param == 'mujoco':
        sim.close()


def made(world, task: str) -> list[Example]:
    examples = [example for example in world[2][task] if example is not None]
    assert len(examples) >= len(world[2][task]) * 0.6
    return examples


def side(pose: list[float], point) -> float:
    """Return metres that a point lies to the left of where a pose looks."""
    x, y, yaw = pose
    return -(point[0] - x) * math.sin(yaw) + (point[1] - y) * math.cos(yaw)


def test_perspective_answers_are_true(world):
    sim, options, _ = world
    for example in made(world, 'pet'):
        sim.reset(example.metadata['scene'])
        objects = {item.id: item for item in sim.objects()}
        pose, target = example.metadata['pose'], example.metadata['target_pose']
        sign = 1 if example.metadata['turn'] == 'left' else -1
        assert math.isclose(math.remainder(target[2] - pose[2] - sign * math.pi / 2, math.tau), 0,
                            abs_tol=1e-9)
        for question in example.questions:
            item = objects[question.metadata['object']]
            assert item.name in question.text
            assert f"{example.metadata['turn']}" in question.text
            if question.subtask.startswith('relative'):
                _, _, before, after = question.subtask.split('_')
                assert (side(pose, item.position) > 0) == (before == 'left')
                assert (side(target, item.position) > 0) == (after == 'left')
                assert question.answer_choice == after
            else:
                was, will = (
                    math.dist((*place[:2], options.camera_height), item.position)
                    for place in (pose, target))
                assert abs(will - was) >= 0.5
                assert question.answer_choice == ('Closer' if will < was else 'Further')


def test_perspective_objects_are_seen_once_in_both_views(world):
    for example in made(world, 'pet'):
        classes = example.metadata['classes']
        for question in example.questions:
            for truth in example.dense:
                share = (truth.classes == classes.index(question.metadata['category'])).mean()
                # Counted at another resolution than the published 0.4 %.
                assert share > 0.0025


def test_the_first_question_is_the_wanted_one(world):
    for example in made(world, 'pet'):
        goal = example.metadata['index']
        assert example.questions[0].subtask == TASKS['pet'].subtasks[goal % 6]
        assert example.metadata['turn'] == ('left', 'right')[goal // 6 % 2]
    for example in made(world, 'mvc'):
        assert example.variant == ('rotation', 'multi_camera')[example.metadata['index'] % 2]


def test_the_cross_is_on_the_target(world):
    sim, options, _ = world
    camera = PinholeCamera.from_hfov(options.pet_pixels, options.pet_pixels, math.pi / 2)
    for example in made(world, 'pet'):
        (x, y, yaw), target = example.metadata['pose'], example.metadata['target_pose']
        ahead = (target[0] - x) * math.cos(yaw) + (target[1] - y) * math.sin(yaw)
        u = camera.cx - camera.fx * side([x, y, yaw], target) / ahead
        v = camera.cy + camera.fy * options.camera_height / ahead
        sim.reset(example.metadata['scene'])
        spec = CameraSpec('test', options.pet_pixels, options.pet_pixels,
                          position=(0.0, 0.0, options.camera_height))
        plain = sim.render(spec, Pose2D(x, y, yaw)).rgb
        changed = np.abs(example.images[0].astype(int) - plain).sum(axis=2)
        radius = 0.09 * options.pet_pixels
        rows, columns = np.indices(changed.shape)
        around = np.hypot(rows - v, columns - u) < radius
        assert red(example.images[0])[around].sum() >= 5
        if options.supersample == 1:  # nothing else differs
            assert not changed[~around].any()
        # The mark is a class of its own, there and nowhere else.
        labelled = example.dense[0].classes == example.metadata['classes'].index('red X')
        assert labelled[round(v), round(u)]
        assert not labelled[~around].any()


def test_the_target_is_the_view_from_the_cross(world):
    sim, options, _ = world
    for example in made(world, 'pet')[:4]:
        sim.reset(example.metadata['scene'])
        size = options.pet_pixels * options.supersample
        spec = CameraSpec('test', size, size, position=(0.0, 0.0, options.camera_height))
        view = sim.render(spec, Pose2D(*example.metadata['target_pose'])).rgb.astype(float)
        small = view.reshape(options.pet_pixels, options.supersample, options.pet_pixels,
                             options.supersample, 3).mean(axis=(1, 3))
        assert np.abs(small - example.target).max() <= 1


def test_counts_are_true(world):
    sim, _, _ = world
    for example in made(world, 'mvc'):
        sim.reset(example.metadata['scene'])
        there = Counter(item.name for item in sim.objects())
        for question in example.questions:
            assert question.answer_choice == str(question.metadata['count'])
            # Whatever is not counted is beyond the pictures; nothing is counted twice.
            assert question.metadata['count'] <= there[question.metadata['category']]
        names = [question.metadata['category'] for question in example.questions]
        assert len(set(names)) == len(names)


def test_counted_instances_match_the_pictures(world):
    """Count once more, from full instance images, by another way than the generator's."""
    sim, options, _ = world
    for example in made(world, 'mvc'):
        sim.reset(example.metadata['scene'])
        objects = {item.id: item for item in sim.objects()}
        side_pixels = options.mvc_pixels * options.supersample
        spec = CameraSpec('test', side_pixels, side_pixels,
                          position=(0.0, 0.0, options.camera_height))
        in_views = set()
        for pose in example.metadata['poses']:
            in_views |= set(np.unique(sim.render(spec, Pose2D(*pose)).instance).tolist())
        chart = example.metadata['map']
        bird = sim.render_topdown(tuple(chart['center']), chart['yaw'], chart['size'],
                                  options.map_pixels * options.supersample)
        for question in example.questions:
            seen = [key for key in in_views & set(np.unique(bird.instance).tolist())
                    if key in objects and objects[key].name == question.metadata['category']]
            assert len(seen) == question.metadata['count']


def test_views_go_round_counter_clockwise(world):
    for example in made(world, 'mvc'):
        poses = np.array(example.metadata['poses'])
        turns = np.diff(poses[:, 2])
        assert np.allclose(np.remainder(turns, math.tau), math.pi / 2)
        center = np.array(example.metadata['map']['center'])
        offset = center - poses[:, :2]
        distance = np.hypot(*offset.T)
        if example.variant == 'rotation':
            assert np.allclose(distance, 0)
        else:
            assert np.allclose(distance, distance[0]) and distance[0] >= 0.9
            forward = np.column_stack([np.cos(poses[:, 2]), np.sin(poses[:, 2])])
            assert np.allclose(offset, distance[0] * forward)


def test_the_map_has_the_first_heading_up_and_left_on_the_left(world):
    sim, _, _ = world
    checked = 0
    for example in made(world, 'mvc'):
        sim.reset(example.metadata['scene'])
        chart, classes = example.metadata['map'], example.metadata['classes']
        seen = example.dense[-1].classes
        scale = len(seen) / chart['size']
        asked = {question.metadata['category'] for question in example.questions}
        for item in sim.objects():
            if item.name not in asked - {'table', 'chair'}:  # a chair may stand under a table
                continue
            dx, dy = np.subtract(item.position[:2], chart['center'])
            c, s = math.cos(chart['yaw']), math.sin(chart['yaw'])
            row = (len(seen) - 1) / 2 - (dx * c + dy * s) * scale
            column = (len(seen) - 1) / 2 - (-dx * s + dy * c) * scale
            row, column = round(row), round(column)
            if 0 <= min(row, column) and max(row, column) < len(seen):
                patch = seen[max(0, row - 1):row + 2, max(0, column - 1):column + 2]
                assert classes.index(item.name) in patch
                checked += 1
    assert checked >= 10


def test_examples_do_not_depend_on_what_came_before(world):
    sim, options, examples = world
    for task in ('pet', 'mvc'):
        again = ExampleSource(sim, 40, options).make(task, 3)
        assert examples[task][3] is not None
        assert again.metadata == examples[task][3].metadata
        assert again.questions == examples[task][3].questions
        for one, other in zip([*again.images, again.target],
                              [*examples[task][3].images, examples[task][3].target], strict=True):
            assert np.array_equal(one, other)


def test_dense_truth_fits_the_pictures(world):
    for task in ('pet', 'mvc'):
        for example in made(world, task)[:3]:
            pictures = [*example.images, example.target]
            assert len(example.dense) == len(pictures)
            for truth, picture in zip(example.dense, pictures, strict=True):
                assert truth.classes.dtype == np.uint8 and truth.depth_mm.dtype == np.uint16
                assert truth.classes.shape == truth.depth_mm.shape == picture.shape[:2]
                assert truth.classes.max() < len(example.metadata['classes'])


def test_a_cross_that_nobody_sees_is_turned_down():
    sim = box_world.BoxWorld()
    sim.colors = np.full_like(sim.colors, (255, 0, 0))
    reasons = Counter()
    for seed in range(4):
        rng = np.random.default_rng(seed)
        assert generate_example('pet', sim, seed, rng, seed, SMALL, reasons) is None
    assert reasons['pet: MarkNotVisibleError'] > 0


def test_an_empty_room_gives_nothing_and_says_why():
    sim = box_world.BoxWorld(boxes=[])
    source = ExampleSource(sim, 0, SMALL)
    assert source.make('pet', 0) is None and source.make('mvc', 0) is None
    assert source.rejections['pet: GAVE UP'] == source.rejections['mvc: GAVE UP'] == 1
    assert source.rejections['pet: no pose and target suit the furniture'] == 4


def blue(image: np.ndarray) -> np.ndarray:
    return (image[..., 2] > 200) & (image[..., 0] < 70) & (image[..., 1] < 70)


def test_both_variants_show_the_same_walk_and_ask_the_same():
    options = replace(SMALL, pet_variants=('no_arrow', 'with_arrow'))
    source = ExampleSource(box_world.BoxWorld(), 40, options)
    pairs = [pair for pair in (source.make_variants('pet', index) for index in range(6)) if pair]
    assert pairs
    for plain, arrow in pairs:
        assert (plain.variant, arrow.variant) == options.pet_variants
        assert plain.metadata == arrow.metadata and plain.think == arrow.think
        assert np.array_equal(plain.target, arrow.target)
        assert blue(arrow.images[0]).sum() > 2 > blue(plain.images[0]).sum()
        assert red(arrow.images[0]).sum() > 2
        for one, other in zip(plain.questions, arrow.questions, strict=True):
            assert one.text != other.text and 'arrow' in other.text and 'arrow' not in one.text
            assert (one.choices, one.answer, one.subtask) == (
                other.choices, other.answer, other.subtask)
            assert one.metadata == other.metadata | {'variant': 'no_arrow'}


@pytest.mark.parametrize('variant', ['rotation', 'multi_camera'])
def test_a_cropped_map_is_the_area_around_the_cameras_inside_the_room(variant):
    options = replace(SMALL, map_crop=True, mvc_single_view=True,
                      mvc_padding={'rotation': 1.0, 'multi_camera': 5.0})
    source = ExampleSource(box_world.BoxWorld(), 40, options)
    checked = 0
    for index in range(['rotation', 'multi_camera'].index(variant), 12, 2):
        example = source.make('mvc', index)
        if example is None:
            continue
        checked += 1
        chart, half = example.metadata['map'], box_world.BoxWorld.half
        places = np.array(example.metadata['poses'])[:, :2]
        reach = options.mvc_padding[variant]
        low = np.maximum(places.min(axis=0) - reach, -half)
        high = np.minimum(places.max(axis=0) + reach, half)
        assert np.allclose(chart['center'], (low + high) / 2)
        # Every corner of that area is on the map, and one at least on its border.
        c, s = math.cos(chart['yaw']), math.sin(chart['yaw'])
        corners = np.array([[x, y] for x in (low[0], high[0]) for y in (low[1], high[1])])
        turned = (corners - chart['center']) @ np.array([[c, -s], [s, c]])
        assert np.abs(turned).max() == pytest.approx(chart['size'] / 2, abs=1e-3)
    assert checked


def test_part_of_a_house_is_counted_where_the_house_has_more():
    """Three chairs in this room and four in the next, which neither views nor map show."""
    def item(key: int, name: str, x: float, y: float, size) -> SceneObject:
        return SceneObject(key, name, (x, y, size[2] / 2), size, 0.0, 'red')

    here = [(2.1, -0.9), (2.1, 0.9), (1.2, 1.6)]
    there = [(-2.2, y) for y in (-1.5, -0.5, 0.5, 1.5)]
    chairs = [item(10 + k, 'chair', *place, (0.4, 0.4, 0.6))
              for k, place in enumerate([*here, *there])]
    sim = box_world.BoxWorld([*chairs, item(20, 'partition', 0.0, 0.0, (0.1, 5.0, 2.4))])
    options = replace(
        SMALL, heading_jitter=0.0, map_crop=True, mvc_single_view=True, mvc_tries=12,
        mvc_padding={'rotation': 2.0, 'multi_camera': 2.0})
    scene = Scene(sim, 0)
    made = [counting_example(scene, np.random.default_rng(seed), 0, options, Counter(), wanted=3)
            for seed in range(3)]
    made = [example for example in made if example is not None]
    assert made
    for example in made:
        assert example.questions[0].metadata['category'] == 'chair'
        assert example.questions[0].answer_choice == '3'
        assert verify_example(example) in ([], ['one view shows all of them'])


def test_rare_answers_are_looked_for_first_more_often():
    rng = np.random.default_rng(0)
    orders = [wanted_counts(goal, rng) for goal in range(1000)]
    assert all(sorted(order) == [1, 2, 3, 4, 5] for order in orders)
    first = Counter(order[0] for order in orders)
    assert abs(first[5] - 450) < 50
    assert abs(first[4] - 220) < 40
    assert all(abs(first[count] - 110) < 35 for count in (1, 2, 3))


def test_no_single_view_shows_all_that_is_counted(world):
    for example in made(world, 'mvc'):
        for question in example.questions:
            count, name = question.metadata['count'], question.metadata['category']
            in_view = Counter(
                sighting['view'] for row in example.metadata['seen'] if row['name'] == name
                for sighting in row['views'])
            assert count == 1 or max(in_view.values()) < count


def test_metadata_say_which_views_show_what(world):
    """Compare with instance images that are rendered again."""
    sim, options, _ = world
    for example in made(world, 'mvc')[:4]:
        sim.reset(example.metadata['scene'])
        objects = {item.id: item for item in sim.objects()}
        assert {row['id']: row['name'] for row in example.metadata['objects']}.items() <= {
            key: item.name for key, item in objects.items()}.items()
        pixels = options.mvc_pixels * options.supersample
        spec = CameraSpec('test', pixels, pixels, position=(0.0, 0.0, options.camera_height))
        for index, pose in enumerate(example.metadata['poses']):
            instance = sim.render(spec, Pose2D(*pose)).instance
            told = {row['object'] for row in example.metadata['seen']
                    for sighting in row['views'] if sighting['view'] == index}
            seen = {int(key) for key in np.unique(instance) if key in objects
                    and not objects[key].structural
                    and (instance == key).mean() >= options.min_view_area}
            assert told == seen


@pytest.mark.parametrize('task', GENERATED_TASKS)
@pytest.mark.parametrize('share', [0.1, 1.0])
def test_pixels_that_nobody_annotated_are_ordinary(task, share, tmp_path):
    """As in every real scan: id 0, or ids that no object has; the truth calls them nothing."""
    sim = box_world.ScannedWorld(share)
    source = ExampleSource(sim, 40, replace(SMALL, pt_pixels=64, pet_variants=('with_arrow',)))
    examples = [example for example in (source.make(task, index) for index in range(3)) if example]
    assert bool(examples) == (share < 1), source.rejections
    for example in examples:
        objects = {item['id'] for item in example.metadata['objects']}
        assert objects <= {item.id for item in sim.objects()}
        assert all((truth.classes == 0).any() for truth in example.dense)
        assert not verify_example(example)
    if examples:
        save_shard(tmp_path / task / 'train-0.parquet', examples)
        stored = list(load_examples(tmp_path, dense=True, split=None))
        assert [again.metadata['objects'] for again in stored] == [
            example.metadata['objects'] for example in examples]


def test_pictures_of_a_scene_show_its_objects_or_nothing():
    scene = Scene(box_world.ScannedWorld(0.5), 3)
    for picture in (scene.look(Pose2D(-2.0, 0.0), 32, 2, 1.2),
                    scene.look_down((0.0, 0.0), 0.3, 5.0, 32, 2)):
        assert set(np.unique(picture.frame.instance)) <= {0, *scene.objects}
        assert (picture.frame.instance == 0).any() and (picture.frame.instance > 0).any()
        rows, columns = np.nonzero(picture.frame.instance == 0)
        assert scene.name_at(picture, rows[0], columns[0]) == 'nothing'
        rows, columns = np.nonzero(picture.frame.instance == box_world.FLOOR)
        assert scene.name_at(picture, rows[0], columns[0]) == 'floor'


def test_a_mark_on_floor_that_nobody_annotated_is_turned_down():
    sim = box_world.ScannedWorld(0.0)
    sim.unknown = (0,)
    scene = Scene(sim, 3)
    sim._share = 1.0
    rejections = Counter()
    assert perspective_examples(scene, np.random.default_rng(0), 0, SMALL, rejections) == []
    assert rejections


@pytest.mark.parametrize('task', GENERATED_TASKS)
def test_classes_of_any_name_are_asked_about(task):
    names = ('nothing', 'TV/"DVD" shelf', "{object}'s chair", '', 'Ünterlage (2%)', 'red X')
    source = ExampleSource(
        box_world.ScannedWorld(0.0, names), 40, replace(SMALL, pt_pixels=64))
    examples = [example for example in (source.make(task, index) for index in range(3)) if example]
    assert examples, source.rejections
    for example in examples:
        assert not verify_example(example)
        targets(example)  # of the evaluation of maps
        relations(example)


def test_a_scene_with_more_classes_than_a_pixel_can_name_is_refused_in_words():
    names = tuple(f'thing {number}' for number in range(300))
    boxes = [SceneObject(10 + k, name, (0.0, 0.0, 0.3), (0.4, 0.4, 0.6), 0.0, 'red')
             for k, name in enumerate(names)]
    with pytest.raises(SceneError, match='302 classes'):
        Scene(box_world.BoxWorld(boxes), 0)
    assert len(Scene(box_world.BoxWorld(boxes[:200]), 0).class_names) == 203


def test_unknown_task_is_refused():
    with pytest.raises(ValueError, match='pet'):
        generate_example('free', box_world.BoxWorld(), 0, np.random.default_rng(0))


def test_scene_blocks_do_not_overlap():
    assert list(scene_seeds(100, 0)) == list(scene_seeds(100, 1)) == [100, 101, 102, 103]
    assert list(scene_seeds(100, 2)) == [104, 105, 106, 107]


@pytest.fixture
def renderer():
    """Skip where nothing can be drawn."""
    try:
        make_simulator('mujoco').close()
    except RenderingUnavailableError as error:
        pytest.skip(f'no simulator: {error}')


@pytest.mark.usefixtures('renderer')
def test_a_worker_that_dies_ends_the_run_and_the_next_one_goes_on(tmp_path):
    def kill_one():
        while not multiprocessing.active_children():
            time.sleep(0.05)
        multiprocessing.active_children()[0].kill()

    killer = threading.Thread(target=kill_one)
    killer.start()
    with pytest.raises(StoreError, match='worker process died.*same command again'):
        generate(['mvc'], 4, 7, tmp_path, workers=2, shard_size=2)
    killer.join()
    assert generate(['mvc'], 2, 7, tmp_path, workers=1, shard_size=2)['shards']


def test_generation_resumes_and_does_not_depend_on_how_it_was_cut(tmp_path):
    try:
        make_simulator('mujoco').close()
    except RenderingUnavailableError as error:
        pytest.skip(f'no simulator: {error}')
    report = generate(['mvc'], 4, 7, tmp_path / 'a', workers=1, shard_size=2)
    assert report['summary']['tasks']['mvc']['asked_for'] == 4
    shards = sorted((tmp_path / 'a').rglob('*.parquet'))
    content = [shard.read_bytes() for shard in shards]
    assert len(shards) == 2
    kept = shards[0].stat().st_mtime_ns
    shards[1].unlink()
    again = generate(['mvc'], 4, 7, tmp_path / 'a', workers=1, shard_size=2)
    assert shards[0].stat().st_mtime_ns == kept
    assert [shard.read_bytes() for shard in shards] == content
    assert again['summary']['tasks'] == report['summary']['tasks']
    assert [example.metadata['index'] for example in load_examples(tmp_path / 'a')] == [0, 1, 2, 3]
    with pytest.raises(StoreError, match='choose another'):
        generate(['mvc'], 4, 8, tmp_path / 'a', workers=1, shard_size=2)
    with pytest.raises(StoreError, match="'map_crop': True"):
        generate(['mvc'], 4, 7, tmp_path / 'a', workers=1, shard_size=2,
                 options=ExampleOptions(map_crop=True))


def test_training_never_reaches_into_evaluation_scenes(tmp_path):
    with pytest.raises(StoreError, match='evaluation scenes'):
        generate(['mvc'], 100, EVALUATION_SEED - 10, tmp_path)
