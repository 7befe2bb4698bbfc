# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""
A simulated robot as ROS 2 sees a real one: cameras, odometry, transforms, a clock, cmd_vel.

One thread does everything, so a picture, its stamp and the transforms of that moment belong
together without a lock, and the renderer stays on the thread that made it. docs: sim_bridge.yaml.
"""

from collections.abc import Sequence
from functools import partial
import json
import math
import sys
from time import monotonic

from diagnostic_msgs.msg import DiagnosticStatus
from geometry_msgs.msg import Twist
from ipt_interfaces.msg import ErrorCode
from ipt_interfaces.srv import GroundTruth, Reset, Teleport
from ipt_ros.geometry import Pose2D, wrap_angle
from ipt_ros.nodes.ground_truth import fill_truth, MAX_PIXELS, TruthRequestError
from ipt_ros.nodes.sim_bridge_settings import Settings
from ipt_ros.ros.diagnostics import Diagnostics, OK, status, WARN
from ipt_ros.ros.images import from_depth, from_rgb
from ipt_ros.ros.messages import camera_info, pose_message, time_message, transform_message
from ipt_ros.ros.pacing import Pacer, RateMeter
from ipt_ros.ros.parameters import ParameterError, Parameters
from ipt_ros.ros.qos import latched, reliable, sensor_input
from ipt_ros.ros.running import run_node
from ipt_sim import (
    Frame,
    make_simulator,
    NotNavigableError,
    RandomizedSimulator,
    Simulator,
    SimulatorError,
)
from ipt_sim.truth import scene_truth
from nav_msgs.msg import Odometry
import numpy as np
from rclpy.clock import Clock, ClockType
from rclpy.event_handler import PublisherEventCallbacks
from rclpy.node import Node
from rclpy.qos_overriding_options import QoSOverridingOptions
from rosgraph_msgs.msg import Clock as ClockMessage
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import Header, String
from tf2_msgs.msg import TFMessage

HELD = 0.9  # of the rate asked for: below, the node says that it cannot hold it
TOP_DOWN_PIXELS = 512
TOP_DOWN_MARGIN = 0.25  # m around the room
TOP_DOWN_FRAME = 'top_down_optical_frame'


class SimBridge(Node):
    """Node `sim_bridge`; `start` builds the simulator and begins."""

    def __init__(self, **options):
        """Declare the parameters; `options` go to rclpy's Node."""
        super().__init__('sim_bridge', **options)
        self._parameter_table = Parameters(self, Settings, 'start the node with another value')
        self._sim: Simulator | None = None

    def start(self) -> None:
        """Build the scene, then publish and answer. Raises ParameterError, SimulatorError."""
        self._settings = settings = self._parameter_table.use()
        self._sim = make_simulator(
            settings.backend, cameras=settings.camera_specs(), scene=settings.scene,
            scene_dataset=settings.scene_dataset, randomization=settings.read_randomization(),
            max_image_size=(MAX_PIXELS, MAX_PIXELS))
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
        self._late_frames = 0
        self._lost_frames = 0

        self._odom_frame = settings.frame_prefix + settings.odom_frame
        self._base_frame = settings.frame_prefix + settings.base_frame
        self._advertise()
        self._publish_scene()
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
        # No event callbacks: the executor would look after two of them for each publisher before
        # every frame, and a subscriber that asks for more than is offered warns by itself.
        advertise = partial(
            self.create_publisher,
            event_callbacks=PublisherEventCallbacks(use_default_callbacks=False))

        def per_camera(kind, topic):
            return {
                name: advertise(
                    kind, f'{name}/{topic}', reliable(5),
                    qos_overriding_options=QoSOverridingOptions.with_default_policies())
                for name in self._settings.cameras}

        self._image_pubs = per_camera(Image, 'image_raw')
        self._depth_pubs = per_camera(Image, 'depth/image_raw')
        self._info_pubs = per_camera(CameraInfo, 'camera_info')
        # Messages with large arrays, filled anew for each frame.
        self._images, self._depths = (
            {name: Image() for name in self._settings.cameras} for _ in range(2))
        self._odom_pub = advertise(Odometry, 'odom', reliable())
        # These three have one name in every graph; robots with trees of their own remap them.
        self._tf_pub = advertise(TFMessage, '/tf', reliable(100))
        self._static_pub = advertise(TFMessage, '/tf_static', latched())
        self._map_pub = advertise(Image, 'top_down/image_raw', latched())
        self._map_info_pub = advertise(CameraInfo, 'top_down/camera_info', latched())
        self._truth_pub = advertise(String, 'ground_truth/scene', latched())
        self._clock_pub = (
            advertise(ClockMessage, '/clock', reliable(1))
            if self._settings.publish_clock else None)
        self._command_sub = self.create_subscription(
            Twist, 'cmd_vel', self._on_command, sensor_input('best_effort', 1))
        self.create_service(Reset, '~/reset', self._on_reset)
        self.create_service(Teleport, '~/teleport', self._on_teleport)
        self.create_service(GroundTruth, '~/ground_truth', self._on_ground_truth)

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
            missed = int((self._now_ns - self._next_frame_ns) // self._frame_ns)
            self._late_frames += missed
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

    def _publish_scene(self) -> None:
        """Publish what stays until the next reset: frames, a map, everything in the scene."""
        stamp = self._stamp()
        plan = self._draw_plan()
        header = Header(stamp=stamp, frame_id=self._settings.frame_prefix + TOP_DOWN_FRAME)
        self._map_pub.publish(from_rgb(plan.rgb, header))
        self._map_info_pub.publish(camera_info(plan.intrinsics, header))

        def link(parent, child, matrix):
            return transform_message(matrix, Header(stamp=stamp, frame_id=parent), child)

        transforms = [
            link(self._settings.map_frame, self._odom_frame, np.eye(4)),
            link(self._settings.map_frame, header.frame_id, plan.world_from_optical)]
        self._infos = {}  # of each camera; only their stamps change from frame to frame
        for spec in self._sim.cameras:
            optical = f'{self._settings.frame_prefix}{spec.name}_optical_frame'
            self._infos[spec.name] = camera_info(spec.intrinsics, Header(frame_id=optical))
            camera = f'{self._settings.frame_prefix}{spec.name}_link'
            in_camera = np.linalg.inv(spec.camera_in_base) @ spec.optical_in_base
            transforms += [
                link(self._base_frame, camera, spec.camera_in_base),
                link(camera, optical, in_camera)]
        self._static_pub.publish(TFMessage(transforms=transforms))

        truth = scene_truth(self._sim, self._settings.backend, self._seed)
        if isinstance(self._sim, RandomizedSimulator):
            truth['randomization'] = {
                'file': self._settings.randomization, 'seed': self._sim.randomization.seed}
        self._truth_pub.publish(String(data=json.dumps(truth)))

    def _draw_plan(self) -> Frame:
        """Draw the room from above, all of it, x of the map up."""
        xmin, ymin, xmax, ymax = self._sim.room_bounds()
        return self._sim.render_topdown(
            ((xmin + xmax) / 2, (ymin + ymax) / 2), 0.0,
            max(xmax - xmin, ymax - ymin) + 2 * TOP_DOWN_MARGIN, TOP_DOWN_PIXELS,
            depth=False, instance=False)

    def _publish_frames(self) -> None:
        """Draw each camera that somebody subscribes to; camera_info always goes out."""
        stamp = self._stamp()
        for name, info in self._infos.items():
            if isinstance(self._sim, RandomizedSimulator) and self._sim.is_lost(name):
                self._lost_frames += 1
                continue
            info.header.stamp = stamp
            header = info.header
            image_pub, depth_pub = self._image_pubs[name], self._depth_pubs[name]
            wants_image = image_pub.get_subscription_count() > 0
            wants_depth = depth_pub.get_subscription_count() > 0
            if wants_image or wants_depth:
                frame = self._sim.render(name, depth=wants_depth, instance=False)
                if wants_image:
                    image_pub.publish(from_rgb(frame.rgb, header, self._images[name]))
                if wants_depth:
                    depth_pub.publish(from_depth(frame.depth, header, self._depths[name]))
            self._info_pubs[name].publish(info)
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
            # Since the start: those that the machine was too slow for, and those that the
            # randomisation let get lost between camera and computer.
            'late frames': self._late_frames,
            'lost frames': self._lost_frames,
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
        self._stop()
        # Building a scene may take long: that is neither to be caught up nor a slow simulation.
        self._pacer.restart()
        self._step_meter, self._frame_meter = RateMeter(), RateMeter()
        self._publish_scene()
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
            fill_truth(request, response, self._sim, Header(stamp=self._stamp()))
        except TruthRequestError as error:
            return _fail(response, error.code, str(error))
        except SimulatorError as error:
            return _fail(response, ErrorCode.INTERNAL, str(error))
        response.success = True
        return response


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
