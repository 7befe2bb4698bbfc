# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""Examples mined from simulated recordings, against what the simulator knows to be true."""

from collections import Counter
from dataclasses import replace
import math
from types import SimpleNamespace

from box_world import BoxWorld, FLOOR
from ipt_ros.geometry import invert, Pose2D, transform_points
from ipt_ros.spatial import draw_cross, TASKS
from ipt_sim import make_simulator
from ipt_sim.protocol import CameraSpec, SceneObject, surround_cameras
from ipt_sim.truth import scene_truth
from ipt_training.bags import read_rollout
from ipt_training.mining import mine_examples, MiningOptions
from ipt_training.mining.compare import Comparison, main
from ipt_training.mining.free_way import free_way, way_question
from ipt_training.mining.place import Place
from ipt_training.mining.scene_labels import SceneLabels
from ipt_training.store import load_examples, save_shard
from ipt_training.verification import keep_fair
import numpy as np
import pytest
from simulated_bags import drive, record, SECOND, Settings

OPTIONS = MiningOptions(
    max_pairs=40, max_rings=6, map_pixels=96, voxel=0.04, measure_drift=False)
WAY = drive([(-1.8, -1.8), (1.7, -1.8), (1.7, 1.7), (-1.7, 1.7), (-0.2, -0.2)])
CAMERAS = surround_cameras(64)
# Six things along the robot's way, three of them of one class.
BOXES = [
    SceneObject(10 + k, name, (x, y, height / 2), (0.4, 0.4, height), 0.0, 'red')
    for k, (name, x, y, height) in enumerate((
        ('box', -0.9, 0.6, 0.5), ('box', 0.7, -0.9, 0.5), ('box', 0.8, 0.9, 0.6),
        ('sofa', -1.0, -0.9, 0.6), ('lamp', 2.25, 0.0, 1.3), ('plant', -2.2, -0.2, 0.8)))]
TRUTH = {'backend': 'boxes', 'scene': 'boxes_3', 'seed': 3, 'objects': [
    {'id': box.id, 'class': box.name, 'position': list(box.position), 'size': list(box.size),
     'yaw': box.yaw, 'structural': False} for box in BOXES]}


@pytest.fixture(scope='module')
def world():
    world = BoxWorld(BOXES)
    world.reset(3)
    return world


@pytest.fixture(scope='module')
def bag(tmp_path_factory, world):
    settings = Settings(CAMERAS, truth=TRUTH)
    return record(tmp_path_factory.mktemp('bags') / 'drive', world, WAY, settings)


@pytest.fixture(scope='module')
def rollout(bag):
    with read_rollout(bag) as rollout:
        yield rollout


@pytest.fixture(scope='module')
def mined(rollout):
    """Return what is mined with the ground truth left out, with what was used for it."""
    found = mine_examples(rollout, ['pet', 'mvc'], 0, replace(OPTIONS, use_truth=False))
    return list(found), found


@pytest.fixture(scope='module')
def told(rollout):
    """Return what is mined with the simulator's objects."""
    return list(mine_examples(rollout, ['pet', 'mvc'], 0, OPTIONS))


def of(examples, task):
    found = [example for example in examples if example.task == task]
    assert found
    return found


def recorded_at(example, view):
    """Return the pose of the robot, and its camera, for one view of an example."""
    known = example.metadata['mined']
    spec = next(c for c in CAMERAS if c.name == known['cameras'][view])
    return spec, WAY((known['stamps'][view] - 100 * SECOND) / SECOND)


def test_pairs_show_what_the_robot_saw_and_mark_where_it_went(mined, world):
    pairs = of(mined[0], 'pet')
    assert len(pairs) == OPTIONS.max_pairs
    for example in pairs:
        before, after = (world.render(*recorded_at(example, view)) for view in (0, 1))
        np.testing.assert_array_equal(example.target, after.rgb)
        uv = example.metadata['mined']['mark']
        np.testing.assert_array_equal(example.images[0], draw_cross(before.rgb, tuple(uv)))
        # Under the mark's pixel is floor, and it is the place that the robot got to.
        column, row = round(uv[0]), round(uv[1])
        assert before.instance[row, column] == FLOOR
        reached = recorded_at(example, 1)[1]
        place = transform_points(
            invert(before.world_from_optical), np.array([[reached.x, reached.y, 0.0]]))
        np.testing.assert_allclose(before.intrinsics.project(place)[0][0], uv, atol=0.25)
        assert example.metadata['mined']['seen_by_depth'] is True


def test_what_is_said_of_pairs_is_true(mined):
    for example in of(mined[0], 'pet'):
        known = example.metadata
        first, second = (recorded_at(example, view) for view in (0, 1))
        for (spec, base), told in ((first, known['pose']), (second, known['mined']['true_pose'])):
            assert math.hypot(base.x - told[0], base.y - told[1]) < 1e-3
            assert abs(math.remainder(base.yaw + spec.yaw - told[2], math.tau)) < 1e-3
        asked = Pose2D(*known['target_pose'])
        quarter = math.pi / 2 if known['turn'] == 'left' else -math.pi / 2
        assert abs(math.remainder(known['pose'][2] + quarter - asked.yaw, math.tau)) < 1e-3
        true, offset = known['mined']['true_pose'], known['mined']['offset']
        assert offset['metres'] == pytest.approx(
            math.hypot(true[0] - asked.x, true[1] - asked.y), abs=1e-3)
        assert offset['degrees'] == pytest.approx(
            math.degrees(math.remainder(true[2] - asked.yaw, math.tau)), abs=0.02)
        assert abs(offset['degrees']) <= math.degrees(OPTIONS.heading_tolerance) + 0.01
        assert known['scene'] == 'drive' and known['classes'] == []


def test_turns_are_balanced_and_pairs_are_different(mined):
    pairs = of(mined[0], 'pet')
    turns = Counter(example.metadata['turn'] for example in pairs)
    assert abs(turns['left'] - turns['right']) <= 0.3 * len(pairs)
    stamps = [tuple(e.metadata['mined']['stamps'] + e.metadata['mined']['cameras']) for e in pairs]
    assert len(set(stamps)) == len(stamps)


def test_without_truth_there_is_a_request_and_a_question_of_depth_only(mined):
    for example in of(mined[0], 'pet'):
        request = example.questions[0]
        assert request.text.startswith('Generate') and example.metadata['turn'] in request.text
        assert request.answer == '' and request.metadata['truth'].startswith("I've generated")
        assert {q.subtask for q in example.questions[1:]} <= {'free_way_yes', 'free_way_no'}


def test_answers_about_free_ways_are_true(mined, world):
    answers = Counter()
    for example in of(mined[0], 'pet'):
        start = Pose2D(*example.metadata['target_pose'])
        for question in example.questions[1:]:
            # A thin walker and a wide one agree with the answer, to within a cell of the map.
            free = [way_in(world, start, half) for half in (0.12, 0.32)]
            far = question.metadata['distance']
            if question.answer_choice == 'Yes':
                assert far <= free[1] + 0.1, (far, free)
            else:
                assert far >= free[0] - 0.1, (far, free)
            answers[question.answer_choice] += 1
    assert min(answers['Yes'], answers['No']) >= 5


def way_in(world, start, half):
    """Return how far one can go in the box world, by small steps."""
    for step in np.arange(0.25, 4.0, 0.02):
        for side in np.linspace(-half, half, 9):
            place = start.moved(step, side)
            if max(abs(place.x), abs(place.y)) >= world.half or any(
                    abs(place.x - b.position[0]) <= b.size[0] / 2
                    and abs(place.y - b.position[1]) <= b.size[1] / 2 for b in BOXES):
                return step
    return 4.0


def test_rings_look_around_and_map_the_room(mined, world):
    found = mined[1]
    for example in of(mined[0], 'mvc'):
        known = example.metadata
        assert len(example.images) == 4 and example.target.shape == (96, 96, 3)
        for view, offset in enumerate(known['mined']['offsets']):
            spec, base = recorded_at(example, view)
            np.testing.assert_array_equal(example.images[view], world.render(spec, base).rgb)
            asked = known['poses'][view]
            assert math.hypot(base.x - asked[0], base.y - asked[1]) == pytest.approx(
                offset['metres'], abs=2e-3)
            assert offset['metres'] <= OPTIONS.ring_spread
        turns = [math.remainder(b[2] - a[2], math.tau) for a, b in zip(
            known['poses'], known['poses'][1:], strict=False)]
        np.testing.assert_allclose(turns, math.pi / 2, atol=1e-3)
        assert known['map']['yaw'] == pytest.approx(known['poses'][0][2], abs=1e-3)
    assert found.skipped['mvc: like a ring that there is'] > 0


def test_mined_and_true_agree(rollout, world, mined):
    comparison = Comparison(rollout, world)
    for example in mined[0]:
        comparison.add(example, mined[1].place)
    figures = comparison.figures
    assert np.median(figures.mark_metres) < 0.05 and max(figures.mark_metres) < 0.15
    straight = [colour for colour, degrees in zip(
        figures.target_colour, figures.offset_degrees, strict=False) if degrees < 0.05]
    assert len(straight) > 10 and np.median(straight) < 0.5
    assert np.median(figures.target_colour) < 0.5 * np.median(figures.other_colour)
    assert min(figures.map_known) > 0.8 and max(figures.map_height) < 0.04
    assert max(figures.map_colour) < 12 and min(figures.map_iou) > 0.5


@pytest.fixture(scope='module')
def drifting(tmp_path_factory, world):
    """Open a recording whose odometry goes wrong, 2 cm and half a degree more each second."""
    path = record(
        tmp_path_factory.mktemp('bags') / 'drift', world, WAY, Settings(
            CAMERAS, drift=lambda seconds: Pose2D(0.02 * seconds, 0.0, 0.009 * seconds)))
    with read_rollout(path) as rollout:
        yield rollout


def true_pose(record_):
    spec = next(c for c in CAMERAS if c.name == record_.camera)
    return WAY((record_.stamp - 100 * SECOND) / SECOND).matrix @ spec.optical_in_base


def test_odometry_that_drifts_shows_in_the_comparison(drifting, world):
    blind = replace(OPTIONS, require_depth=False, max_pairs=20)
    found = mine_examples(drifting, ['pet'], 0, blind)
    comparison = Comparison(drifting, world, true_pose)
    for example in found:
        comparison.add(example, found.place)
        assert example.metadata['mined']['offset']['metres'] == 0  # all that odometry knows
    figures = comparison.figures
    assert np.median(figures.offset_metres) > 0.05 and np.median(figures.mark_metres) > 0.05
    # What is under the X is as far off as the pose, except where other things hide the floor.
    off = np.array(figures.mark_metres) - np.array(figures.offset_metres)
    assert np.median(np.abs(off)) < 0.02


def test_depth_measures_the_drift_of_odometry(drifting, world):
    options = replace(OPTIONS, measure_drift=True, max_drift=1.0, max_drift_turn=1.0, max_pairs=15)
    found = mine_examples(drifting, ['pet'], 0, options)
    comparison = Comparison(drifting, world, true_pose)
    measured = []
    for example in found:
        comparison.add(example, found.place)
        measured.append(example.metadata['mined']['drift'])
    off = [drift['metres'] - true for drift, true in zip(
        measured, comparison.figures.offset_metres, strict=True) if drift]
    assert len(off) >= 10 and max(comparison.figures.offset_metres) > 0.1
    assert np.median(np.abs(off)) < 0.02 and np.percentile(np.abs(off), 80) < 0.06


def test_pairs_with_too_much_drift_are_left_out(drifting):
    options = replace(OPTIONS, measure_drift=True, max_drift=0.1, max_drift_turn=1.0, max_pairs=6)
    found = mine_examples(drifting, ['pet'], 0, options)
    for example in found:
        drift = example.metadata['mined']['drift']
        assert drift is None or drift['metres'] <= 0.1
    assert found.skipped['pet: depth says that odometry has drifted between the two views'] > 0


def test_objects_of_the_simulator_become_true_questions(told):
    asked = Counter()
    for example in of(told, 'pet'):
        eyes = []
        for view in (0, 1):
            spec, base = recorded_at(example, view)
            eyes.append((base.x, base.y, spec.position[2]))
        after = example.metadata['mined']['true_pose'][2]
        for question in example.questions:
            if question.subtask not in ('camera_motion', 'free_way_yes', 'free_way_no'):
                name = question.metadata['category']
                box = next(b for b in BOXES if b.name == name)
                if question.subtask.startswith('distance'):
                    nearer = math.dist(eyes[1], box.position) < math.dist(eyes[0], box.position)
                    assert question.answer_choice == ('Closer' if nearer else 'Further')
                else:
                    left = math.sin(math.atan2(
                        box.position[1] - eyes[1][1], box.position[0] - eyes[1][0]) - after)
                    assert question.answer_choice == ('left' if left > 0 else 'right')
                asked[question.subtask] += 1
        assert example.metadata['scene'] == 'boxes_3'
    assert sum(asked.values()) > 10 and len(asked) >= 3


def test_counts_of_the_simulator_are_right(told):
    truth = Counter(box.name for box in BOXES)
    counted = Counter()
    for example in of(told, 'mvc'):
        for question in example.questions[:-1]:
            name = question.metadata['category']
            assert int(question.answer_choice) == truth[name], name
            counted[name] += 1
    assert counted['box'] and len(counted) >= 3


def test_mined_examples_are_stored_and_pass_verification(told, mined, tmp_path):
    for number, examples in enumerate((told, mined[0])):
        turned_down = Counter()
        assert all(keep_fair(example, turned_down) for example in examples), turned_down
        for task in ('pet', 'mvc'):
            save_shard(tmp_path / str(number) / task / '00000.parquet', of(examples, task))
            again = list(load_examples(tmp_path / str(number), task))
            assert [e.questions for e in again] == [e.questions for e in of(examples, task)]
            np.testing.assert_array_equal(again[0].target, of(examples, task)[0].target)


def test_the_seed_decides_and_nothing_else(rollout, mined):
    options = replace(OPTIONS, use_truth=False, max_pairs=5)
    same, other = (
        [(e.metadata, e.questions) for e in mine_examples(rollout, ['pet'], seed, options)]
        for seed in (0, 1))
    assert same == [(e.metadata, e.questions) for e in of(mined[0], 'pet')[:5]]
    assert other != same


def test_images_are_brought_to_the_size_asked_for(rollout):
    options = replace(OPTIONS, pixels=32, max_pairs=1, scene='home')
    example = next(mine_examples(rollout, ['pet'], 0, options))
    assert example.images[0].shape == example.target.shape == (32, 32, 3)
    assert example.metadata['scene'] == 'home'


def test_without_depth_only_those_who_ask_for_it_get_pairs(tmp_path, world):
    path = record(tmp_path / 'flat', world, WAY, Settings(CAMERAS[:2], depth=''))
    with read_rollout(path) as rollout:
        found = mine_examples(rollout, ['pet', 'mvc'], 0, OPTIONS)
        assert list(found) == []
        assert found.skipped['pet: no depth at the target tells whether it can be seen'] > 0
        assert found.skipped['pet: NO PAIR of frames in the whole recording'] == 1
        assert found.skipped['mvc: NO RING of four views in the whole recording'] == 1
        pairs = list(mine_examples(
            rollout, ['pet'], 0, replace(OPTIONS, require_depth=False, max_pairs=5)))
    assert len(pairs) == 5
    assert not any(e.metadata['mined']['seen_by_depth'] for e in pairs)


def test_a_robot_with_one_camera_that_turns_on_the_spot_gives_rings(tmp_path, world):
    around = drive([(-1.0, 0.0), (0.2, 0.3), (0.3, 1.6)], around=True, turn=1.2)
    path = record(tmp_path / 'one', world, around, Settings(CAMERAS[:1]))
    with read_rollout(path) as rollout:
        rings = list(mine_examples(rollout, ['mvc'], 0, OPTIONS))
    assert rings
    for example in rings:
        stamps = example.metadata['mined']['stamps']
        assert set(example.metadata['mined']['cameras']) == {'front'}
        assert len(set(stamps)) == 4 and max(stamps) - min(stamps) < 20 * SECOND


def test_pairs_are_never_made_across_a_jump(tmp_path, world):
    def jumping(seconds):
        return WAY(seconds) if seconds < 8 else WAY(seconds + 4)
    jumping.duration = 14
    path = record(tmp_path / 'jump', world, jumping, Settings(CAMERAS[:2]))
    with read_rollout(path) as rollout:
        assert {r.segment for r in rollout.frames} == {0, 1}
        segments = {(r.camera, r.stamp): r.segment for r in rollout.frames}
        for example in mine_examples(rollout, ['pet'], 0, OPTIONS):
            known = example.metadata['mined']
            assert {segments[key] for key in zip(
                known['cameras'], known['stamps'], strict=True)} == {known['segment']}


def test_tasks_that_cannot_be_mined_are_counted(rollout):
    skipped = Counter()
    assert not list(mine_examples(rollout, ['pt'], skipped=skipped))
    assert skipped == {'pt: cannot be mined; only pet, mvc can': 1}


def test_cameras_of_different_height_or_lens_make_no_pairs(tmp_path, world):
    high = CameraSpec('left', 64, 64, math.pi / 2, (0.0, 0.0, 1.6), yaw=math.pi / 2)
    wide = CameraSpec('right', 64, 64, math.radians(110), (0.0, 0.0, 1.2), yaw=-math.pi / 2)
    path = record(tmp_path / 'odd', world, WAY, Settings((CAMERAS[0], high, wide)))
    with read_rollout(path) as rollout:
        pairs = list(mine_examples(rollout, ['pet'], 0, replace(OPTIONS, max_pairs=6)))
    assert pairs
    for example in pairs:
        assert len(set(example.metadata['mined']['cameras'])) == 1


def test_the_owner_of_a_point_is_the_smallest_box_around_it():
    labels = SceneLabels({'objects': [
        {'class': 'table', 'position': [0, 0, 0.4], 'size': [2, 1, 0.8], 'yaw': 0.5},
        {'class': 'chair', 'position': [0, 0, 0.3], 'size': [0.4, 0.4, 0.6], 'yaw': 0.5},
        {'class': 'wall', 'position': [0, 0, 1], 'size': [9, 9, 2], 'structural': True},
    ]}, Pose2D(1.0, 0.0, math.pi / 2).matrix)
    along = Pose2D(1.0, 0.0, math.pi / 2 + 0.5).moved(0.9)
    points = np.array([[1, 0, 0.5], [along.x, along.y, 0.7], [along.x, along.y, 0.01],
                       [along.x + 1, along.y, 0.5], [1, 0, 0.7]])
    owners = labels.owners(points, points[:, 2])
    assert [labels.objects[k].name if k else '' for k in owners] == [
        'chair', 'table', '', '', 'table']
    with pytest.raises(KeyError):
        SceneLabels({'things': []}, np.eye(4))


def test_ways_end_where_the_fused_map_ends(mined):
    place = mined[1].place
    surface, floor = place.surface(0), place.floor(0)
    wall = free_way(surface, floor, Pose2D(0.0, 1.7, math.pi / 2))
    assert wall.blocked and wall.metres == pytest.approx(0.75, abs=0.1)
    beyond = free_way(surface, floor, Pose2D(0.0, 6.0, math.pi / 2))
    assert not beyond.blocked and beyond.metres < 0.4
    assert way_question(beyond, 'left', 'No', np.random.default_rng(0)) is None
    assert way_question(beyond, 'left', 'Yes', np.random.default_rng(0)) is None


def test_the_command_refuses_bags_without_truth(tmp_path, world, rollout, capsys):
    path = record(tmp_path / 'plain', world, drive([(0, 0), (0.5, 0.0)]), Settings(CAMERAS[:1]))
    assert main([str(path)]) == 1
    assert '0 simulated scenes' in capsys.readouterr().err
    assert main([str(tmp_path / 'none')]) == 1
    assert 'no bag at' in capsys.readouterr().err


def test_the_command_prints_figures_of_a_bag_from_the_simulator(tmp_path, capsys):
    cameras = surround_cameras(48)
    with make_simulator('mujoco', cameras=cameras) as simulator:
        simulator.reset(7)
        start, rng = simulator.pose, np.random.default_rng(0)
        ends = [(x, y) for x, y in (simulator.sample_navigable(rng) for _ in range(60)) if all(
            simulator.is_navigable(start.x + (x - start.x) * t, start.y + (y - start.y) * t)
            for t in np.linspace(0, 1, 40))]
        far = max(ends, key=lambda end: math.hypot(end[0] - start.x, end[1] - start.y))
        way = drive([(start.x, start.y), far, (start.x, start.y)], turn=1.5)
        record(tmp_path / 'sim', simulator, way,
               Settings(cameras, truth=scene_truth(simulator, 'mujoco', 7)))
    assert main([str(tmp_path / 'sim'), '--pairs', '6', '--rings', '1',
                 '--pictures', str(tmp_path / 'pictures')]) == 0
    lines = {line[:44].strip(): line[44:].split() for line in capsys.readouterr().out.splitlines()}
    number, _, median, _, largest = map(float, lines['what is under the X from the target (m)'])
    assert number == 6 and median < 0.01 and largest < 0.1
    assert float(lines['mined target from the true view (0-255)'][2]) < float(
        lines['another view from it, to compare'][2])
    assert len(list((tmp_path / 'pictures').glob('pet_*.png'))) == 4


def test_mined_questions_are_not_reworded(mined):
    rng = np.random.default_rng(0)
    for task in ('pet', 'mvc'):
        for question in of(mined[0], task)[0].questions:
            assert TASKS[task].reword(question, rng) is question


@pytest.mark.parametrize(('truth', 'seed'), [
    ({'scene': 'mujoco_1000000', 'seed': 1_000_000}, 1_000_000),
    ({'scene': 'room_0001000003', 'seed': 0}, 1_000_003),  # an exported room, chosen by seed 0
    ({'scene': 'apt_0', 'seed': 1_000_001}, 1_000_001),
    ({'scene': 'apt_0', 'seed': '12'}, 12),
    ({'scene': 'apt_0', 'seed': None}, None),
    ({'scene': 3, 'seed': 4}, 4),
    (None, None),
])
@pytest.mark.parametrize('name', ['', 'kitchen'])
def test_the_seed_of_a_simulated_scene_is_known_under_any_name(truth, seed, name):
    rollout = SimpleNamespace(truth=lambda record: truth, name='drive')
    assert Place(rollout, MiningOptions(scene=name), Counter()).seed(None) == seed


def test_mined_examples_tell_the_seed_of_their_scene(told, mined):
    for task in ('pet', 'mvc'):
        assert all('scene_seed' in example.metadata for example in of(mined[0], task))
