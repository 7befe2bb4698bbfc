# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""Safetensors files that are whole or not there, whenever a process is killed or a disk full."""

from collections.abc import Mapping
import errno
import os
from pathlib import Path
import shutil

from safetensors import safe_open, SafetensorError
from safetensors.torch import save_file
from torch import Tensor

DRAFT = '.draft'  # of a folder beside the file; what a killed process left there is removed


def write_tensors(path: str | os.PathLike, tensors: Mapping[str, Tensor],
                  metadata: Mapping[str, str] | None = None) -> None:
    """
    Write a file that appears whole or not at all, for all to read whom the umask allows it.

    The library alone leaves hidden files where it is killed, and lets only their owner read what
    it writes. Raises OSError, such as for a full disk.
    """
    path = Path(path)
    folder = path.with_name(path.name + DRAFT)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    draft = folder / path.name
    try:
        save_file(dict(tensors), draft, metadata and dict(metadata))
        draft.chmod(folder.stat().st_mode & 0o666)
        os.replace(draft, path)
    except SafetensorError as error:
        full = 'No space left' in str(error) or 'quota' in str(error)
        raise OSError(errno.ENOSPC if full else errno.EIO, str(error), str(path)) from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def kept_tensors(path: str | os.PathLike | None,
                 metadata: Mapping[str, str]) -> dict[str, Tensor] | None:
    """Return what `write_tensors` wrote with just this metadata; None for others, or no file."""
    if path is None or not Path(path).exists():
        return None
    with safe_open(path, 'pt') as file:
        if file.metadata() != metadata:
            return None
        return {name: file.get_tensor(name) for name in file.keys()}
