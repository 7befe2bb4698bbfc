# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""Plain geometry as messages: times, poses, paths, transforms, cameras."""

from collections.abc import Iterable

from builtin_interfaces.msg import Time
from geometry_msgs.msg import Pose, PoseStamped, Quaternion, TransformStamped
from ipt_ros.geometry import OrthographicCamera, PinholeCamera, quaternion_from_matrix
from nav_msgs.msg import Path
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

    An orthographic camera has no focal length: K[0] = K[4] = 0, which by the message's definition
    means that it is no calibrated pinhole. Its P is that of an affine camera (Hartley, Zisserman
    2004, 6.3.4): the last row is 0 0 0 1, and P[0] = P[5] are pixels a metre.
    """
    cx, cy = float(camera.cx), float(camera.cy)
    if isinstance(camera, PinholeCamera):
        fx, fy = camera.fx, camera.fy
        p = [fx, 0.0, cx, 0.0, 0.0, fy, cy, 0.0, 0.0, 0.0, 1.0, 0.0]
    else:
        fx, fy, scale = 0.0, 0.0, 1.0 / camera.metres_per_pixel
        p = [scale, 0.0, 0.0, cx, 0.0, scale, 0.0, cy, 0.0, 0.0, 0.0, 1.0]
    return CameraInfo(
        header=header,
        width=camera.width,
        height=camera.height,
        distortion_model='plumb_bob',
        d=[0.0] * 5,
        k=[fx, 0.0, cx, 0.0, fy, cy, 0.0, 0.0, 1.0],
        r=[1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0],
        p=p,
    )


def orthographic(info: CameraInfo) -> OrthographicCamera:
    """Return the camera of a map's camera_info. Raises ValueError for any other camera."""
    p = np.asarray(info.p, float).reshape(3, 4)
    scale = p[0, 0]
    if not np.allclose(p[2], (0, 0, 0, 1)) or not scale > 0 or not np.isfinite(scale):
        raise ValueError(
            'its P is not that of an orthographic camera: expected P[0] = P[5] in pixels a metre '
            'and a last row of 0 0 0 1')
    camera = OrthographicCamera(info.width, info.height, 1.0 / scale)
    expected = np.array([[scale, 0, 0, camera.cx], [0, scale, 0, camera.cy]])
    if not np.allclose(p[:2], expected, atol=0.51):
        raise ValueError(
            f'its P must be {expected.tolist()} in the first rows (square pixels, the frame in '
            f'the middle of the picture), got {p[:2].tolist()}')
    return camera


def path_message(points: Iterable[tuple[float, float]], frame: str) -> Path:
    """Return a path through places (x, y) in metres."""
    header = Header(frame_id=frame)
    message = Path(header=header)
    for x, y in points:
        pose = PoseStamped(header=header)
        pose.pose.position.x, pose.pose.position.y = float(x), float(y)
        message.poses.append(pose)
    return message
