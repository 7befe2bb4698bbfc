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
from ipt_ros.ros import qos
from ipt_ros.ros.images import any_to_rgb, ImageError, to_depth
from ipt_ros.ros.sync import FrameSynchronizer, History, reset_after, Stamped
from ipt_ros.ros.transforms import nanoseconds, TransformBuffer, TransformError
import numpy as np
from rclpy.node import Node
from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from std_msgs.msg import Header

# Undecoded frames a topic: enough to find matching ones, few enough for several large cameras.
_KEPT = 10


@dataclass(frozen=True)
class CameraSettings:
    """
    Which cameras to listen to, and when their frames count.

    transport: 'raw' or 'compressed'. slop, max_age: seconds. depth: whether to listen to depth
    images. base_frame lies on the floor; fixed_frame does not move with the robot.
    """

    names: Sequence[str]
    transport: str = 'raw'
    reliability: str = 'best_effort'
    depth: bool = True
    slop: float = 0.05
    max_age: float = 1.0
    base_frame: str = 'base_link'
    fixed_frame: str = 'odom'


@dataclass(frozen=True)
class CameraFrame:
    """
    One frame, decoded.

    rgb: uint8 (H, W, 3). depth: float32 metres, 0 = not measured. camera and base_from_optical
    are None where they are not known; problem then says why.
    """

    name: str
    header: Header
    rgb: np.ndarray
    depth: np.ndarray | None
    camera: PinholeCamera | OrthographicCamera | None
    base_from_optical: np.ndarray | None
    problem: str


@dataclass(frozen=True)
class Observation:
    """The frames of one moment; stamp (ns) is that of the newest, and of the base frame."""

    stamp: int
    frames: tuple[CameraFrame, ...]


def pinhole(info: CameraInfo) -> PinholeCamera:
    """Return the camera model of a camera_info message; raise ValueError where it has none."""
    k = info.k
    return PinholeCamera(info.width, info.height, k[0], k[4], k[2], k[5])


class Cameras:
    """Listens to the cameras of a robot while it is started."""

    def __init__(self, node: Node, settings: CameraSettings, transforms: TransformBuffer):
        """Prepare; nothing is subscribed to before `start`."""
        self._node = node
        self._settings = settings
        self._transforms = transforms
        self._colour = FrameSynchronizer(
            settings.names, round(settings.slop * 1e9), round(settings.max_age * 1e9), _KEPT)
        self._depth = {name: History(_KEPT) for name in settings.names}
        self._info: dict[str, CameraInfo] = {}
        self._received = dict.fromkeys(settings.names, 0)
        self._warned: set[str] = set()
        self._subscriptions = []

    @property
    def names(self) -> tuple[str, ...]:
        """The names of all cameras, in order."""
        return tuple(self._settings.names)

    def start(self) -> None:
        """Subscribe."""
        colour = CompressedImage if self._settings.transport == 'compressed' else Image
        ending = '/compressed' if self._settings.transport == 'compressed' else ''
        for name in self.names:
            self._subscribe(colour, f'{name}/image_raw{ending}', name, self._on_colour)
            self._subscribe(CameraInfo, f'{name}/camera_info', name, self._on_info)
            if self._settings.depth:
                self._subscribe(Image, f'{name}/depth/image_raw', name, self._on_depth)

    def stop(self) -> None:
        """Unsubscribe and forget all frames."""
        for subscription in self._subscriptions:
            self._node.destroy_subscription(subscription)
        self._subscriptions.clear()
        self.forget()

    def forget(self) -> None:
        """Forget all frames."""
        self._colour.clear()
        for history in self._depth.values():
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

    def _on_depth(self, name: str, message: Image) -> None:
        self._depth[name].add(
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
        camera, problem = self._camera(name, rgb)
        pose = None
        try:
            pose = self.base_from(message.header.frame_id, item.stamp, stamp)
        except TransformError as error:
            problem = '; '.join(filter(None, (problem, str(error))))
        if pose is not None and (fault := self._optical_problem(name, message, pose)):
            pose, problem = None, '; '.join(filter(None, (problem, fault)))
        return CameraFrame(name, message.header, rgb, self._depth_of(name, item.stamp), camera,
                           pose, problem)

    def _camera(self, name: str, rgb: np.ndarray) -> tuple[PinholeCamera | None, str]:
        info = self._info.get(name)
        if info is None:
            return None, f"nothing came on '{name}/camera_info'"
        if (info.height, info.width) != rgb.shape[:2]:
            return None, (f'camera_info is for {info.width}x{info.height} pixels, the image has '
                          f'{rgb.shape[1]}x{rgb.shape[0]}')
        if any(info.d):
            self._warn_once(f"camera '{name}' has lens distortion, which is not modelled: feed "
                            'rectified images to place targets exactly')
        try:
            return pinhole(info), ''
        except ValueError as error:
            return None, f'camera_info is not calibrated: {error}'

    def _depth_of(self, name: str, stamp: int) -> np.ndarray | None:
        """Return the depth image of that time; a broken one is as good as none."""
        item = self._depth[name].nearest(stamp, round(self._settings.slop * 1e9))
        if item is None:
            return None
        try:
            return to_depth(item.message)
        except ImageError as error:
            self._warn_once(f"camera '{name}', depth: {error}")
            return None
