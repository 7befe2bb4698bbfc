# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""How much memory training takes, found out without taking it."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from torch import Tensor
from torch.autograd.graph import saved_tensors_hooks

GIB = 2**30


@dataclass(frozen=True)
class Memory:
    """An estimate in bytes: of weights, gradients, optimizer and averages, and activations."""

    weights: int
    gradients: int
    optimizer: int
    average: int
    activations: int

    @property
    def total(self) -> int:
        """All of it."""
        return (self.weights + self.gradients + self.optimizer + self.average
                + self.activations)

    def __str__(self) -> str:
        return (f'about {self.total / GIB:.2f} GiB: weights {self.weights / GIB:.2f}, gradients '
                f'{self.gradients / GIB:.2f}, optimizer {self.optimizer / GIB:.2f}, averages '
                f'{self.average / GIB:.2f}, activations {self.activations / GIB:.2f}')


def adamw_memory(parameters: Iterable[Tensor], *, average: bool, activations: int,
                 frozen_bytes: int = 4) -> Memory:
    """
    Estimate what AdamW in float32 takes: two numbers a trained weight besides its gradient.

    ``frozen_bytes``: of a weight that is not trained; ``average``: whether one is kept.
    """
    parameters = list(parameters)
    trained = sum(value.numel() for value in parameters if value.requires_grad)
    frozen = sum(value.numel() for value in parameters) - trained
    return Memory(
        weights=frozen_bytes * frozen + 4 * trained, gradients=4 * trained,
        optimizer=8 * trained, average=4 * trained if average else 0, activations=activations)


def trained_share(parameters: Iterable[Tensor]) -> str:
    """Return in words how many of the parameters are trained."""
    parameters = list(parameters)
    trained = sum(value.numel() for value in parameters if value.requires_grad)
    total = sum(value.numel() for value in parameters)
    return f'{trained:,} of {total:,} parameters are trained ({trained / total:.1%})'


def saved_bytes(compute: Callable[[], object], parameters: Iterable[Tensor] = ()) -> int:
    """
    Return how many bytes ``compute`` keeps for the way back, but for ``parameters``.

    Exact, and as tensors on the device 'meta' have storages without memory, free of cost there.
    """
    known = {value.untyped_storage()._cdata for value in parameters}
    kept: dict[int, Tensor] = {}

    def keep(value: Tensor) -> Tensor:
        storage = value.untyped_storage()
        if storage._cdata not in known:
            kept.setdefault(storage._cdata, value)  # holds it: addresses stay unique
        return value

    with saved_tensors_hooks(keep, lambda value: value):
        result = compute()
    del result
    return sum(value.untyped_storage().nbytes() for value in kept.values())
