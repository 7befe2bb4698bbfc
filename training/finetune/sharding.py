# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""
A model spread over the processes of a run by FSDP2: every process keeps a part of every tensor.

The units that are gathered, used and let go again are the decoder's layers; everything else is one
more unit. The ViT belongs to the latter because it is called once for every size of image in a
batch, so processes call it unequally often, and every gathering must happen in all of them.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from ipt_ros.bagel import Bagel, fast_dtype
from ipt_ros.bagel.decoder import GEN
from ipt_ros.bagel.source import Source
from ipt_training.finetune.processes import Processes
from ipt_training.finetune.trainee import Trainee
from ipt_training.memory import Memory
import torch
from torch import nn
from torch.distributed.fsdp import FSDPModule, fully_shard, MixedPrecisionPolicy
from torch.distributed.tensor import DTensor

# What works on latents alone, besides the decoder's expert for them, and on images alone.
_LATENTS = ('model.vae2llm.', 'model.llm2vae.', 'model.time_embedder.')
_IMAGES = ('model.vit_model.', 'model.connector.')


def load_part(start: Source, dtype: torch.dtype, processes: Processes) -> Bagel:
    """
    Load a checkpoint to train it in ``dtype``.

    With many processes it stays on the CPU as it is stored, until `shard`: pages of its files,
    which the processes of a machine share.
    """
    if processes.world == 1:
        return Bagel.from_checkpoint(start, device=processes.device, dtype=dtype)
    stored = Bagel.from_checkpoint(start, device='meta').dtype
    model = Bagel.from_checkpoint(start, device='cpu', dtype=stored)
    model.vae.to(processes.device)
    return model


def shard(trainee: Trainee, dtype: torch.dtype, processes: Processes) -> None:
    """
    Spread the parameters over the processes; what is not trained is kept in ``dtype``.

    On GPUs that are fast in bfloat16, that is what is gathered and computed with, as in the
    published training; kept, updated and summed are float32 numbers. Does nothing for one process.
    """
    if processes.world == 1:
        return
    fast = processes.device.startswith('cuda') and fast_dtype(processes.device)
    policy = MixedPrecisionPolicy(
        param_dtype=fast or None, reduce_dtype=torch.float32,
        cast_forward_inputs=False)  # rotations stay in float32
    for unit in (*trainee.model.language_model.model.layers, trainee):
        for value in unit.parameters():
            if not isinstance(value, DTensor):  # else it is in a unit of its own already
                value.data = value.data.to(
                    processes.device, torch.float32 if value.requires_grad else dtype)
        fully_shard(unit, mesh=processes.mesh, mp_policy=policy)
        # Losses are divided by the number of tokens of all processes, so gradients are sums.
        unit.set_gradient_divide_factor(1.0)
        unit.set_force_sum_reduction_for_comms(True)
    # What a batch does not use has a gradient of zero in the sum, see `drop_unused`.
    trainee.set_reduce_scatter_unused_params(True)


def spread_memory(memory: Memory, model: Bagel, processes: int) -> Memory:
    """
    Return what each of so many GPUs takes of an estimate for one.

    Besides its part: the gathered weights of two layers, one used and one on its way, and of all
    that is no layer, in bfloat16; and gradients of one layer and that rest, in bfloat16 and, while
    they are summed, float32.
    """
    def count(part: nn.Module, trained: bool) -> int:
        return sum(value.numel() for value in part.parameters()
                   if value.requires_grad or not trained)

    layers = model.language_model.model.layers
    layer, rest, trained_layer, trained_rest = (
        number for trained in (False, True) for number in (
            count(layers[0], trained), count(model, trained) - count(layers, trained)))
    return replace(
        memory, weights=memory.weights // processes + 2 * (2 * layer + rest),
        gradients=memory.gradients // processes + 6 * (trained_layer + trained_rest),
        optimizer=memory.optimizer // processes, average=memory.average // processes)


def exchange_gradients(trainee: nn.Module, now: bool) -> None:
    """Say whether the next batch's way back sums gradients over processes, or keeps them here."""
    if isinstance(trainee, FSDPModule):
        trainee.set_requires_gradient_sync(now)
        trainee.set_is_last_backward(now)


def drop_unused(trainee: nn.Module, latents: float, images: float) -> None:
    """
    Take the gradient off what no batch of a step used in any process.

    ``latents`` and ``images`` are how many the step had. An optimizer then leaves these
    parameters alone, as it does in one process, where they have no gradient.
    """
    if not isinstance(trainee, FSDPModule):
        return
    for name, value in trainee.named_parameters():
        of_latents = GEN in name or name.startswith(_LATENTS)
        if of_latents and not latents or name.startswith(_IMAGES) and not images:
            value.grad = None


@torch.no_grad()
def gather(trainee: Trainee, whole: Trainee | None) -> None:
    """
    Copy what was trained into ``whole``, one tensor after another; None where nobody keeps it.

    Every process must call this: each has a part of every tensor.
    """
    kept = {} if whole is None else whole.trained()
    for name, value in trainee.trained().items():
        full = value.full_tensor()
        if whole is not None:
            kept[name].copy_(full)


@contextmanager
def parts_callable(trainee: nn.Module) -> Iterator[None]:
    """Make every part of the model callable by itself, in all processes alike."""
    if not isinstance(trainee, FSDPModule):
        yield
        return
    trainee.unshard()  # layers are gathered whenever they are called
    try:
        yield
    finally:
        trainee.reshard()
