# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""Where the package's own files are: in a clone of the repository or in a ROS installation."""

from contextlib import suppress
from pathlib import Path
import sys

NANO = 'checkpoints/ipt-bagel-nano'
DDS_PROFILE = 'config/fastdds.xml'


class MissingFileError(FileNotFoundError):
    """A file that belongs to the package is not there."""


def shared(name: str) -> Path:
    """
    Return a file or folder below `config`, `launch` or `checkpoints`.

    name: its path from the root of the repository, the same below `share/ipt_ros` of an
    installation. Raises MissingFileError with every place that was looked at.
    """
    places = [Path(__file__).resolve().parents[1] / name]  # a clone
    try:  # colcon build
        from ament_index_python.packages import get_package_share_directory
        places.append(Path(get_package_share_directory('ipt_ros')) / name)
    except (ImportError, LookupError, OSError):
        pass  # nothing of ROS is installed or sourced: the other places have to do
    places.append(Path(sys.prefix, 'share', 'ipt_ros', name))  # pip install
    for place in places:
        if place.exists():
            return place
    raise MissingFileError(
        f"'{name}' is neither at {' nor at '.join(map(str, places))}; build the workspace and "
        'source it, or run from a clone of the repository')


def checkpoint_name(name: str) -> str:
    """
    Return the name of a checkpoint as it can be loaded from where the caller is.

    The shipped one is found wherever it is installed; a folder of that name that is there, and
    every other name, are left as they are: so is the shipped one's where it is not installed.
    """
    if name == NANO and not Path(name).exists():
        with suppress(MissingFileError):
            return str(shared(NANO))
    return name


def config_file(name: str) -> Path:
    """
    Return the file at this path or, if there is none, the shipped one of this name in `config`.

    Raises MissingFileError when there is neither.
    """
    path = Path(name).expanduser()
    if path.is_file():
        return path
    try:
        if (path := shared(f'config/{name}')).is_file():
            return path
        error = f"'{path}' is a folder"
    except MissingFileError as missing:
        error = missing
    raise MissingFileError(f"there is no file '{name}', and none of that name is shipped: {error}")
