# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""
Driving a robot on its own: a map from its depth images, where to go next, how to get there.

Poses and images in, speeds out; nothing here knows ROS or which robot it is. `Driver` puts the
parts together.
"""

from ipt_ros.driving.driver import Driver, DriverOptions, DrivingError
from ipt_ros.driving.following import Command, Limits, STOP
from ipt_ros.driving.goals import FrontierGoals, GivenPoses
from ipt_ros.driving.occupancy import OccupancyMap

__all__ = [
    'STOP',
    'Command',
    'Driver',
    'DriverOptions',
    'DrivingError',
    'FrontierGoals',
    'GivenPoses',
    'Limits',
    'OccupancyMap',
]
