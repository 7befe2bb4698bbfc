# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""
The processes of a run and how they act as one.

One process is the plain case. torchrun starts more, on one machine or many, and tells each by
environment variables who it is. What one of them meets alone (a broken shard, a full disk), all
must learn before the next exchange, or the others would wait for it for ever.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
import os
from typing import TypeVar

from ipt_training.finetune.errors import FinetuneError
from ipt_training.finetune.recipe import ParallelSettings
import torch
import torch.distributed as dist
from torch.distributed.device_mesh import DeviceMesh, init_device_mesh

# What gloo and NCCL say when a process at the other end is gone.
_LOST = ('gloo', 'NCCL', 'Connection closed by peer', 'Connection reset by peer', 'TCPStore')


T = TypeVar('T')


class StoppedWithOthers(SystemExit):
    """Ends this process without a word, because another one stopped and says why."""

    def __init__(self):
        super().__init__(1)


@dataclass(frozen=True)
class Processes:
    """
    This process among ``world`` ones, which all call the same methods in the same order.

    ``device``: of this process. ``mesh``: of the devices that share parameters, with the axis
    'shard' and, with replicas, 'replicate' before it; None for one process.
    """

    rank: int = 0
    world: int = 1
    device: str = 'cpu'
    mesh: DeviceMesh | None = None

    @property
    def lead(self) -> bool:
        """Say whether this process writes what the run needs once: logs, pictures, folders."""
        return self.rank == 0

    def total(self, values: Sequence[float]) -> list[float]:
        """Return the sums over all processes, in float64: counts stay whole numbers."""
        sums = torch.tensor(values, dtype=torch.float64)
        if self.world > 1:
            dist.all_reduce(sums)
        return sums.tolist()

    def decide(self, choice: bool) -> bool:
        """Return what the first process chose; clocks, for instance, differ."""
        chosen = torch.tensor(int(choice))
        if self.world > 1:
            dist.broadcast(chosen, src=0)
        return bool(chosen)

    def collect(self, part: T) -> list[T]:
        """Return what every process gave, in their order, in each of them."""
        parts = [part] * self.world
        if self.world > 1:
            dist.all_gather_object(parts, part)
        return parts

    @contextmanager
    def agreed(self) -> Iterator[None]:
        """
        Run what may fail in some processes alone; where it does, all stop.

        The first of those that failed raises its error, the others raise `StoppedWithOthers`.
        """
        error = None
        try:
            yield
        except Exception as caught:
            error = caught
        if self.world == 1:
            if error:
                raise error
            return
        first = torch.tensor(self.world if error is None else self.rank)
        dist.all_reduce(first, op=dist.ReduceOp.MIN)
        if first == self.rank:
            raise error
        if first < self.world:
            raise StoppedWithOthers


ALONE = Processes()  # on the CPU


@dataclass(frozen=True)
class Launch:
    """What torchrun tells a process: its number among all, and among those of its machine."""

    world: int
    rank: int
    local: int


def launched() -> Launch | None:
    """
    Return what torchrun told this process; None where it is alone.

    Clusters export some of the variables as well, for programs of their own. One that is empty
    counts as not given. Raises FinetuneError for a group of processes of which the variables do
    not say all, or contradict each other.
    """
    found = {name: number for name in ('WORLD_SIZE', 'RANK', 'LOCAL_RANK')
             if (number := _number(name)) is not None}
    world = found.get('WORLD_SIZE', 1)
    ranks = {name: found[name] for name in ('RANK', 'LOCAL_RANK') if name in found}
    if world < 1:
        raise _odd_launch(f'WORLD_SIZE is {world}, and there is at least one process')
    for name, rank in ranks.items():
        if not 0 <= rank < world:
            raise _odd_launch(
                f'{name} is {rank}, and processes count from 0; WORLD_SIZE is '
                f'{found.get("WORLD_SIZE", "not set")}')
    if world == 1:
        return None
    _check_given(world, [name for name in ('RANK', 'LOCAL_RANK') if name not in found])
    return Launch(world, ranks['RANK'], ranks['LOCAL_RANK'])


def _check_meeting(world: int) -> None:
    """Raise FinetuneError where nothing says at which address the processes meet."""
    _check_given(world, [name for name in ('MASTER_ADDR', 'MASTER_PORT')
                         if not os.environ.get(name, '').strip()])
    port = _number('MASTER_PORT')
    if not 0 < port < 2**16:
        raise _odd_launch(f'MASTER_PORT is {port}, which is no port')


def _check_given(world: int, missing: Sequence[str]) -> None:
    if missing:
        raise _odd_launch(f'WORLD_SIZE is {world}, but {" and ".join(missing)} '
                          f'{"is" if len(missing) == 1 else "are"} not set')


def _number(name: str) -> int | None:
    text = os.environ.get(name, '').strip()
    try:
        return int(text) if text else None
    except ValueError:
        raise _odd_launch(f'{name} is {text!r}, and not a whole number') from None


def _odd_launch(what: str) -> FinetuneError:
    return FinetuneError(f'{what}; start with torchrun, which sets all that several processes '
                         'need, or unset WORLD_SIZE, RANK and LOCAL_RANK for one process alone')


def started_together() -> bool:
    """Say whether this process is to be one of several, as far as their number tells."""
    return (_number('WORLD_SIZE') or 1) > 1


@contextmanager
def join_processes(device: str, settings: ParallelSettings) -> Iterator[Processes]:
    """
    Join the run's other processes, if torchrun started any; leave them at the end.

    ``device`` is 'cpu', or 'cuda' for one GPU a process. A process group that is there already is
    used, and kept. Raises FinetuneError for devices that are not there, and where the connection
    to another process is lost.
    """
    launch = launched()
    if launch is None:
        _check_device(device)
        yield Processes(device=device)
        return
    world, rank = launch.world, launch.rank
    device = _own_device(device, launch.local)
    if world % settings.replicas:
        raise FinetuneError(
            f'parallel.replicas is {settings.replicas}, which does not divide {world} processes')
    # gloo for tensors of the CPU, such as counts, which need not wait for a GPU's queue.
    backend = 'cpu:gloo,cuda:nccl' if device.startswith('cuda') else 'gloo'
    own = not dist.is_initialized()
    if own:
        _check_meeting(world)
        # Addresses of processes that were killed stay in torchrun's store when it starts others.
        store = next(dist.rendezvous('env://'))[0]
        store = dist.PrefixStore(os.environ.get('TORCHELASTIC_RESTART_COUNT', '0'), store)
        dist.init_process_group(
            backend, store=store, rank=rank, world_size=world,
            timeout=timedelta(minutes=settings.timeout_minutes),
            device_id=torch.device(device) if device.startswith('cuda') else None)
    axes = {'replicate': settings.replicas, 'shard': world // settings.replicas}
    if settings.replicas == 1:
        del axes['replicate']
    mesh = init_device_mesh(
        device.split(':')[0], tuple(axes.values()), mesh_dim_names=tuple(axes))
    try:
        yield Processes(rank, world, device, mesh)
    except RuntimeError as error:
        if isinstance(error, FinetuneError) or not any(word in str(error) for word in _LOST):
            raise
        raise FinetuneError(
            f'process {rank} of {world} lost the connection to another one, which says why it '
            f'stopped, unless it was killed ({str(error).splitlines()[0]}); give the same command '
            'again to go on from the last state') from error
    # Not after an error: leaving waits for processes that may never come.
    if own:
        dist.destroy_process_group()


def _check_device(device: str) -> None:
    kind, _, number = device.partition(':')
    if kind == 'cuda' and not torch.cuda.is_available():
        raise FinetuneError(
            "device 'cuda': no CUDA GPU answers here; install a torch for CUDA and a driver (ipt "
            'doctor says what is missing), or give --device cpu')
    if kind == 'cuda' and int(number or 0) >= torch.cuda.device_count():
        raise FinetuneError(
            f"device '{device}': there are {torch.cuda.device_count()} GPUs, counted from 0")


def _own_device(device: str, local: int) -> str:
    """Return the device of the process with this number on its machine."""
    if ':' in device:
        raise FinetuneError(
            f"device '{device}': each process takes a GPU of its own; give --device cuda")
    _check_device(device)
    if device != 'cuda':
        return device
    if local >= torch.cuda.device_count():
        raise FinetuneError(
            f'process {local} of this machine has no GPU: there are {torch.cuda.device_count()}; '
            'give torchrun that number as --nproc-per-node')
    torch.cuda.set_device(local)
    return f'cuda:{local}'
