# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""What every backend of the `Simulator` protocol has to do."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
import hashlib
import math
import subprocess
import sys

import cv2
from ipt_ros.geometry import (
    invert,
    OrthographicCamera,
    PinholeCamera,
    Pose2D,
    transform_points,
    wrap_angle,
)
from ipt_sim import (
    CameraSpec,
    EmptyFrameError,
    Frame,
    make_simulator,
    NotNavigableError,
    Simulator,
    SimulatorError,
    surround_cameras,
)
import numpy as np
import pytest

SEEDS = (0, 3, 14, 1_000_000)
# An asymmetric camera, so that swapped axes and signs cannot cancel out.
ODD_CAMERA = CameraSpec('odd', 160, 120, 1.3, (0.15, -0.1, 0.9), yaw=0.4, pitch=0.35)
# Mounted a little askew, its optical axis off the middle of the picture.
ASKEW_CAMERA = replace(ODD_CAMERA, name='askew', roll=0.15, center_shift=(9, -6))


def pixel_grid(frame):
    """Return all pixel centres (H * W, 2) of a frame, row by row."""
    height, width = frame.rgb.shape[:2]
    v, u = np.mgrid[:height, :width]
    return np.column_stack([u.ravel(), v.ravel()]).astype(float)


def seen_points(frame):
    """Return the world points (H * W, 3) that the pixels of a frame show."""
    points = frame.intrinsics.deproject(pixel_grid(frame), frame.depth.ravel())
    return transform_points(frame.world_from_optical, points)


def outside_box(points, item):
    """Tell how far (m) each point lies outside the bounding box of a scene object."""
    c, s = math.cos(item.yaw), math.sin(item.yaw)
    local = (points - item.position) @ np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])
    return np.max(np.abs(local) - np.array(item.size) / 2, axis=1)


def fingerprint(sim, seed):
    """Digest everything that a scene shows and says."""
    sim.reset(seed)
    digest = hashlib.sha256(repr((sim.objects(), sim.pose, sim.room_bounds())).encode())
    for frame in (sim.render(ODD_CAMERA), sim.render_topdown((0.1, 0.2), 0.7, 6.0, 96)):
        for array in (frame.rgb, frame.depth, frame.instance):
            digest.update(array.tobytes())
    digest.update(np.array(sim.sample_navigable(np.random.default_rng(0))).tobytes())
    return digest.hexdigest()


def test_is_a_simulator(sim):
    assert isinstance(sim, Simulator)
    assert [camera.name for camera in sim.cameras] == ['front', 'left', 'back', 'right']


class TestScenes:

    def test_same_seed_same_scene_whatever_came_before(self, sim, backend):
        first = fingerprint(sim, 5)
        fingerprint(sim, 4)
        assert fingerprint(sim, 5) == first
        other = make_simulator(backend)
        try:
            assert fingerprint(other, 5) == first
        finally:
            other.close()

    def test_same_seed_same_scene_in_another_process(self, sim, backend):
        code = (
            'import numpy as np, hashlib\n'
            'from ipt_sim import make_simulator\n'
            f'sim = make_simulator({backend!r})\n'
            'sim.reset(5)\n'
            'f = sim.render("left")\n'
            'print(hashlib.sha256(f.rgb.tobytes() + f.depth.tobytes()).hexdigest())\n'
        )
        result = subprocess.run(
            [sys.executable, '-c', code], capture_output=True, text=True, timeout=120, check=True
        )
        sim.reset(5)
        frame = sim.render('left')
        here = hashlib.sha256(frame.rgb.tobytes() + frame.depth.tobytes()).hexdigest()
        assert result.stdout.split()[-1] == here

    def test_other_seed_other_scene(self, sim):
        assert fingerprint(sim, 5) != fingerprint(sim, 6)

    @pytest.mark.parametrize('seed', SEEDS)
    def test_objects_are_described(self, sim, seed):
        sim.reset(seed)
        objects = sim.objects()
        ids = [item.id for item in objects]
        assert ids == sorted(set(ids))
        assert min(ids) > 0
        structure = {item.name for item in objects if item.structural}
        assert {'floor', 'wall', 'ceiling', 'door'} <= structure
        assert len([item for item in objects if not item.structural]) >= 5
        xmin, ymin, xmax, ymax = sim.room_bounds()
        for item in objects:
            assert item.name
            assert item.color
            assert min(item.size) > 0
            if not item.structural:
                assert xmin <= item.position[0] <= xmax
                assert ymin <= item.position[1] <= ymax

    @pytest.mark.parametrize('seed', [-1, -2**40, True, 1.0, 0.5, '3', None, np.float32(2)])
    def test_seeds_that_are_no_whole_numbers_from_0_on_are_refused(self, sim, seed):
        before = sim.pose
        with pytest.raises(ValueError, match='whole number, not negative'):
            sim.reset(seed)
        assert sim.pose == before

    def test_seeds_may_be_large_and_of_numpy(self, sim):
        sim.reset(2**33)
        before = sim.pose, sim.objects()
        sim.reset(0)
        sim.reset(np.int64(2**33))
        assert (sim.pose, sim.objects()) == before


class TestFrames:

    @pytest.mark.parametrize('seed', SEEDS)
    def test_shapes_types_and_content(self, sim, seed):
        sim.reset(seed)
        names = {item.id for item in sim.objects()}
        for camera in (*sim.cameras, ODD_CAMERA):
            frame = sim.render(camera)
            shape = (camera.height, camera.width)
            assert frame.rgb.shape == (*shape, 3)
            assert frame.rgb.dtype == np.uint8
            assert frame.depth.shape == shape
            assert frame.depth.dtype == np.float32
            assert frame.instance.shape == shape
            assert frame.instance.dtype == np.int32
            assert set(np.unique(frame.instance)) <= names
            assert frame.rgb.std() > 5
            assert frame.depth.min() > 0  # the room is closed
            assert frame.intrinsics == camera.intrinsics
            assert isinstance(frame.intrinsics, PinholeCamera)

    def test_colours_show_where_the_ids_are(self, sim):
        """The picture and the ids must be the same way up: objects have the colour they say."""
        hues = {'red': 0, 'orange': 28, 'lime': 83, 'cyan': 184, 'purple': 280,
                'magenta': 322}
        checked = 0
        for seed in range(12):
            sim.reset(seed)
            named = {item.id: item.color for item in sim.objects() if item.color in hues}
            for frame in (sim.render('front'), sim.render_topdown((0.0, 0.0), 0.4, 6.0, 128)):
                for number, color in named.items():
                    mask = frame.instance == number
                    if mask.sum() < 60:
                        continue
                    # Lids and handles are black or white: judge by what has a colour at all.
                    hue, saturation, value = cv2.cvtColor(
                        frame.rgb[mask][None], cv2.COLOR_RGB2HSV_FULL)[0].astype(float).T
                    vivid = (saturation > 100) & (value > 60)
                    if vivid.mean() < 0.2:
                        continue
                    off = np.abs((hue[vivid] * 360 / 255 - hues[color] + 180) % 360 - 180)
                    assert np.median(off) < 25, (seed, color)
                    checked += 1
        assert checked >= 15

    def test_a_name_is_the_camera_of_that_name(self, sim):
        for camera in sim.cameras:
            np.testing.assert_array_equal(sim.render(camera.name).rgb, sim.render(camera).rgb)

    @pytest.mark.parametrize(('depth', 'instance'), [(False, False), (True, False), (False, True)])
    def test_only_what_was_asked_for(self, sim, depth, instance):
        everything = sim.render('front')
        frame = sim.render('front', depth=depth, instance=instance)
        np.testing.assert_array_equal(frame.rgb, everything.rgb)
        assert (frame.depth is not None) == depth
        assert (frame.instance is not None) == instance
        if depth:
            np.testing.assert_array_equal(frame.depth, everything.depth)
        if instance:
            np.testing.assert_array_equal(frame.instance, everything.instance)

    def test_frames_are_the_caller_s_own(self, sim):
        first = sim.render('front')
        kept = [array.copy() for array in (first.rgb, first.depth, first.instance)]
        sim.render('back')
        for array, copy in zip((first.rgb, first.depth, first.instance), kept):
            np.testing.assert_array_equal(array, copy)

    def test_unknown_camera(self, sim):
        with pytest.raises(SimulatorError, match=r'"rear".*front, left, back, right'):
            sim.render('rear')

    def test_pose_without_numbers(self, sim):
        with pytest.raises(ValueError, match='pose'):
            sim.render('front', Pose2D(math.nan, 0.0))

    def test_a_frame_from_elsewhere_leaves_the_robot_where_it_is(self, sim):
        before = sim.pose
        here = sim.render('front').rgb
        other = Pose2D(before.x + 0.2, before.y, before.yaw + 1.0)
        elsewhere = sim.render('front', other)
        assert sim.pose == before
        np.testing.assert_array_equal(sim.render('front').rgb, here)
        sim.teleport(other)
        np.testing.assert_array_equal(sim.render('front').rgb, elsewhere.rgb)

    def test_empty_size_is_refused(self, sim):
        with pytest.raises(ValueError, match='at least 1x1'):
            sim.render(replace(ODD_CAMERA, width=0))


class TestOpticalFrames:

    @pytest.mark.parametrize('seed', SEEDS)
    def test_pixels_lie_on_the_objects_they_name(self, sim, seed):
        """Depth, ids, intrinsics, camera pose and object poses all have to agree for this."""
        sim.reset(seed)
        objects = {item.id: item for item in sim.objects()}
        frames = [sim.render(camera) for camera in (*sim.cameras, ODD_CAMERA, ASKEW_CAMERA)]
        frames.append(sim.render_topdown((0.3, -0.2), 0.6, 5.0, 200))
        for frame in frames:
            points, ids = seen_points(frame), frame.instance.ravel()
            for number in set(np.unique(ids)) - {0}:
                assert outside_box(points[ids == number], objects[number]).max() < 2e-3

    @pytest.mark.parametrize('pitch', [0.0, 0.3])
    def test_floor_depth_is_the_analytic_one(self, sim, pitch):
        camera = replace(ODD_CAMERA, pitch=pitch)
        frame = sim.render(camera)
        floor = next(item.id for item in sim.objects() if item.name == 'floor')
        on_floor = frame.instance.ravel() == floor
        assert on_floor.sum() > 500
        rays = frame.intrinsics.deproject(pixel_grid(frame), 1.0)
        rays = rays @ frame.world_from_optical[:3, :3].T
        expected = -frame.world_from_optical[2, 3] / rays[on_floor, 2]
        np.testing.assert_allclose(frame.depth.ravel()[on_floor], expected, rtol=1e-3)

    def test_depth_is_planar_not_along_the_ray(self, sim):
        """A wall seen square on has one depth, the one that the room's bounds say."""
        xmin, ymin, xmax, ymax = sim.room_bounds()
        walls = {item.id for item in sim.objects() if item.name == 'wall'}
        base = Pose2D(0.0, 0.0, 0.0)
        frame = sim.render(CameraSpec('up', 64, 64, position=(0.0, 0.0, 2.2)), base)
        wall = np.isin(frame.instance, list(walls)) & (np.arange(64) < 33)[:, None]
        ahead = frame.depth[wall]
        assert len(ahead) > 100
        assert np.isclose(ahead, xmax, atol=2e-3).mean() > 0.3
        assert ahead.max() <= xmax + 2e-3

    def test_left_is_left_and_up_is_up(self, sim):
        """A point left of and above the axis lies left and above in every picture."""
        for camera in sim.cameras:
            frame = sim.render(camera)
            c, s = math.cos(sim.pose.yaw + camera.yaw), math.sin(sim.pose.yaw + camera.yaw)
            ahead = np.array([sim.pose.x + c - 0.3 * s, sim.pose.y + s + 0.3 * c, 1.5])
            uv, depth = frame.intrinsics.project(
                transform_points(invert(frame.world_from_optical), ahead[None])
            )
            assert depth[0] == pytest.approx(1.0)
            assert uv[0, 0] == pytest.approx(frame.intrinsics.cx - 0.3 * frame.intrinsics.fx)
            assert uv[0, 1] == pytest.approx(frame.intrinsics.cy - 0.3 * frame.intrinsics.fy)

    def test_four_cameras_see_all_around(self, sim):
        headings = [
            math.atan2(*sim.render(camera).world_from_optical[1::-1, 2]) for camera in sim.cameras
        ]
        turns = [wrap_angle(heading - sim.pose.yaw) for heading in headings]
        np.testing.assert_allclose(
            np.cos(np.array(turns) - [0, math.pi / 2, math.pi, -math.pi / 2]), 1.0
        )

    @pytest.mark.parametrize('shift', [(9, 0), (-5, 7)])
    def test_a_shifted_axis_moves_the_picture_by_whole_pixels(self, sim, shift):
        du, dv = shift
        straight = sim.render(ODD_CAMERA)
        shifted = sim.render(replace(ODD_CAMERA, center_shift=shift))
        assert shifted.intrinsics.cx == straight.intrinsics.cx + du
        assert shifted.intrinsics.cy == straight.intrinsics.cy + dv
        rows, columns = ODD_CAMERA.height - abs(dv), ODD_CAMERA.width - abs(du)
        here = straight.depth[max(-dv, 0):, max(-du, 0):][:rows, :columns]
        there = shifted.depth[max(dv, 0):, max(du, 0):][:rows, :columns]
        assert np.isclose(here, there, rtol=1e-3).mean() > 0.99

    def test_a_camera_on_its_right_side_sees_the_floor_on_the_right(self, sim):
        floor = next(item.id for item in sim.objects() if item.name == 'floor')
        frame = sim.render(replace(ODD_CAMERA, width=120, roll=math.pi / 2, pitch=0.0))
        share = (frame.instance == floor).mean(axis=0)
        level = sim.render(replace(ODD_CAMERA, width=120, pitch=0.0)).instance == floor
        assert level[60:].sum() > level[:60].sum()
        assert share[60:].sum() > 3 * share[:60].sum()
        points = seen_points(frame)[frame.instance.ravel() == floor]
        assert np.abs(points[:, 2]).max() < 2e-3


class TestUnits:

    def test_metres_wherever_they_are_written(self, sim):
        """Walls stand where the bounds say, people-sized, and hold a door of a person's height."""
        xmin, ymin, xmax, ymax = sim.room_bounds()
        assert 3 < xmax - xmin < 7
        assert 3 < ymax - ymin < 7
        ceiling = next(item for item in sim.objects() if item.name == 'ceiling')
        assert 2.2 < ceiling.position[2] < 3.0
        door = next(item for item in sim.objects() if item.name == 'door')
        assert 1.9 < door.size[2] < 2.3
        for wall in (item for item in sim.objects() if item.name == 'wall'):
            x, y, _ = wall.position
            nearest = min(abs(x - xmin), abs(x - xmax), abs(y - ymin), abs(y - ymax))
            assert nearest < 0.15

    def test_the_middle_pixel_measures_the_way_to_a_wall(self, sim):
        """Moving half a metre towards what is straight ahead takes half a metre off its depth."""
        camera = CameraSpec('high', 65, 65, 0.5, (0.0, 0.0, 2.2))
        start = Pose2D(0.0, 0.0, 0.0)
        far = sim.render(camera, start).depth[32, 32]
        near = sim.render(camera, start.moved(0.5)).depth[32, 32]
        assert far - near == pytest.approx(0.5, abs=2e-3)


class TestTopdown:

    def test_heading_up_and_left_left(self, sim):
        center, yaw, size, pixels = (0.4, -0.3), 0.8, 6.0, 120
        frame = sim.render_topdown(center, yaw, size, pixels)
        assert isinstance(frame.intrinsics, OrthographicCamera)
        assert frame.intrinsics.metres_per_pixel == pytest.approx(size / pixels)
        ahead = Pose2D(*center, yaw).moved(1.0, 0.5)
        uv, _ = frame.intrinsics.project(transform_points(
            invert(frame.world_from_optical), np.array([[ahead.x, ahead.y, 0.0]])
        ))
        np.testing.assert_allclose(uv[0], (59.5 - 10.0, 59.5 - 20.0), atol=1e-6)

    @pytest.mark.parametrize('seed', SEEDS)
    def test_furniture_stands_where_objects_say(self, sim, seed):
        sim.reset(seed)
        frame = sim.render_topdown((0.0, 0.0), 1.1, 8.0, 256)
        to_optical = invert(frame.world_from_optical)
        found = 0
        for item in sim.objects():
            mask = frame.instance == item.id
            if item.structural or not mask.any():
                continue
            middle_optical = transform_points(to_optical, np.array([item.position]))
            uv, _ = frame.intrinsics.project(middle_optical)
            rows, columns = np.nonzero(mask)
            middle = ((columns.min() + columns.max()) / 2, (rows.min() + rows.max()) / 2)
            np.testing.assert_allclose(middle, uv[0], atol=6)
            found += 1
        assert found >= 5

    def test_no_ceiling_and_nothing_outside(self, sim):
        names = {item.id: item.name for item in sim.objects()}
        frame = sim.render_topdown((0.0, 0.0), 0.0, 10.0, 200)
        seen = {names[number] for number in np.unique(frame.instance) if number}
        assert {'floor', 'wall'} <= seen
        assert 'ceiling' not in seen
        outside = frame.instance == 0
        assert outside[0].all()
        assert not frame.depth[outside].any()
        assert (frame.depth[~outside] > 0).all()

    def test_turning_the_map_turns_the_picture(self, sim):
        straight = sim.render_topdown((0.0, 0.0), 0.0, 8.0, 160).instance
        quarter = sim.render_topdown((0.0, 0.0), math.pi / 2, 8.0, 160).instance
        # Turning the heading to the left turns the map to the right.
        assert (np.rot90(straight, -1) == quarter).mean() > 0.99

    def test_depth_is_height_above_what_is_seen(self, sim):
        """From above, the floor is flat, and furniture is as high as it says."""
        frame = sim.render_topdown((0.0, 0.0), 0.5, 6.0, 160)
        height = frame.world_from_optical[2, 3] - frame.depth
        floor = next(item.id for item in sim.objects() if item.name == 'floor')
        np.testing.assert_allclose(height[frame.instance == floor], 0.0, atol=2e-3)
        for item in sim.objects():
            seen = frame.instance == item.id
            if not item.structural and seen.sum() > 20:
                top = item.position[2] + item.size[2] / 2
                assert top - 0.1 < height[seen].max() < top + 2e-3, item.name

    def test_a_map_without_depth_and_ids(self, sim):
        frame = sim.render_topdown((0.0, 0.0), 0.0, 6.0, 64, depth=False, instance=False)
        everything = sim.render_topdown((0.0, 0.0), 0.0, 6.0, 64)
        assert frame.depth is None
        assert frame.instance is None
        np.testing.assert_array_equal(frame.rgb, everything.rgb)

    @pytest.mark.parametrize('size', [0.0, -1.0, math.nan])
    def test_impossible_size(self, sim, size):
        with pytest.raises(ValueError, match='size'):
            sim.render_topdown((0.0, 0.0), 0.0, size, 64)

    @pytest.mark.parametrize('pixels', [0, -3])
    def test_a_map_without_pixels(self, sim, pixels):
        with pytest.raises(ValueError, match='at least 1x1 pixels'):
            sim.render_topdown((0.0, 0.0), 0.0, 5.0, pixels)


class TestDriving:

    def test_starts_at_a_navigable_place(self, sim):
        for seed in SEEDS:
            sim.reset(seed)
            assert sim.is_navigable(sim.pose.x, sim.pose.y)

    def test_samples_are_navigable_and_reachable_by_teleport(self, sim):
        rng = np.random.default_rng(1)
        for _ in range(50):
            x, y = sim.sample_navigable(rng)
            assert sim.is_navigable(x, y)
            sim.teleport(Pose2D(x, y, 7.0))
            assert (sim.pose.x, sim.pose.y) == (x, y)
            assert -math.pi < sim.pose.yaw <= math.pi

    def test_grid_and_is_navigable_agree(self, sim):
        grid, (x0, y0), resolution = sim.navigable_grid()
        assert grid.dtype == bool
        assert grid.any()
        assert not grid.all()
        for row, column in np.ndindex(grid.shape):
            x, y = x0 + (column + 0.5) * resolution, y0 + (row + 0.5) * resolution
            assert sim.is_navigable(x, y) == grid[row, column]

    def test_no_place_in_obstacles_or_outside(self, sim):
        big = [item for item in sim.objects() if not item.structural and item.size[2] > 0.3]
        for item in big:
            with pytest.raises(NotNavigableError, match='cannot be at'):
                sim.teleport(Pose2D(*item.position[:2], 0.0))
        xmin, ymin, xmax, ymax = sim.room_bounds()
        for place in ((xmax, 0.0), (0.0, ymin), (50.0, 0.0), (math.nan, 0.0), (math.inf, 0.0)):
            assert not sim.is_navigable(*place)

    def test_a_refused_teleport_changes_nothing(self, sim):
        before = sim.pose
        with pytest.raises(NotNavigableError):
            sim.teleport(Pose2D(99.0, 0.0, 0.0))
        with pytest.raises(NotNavigableError):
            sim.teleport(Pose2D(before.x, before.y, math.nan))
        assert sim.pose == before

    def test_straight(self, sim):
        start = sim.pose
        result = sim.step(0.5, 0.6, 0.0)
        assert result.pose == sim.pose
        assert not result.collided
        expected = start.moved(0.3)
        assert (result.pose.x, result.pose.y) == pytest.approx((expected.x, expected.y))
        assert result.pose.yaw == pytest.approx(start.yaw)

    def test_turning_on_the_spot(self, sim):
        start = sim.pose
        result = sim.step(1.0, 0.0, 1.2)
        assert (result.pose.x, result.pose.y) == (start.x, start.y)
        assert wrap_angle(result.pose.yaw - start.yaw) == pytest.approx(1.2)

    def test_arc(self, sim):
        """Half a circle to the left ends a diameter to the left, looking back."""
        start = sim.pose
        radius = 0.15
        result = sim.step(math.pi, radius, 1.0)
        expected = start.moved(0.0, 2 * radius)
        assert not result.collided
        assert (result.pose.x, result.pose.y) == pytest.approx((expected.x, expected.y), abs=2e-3)
        assert abs(wrap_angle(result.pose.yaw - start.yaw)) == pytest.approx(math.pi)

    def test_obstacles_stop_the_robot(self, sim):
        for _ in range(200):
            result = sim.step(0.1, 1.0, 0.0)
            assert sim.is_navigable(result.pose.x, result.pose.y)
        assert result.collided
        stuck = sim.pose
        assert sim.step(0.1, 1.0, 0.0).pose == stuck
        turned = sim.step(0.1, 0.0, 1.0)
        assert not turned.collided
        assert wrap_angle(turned.pose.yaw - stuck.yaw) == pytest.approx(0.1)

    def test_backwards(self, sim):
        start = sim.pose
        result = sim.step(0.5, -0.4, 0.0)
        expected = start.moved(-0.2)
        assert (result.pose.x, result.pose.y) == pytest.approx((expected.x, expected.y))

    @pytest.mark.parametrize('command', [(-0.1, 0, 0), (math.nan, 0, 0), (0.1, math.inf, 0),
                                         (0.1, 0, math.nan)])
    def test_impossible_commands(self, sim, command):
        before = sim.pose
        with pytest.raises(ValueError, match='cannot drive'):
            sim.step(*command)
        assert sim.pose == before


class TestEmptyFrames:

    @pytest.mark.parametrize('instance', [True, False])
    def test_a_draw_that_failed_is_not_passed_on(self, sim, monkeypatch, instance):
        """It would spoil training data and frame rates without a word."""
        empty = Frame(
            np.zeros((64, 64, 3), np.uint8), np.zeros((64, 64), np.float32),
            np.zeros((64, 64), np.int32) if instance else None, np.eye(4),
            ODD_CAMERA.intrinsics)
        monkeypatch.setattr(
            sim, '_draw', lambda camera, world_from_optical, *_, **__: replace(
                empty, world_from_optical=world_from_optical))
        with pytest.raises(EmptyFrameError, match='graphics driver'):
            sim.render(CameraSpec('small', 64, 64), instance=instance)

    def test_an_empty_view_from_outside_is_no_failure(self, sim):
        frame = sim.render('front', Pose2D(50.0, 0.0, 0.0))
        assert not frame.depth.any()
        assert not frame.instance.any()


class TestLife:

    def test_another_thread_is_told_so(self, sim):
        with ThreadPoolExecutor(1) as pool, pytest.raises(SimulatorError, match='another thread'):
            pool.submit(sim.render, 'front').result()
        assert sim.render('front').rgb.any()

    def test_reset_comes_first(self, backend):
        sim = make_simulator(backend)
        try:
            for call in (sim.objects, sim.room_bounds, sim.navigable_grid,
                         lambda: sim.render('front')):
                with pytest.raises(SimulatorError, match='reset'):
                    call()
        finally:
            sim.close()

    def test_close_twice_and_no_frames_after(self, backend):
        sim = make_simulator(backend)
        sim.reset(0)
        sim.close()
        sim.close()
        with pytest.raises(SimulatorError, match='closed'):
            sim.render('front')

    def test_two_at_once_do_not_disturb_each_other(self, sim, backend):
        before = sim.render('front').rgb
        other = make_simulator(backend)
        try:
            other.reset(8)
            other.render('front')
            np.testing.assert_array_equal(sim.render('front').rgb, before)
        finally:
            other.close()
        np.testing.assert_array_equal(sim.render('front').rgb, before)

    def test_cameras_of_one_s_own(self, backend):
        sim = make_simulator(backend, cameras=[ODD_CAMERA])
        try:
            sim.reset(0)
            assert sim.render('odd').rgb.shape == (120, 160, 3)
            with pytest.raises(SimulatorError, match='"front"'):
                sim.render('front')
        finally:
            sim.close()
        with pytest.raises(ValueError, match='same name'):
            make_simulator(backend, cameras=[ODD_CAMERA, ODD_CAMERA])

    def test_unknown_backend(self):
        with pytest.raises(ValueError, match='no simulator backend "unreal"'):
            make_simulator('unreal')


@pytest.mark.parametrize('wrong', [
    {'width': 0}, {'height': 0}, {'width': -8}, {'hfov': 0.0}, {'hfov': math.pi},
    {'hfov': math.nan}])
def test_cameras_that_cannot_be_are_refused_by_name(wrong):
    with pytest.raises(ValueError, match='camera "odd" must'):
        replace(ODD_CAMERA, **wrong)


def test_surround_cameras_look_counter_clockwise():
    axes = [camera.optical_in_base[:3, 2] for camera in surround_cameras(64)]
    np.testing.assert_allclose(axes, [[1, 0, 0], [0, 1, 0], [-1, 0, 0], [0, -1, 0]], atol=1e-12)
