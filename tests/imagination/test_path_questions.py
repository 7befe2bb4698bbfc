# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""What a question about a path becomes on a view from above, and why it is refused."""

from dataclasses import replace
import math

import cv2
from ipt_ros.geometry import compose, OrthographicCamera, PinholeCamera, rotation_from_yaw_pitch
from ipt_ros.imagination import AskRequest, Code, ImaginationError, Options, prepare, View
from ipt_ros.spatial import FloorPath, mark_path
from ipt_ros.spatial.path_marks import WAYPOINT_COLORS
from ipt_sim import make_simulator, RenderingUnavailableError
import numpy as np
import pytest

OPTIONS = Options()
LEFT = 'What is on my left at M1?'
AHEAD = [(0.0, 0.0), (2.0, 0.0)]
# Columns: the axes (x right, y down, z forward) of a camera that looks down, x of the base up.
LOOKING_DOWN = np.array([[0.0, -1.0, 0.0], [-1.0, 0.0, 0.0], [0.0, 0.0, -1.0]])


def chart(size: float = 12.0, pixels: int = 480, at=(0.0, 0.0), yaw: float = 0.0) -> View:
    """Return a map of `size` metres around a place whose colours tell places (m) of the base."""
    camera = OrthographicCamera(pixels, pixels, size / pixels)
    pose = rotation_from_yaw_pitch(yaw) @ LOOKING_DOWN
    uv = np.stack(np.meshgrid(np.arange(pixels), np.arange(pixels)), -1).reshape(-1, 2)
    optical = camera.deproject(uv, np.full(len(uv), 3.0))
    places = optical @ pose.T + (*at, 3.0)
    shade = np.clip(np.round(places[:, :2] * 10 + 128), 0, 255).astype(np.uint8)
    image = np.column_stack([shade, np.full(len(shade), 77, np.uint8)])
    return View('top_down', image.reshape(pixels, pixels, 3), camera, compose(pose, (*at, 3.0)))


def asked(question: str = LEFT, path=AHEAD, view: View | None = None, **fields):
    return prepare([view or chart()], AskRequest(question, path=path, **fields), OPTIONS)


def refused(code: Code, *arguments, **fields) -> str:
    with pytest.raises(ImaginationError) as caught:
        asked(*arguments, **fields)
    assert caught.value.code == code, caught.value
    return str(caught.value)


def near(image: np.ndarray, color) -> np.ndarray:
    return (np.abs(image.astype(int) - color) < 50).all(axis=2)


def center_of(image: np.ndarray, color) -> tuple[float, float]:
    rows, columns = np.nonzero(near(image, color))
    assert len(rows) > 10
    return float(columns.mean()), float(rows.mean())


def test_a_path_makes_it_path_tracing_on_the_map_alone():
    prepared = asked(choices=['the sofa', 'the lamp'])
    assert (prepared.task.name, prepared.mode) == ('pt', 'imagine')
    assert prepared.question.text == f'{LEFT}\n(A) the sofa\n(B) the lamp'
    assert [view.name for view in prepared.views] == ['top_down'] and len(prepared.images) == 1


def test_the_map_is_cut_around_the_path_and_keeps_its_up():
    image = asked().images[0]
    assert image.shape == (256, 256, 3)
    scale = 256 / OPTIONS.path_map_size
    one, two = (center_of(image, color) for color in WAYPOINT_COLORS)
    assert one == pytest.approx((127.5, 127.5 + scale), abs=2)
    assert two == pytest.approx((127.5, 127.5 - scale), abs=2)
    # Colours tell places: 3 m to the left of the middle of the path, (1, 3).
    assert image[128, 0, :2] == pytest.approx((138, 158), abs=2)
    assert image[128, -1, :2] == pytest.approx((138, 98), abs=2)


@pytest.mark.parametrize('view', [
    chart(8.0, 1600), chart(8.0, 100), chart(12.0, 480, at=(1.5, -1.0)), chart(9.0, 333)],
    ids=['fine', 'coarse', 'shifted', 'odd'])
def test_any_map_gives_the_picture_that_training_would(view):
    """Marks and places come out the same, whatever the resolution and the middle of the map."""
    reference = asked(view=chart(12.0, 512)).images[0]
    image = asked(view=view).images[0]
    for color in WAYPOINT_COLORS:
        one, other = center_of(reference, color), center_of(image, color)
        assert np.divide(other, len(image)) == pytest.approx(
            np.divide(one, len(reference)), abs=0.01)
    corner = image[len(image) // 4, len(image) // 4].astype(int)
    expected = reference[len(reference) // 4, len(reference) // 4].astype(int)
    assert np.abs(corner - expected).max() <= 3


def test_the_robot_s_marks_are_those_of_training():
    """Cut from a larger map or rendered around the path: the drawing is the same, bit for bit."""
    image = asked(view=replace(chart(12.0, 512), image=np.full((512, 512, 3), 90, np.uint8)))
    camera = OrthographicCamera(256, 256, 6.0 / 256)
    direct = mark_path(
        np.full((256, 256, 3), 90, np.uint8), camera, compose(LOOKING_DOWN, (1.0, 0.0, 3.0)),
        FloorPath(AHEAD))
    np.testing.assert_array_equal(image.images[0], direct)


def test_a_simulated_room_looks_as_it_does_in_training():
    """The part that a robot cuts out of the whole room, beside a render of that part alone."""
    try:
        sim = make_simulator('mujoco')
    except RenderingUnavailableError as error:
        pytest.skip(f'no simulator: {error}')
    with sim:
        sim.reset(5)
        path = FloorPath([(-0.8, 0.2), (0.4, 0.6), (1.2, 0.0)])
        room = sim.render_topdown((0.0, 0.0), 0.0, 6.5, 512)
        part = sim.render_topdown((0.2, 0.3), 0.0, OPTIONS.path_map_size, 192)
    robot = prepare([View('top_down', room.rgb, room.intrinsics, room.world_from_optical)],
                    AskRequest(LEFT, path=path.points.tolist()), OPTIONS).images[0]
    training = mark_path(part.rgb, part.intrinsics, part.world_from_optical, path)
    one, other = (cv2.resize(image, (96, 96), interpolation=cv2.INTER_AREA).astype(int)
                  for image in (robot, training))
    difference = np.abs(one - other)
    assert difference.mean() < 4 and np.percentile(difference, 95) < 25
    # A pixel off would be seen.
    assert difference.mean() < np.abs(np.roll(one, 1, axis=1) - other).mean() / 2


def test_beyond_the_map_it_is_black():
    image = asked(view=chart(4.0, 160, at=(1.0, 0.0))).images[0]
    assert not image[:40].any() and not image[:, -40:].any()
    assert image[128, 128].any()


@pytest.mark.parametrize(('question', 'yaw'), [
    (LEFT, math.pi / 2), ('What is on my right at M1?', -math.pi / 2),
    ('What is on my left at M1 from waypoint 2 to waypoint 1?', -math.pi / 2),
    ('What is on my right at M1 on the path 2→1?', math.pi / 2)])
def test_where_one_looks_is_read_from_the_question(question, yaw):
    pose = asked(question).side_pose
    assert (pose.x, pose.y) == pytest.approx((1.0, 0.0))
    assert math.remainder(pose.yaw - yaw, math.tau) == pytest.approx(0, abs=1e-9)


def test_without_a_side_nobody_knows_where_one_looks():
    assert asked('What is there at M1?').side_pose is None


def test_an_arrow_is_drawn_where_the_question_names_one():
    plain, arrow = (asked(question).images[0] for question in (
        LEFT, 'As the arrow shows I look left at M1. What is there?'))
    assert not near(plain, (0, 0, 255)).any()
    column, row = center_of(arrow, (0, 0, 255))
    assert column < 120 and abs(row - 128) < 6  # the path goes up


def test_maps_lie_in_the_robot_s_frame_whichever_way_it_stands():
    """The same path, told by a robot that has turned: the picture does not turn with it."""
    still = asked(view=replace(chart(), image=np.full((480, 480, 3), 90, np.uint8))).images[0]
    turn = rotation_from_yaw_pitch(1.0)
    view = replace(chart(), image=np.full((480, 480, 3), 90, np.uint8), base_from_optical=compose(
        turn @ LOOKING_DOWN, (0.0, 0.0, 3.0)))
    turned = [tuple(turn[:2, :2] @ point) for point in AHEAD]
    assert np.abs(asked(path=turned, view=view).images[0].astype(int) - still).max() <= 2


@pytest.mark.parametrize(('path', 'code', 'word'), [
    ([], Code.BAD_PATH, '0 pose'),
    ([(1.0, 0.0)], Code.BAD_PATH, '1 pose'),
    ([(0.0, 0.0), (0.3, 0.0)], Code.BAD_PATH, '0.30 m apart'),
    ([(0.0, 0.0), (math.nan, 1.0), (2.0, 0.0)], Code.TARGET_NOT_FINITE, 'pose 1'),
    ([(0.0, 0.0), (math.inf, 1.0)], Code.TARGET_NOT_FINITE, 'NaN'),
    ([(0.0, 0.0), (7.0, 0.0)], Code.TARGET_OUTSIDE_MAP, 'leaves the map: pose 1'),
    ([(0.0, -40.0), (0.0, 0.0)], Code.TARGET_OUTSIDE_MAP, 'pose 0'),
    ([(-3.0, 0.0), (3.0, 0.0)], Code.TARGET_OUTSIDE_MAP, 'does not fit on the 6 m')])
def test_bad_paths_are_refused(path, code, word):
    assert word in refused(code, path=path)


def test_bad_questions_about_paths_are_refused():
    refused(Code.EMPTY_QUESTION, '')
    refused(Code.BAD_CHOICES, choices=['one'])
    refused(Code.BAD_REQUEST, task='pet')
    refused(Code.BAD_REQUEST, target=(2.0, 0.0, 0.0))
    refused(Code.BAD_CAMERA_COUNT, cameras=['front'])
    assert 'left' in refused(Code.BAD_REQUEST, 'Where does the arrow at M1 point?')
    assert 'path' in refused(Code.MISSING_TARGET, path=None)
    refused(Code.MISSING_TARGET, 'What is there?', path=None, task='pt')


def test_without_a_usable_map_paths_are_refused():
    pinhole = replace(chart(), camera=PinholeCamera.from_hfov(480, 480, 1.5))
    refused(Code.NO_MAP, view=pinhole)
    assert 'lost' in refused(Code.NO_TRANSFORM, view=replace(
        chart(), base_from_optical=None, problem='it is lost'))
    tilted = rotation_from_yaw_pitch(0.0, 0.5) @ LOOKING_DOWN
    assert '29 deg' in refused(Code.NO_MAP, view=replace(
        chart(), base_from_optical=compose(tilted, (0.0, 0.0, 3.0))))


def test_a_map_among_the_views_does_not_disturb_other_questions(views):
    request = AskRequest('How many chairs are there?')
    assert len(prepare([chart(), *views], request, OPTIONS).images) == 4


def test_the_imagined_view_is_placed_beside_the_path(door, scripted):
    result = door.ask([chart()], AskRequest(LEFT, ('the sofa', 'the lamp'), path=AHEAD))
    imagined, = result.imagined
    assert imagined.kind == 'view'
    pose = imagined.base_from_optical
    assert pose[:3, 3] == pytest.approx((1.0, 0.0, 1.2))
    assert pose[:3, 2] == pytest.approx((0.0, 1.0, 0.0))  # it looks to the left
    assert imagined.camera.hfov == pytest.approx(math.pi / 2)
    assert result.cameras == ('top_down',) and result.answer.task == 'pt'
