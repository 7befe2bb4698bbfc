# SPDX-License-Identifier: Apache-2.0
"""The robot's cameras: subscriptions, and the frames of one moment on demand."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ipt_ros.geometry import (
    is_upside_down,
    optical_problem,
    OrthographicCamera,
    PinholeCamera,
)
from ipt_ros.geometry.calibration import Calibration, is_rectified, read_calibration
from ipt_ros.geometry.distortion import LensError, Rectifier
from ipt_ros.geometry.registration import check_frames, registered, RegistrationError
from ipt_ros.ros import qos
from ipt_ros.ros.images import any_to_depth, any_to_rgb, ImageError
from ipt_ros.ros.sync import FrameSynchronizer, History, reset_after, Stamped
from ipt_ros.ros.transforms import nanoseconds, TransformBuffer, TransformError
import numpy as np
from rclpy.node import Node
from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from std_msgs.msg import Header

# Undecoded frames a topic: enough to find matching ones, few enough for several large cameras.
_KEPT = 10
PICTURES = ('auto', 'raw', 'rectified')


@dataclass(frozen=True)
class CameraSettings:
    """
    Which cameras to listen to, and when their frames count.

    transport: 'raw' or 'compressed'. pictures: one of PICTURES; 'auto' goes by the name of the
    topic that a camera was remapped to, else by its camera_info. slop, max_age: seconds. depth:
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
        self._received = dict.fromkeys(settings.names, 0)
        self._warned: set[str] = set()
        self._subscriptions = []

    @property
    def names(self) -> tuple[str, ...]:
        """Return the names of all cameras, in order."""
        return tuple(self._settings.names)

    def start(self) -> None:
        """Subscribe."""
        colour = CompressedImage if self._settings.transport == 'compressed' else Image
        for name in self.names:
            self._subscribe(colour, self._colour_topic(name), name, self._on_colour)
            self._subscribe(CameraInfo, f'{name}/camera_info', name, self._on_info)
            if self._settings.depth:
                self._subscribe(Image, f'{name}/depth/image_raw', name, self._on_depth)
                if colour is CompressedImage:
                    self._subscribe(CompressedImage, f'{name}/depth/image_raw/compressedDepth',
                                    name, self._on_depth)

    def stop(self) -> None:
        """Unsubscribe and forget all frames."""
        for subscription in self._subscriptions:
            self._node.destroy_subscription(subscription)
        self._subscriptions.clear()
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

    @property
    def received(self) -> dict[str, int]:
        """How many colour frames each camera has delivered since the node was configured."""
        return dict(self._received)

    @property
    def without_depth(self) -> list[str]:
        """Cameras of which no depth image has come though depth is asked for."""
        return [name for name, histories in self._depth.items() if self._settings.depth
                and all(history.newest is None for history in histories.values())]

    def observe(self, names: Sequence[str] = ()) -> Observation:
        """
        Return the newest frames of one moment of the named cameras, or of all.

        Raises SyncError (its subclasses say why) and ImageError.
        """
        now = self._node.get_clock().now().nanoseconds
        picked = self._colour.pick(names or self.names, now)
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
                   callback: Callable[[str, object], None]) -> None:
        self._subscriptions.append(self._node.create_subscription(
            kind, topic, lambda message: callback(name, message),
            qos.sensor_input(self._settings.reliability),
            event_callbacks=qos.on_incompatible(self._node.get_logger().warning, topic)))

    def _stamp(self, name: str, message: Image | CompressedImage) -> int:
        """Return a message's stamp; one without gets the time of its arrival."""
        stamp = nanoseconds(message.header.stamp)
        if stamp:
            return stamp
        self._warn_once(f"camera '{name}' does not stamp its images; the time of arrival is used")
        message.header.stamp = self._node.get_clock().now().to_msg()
        return nanoseconds(message.header.stamp)

    def _on_colour(self, name: str, message: Image | CompressedImage) -> None:
        self._received[name] += 1
        self._colour.add(name, self._stamp(name, message), message,
                         self._node.get_clock().now().nanoseconds)

    def _on_depth(self, name: str, message: Image | CompressedImage) -> None:
        self._depth[name][type(message)].add(
            self._stamp(name, message), message,
            reset_after(round(1e9 * self._settings.max_age)))

    def _on_info(self, name: str, message: CameraInfo) -> None:
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
            raise LensError(f"nothing came on '{name}/camera_info'")
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
        driver = self._node.resolve_topic_name(topic)
        if driver != self._node.resolve_topic_name(topic, only_expand=True):
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
            problem = (f"nothing came on '{name}/depth/image_raw'; if there is none, set the "
                       "parameter 'use_depth' to false")
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
        return f'{name}/image_raw{ending}'
