# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""By how much two measured surfaces miss each other: what odometry got wrong in between."""

from dataclasses import dataclass
import math

from ipt_ros.geometry.open3d_import import open3d_module
from ipt_ros.geometry.transforms import transform_points
import numpy as np

_VOXEL = 0.05  # m, to which points are thinned out
_NORMAL_RADIUS = 0.2
_REACHES = (0.4, 0.15)  # m over which points are matched: first roughly, then closely
_LEAST_POINTS = 200
_LEAST_OVERLAP = 0.15  # of the second surface
# Share of matched points, weighed by how squarely they face it, that holds each direction along
# the floor. A corridor holds one direction only: along it, surfaces slide and fit all the same.
_LEAST_HOLD = 0.03


@dataclass(frozen=True)
class Misalignment:
    """
    metres along the floor and degrees about the vertical between where a pose is and should be.

    overlap: share of the second surface that lies on the first once they are aligned.
    """

    metres: float
    degrees: float
    overlap: float


def misalignment(
    reference: np.ndarray, moved: np.ndarray, about: np.ndarray,
) -> Misalignment | None:
    """
    Measure how far (N, 3) points have to be moved to lie on (M, 3) reference points.

    about: the place (3,) whose shift is given: where the second surface was seen from. By
    point-to-plane ICP (Chen and Medioni 1992). None where the surfaces overlap too little, or do
    not hold each other in every direction, so that nothing can be said.
    """
    o3d = open3d_module()
    first, second = (
        o3d.geometry.PointCloud(o3d.utility.Vector3dVector(points)).voxel_down_sample(_VOXEL)
        for points in (reference, moved))
    if min(len(first.points), len(second.points)) < _LEAST_POINTS:
        return None
    first.estimate_normals(o3d.geometry.KDTreeSearchParamHybrid(_NORMAL_RADIUS, 20))
    registration = o3d.pipelines.registration
    correction, result = np.eye(4), None
    for reach in _REACHES:
        result = registration.registration_icp(
            second, first, reach, correction,
            registration.TransformationEstimationPointToPlane())
        correction = np.asarray(result.transformation)
    pairs = np.asarray(result.correspondence_set)
    if result.fitness < _LEAST_OVERLAP or not len(pairs):
        return None
    normals = np.asarray(first.normals)[pairs[:, 1], :2]
    if np.linalg.eigvalsh(normals.T @ normals / len(pairs))[0] < _LEAST_HOLD:
        return None
    shift = transform_points(correction, about[None])[0] - about
    turn = math.atan2(correction[1, 0], correction[0, 0])
    return Misalignment(
        float(np.hypot(*shift[:2])), math.degrees(turn), float(result.fitness))
