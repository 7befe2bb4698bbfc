# SPDX-License-Identifier: Apache-2.0
"""
Loading a model while another one serves: room is looked for first, and the model is tried.

A model that fails here has cost the one that serves nothing.
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from ipt_ros.bagel import Bagel, BagelError, imagine, read_prompt, score_texts
from ipt_ros.bagel.checkpoint import bytes_needed
from ipt_ros.bagel.source import find
from ipt_ros.imagination.data import Code, ImaginationError, Options
from ipt_ros.imagination.door import Imagination, placement
import numpy as np
import torch
from torch import Tensor

# Of the weights' size, for what loading and trying need beside them.
HEADROOM = 1.1
LISTED = 3  # faulty tensors are named up to here
SLICE = 1 << 24  # elements looked at in one go: a large tensor must not need its size again


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
        imagination = Imagination.from_checkpoint(found, device, dtype, options, beside=beside)
        try_out(imagination.model)
    except ImaginationError:
        raise
    except (MemoryError, torch.OutOfMemoryError) as error:
        raise ImaginationError(
            Code.NO_MEMORY, f'{source}: no memory for a second model: {error}') from error
    except BagelError as error:
        raise ImaginationError(Code.BAD_MODEL, str(error)) from error
    except Exception as error:  # a file can be wrong in ways that nobody foresaw
        raise ImaginationError(
            Code.BAD_MODEL, f'{source}: {type(error).__name__}: {error}') from error
    return imagination


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


@torch.no_grad()
def try_out(model: Bagel) -> None:
    """
    Let a model read, imagine, look at what it imagined, and weigh two answers.

    Raises BagelError when numbers in it or of it are not finite, whatever torch raises when it
    cannot run.
    """
    named = {**model.state_dict(), **model.vae.named_tensors()}
    if bad := _not_finite(named):
        more = f' and {len(bad) - LISTED} more' if len(bad) > LISTED else ''
        raise BagelError(f'NaN or infinity in {", ".join(bad[:LISTED])}{more}')
    grey = np.full((64, 64, 3), 127, np.uint8)
    prompt = read_prompt(model, system='', images=[grey], question='?', mode='imagine')
    drawn = imagine(prompt, replace(model.config.sampling, steps=2))
    prompt.context.add_image(drawn, imagined=True)
    if not np.isfinite(score_texts(prompt.context, ['A', 'B'])).all():
        raise BagelError('NaN or infinity in the answer to a trial question')


def _check_room(source: str | Path, needed: int, free: int | None, device: str) -> None:
    if free is not None and needed * HEADROOM > free:
        raise ImaginationError(Code.NO_MEMORY, (
            f'{source}: its weights take {needed / 1e9:.1f} GB on {device}, where '
            f'{free / 1e9:.1f} GB are free; to replace a model without holding both, clean the '
            "node up, set its parameter 'checkpoint', and configure it"))


def _not_finite(tensors: Mapping[str, Tensor]) -> list[str]:
    return [name for name, tensor in tensors.items() if not all(
        bool(part.isfinite().all()) for part in tensor.reshape(-1).split(SLICE))]
