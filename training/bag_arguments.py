# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""Options of command lines that say what to read in recordings."""

import argparse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ipt_training.bags import CameraTopics, ReadOptions

_NAMES = ('cameras', 'base_frame', 'fixed_frame', 'tf', 'odometry')
OPTIONS = tuple(f'--{name.replace("_", "-")}' for name in _NAMES)


def add_reading_options(parser: argparse.ArgumentParser) -> None:
    """Add options for recordings whose topics and frames have other names than most."""
    add = parser.add_argument_group(
        'recordings', 'What to read in recordings, where names do not tell it.').add_argument
    add('--cameras', nargs='+', metavar='NAME=IMAGE[,INFO[,DEPTH]]',
        help='topics of the cameras to use, and no others; INFO is by default the camera_info '
             'beside the image')
    add('--base-frame', metavar='FRAME', help='frame of the robot (default: base_link)')
    add('--fixed-frame', metavar='FRAME',
        help='frame that stands still (default: odom where there is one, else map or world)')
    add('--tf', metavar='TOPIC',
        help='transforms to use (default: those in the namespace of the cameras)')
    add('--odometry', metavar='TOPIC',
        help='odometry to use where no transform places the robot (default: the one in the '
             'namespace of the cameras)')


def given_options(chosen: argparse.Namespace) -> dict:
    """Return the options that were given, by the names of `ReadOptions`."""
    return {name: value for name in _NAMES if (value := getattr(chosen, name))}


def reading_options(chosen: argparse.Namespace) -> 'ReadOptions':
    """Return what was asked for. Raises ValueError for cameras that are not named properly."""
    # Imported late: reading bags takes much that other commands do not.
    from ipt_training.bags import ReadOptions
    given = given_options(chosen)
    cameras: dict[str, CameraTopics] = {}
    for text in given.pop('cameras', ()):
        name, camera = _camera(text)
        if name in cameras:
            raise ValueError(f"--cameras names '{name}' twice")
        cameras[name] = camera
    return ReadOptions(cameras=cameras or None, **given)


def _camera(text: str) -> tuple[str, 'CameraTopics']:
    from ipt_training.bags import CameraTopics
    from ipt_training.bags.topics import info_beside
    name, _, rest = text.partition('=')
    topics = rest.split(',')
    if not name or not topics[0] or len(topics) > 3:
        raise ValueError('--cameras: expected NAME=IMAGE[,INFO[,DEPTH]], as in '
                         f"front=/front/image_raw; got '{text}'")
    image, info, depth = (*topics, '', '')[:3]
    return name, CameraTopics(image, info or info_beside(image), depth)
