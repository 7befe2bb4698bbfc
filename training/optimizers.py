# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""
The optimizers of a stage: AdamW for all parameters, or Muon for hidden matrices beside it.

Muon (https://kellerjordan.github.io/posts/muon/) makes the update of a matrix orthogonal, so that
directions which gradients seldom show are learned as fast as common ones.
"""

from dataclasses import dataclass
import math
from typing import Any

import torch
from torch import nn

from .muon import Muon

# What turns tokens or latents into hidden states, and these into what is asked for. Muon is made
# for what is in between.
_OUTER = ('embed', 'head', 'vae2llm', 'llm2vae')
# What is divided by may be as small as eps, and is a number of this type.
_LEAST_EPS = torch.finfo(torch.float32).tiny


@dataclass(frozen=True)
class OptimizerSettings:
    """
    A method with warm-up, a constant plateau and a linear decay at the end.

    ``method`` is 'adamw' or 'muon'; Muon's updates are scaled to the size that AdamW's have, so
    both take the same rates. The plateau does not depend on the number of steps, so a run can be
    resumed with more of them. ``decay`` is the share of the steps in which the rate falls to zero.
    ``ema``: decay of the averaged weights that come out at the end, 0 for none. ``ema_ramp``: let
    it begin near 0 and rise, as min(ema, (1 + step) / (10 + step)), so that random first weights
    are soon forgotten. The defaults are those of a small model from scratch; the published
    fine-tuning has betas (0.9, 0.95), eps 1e-15 and no ramp.
    """

    learning_rate: float
    method: str = 'adamw'
    warmup_steps: int = 100
    decay: float = 0.2
    weight_decay: float = 0.0
    betas: tuple[float, float] = (0.9, 0.99)
    eps: float = 1e-8
    clip: float = 1.0
    ema: float = 0.0
    ema_ramp: bool = True

    def __post_init__(self):
        if self.method not in ('adamw', 'muon'):
            raise ValueError(f"optimizer.method must be 'adamw' or 'muon', got '{self.method}'")
        for name, right, words in (
                ('learning_rate', 0 <= self.learning_rate < math.inf, 'a number from 0 on'),
                ('weight_decay', 0 <= self.weight_decay < math.inf, 'a number from 0 on'),
                ('eps', _LEAST_EPS <= self.eps < math.inf,
                 'a number above 0, such as 1.0e-8: 0 makes NaN of weights without a gradient'),
                ('clip', self.clip > 0, 'the longest gradient, above 0'),
                ('decay', 0 <= self.decay <= 1, 'a share of the steps, 0 to 1'),
                ('ema', 0 <= self.ema < 1, 'a number from 0 to below 1, 0 for none'),
                ('betas', all(0 <= beta < 1 for beta in self.betas), 'two numbers below 1')):
            if not right:
                raise ValueError(f'optimizer.{name} is {getattr(self, name)!r}; give {words}')

    def rate(self, step: int, steps: int) -> float:
        """Return the learning rate at ``step`` of ``steps``."""
        warm = min(1.0, (step + 1) / max(1, self.warmup_steps))
        left = (steps - step) / max(1.0, self.decay * steps)
        return self.learning_rate * warm * min(1.0, left)


class Optimizers:
    """All optimizers of a stage, used as one."""

    def __init__(self, module: nn.Module, settings: OptimizerSettings):
        self.settings = settings
        hidden, matrices, vectors = _sorted_parameters(module)
        if settings.method == 'adamw':
            hidden, matrices = [], hidden + matrices
        adamw = torch.optim.AdamW(
            [{'params': matrices, 'weight_decay': settings.weight_decay},
             {'params': vectors, 'weight_decay': 0.0}],
            lr=settings.learning_rate, betas=settings.betas, eps=settings.eps, fused=True)
        muon = [Muon(
            hidden, lr=settings.learning_rate, weight_decay=settings.weight_decay,
            adjust_lr_fn='match_rms_adamw')] if hidden else []
        self.all: list[torch.optim.Optimizer] = [adamw, *muon]

    def step(self, rate: float) -> None:
        """Update the parameters at a learning rate, and drop their gradients."""
        for optimizer in self.all:
            for group in optimizer.param_groups:
                group['lr'] = rate
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)

    def state_dict(self) -> list[dict[str, Any]]:
        return [optimizer.state_dict() for optimizer in self.all]

    def load_state_dict(self, states: list[dict[str, Any]]) -> None:
        """Take over the state of a run with the same method; the settings stay our own."""
        if len(states) != len(self.all):
            raise ValueError(
                'the saved state is that of another optimizer.method; go on with that one, or '
                'start in another work_dir')
        for optimizer, state in zip(self.all, states):
            own = [{k: v for k, v in group.items() if k != 'params'}
                   for group in optimizer.param_groups]
            optimizer.load_state_dict(state)
            for group, settings in zip(optimizer.param_groups, own):
                group.update(settings)


def _sorted_parameters(
    module: nn.Module,
) -> tuple[list[nn.Parameter], list[nn.Parameter], list[nn.Parameter]]:
    """Return trainable parameters: hidden matrices, others that decay, and those that do not."""
    hidden, matrices, vectors = [], [], []
    for name, value in module.named_parameters():
        if not value.requires_grad:
            continue
        if value.ndim < 2 or 'embed' in name:
            vectors.append(value)  # biases, norms, embeddings
        elif value.ndim == 2 and not any(part in name for part in _OUTER):
            hidden.append(value)
        else:
            matrices.append(value)
    return hidden, matrices, vectors
