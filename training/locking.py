# SPDX-License-Identifier: Apache-2.0
"""One process at a time in a folder."""

from collections.abc import Iterator
from contextlib import contextmanager
import fcntl
from pathlib import Path

from ipt_training.store import StoreError


@contextmanager
def only_one(folder: Path, lock: str = '.lock') -> Iterator[None]:
    """
    Hold a folder by a file in it; the lock goes when the process does.

    Raise StoreError while another process holds the folder.
    """
    path = folder / lock
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open('w') as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise StoreError(f"another process works in '{folder}'; wait for it, or choose "
                             'another folder') from None
        yield
