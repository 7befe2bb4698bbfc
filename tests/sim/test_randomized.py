# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""Domain randomisation over a whole simulator: what varies, what stays true, what repeats."""

from dataclasses import replace
import hashlib
import logging
import math
from pathlib import Path
import subprocess
import sys

from ipt_ros.geometry import invert, Pose2D, transform_points
from ipt_sim import (
    CameraSpec,
    load_randomization,
    make_simulator,
    Randomization,
    RandomizationError,
    RandomizedSimulator,
    Simulator,
    SimulatorError,
    surround_cameras,
)
from ipt_sim.cropping import centred
from ipt_sim.randomization import randomization_from
from ipt_sim.scenes import generate_scene
from ipt_sim.scenes.model import Pattern
from ipt_sim.scenes.textures import paint, PATTERNS, scene_textures
import numpy as np
import pytest

CONFIG = Path(__file__).parents[2] / 'config'
TRAINING = load_randomization(CONFIG / 'randomization.yaml')
REAL = load_randomization(CONFIG / 'randomization_real.yaml')
SEED = 3
# Small, not square, off every axis: swapped and forgotten terms show.
ODD = CameraSpec('odd', 80, 60, 1.3, (0.1, -0.05, 0.9), yaw=0.4, pitch=0.35, roll=0.2,
                 center_shift=(7, -4))


@pytest.fixture(scope='module')
def bare():
    with make_simulator(cameras=surround_cameras(64), max_image_size=(128, 128)) as sim:
        yield sim


@pytest.fixture(autouse=True)
def as_generated(bare):
    """Take away what a test did to the looks of the shared simulator."""
    bare.restyle(None)


def over(sim, randomization, seed=SEED):
    """Return the simulator, randomised, in its scene."""
    if isinstance(randomization, dict):
        randomization = randomization_from(randomization)
    randomized = RandomizedSimulator(sim, randomization)
    randomized.reset(seed)
    return randomized


def fingerprint(sim, camera='front'):
    frame = sim.render(camera)
    return [frame.rgb, frame.depth, frame.instance, frame.world_from_optical,
            sim.render_topdown((0.2, 0.1), 0.4, 6.0, 64).rgb]


def assert_same(one, other):
    for a, b in zip(one, other, strict=True):
        np.testing.assert_array_equal(a, b)


def differs(one, other):
    return float((one != other).mean())


# Off is off

def test_without_randomisation_pictures_are_exactly_as_before(bare):
    bare.reset(SEED)
    before = fingerprint(bare)
    cameras = bare.cameras
    nothing = over(bare, Randomization(seed=99))
    assert_same(fingerprint(nothing), before)
    assert nothing.cameras == cameras
    over(bare, REAL).render('front')
    bare.restyle(None)
    bare.reset(SEED)
    assert_same(fingerprint(bare), before)


def test_default_simulator_is_not_wrapped():
    with make_simulator(max_image_size=(64, 64), cameras=surround_cameras(32)) as sim:
        assert not isinstance(sim, RandomizedSimulator)


@pytest.mark.parametrize('section', [
    'light', 'textures', 'camera', 'exposure', 'white_balance', 'vignetting', 'defocus',
    'motion_blur', 'noise', 'jpeg', 'drops'])
def test_a_section_with_no_quantities_has_no_effect(bare, section):
    bare.reset(SEED)
    before = bare.render('front').rgb
    after = over(bare, {section: {}}).render('front').rgb
    # Directions of lamps go through angles and come back rounded.
    assert np.abs(after.astype(int) - before).max() <= (section == 'light')


# The same seed, the same bits

@pytest.mark.parametrize('randomization', [TRAINING, REAL], ids=['training', 'real'])
def test_the_same_seed_gives_the_same_bits_whatever_came_before(bare, randomization):
    sim = over(bare, randomization)
    first = fingerprint(sim)
    sim.reset(SEED + 1)
    fingerprint(sim)
    sim.reset(SEED)
    sim.render('back')
    assert_same(fingerprint(sim), first)
    assert_same(fingerprint(over(bare, randomization)), first)


def test_the_same_seed_gives_the_same_bits_in_another_process(bare):
    code = (
        'from ipt_sim import make_simulator, surround_cameras\n'
        'import hashlib\n'
        'sim = make_simulator(cameras=surround_cameras(64), max_image_size=(128, 128),\n'
        f'                     randomization={str(CONFIG / "randomization_real.yaml")!r})\n'
        f'sim.reset({SEED})\n'
        'print(hashlib.sha256(sim.render("left").rgb).hexdigest())\n'
        'print(hashlib.sha256(sim.render_topdown((0, 0), 0, 6.0, 64).rgb).hexdigest())\n')
    found = subprocess.run(
        [sys.executable, '-c', code], capture_output=True, text=True, timeout=120, check=True)
    sim = over(bare, REAL)
    pictures = (sim.render('left').rgb, sim.render_topdown((0, 0), 0, 6.0, 64).rgb)
    assert found.stdout.split() == [hashlib.sha256(rgb).hexdigest() for rgb in pictures]


def test_another_seed_gives_other_pictures_of_the_same_objects(bare):
    one = over(bare, TRAINING)
    first, objects = one.render('front').rgb, one.objects()
    other = over(bare, replace(TRAINING, seed=1))
    assert differs(other.render('front').rgb, first) > 0.5
    assert other.objects() == objects


def test_another_scene_gets_other_cameras_and_looks(bare):
    sim = over(bare, TRAINING)
    cameras, walls = sim.cameras, sim.render_topdown((0.0, 0.0), 0.0, 8.0, 64).rgb
    sim.reset(SEED + 1)
    assert not set(cameras) & set(sim.cameras)
    assert differs(sim.render_topdown((0.0, 0.0), 0.0, 8.0, 64).rgb, walls) > 0.3


def test_cameras_of_one_robot_differ_from_each_other(bare):
    sim = over(bare, TRAINING)
    errors = {camera.hfov for camera in sim.cameras}
    assert len(errors) == 4


def test_noise_is_new_at_every_moment_and_repeats_after_a_reset(bare):
    sim = over(bare, {'noise': {'read': 0.05}})
    first = sim.render('front').rgb
    np.testing.assert_array_equal(sim.render('front').rgb, first)
    sim.step(0.05, 0.0, 0.0)
    second = sim.render('front').rgb
    assert differs(second, first) > 0.5
    sim.reset(SEED)
    np.testing.assert_array_equal(sim.render('front').rgb, first)
    sim.step(0.05, 0.0, 0.0)
    np.testing.assert_array_equal(sim.render('front').rgb, second)


def test_noise_differs_from_camera_to_camera_and_place_to_place(bare):
    sim = over(bare, {'noise': {'read': 0.05}})
    noise = []
    for camera, pose in (('front', sim.pose), ('left', sim.pose), ('front', sim.pose.moved(1e-6))):
        ideal = sim.render_ideal(camera, pose).rgb.astype(int)
        noise.append((sim.render(camera, pose).rgb - ideal).ravel())
    for one, other in ((0, 1), (0, 2)):
        assert abs(np.corrcoef(noise[one], noise[other])[0, 1]) < 0.1


def test_a_turn_more_is_the_same_view(bare):
    sim = over(bare, REAL)
    pose = Pose2D(0.1, 0.0, 0.5)
    same = Pose2D(0.1, -0.0, 0.5 + math.tau)
    one, other = sim.render('front', pose).rgb, sim.render('front', same).rgb
    assert np.abs(one.astype(int) - other).mean() < 1


def test_effects_do_not_disturb_each_other(bare):
    """Turning one effect on leaves what others draw as it was."""
    alone = over(bare, {'camera': {'yaw': [-0.1, 0.1]}}).cameras
    noisy = over(bare, {'camera': {'yaw': [-0.1, 0.1]}, 'noise': {'read': 0.1},
                        'exposure': {'stops': [-1, 1]}})
    noisy.render('front')
    assert noisy.cameras == alone
    wider = over(bare, {'camera': {'yaw': [-0.1, 0.1], 'roll': [-0.1, 0.1]}}).cameras
    assert [camera.yaw for camera in wider] == [camera.yaw for camera in alone]


# The truth stays true

@pytest.mark.parametrize('randomization', [TRAINING, REAL], ids=['training', 'real'])
@pytest.mark.parametrize('camera', ['front', 'right', ODD], ids=['front', 'right', 'odd'])
def test_floor_depth_is_that_of_the_camera_the_frame_reports(bare, randomization, camera):
    sim = over(bare, randomization)
    frame = sim.render(camera)
    floor = next(item.id for item in sim.objects() if item.name == 'floor')
    rows, columns = np.nonzero(frame.instance == floor)
    assert len(rows) > 30
    rays = frame.intrinsics.deproject(np.column_stack([columns, rows]), 1.0)
    rays = rays @ frame.world_from_optical[:3, :3].T
    expected = -frame.world_from_optical[2, 3] / rays[:, 2]
    np.testing.assert_allclose(frame.depth[rows, columns], expected, rtol=2e-3)


@pytest.mark.parametrize('camera', ['front', 'left', ODD], ids=['front', 'left', 'odd'])
def test_pixels_lie_on_the_objects_that_they_name(bare, camera):
    sim = over(bare, REAL)
    frame = sim.render(camera)
    objects = {item.id: item for item in sim.objects()}
    for number in set(np.unique(frame.instance)) - {0}:
        rows, columns = np.nonzero(frame.instance == number)
        points = transform_points(frame.world_from_optical, frame.intrinsics.deproject(
            np.column_stack([columns, rows]), frame.depth[rows, columns]))
        item = objects[number]
        c, s = math.cos(item.yaw), math.sin(item.yaw)
        local = (points - item.position) @ np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])
        assert (np.abs(local) - np.array(item.size) / 2).max() < 3e-3, item.name


def test_cameras_say_how_their_frames_are_taken(bare):
    sim = over(bare, REAL)
    for camera in sim.cameras:
        frame = sim.render(camera.name)
        assert frame.intrinsics == camera.intrinsics
        np.testing.assert_allclose(
            frame.world_from_optical, sim.pose.matrix @ camera.optical_in_base, atol=1e-12)
        np.testing.assert_array_equal(sim.render(camera).rgb, frame.rgb)


def test_cameras_stay_within_the_ranges_and_use_them(bare):
    sim = over(bare, {'camera': {'x': [-0.1, 0.1], 'pitch': [0.2, 0.3], 'focal': [1.2, 1.4],
                                 'center_u': [0.1, 0.2]}})
    seen = []
    for seed in range(6):
        sim.reset(seed)
        for camera, nominal in zip(sim.cameras, bare.cameras):
            assert abs(camera.position[0] - nominal.position[0]) <= 0.1
            assert 0.2 <= camera.pitch <= 0.3
            assert 1.2 <= camera.intrinsics.fx / nominal.intrinsics.fx <= 1.4
            assert 6 <= camera.center_shift[0] <= 13
            assert (camera.position[1:], camera.yaw, camera.roll) == (
                nominal.position[1:], nominal.yaw, nominal.roll)
            seen.append(camera.position[0])
    assert np.ptp(seen) > 0.1


def test_looks_change_neither_depth_nor_ids_nor_objects(bare):
    bare.reset(SEED)
    before, objects, grid = bare.render('front'), bare.objects(), bare.navigable_grid()[0]
    sim = over(bare, replace(Randomization(), light=REAL.light, textures=REAL.textures))
    after = sim.render('front')
    np.testing.assert_array_equal(after.depth, before.depth)
    np.testing.assert_array_equal(after.instance, before.instance)
    assert sim.objects() == objects
    np.testing.assert_array_equal(sim.navigable_grid()[0], grid)
    assert differs(after.rgb, before.rgb) > 0.9


def test_the_ideal_picture_has_the_looks_and_the_camera_but_no_sensor(bare):
    sim = over(bare, REAL)
    ideal, real = sim.render_ideal('front'), sim.render('front')
    assert (ideal.intrinsics, ideal.depth.tobytes()) == (real.intrinsics, real.depth.tobytes())
    assert differs(ideal.rgb, real.rgb) > 0.5
    without_sensor = over(bare, Randomization(
        seed=REAL.seed, light=REAL.light, textures=REAL.textures, camera=REAL.camera))
    np.testing.assert_array_equal(without_sensor.render('front').rgb, ideal.rgb)


def test_maps_have_the_looks_of_the_scene_and_no_sensor(bare):
    sim = over(bare, REAL)
    full = sim.render_topdown((0.0, 0.0), 0.0, 6.0, 64).rgb
    looks = over(bare, Randomization(seed=REAL.seed, light=REAL.light, textures=REAL.textures))
    np.testing.assert_array_equal(looks.render_topdown((0.0, 0.0), 0.0, 6.0, 64).rgb, full)


# Single effects, seen

def mean_of(sim):
    return sim.render('front').rgb.reshape(-1, 3).astype(float).mean(axis=0)


def test_light_can_be_dimmed_and_warmed(bare):
    bare.reset(SEED)
    plain = mean_of(bare)
    dim = mean_of(over(bare, {'light': {'brightness': 0.3, 'ambient': 0.4}}))
    warm = mean_of(over(bare, {'light': {'warmth': 0.6}}))
    assert (dim < 0.8 * plain).all()
    assert warm[0] > plain[0] and warm[2] < plain[2]


def test_textures_are_painted_anew_for_every_scene_and_taken_back(bare):
    """The second scene shows its own patterns, not those that a renderer still holds."""
    what = Randomization(textures=REAL.textures)
    with make_simulator(cameras=surround_cameras(64), max_image_size=(128, 128),
                        randomization=what) as fresh:
        fresh.reset(SEED + 1)
        expected = fresh.render('front').rgb
    sim = over(bare, what)
    sim.render('front')
    sim.reset(SEED + 1)
    np.testing.assert_array_equal(sim.render('front').rgb, expected)


def test_furniture_keeps_what_it_is_told_by(bare):
    """Books, screens, keys and what glows stay as they are; only shades change."""
    sim = over(bare, {'textures': {'furniture': 1.0, 'surfaces': 1.0, 'contrast': 0.6}})
    original = generate_scene(SEED)
    scene = bare.scene
    assert len(scene.items) == len(original.items)
    for changed, item in zip(scene.items, original.items):
        assert (changed.name, changed.pose, changed.color) == (item.name, item.pose, item.color)
        for part, old in zip(changed.parts, item.parts, strict=True):
            assert (part.center, part.size, part.shape) == (old.center, old.size, old.shape)
            if old.material in ('books', 'screen', 'keys', 'rug', 'glow', 'window'):
                assert part.material == old.material
    assert set(scene.patterns) <= set(scene_textures(scene))
    assert sim.objects()


@pytest.mark.parametrize('kind', PATTERNS)
def test_patterns_are_pictures_between_white_and_their_darkest(kind):
    for seed in range(5):
        picture = paint(Pattern(kind, seed, 0.5, (0.2, 0.0, 0.6)))
        assert (picture.shape, picture.dtype) == ((64, 64, 3), np.uint8)
        assert np.ptp(picture[:, :, 1]) > 30
        darkest = picture.reshape(-1, 3).min(axis=0).astype(int)
        assert darkest == pytest.approx((153, 128, 204), abs=26)
        np.testing.assert_array_equal(paint(Pattern(kind, seed, 0.5, (0.2, 0.0, 0.6))), picture)


def test_an_unknown_pattern_is_named():
    with pytest.raises(ValueError, match="no pattern 'plaid'.*stripes"):
        paint(Pattern('plaid', 0, 0.5))


def test_lost_pictures_are_as_many_as_said_and_the_same_again(bare):
    sim = over(bare, {'drops': {'probability': 0.25}})

    def fates():
        sim.reset(SEED)
        found = []
        for _ in range(400):
            sim.step(0.05, 0.0, 0.0)
            found.append([sim.is_lost(name) for name in ('front', 'left')])
        return np.array(found)

    lost = fates()
    assert 0.17 < lost.mean() < 0.33
    assert differs(lost[:, 0], lost[:, 1]) > 0.2
    np.testing.assert_array_equal(fates(), lost)


def test_pictures_get_lost_in_bursts(bare):
    sim = over(bare, {'drops': {'probability': 0.5, 'burst': 1.0}})
    fates = []
    for _ in range(200):
        fates.append(sim.is_lost('front'))
        sim.step(0.1, 0.0, 0.0)
    slices = np.array(fates).reshape(20, 10)
    assert (slices == slices[:, :1]).all()
    assert 3 < slices[:, 0].sum() < 17


def test_nothing_gets_lost_unless_said(bare):
    assert not over(bare, {'noise': {'read': 0.1}}).is_lost('front')


# As a simulator

def test_a_randomised_simulator_is_a_simulator(bare):
    sim = over(bare, TRAINING)
    assert isinstance(sim, Simulator)
    with pytest.raises(SimulatorError, match=r'"rear".*front, left, back, right'):
        sim.render('rear')
    place = sim.sample_navigable(np.random.default_rng(0))
    sim.teleport(Pose2D(*place, 0.3))
    assert sim.is_navigable(*place) and sim.pose == Pose2D(*place, 0.3)
    before = sim.pose
    assert sim.step(0.1, 0.0, 1.0).pose == sim.pose != before


def test_only_what_was_asked_for_is_drawn(bare):
    sim = over(bare, TRAINING)
    both = sim.render('front')
    neither = sim.render('front', depth=False, instance=False)
    assert neither.depth is neither.instance is None
    np.testing.assert_array_equal(neither.rgb, both.rgb)


def test_a_failed_reset_keeps_the_cameras_of_the_scene_that_is_there(bare, monkeypatch):
    sim = over(bare, TRAINING)
    cameras, seen = sim.cameras, sim.render('front').rgb
    monkeypatch.setattr(bare, 'reset', lambda seed: (_ for _ in ()).throw(SimulatorError('no')))
    with pytest.raises(SimulatorError):
        sim.reset(SEED + 1)
    assert sim.cameras == cameras
    np.testing.assert_array_equal(sim.render('front').rgb, seen)


def test_a_backend_that_cannot_change_looks_is_named_once_and_used(bare, caplog):
    class Fixed:
        """The same simulator without the hook."""

        def __getattr__(self, name):
            if name == 'restyle':
                raise AttributeError(name)
            return getattr(bare, name)

    with caplog.at_level(logging.WARNING):
        sim = over(Fixed(), REAL)
        sim.reset(SEED)
        sim.reset(SEED + 1)
    words = [record.getMessage() for record in caplog.records]
    assert len(words) == 1
    assert 'Fixed cannot change lights and textures' in words[0]
    assert differs(sim.render('front').rgb, sim.render_ideal('front').rgb) > 0.5
    caplog.clear()
    over(Fixed(), {'noise': {'read': 0.1}})
    assert not caplog.records


def test_a_scene_has_the_name_that_its_backend_gives_it(bare):
    class Named:
        """The same simulator, with names for scenes."""

        scene_name = 'apartment_1'

        def __getattr__(self, name):
            return getattr(bare, name)

    assert over(Named(), {}).scene_name == 'apartment_1'
    assert not hasattr(over(bare, {}), 'scene_name')


def test_a_file_that_cannot_be_used_starts_no_simulator(tmp_path):
    with pytest.raises(RandomizationError, match=r'none\.yaml'):
        make_simulator(randomization=tmp_path / 'none.yaml')


# Cameras off the middle

def test_roll_turns_the_picture_and_shift_moves_its_axis():
    camera = CameraSpec('c', 100, 80, 1.2, roll=0.3, center_shift=(9, -6))
    assert (camera.intrinsics.cx, camera.intrinsics.cy) == (58.5, 33.5)
    assert camera.intrinsics.fx == CameraSpec('c', 100, 80, 1.2).intrinsics.fx
    ahead_and_up = transform_points(
        invert(camera.optical_in_base), np.array([[1.0, 0.0, 1.2], [1.0, 0.0, 1.4]]))
    uv, _ = camera.intrinsics.project(ahead_and_up)
    np.testing.assert_allclose(uv[0], (58.5, 33.5), atol=1e-9)
    # The camera's top is turned to the right, so what is above appears up and to the left.
    step = (uv[1] - uv[0]) / camera.intrinsics.fx / 0.2
    np.testing.assert_allclose(step, (-math.sin(0.3), -math.cos(0.3)), atol=1e-9)


@pytest.mark.parametrize('shift', [(7, -4), (-3, 5), (0, 6), (0, 0)])
def test_a_crop_of_a_centred_picture_is_the_shifted_camera_s(bare, shift):
    bare.reset(SEED)
    camera = replace(ODD, center_shift=shift)
    larger, rows, columns = centred(camera)
    assert larger.center_shift == (0, 0)
    direct, whole = bare.render(camera), bare.render(larger)
    np.testing.assert_allclose(whole.depth[rows, columns], direct.depth, rtol=1e-3, atol=1e-3)
    np.testing.assert_array_equal(whole.instance[rows, columns], direct.instance)


def test_a_crop_needs_whole_pixels():
    with pytest.raises(ValueError, match='whole pixels'):
        centred(replace(ODD, center_shift=(0.5, 0)))
