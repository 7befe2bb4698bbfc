# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""
Camera models and rigid transforms.

numpy in, numpy out; nothing here knows ROS, the model or a simulator.
Conventions are those of REP-103 and REP-105: metres and radians, x forward, y left, z up for
bodies; z forward, x right, y down for optical frames; quaternions in the order x, y, z, w.
"""

from ipt_ros.geometry.camera import OrthographicCamera, PinholeCamera
from ipt_ros.geometry.optical import is_upside_down, optical_problem
from ipt_ros.geometry.transforms import (
    compose,
    invert,
    looking_down,
    matrix_from_quaternion,
    OPTICAL_IN_BODY,
    Pose2D,
    quaternion_from_matrix,
    quaternion_problem,
    rotation_from_yaw_pitch,
    transform_points,
    wrap_angle,
)

__all__ = [
    'OPTICAL_IN_BODY',
    'OrthographicCamera',
    'PinholeCamera',
    'Pose2D',
    'compose',
    'invert',
    'is_upside_down',
    'looking_down',
    'matrix_from_quaternion',
    'optical_problem',
    'quaternion_from_matrix',
    'quaternion_problem',
    'rotation_from_yaw_pitch',
    'transform_points',
    'wrap_angle',
]
