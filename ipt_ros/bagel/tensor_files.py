# SPDX-License-Identifier: Apache-2.0
"""Writing safetensors files: a kill or a full disk leaves the old one and nothing else."""

from collections.abc import Mapping
import errno
import os
from pathlib import Path
import shutil

from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor

DRAFT = '.draft'  # of a folder beside the file; one that a killed process left is used again


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
