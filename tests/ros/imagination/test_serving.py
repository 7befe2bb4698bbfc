# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""What comes back, what is published, and how the node behaves while it works."""

import math
import threading

from action_msgs.msg import GoalStatus
from diagnostic_msgs.msg import DiagnosticArray
from geometry_msgs.msg import PointStamped, PoseStamped
from ipt_interfaces.action import Imagine
from ipt_interfaces.msg import Answer, ErrorCode
from ipt_interfaces.srv import Ask, ImagineBev
from ipt_ros.geometry import PinholeCamera
from ipt_ros.geometry.distortion import Rectifier
from ipt_ros.ros import qos
from ipt_ros.ros.images import to_rgb
from ipt_ros.ros.transforms import nanoseconds
from lifecycle_msgs.msg import Transition
from nav_msgs.msg import OccupancyGrid
import numpy as np
import pytest
from sensor_msgs.msg import CameraInfo, Image
from tf2_msgs.msg import TFMessage

pytestmark = pytest.mark.ros

CAMERA = PinholeCamera.from_hfov(64, 64, np.pi / 2)  # that of the made-up robot
PET = "I go to the 'X' and turn left 90 degrees. Is the chair then on my left or right?"


@pytest.fixture(scope='module')
def parameters():
    """Make imagining long enough to do something meanwhile, and previews frequent."""
    return {'steps': 40, 'queue_limit': 1, 'preview_period': 3}


def target(x, y, frame='base_link') -> PointStamped:
    message = PointStamped()
    message.header.frame_id = frame
    message.point.x, message.point.y = float(x), float(y)
    return message


def pose(x, y, yaw, frame='base_link') -> PoseStamped:
    message = PoseStamped()
    message.header.frame_id = frame
    message.pose.position.x, message.pose.position.y = float(x), float(y)
    message.pose.orientation.z, message.pose.orientation.w = math.sin(yaw / 2), math.cos(yaw / 2)
    return message


def listen(robot, kind, topic: str, seconds: float = 240.0, until=lambda message: True):
    """Return the first message of a latched topic for which until(message) is true."""
    heard, came = [], threading.Event()

    def take(message):
        if until(message):
            heard.append(message)
            came.set()

    # It stays until the bench closes: destroying it would pull it from under the spinning thread.
    robot.node.create_subscription(kind, topic, take, qos.latched())
    assert came.wait(seconds), f'nothing on {topic}'
    return heard[0]


def names(phases) -> list[str]:
    return [phase.name for phase in phases]


# What comes back

def test_the_model_sees_pictures_without_the_distortion_of_the_lens(active):
    d = [-0.2, 0.05, 0.0, 0.0, 0.0]
    active.cameras['front'].info = {'d': d}
    picture = active.pictures['front']
    expected = Rectifier(CAMERA, 'plumb_bob', d).picture(picture)
    assert not np.array_equal(expected, picture)
    for _ in range(200):  # until the first such camera_info arrives
        response = active.ask(cameras=['front'], mode='answer', return_images=True)
        if not np.array_equal(to_rgb(response.inputs[0]), picture):
            break
    np.testing.assert_array_equal(to_rgb(response.inputs[0]), expected)


def test_an_answer_rests_on_evidence(active):
    choices = ['1', '2', '3', '4']
    response = active.ask(choices=choices, mode='answer', seed=7)
    assert response.success and response.error_code == ErrorCode.NONE, response.message
    answer = response.answer
    assert (answer.task, answer.mode, answer.seed) == ('mvc', 'answer', 7)
    assert answer.model_id == 'tiny'
    assert answer.letter == 'ABCD'[answer.index] and answer.text == choices[answer.index]
    assert answer.confidence == pytest.approx(answer.choice_probabilities[answer.index])
    assert sum(answer.choice_probabilities) == pytest.approx(1.0, abs=1e-5)
    assert [e.camera for e in answer.evidence] == ['front', 'left', 'back', 'right']
    assert [e.header.frame_id for e in answer.evidence] == [
        f'{name}_optical_frame' for name in ('front', 'left', 'back', 'right')]
    assert nanoseconds(answer.header.stamp) == max(
        nanoseconds(e.header.stamp) for e in answer.evidence)
    assert answer.header.frame_id == 'base_link'
    assert names(answer.phases)[:2] == ['observe', 'queue']
    assert names(answer.phases)[2:] == ['read', 'answer', 'score']
    assert not response.inputs and not response.imagined


def test_a_question_without_choices_is_answered_in_words(active):
    answer = active.ask('What is this?', cameras=['left'], mode='answer').answer
    assert (answer.task, answer.letter, answer.index) == ('free', '', -1)
    assert math.isnan(answer.confidence) and not answer.choice_probabilities
    assert [e.camera for e in answer.evidence] == ['left']


def test_cameras_are_seen_in_the_order_asked(active):
    response = active.ask(
        'What is this?', cameras=['right', 'front'], mode='answer', return_images=True)
    assert [e.camera for e in response.answer.evidence] == ['right', 'front']
    np.testing.assert_array_equal(to_rgb(response.inputs[0]), active.pictures['right'])


def test_perspective_taking_marks_the_target(active):
    response = active.ask(
        PET, choices=['left', 'right'], target=target(3, 0.5), return_images=True)
    assert response.success, response.message
    assert (response.answer.task, response.answer.mode) == ('pet', 'imagine')
    assert [e.camera for e in response.answer.evidence] == ['front']
    assert response.answer.target == target(3, 0.5)
    marked = to_rgb(response.inputs[0])
    changed = (marked != active.pictures['front']).any(axis=2)
    v, u = np.argwhere(changed).mean(axis=0)
    # 3 m ahead and 0.5 m left, seen from 1.2 m: 32 px is the focal length.
    assert (u, v) == (pytest.approx(31.5 - 32 * 0.5 / 3, abs=1), pytest.approx(
        31.5 + 32 * 1.2 / 3, abs=1))


def test_a_target_in_another_frame(active):
    """The robot stands at (2, 1) of odom and looks along x."""
    there = active.ask(PET, target=target(5, 1.5, 'odom'), return_images=True, mode='answer')
    here = active.ask(PET, target=target(3, 0.5), return_images=True, mode='answer')
    assert there.success, there.message
    assert there.inputs[0].data == here.inputs[0].data


def test_an_imagined_view(active):
    response = active.imagine_view(target=pose(3, 0.5, math.pi / 2), seed=3)
    assert response.success, response.message
    imagined = response.imagined
    assert imagined.kind == 'view' and imagined.seed == 3 and imagined.model_id == 'tiny'
    assert 0.0 <= imagined.confidence <= 1.0
    assert imagined.image.header == imagined.camera_info.header
    assert imagined.image.header.frame_id == 'ipt/imagined_view'
    assert (imagined.camera_info.width, imagined.camera_info.height) == (
        imagined.image.width, imagined.image.height) == (32, 32)
    assert imagined.camera_info.k[0] == pytest.approx(16.0)
    position = imagined.camera_pose.pose.position
    assert (position.x, position.y, position.z) == pytest.approx((3.0, 0.5, 1.2))
    # Looks along +y of the base: optical z forward, x right (= +x of the base), y down.
    turn = imagined.camera_pose.pose.orientation
    assert [turn.x, turn.y, turn.z, turn.w] == pytest.approx(
        [-math.sqrt(0.5), 0, 0, math.sqrt(0.5)], abs=1e-6)
    assert [e.camera for e in response.evidence] == ['front']
    assert 'imagine' in names(response.phases)


def test_the_camera_that_fits_the_turn_is_chosen(active):
    """A target to the left that looks ahead is a right turn of the left camera."""
    response = active.imagine_view(target=pose(0.2, 3, 0.1))
    assert response.success, response.message
    assert [e.camera for e in response.evidence] == ['left']
    assert '-6 deg' in response.message and "'left' turned 90 deg right" in response.message


def test_the_same_seed_imagines_the_same(active):
    first, again, other = (
        active.imagine_view(target=pose(3, 0, math.pi / 2), seed=seed).imagined.image.data
        for seed in (5, 5, 6))
    assert first == again != other


def test_an_imagined_map(active):
    response = active.imagine_bev(centre=target(1.0, 0.0), size=4.0, resolution=0.5)
    assert response.success, response.message
    grid, imagined = response.grid, response.imagined
    assert (grid.info.width, grid.info.height) == (8, 8)
    assert grid.info.resolution == pytest.approx(0.5)
    assert grid.header.frame_id == 'base_link'
    assert (grid.info.origin.position.x, grid.info.origin.position.y) == pytest.approx((-1, -2))
    assert set(grid.data) <= set(range(-1, 101))
    assert (imagined.kind, imagined.image.width) == ('bev', 8)
    assert imagined.metres_per_pixel == pytest.approx(0.5)
    assert imagined.camera_info.k[0] == 0.0
    assert len(response.evidence) == 4
    assert active.imagine_bev().grid.info.width == 32


def test_cameras_of_a_map_can_be_named(active):
    response = active.imagine_bev(cameras=['front', 'left'])
    assert response.error_code == ErrorCode.BAD_CAMERA_COUNT
    assert 'takes 4 image(s), got 2' in response.message and "'cameras'" in response.message
    goal = active.send_goal(kind='bev', cameras=list(active.cameras)[::-1])
    _, result = active.result(goal)
    assert result.error_code == ErrorCode.BAD_REQUEST
    assert 'in the order right, front, left, back,' in result.message
    goal = active.send_goal(kind='bev', cameras=['right', 'front', 'left', 'back'])
    _, result = active.result(goal)
    assert result.success, result.message


# What is published

def test_answers_and_pictures_are_latched(active):
    response = active.ask(cameras=['front'], mode='answer')
    assert response.success, response.message
    sent, heard = response.answer, listen(active, Answer, 'imagination/answer')
    assert heard.question == sent.question and heard.header == sent.header

    response = active.imagine_view(target=pose(3, 0, math.pi / 2))
    assert response.success, response.message
    view = response.imagined
    assert listen(active, Image, 'imagination/imagined/image').data == view.image.data
    assert listen(active, CameraInfo, 'imagination/imagined/camera_info') == view.camera_info

    bev = active.imagine_bev(resolution=0.5)
    assert bev.success, bev.message
    assert listen(active, Image, 'imagination/imagined/bev').data == bev.imagined.image.data
    # The robot drives on, the grid stays: the robot stood at (2, 1) of odom and looked along x.
    grid = listen(active, OccupancyGrid, 'imagination/imagined/bev_grid')
    assert grid.data == bev.grid.data and grid.header.stamp == bev.grid.header.stamp
    assert (grid.header.frame_id, bev.grid.header.frame_id) == ('odom', 'base_link')
    place, there = grid.info.origin.position, bev.grid.info.origin.position
    assert (place.x - there.x, place.y - there.y) == pytest.approx((2.0, 1.0))


def test_imagined_cameras_stand_in_tf(active):
    active.imagine_view(target=pose(3, 0, math.pi / 2))
    active.imagine_bev()
    message = listen(
        active, TFMessage, '/tf_static', until=lambda m: len(m.transforms) == 2
        and m.transforms[0].child_frame_id.startswith('ipt/imagined'))
    places = {item.child_frame_id: item for item in message.transforms}
    # The robot stands at (2, 1) of odom and looks along x.
    view = places['ipt/imagined_view'].transform.translation
    assert (view.x, view.y, view.z) == pytest.approx((5.0, 1.0, 1.2))
    assert places['ipt/imagined_bev'].header.frame_id == 'odom'


def test_diagnostics(active):
    levels, came = {}, threading.Event()

    def take(message):
        levels.update({s.name: (s.level, s.message) for s in message.status})
        came.set()

    active.node.create_subscription(DiagnosticArray, '/diagnostics', take, 10)
    assert came.wait(240.0)
    assert levels['ipt/imagination: model'][0] == b'\x00'
    assert 'ipt/imagination: cameras' in levels


# The action

def test_feedback_shows_every_step_and_previews(active):
    feedback = []
    handle = active.send_goal(
        feedback.append, kind=Imagine.Goal.VIEW, view_target=pose(3, 0, math.pi / 2))
    status, result = active.result(handle)
    assert status == GoalStatus.STATUS_SUCCEEDED and result.success, result.message
    assert len(result.imagined) == 1 and result.imagined[0].kind == 'view'
    steps = [f.step for f in feedback if f.phase == 'imagine']
    total = {f.steps_total for f in feedback if f.phase == 'imagine'}
    assert total == {39} and steps == list(range(1, 40))
    previews = {f.step for f in feedback if f.phase == 'imagine' and f.preview.data}
    assert previews == set(range(3, 40, 3))
    assert {'imagine', 'queue', 'observe'} <= set(names(result.answer.phases))


def test_a_question_over_the_action(active):
    status, result = active.result(active.send_goal(
        question='How many?', choices=['1', '2'], mode='imagine', return_images=True))
    assert status == GoalStatus.STATUS_SUCCEEDED and result.success, result.message
    assert result.answer.mode == 'imagine' and result.answer.letter in ('A', 'B')
    assert len(result.inputs) == 4
    assert len(result.imagined) == result.answer.imagined_images


@pytest.mark.parametrize('phase,step', [('imagine', 1), ('imagine', 17), ('imagine', 38)])
def test_cancel_at_any_step(active, phase, step):
    reached = threading.Event()

    def watch(feedback):
        if feedback.phase == phase and feedback.step >= step:
            reached.set()

    handle = active.send_goal(watch, kind=Imagine.Goal.BEV)
    assert reached.wait(240.0)
    answer = active.cancel(handle)
    status, result = active.result(handle)
    if not answer.goals_canceling:  # the last step was quicker than the cancel
        assert status == GoalStatus.STATUS_SUCCEEDED and step == 38
        return
    assert status == GoalStatus.STATUS_CANCELED
    assert not result.success and result.error_code == ErrorCode.CANCELLED
    assert active.ask(cameras=['front'], mode='answer').success


def test_cancel_while_waiting(active):
    first = active.send_goal(kind=Imagine.Goal.BEV)
    queued = threading.Event()
    second = active.send_goal(
        lambda f: queued.set() if f.phase == 'queued' else None, kind=Imagine.Goal.BEV)
    assert queued.wait(240.0)
    assert active.cancel(second).goals_canceling
    status, result = active.result(second)
    assert status == GoalStatus.STATUS_CANCELED and result.error_code == ErrorCode.CANCELLED
    status, result = active.result(first)
    assert status == GoalStatus.STATUS_SUCCEEDED


# While it works

def test_requests_queue_up_to_the_limit(active):
    running = [active.begin(ImagineBev, 'imagine_bev', seed=seed) for seed in range(2)]
    third = active.begin(ImagineBev, 'imagine_bev', seed=2).result(240.0)
    assert not third.success and third.error_code == ErrorCode.BUSY
    assert 'queue_limit' in third.message
    assert all(waiter.result(240.0).success for waiter in running)
    assert active.imagine_bev().success


def test_the_node_answers_while_the_model_runs(active):
    long = active.begin(ImagineBev, 'imagine_bev', seed=1)
    assert active.state() == 'active'
    assert active.ask('').error_code == ErrorCode.EMPTY_QUESTION
    assert not long.done()
    assert long.result(240.0).success


def test_deactivating_stops_what_runs(active):
    first = active.begin(ImagineBev, 'imagine_bev', seed=1)
    second = active.begin(Ask, 'ask', question='How many?', seed=1)
    assert active.change(Transition.TRANSITION_DEACTIVATE)
    for waiter in (first, second):
        response = waiter.result(240.0)
        assert not response.success and response.error_code == ErrorCode.NOT_ACTIVE
        assert 'deactivated' in response.message
    response = active.ask()
    assert response.error_code == ErrorCode.NOT_ACTIVE and 'activate' in response.message
    assert active.change(Transition.TRANSITION_CLEANUP)
    assert active.ask().error_code == ErrorCode.NOT_ACTIVE
    active.activate()
    active.wait_for_frames()
    assert active.ask(mode='answer').success
