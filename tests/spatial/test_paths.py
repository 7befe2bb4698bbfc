# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""Paths over the floor by hand-made geometry, and their marks at pixel level."""

import math

import cv2
from hypothesis import given, settings
from hypothesis import strategies as st
from ipt_ros.geometry import compose, OrthographicCamera, rotation_from_yaw_pitch
from ipt_ros.spatial import draw_path, errors, FloorPath, label_path, mark_path
from ipt_ros.spatial.path_marks import PARTS, PATH_COLOR, WAYPOINT_COLORS, WAYPOINT_RADIUS
import numpy as np
import pytest

GREY = 128
# Columns: the axes (x right, y down, z forward) of a camera that looks down, x of the world up.
LOOKING_DOWN = np.array([[0.0, -1.0, 0.0], [-1.0, 0.0, 0.0], [0.0, 0.0, -1.0]])
BEND = FloorPath([(0.0, 0.0), (2.0, 0.0), (2.0, 1.0)])


def blank(side: int, color: int = GREY) -> np.ndarray:
    return np.full((side, side, 3), color, np.uint8)


def near(image: np.ndarray, color: tuple[int, int, int], tolerance: int = 60) -> np.ndarray:
    return (np.abs(image.astype(int) - color) < tolerance).all(axis=2)


# Geometry

def test_midpoint_is_half_way_along_the_path_and_faces_the_way_one_goes():
    assert BEND.length == 3.0
    assert (BEND.midpoint.x, BEND.midpoint.y) == (1.5, 0.0)
    assert BEND.midpoint.yaw == pytest.approx(0.0)
    back = BEND.reversed().midpoint
    assert (back.x, back.y, abs(back.yaw)) == pytest.approx((1.5, 0.0, math.pi))


def test_ends_face_along_the_path():
    assert BEND.pose_at(0.0).yaw == pytest.approx(0.0)
    end = BEND.pose_at(BEND.length)
    assert (end.x, end.y, end.yaw) == pytest.approx((2.0, 1.0, math.pi / 2))


def test_bends_are_told():
    assert BEND.bend_at(1.5) == pytest.approx(0.0)
    assert BEND.bend_at(2.0) == pytest.approx(math.pi / 2)


@given(st.integers(0, 2**32 - 1), st.floats(-math.pi, math.pi), st.integers(1, 20))
def test_geometry_turns_with_the_path_and_does_not_depend_on_extra_poses(seed, angle, cuts):
    rng = np.random.default_rng(seed)
    points = np.concatenate([[[0.0, 0.0]], rng.uniform(-3, 3, (3, 2)), [[2.0, 2.0]]])
    dense = np.concatenate([np.linspace(a, b, cuts + 1) for a, b in zip(points, points[1:])])
    turn = rotation_from_yaw_pitch(angle)[:2, :2]
    one, other = FloorPath(points), FloorPath(dense @ turn.T + (5.0, -1.0))
    assert other.length == pytest.approx(one.length)
    place = turn @ (one.midpoint.x, one.midpoint.y) + (5.0, -1.0)
    assert place == pytest.approx((other.midpoint.x, other.midpoint.y))
    difference = other.midpoint.yaw - one.midpoint.yaw - angle
    assert math.remainder(difference, math.tau) == pytest.approx(0.0, abs=1e-6)


@pytest.mark.parametrize(('points', 'error', 'word'), [
    ([], errors.PathInvalidError, 'array'),
    (np.zeros((0, 2)), errors.PathInvalidError, '0 pose'),
    ([(0.0, 0.0)], errors.PathInvalidError, '1 pose'),
    ([(0, 0, 0), (1, 1, 0)], errors.PathInvalidError, 'array'),
    ([(0.0, 0.0), (math.nan, 0.0), (2.0, 0.0)], errors.TargetInvalidError, 'pose 1'),
    ([(0.0, 0.0), (math.inf, 0.0)], errors.TargetInvalidError, 'infinity'),
    ([(0.0, 0.0), (3.0, 0.0), (0.0, 0.5)], errors.PathInvalidError, '0.50 m apart')])
def test_what_is_no_path_is_refused(points, error, word):
    with pytest.raises(error, match=word):
        FloorPath(points)


# Drawing

@pytest.mark.parametrize('side', [64, 96, 256, 1024])
def test_waypoints_and_midpoint_are_where_they_belong(side):
    path = np.array([(0.2, 0.7), (0.5, 0.45), (0.8, 0.7)]) * side
    image = draw_path(blank(side), path, path[1])
    for place, color in zip(path[[0, 2]], WAYPOINT_COLORS):
        rows, columns = np.nonzero(near(image, color))
        apart = np.hypot(columns - place[0], rows - place[1])
        assert len(apart) >= 0.3 * math.pi * (WAYPOINT_RADIUS * side) ** 2
        assert apart.max() <= WAYPOINT_RADIUS * side + 1
        assert (columns.mean(), rows.mean()) == pytest.approx(place, abs=0.01 * side + 0.7)
    column, row = np.round(path[1]).astype(int)
    assert near(image, PATH_COLOR)[row, column]


@pytest.mark.parametrize('background', [0, 128, 255])
def test_line_is_seen_on_every_background_all_along(background):
    image = draw_path(blank(96, background), np.array([(10, 50), (85, 50)]), (48, 50))
    core = near(image, PATH_COLOR, 90)[48:53]
    assert core[:, 16:79].any(axis=0).mean() > 0.9  # but for the ring around M1
    edge = image[46:55, 20:40].astype(int).sum(axis=2)
    assert edge.max() - edge.min() > 250  # the outline


def test_waypoints_1_and_2_differ_by_color_and_by_digit():
    path = np.array([(20.0, 48.0), (76.0, 48.0)])
    there = draw_path(blank(96), path, (48, 48))
    back = draw_path(blank(96), path[::-1], (48, 48))
    one, two = (image[42:55, 14:27].astype(int) for image in (there, back))
    assert near(one, WAYPOINT_COLORS[0]).sum() > 12 and near(two, WAYPOINT_COLORS[1]).sum() > 12
    digits = [part.min(axis=2) > 150 for part in (one[3:-3, 3:-3], two[3:-3, 3:-3])]
    assert digits[0].sum() >= 3 and digits[1].sum() >= 5  # '2' has more ink
    assert (digits[0] != digits[1]).sum() >= 4


@pytest.mark.parametrize('side', [96, 1024])
def test_label_is_legible_beside_the_path(side):
    path = np.array([(0.2, 0.5), (0.8, 0.5)]) * side
    image = draw_path(blank(side), path, path.mean(axis=0))
    white = image.min(axis=2) > 190
    middle = white[round(0.3 * side):round(0.7 * side), round(0.3 * side):round(0.7 * side)]
    rows, columns = np.nonzero(middle)
    assert 0.05 * side < np.ptp(rows) + 1 < 0.09 * side
    assert 0.07 * side < np.ptp(columns) + 1 < 0.12 * side
    assert np.abs(rows - 0.2 * side).min() > 0.02 * side  # off the line
    # Two letters: a gap between them, and M wider than 1.
    parts = np.split(np.arange(len(middle)), np.nonzero(~middle.any(axis=0))[0])
    widths = [len(part) for part in parts if len(part) > 1]
    assert len(widths) >= 2 and widths[0] > widths[-1]


def test_arrow_points_where_one_looks():
    path = np.array([(20.0, 48.0), (76.0, 48.0)])
    up, down = (
        draw_path(blank(96), path, (48, 48), look=(0.0, sign)) for sign in (-1.0, 1.0))
    blue = [near(image, (0, 0, 255), 90) for image in (up, down)]
    assert blue[0][34:44].sum() > 12 and not blue[0][53:].any()
    assert blue[1][53:63].sum() > 12 and not blue[1][:44].any()
    plain = draw_path(blank(96), path, (48, 48))
    assert not near(plain, (0, 0, 255), 90).any()


@settings(max_examples=25)
@given(st.floats(0, math.tau), st.floats(0, math.tau))
def test_label_covers_no_other_mark(direction, look):
    along = np.array([math.cos(direction), math.sin(direction)])
    path = 128 + 80 * np.outer([-1, 1], along)
    marked = draw_path(blank(256), path, (128, 128), (math.cos(look), math.sin(look)))
    tip = 128 + 0.15 * 256 * np.array([math.cos(look), math.sin(look)])
    for place in np.linspace((128, 128), tip, 8)[2:-2]:
        column, row = np.round(place).astype(int)
        assert near(marked, (0, 0, 255), 90)[row, column]


def test_labels_say_which_pixels_belong_to_which_mark():
    path = np.array([(20.0, 48.0), (76.0, 48.0)])
    for look, arrow in ((None, False), ((0.0, 1.0), True)):
        labels = label_path((96, 96), path, (48.0, 48.0), look)
        image = draw_path(blank(96), path, (48.0, 48.0), look)
        changed = (np.abs(image.astype(int) - GREY).sum(axis=2) > 230)
        assert (labels[changed] > 0).mean() > 0.95
        assert not (labels[~(image != GREY).any(axis=2)] > 0).any()
        names = {PARTS[number - 1] for number in np.unique(labels) if number}
        assert names == set(PARTS) - ({'arrow'} if not arrow else set())
        assert PARTS[labels[48, 20] - 1] == 'waypoint 1'
        assert PARTS[labels[48, 76] - 1] == 'waypoint 2'
        assert PARTS[labels[48, 48] - 1] == 'midpoint'
        assert PARTS[labels[48, 34] - 1] == 'path'


def test_robot_and_training_see_the_same_marks():
    """Drawn at 256, 512 or 192 pixels, the marks are the same once resized to 96."""
    small = []
    for side in (192, 256, 512):
        path = np.array([(0.2, 0.3), (0.6, 0.35), (0.8, 0.7)]) * side - 0.5
        drawn = draw_path(blank(side), path, path[1], (0.0, 1.0))
        small.append(cv2.resize(drawn, (96, 96), interpolation=cv2.INTER_AREA).astype(int))
    for other in small[1:]:
        assert np.abs(small[0] - other).mean() < 1.0
        assert np.abs(small[0] - other).max() < 110


def test_drawing_leaves_the_input_alone_and_cuts_marks_at_the_border():
    image = blank(96)
    drawn = draw_path(image, np.array([(-5, 40), (100, 60)]), (48, 50), (1.0, 0.0))
    assert (image == GREY).all() and drawn.shape == image.shape
    assert (drawn[80:] == GREY).all()


@pytest.mark.parametrize(('image', 'path'), [
    (np.zeros((9, 9), np.uint8), np.zeros((2, 2))),
    (np.zeros((9, 9, 3), np.float32), np.zeros((2, 2))),
    (np.zeros((9, 9, 3), np.uint8), np.zeros((1, 2))),
    (np.zeros((9, 9, 3), np.uint8), np.zeros((2, 3)))])
def test_other_images_and_paths_are_refused(image, path):
    with pytest.raises(ValueError, match='expected a uint8|a path is'):
        draw_path(image, path, (4, 4))


# From metres to pixels

def test_paths_are_marked_where_the_camera_sees_them():
    camera = OrthographicCamera(120, 120, 0.05)
    pose = compose(LOOKING_DOWN, (1.0, 0.0, 3.0))  # 6 m around (1, 0), x up, y left
    image = mark_path(blank(120), camera, pose, FloorPath([(0.0, 0.0), (2.0, 0.0)]))
    rows, columns = np.nonzero(near(image, WAYPOINT_COLORS[0]))
    assert (columns.mean(), rows.mean()) == pytest.approx((59.5, 79.5), abs=1.0)
    rows, columns = np.nonzero(near(image, WAYPOINT_COLORS[1]))
    assert (columns.mean(), rows.mean()) == pytest.approx((59.5, 39.5), abs=1.0)


def test_the_look_is_a_heading_in_the_frame_of_the_path():
    camera = OrthographicCamera(120, 120, 0.05)
    pose = compose(LOOKING_DOWN, (1.0, 0.0, 3.0))
    path = FloorPath([(0.0, 0.0), (2.0, 0.0)])
    image = mark_path(blank(120), camera, pose, path, path.midpoint.yaw + math.pi / 2)
    _, columns = np.nonzero(near(image, (0, 0, 255), 90))
    assert columns.max() < 60 and columns.min() < 46  # who walks up sees the left on the left


@pytest.mark.parametrize('end', [(2.95, 0.0), (0.0, 3.5), (40.0, 40.0)])
def test_a_path_that_leaves_the_map_is_refused(end):
    camera = OrthographicCamera(120, 120, 0.05)
    path = FloorPath([(0.0, 0.0), end])
    with pytest.raises(errors.PathOutsideMapError, match='pose 1 at'):
        mark_path(blank(120), camera, compose(LOOKING_DOWN, (0.0, 0.0, 3.0)), path)
