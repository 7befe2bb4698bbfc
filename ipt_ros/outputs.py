# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""Files and folders that commands write: whether they can be written, and how they are called."""

from collections.abc import Iterable
from contextlib import suppress
import errno
import os
from pathlib import Path
import re
import tempfile

_FULL = (errno.ENOSPC, errno.EDQUOT)
_LONGEST = 100  # bytes of a name; file systems take 255, and endings and numbers come to it


class OutputError(OSError):
    """A place that cannot be written to; the message says which, why and what to do."""


def check_folder(folder: Path) -> None:
    """
    Raise OutputError where files cannot be written into a folder, or it cannot be made.

    To be called before long work, not after it. Nothing is left behind.
    """
    made = [place for place in (folder, *folder.parents) if not os.path.lexists(place)] \
        if '\0' not in str(folder) else []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b'\0')
    except (OSError, ValueError) as error:
        raise _refused(folder, error) from error
    finally:
        with suppress(OSError):
            for place in made:
                place.rmdir()


def writable_folder(folder: Path) -> Path:
    """Make a folder and return it. Raise OutputError where files cannot be written into it."""
    check_folder(folder)
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def check_file(path: Path) -> None:
    """Raise OutputError where no file can be written at a path. Nothing is left behind."""
    check_folder(path.parent)
    if path.is_dir():
        raise _refused(path, IsADirectoryError(errno.EISDIR, 'it is a folder'))
    if path.exists() and not os.access(path, os.W_OK):
        raise _refused(path, PermissionError(errno.EACCES, os.strerror(errno.EACCES)))


def in_words(error: OSError) -> str:
    """Return in a sentence what went wrong with a file, and what to do where that is known."""
    if isinstance(error, OutputError) or not error.strerror:
        return str(error)
    where = f"'{error.filename}'" if error.filename else 'a file'
    if error.errno in _FULL:
        return (f'cannot write {where}: {error.strerror}; make room, then give the same command '
                'again to go on')
    return f'{where}: {error.strerror}'


def _refused(path: Path, error: Exception) -> OutputError:
    reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
    if isinstance(error, FileExistsError):
        reason = 'it is no folder'
    hint = 'make room, or give another place'
    if not isinstance(error, OSError) or error.errno not in _FULL:
        hint = 'give another place, or make this one writable'
    return OutputError(f"cannot write to '{path}': {reason}; {hint}")


def file_names(names: Iterable[str]) -> list[str]:
    """
    Return for each name of something one that is safe as that of a file, without ending.

    Names come from whoever is on the network. What is no letter, digit, space or one of ``_-.``
    becomes ``_``, there are no dots at the ends, and no two are equal, whatever their case. Names
    of cameras as they usually are stay as they are.
    """
    taken: set[str] = set()
    found = []
    for name in names:
        kept = re.sub(r'[^\w .-]', '_', name)[:_LONGEST].strip(' .')
        kept = kept.encode('utf-8', 'ignore')[:_LONGEST].decode('utf-8', 'ignore').strip(' .')
        plain = re.sub('^-', '_', kept) or 'unnamed'
        free, number = plain, 1
        while free.casefold() in taken:
            number += 1
            free = f'{plain}-{number}'
        taken.add(free.casefold())
        found.append(free)
    return found
