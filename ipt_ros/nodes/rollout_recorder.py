# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""
Records what a robot sees, does and is asked as a rosbag2 bag (MCAP). docs: rollout_recorder.yaml.

Messages are not decoded: they go as they come to a thread that writes them, see `ipt_ros.bags`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
import sys

from diagnostic_msgs.msg import DiagnosticStatus
from ipt_ros.bags import BagError, COMPRESSIONS, Recording, RecordingOptions, WriterOptions
from ipt_ros.ros.diagnostics import Diagnostics, ERROR, OK, status, WARN
from ipt_ros.ros.listening import Listener
from ipt_ros.ros.parameters import parameter, ParameterError, Parameters
from ipt_ros.ros.running import run_node
from ipt_ros.ros.topics import TopicChoice
from rclpy.clock import Clock, ClockType
from rclpy.node import Node
from std_srvs.srv import Trigger

TOPICS = (
    '*/image_raw', '*/camera_info', 'odom', 'cmd_vel', '/tf', '/tf_static', '/clock',
    'imagination/answer', 'imagination/imagined/*', 'ground_truth/scene')
LOOK_PERIOD = 0.2  # s between two looks at what is published
GRACE = 3.0  # s of recording until a required topic that is silent is worth a warning


@dataclass(frozen=True)
class Settings:
    """The node's parameters; config/rollout_recorder.yaml explains them at more length."""

    topics: tuple = parameter(TOPICS, 'Topics to record; patterns with * and ?.')
    exclude: tuple = parameter(('',), 'Topics that are not recorded all the same; patterns.')
    required: tuple = parameter(
        ('*/image_raw', '/tf'), 'Topics without which a recording is of no use; patterns.')
    output_dir: str = parameter('rollouts', 'Folder for bags; made if it is not there.')
    bag_name: str = parameter('', "Name of the bag's folder; empty: from date and time.")
    autostart: bool = parameter(
        True, 'Record from the start; false: from ~/start on.', applies='at start')
    compression: str = parameter('none', 'Of the data in the bag.', choices=COMPRESSIONS)
    max_bag_size: int = parameter(
        2048, 'MB after which a bag goes on in another file; 0: never.', low=0, high=2**31)
    max_bag_duration: float = parameter(
        0.0, 'Seconds after which a bag goes on in another file; 0: never.', low=0.0, high=1e9)
    sync_period: float = parameter(
        0.5, 'Seconds between two moments at which all data is brought to the disk.',
        low=0.05, high=1.0)
    queue_size: int = parameter(
        256, 'MB that may wait in memory for the disk; more is dropped.', low=1, high=65536)
    min_free_space: int = parameter(
        200, 'MB that stay free on the disk; below, recording stops.', low=0, high=2**31)
    depth: int = parameter(
        100, 'Messages of a topic that may wait for this node.', low=1, high=10000)

    def recording_options(self) -> RecordingOptions:
        """Return what the writing thread needs to know."""
        return RecordingOptions(
            WriterOptions(self.compression, self.max_bag_size * 1_000_000, self.max_bag_duration),
            self.sync_period, self.queue_size * 1_000_000, self.min_free_space * 1_000_000)


class RolloutRecorder(Node):
    """Node `rollout_recorder`; `start` reads the parameters and begins."""

    def __init__(self, **options):
        """Declare the parameters; `options` go to rclpy's Node."""
        super().__init__('rollout_recorder', **options)
        self._parameter_table = Parameters(
            self, Settings, 'call ~/stop, set it, and call ~/start')
        self._recording: Recording | None = None
        self._listener: Listener | None = None
        self._began = 0
        self._state = 'stopped'
        self._last: dict[str, object] = {}  # figures of the last recording
        # Not in the node's time: nobody may have started a simulated clock yet.
        self._steady = Clock(clock_type=ClockType.STEADY_TIME)

    def start(self) -> None:
        """Offer the services and, with autostart, record. Raises ParameterError, BagError."""
        self.create_service(Trigger, '~/start', self._on_start)
        self.create_service(Trigger, '~/stop', self._on_stop)
        self._diagnostics = Diagnostics(self, 'ipt_ros', {'recording': self._check})
        self.create_timer(LOOK_PERIOD, self._look, clock=self._steady)
        if self.get_parameter('autostart').value:
            try:
                self.begin()
            except BagError as error:
                # The node stays: somebody may make room and call ~/start.
                self._state = str(error)
                self.get_logger().error(self._state)

    def close(self) -> None:
        """End the recording in good order."""
        if self._recording is not None:
            self.end()

    # Recording

    def begin(self) -> Path:
        """Begin a new bag and return its folder. Raises BagError."""
        self._settings = settings = self._parameter_table.read()
        self._recording = Recording(self._folder(), settings.recording_options())
        self._parameter_table.use()
        self._listener = Listener(
            self, self._choice(settings.topics), settings.depth,
            self._recording.add_topic, self._on_message)
        self._began = self._steady.now().nanoseconds
        self._state, self._last = '', {}
        self.get_logger().info(f"recording to '{self._recording.folder}'")
        self._look()
        return self._recording.folder

    def end(self) -> str:
        """End the recording; return a sentence about it. Raises BagError if it had failed."""
        recording, self._recording = self._recording, None
        self._parameter_table.release()
        lost = sum(self._listener.lost.values())
        self._listener.stop()
        error = recording.stop()
        counts = recording.counts()
        taken, dropped = sum(c.taken for c in counts), sum(c.dropped for c in counts)
        text = (f"recorded {taken} messages of {len(counts)} topics to '{recording.folder}' "
                f'({recording.size / 1e6:.1f} MB), dropped {dropped}, lost before they arrived '
                f'{lost}')
        self._state = f'{error}; {text}' if error else f'stopped; {text}'
        self._last = {'bag': recording.folder, 'messages': taken, 'bytes': recording.size,
                      'dropped': dropped, 'lost': lost}
        if self.context.ok():
            self._diagnostics.publish()
        if error:
            self.get_logger().error(self._state)
            raise BagError(self._state)
        if self.context.ok():
            self.get_logger().info(text)
        else:  # a signal has ended the context, and with it /rosout
            print(text, flush=True)
        return text

    def _folder(self) -> Path:
        base = Path(self._settings.output_dir).expanduser()
        if self._settings.bag_name:
            return base / self._settings.bag_name
        stem = datetime.now().strftime('rollout_%Y_%m_%d-%H_%M_%S')
        names = (stem if number == 1 else f'{stem}_{number}' for number in range(1, 1000))
        return next(base / name for name in names if not (base / name).exists())

    def _choice(self, patterns: Sequence[str]) -> TopicChoice:
        exclude = [pattern for pattern in self._settings.exclude if pattern]
        return TopicChoice(patterns, exclude, self.get_namespace())

    def _look(self) -> None:
        """Follow the graph and the writing thread."""
        if self._recording is None:
            return
        if self._recording.error:
            try:
                self.end()
            except BagError:
                return  # told in the log and on /diagnostics; ~/start begins anew
        # A simulated clock that has not begun would put messages into the year 1970.
        if self.get_clock().now().nanoseconds:
            self._listener.look()

    def _on_message(self, topic: int, data: bytes, published: int | None) -> None:
        now = self.get_clock().now().nanoseconds
        self._recording.put(topic, data, now, now if published is None else published)

    # What others ask for

    def _on_start(self, request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        if self._recording is not None:
            response.message = (
                f"already recording to '{self._recording.folder}'; call ~/stop first")
            return response
        try:
            response.message = str(self.begin())
            response.success = True
        except BagError as error:
            self._state = response.message = str(error)
        return response

    def _on_stop(self, request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        if self._recording is None:
            response.message = f'not recording: {self._state}'
            return response
        try:
            response.message = self.end()
            response.success = True
        except BagError as error:
            response.message = str(error)
        return response

    # Health

    def _check(self) -> DiagnosticStatus:
        recording = self._recording
        if recording is None:
            return status(
                OK if self._state.startswith('stopped') else ERROR, self._state, self._last)
        counts, lost = recording.counts(), self._listener.lost
        seconds = (self._steady.now().nanoseconds - self._began) / 1e9
        missing = self._choice(self._settings.required).unmatched(
            item.name for item in counts if item.taken)
        dropped, gone = sum(item.dropped for item in counts), sum(lost.values())
        problems = [f'nothing to record yet from {", ".join(missing)}'] * bool(missing)
        problems += [f'{topic} is not recorded: {reason}'
                     for topic, reason in self._listener.problems.items()]
        problems += [f'{dropped} messages dropped, the disk is too slow: record less, or with '
                     'another compression'] * bool(dropped)
        problems += [f'{gone} messages lost before they arrived: raise depth, or the Fast DDS '
                     'profile is missing'] * bool(gone)
        warn = problems and (seconds > GRACE or dropped or gone or not missing)
        return status(WARN if warn else OK, '; '.join(['recording', *problems]), {
            'bag': recording.folder,
            'seconds': f'{seconds:.1f}',
            'messages': sum(item.taken for item in counts),
            'bytes': recording.size,
            'waiting bytes': recording.waiting,
            'dropped': dropped,
            'lost': gone,
            'missing': ' '.join(missing),
            **{f'{item.name}: messages, dropped, lost':
               f'{item.taken}, {item.dropped}, {lost.get(item.name, 0)}' for item in counts},
        })


def main(args: Sequence[str] | None = None) -> int:
    """Run the node until SIGINT or SIGTERM; both end it with exit code 0."""
    return run_node('rollout_recorder', RolloutRecorder, args,
                    refusals=(ParameterError,), start=RolloutRecorder.start)


if __name__ == '__main__':
    sys.exit(main())
