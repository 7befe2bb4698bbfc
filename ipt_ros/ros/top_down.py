# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""The view of the surroundings from above, as somebody who has a map publishes it."""

from ipt_ros.ros import qos
from ipt_ros.ros.cameras import CameraFrame, Observation
from ipt_ros.ros.images import ImageError, to_rgb
from ipt_ros.ros.messages import orthographic
from ipt_ros.ros.transforms import TransformBuffer, TransformError
from rclpy.node import Node
from sensor_msgs.msg import CameraInfo, Image

NAME = 'top_down'


class NoTopDownError(Exception):
    """There is no view from above, or none that says where it was taken."""


class TopDown:
    """
    Listens to `top_down/image_raw` and `top_down/camera_info` while it is started.

    Both are latched, as maps are: whoever publishes sends them once, and again when the map has
    changed. There is no limit to their age.
    """

    def __init__(self, node: Node, transforms: TransformBuffer, base_frame: str):
        """Prepare; nothing is subscribed to before `start`."""
        self._node = node
        self._transforms = transforms
        self._base = base_frame
        self._image: Image | None = None
        self._info: CameraInfo | None = None
        self._subscriptions = []

    def start(self) -> None:
        """Subscribe."""
        for kind, topic, callback in (
                (Image, f'{NAME}/image_raw', self._on_image),
                (CameraInfo, f'{NAME}/camera_info', self._on_info)):
            self._subscriptions.append(self._node.create_subscription(
                kind, topic, callback, qos.latched(),
                event_callbacks=qos.on_incompatible(
                    self._node.get_logger().warning, self._node.resolve_topic_name(topic))))

    def stop(self) -> None:
        """Unsubscribe and forget the map."""
        for subscription in self._subscriptions:
            self._node.destroy_subscription(subscription)
        self._subscriptions.clear()
        self._image = self._info = None

    def observe(self) -> Observation:
        """
        Return the view as the one frame of an observation, at the newest time /tf knows.

        Raises NoTopDownError, ImageError and TransformError.
        """
        if self._image is None or self._info is None:
            missing = 'image_raw' if self._image is None else 'camera_info'
            raise NoTopDownError(
                f"nothing came on '{NAME}/{missing}': a path is drawn on a view from above; "
                'publish one, with transient-local durability, as maps are')
        header = self._image.header
        try:
            rgb = to_rgb(self._image)
        except ImageError as error:
            raise ImageError(f"'{NAME}': {error}") from error
        try:
            camera = orthographic(self._info)
        except ValueError as error:
            raise NoTopDownError(f"'{NAME}/camera_info': {error}") from error
        if (camera.height, camera.width) != rgb.shape[:2]:
            raise NoTopDownError(
                f"'{NAME}/camera_info' is for {camera.width}x{camera.height} pixels, the image "
                f'has {rgb.shape[1]}x{rgb.shape[0]}')
        try:
            stamp = self._transforms.newest(self._base, header.frame_id)
            pose = self._transforms.lookup(self._base, header.frame_id, stamp)
        except TransformError as error:
            raise TransformError(f"'{NAME}': {error}") from error
        if stamp is None:
            stamp = self._node.get_clock().now().nanoseconds
        return Observation(stamp, (CameraFrame(NAME, header, rgb, None, camera, pose, ''),))

    def _on_image(self, message: Image) -> None:
        self._image = message

    def _on_info(self, message: CameraInfo) -> None:
        self._info = message
