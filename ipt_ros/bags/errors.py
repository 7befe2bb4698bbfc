# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""What can go wrong with a bag, in words that a person can act on."""

import errno
from pathlib import Path
import shutil


class BagError(RuntimeError):
    """A bag cannot be written, read or repaired; the message says why and what to do."""


def storage_error(error: OSError, path: Path) -> BagError:
    """Return what an error of the operating system means for a bag at `path`."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        limit = {
            errno.ENOSPC: f'the disk is full{_free(path)}',
            errno.EDQUOT: 'the disk quota is used up',
            errno.EFBIG: 'the file has reached the largest size that is allowed here',
        }[error.errno]
        advice = 'make room or record elsewhere (parameter output_dir), then start again'
    elif error.errno in (errno.EROFS, errno.EACCES, errno.EPERM):
        limit = 'the folder is read-only for this user'
        advice = 'record elsewhere (parameter output_dir) or change its permissions'
    elif error.errno in (errno.EEXIST, errno.ENOTDIR):
        limit = f"'{error.filename}' is there already and is not overwritten"
        advice = 'choose another name'
    else:
        limit = error.strerror or str(error)
        advice = 'check the storage device'
    return BagError(f"cannot write the bag '{path}': {limit}; {advice}")


def _free(path: Path) -> str:
    for folder in (path, *path.parents):
        if folder.exists():
            return f' ({shutil.disk_usage(folder).free / 1e6:.0f} MB free)'
    return ''
