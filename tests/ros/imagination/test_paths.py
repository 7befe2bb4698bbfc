# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""Questions about a path over real DDS: on a view from above, without any camera."""

from argparse import Namespace
import json
import math

from geometry_msgs.msg import PoseStamped
from ipt_interfaces.action import Imagine
from ipt_interfaces.msg import ErrorCode
from ipt_ros.asking import ask as ask_on_the_command_line
from ipt_ros.geometry import compose, OrthographicCamera
from ipt_ros.ros import qos
from ipt_ros.ros.images import from_rgb, to_rgb
from ipt_ros.ros.messages import camera_info, path_message, transform_message
from ipt_ros.spatial.path_marks import WAYPOINT_COLORS
import numpy as np
import pytest
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import Header
from tf2_msgs.msg import TFMessage

pytestmark = pytest.mark.ros

QUESTION = 'What is on my left at waypoint M1?'
AHEAD = [(0.0, 0.0), (2.0, 0.0)]
# Columns: the axes (x right, y down, z forward) of a camera that looks down, x of odom up.
LOOKING_DOWN = np.array([[0.0, -1.0, 0.0], [-1.0, 0.0, 0.0], [0.0, 0.0, -1.0]])


class MapMaker:
    """Publishes a view from above as a robot would that has one: latched, once."""

    def __init__(self, node):
        self._image = node.create_publisher(Image, 'top_down/image_raw', qos.latched())
        self._info = node.create_publisher(CameraInfo, 'top_down/camera_info', qos.latched())
        self._tf = node.create_publisher(TFMessage, '/tf_static', qos.latched())

    def publish(self, frame: str = 'above', camera=None, **changes):
        """Publish 10 m around (2, 1) of odom, where the robot stands; `changes`: of the image."""
        self._tf.publish(TFMessage(transforms=[transform_message(
            compose(LOOKING_DOWN, (2.0, 1.0, 3.0)), Header(frame_id='odom'), 'above')]))
        header = Header(frame_id=frame)
        image = from_rgb(np.full((200, 200, 3), 90, np.uint8), header)
        for key, value in changes.items():
            setattr(image, key, value)
        camera = camera or camera_info(OrthographicCamera(200, 200, 0.05), header)
        self._info.publish(camera)
        self._image.publish(image)


@pytest.fixture(scope='module')
def maps(bench):
    return MapMaker(bench.node)


def asked(robot, path=AHEAD, frame='base_link', **fields):
    message = path_message(path, frame)
    return robot.ask(fields.pop('question', QUESTION), path=message, **fields)


def eventually(attempt, done):
    """Ask until what was published last has come; return that response."""
    for _ in range(300):
        response = attempt()
        if done(response):
            return response
    raise AssertionError(f'{response.error_code}: {response.message}')


@pytest.fixture
def mapped(active, maps):
    """Return the robot with a good map that has arrived in the node."""
    maps.publish()
    eventually(lambda: asked(active, mode='answer'), lambda response: response.success)
    return active


def refused(response, code: int, *words: str) -> None:
    assert not response.success
    assert response.error_code == code, response.message
    for word in words:
        assert word in response.message, response.message


def test_no_map_yet(active):
    refused(asked(active), ErrorCode.NO_MAP, 'top_down/image_raw', 'transient-local')


def test_a_path_is_answered_from_the_map(mapped):
    response = asked(
        mapped, choices=['the sofa', 'the lamp'], return_images=True, mode='imagine')
    assert response.success, response.message
    answer = response.answer
    assert (answer.task, answer.mode) == ('pt', 'imagine')
    assert answer.text in ('the sofa', 'the lamp')
    assert [item.camera for item in answer.evidence] == ['top_down']
    assert answer.evidence[0].header.frame_id == 'above'
    assert answer.header.frame_id == 'base_link' and answer.header.stamp.sec > 0
    image = to_rgb(response.inputs[0]).astype(int)
    for color, row in zip(WAYPOINT_COLORS, (128 + 43, 128 - 43)):  # ahead is up
        rows, columns = np.nonzero((np.abs(image - color) < 60).all(axis=2))
        assert (columns.mean(), rows.mean()) == pytest.approx((127.5, row), abs=3)
    for imagined in response.imagined:
        place = imagined.camera_pose.pose.position
        assert (place.x, place.y, place.z) == pytest.approx((1.0, 0.0, 1.2), abs=0.01)


def test_paths_come_in_any_frame(mapped):
    """The robot stands at (2, 1) of odom, and looks along x."""
    responses = [
        asked(mapped, path, frame, mode='answer', return_images=True)
        for path, frame in ((AHEAD, 'base_link'), ([(2.0, 1.0), (4.0, 1.0)], 'odom'))]
    assert all(response.success for response in responses), [r.message for r in responses]
    np.testing.assert_array_equal(*(to_rgb(response.inputs[0]) for response in responses))


def test_no_camera_is_needed(mapped):
    for camera in mapped.cameras.values():
        camera.on = False
    mapped.change(4)  # TRANSITION_DEACTIVATE: forgets all frames
    mapped.activate()
    response = eventually(
        lambda: asked(mapped, mode='answer'), lambda response: response.success)
    assert response.answer.task == 'pt'
    assert mapped.ask().error_code == ErrorCode.NO_FRAME


def test_the_action_takes_paths(mapped):
    phases = []
    status, result = mapped.result(mapped.send_goal(
        lambda feedback: phases.append(feedback.phase), kind=Imagine.Goal.ASK, question=QUESTION,
        path=path_message(AHEAD, 'base_link')))
    assert result.success, result.message
    assert result.answer.task == 'pt' and 'read' in phases


def test_the_command_line_takes_paths(mapped, tmp_path, capsys):
    options = Namespace(
        question=QUESTION, choices=['the sofa', 'the lamp'], task='auto', mode='answer',
        cameras=[], target=None, path=[0.0, 0.0, 2.0, 0.0], frame='base_link', seed=-1,
        namespace='/ipt', timeout=240.0, json=True, out=tmp_path)
    assert ask_on_the_command_line(options) == 0
    assert json.loads(capsys.readouterr().out)['task'] == 'pt'
    assert (tmp_path / 'top_down.png').exists()


@pytest.mark.parametrize(('path', 'code', 'word'), [
    ([], ErrorCode.BAD_PATH, '0 pose'),
    ([(1.0, 0.0)], ErrorCode.BAD_PATH, '1 pose'),
    ([(0.0, 0.0), (0.2, 0.0)], ErrorCode.BAD_PATH, 'apart'),
    ([(0.0, 0.0), (math.nan, 0.0)], ErrorCode.TARGET_NOT_FINITE, 'pose 1'),
    ([(0.0, 0.0), (7.0, 0.0)], ErrorCode.TARGET_OUTSIDE_MAP, 'leaves the map'),
    ([(-4.0, 0.0), (4.0, 0.0)], ErrorCode.TARGET_OUTSIDE_MAP, 'does not fit')])
def test_bad_paths(mapped, path, code, word):
    refused(asked(mapped, path), code, word)


def test_bad_frames_of_paths(mapped):
    refused(asked(mapped, frame='moon'), ErrorCode.NO_TRANSFORM, "'moon'")
    refused(asked(mapped, frame=''), ErrorCode.BAD_PATH, 'header of the path')
    mixed = path_message(AHEAD, 'odom')
    mixed.poses.append(PoseStamped(header=Header(frame_id='base_link')))
    mixed.poses[-1].pose.position.x = 3.0
    refused(mapped.ask(QUESTION, path=mixed), ErrorCode.BAD_PATH, 'base_link')


def test_bad_requests_with_paths(mapped):
    refused(mapped.ask(QUESTION), ErrorCode.MISSING_TARGET, 'path')
    refused(mapped.ask('What?', task='pt'), ErrorCode.MISSING_TARGET, 'path')
    refused(asked(mapped, task='mvc'), ErrorCode.BAD_REQUEST, "'mvc'")
    refused(asked(mapped, cameras=['front']), ErrorCode.BAD_CAMERA_COUNT, 'view from above')


@pytest.mark.parametrize(('changes', 'code', 'word'), [
    ({'camera': CameraInfo(width=200, height=200)}, ErrorCode.NO_MAP, 'orthographic'),
    ({'camera': camera_info(OrthographicCamera(64, 64, 0.05), Header())}, ErrorCode.NO_MAP,
     '64x64'),
    ({'encoding': 'hsv16'}, ErrorCode.BAD_IMAGE, 'hsv16'),
    ({'frame': 'nowhere'}, ErrorCode.NO_TRANSFORM, 'nowhere')])
def test_bad_maps(mapped, maps, changes, code, word):
    maps.publish(**changes)
    response = eventually(
        lambda: asked(mapped, mode='answer'), lambda response: not response.success)
    refused(response, code, word)
