# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""
Loading a model while another one serves: room is looked for first.

A model that fails here has cost the one that serves nothing. Who names a folder may be anybody
who reaches the node, so errors say of a folder without weights only that it is none.
"""

from pathlib import Path

from ipt_ros.bagel import BagelError, NoCheckpointError
from ipt_ros.bagel.adapter import CONFIG
from ipt_ros.bagel.checkpoint import bytes_needed
from ipt_ros.bagel.source import find
from ipt_ros.bagel.weight_files import INDEX, WEIGHTS
from ipt_ros.imagination.data import Code, ImaginationError, Options
from ipt_ros.imagination.door import Imagination, placement
import torch

# Of the weights' size, for what loading and trying need beside them.
HEADROOM = 1.1


def load_beside(source: str | Path, device: str = 'auto', dtype: str = 'auto',
                options: Options | None = None, base: str = '',
                beside: Imagination | None = None) -> Imagination:
    """
    Load a checkpoint or an adapter while another model works; see the module.

    Arguments are those of `Imagination.from_checkpoint`; the base of an adapter may be that of
    the model that works, `beside`. Raises ImaginationError: NO_MEMORY or, for whatever else keeps
    the model from working, BAD_MODEL.
    """
    present = beside and beside.model
    try:
        where, kind = placement(device, dtype)
        found = find(source, base, present and present.origin and present.origin.source)
        _check_room(source, bytes_needed(found, where, kind, present), free_memory(where), where)
        return Imagination.from_checkpoint(found, device, dtype, options, beside=beside)
    except ImaginationError:
        raise
    except (MemoryError, torch.OutOfMemoryError) as error:
        raise ImaginationError(
            Code.NO_MEMORY, f'{source}: no memory for a second model: {error}') from error
    except (NoCheckpointError, PermissionError) as error:
        raise ImaginationError(Code.BAD_MODEL, (
            f'{source}: no such folder, or no weights in it; expected a checkpoint folder with '
            f'one of {", ".join((*WEIGHTS, INDEX))}, the folder of an adapter with {CONFIG}, or a '
            'Hugging Face id such as owner/name')) from error
    except BagelError as error:
        raise ImaginationError(Code.BAD_MODEL, str(error)) from error
    except Exception as error:  # a file can be wrong in ways that nobody foresaw
        raise ImaginationError(
            Code.BAD_MODEL, f'{source}: {type(error).__name__}: {str(error):.200}') from error


def free_memory(device: str) -> int | None:
    """Return the bytes that a device could still hand out, None where that is not known."""
    where = torch.device(device)
    if where.type == 'cuda':
        unused = torch.cuda.memory_reserved(where) - torch.cuda.memory_allocated(where)
        return torch.cuda.mem_get_info(where)[0] + unused
    try:
        lines = Path('/proc/meminfo').read_text(encoding='utf-8').splitlines()
    except OSError:
        return None  # not Linux
    return next((1024 * int(line.split()[1]) for line in lines
                 if line.startswith('MemAvailable:')), None)


def _check_room(source: str | Path, needed: int, free: int | None, device: str) -> None:
    if free is not None and needed * HEADROOM > free:
        raise ImaginationError(Code.NO_MEMORY, (
            f'{source}: its weights take {needed / 1e9:.1f} GB on {device}, where '
            f'{free / 1e9:.1f} GB are free; to replace a model without holding both, clean the '
            "node up, set its parameter 'checkpoint', and configure it"))
