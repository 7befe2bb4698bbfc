# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""Configuring with what does not work, and going down at any moment."""

import shutil
import signal
import threading
import time

from diagnostic_msgs.msg import DiagnosticArray
from ipt_interfaces.action import Imagine
from ipt_interfaces.msg import ErrorCode
from lifecycle_msgs.msg import Transition
import pytest
from rcl_interfaces.msg import Parameter, ParameterType, ParameterValue
from rcl_interfaces.srv import SetParameters
from safetensors.torch import load_file, save_file

pytestmark = pytest.mark.ros


def set_parameter(robot, name, value):
    """Return the node's word on a text or a number."""
    if isinstance(value, str):
        value = ParameterValue(type=ParameterType.PARAMETER_STRING, string_value=value)
    else:
        value = ParameterValue(type=ParameterType.PARAMETER_DOUBLE, double_value=value)
    answer = robot.call(
        SetParameters, 'set_parameters', parameters=[Parameter(name=name, value=value)])
    return answer.results[0]


def set_checkpoint(robot, value) -> None:
    assert set_parameter(robot, 'checkpoint', str(value)).successful


@pytest.fixture
def broken(checkpoint, tmp_path):
    """Return folders that are no checkpoints, by what is wrong with them."""
    truncated, empty = tmp_path / 'truncated', tmp_path / 'empty'
    shutil.copytree(checkpoint, truncated)
    weights = truncated / 'ema.safetensors'
    weights.write_bytes(weights.read_bytes()[:-1000])
    empty.mkdir()
    nan = shutil.copytree(checkpoint, tmp_path / 'nan')
    tensors = load_file(nan / 'ema.safetensors')
    tensors['llm2vae.weight'][0, 0] = float('nan')
    save_file(tensors, nan / 'ema.safetensors')
    return {'missing': tmp_path / 'missing', 'truncated': truncated, 'empty': empty, 'nan': nan}


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


def test_a_parameter_of_an_active_node_is_applied_or_refused(robot, start, checkpoint, tmp_path):
    start(checkpoint=checkpoint, autostart=True, confidence_samples=0, max_age=240.0)
    while robot.state() != 'active':
        time.sleep(0.1)
    robot.wait_for_frames()
    assert robot.ask('?', task='free').answer.mode == 'answer'
    assert set_parameter(robot, 'auto_mode.free', 'imagine').successful
    assert robot.ask('?', task='free').answer.mode == 'imagine'
    for name, value in (('max_age', 1.0), ('checkpoint', str(tmp_path)), ('base_frame', 'foot')):
        result = set_parameter(robot, name, value)
        assert not result.successful
        assert name in result.reason and 'clean the node up' in result.reason
    assert robot.change(Transition.TRANSITION_DEACTIVATE)
    assert robot.change(Transition.TRANSITION_CLEANUP)
    assert set_parameter(robot, 'max_age', 200.0).successful


def test_diagnostics_come_while_the_clock_is_silent(robot, start):
    told = threading.Event()
    subscription = robot.node.create_subscription(
        DiagnosticArray, '/diagnostics', lambda message: told.set(), 10)
    start(use_sim_time=True)
    try:
        assert told.wait(240.0)
    finally:
        robot.node.destroy_subscription(subscription)


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
