# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""A robot that is made up, the imagination node in a process of its own, and a client."""

from array import array
from concurrent.futures import Future as Waiter
import contextlib
from dataclasses import dataclass, field
import json
import os
from pathlib import Path
import shutil
import signal
import subprocess
import threading

from diagnostic_msgs.msg import DiagnosticArray
from ipt_interfaces.action import Imagine
from ipt_interfaces.srv import Ask, ImagineBev, ImagineView
from ipt_ros.geometry import (
    compose,
    OPTICAL_IN_BODY,
    PinholeCamera,
    Pose2D,
    rotation_from_yaw_pitch,
)
from ipt_ros.graph import graph_environment, node_command
from ipt_ros.processes import Processes
from ipt_ros.ros import qos
from ipt_ros.ros.images import from_depth, from_rgb
from ipt_ros.ros.messages import camera_info, transform_message
from lifecycle_msgs.msg import State, Transition
from lifecycle_msgs.srv import ChangeState, GetState
import numpy as np
import pytest
import rclpy
from rclpy.action import ActionClient
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.time import Duration
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import Header
from tf2_msgs.msg import TFMessage

PATIENCE = 240.0  # seconds until a test gives up on an answer; machines may be busy
YAWS = {'front': 0.0, 'left': np.pi / 2, 'back': np.pi, 'right': -np.pi / 2}
SIZE = 64
CAMERA = PinholeCamera.from_hfov(SIZE, SIZE, np.pi / 2)
TINY = Path(__file__).parents[2] / 'data' / 'tiny_bagel'


@pytest.fixture(scope='session')
def checkpoint(tmp_path_factory) -> Path:
    """Make a complete model with random weights: it answers nonsense, quickly."""
    folder = tmp_path_factory.mktemp('checkpoint') / 'tiny'
    shutil.copytree(TINY, folder)
    golden = json.loads((folder / 'golden.json').read_text())
    vae = {name: value for name, value in golden['vae'].items()
           if name not in ('resolution', 'downsample')}
    (folder / 'bagel.json').write_text(json.dumps({
        **golden['bagel'], 'vae': vae, 'vae_transform': golden['vae_transform'],
        'vit_transform': golden['vit_transform'],
        'sampling': {'steps': 12, 'image_size': [32, 32], 'max_tokens': 16},
    }))
    return folder


@dataclass
class Camera:
    """What a camera of the made-up robot does; tests change it."""

    on: bool = True
    depth: float | None = 10.0  # metres, everywhere; None: it has no depth
    age: float = 0.0  # seconds by which its stamps are old
    frame: str = 'optical_frame'  # of its images, or 'link': that of its body
    changes: dict = field(default_factory=dict)  # fields of the image message to spoil
    info: dict = field(default_factory=dict)  # fields of its camera_info to spoil
    depth_frame: str = ''  # of its depth images; '': that of the images


class Bench:
    """Cameras, transforms and a client, spinning in a thread."""

    def __init__(self, domain: int):
        self.context = rclpy.Context()
        rclpy.init(context=self.context, domain_id=domain)
        self.node = rclpy.create_node('bench', namespace='/ipt', context=self.context)
        self.cameras = {name: Camera() for name in YAWS}
        self._outputs = {
            name: (
                self.node.create_publisher(Image, f'{name}/image_raw', qos.reliable()),
                self.node.create_publisher(CameraInfo, f'{name}/camera_info', qos.reliable()),
                self.node.create_publisher(Image, f'{name}/depth/image_raw', qos.reliable()))
            for name in YAWS}
        self._tf = self.node.create_publisher(TFMessage, '/tf', qos.reliable(100))
        static = self.node.create_publisher(TFMessage, '/tf_static', qos.latched())
        static.publish(TFMessage(transforms=[
            transform_message(
                compose(rotation_from_yaw_pitch(yaw) @ rotation, (0.0, 0.0, 1.2)),
                Header(frame_id='base_link'), f'{name}_{frame}')
            for name, yaw in YAWS.items()
            for frame, rotation in (('optical_frame', OPTICAL_IN_BODY), ('link', np.eye(3)))]))
        rng = np.random.default_rng(0)
        self.pictures = {
            name: rng.integers(0, 255, (SIZE, SIZE, 3), np.uint8) for name in YAWS}
        self.node.create_timer(0.05, self._publish)
        self.action = ActionClient(self.node, Imagine, 'imagination/imagine')
        self._clients = {}
        self._executor = SingleThreadedExecutor(context=self.context)
        self._executor.add_node(self.node)
        self._thread = threading.Thread(target=self._spin, daemon=True)
        self._thread.start()

    def close(self):
        self._executor.shutdown()
        self._thread.join(10.0)
        self.action.destroy()
        self.node.destroy_node()
        rclpy.shutdown(context=self.context)

    def begin(self, kind, name: str, **fields) -> Waiter:
        """Send a request to the imagination node; the returned future's result() waits."""
        key = (kind, name)
        if key not in self._clients:
            self._clients[key] = self.node.create_client(kind, f'imagination/{name}')
            self._executor.wake()
        client = self._clients[key]
        assert client.wait_for_service(PATIENCE), f'no service {name}'
        return _waiter(client.call_async(kind.Request(**fields)))

    def call(self, kind, name: str, **fields):
        return self.begin(kind, name, **fields).result(PATIENCE)

    def ask(self, question='How many chairs are there?', **fields) -> Ask.Response:
        return self.call(Ask, 'ask', question=question, **{'seed': -1, **fields})

    def imagine_view(self, **fields) -> ImagineView.Response:
        return self.call(ImagineView, 'imagine_view', **{'seed': -1, **fields})

    def imagine_bev(self, **fields) -> ImagineBev.Response:
        return self.call(ImagineBev, 'imagine_bev', **{'seed': -1, **fields})

    def change(self, transition: int) -> bool:
        request = ChangeState.Request()
        request.transition.id = transition
        return self.call(ChangeState, 'change_state', transition=request.transition).success

    def state(self) -> str:
        return self.call(GetState, 'get_state').current_state.label

    def activate(self) -> None:
        state = self.call(GetState, 'get_state').current_state.id
        if state == State.PRIMARY_STATE_UNCONFIGURED:
            assert self.change(Transition.TRANSITION_CONFIGURE)
        if state != State.PRIMARY_STATE_ACTIVE:
            assert self.change(Transition.TRANSITION_ACTIVATE)

    def send_goal(self, on_feedback=None, **fields):
        """Send a goal of the action and return its handle."""
        assert self.action.wait_for_server(PATIENCE)
        goal = Imagine.Goal(**{'seed': -1, **fields})
        callback = None if on_feedback is None else lambda message: on_feedback(message.feedback)
        handle = _waiter(
            self.action.send_goal_async(goal, feedback_callback=callback)).result(PATIENCE)
        assert handle.accepted
        return handle

    @staticmethod
    def result(handle):
        """Return (status, result) of a goal."""
        response = _waiter(handle.get_result_async()).result(PATIENCE)
        return response.status, response.result

    @staticmethod
    def cancel(handle):
        return _waiter(handle.cancel_goal_async()).result(PATIENCE)

    def wait_for_frames(self) -> None:
        """Ask about one camera after the other until each has fresh frames in the node."""
        for name, camera in self.cameras.items():
            if not camera.on:
                continue
            for _ in range(200):
                # Depth and transforms have come, too, once a target can be checked.
                response = self.ask('?', cameras=[name], task='free', mode='answer')
                if response.success or response.error_code == 15:  # 15: BAD_IMAGE
                    break
            else:
                raise AssertionError(response.message)

    def told(self, *words: str) -> bool:
        """Wait for a status on /diagnostics whose message has all of these words."""
        came = threading.Event()

        def listen(message):
            if any(all(word in item.message for word in words) for item in message.status):
                came.set()
        # It stays until the node goes: taking it away while another thread spins is a race.
        self.node.create_subscription(DiagnosticArray, '/diagnostics', listen, 10)
        return came.wait(PATIENCE)

    def _spin(self):
        with contextlib.suppress(ExternalShutdownException):
            self._executor.spin()

    def _publish(self):
        now = self.node.get_clock().now()
        self._tf.publish(TFMessage(transforms=[transform_message(
            Pose2D(2.0, 1.0, 0.0).matrix, Header(stamp=now.to_msg(), frame_id='odom'),
            'base_link')]))
        for name, camera in self.cameras.items():
            if not camera.on:
                continue
            header = Header(
                stamp=(now - Duration(seconds=camera.age)).to_msg(),
                frame_id=f'{name}_{camera.frame}')
            colour, info, depth = self._outputs[name]
            said = camera_info(CAMERA, header)
            for key, value in camera.info.items():
                setattr(said, key, value)
            info.publish(said)
            if camera.depth is not None:
                depth.publish(from_depth(
                    np.full((SIZE, SIZE), camera.depth, np.float32),
                    Header(stamp=header.stamp, frame_id=camera.depth_frame or header.frame_id)))
            message = from_rgb(self.pictures[name], header)
            for key, value in camera.changes.items():
                setattr(message, key, array('B', value) if key == 'data' else value)
            colour.publish(message)


def _waiter(future) -> Waiter:
    """Wrap a future of rclpy in one that a thread can wait for."""
    waiter = Waiter()

    def finish(done):
        if done.exception() is not None:
            waiter.set_exception(done.exception())
        else:
            waiter.set_result(done.result())
    future.add_done_callback(finish)
    return waiter


def environment() -> dict[str, str]:
    """Return the surroundings of every process of these tests: two cores are shared by all."""
    return graph_environment({**os.environ, 'OMP_NUM_THREADS': '1'})


@pytest.fixture(scope='module')
def bench(ros_domain):
    bench = Bench(ros_domain)
    yield bench
    bench.close()


@pytest.fixture
def robot(bench):
    """Return the bench with all cameras as they should be."""
    bench.cameras.update({name: Camera() for name in YAWS})
    return bench


@pytest.fixture(scope='module')
def parameters() -> dict:
    """Parameters that a module gives its node beside the checkpoint; override it there."""
    return {}


@pytest.fixture(scope='module')
def node(bench, checkpoint, parameters, tmp_path_factory):
    """Run the node, active, in its own process; it must end with exit code 0."""
    log = tmp_path_factory.mktemp('imagination') / 'log'
    # A busy machine stops the made-up cameras for seconds; no frame of theirs shall be too old for
    # that, nor ahead of /tf, unless a test means it to be.
    command = node_command('imagination', {
        'checkpoint': checkpoint, 'autostart': True, 'confidence_samples': 1,
        'max_age': PATIENCE, 'tf_tolerance': 10.0, **parameters})
    with Processes() as processes:
        processes.start('imagination', command, log, environment())
        try:
            while bench.state() != 'active':
                processes.check()
            yield processes
        except BaseException:
            print(log.read_text())
            raise
        codes = processes.stop()
    assert codes == {'imagination': 0}, log.read_text()


@pytest.fixture
def start(bench, tmp_path):
    """Give a function of parameters that starts a node and returns its process and log file."""
    log = tmp_path / 'log'
    started = []

    def start(**parameters):
        command = node_command('imagination', parameters)
        with log.open('wb') as output:
            process = subprocess.Popen(
                command, stdout=output, stderr=subprocess.STDOUT, env=environment())
        started.append(process)
        return process, log

    yield start
    for process in started:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
            process.wait(240.0)


@pytest.fixture
def active(robot, node):
    """Return the robot with an active node that has seen a frame of every camera."""
    robot.activate()
    robot.wait_for_frames()
    return robot
