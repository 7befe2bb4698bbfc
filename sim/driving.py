# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""How a differential-drive robot moves, whatever the simulator that says where it can be."""

from collections.abc import Callable
import math

from ipt_ros.geometry import Pose2D, wrap_angle
from ipt_sim.protocol import StepResult

_STRIDE = 0.02  # longest move between two collision checks, m
_TURN = 0.1  # largest turn between two collision checks, rad


def drive(
    pose: Pose2D, dt: float, linear: float, angular: float,
    can_move: Callable[[Pose2D, Pose2D], bool],
) -> StepResult:
    """
    Drive for dt seconds at linear m/s and angular rad/s; stop at obstacles.

    can_move: whether the robot can go straight from one pose to another, at most 2 cm away.
    Raises ValueError for values that are not finite, and for a negative dt.
    """
    if not all(math.isfinite(value) for value in (dt, linear, angular)) or dt < 0:
        raise ValueError(f'cannot drive with dt={dt}, linear={linear}, angular={angular}')
    strides = max(1, math.ceil(abs(linear) * dt / _STRIDE), math.ceil(abs(angular) * dt / _TURN))
    turn, advance = angular * dt / strides, linear * dt / strides
    collided = False
    for _ in range(strides):
        # The middle heading makes the arc exact to second order.
        moved = Pose2D(pose.x, pose.y, pose.yaw + turn / 2).moved(advance, turn=turn / 2)
        if can_move(pose, moved):
            pose = moved
        else:  # blocked, but a disc can still turn on the spot
            pose = Pose2D(pose.x, pose.y, wrap_angle(pose.yaw + turn))
            collided = True
    return StepResult(pose, collided)
