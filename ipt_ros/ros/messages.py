# SPDX-License-Identifier: Apache-2.0
"""Plain geometry as messages: times, poses, transforms, cameras."""

from builtin_interfaces.msg import Time
from geometry_msgs.msg import Pose, Quaternion, TransformStamped
from ipt_ros.geometry import OrthographicCamera, PinholeCamera, quaternion_from_matrix
import numpy as np
from sensor_msgs.msg import CameraInfo
from std_msgs.msg import Header


def time_message(nanoseconds: int) -> Time:
    """Return a stamp of so many nanoseconds."""
    sec, nanosec = divmod(nanoseconds, 1_000_000_000)
    return Time(sec=sec, nanosec=nanosec)


def quaternion_message(matrix: np.ndarray) -> Quaternion:
    """Return the rotation of a 3x3 or 4x4 matrix."""
    x, y, z, w = map(float, quaternion_from_matrix(matrix))
    return Quaternion(x=x, y=y, z=z, w=w)


def pose_message(matrix: np.ndarray) -> Pose:
    """Return a 4x4 transform as a pose."""
    pose = Pose(orientation=quaternion_message(matrix))
    pose.position.x, pose.position.y, pose.position.z = map(float, matrix[:3, 3])
    return pose


def transform_message(matrix: np.ndarray, header: Header, child: str) -> TransformStamped:
    """Return the 4x4 transform of frame `child` in the header's frame."""
    message = TransformStamped(header=header, child_frame_id=child)
    message.transform.rotation = quaternion_message(matrix)
    translation = message.transform.translation
    translation.x, translation.y, translation.z = map(float, matrix[:3, 3])
    return message


def camera_info(camera: PinholeCamera | OrthographicCamera, header: Header) -> CameraInfo:
    """
    Return the CameraInfo (REP-104) of a camera without distortion.

    An orthographic camera has no focal length: it keeps its size and centre, and K[0] = K[4] = 0.
    """
    fx, fy = (camera.fx, camera.fy) if isinstance(camera, PinholeCamera) else (0.0, 0.0)
    cx, cy = float(camera.cx), float(camera.cy)
    return CameraInfo(
        header=header,
        width=camera.width,
        height=camera.height,
        distortion_model='plumb_bob',
        d=[0.0] * 5,
        k=[fx, 0.0, cx, 0.0, fy, cy, 0.0, 0.0, 1.0],
        r=[1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0],
        p=[fx, 0.0, cx, 0.0, 0.0, fy, cy, 0.0, 0.0, 0.0, 1.0, 0.0],
    )
