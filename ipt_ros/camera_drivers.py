# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""The topics on which drivers of cameras publish, for live nodes and for bags alike."""

from dataclasses import dataclass


@dataclass(frozen=True)
class DriverTopics:
    """
    What one camera publishes: pictures, their calibration, and depth of the same pixels.

    The names lie in the namespace of the driver's node. `depth` is '' where there is none.
    """

    image: str
    info: str
    depth: str = ''

    def within(self, namespace: str) -> 'DriverTopics':
        """Return the topics of a driver in a namespace; names with a leading slash stay."""
        return DriverTopics(*(
            name if not name or name.startswith('/') else f"{namespace.rstrip('/')}/{name}"
            for name in (self.image, self.info, self.depth)))


# What a camera is expected to publish of which no driver is named: image_transport's names.
PLAIN = DriverTopics('image_raw', 'camera_info', 'depth/image_raw')
# As the drivers publish unless they are told otherwise; depth, where they are told to align it.
DRIVERS = {
    # zed_wrapper 5. 'rgb' holds the pictures of the left eye, too: since 5.1 it comes by default,
    # 'left' with the parameter video.publish_left_right.
    'zed': DriverTopics(
        'left/color/rect/image', 'left/color/rect/camera_info', 'depth/depth_registered'),
    'zed_rgb': DriverTopics(
        'rgb/color/rect/image', 'rgb/color/rect/camera_info', 'depth/depth_registered'),
    # realsense2_camera with align_depth.enable.
    'realsense': DriverTopics(
        'color/image_raw', 'color/camera_info', 'aligned_depth_to_color/image_raw'),
    # depthai_ros_driver with i_pipeline_type RGBD, which aligns depth by default.
    'oak': DriverTopics('rgb/image_raw', 'rgb/camera_info', 'stereo/image_raw'),
}


def check_driver(name: str) -> None:
    """Raise ValueError where there is no such driver in the table."""
    if name not in DRIVERS:
        raise ValueError(f"there is no driver '{name}'; expected one of: {', '.join(DRIVERS)}")
