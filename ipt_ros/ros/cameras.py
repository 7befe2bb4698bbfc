# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""The robot's cameras: subscriptions, and the frames of one moment on demand."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
import math
import time
from typing import Any

from ipt_ros.camera_drivers import DriverTopics, PLAIN
from ipt_ros.geometry import (
    is_upside_down,
    optical_problem,
    OrthographicCamera,
    PinholeCamera,
)
from ipt_ros.geometry.calibration import Calibration, is_rectified, read_calibration
from ipt_ros.geometry.distortion import LensError, Rectifier
from ipt_ros.geometry.registration import check_frames, registered, RegistrationError
from ipt_ros.paths import DDS_PROFILE, MissingFileError, shared
from ipt_ros.ros import qos
from ipt_ros.ros.flow import Flow, identities, LOSSY
from ipt_ros.ros.images import any_to_depth, any_to_rgb, ImageError
from ipt_ros.ros.sync import FrameSynchronizer, History, reset_after, Stamped
from ipt_ros.ros.transforms import nanoseconds, TransformBuffer, TransformError
import numpy as np
from rclpy.node import Node
from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from std_msgs.msg import Header

# Undecoded frames a topic: enough to find matching ones, few enough for several large cameras.
_KEPT = 10
_LOOK = 1.0  # s from look to look at who publishes
PICTURES = ('auto', 'raw', 'rectified')


@dataclass(frozen=True)
class CameraSettings:
    """
    Which cameras to listen to, and when their frames count.

    topics: where those cameras publish that were told; the names of others begin with that of the
    camera. transport: 'raw' or 'compressed'. pictures: one of PICTURES; 'auto' goes by the name of
    the topic where it was told, or remapped, else by camera_info. slop, max_age: seconds. depth:
    whether to listen to depth images. base_frame lies on the floor; fixed_frame does not move with
    the robot.
    """

    names: Sequence[str]
    transport: str = 'raw'
    pictures: str = 'auto'
    reliability: str = 'best_effort'
    depth: bool = True
    slop: float = 0.05
    max_age: float = 1.0
    base_frame: str = 'base_link'
    fixed_frame: str = 'odom'
    topics: Mapping[str, DriverTopics] = field(default_factory=dict)


@dataclass(frozen=True)
class CameraFrame:
    """
    One frame, decoded, as an ideal pinhole camera would have taken it.

    rgb: uint8 (H, W, 3). depth: float32 (H, W) metres of the same pixels, 0 = not measured; None
    where there is none. camera and base_from_optical are None where they are not known; problem
    then says why, and without a camera the picture is as it came. no_depth: why there is no depth
    though it is asked for, or ''.
    """

    name: str
    header: Header
    rgb: np.ndarray
    depth: np.ndarray | None
    camera: PinholeCamera | OrthographicCamera | None
    base_from_optical: np.ndarray | None
    problem: str
    no_depth: str = ''


@dataclass(frozen=True)
class Observation:
    """The frames of one moment; stamp (ns) is that of the newest, and of the base frame."""

    stamp: int
    frames: tuple[CameraFrame, ...]


def pinhole(info: CameraInfo) -> PinholeCamera:
    """Return the K of a camera_info message; raise LensError where it has none."""
    calibration = read_calibration(info)
    if calibration.camera is None:
        raise LensError(f'camera_info cannot be used: {calibration.problem}')
    return calibration.camera


class Cameras:
    """Listens to the cameras of a robot while it is started."""

    def __init__(self, node: Node, settings: CameraSettings, transforms: TransformBuffer):
        """Prepare; nothing is subscribed to before `start`."""
        self._node = node
        self._settings = settings
        self._transforms = transforms
        self._colour = FrameSynchronizer(
            settings.names, round(settings.slop * 1e9), round(settings.max_age * 1e9), _KEPT)
        # A plain image is taken rather than a compressed one of the same moment.
        self._depth = {name: {kind: History(_KEPT) for kind in (Image, CompressedImage)}
                       for name in settings.names}
        self._info: dict[str, CameraInfo] = {}
        self._lenses: dict[str, tuple[Calibration, bool, Rectifier]] = {}  # the latest of each
        self._topics = {name: settings.topics.get(name) or PLAIN.within(name)
                        for name in settings.names}
        # By full names of topics, those of one camera together; none for camera_info.
        self._flows: dict[str, dict[str, Flow]] = {name: {} for name in settings.names}
        self._looked: dict[tuple[str, str], float] = {}
        self._mismatches: dict[str, str] = {}
        self._overrides = qos.Overrides(node)
        self._warned: set[str] = set()
        self._subscriptions = []

    @property
    def names(self) -> tuple[str, ...]:
        """Return the names of all cameras, in order."""
        return tuple(self._settings.names)

    def start(self) -> None:
        """Subscribe. Raises rclpy's ParameterException for QoS overrides that are no use."""
        colour = CompressedImage if self._settings.transport == 'compressed' else Image
        for name in self.names:
            self._subscribe(colour, self._colour_topic(name), name, self._on_colour)
            self._subscribe(CameraInfo, self._topics[name].info, name, self._on_info)
            if self._settings.depth:
                depth = self._topics[name].depth
                self._subscribe(Image, depth, name, self._on_depth)
                if colour is CompressedImage:
                    self._subscribe(CompressedImage, f'{depth}/compressedDepth', name,
                                    self._on_depth)

    def stop(self) -> None:
        """Unsubscribe and forget all frames."""
        for subscription in self._subscriptions:
            self._node.destroy_subscription(subscription)
        self._subscriptions.clear()
        self._overrides.withdraw()
        for flows in self._flows.values():
            for flow in flows.values():
                flow.interrupt()
        self._looked.clear()
        self._mismatches.clear()
        self.forget()

    def forget(self) -> None:
        """Forget all frames."""
        self._colour.clear()
        for histories in self._depth.values():
            for history in histories.values():
                history.clear()

    def ages(self) -> dict[str, float | None]:
        """Return how old (s) each camera's newest frame is, None before its first."""
        now = self._node.get_clock().now().nanoseconds
        stamps = {name: self._colour.newest_stamp(name) for name in self.names}
        return {name: None if stamp is None else (now - stamp) / 1e9
                for name, stamp in stamps.items()}

    def clock_faults(self) -> dict[str, str]:
        """Return what is wrong with the stamps of cameras whose frames come, but are of no use."""
        return self._colour.clock_faults(self._node.get_clock().now().nanoseconds)

    def health(self) -> tuple[list[str], dict[str, Any]]:
        """Return what is wrong with the cameras, and numbers of each, for diagnostics."""
        now = time.monotonic()
        ages, wrong = self.ages(), self.clock_faults()
        silent = [name for name, age in ages.items()
                  if name not in wrong and (age is None or age > self._settings.max_age)]
        problems = list(wrong.values())
        if silent:
            problems.append(f"no fresh frames of {', '.join(silent)}")
        problems += self._known(self.names, silent)
        problems += [text for text in self._mismatches.values()
                     if not any(text in problem for problem in problems)]
        values: dict[str, Any] = {}
        for name, age in ages.items():
            topic = self._full(self._colour_topic(name))
            flow = self._flow(name, topic)
            values |= {
                f'{name}: topic': topic,
                f'{name}: age (s)': 'never' if age is None else f'{age:.3f}',
                f'{name}: frames': flow.frames, f'{name}: lost': flow.lost,
                f'{name}: rate (Hz)': f'{flow.rate(now):.1f}',
                f'{name}: rate of the camera (Hz)': f'{flow.own_rate(now):.1f}'}
            depth = [flow for other, flow in self._flows[name].items() if other != topic]
            if depth:
                values |= {f'{name}: depth frames': sum(flow.frames for flow in depth),
                           f'{name}: depth lost': sum(flow.lost for flow in depth)}
        return problems, values

    @property
    def received(self) -> dict[str, int]:
        """Return how many colour frames of each camera have come."""
        return {name: self._flow(name, self._full(self._colour_topic(name))).frames
                for name in self.names}

    @property
    def without_depth(self) -> list[str]:
        """Return the cameras of which no depth image has come though depth is asked for."""
        return [name for name, histories in self._depth.items() if self._settings.depth
                and all(history.newest is None for history in histories.values())]

    def observe(self, names: Sequence[str] = ()) -> Observation:
        """
        Return the newest frames of one moment of the named cameras, or of all.

        Raises SyncError (its subclasses say why) and ImageError.
        """
        now = self._node.get_clock().now().nanoseconds
        picked = self._colour.pick(names or self.names, now, self._tell)
        stamp = max(item.stamp for item in picked.values())
        return Observation(
            stamp, tuple(self._frame(name, item, stamp) for name, item in picked.items()))

    def base_from(self, frame: str, stamp: int, base_stamp: int) -> np.ndarray:
        """
        Return 4x4 base frame at `base_stamp` (ns) from another frame at `stamp`.

        Raises TransformError.
        """
        base, fixed = self._settings.base_frame, self._settings.fixed_frame
        if stamp != base_stamp and self._transforms.has(fixed):
            return self._transforms.lookup_through(base, base_stamp, frame, stamp, fixed)
        return self._transforms.lookup(base, frame, base_stamp)

    def _subscribe(self, kind: type, topic: str, name: str,
                   callback: Callable[[str, str, Any, Mapping[str, Any]], None]) -> None:
        full = self._full(topic)

        def report(text: str) -> None:
            self._mismatches[full] = text
            self._node.get_logger().warning(text)

        def receive(message: Any, info: Mapping[str, Any]) -> None:
            self._mismatches.pop(full, None)  # of a publisher that has gone, or beside this one
            callback(name, full, message, info)

        profile = self._overrides.apply(full, qos.sensor_input(self._settings.reliability))
        self._subscriptions.append(self._node.create_subscription(
            kind, topic, receive, profile, event_callbacks=qos.on_incompatible(report, full)))

    def _full(self, topic: str) -> str:
        """Return the name in the graph, after remapping, where people look for it."""
        return self._node.resolve_topic_name(topic)

    def _flow(self, name: str, topic: str) -> Flow:
        return self._flows[name].setdefault(topic, Flow())

    def _count(self, name: str, topic: str, stamp: int, info: Mapping[str, Any]) -> None:
        """Take note of a frame, and now and then of who publishes."""
        now, flow = time.monotonic(), self._flow(name, topic)
        if now - self._looked.get((name, topic), -math.inf) >= _LOOK:
            self._looked[name, topic] = now
            flow.publishers_are(identities(self._node.get_publishers_info_by_topic(topic)))
        flow.add(now, stamp, info.get('publication_sequence_number'))

    def _known(self, names: Iterable[str], silent: Collection[str]) -> list[str]:
        """Return where silent cameras are listened to, and which frames are lost."""
        now = time.monotonic()
        losses = [f"{share:.0%} of the frames on '{topic}' are lost on the way"
                  for name in names for topic, flow in self._flows[name].items()
                  if (share := flow.share_lost(now)) > LOSSY]
        places, mute = [], False
        for name in silent:
            topic = self._full(self._colour_topic(name))
            count = len(self._node.get_publishers_info_by_topic(topic))
            place = f"camera '{name}' is listened to on '{topic}', which " + (
                f"has {count} publisher{'s' * (count > 1)}" if count else 'nobody publishes')
            if count and topic in self._mismatches:
                place += f': {self._mismatches[topic]}'
            elif count and not self._flow(name, topic).frames:
                place, mute = f'{place}: it sends nothing, or all frames are lost on the way', True
            places.append(place)
        return [*places, *losses, *([_remedy()] if losses or mute else [])]

    def _tell(self, names: Sequence[str], silent: bool) -> str:
        """Return what a refusal says of cameras that are silent, or late, beside their ages."""
        return '; '.join(self._known(names, names if silent else ()))

    def _nothing_on(self, topic: str) -> str:
        """Say that nothing came on a topic and, where it is known, why."""
        full = self._full(topic)
        return f"nothing came on '{full}'" + (
            f' ({self._mismatches[full]})' if full in self._mismatches else '')

    def _stamp(self, name: str, message: Image | CompressedImage) -> int:
        """Return a message's stamp; one without gets the time of its arrival."""
        stamp = nanoseconds(message.header.stamp)
        if stamp:
            return stamp
        self._warn_once(f"camera '{name}' does not stamp its images; the time of arrival is used")
        message.header.stamp = self._node.get_clock().now().to_msg()
        return nanoseconds(message.header.stamp)

    def _on_colour(self, name: str, topic: str, message: Image | CompressedImage,
                   info: Mapping[str, Any]) -> None:
        stamp = self._stamp(name, message)
        self._count(name, topic, stamp, info)
        self._colour.add(name, stamp, message, self._node.get_clock().now().nanoseconds)

    def _on_depth(self, name: str, topic: str, message: Image | CompressedImage,
                  info: Mapping[str, Any]) -> None:
        stamp = self._stamp(name, message)
        self._count(name, topic, stamp, info)
        self._depth[name][type(message)].add(
            stamp, message, reset_after(round(1e9 * self._settings.max_age)))

    def _on_info(self, name: str, topic: str, message: CameraInfo,
                 info: Mapping[str, Any]) -> None:
        self._info[name] = message

    def _warn_once(self, text: str, key: str = '') -> None:
        if (key or text) not in self._warned:
            self._warned.add(key or text)
            self._node.get_logger().warning(text)

    def _optical_problem(self, name: str, message: Image | CompressedImage,
                         pose: np.ndarray) -> str:
        """Return why an image's frame is not taken for optical, or ''; warn once of that."""
        frame = message.header.frame_id
        problem = optical_problem(pose, frame)
        if problem:  # the angles in it may change with every image
            self._warn_once(f"camera '{name}': {problem}", f'optical: {name}: {frame}')
        elif is_upside_down(pose):
            self._warn_once(
                f"camera '{name}': by /tf its picture is upside down: the y axis of the frame "
                f"'{frame}' points up. If the picture is not, this is no optical frame (z "
                'forward, x right, y down) and all directions are wrong; if it is, let the driver '
                'turn it and correct the transform, since the model was taught on upright ones')
        return problem

    def _frame(self, name: str, item: Stamped, stamp: int) -> CameraFrame:
        message = item.message
        try:
            rgb = any_to_rgb(message)
        except ImageError as error:
            raise ImageError(f"camera '{name}': {error}") from error
        pose, lens, problem = None, None, ''
        try:
            lens = self._lens(name)
            rgb = lens.picture(rgb)
        except LensError as error:
            lens, problem = None, str(error)
        try:
            pose = self.base_from(message.header.frame_id, item.stamp, stamp)
        except TransformError as error:
            problem = '; '.join(filter(None, (problem, str(error))))
        if pose is not None and (fault := self._optical_problem(name, message, pose)):
            pose, problem = None, '; '.join(filter(None, (problem, fault)))
        depth, no_depth = self._depth_of(name, item, lens)
        return CameraFrame(name, message.header, rgb, depth, lens and lens.camera, pose, problem,
                           no_depth)

    def _lens(self, name: str) -> Rectifier:
        """Return what makes a camera's pictures those of a pinhole camera. Raises LensError."""
        info = self._info.get(name)
        if info is None:
            raise LensError(self._nothing_on(self._topics[name].info))
        calibration = read_calibration(info)
        rectified = self._is_rectified(name, calibration)
        known = self._lenses.get(name)
        if known is None or known[:2] != (calibration, rectified):
            known = (calibration, rectified, calibration.rectifier(rectified))
            self._lenses[name] = known
        return known[2]

    def _is_rectified(self, name: str, calibration: Calibration) -> bool:
        """Return whether the distortion of the lens is out of a camera's pictures already."""
        if self._settings.pictures != 'auto':
            return self._settings.pictures == 'rectified'
        topic = self._colour_topic(name)
        driver = self._full(topic)
        named = self._topics[name].image != PLAIN.within(name).image  # by a parameter
        if named or driver != self._node.resolve_topic_name(topic, only_expand=True):
            return is_rectified(driver)
        # Under this node's own name there may be anything.
        if calibration.looks_rectified:
            self._warn_once(
                f"camera '{name}': its camera_info has lens distortion and a P that differs from "
                "K, so its pictures are taken to be rectified (P); set the parameter 'pictures' "
                "to 'raw' if they are not, or to 'rectified'")
        return calibration.looks_rectified

    def _depth_of(self, name: str, picture: Stamped,
                  lens: Rectifier | None) -> tuple[np.ndarray | None, str]:
        """Return the depth image of a picture's time and pixels; else None, and why."""
        if lens is None or not self._settings.depth:
            return None, ''
        slop = round(self._settings.slop * 1e9)
        near = [history.nearest(picture.stamp, slop) for history in self._depth[name].values()]
        item = next(filter(None, near), None)
        if name in self.without_depth:
            problem = (self._nothing_on(self._topics[name].depth)
                       + "; if there is none, set the parameter 'use_depth' to false")
        elif item is None:
            return None, 'no depth image came near the time of the picture'
        else:
            try:
                check_frames(item.message.header.frame_id, picture.message.header.frame_id)
                return registered(any_to_depth(item.message), lens), ''
            except (ImageError, RegistrationError) as error:
                problem = str(error)
        self._warn_once(f"camera '{name}' is used without depth: {problem}")
        return None, problem

    def _colour_topic(self, name: str) -> str:
        ending = '/compressed' if self._settings.transport == 'compressed' else ''
        return self._topics[name].image + ending


def _remedy() -> str:
    """Return what to do where frames are lost."""
    try:
        profile = str(shared(DDS_PROFILE))
    except MissingFileError:
        profile = f'<where this package is>/{DDS_PROFILE}'
    return (f'start the camera drivers with FASTRTPS_DEFAULT_PROFILES_FILE={profile}, as this '
            'node; over a network send compressed images; on a busy machine send fewer')
