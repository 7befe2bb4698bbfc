# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""The recorder in a process of its own, fed over real DDS, stopped, killed, out of disk."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
import os
from pathlib import Path
import resource
import signal
import subprocess
import threading
from time import monotonic, sleep, time_ns

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from ipt_interfaces.msg import Answer
from ipt_ros.bags import BagError, inspect, repair
from ipt_ros.graph import graph_environment, node_command
from ipt_ros.ros.qos import latched, reliable, sensor_input
import pytest
import rclpy
from rclpy.executors import SingleThreadedExecutor
from rosbags.highlevel import AnyReader
from rosbags.interfaces import QosDurability
from sensor_msgs.msg import Image
from std_msgs.msg import String
from std_srvs.srv import Trigger

pytestmark = pytest.mark.ros

TOPICS = "['*/image_raw', 'chatter', 'answer', 'number']"


class Robot:
    """A node that publishes, listens to /diagnostics and calls the recorder."""

    def __init__(self):
        self.context = rclpy.Context()
        rclpy.init(context=self.context)
        self.node = rclpy.create_node('robot', namespace='/ipt', context=self.context)
        self.executor = SingleThreadedExecutor(context=self.context)
        self.executor.add_node(self.node)
        self.status: DiagnosticStatus | None = None
        self.node.create_subscription(DiagnosticArray, '/diagnostics', self._on_status, 10)
        self.image = self.node.create_publisher(Image, 'front/image_raw', reliable())
        self.chatter = self.node.create_publisher(String, 'chatter', reliable(100))
        self.answer = self.node.create_publisher(Answer, 'answer', latched())
        self.clients = {
            name: self.node.create_client(Trigger, f'/ipt/rollout_recorder/{name}')
            for name in ('start', 'stop')}
        self.sent: list[tuple[int, int]] = []  # (number, time in ns) of each chatter
        self.stop_talking = threading.Event()

    def _on_status(self, message):
        for item in message.status:
            if 'rollout_recorder' in item.name:
                self.status = item

    def until(self, ready: Callable[[], object], seconds: float = 240.0):
        """Spin until ready() is true and return it."""
        began = monotonic()
        while not (value := ready()):
            assert monotonic() - began < seconds, f'waited {seconds} s in vain: {self.status}'
            self.executor.spin_once(timeout_sec=0.05)
        return value

    def value(self, key):
        values = {item.key: item.value for item in self.status.values} if self.status else {}
        return values.get(key, '')

    def messages_of(self, topic):
        return int(self.value(f'/ipt/{topic}: messages, dropped, lost').partition(',')[0] or 0)

    def call(self, name):
        future = self.asked(name)
        self.until(future.done)
        return future.result()

    def asked(self, name, seconds=0.0):
        """Ask a service, and wait so long for its reply at most; return the future of it."""
        self.until(self.clients[name].service_is_ready)
        future = self.clients[name].call_async(Trigger.Request())
        began = monotonic()
        self.until(lambda: future.done() or monotonic() - began >= seconds)
        return future

    def make_idle(self):
        """Stop the recorder, if it records; its first reply may come before it knows of us."""
        while not self.asked('stop', seconds=2.0).done():
            pass

    def talk(self):
        """Publish numbered texts 50 times, and an image 10 times a second, until told to stop."""
        number = len(self.sent)
        while not self.stop_talking.wait(0.02):
            self.sent.append((number, time_ns()))
            self.chatter.publish(String(data=str(number)))
            if number % 5 == 0:
                self.image.publish(Image(
                    width=160, height=120, encoding='rgb8', step=480, data=os.urandom(57600)))
            number += 1

    @contextmanager
    def talking(self) -> Iterator[None]:
        self.stop_talking.clear()
        thread = threading.Thread(target=self.talk)
        thread.start()
        try:
            yield
        finally:
            self.stop_talking.set()
            thread.join()

    def close(self):
        self.executor.shutdown()
        self.node.destroy_node()
        rclpy.shutdown(context=self.context)


@pytest.fixture(scope='module')
def environment(ros_domain):
    return graph_environment(os.environ)


@pytest.fixture(scope='module')
def robot(environment):
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, value)
        robot = Robot()
        yield robot
        robot.close()


@pytest.fixture(autouse=True)
def _forget(robot):
    """Let no test take the status of another test's recorder for its own."""
    robot.status = None


@contextmanager
def recorder(environment, folder: Path, **parameters) -> Iterator[subprocess.Popen]:
    """Run the node; whatever happens, it is gone afterwards."""
    log = folder / 'log'
    with log.open('w') as output:
        process = subprocess.Popen(
            node_command('rollout_recorder', {
                'output_dir': folder / 'bags', 'topics': TOPICS, 'required': "['chatter']",
                **parameters}),
            stdout=output, stderr=output, env=environment)
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        print(log.read_text())  # shown where a test fails


def read(bag):
    """Return {topic: decoded messages} as a reader without ROS finds them, types from the bag."""
    found = {}
    with AnyReader([Path(bag)]) as reader:
        for connection, _, data in reader.messages():
            found.setdefault(connection.topic, []).append(
                reader.deserialize(data, connection.msgtype))
    return found


def numbers(bag):
    return [int(message.data) for message in read(bag)['/ipt/chatter']]


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM])
def test_signal_ends_the_node_with_a_whole_bag(robot, environment, tmp_path, number):
    robot.answer.publish(Answer(question='How many chairs?', text='3', index=-1))
    with recorder(environment, tmp_path, bag_name='bag', compression='zstd') as process:
        with robot.talking():
            robot.until(lambda: robot.messages_of('chatter') and robot.messages_of('answer'))
            process.send_signal(number)
            assert process.wait(60) == 0
    bag = tmp_path / 'bags' / 'bag'
    assert not repair(bag).changed
    assert 'Traceback' not in (tmp_path / 'log').read_text()
    # Published before the recorder was there, of a type that no other tool knows.
    answer = read(bag)['/ipt/answer'][0]
    assert (answer.question, answer.text, answer.index) == ('How many chairs?', '3', -1)
    with AnyReader([bag]) as reader:
        profiles = {item.topic: item.ext.offered_qos_profiles for item in reader.connections}
    assert profiles['/ipt/answer'][0].durability == QosDurability.TRANSIENT_LOCAL
    assert profiles['/ipt/chatter'][0].durability == QosDurability.VOLATILE


def test_folder_that_cannot_be_written_is_named_and_the_node_lives_on(
    robot, environment, tmp_path,
):
    (tmp_path / 'bags').write_text('a file where the folder should be')
    with recorder(environment, tmp_path) as process:
        robot.until(lambda: robot.status and robot.status.level == DiagnosticStatus.ERROR)
        assert 'cannot write the bag' in robot.status.message
        reply = robot.call('start')
        assert not reply.success and str(tmp_path) in reply.message
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0


@pytest.fixture(scope='module')
def running(robot, environment, tmp_path_factory):
    """Return (process, folder of bags) of a recorder that waits for ~/start."""
    folder = tmp_path_factory.mktemp('running')
    with recorder(environment, folder, autostart=False, min_free_space=0) as process:
        yield process, folder / 'bags'
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0


@pytest.fixture
def idle(robot, running):
    """Return (process, folder of bags) of a recorder that does not record."""
    robot.make_idle()
    return running


def test_services_begin_and_end_a_recording(robot, idle):
    robot.call('start')
    first = robot.call('stop')
    started = robot.call('start')
    assert first.success and started.success
    refused = robot.call('start')
    assert not refused.success and 'already recording' in refused.message
    robot.until(robot.chatter.get_subscription_count)
    before = len(robot.sent)
    with robot.talking():
        robot.until(lambda: len(robot.sent) > before + 30)
    sent = [number for number, _ in robot.sent[before:]]
    robot.until(lambda: robot.value('bag') == started.message
                and robot.messages_of('chatter') == len(sent))
    stopped = robot.call('stop')
    assert stopped.success and 'dropped 0, lost before they arrived 0' in stopped.message
    assert numbers(started.message) == sent
    assert not robot.call('stop').success
    robot.until(lambda: 'stopped' in robot.status.message)


def test_publisher_with_a_weaker_profile_is_heard_as_well(robot, idle):
    strong = robot.node.create_publisher(String, 'number', reliable())
    bag = robot.call('start').message
    robot.until(lambda: strong.get_subscription_count())
    weak = robot.node.create_publisher(String, 'number', sensor_input('best_effort'))
    robot.until(lambda: weak.get_subscription_count())
    sleep(0.1)
    strong.publish(String(data='strong'))
    weak.publish(String(data='weak'))
    robot.until(lambda: robot.messages_of('number') == 2)
    assert robot.call('stop').success
    assert {item.data for item in read(bag)['/ipt/number']} == {'strong', 'weak'}
    for publisher in (strong, weak):
        robot.node.destroy_publisher(publisher)


def test_required_topic_that_is_silent_is_reported(robot, idle):
    robot.call('start')
    robot.until(lambda: robot.status and robot.status.level == DiagnosticStatus.WARN)
    assert 'nothing to record yet from chatter' in robot.status.message
    robot.call('stop')


def test_disk_that_takes_no_more_ends_the_recording_but_not_the_node(robot, idle):
    process, _ = idle
    bag = robot.call('start').message
    with robot.talking():
        robot.until(lambda: robot.value('bag') == bag and int(robot.value('bytes')) > 300_000)
        unlimited = resource.prlimit(process.pid, resource.RLIMIT_FSIZE)
        size = sum(path.stat().st_size for path in Path(bag).iterdir()) + 200_000
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (size, unlimited[1]))
        robot.until(lambda: robot.status.level == DiagnosticStatus.ERROR)
        assert 'cannot write the bag' in robot.status.message
        assert 'then start again' in robot.status.message
        assert process.poll() is None
        assert inspect(Path(bag)).count > 20
        # There is room again.
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, unlimited)
        again = robot.call('start')
        assert again.success and again.message != bag
        robot.until(lambda: robot.value('bag') == again.message and robot.messages_of('chatter'))
    assert robot.call('stop').success
    assert numbers(again.message)


# Last: DDS believes in a killed process, its services included, for some seconds more.
def test_kill_costs_at_most_the_last_second(robot, environment, tmp_path):
    bag = tmp_path / 'bags' / 'bag'
    with recorder(environment, tmp_path, bag_name='bag') as process, robot.talking():
        robot.until(lambda: robot.value('bag') == str(bag) and robot.messages_of('chatter')
                    and robot.messages_of('front/image_raw'))
        began = len(robot.sent)
        robot.until(lambda: len(robot.sent) > began + 125)
        killed = time_ns()
        process.send_signal(signal.SIGKILL)
        process.wait()
    with pytest.raises(BagError, match='ipt bag repair'):
        inspect(bag)

    done = repair(bag)

    found = numbers(bag)
    safe = [number for number, when in robot.sent if when < killed - 1_000_000_000]
    assert found == list(range(found[0], found[-1] + 1)), 'messages are missing in between'
    assert found[0] < began and found[-1] >= safe[-1]
    assert {topic.name for topic in done.bag.topics} >= {'/ipt/chatter', '/ipt/front/image_raw'}
    images = read(bag)['/ipt/front/image_raw']
    assert len(images) >= len([n for n in safe if n >= found[0] and n % 5 == 0])
