# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""How a bag is to be read."""

from collections.abc import Mapping
from dataclasses import dataclass

FIXED_FRAMES = ('odom', 'map', 'world')  # the first that there is stands still


@dataclass(frozen=True)
class CameraTopics:
    """The topics of one camera; `depth` is '' where it has none."""

    image: str
    info: str
    depth: str = ''


@dataclass(frozen=True)
class ReadOptions:
    """
    Which topics to read, and how far to trust the times in the bag. Seconds, m/s, rad/s.

    cameras: topics by camera name; None finds all that are named as image_transport names them.
    fixed_frame: the frame that stands still; '' takes 'odom' where there is one, else 'map' or
    'world'. base_frame lies on the robot. tf: the topic with its transforms, '' takes the one in
    the cameras' namespace. odometry: the topic with its poses where no transform has them, ''
    chooses one. slop: most time between frames that belong together.
    pose_tolerance: most time by which an image may lie outside the samples of a transform.
    max_pose_gap: most time between two samples for a pose in between to be believed. A robot that
    seems faster than max_speed or max_turn_rate has been carried, teleported or localised anew:
    what comes after belongs to another segment.
    """

    cameras: Mapping[str, CameraTopics] | None = None
    fixed_frame: str = ''
    base_frame: str = 'base_link'
    tf: str = ''
    odometry: str = ''
    slop: float = 0.05
    pose_tolerance: float = 0.0
    max_pose_gap: float = 0.5
    max_speed: float = 5.0
    max_turn_rate: float = 12.0
