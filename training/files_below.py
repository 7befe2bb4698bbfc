# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""
Files that data name: only those below the folder that the data are in.

Whoever made a data set, or sent a folder of results, must not decide which other files of this
machine are read, shown and learned.
"""

import os
from pathlib import Path
import re
import stat

MAX_BYTES = 512 * 1024 * 1024
_ELSEWHERE = re.compile(r'/|[A-Za-z][A-Za-z0-9+.-]*://|file:|[A-Za-z]:/|.*\\', re.DOTALL)


class ForeignFileError(ValueError):
    """A name that is no file below the folder; the message says why."""


def file_below(folder: Path, name: object) -> Path:
    """
    Return the file that ``name``, a path relative to ``folder``, stands for.

    Raise ForeignFileError unless it is a regular file that really lies below the folder, once
    links are followed, and has at most MAX_BYTES. In a download of the Hugging Face hub, whose
    files are links into the folder 'blobs' beside, what they link to counts as below.
    """
    if not isinstance(name, str) or not name or '\0' in name:
        raise ForeignFileError('it is not the name of a file')
    if _ELSEWHERE.match(name):
        raise ForeignFileError('it is not a path relative to the folder of the data, with / '
                               'between its parts')
    if '..' in name.split('/'):
        raise ForeignFileError("it leaves the folder of the data by '..'")
    try:
        found = (folder / name).resolve(strict=True)
        if not any(found.is_relative_to(root) for root in _roots(folder)):
            raise ForeignFileError('it is a link that leaves the folder of the data')
        status = os.stat(found)
    except (OSError, RuntimeError, UnicodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise ForeignFileError(f'there is no such file ({reason})') from error
    if not stat.S_ISREG(status.st_mode):
        raise ForeignFileError('it is not a regular file')
    if status.st_size > MAX_BYTES:
        raise ForeignFileError(f'it has {status.st_size} bytes, more than a picture has')
    return found


def _roots(folder: Path) -> list[Path]:
    """Return the folder, and that of the files of a download of the hub."""
    root = folder.resolve()
    blobs = [parent.parent / 'blobs' for parent in root.parents
             if parent.name == 'snapshots' and parent.parent.name.startswith('datasets--')]
    return [root, *(place for place in blobs if not place.is_symlink())]
