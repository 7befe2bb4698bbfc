# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""`ipt collect` from end to end: simulated scenes, interrupted and resumed, and a robot."""

import json
import math
import os
from pathlib import Path
import signal
import subprocess
import sys
from time import monotonic, sleep

from ipt_ros.bags import inspect
from ipt_ros.graph import graph_environment, node_command
from ipt_ros.processes import Processes
from ipt_ros.ros.client import Robot
import numpy as np
import pytest
from rosbags.highlevel import AnyReader

pytestmark = [pytest.mark.ros, pytest.mark.slow]

PATIENCE = 240
SEED = 1_000_007
CAMERAS = ('front', 'left', 'back', 'right')
SMALL = {'camera_width': 48, 'camera_height': 48}


def collect(*arguments):
    return [sys.executable, '-m', 'ipt_ros.cli', 'collect', *map(str, arguments)]


def processes_about(folder):
    """Return the command lines of all processes that have to do with a folder, but not ours."""
    found = []
    for path in Path('/proc').glob('[0-9]*/cmdline'):
        try:
            command = path.read_bytes().replace(b'\0', b' ').decode()
        except OSError:
            continue  # it has ended meanwhile
        if str(folder) in command and path.parent.name != str(os.getpid()):
            found.append(command)
    return found


def messages(bag, topic):
    with AnyReader([bag]) as reader:
        connections = [item for item in reader.connections if item.topic == topic]
        return [reader.deserialize(data, item.msgtype)
                for item, _, data in reader.messages(connections)]


def seconds(stamp):
    return stamp.sec + stamp.nanosec * 1e-9


def navigable_poses(seed, count):
    from ipt_sim import make_simulator
    with make_simulator() as simulator:
        simulator.reset(seed)
        rng = np.random.default_rng(0)
        return [(*simulator.sample_navigable(rng), float(rng.uniform(-3, 3)))
                for _ in range(count)]


def test_interrupted_collection_ends_every_process_and_goes_on_where_it_was(tmp_path):
    out, poses = tmp_path / 'out', tmp_path / 'poses.csv'
    wanted = navigable_poses(SEED, 2)
    poses.write_text('x,y,yaw\n' + ''.join(f'{x},{y},{yaw}\n' for x, y, yaw in wanted)
                     + '500,500,0\n')
    command = collect(
        '--out', out, '--seed', SEED, '--poses', poses, '--dwell', 0.2,
        *(f'--set={name}={value}' for name, value in SMALL.items()))
    log = tmp_path / 'log'
    with log.open('w') as output:
        process = subprocess.Popen([*command, '--scenes', '1'], stdout=output, stderr=output)
    try:
        began = monotonic()
        while not list(out.glob('*/bag/*.mcap')):
            assert process.poll() is None and monotonic() - began < PATIENCE, log.read_text()
            sleep(0.1)
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE) == 130, log.read_text()
    finally:
        process.kill()
        process.wait()
    assert not processes_about(out)
    assert not list(out.glob('*/collected.json'))

    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE)
    assert done.returncode == 0, done.stdout + done.stderr
    assert '1 of 1 scenes' in done.stdout
    assert not processes_about(out)
    again = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE)
    assert again.returncode == 0 and '1 scene(s) are there already' in again.stdout

    folder = out / f'scene_{SEED}'
    result = json.loads((folder / 'collected.json').read_text())
    assert (result['goals_reached'], result['dropped']) == (2, 0)
    assert [item['pose'][0] for item in result['poses_left_out']] == [500.0]
    bag = inspect(folder / 'bag')
    assert bag.count == result['messages']
    topics = {topic.name for topic in bag.topics if topic.count}
    for camera in CAMERAS:
        assert {f'/ipt/{camera}/image_raw', f'/ipt/{camera}/depth/image_raw',
                f'/ipt/{camera}/camera_info'} <= topics
    assert {'/tf', '/tf_static', '/ipt/odom', '/clock', '/ipt/ground_truth/scene'} <= topics
    truth = json.loads(messages(folder / 'bag', '/ipt/ground_truth/scene')[-1].data)
    assert truth['seed'] == SEED and truth['objects'][0]['class']
    been = {(round(m.pose.pose.position.x, 6), round(m.pose.pose.position.y, 6))
            for m in messages(folder / 'bag', '/ipt/odom')}
    assert {(round(x, 6), round(y, 6)) for x, y, _ in wanted} <= been


def test_robot_that_is_running_is_driven_and_stopped(ros_domain, tmp_path):
    environment = graph_environment(os.environ)
    with pytest.MonkeyPatch.context() as patch, Processes() as processes:
        for name, value in environment.items():
            patch.setenv(name, value)
        processes.start(
            'sim_bridge', node_command('sim_bridge', {**SMALL, 'seed': SEED}, '/rover'),
            tmp_path / 'bridge.log', environment)
        done = subprocess.run(
            collect('--no-sim', '--namespace', '/rover', '--seconds', 6, '--out', tmp_path / 'out',
                    '--linear', 0.4, '--no-truth'),
            capture_output=True, text=True, timeout=PATIENCE, env=environment)
        assert done.returncode == 0, done.stdout + done.stderr
        processes.check()
        # It stands still afterwards, and soon enough not to have used up the driver's time-out.
        with Robot('/rover') as robot:
            robot.wait_for_cameras(('front',))
    folder = next((tmp_path / 'out').glob('robot_*'))
    result = json.loads((folder / 'collected.json').read_text())
    assert result['distance_m'] > 0.3 and result['seconds'] >= 6
    bag = folder / 'bag'
    commands = messages(bag, '/rover/cmd_vel')
    assert max(message.linear.x for message in commands) <= 0.4 + 1e-6
    assert (commands[-1].linear.x, commands[-1].angular.z) == (0.0, 0.0)
    assert '/rover/ground_truth/scene' not in {topic.name for topic in inspect(bag).topics}
    odometry = messages(bag, '/rover/odom')
    for before, after in zip(odometry, odometry[1:]):
        a, b = before.pose.pose.position, after.pose.pose.position
        took = seconds(after.header.stamp) - seconds(before.header.stamp)
        assert math.hypot(b.x - a.x, b.y - a.y) <= 0.4 * took + 1e-6  # driven, not put


def test_scenes_side_by_side_are_recorded_each_by_itself(tmp_path):
    out = tmp_path / 'out'
    done = subprocess.run(
        collect('--out', out, '--seed', SEED, '--scenes', 2, '--jobs', 2, '--seconds', 2,
                *(f'--set={name}={value}' for name, value in SMALL.items())),
        capture_output=True, text=True, timeout=PATIENCE)
    assert done.returncode == 0 and '2 of 2 scenes' in done.stdout, done.stdout + done.stderr
    for seed in (SEED, SEED + 1):
        bag = out / f'scene_{seed}' / 'bag'
        told = messages(bag, '/ipt/ground_truth/scene')
        assert {json.loads(message.data)['seed'] for message in told} == {seed}
        assert messages(bag, '/ipt/front/image_raw')


def test_drive_that_cannot_be_recorded_does_not_begin(ros_domain, tmp_path):
    parameters = tmp_path / 'recorder.yaml'
    parameters.write_text(
        '/**/rollout_recorder:\n  ros__parameters:\n    min_free_space: 1000000000\n')
    done = subprocess.run(
        collect('--no-sim', '--out', tmp_path / 'out', '--recorder-params', parameters),
        capture_output=True, text=True, timeout=PATIENCE)
    assert done.returncode == 1 and 'Traceback' not in done.stderr
    assert 'recording failed' in done.stderr and 'must stay free' in done.stderr


def test_folder_that_cannot_be_written_is_named(ros_domain):
    done = subprocess.run(
        collect('--no-sim', '--out', '/proc/nowhere'), capture_output=True, text=True,
        timeout=PATIENCE)
    assert done.returncode == 1 and "cannot write to '/proc/nowhere'" in done.stderr
    assert 'Traceback' not in done.stderr
