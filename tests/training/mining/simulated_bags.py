# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""Bags for tests: what a robot in a simulated room records, with any fault that is wanted."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
import json
import math
from pathlib import Path
from typing import Any

import cv2
from ipt_ros.geometry import Pose2D, quaternion_from_matrix
from ipt_sim.protocol import CameraSpec, surround_cameras
import numpy as np
from rosbags.rosbag2 import StoragePlugin, Writer
from rosbags.typesys import get_types_from_msg, get_typestore, Stores

SECOND = 1_000_000_000
FRAME_STEP, TF_STEP = SECOND // 4, SECOND // 20
STORE = get_typestore(Stores.ROS2_JAZZY)
STORE.register(get_types_from_msg('float64 volts\nstring note\n', 'our_robot/msg/Battery'))


def drive(waypoints: Sequence[tuple[float, float]], speed: float = 0.8, turn: float = 0.8,
          around: bool = False) -> Callable[[float], Pose2D]:
    """
    Return the pose at any time (s) of a robot that drives from waypoint to waypoint.

    It turns on the spot at each; with `around`, once around itself besides.
    """
    legs = []  # duration, pose at the start, forward speed, turn rate
    pose = Pose2D(*waypoints[0])
    for x, y in waypoints[1:]:
        heading = math.atan2(y - pose.y, x - pose.x)
        by = math.remainder(heading - pose.yaw, math.tau) + (math.tau if around else 0.0)
        legs.append((abs(by) / turn, pose, 0.0, math.copysign(turn, by)))
        pose = Pose2D(pose.x, pose.y, heading)
        way = math.hypot(x - pose.x, y - pose.y)
        legs.append((way / speed, pose, speed, 0.0))
        pose = pose.moved(way)

    def at(seconds: float) -> Pose2D:
        for duration, start, forward, rate in legs:
            if seconds <= duration:
                return start.moved(forward * seconds, turn=rate * seconds)
            seconds -= duration
        return pose

    at.duration = sum(leg[0] for leg in legs)
    return at


@dataclass(frozen=True)
class Settings:
    """
    How to record. `spoil` may change, drop (None) or keep each message before it is written.

    `rename` returns the topic on which a message is written.
    """

    cameras: tuple[CameraSpec, ...] = surround_cameras(64)
    encoding: str = 'rgb8'  # or bgr8, mono8, jpeg, png
    depth: str = '32FC1'  # or 16UC1, '' for none
    truth: dict[str, Any] | None = None
    storage: StoragePlugin = StoragePlugin.MCAP
    start: int = 100 * SECOND
    drift: Callable[[float], Pose2D] | None = None  # error of odometry over time
    spoil: Callable[[str, int, Any], Any] = lambda topic, logged, message: message
    distortion: tuple[float, ...] = (0.0,) * 5
    with_tf: bool = True
    rename: Callable[[str], str] = str


class Recorder:
    """Writes a bag; `write` takes messages made by hand as well."""

    def __init__(self, path: Path, settings: Settings):
        self.settings = settings
        self.writer = Writer(path, version=9, storage_plugin=settings.storage)
        self.writer.open()
        self.connections = {}

    def write(self, topic: str, logged: int, message: Any) -> None:
        message = self.settings.spoil(topic, logged, message)
        if message is None:
            return
        kind = message.__msgtype__
        topic = self.settings.rename(topic)
        if topic not in self.connections:
            self.connections[topic] = self.writer.add_connection(topic, kind, typestore=STORE)
        self.writer.write(self.connections[topic], logged, STORE.serialize_cdr(message, kind))

    def write_raw(self, topic: str, kind: str, logged: int, data: bytes,
                  definition: str | None = None) -> None:
        if topic not in self.connections:
            self.connections[topic] = self.writer.add_connection(
                topic, kind, **({'typestore': STORE} if definition is None else {
                    'msgdef': definition, 'rihs01': 'RIHS01_' + '0' * 64}))
        self.writer.write(self.connections[topic], logged, data)


def new(kind: str, **fields: Any) -> Any:
    return STORE.types[kind](**fields)


def header(stamp: int, frame: str) -> Any:
    return new('std_msgs/msg/Header', frame_id=frame, stamp=new(
        'builtin_interfaces/msg/Time', sec=stamp // SECOND, nanosec=stamp % SECOND))


def transforms(stamp: int, edges: Iterable[tuple[str, str, np.ndarray]]) -> Any:
    rows = []
    for parent, child, matrix in edges:
        x, y, z = map(float, matrix[:3, 3])
        a, b, c, d = map(float, quaternion_from_matrix(matrix))
        rows.append(new(
            'geometry_msgs/msg/TransformStamped', header=header(stamp, parent),
            child_frame_id=child, transform=new(
                'geometry_msgs/msg/Transform',
                translation=new('geometry_msgs/msg/Vector3', x=x, y=y, z=z),
                rotation=new('geometry_msgs/msg/Quaternion', x=a, y=b, z=c, w=d))))
    return new('tf2_msgs/msg/TFMessage', transforms=rows)


def odometry(stamp: int, pose: Pose2D) -> Any:
    zero = new('geometry_msgs/msg/Vector3', x=0.0, y=0.0, z=0.0)
    a, b, c, d = map(float, quaternion_from_matrix(pose.matrix))
    return new(
        'nav_msgs/msg/Odometry', header=header(stamp, 'odom'), child_frame_id='base_link',
        pose=new('geometry_msgs/msg/PoseWithCovariance', covariance=np.zeros(36), pose=new(
            'geometry_msgs/msg/Pose',
            position=new('geometry_msgs/msg/Point', x=pose.x, y=pose.y, z=0.0),
            orientation=new('geometry_msgs/msg/Quaternion', x=a, y=b, z=c, w=d))),
        twist=new('geometry_msgs/msg/TwistWithCovariance', covariance=np.zeros(36), twist=new(
            'geometry_msgs/msg/Twist', linear=zero, angular=zero)))


def camera_info(stamp: int, spec: CameraSpec, distortion: tuple[float, ...]) -> Any:
    camera = spec.intrinsics
    k = camera.matrix.ravel()
    p = np.column_stack([camera.matrix, np.zeros(3)]).ravel()
    return new(
        'sensor_msgs/msg/CameraInfo', header=header(stamp, f'{spec.name}_optical_frame'),
        height=spec.height, width=spec.width, distortion_model='plumb_bob',
        d=np.array(distortion), k=k, r=np.eye(3).ravel(), p=p, binning_x=0, binning_y=0,
        roi=new('sensor_msgs/msg/RegionOfInterest', x_offset=0, y_offset=0, height=0, width=0,
                do_rectify=False))


def image(stamp: int, frame: str, pixels: np.ndarray, encoding: str) -> Any:
    """Return an Image, or for 'jpeg' and 'png' a CompressedImage, of an RGB or depth picture."""
    if encoding in ('jpeg', 'png'):
        data = cv2.imencode(f'.{encoding}', pixels[..., ::-1])[1].ravel()
        return new('sensor_msgs/msg/CompressedImage', header=header(stamp, frame),
                   format=encoding, data=data)
    if encoding == 'bgr8':
        pixels = pixels[..., ::-1]
    elif encoding == 'mono8':
        pixels = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)
    elif encoding == '16UC1':
        pixels = np.round(pixels * 1000).astype('<u2')
    pixels = np.ascontiguousarray(pixels)
    return new(
        'sensor_msgs/msg/Image', header=header(stamp, frame), height=pixels.shape[0],
        width=pixels.shape[1], encoding=encoding, is_bigendian=0, step=pixels.strides[0],
        data=np.frombuffer(pixels.tobytes(), np.uint8))


def record(path: Path, world: Any, way: Callable[[float], Pose2D],
           settings: Settings = Settings(), extra: Callable[[Recorder], None] | None = None,
           ) -> Path:
    """Let a robot drive through a world (anything that renders) and write what it sees."""
    recorder = Recorder(path, settings)
    statics = [('map', 'odom', np.eye(4))] + [
        ('base_link', f'{spec.name}_optical_frame', spec.optical_in_base)
        for spec in settings.cameras]
    begin = settings.start
    recorder.write('/tf_static', begin, transforms(begin, statics))
    if settings.truth is not None:
        recorder.write('/ipt/ground_truth/scene', begin, new(
            'std_msgs/msg/String', data=json.dumps(settings.truth)))
    if extra:
        extra(recorder)
    for stamp in range(begin, begin + round(way.duration * SECOND), TF_STEP):
        seconds = (stamp - begin) / SECOND
        pose = way(seconds)
        off = settings.drift(seconds) if settings.drift else Pose2D(0.0, 0.0)
        told = Pose2D.from_matrix(off.matrix @ pose.matrix)
        if settings.with_tf:
            recorder.write('/tf', stamp, transforms(stamp, [('odom', 'base_link', told.matrix)]))
        recorder.write('/ipt/odom', stamp, odometry(stamp, told))
        if (stamp - begin) % FRAME_STEP:
            continue
        for spec in settings.cameras:
            _write_camera(recorder, spec, world.render(spec, pose, instance=False), stamp)
    recorder.writer.close()
    return path


def _write_camera(recorder: Recorder, spec: CameraSpec, frame: Any, stamp: int) -> None:
    settings, space, link = recorder.settings, f'/ipt/{spec.name}', f'{spec.name}_optical_frame'
    packed = '/compressed' if settings.encoding in ('jpeg', 'png') else ''
    recorder.write(f'{space}/camera_info', stamp, camera_info(stamp, spec, settings.distortion))
    recorder.write(f'{space}/image_raw{packed}', stamp + 1000,
                   image(stamp, link, frame.rgb, settings.encoding))
    if settings.depth:
        recorder.write(f'{space}/depth/image_raw', stamp + 2000,
                       image(stamp, link, frame.depth, settings.depth))
