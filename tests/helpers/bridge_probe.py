# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""A node that hears everything a simulator bridge says, for tests."""

from collections import defaultdict
from collections.abc import Callable
from contextlib import contextmanager
import math
from time import monotonic

from diagnostic_msgs.msg import DiagnosticArray
from geometry_msgs.msg import Twist
from ipt_ros.geometry import Pose2D
from ipt_ros.graph import node_command
from ipt_ros.processes import Processes
from ipt_ros.ros.qos import latched, reliable
from ipt_ros.ros.transforms import nanoseconds, TransformBuffer
from nav_msgs.msg import Odometry
import rclpy
from rclpy.executors import SingleThreadedExecutor
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import CameraInfo, Image
from tf2_msgs.msg import TFMessage

PATIENCE = 240.0  # seconds until a test gives up; machines may be busy
CAMERAS = {'front': 0.0, 'left': math.pi / 2, 'back': math.pi, 'right': -math.pi / 2}


class Probe:
    """A node that keeps everything it hears, and calls services."""

    def __init__(self):
        self.context = rclpy.Context()
        rclpy.init(context=self.context)
        self.node = rclpy.create_node('probe', context=self.context)
        self.executor = SingleThreadedExecutor(context=self.context)
        self.executor.add_node(self.node)
        self.heard = defaultdict(list)
        self.transforms = TransformBuffer(keep=600.0, tolerance=0.0)
        for camera in CAMERAS:
            self.listen(Image, f'/ipt/{camera}/image_raw')
            self.listen(Image, f'/ipt/{camera}/depth/image_raw')
            self.listen(CameraInfo, f'/ipt/{camera}/camera_info')
        self.listen(Odometry, '/ipt/odom')
        self.listen(Clock, '/clock')
        self.listen(DiagnosticArray, '/diagnostics')
        self.listen(TFMessage, '/tf', self.transforms.add_message)
        self.listen(
            TFMessage, '/tf_static', lambda m: self.transforms.add_message(m, static=True),
            latched())
        self.commands = self.node.create_publisher(Twist, '/ipt/cmd_vel', reliable())

    def listen(self, kind, topic, callback=None, qos=None):
        self.node.create_subscription(
            kind, topic, callback or self.heard[topic].append, qos or reliable(100))

    def latched(self, kind, topic):
        """Return what a late joiner gets on a latched topic."""
        heard = []
        subscription = self.node.create_subscription(kind, topic, heard.append, latched())
        try:
            return self.until(lambda: heard and heard[-1])
        finally:
            self.node.destroy_subscription(subscription)

    def diagnosis(self, key):
        """Return the first status whose values have this key, and the values."""
        def told():
            for message in self.heard['/diagnostics']:
                for item in message.status:
                    values = {pair.key: pair.value for pair in item.values}
                    if key in values:
                        return item, values
            return None

        return self.until(told)

    def forget(self):
        """Empty the lists in place: the subscriptions hold on to them."""
        for messages in self.heard.values():
            messages.clear()

    def until(self, ready: Callable[[], object], seconds: float = PATIENCE):
        """Spin until ready() is true and return it."""
        began = monotonic()
        while not (value := ready()):
            assert monotonic() - began < seconds, f'waited {seconds} s in vain'
            self.executor.spin_once(timeout_sec=0.05)
        return value

    def call(self, kind, name, /, **fields):
        client = self.node.create_client(kind, f'/ipt/sim_bridge/{name}')
        self.until(client.service_is_ready)
        future = client.call_async(kind.Request(**fields))
        self.until(future.done)
        self.node.destroy_client(client)
        return future.result()

    def fresh(self, topic):
        """Return the first message on a topic whose stamp is later than all heard so far."""
        last = max((nanoseconds(m.header.stamp) for m in self.heard['/ipt/odom']), default=0)
        return self.until(lambda: next(
            (m for m in self.heard[topic] if nanoseconds(m.header.stamp) > last), None))

    def pose(self) -> Pose2D:
        return as_pose(self.fresh('/ipt/odom'))

    def drive(self, linear, angular, until, seconds=PATIENCE):
        """Send a command again and again until `until(odometry)` is true of a new odometry."""
        seen = len(self.heard['/ipt/odom'])

        def arrived():
            self.commands.publish(twist(linear, angular))
            return any(until(odom) for odom in self.heard['/ipt/odom'][seen:])

        self.until(arrived, seconds)

    def close(self):
        self.executor.shutdown()
        self.node.destroy_node()
        rclpy.shutdown(context=self.context)


def twist(linear, angular):
    message = Twist()
    message.linear.x, message.angular.z = float(linear), float(angular)
    return message


def as_pose(odom) -> Pose2D:
    pose = odom.pose.pose
    return Pose2D(pose.position.x, pose.position.y,
                  2 * math.atan2(pose.orientation.z, pose.orientation.w))


@contextmanager
def running_bridge(environment, log, **parameters):
    """Run a bridge in a process of its own; give a probe that has heard from it."""
    with Processes() as processes:
        processes.start('sim_bridge', node_command('sim_bridge', parameters), log, environment)
        probe = Probe()
        try:
            probe.until(lambda: processes.check() or probe.heard['/ipt/odom'])
            yield probe
        finally:
            probe.close()
        assert processes.stop() == {'sim_bridge': 0}, log.read_text()
