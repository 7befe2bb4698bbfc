# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""
The saved state of a run, written and read by any number of processes (torch's DCP, safetensors).

    STATE/step-00000120/shard-00001-....safetensors   what each process keeps
                        state.json                    the step, and how long each file is

A state is written beside the last one and gets its name when it is whole; then the last one goes.
A kill at any moment leaves one that is whole.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
import json
import os
from pathlib import Path
import shutil
import warnings

from ipt_training.finetune.errors import FinetuneError
from ipt_training.finetune.processes import ALONE, Processes
from ipt_training.finetune.trainee import Trainee
from ipt_training.loop import Ema
from ipt_training.optimizers import Optimizers
from safetensors import SafetensorError
import torch
from torch import Tensor
import torch.distributed.checkpoint as dcp

_CONTENT = 'state.json'
_DRAFT = 'unfinished'
_FILE_BYTES = 2**30  # about; a process copies one file at a time to the CPU


class SavedState:
    """The one state that is kept in ``folder``; all ``processes`` save and load together."""

    def __init__(self, folder: Path, processes: Processes = ALONE):
        self.folder = folder
        self._processes = processes

    def __str__(self) -> str:
        return str(self.folder)

    @property
    def step(self) -> int:
        """Return the step to go on with, 0 without a state. Raises FinetuneError if damaged."""
        kept = self._kept()
        return _content(kept)['step'] if kept else 0

    def save(self, step: int, module: Trainee, optimizer: Optimizers, ema: Ema | None) -> None:
        """Write everything that resuming needs. Raises OSError, such as for a full disk."""
        draft = self.folder / _DRAFT
        lead = self._processes.lead
        with self._processes.agreed():
            if lead:
                shutil.rmtree(draft, ignore_errors=True)
                draft.mkdir(parents=True)
        tensors = _tensors(module, optimizer, ema)
        writer = dcp.HuggingFaceStorageWriter(
            str(draft), _file_numbers(tensors, self._processes.world), save_distributed=True)
        with self._processes.agreed():
            try:
                with _quiet():
                    dcp.save(tensors, storage_writer=writer, no_dist=self._processes.world == 1)
            except dcp.CheckpointException as error:  # in all processes, whoever failed
                raise next(iter(error.failures.values()))[0] from error
        with self._processes.agreed():
            if lead:
                files = {path.name: path.stat().st_size
                         for path in sorted(draft.glob('*.safetensors'))}
                with (draft / _CONTENT).open('w', encoding='utf-8') as file:
                    json.dump({'step': step, 'processes': self._processes.world, 'files': files},
                              file, indent=1)
                    file.flush()
                    os.fsync(file.fileno())
                older = list(self.folder.glob('step-*'))
                os.replace(draft, self.folder / f'step-{step:08}')
                for path in older:
                    shutil.rmtree(path)

    def load(self, module: Trainee, optimizer: Optimizers, ema: Ema | None) -> int:
        """
        Load what `save` wrote with however many processes; return the step to go on with.

        Raises FinetuneError for a damaged state, and for one of other parameters.
        """
        kept = self._kept()
        if kept is None:
            return 0
        with self._processes.agreed():
            self._read(kept, module, optimizer, ema)
            return _content(kept)['step']

    def _read(self, kept: Path, module: Trainee, optimizer: Optimizers, ema: Ema | None) -> None:
        try:
            reader = dcp.HuggingFaceStorageReader(str(kept))
            found = {name: tuple(entry.size) for name, entry
                     in reader.read_metadata().state_dict_metadata.items()}
            _make_room(optimizer, found)
            tensors = _tensors(module, optimizer, ema)
            _check_fits({name: tuple(value.shape) for name, value in tensors.items()}, found)
            with _quiet():
                dcp.load(tensors, storage_reader=reader, no_dist=self._processes.world == 1)
        except dcp.CheckpointException as error:
            raise next(iter(error.failures.values()))[0] from error
        except SafetensorError as error:
            raise _damaged(kept, str(error)) from error

    def exists(self) -> bool:
        """Say whether there is a state to go on from."""
        return self._kept() is not None

    def clear(self) -> None:
        """Remove what was begun and not finished."""
        shutil.rmtree(self.folder / _DRAFT, ignore_errors=True)

    def _kept(self) -> Path | None:
        return max((path for path in self.folder.glob('step-*') if path.is_dir()), default=None)


def _content(folder: Path) -> dict:
    """Return what a state says of itself. Raises FinetuneError if its files are not as it says."""
    try:
        content = json.loads((folder / _CONTENT).read_text(encoding='utf-8'))
        for name, length in content['files'].items():
            found = (folder / name).stat().st_size
            if found != length:
                raise _damaged(folder, f'{name} has {found} bytes, not {length}')
    except (OSError, ValueError, KeyError) as error:
        raise _damaged(folder, repr(error)) from error
    return content


def _damaged(folder: Path, why: str) -> FinetuneError:
    return FinetuneError(f"the state '{folder}' is damaged ({why}) and cannot be gone on from; "
                         'delete it to begin anew')


def _tensors(module: Trainee, optimizer: Optimizers, ema: Ema | None) -> dict[str, Tensor]:
    """Return all tensors of a state by name; they share the memory of the run's own."""
    tensors = {f'module.{name}': value for name, value in module.trained().items()}
    tensors |= {f'ema.{name}': value for name, value in (ema.values if ema else {}).items()}
    for number, inner in enumerate(optimizer.all):
        parameters = [value for group in inner.param_groups for value in group['params']]
        for place, parameter in enumerate(parameters):
            for key, value in inner.state.get(parameter, {}).items():
                # Counts have no axis, and a file of safetensors is read by slices of axes.
                tensors[f'optimizer.{number}.{place}.{key}'] = (
                    value if value.ndim else value.view(1))
    return tensors


def _make_room(optimizer: Optimizers, found: Mapping[str, tuple[int, ...]]) -> None:
    """Give each parameter the optimizer's numbers that a saved state has of it, as zeros."""
    for number, inner in enumerate(optimizer.all):
        parameters = [value for group in inner.param_groups for value in group['params']]
        for name, shape in found.items():
            part, _, place_key = name.partition(f'optimizer.{number}.')
            if part or not place_key:
                continue
            place, _, key = place_key.partition('.')
            if int(place) < len(parameters):
                parameter = parameters[int(place)]
                inner.state[parameter][key] = (
                    torch.zeros_like(parameter.detach()) if shape == tuple(parameter.shape)
                    else torch.zeros((), device=parameter.device))


def _check_fits(own: Mapping, found: Mapping) -> None:
    """Raise FinetuneError unless a state has exactly the tensors of this run."""
    wrong = sorted(name for name in own.keys() | found.keys() if own.get(name) != found.get(name))
    if wrong:
        raise FinetuneError(
            f'the saved state trains other parameters than the recipe, or by another optimizer '
            f'({len(wrong)} tensors, such as {wrong[0]}); use the recipe that began the run, or '
            'another work_dir')


def _file_numbers(tensors: Mapping[str, Tensor], world: int) -> dict[str, int]:
    """Deal the tensors to files, counted from 1; each process writes about 1 GiB into one."""
    numbers, size, number = {}, 0, 1
    for name, value in tensors.items():
        if size > _FILE_BYTES * world:
            size, number = 0, number + 1
        numbers[name] = number
        size += value.numel() * value.element_size()
    return numbers


@contextmanager
def _quiet() -> Iterator[None]:
    """Leave out the remark that one process is one process."""
    with warnings.catch_warnings():
        warnings.filterwarnings('ignore', message='torch.distributed is disabled')
        yield
