# SPDX-License-Identifier: Apache-2.0
"""
A simulated robot as ROS 2 sees a real one: cameras, odometry, transforms, a clock, cmd_vel.

One thread does everything, so a picture, its stamp and the transforms of that moment belong
together without a lock, and the renderer stays on the thread that made it. docs: sim_bridge.yaml.
"""

from collections.abc import Sequence
from dataclasses import dataclass
import json
import math
import re
import sys
from time import monotonic

from diagnostic_msgs.msg import DiagnosticStatus
from geometry_msgs.msg import Twist
from ipt_interfaces.msg import ErrorCode, SceneObject
from ipt_interfaces.srv import GroundTruth, Reset, Teleport
from ipt_ros.geometry import Pose2D, wrap_angle
from ipt_ros.ros.diagnostics import Diagnostics, OK, status, WARN
from ipt_ros.ros.images import from_depth, from_ids, from_rgb
from ipt_ros.ros.messages import camera_info, pose_message, time_message, transform_message
from ipt_ros.ros.pacing import Pacer, RateMeter
from ipt_ros.ros.parameters import declare, parameter, ParameterError, read
from ipt_ros.ros.qos import latched, reliable, sensor_input
from ipt_ros.ros.running import run_node
from ipt_sim import (
    CameraSpec,
    Frame,
    make_simulator,
    NotNavigableError,
    Simulator,
    SimulatorError,
)
from ipt_sim.truth import scene_truth
from nav_msgs.msg import Odometry
import numpy as np
from rclpy.clock import Clock, ClockType
from rclpy.node import Node
from rclpy.qos_overriding_options import QoSOverridingOptions
from rosgraph_msgs.msg import Clock as ClockMessage
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import Header, String
from tf2_msgs.msg import TFMessage

MAP_SIZE = 8.0  # m, a side of a ground-truth map unless a request says otherwise
MAX_PIXELS = 2048  # a side of a ground-truth map
_CAMERA_NAME = re.compile(r'[A-Za-z]\w*', re.ASCII)
HELD = 0.9  # of the rate asked for: below, the node says that it cannot hold it


@dataclass(frozen=True)
class Settings:
    """The node's parameters; config/sim_bridge.yaml explains them at more length."""

    backend: str = parameter('mujoco', 'Simulator to use.', choices=('mujoco',))
    seed: int = parameter(
        1_000_000, 'Scene at the start; ~/reset changes it.', low=0, high=2**31 - 1)
    publish_clock: bool = parameter(
        True, 'Publish /clock and stamp with simulated time; false: stamp with wall-clock time.')
    real_time_factor: float = parameter(
        1.0, 'Simulated seconds a wall-clock second.', low=0.01, high=100.0)
    update_rate: float = parameter(
        20.0, 'Hz (simulated) of motion, odom, /tf and /clock.', low=1.0, high=200.0)
    frame_rate: float = parameter(
        5.0, 'Hz (simulated) of each camera; at most update_rate.', low=0.01, high=200.0)
    cameras: tuple = parameter(
        ('front', 'left', 'back', 'right'), 'Names of the cameras; topics begin with them.')
    camera_yaws: tuple = parameter(
        (0.0, math.pi / 2, math.pi, -math.pi / 2), 'Heading of each camera (rad, to the left).')
    camera_width: int = parameter(256, 'Pixels.', low=16, high=4096)
    camera_height: int = parameter(256, 'Pixels.', low=16, high=4096)
    camera_hfov: float = parameter(
        math.pi / 2, 'Horizontal field of view (rad).', low=0.1, high=3.0)
    camera_z: float = parameter(1.2, 'Height above the floor (m).', low=0.05, high=2.3)
    camera_pitch: float = parameter(0.0, 'Downward tilt (rad).', low=-1.5, high=1.5)
    map_frame: str = parameter('map', 'World frame; the same for every robot.')
    odom_frame: str = parameter('odom', 'Odometry frame.')
    base_frame: str = parameter('base_link', 'Body frame: on the floor, x forward.')
    frame_prefix: str = parameter('', 'Put before every frame but map_frame.')
    max_linear: float = parameter(1.0, 'm/s; faster commands are limited.', low=0.0, high=10.0)
    max_angular: float = parameter(2.0, 'rad/s; faster commands are limited.', low=0.0, high=20.0)
    cmd_vel_timeout: float = parameter(
        0.5, 'Simulated s without a command until the robot stops.', low=0.0, high=60.0)

    def camera_specs(self) -> tuple[CameraSpec, ...]:
        """Return the cameras; raise ParameterError where the lists do not fit each other."""
        if not self.cameras or len(set(self.cameras)) != len(self.cameras):
            raise ParameterError(
                f"'cameras' must name one or more different cameras, got {list(self.cameras)}")
        bad = [name for name in self.cameras if not _CAMERA_NAME.fullmatch(name)]
        if bad:
            raise ParameterError(
                f"'cameras' become parts of topics: letters, digits and _ only, got {bad}")
        if not all(map(math.isfinite, self.camera_yaws)):
            raise ParameterError(f"'camera_yaws' must be finite, got {list(self.camera_yaws)}")
        if len(self.camera_yaws) != len(self.cameras):
            raise ParameterError(
                f"'camera_yaws' has {len(self.camera_yaws)} values for {len(self.cameras)} "
                'cameras; give one heading (rad) a camera')
        if self.frame_rate > self.update_rate:
            raise ParameterError(
                f"'frame_rate' ({self.frame_rate} Hz) is above 'update_rate' "
                f'({self.update_rate} Hz); raise the latter')
        return tuple(
            CameraSpec(
                name, self.camera_width, self.camera_height, self.camera_hfov,
                (0.0, 0.0, self.camera_z), yaw, self.camera_pitch)
            for name, yaw in zip(self.cameras, self.camera_yaws))


class SimBridge(Node):
    """Node `sim_bridge`; `start` builds the simulator and begins."""

    def __init__(self, **options):
        """Declare the parameters; `options` go to rclpy's Node."""
        super().__init__('sim_bridge', **options)
        declare(self, Settings)
        self._sim: Simulator | None = None

    def start(self) -> None:
        """Build the scene, then publish and answer. Raises ParameterError, SimulatorError."""
        self._settings = settings = read(self, Settings)
        self._cameras = settings.camera_specs()
        self._sim = make_simulator(settings.backend, cameras=self._cameras)
        self._sim.reset(settings.seed)
        self._seed = settings.seed

        self._step_ns = round(1e9 / settings.update_rate)
        self._frame_ns = 1e9 / settings.frame_rate
        self._now_ns = 0
        self._next_frame_ns = 0.0
        self._command = (0.0, 0.0)
        self._command_ns = 0
        self._velocity = (0.0, 0.0)
        self._collided = False
        self._pacer = Pacer(self._step_ns * 1e-9, settings.real_time_factor)
        self._step_meter = RateMeter()
        self._frame_meter = RateMeter()

        self._odom_frame = settings.frame_prefix + settings.odom_frame
        self._base_frame = settings.frame_prefix + settings.base_frame
        self._advertise()
        self._publish_static_transforms()
        self._publish_truth()
        self._diagnostics = Diagnostics(
            self, f'ipt_sim/{settings.backend}', {'simulation': self._check_rates})
        # The wall clock drives the simulation. The node's own clock must not: with use_sim_time
        # it would wait for the /clock that only this timer publishes.
        self._timer = self.create_timer(
            self._step_ns * 1e-9 / settings.real_time_factor, self._update,
            clock=Clock(clock_type=ClockType.STEADY_TIME))
        self.get_logger().info(
            f'scene {self._seed}: {len(self._sim.objects())} objects, cameras '
            f"{', '.join(settings.cameras)} ({settings.camera_width}x{settings.camera_height}, "
            f'{settings.frame_rate:g} Hz)')

    def close(self) -> None:
        """Free the simulator."""
        if self._sim is not None:
            self._sim.close()
            self._sim = None

    def _advertise(self) -> None:
        """Create publishers, the subscription and services."""
        def per_camera(kind, topic):
            return {
                spec.name: self.create_publisher(
                    kind, f'{spec.name}/{topic}', reliable(5),
                    qos_overriding_options=QoSOverridingOptions.with_default_policies())
                for spec in self._cameras}

        self._image_pubs = per_camera(Image, 'image_raw')
        self._depth_pubs = per_camera(Image, 'depth/image_raw')
        self._info_pubs = per_camera(CameraInfo, 'camera_info')
        self._odom_pub = self.create_publisher(Odometry, 'odom', reliable())
        # These three have one name in every graph; robots with trees of their own remap them.
        self._tf_pub = self.create_publisher(TFMessage, '/tf', reliable(100))
        self._static_pub = self.create_publisher(TFMessage, '/tf_static', latched())
        self._truth_pub = self.create_publisher(String, 'ground_truth/scene', latched())
        self._clock_pub = (
            self.create_publisher(ClockMessage, '/clock', reliable(1))
            if self._settings.publish_clock else None)
        self._command_sub = self.create_subscription(
            Twist, 'cmd_vel', self._on_command, sensor_input('best_effort', 1))
        self._services = [
            self.create_service(Reset, '~/reset', self._on_reset),
            self.create_service(Teleport, '~/teleport', self._on_teleport),
            self.create_service(GroundTruth, '~/ground_truth', self._on_ground_truth),
        ]

    def _optical_frame(self, camera: str) -> str:
        return f'{self._settings.frame_prefix}{camera}_optical_frame'

    def _stamp(self):
        """Return the stamp of the present moment of the simulation."""
        if self._clock_pub is None:
            return self.get_clock().now().to_msg()
        return time_message(self._now_ns)

    # The simulation

    def _update(self) -> None:
        """Make the steps that are due; then draw, once, if a frame is due."""
        for _ in range(self._pacer.due(monotonic())):
            self._step()
        if self._now_ns >= self._next_frame_ns:
            # Frames that are overdue as well are left out: an image shows one moment only.
            missed = (self._now_ns - self._next_frame_ns) // self._frame_ns
            self._next_frame_ns += (missed + 1) * self._frame_ns
            self._publish_frames()

    def _step(self) -> None:
        settings, dt = self._settings, self._step_ns * 1e-9
        if self._now_ns - self._command_ns > settings.cmd_vel_timeout * 1e9:
            self._command = (0.0, 0.0)
        before = self._sim.pose
        after, collided = self._sim_step(dt)
        moved = math.cos(before.yaw) * (after.x - before.x) + math.sin(before.yaw) * (
            after.y - before.y)
        self._velocity = (moved / dt, wrap_angle(after.yaw - before.yaw) / dt)
        if collided and not self._collided:
            self.get_logger().warning(
                f'collision at ({after.x:.2f}, {after.y:.2f}): the robot cannot go on this way')
        self._collided = collided
        self._now_ns += self._step_ns
        self._step_meter.add(monotonic())
        self._publish_state()

    def _sim_step(self, dt: float) -> tuple[Pose2D, bool]:
        result = self._sim.step(dt, *self._command)
        return result.pose, result.collided

    def _publish_state(self) -> None:
        """Publish /clock, /tf and odom, all of the present moment."""
        stamp = self._stamp()
        if self._clock_pub is not None:
            self._clock_pub.publish(ClockMessage(clock=stamp))
        pose = self._sim.pose
        header = Header(stamp=stamp, frame_id=self._odom_frame)
        self._tf_pub.publish(TFMessage(
            transforms=[transform_message(pose.matrix, header, self._base_frame)]))
        odom = Odometry(header=header, child_frame_id=self._base_frame)
        odom.pose.pose = pose_message(pose.matrix)
        odom.twist.twist.linear.x, odom.twist.twist.angular.z = self._velocity
        self._odom_pub.publish(odom)

    def _publish_static_transforms(self) -> None:
        stamp = self._stamp()

        def link(parent, child, matrix):
            return transform_message(matrix, Header(stamp=stamp, frame_id=parent), child)

        transforms = [link(self._settings.map_frame, self._odom_frame, np.eye(4))]
        for spec in self._cameras:
            camera = f'{self._settings.frame_prefix}{spec.name}_link'
            in_camera = np.linalg.inv(spec.camera_in_base) @ spec.optical_in_base
            transforms += [
                link(self._base_frame, camera, spec.camera_in_base),
                link(camera, self._optical_frame(spec.name), in_camera)]
        self._static_pub.publish(TFMessage(transforms=transforms))

    def _publish_truth(self) -> None:
        """Publish everything in the scene; recorders keep it with what the robot saw."""
        truth = scene_truth(self._sim, self._settings.backend, self._seed)
        self._truth_pub.publish(String(data=json.dumps(truth)))

    def _publish_frames(self) -> None:
        """Draw each camera that somebody subscribes to; camera_info always goes out."""
        stamp = self._stamp()
        for spec in self._cameras:
            header = Header(stamp=stamp, frame_id=self._optical_frame(spec.name))
            image_pub, depth_pub = self._image_pubs[spec.name], self._depth_pubs[spec.name]
            wants_image = image_pub.get_subscription_count() > 0
            wants_depth = depth_pub.get_subscription_count() > 0
            if wants_image or wants_depth:
                frame = self._sim.render(spec.name, depth=wants_depth, instance=False)
                if wants_image:
                    image_pub.publish(from_rgb(frame.rgb, header))
                if wants_depth:
                    depth_pub.publish(from_depth(frame.depth, header))
            self._info_pubs[spec.name].publish(camera_info(spec.intrinsics, header))
        self._frame_meter.add(monotonic())

    def _check_rates(self) -> DiagnosticStatus:
        """Compare the rates that were asked for with those that were reached."""
        now, settings = monotonic(), self._settings
        factor = self._step_meter.rate(now) * self._step_ns * 1e-9
        frames = self._frame_meter.rate(now)
        if math.isnan(frames):
            return status(OK, 'starting')
        asked = settings.frame_rate * settings.real_time_factor
        held = frames >= HELD * asked and factor >= HELD * settings.real_time_factor
        message = f'{frames:.1f} of {asked:.1f} frames/s a camera, {factor:.2f} of real time'
        if not held:
            message += '; too slow: lower frame_rate, camera_width and camera_height'
            self.get_logger().warning(message, throttle_duration_sec=10.0)
        return status(OK if held else WARN, message, {
            'frames/s asked': f'{asked:.2f}',
            'frames/s reached': f'{frames:.2f}',
            'real time factor asked': f'{settings.real_time_factor:.2f}',
            'real time factor reached': f'{factor:.2f}',
            'seed': self._seed,
            'collided': self._collided,
        })

    # What others ask for

    def _on_command(self, message: Twist) -> None:
        linear, angular = message.linear.x, message.angular.z
        if not (math.isfinite(linear) and math.isfinite(angular)):
            self._command = (0.0, 0.0)
            self.get_logger().error(
                f'cmd_vel with linear.x = {linear}, angular.z = {angular}: stopped; send finite '
                'm/s and rad/s', throttle_duration_sec=5.0)
            return
        fastest = self._settings.max_linear, self._settings.max_angular
        self._command = tuple(
            max(-limit, min(limit, value)) for value, limit in zip((linear, angular), fastest))
        self._command_ns = self._now_ns
        if self._command != (linear, angular):
            self.get_logger().warning(
                f'cmd_vel of {linear:.2f} m/s, {angular:.2f} rad/s is limited to {fastest[0]:g}, '
                f'{fastest[1]:g} (max_linear, max_angular)', throttle_duration_sec=5.0)

    def _stop(self) -> None:
        self._command = (0.0, 0.0)
        self._collided = False

    def _on_reset(self, request, response):
        if not 0 <= request.seed < 2**31:
            return _fail(response, ErrorCode.BAD_SEED,
                         f'seed {request.seed} is outside 0 ... {2**31 - 1}')
        try:
            self._sim.reset(request.seed)
        except SimulatorError as error:
            return _fail(
                response, ErrorCode.BAD_SEED, f'no scene from seed {request.seed}: {error}')
        self._seed = request.seed
        self._publish_truth()
        self._stop()
        response.success = True
        response.message = f'scene {request.seed} with {len(self._sim.objects())} objects'
        return response

    def _on_teleport(self, request, response):
        pose = (request.x, request.y, request.yaw)
        if not all(map(math.isfinite, pose)):
            return _fail(response, ErrorCode.TARGET_NOT_FINITE,
                         f'pose {pose} is not finite; give metres and radians')
        try:
            self._sim.teleport(Pose2D(*pose))
        except NotNavigableError as error:
            return _fail(response, ErrorCode.NOT_NAVIGABLE, str(error))
        self._stop()
        response.success = True
        return response

    def _on_ground_truth(self, request, response):
        try:
            frame = self._true_frame(request)
        except _RequestError as error:
            return _fail(response, error.code, str(error))
        except SimulatorError as error:
            return _fail(response, ErrorCode.INTERNAL, str(error))
        if not frame.instance.any():
            xmin, ymin, xmax, ymax = self._sim.room_bounds()
            return _fail(
                response, ErrorCode.BAD_REQUEST,
                f'nothing is to be seen from ({request.x:.2f}, {request.y:.2f}); the room reaches '
                f'from ({xmin:.2f}, {ymin:.2f}) to ({xmax:.2f}, {ymax:.2f})')
        header = Header(stamp=self._stamp())
        response.success = True
        response.image = from_rgb(frame.rgb, header)
        response.depth = from_depth(frame.depth, header)
        response.instances = from_ids(frame.instance, header)
        response.camera_info = camera_info(frame.intrinsics, header)
        response.objects = self._visible_objects(frame)
        return response

    def _true_frame(self, request) -> Frame:
        """Draw what a ground-truth request asks for; raise _RequestError if it cannot be."""
        if not all(map(math.isfinite, (request.x, request.y, request.yaw))):
            raise _RequestError(ErrorCode.TARGET_NOT_FINITE,
                                f'pose ({request.x}, {request.y}, {request.yaw}) is not finite; '
                                'give metres and radians')
        if request.kind in ('', request.VIEW):
            camera = request.camera or self._cameras[0].name
            if camera not in self._settings.cameras:
                raise _RequestError(
                    ErrorCode.UNKNOWN_CAMERA,
                    f"unknown camera '{camera}'; this robot has: "
                    f"{', '.join(self._settings.cameras)}")
            return self._sim.render(camera, Pose2D(request.x, request.y, request.yaw))
        if request.kind != request.BEV:
            raise _RequestError(ErrorCode.BAD_REQUEST,
                                f"unknown kind '{request.kind}'; expected "
                                f"'{request.VIEW}' or '{request.BEV}'")
        size, pixels = request.size or MAP_SIZE, request.pixels or self._settings.camera_width
        if not (0.1 <= size <= 100.0 and 8 <= pixels <= MAX_PIXELS):
            raise _RequestError(ErrorCode.BAD_REQUEST,
                                f'a map of {size} m and {pixels} pixels; possible are 0.1 to '
                                f'100 m and 8 to {MAX_PIXELS} pixels (0: the default)')
        return self._sim.render_topdown((request.x, request.y), request.yaw, size, pixels)

    def _visible_objects(self, frame: Frame) -> list[SceneObject]:
        """Return the furniture in the picture, with the number of its pixels."""
        ids, counts = np.unique(frame.instance, return_counts=True)
        pixels = dict(zip(ids.tolist(), counts.tolist()))
        found = []
        for item in self._sim.objects():
            if item.structural or item.id not in pixels:
                continue
            message = SceneObject(
                id=item.id, name=item.name, color=item.color, yaw=float(item.yaw),
                pixels=pixels[item.id])
            message.position.x, message.position.y, message.position.z = map(float, item.position)
            message.size.x, message.size.y, message.size.z = map(float, item.size)
            found.append(message)
        return found


class _RequestError(Exception):
    """A request that cannot be answered, with its ErrorCode."""

    def __init__(self, code: int, message: str):
        super().__init__(message)
        self.code = code


def _fail(response, code: int, message: str):
    response.success = False
    response.error_code = code
    response.message = message
    return response


def main(args: Sequence[str] | None = None) -> int:
    """Run the node until SIGINT or SIGTERM; both end it with exit code 0."""
    return run_node('sim_bridge', SimBridge, args, refusals=(ParameterError, SimulatorError),
                    start=SimBridge.start)


if __name__ == '__main__':
    sys.exit(main())
