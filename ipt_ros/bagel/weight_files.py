# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""The safetensors files of a checkpoint: which they are, what they hold, which is which."""

from collections.abc import Iterable, Mapping
from contextlib import ExitStack
import hashlib
import json
from pathlib import Path
import struct

from safetensors import safe_open, SafetensorError
import torch

from .errors import CheckpointError, NoCheckpointError
from .json_files import read_object
from .mistaken import mistaken

WEIGHTS = ('ema.safetensors', 'model.safetensors')
INDEX = 'model.safetensors.index.json'
# Types of numbers that weights may have, as a header calls them.
FLOATS = ('F64', 'F32', 'F16', 'BF16')
# What downloads are called, behind a file's name, until they are whole.
_UNFINISHED = ('.incomplete', '.part', '.partial', '.crdownload', '.download', '.aria2', '.tmp')
# Where huggingface_hub keeps them, below the folder that it fills.
_HUB_DOWNLOADS = '.cache/huggingface/download'
# At most this many faults of one kind are listed; the rest are counted.
LISTED = 5


def weight_files(folder: Path) -> dict[str, Path]:
    """Return the file of every tensor that the folder's weights hold."""
    for name in WEIGHTS:
        if (folder / name).exists():
            return dict.fromkeys(header(folder / name), folder / name)
    index = folder / INDEX
    if not index.exists():
        # Names of files are not told: who asks may have no right to see them.
        hint = ('; a download of them was not finished' if _unfinished(folder) else '')
        raise NoCheckpointError(
            f'{folder}: no weights; expected one of {", ".join((*WEIGHTS, INDEX))}{hint}')
    try:
        listed = read_object(index, CheckpointError)['weight_map']
        files = {tensor: folder / name for tensor, name in listed.items()}
    except (KeyError, TypeError, AttributeError) as error:
        raise CheckpointError(f'{index}: not a safetensors index with a weight_map') from error
    for name in set(listed.values()):
        # An index is data from outside: it does not say which other files of the machine to open.
        if Path(name).is_absolute() or '..' in Path(name).parts:
            raise CheckpointError(
                f'{index}: a shard is outside of the folder; expected names of files in it')
    held = {path: set(header(path)) for path in sorted(set(files.values()))}
    for tensor, path in files.items():
        if tensor not in held[path]:
            raise CheckpointError(f'{path}: tensor {tensor}: expected by {INDEX}, not found')
    return files


def header(path: Path) -> dict[str, dict]:
    """
    Return what a safetensors file says of its tensors, sure that all their bytes are there.

    Read by hand because the library does not say which tensor a truncated file cuts off.
    """
    try:
        size = path.stat().st_size
        with path.open('rb') as file:
            length, = struct.unpack('<Q', file.read(8))
            if length > size - 8:
                raise CheckpointError(f'{path}: ' + (mistaken(path, weights=True) or (
                    f'truncated: expected a header of {length} bytes, found a file of {size} '
                    'bytes; download or copy it again')))
            entries = json.loads(file.read(length))
            entries.pop('__metadata__', None)
            ends = {name: 8 + length + entry['data_offsets'][1] for name, entry in entries.items()}
            if not all({'dtype', 'shape'} <= entry.keys() for entry in entries.values()):
                raise ValueError('a tensor without type or shape')
    except FileNotFoundError:
        raise CheckpointError(f'{path}: no such file; the checkpoint needs it') from None
    except OSError as error:
        raise CheckpointError(f'{path}: cannot be read: {error.strerror}') from error
    except (struct.error, ValueError, KeyError, TypeError, AttributeError,
            RecursionError) as error:
        hint = mistaken(path, weights=True) or 'its header cannot be read; download it again'
        raise CheckpointError(f'{path}: not a safetensors file: {hint}') from error
    for name, end in sorted(ends.items(), key=lambda item: item[1]):
        if end > size:
            raise CheckpointError(f'{path}: truncated: tensor {name}: expected to end at byte '
                                  f'{end}, found a file of {size} bytes; download or copy it '
                                  'again')
    return entries


def no_floats(entries: Mapping[str, dict]) -> list[str]:
    """Return what to say of the tensors of a header that hold no floating-point numbers."""
    return listed(f'tensor {name}: expected floating-point numbers ({", ".join(FLOATS)}), found '
                  f'{entry["dtype"]} (quantised?); give the weights as they were before that'
                  for name, entry in entries.items() if entry['dtype'] not in FLOATS)


def _unfinished(folder: Path) -> bool:
    return any((folder / f'{name}{end}').exists() for name in (*WEIGHTS, INDEX)
               for end in _UNFINISHED) or any((folder / _HUB_DOWNLOADS).glob('*.incomplete'))


def fingerprint(files: Mapping[str, Path]) -> str:
    """
    Return what tells these weights from others: the same in float32, bfloat16, one file or many.

    Read are a few rows of every tensor, rounded to bfloat16, so that it takes seconds for any
    size. ``files``: as `weight_files` returns them. Raises CheckpointError.
    """
    digest = hashlib.sha256()
    with ExitStack() as stack:
        try:
            opened = {path: stack.enter_context(safe_open(path, 'pt'))
                      for path in set(files.values())}
            for name in sorted(files):
                part = opened[files[name]].get_slice(name)
                shape = part.get_shape()
                digest.update(f'{name} {shape}\n'.encode())
                for row in sorted({0, shape[0] // 2, shape[0] - 1}) if shape else ():
                    numbers = part[row:row + 1].to(torch.bfloat16).contiguous()
                    digest.update(numbers.view(torch.uint8).numpy())
        except SafetensorError as error:
            raise CheckpointError(f'a weight file cannot be read: {error}') from error
    return digest.hexdigest()[:16]


def stamps(files: Iterable[Path]) -> frozenset:
    """Return what changes when one of the files is written anew or replaced."""
    found = ((path.resolve(), path.stat()) for path in set(files))
    return frozenset((path, stat.st_ino, stat.st_size, stat.st_mtime_ns) for path, stat in found)


def listed(faults: Iterable[str]) -> list[str]:
    """Return the first few faults and how many more there are."""
    faults = list(faults)
    more = len(faults) - LISTED
    return faults[:LISTED] + ([f'... and {more} more like this'] if more > 0 else [])
