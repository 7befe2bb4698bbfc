# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""`ipt demo` and `ipt ask` from end to end, with a model of random weights."""

import json
import os
from pathlib import Path
import shutil
import signal
import subprocess
import sys
from time import monotonic, sleep

import cv2
from ipt_ros.graph import graph_environment, NAMESPACE, node_command
from ipt_ros.processes import Processes
from ipt_ros.ros.client import Robot, RobotError
import pytest

pytestmark = [pytest.mark.ros, pytest.mark.slow]

SEED = 1_000_000
PATIENCE = 240


def ipt(*arguments):
    return [sys.executable, '-m', 'ipt_ros.cli', *map(str, arguments)]


def processes_in(domain):
    """Return the command lines of all processes that live in a ROS domain, but not ours."""
    wanted, found = f'ROS_DOMAIN_ID={domain}'.encode(), []
    for folder in Path('/proc').glob('[0-9]*'):
        try:
            if wanted in (folder / 'environ').read_bytes().split(b'\0'):
                found.append((folder / 'cmdline').read_bytes().replace(b'\0', b' ').decode())
        except OSError:
            continue  # it has ended meanwhile
    return [command for command in found if 'ipt_ros' in command]


def test_demo_asks_shows_and_tidies_up(tiny_checkpoint, ros_domain, tmp_path):
    out = tmp_path / 'out'
    done = subprocess.run(
        ipt('demo', '--checkpoint', tiny_checkpoint, '--seed', SEED, '--out', out),
        capture_output=True, text=True, timeout=PATIENCE)
    assert done.returncode == 0, done.stdout + done.stderr

    summary = json.loads((out / 'summary.json').read_text())
    questions = summary['questions']
    assert {q['task'] for q in questions} == {'mvc', 'pet', 'free'}
    assert {q['over'] for q in questions} == {'service', 'action'}
    assert summary['exit_codes'] == {'sim_bridge': 0, 'imagination': 0}
    for question in questions:
        assert question['error'] == ''
        assert question['answer'] in question['choices']
        assert 0.0 <= question['confidence'] <= 1.0
        assert question['phases']
        assert question['question'][:10] in done.stdout
        for name in question['images'].values():
            assert cv2.imread(str(out / name)) is not None
        if question['mode'] == 'imagine':
            assert 'truth' in question['images']
    assert 'index.html' in done.stdout
    assert (out / 'index.html').read_text().count('<article>') == len(questions)
    assert not processes_in(ros_domain)


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM])
def test_interrupted_demo_ends_every_process(tiny_checkpoint, ros_domain, tmp_path, number):
    log = tmp_path / 'log'
    with log.open('w') as output:
        demo = subprocess.Popen(
            ipt('demo', '--checkpoint', tiny_checkpoint, '--out', tmp_path / 'out'),
            stdout=output, stderr=output)
    try:
        began = monotonic()
        while 'cameras deliver' not in log.read_text():
            assert demo.poll() is None and monotonic() - began < PATIENCE, log.read_text()
            sleep(0.1)
        assert processes_in(ros_domain)
        demo.send_signal(number)
        assert demo.wait(60) == 128 + number, log.read_text()
    finally:
        demo.kill()
        demo.wait()
    assert not processes_in(ros_domain)


def test_demo_says_when_a_node_dies(tiny_checkpoint, ros_domain, tmp_path):
    broken = tmp_path / 'broken'
    shutil.copytree(tiny_checkpoint, broken)
    (broken / 'ema.safetensors').write_bytes(b'nothing of use')
    done = subprocess.run(
        ipt('demo', '--checkpoint', broken, '--out', tmp_path / 'out'),
        capture_output=True, text=True, timeout=PATIENCE)
    assert done.returncode == 1
    assert 'refused to go on' in done.stderr and 'ema.safetensors' in done.stderr
    assert 'Traceback' not in done.stderr
    assert not processes_in(ros_domain)


@pytest.fixture(scope='module')
def graph(tiny_checkpoint, ros_domain, tmp_path_factory):
    """Start both nodes and bring the imagination node up."""
    logs, environment = tmp_path_factory.mktemp('logs'), graph_environment(os.environ)
    with Processes() as processes:
        for name, parameters in (
            ('sim_bridge', {'seed': SEED}),
            ('imagination', {'checkpoint': tiny_checkpoint, 'use_sim_time': True}),
        ):
            processes.start(
                name, node_command(name, parameters), logs / name, environment)
        with Robot(NAMESPACE, waiting=lambda seconds: processes.check()) as robot:
            robot.bring_up()
            robot.wait_for_cameras(('front', 'left', 'back', 'right'))
            yield robot


def test_ask_prints_the_answer(graph, ros_domain, tmp_path):
    done = subprocess.run(
        ipt('ask', 'How many chairs are here?', '--choices', '1', '2', '3', '--json',
            '--cameras', 'front', 'left', '--out', tmp_path),
        capture_output=True, text=True, timeout=PATIENCE)
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert answer['text'] in ('1', '2', '3')
    assert answer['task'] == 'free'
    assert {'front.png', 'left.png'} <= {path.name for path in tmp_path.iterdir()}


def test_ask_prints_why_there_is_no_answer(graph, ros_domain):
    done = subprocess.run(
        ipt('ask', 'How many?', '--cameras', 'up'), capture_output=True, text=True,
        timeout=PATIENCE)
    assert done.returncode == 1
    assert "'up'" in done.stderr and 'Traceback' not in done.stderr


def test_client_raises_what_the_bridge_refuses(graph):
    with pytest.raises(RobotError, match='nan'):
        graph.teleport(float('nan'), 0.0, 0.0)
    with pytest.raises(RobotError, match='outside'):
        graph.reset(-1)


def test_exception_in_the_feedback_cancels_the_goal(graph):
    class EnoughError(Exception):
        pass

    def enough(feedback):
        raise EnoughError

    with pytest.raises(EnoughError):
        graph.imagine(enough, kind='bev')
    # The node is free again.
    assert graph.ask('Anything?', choices=['yes', 'no']).success


def test_ask_gives_up_where_no_node_is(tmp_path, monkeypatch):
    monkeypatch.setenv('ROS_DOMAIN_ID', '101')
    done = subprocess.run(
        ipt('ask', 'Anybody?', '--namespace', '/nobody', '--timeout', '1'),
        capture_output=True, text=True, timeout=PATIENCE)
    assert done.returncode == 1
    assert 'is the node running' in done.stderr
