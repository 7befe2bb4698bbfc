# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""Drives a robot of a running graph: odometry and depth images in, cmd_vel out."""

from collections.abc import Callable
from dataclasses import dataclass
import math

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from geometry_msgs.msg import Twist
from ipt_ros.driving import Command, Driver, STOP
from ipt_ros.geometry import compose, matrix_from_quaternion, Pose2D, quaternion_problem
from ipt_ros.ros.cameras import pinhole
from ipt_ros.ros.client import Robot, RobotError, Waiting
from ipt_ros.ros.images import ImageError, to_depth
from ipt_ros.ros.qos import latched, reliable, sensor_input
from ipt_ros.ros.transforms import nanoseconds, TransformBuffer, TransformError
from nav_msgs.msg import Odometry
import numpy as np
from sensor_msgs.msg import CameraInfo, Image
from std_srvs.srv import Trigger
from tf2_msgs.msg import TFMessage

_DEPTH = '/depth/image_raw'
_SILENT = 15.0  # s without odometry after which the robot is given up
_LOOK_PERIOD = 0.25  # s of robot time between two looks through the same camera
_STOP_MESSAGES = 5  # one of them will arrive


@dataclass(frozen=True)
class RecorderStatus:
    """What the recorder says of itself: level as in DiagnosticStatus, values by name."""

    level: bytes
    message: str
    values: dict[str, str]


class Pilot(Robot):
    """
    A client that drives, too.

    Only cameras with depth serve for driving: every topic <namespace>/<camera>/depth/image_raw.
    """

    def __init__(
        self, namespace: str = '/ipt', waiting: Waiting | None = None, timeout: float = 60.0,
    ):
        super().__init__(namespace, waiting, timeout)
        self.recorder: RecorderStatus | None = None
        self._odom: Odometry | None = None
        self._transforms = TransformBuffer(self._node.get_logger().warning)
        self._infos: dict[str, CameraInfo] = {}
        self._depths: dict[str, Image] = {}
        self._looked: dict[str, int] = {}
        self._unusable: dict[str, str] = {}
        node = self._node
        node.create_subscription(
            Odometry, f'{self._namespace}/odom', self._on_odom, sensor_input('best_effort', 1))
        node.create_subscription(
            TFMessage, '/tf', self._transforms.add_message, sensor_input('best_effort', 100))
        node.create_subscription(
            TFMessage, '/tf_static', lambda m: self._transforms.add_message(m, static=True),
            latched(100))
        node.create_subscription(DiagnosticArray, '/diagnostics', self._on_diagnostics, 10)
        self._commands = node.create_publisher(Twist, f'{self._namespace}/cmd_vel', reliable(1))

    # The recorder

    def wait_for_recording(self, seconds: float = 60.0) -> None:
        """Wait until every required topic is being recorded. Raises RobotError."""
        def ready() -> bool:
            self.check_recorder()
            return (self.recorder is not None and 'messages' in self.recorder.values
                    and not self.recorder.values.get('missing', 'unknown'))
        try:
            self._wait_for(ready, 'the recorder to have a message of every required topic',
                           seconds=seconds)
        except RobotError as error:
            said = f'; it says: {self.recorder.message}' if self.recorder else ''
            raise RobotError(f'{error}{said}') from error

    def check_recorder(self) -> None:
        """Raise RobotError if the recorder has failed."""
        if self.recorder is not None and self.recorder.level == DiagnosticStatus.ERROR:
            raise RobotError(f'recording failed: {self.recorder.message}')

    def stop_recording(self) -> str:
        """End the bag in good order; return a sentence about it. Raises RobotError."""
        reply = self._call(Trigger, 'rollout_recorder/stop', Trigger.Request())
        text = self._checked(reply).message
        self._wait_for(  # its figures follow at once
            lambda: self.recorder and self.recorder.message.startswith('stopped'),
            'the last figures of the recorder', seconds=5.0, must=False)
        return text

    # Driving

    def depth_cameras(self, seconds: float = 30.0) -> list[str]:
        """Wait until a camera with depth is there and return the names of all. RobotError."""
        prefix, found = f'{self._namespace}/', []

        def look() -> bool:
            found[:] = sorted(
                name.removeprefix(prefix).removesuffix(_DEPTH)
                for name, _ in self._node.get_topic_names_and_types()
                if name.startswith(prefix) and name.endswith(_DEPTH)
                and self._node.count_publishers(name))
            return bool(found)

        self._wait_for(look, f'a depth image on {prefix}<camera>{_DEPTH}', seconds=seconds)
        return found

    def drive(
        self, driver: Driver, seconds: float, report: Callable[[float], None] = lambda s: None,
    ) -> float:
        """
        Let a driver drive for so many seconds of the robot's time, or until it is done.

        report(seconds so far) is called for every odometry. Returns the seconds driven. The robot
        is stopped at the end, however that comes about. Raises RobotError, DrivingError.
        """
        subscriptions = self._open_eyes()
        try:
            return self._drive(driver, seconds, report)
        finally:
            self.halt()
            for subscription in subscriptions:
                self._node.destroy_subscription(subscription)

    def halt(self) -> None:
        """Tell the robot to stand still."""
        for _ in range(_STOP_MESSAGES):
            self._command(STOP)
            self._executor.spin_once(timeout_sec=0.02)

    def rest(self, seconds: float) -> None:
        """Stand still for so many seconds of the robot's time."""
        until = self._next_odometry() + seconds
        while self._next_odometry() < until:
            pass

    def _drive(self, driver: Driver, seconds: float, report: Callable[[float], None]) -> float:
        time = self._next_odometry()
        driven = 0.0
        while driven < seconds and not driver.done:
            self._look(driver)
            self._command(driver.step(time, self._pose()))
            self.check_recorder()
            before, time = time, self._next_odometry()
            driven += max(0.0, min(time - before, 1.0))  # however clocks jump
            report(driven)
        if not self._looked:
            reasons = '; '.join(self._unusable.values()) or 'none arrived'
            raise RobotError(f'no depth image could be used: {reasons}')
        return driven

    def _open_eyes(self) -> list:
        def keep(store: dict, name: str) -> Callable:
            return lambda message: store.update({name: message})

        subscriptions = []
        for name in self.depth_cameras():
            base = f'{self._namespace}/{name}'
            subscriptions += [
                self._node.create_subscription(
                    CameraInfo, f'{base}/camera_info', keep(self._infos, name),
                    sensor_input('best_effort', 1)),
                self._node.create_subscription(
                    Image, f'{base}{_DEPTH}', keep(self._depths, name),
                    sensor_input('best_effort', 1))]
        return subscriptions

    def _look(self, driver: Driver) -> None:
        """Show the driver the depth images whose place is known by now."""
        for name, image in list(self._depths.items()):
            stamp = nanoseconds(image.header.stamp)
            fresh = abs(stamp - self._looked.get(name, -10**18)) >= _LOOK_PERIOD * 1e9
            if not fresh or name not in self._infos:
                continue
            try:
                where = self._transforms.lookup(
                    self._odom.header.frame_id, image.header.frame_id, stamp)
                driver.see(pinhole(self._infos[name]), to_depth(image), where)
            except (TransformError, ImageError, ValueError) as error:
                self._unusable[name] = f"camera '{name}': {error}"
                continue  # its transform may still be on the way
            self._looked[name] = stamp
            del self._depths[name]

    def _next_odometry(self) -> float:
        """Wait for another odometry and return its time (s)."""
        last, self._odom = self._odom, None
        try:
            self._wait_for(
                lambda: self._odom, f'odometry on {self._namespace}/odom', seconds=_SILENT)
        except RobotError:
            self._odom = last
            raise
        return nanoseconds(self._odom.header.stamp) / 1e9

    def _pose(self) -> Pose2D:
        pose = self._odom.pose.pose
        q, place = pose.orientation, (pose.position.x, pose.position.y, pose.position.z)
        turn = np.array([q.x, q.y, q.z, q.w])
        if problem := quaternion_problem(turn):
            raise RobotError(
                f'the odometry has no heading: its quaternion {turn.tolist()} {problem}')
        if not all(map(math.isfinite, place)):
            raise RobotError(f'the odometry is not finite: {place}')
        return Pose2D.from_matrix(compose(matrix_from_quaternion(turn), place))

    def _command(self, command: Command) -> None:
        message = Twist()
        message.linear.x, message.angular.z = float(command.linear), float(command.angular)
        self._commands.publish(message)

    def _on_odom(self, message: Odometry) -> None:
        self._odom = message

    def _on_diagnostics(self, message: DiagnosticArray) -> None:
        for item in message.status:
            if item.name == f'{self._namespace}/rollout_recorder: recording'.lstrip('/'):
                self.recorder = RecorderStatus(
                    item.level, item.message, {v.key: v.value for v in item.values})
