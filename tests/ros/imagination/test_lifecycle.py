# SPDX-License-Identifier: Apache-2.0
"""Configuring with what does not work, and going down at any moment."""

import shutil
import signal
import threading
import time

from ipt_interfaces.action import Imagine
from ipt_interfaces.msg import ErrorCode
from lifecycle_msgs.msg import Transition
import pytest
from rcl_interfaces.msg import Parameter, ParameterType, ParameterValue
from rcl_interfaces.srv import SetParameters

pytestmark = pytest.mark.ros


def set_checkpoint(robot, value) -> None:
    parameter = Parameter(name='checkpoint', value=ParameterValue(
        type=ParameterType.PARAMETER_STRING, string_value=str(value)))
    answer = robot.call(SetParameters, 'set_parameters', parameters=[parameter])
    assert answer.results[0].successful


@pytest.fixture
def broken(checkpoint, tmp_path):
    """Return folders that are no checkpoints, by what is wrong with them."""
    truncated, empty = tmp_path / 'truncated', tmp_path / 'empty'
    shutil.copytree(checkpoint, truncated)
    weights = truncated / 'ema.safetensors'
    weights.write_bytes(weights.read_bytes()[:-1000])
    empty.mkdir()
    return {'missing': tmp_path / 'missing', 'truncated': truncated, 'empty': empty}


def test_a_broken_checkpoint_fails_the_transition_and_nothing_else(
        robot, start, broken, checkpoint):
    start(checkpoint=broken['missing'], confidence_samples=0)
    response = robot.ask()
    assert response.error_code == ErrorCode.NOT_ACTIVE
    assert 'has not been configured' in response.message
    for name, folder in broken.items():
        set_checkpoint(robot, folder)
        assert not robot.change(Transition.TRANSITION_CONFIGURE), name
        assert robot.state() == 'unconfigured'
        response = robot.ask()
        assert response.error_code == ErrorCode.NOT_ACTIVE
        assert 'configuring failed' in response.message and str(folder) in response.message
    set_checkpoint(robot, '')
    assert not robot.change(Transition.TRANSITION_CONFIGURE)
    assert "'checkpoint' is empty" in robot.ask().message
    set_checkpoint(robot, checkpoint)
    robot.activate()
    robot.wait_for_frames()
    assert robot.ask(mode='answer').success


@pytest.mark.parametrize('parameters,words', [
    ({'dtype': 'float7'}, ['dtype', 'float7', 'bfloat16']),
    ({'slop': -1.0}, ['slop']),
    ({'max_age': 'soon'}, ['max_age']),
])
def test_a_bad_parameter_ends_the_node_with_a_word(start, parameters, words):
    process, log = start(**parameters)
    assert process.wait(240.0) == 1
    text = log.read_text()
    assert all(word in text for word in words), text
    assert 'Traceback' not in text


@pytest.mark.parametrize('cameras', [
    '[]', "['front','front']", "['']", "['zed-front']", "['front camera']"])
def test_impossible_cameras_fail_the_transition(robot, start, checkpoint, cameras):
    start(checkpoint=checkpoint, cameras=cameras)
    assert not robot.change(Transition.TRANSITION_CONFIGURE)
    assert "'cameras'" in robot.ask().message


def test_a_transition_that_the_state_lacks_is_refused_and_nothing_else(robot, start, checkpoint):
    start(checkpoint=checkpoint, autostart=True, confidence_samples=0)
    while robot.state() != 'active':
        time.sleep(0.1)
    for _ in range(2):  # as a manager does that comes late
        assert not robot.change(Transition.TRANSITION_CONFIGURE)
    assert robot.state() == 'active'
    robot.wait_for_frames()
    assert robot.ask(mode='answer').success


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM])
def test_signals_end_an_idle_node_cleanly(robot, start, checkpoint, number):
    process, log = start(checkpoint=checkpoint)
    assert robot.state() == 'unconfigured'
    process.send_signal(number)
    assert process.wait(240.0) == 0, log.read_text()
    assert 'Traceback' not in log.read_text()


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM])
def test_signals_end_a_working_node_cleanly(robot, start, checkpoint, number):
    process, log = start(checkpoint=checkpoint, autostart=True, steps=500)
    while robot.state() != 'active':
        assert process.poll() is None, log.read_text()
    robot.wait_for_frames()
    working = threading.Event()
    robot.send_goal(lambda f: f.phase == 'imagine' and working.set(), kind=Imagine.Goal.BEV)
    assert working.wait(240.0)
    process.send_signal(number)
    assert process.wait(240.0) == 0, log.read_text()
    assert 'Traceback' not in log.read_text()
