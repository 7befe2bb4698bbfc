# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""One process at a time in a folder."""

from collections.abc import Iterator
from contextlib import contextmanager
import fcntl
from pathlib import Path
import time
from typing import TextIO

from ipt_training.store import StoreError

_PATIENCE = 5.0  # seconds: a killed process with much memory takes a moment to be gone


@contextmanager
def only_one(folder: Path, lock: str = '.lock') -> Iterator[None]:
    """
    Hold a folder by a file in it; the lock goes when the process does.

    Raise StoreError while another process holds the folder, unless it ends within seconds.
    """
    path = folder / lock
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open('w') as file:
        refused_after = time.monotonic() + _PATIENCE
        while not _locked(file):
            if time.monotonic() > refused_after:
                raise StoreError(f"another process works in '{folder}'; wait for it, or choose "
                                 'another folder')
            time.sleep(0.1)
        yield


def _locked(file: TextIO) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
