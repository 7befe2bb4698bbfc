# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""Muon in the number format that a device is fast in."""

from ipt_ros.bagel import fast_dtype
import torch
from torch import Tensor


class Muon(torch.optim.Muon):
    """
    PyTorch's Muon, whose products are made in float32 where bfloat16 is only emulated.

    PyTorch makes them in bfloat16 everywhere. On a CPU without AMX or AVX512-BF16 a product then
    takes a hundred times as long, and a step of the optimizer longer than all else. Where
    bfloat16 is fast, every step is PyTorch's own.
    """

    @torch.no_grad()
    def step(self, closure=None):
        """Update the parameters; as `torch.optim.Muon.step`."""
        if all(fast_dtype(parameter.device) == torch.bfloat16
               for group in self.param_groups for parameter in group['params']):
            return super().step(closure)
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            parameters: list[Tensor] = []
            gradients: list[Tensor] = []
            averages: list[Tensor] = []
            self._init_group(group, parameters, gradients, averages)
            for parameter, gradient, average in zip(parameters, gradients, averages):
                average.lerp_(gradient, 1 - group['momentum'])
                update = (gradient.lerp(average, group['momentum']) if group['nesterov']
                          else average)
                update = orthogonal(
                    update.to(fast_dtype(parameter.device)), group['ns_coefficients'],
                    group['ns_steps'], group['eps'])
                parameter.mul_(1 - group['lr'] * group['weight_decay'])
                parameter.add_(update, alpha=-group['lr'] * self._scale(parameter.shape, group))
        return loss

    @staticmethod
    def _scale(shape: torch.Size, group: dict) -> float:
        """Return the factor of the learning rate for a matrix of this shape."""
        if group['adjust_lr_fn'] == 'match_rms_adamw':
            return 0.2 * max(shape) ** 0.5
        return max(1.0, shape[0] / shape[1]) ** 0.5


def orthogonal(matrix: Tensor, coefficients: tuple[float, float, float], steps: int,
               eps: float) -> Tensor:
    """
    Return about the nearest matrix with orthogonal rows or columns, in the format given: (A, B).

    The quintic Newton-Schulz iteration of Muon, whose singular values come out between 0.7 and
    1.2 (https://kellerjordan.github.io/posts/muon/).
    """
    a, b, c = coefficients
    tall = matrix.size(0) > matrix.size(1)
    found = matrix.T if tall else matrix
    found = found / found.norm().clamp(min=eps)
    for _ in range(steps):
        gram = found @ found.T
        found = torch.addmm(found, torch.addmm(gram, gram, gram, beta=b, alpha=c), found, beta=a)
    return found.T if tall else found
