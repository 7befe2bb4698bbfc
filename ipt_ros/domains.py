# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""ROS domains that nobody else on this machine uses."""

from collections.abc import Iterator
from contextlib import contextmanager
import fcntl
import os
from pathlib import Path
import tempfile
from typing import TextIO

# Above 101, the ports of DDS run into those that Linux hands out to everybody.
DOMAINS = range(1, 102)


@contextmanager
def free_domain() -> Iterator[int]:
    """
    Yield a ROS domain id that no other user of this function has until the block ends.

    A lock on a file keeps it; the kernel frees it when this process ends, however it ends.
    Raises RuntimeError when all are taken.
    """
    for domain in sorted(DOMAINS, key=lambda number: (number - os.getpid()) % len(DOMAINS)):
        lock = _lock(domain)
        if lock is not None:
            with lock:
                yield domain
            return
    raise RuntimeError(f'all {len(DOMAINS)} ROS domains of this machine are in use')


def _lock(domain: int) -> TextIO | None:
    """Return an open file that stands for the domain; None where somebody else has it."""
    try:
        lock = Path(tempfile.gettempdir(), f'ros_domain_{domain}.lock').open('w')
    except PermissionError:  # another user's
        return None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.close()
        return None
    return lock
