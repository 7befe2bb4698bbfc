# SPDX-License-Identifier: Apache-2.0
"""
Attention of a packed batch, in the form that its device computes fastest.

On CUDA, FlexAttention (Dong et al. 2024, arXiv 2412.05496) takes all samples as one row, passes
over the blocks of it in which nobody sees anybody, and stores no mask. Elsewhere, scaled dot
product attention takes one padded line a sample and a dense mask. `choose` is the only place that
decides; both follow the one rule of `visibility`.
"""

from functools import cache
from importlib.util import find_spec
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from .decoder import Attend, attention
from .packing import Batch
from .visibility import line_roles, may_see, Roles

if TYPE_CHECKING:
    from torch.nn.attention.flex_attention import BlockMask

# Triton multiplies blocks of at least this many rows and columns.
_LEAST_HEAD = 16


def choose(batch: Batch, head_dim: int) -> Attend:
    """Return the attention for a batch on its device."""
    device = batch.positions.device
    if device.type == 'cuda' and head_dim >= _LEAST_HEAD and find_spec('triton'):
        return FlexAttention(batch, compiled=True)
    return LineAttention(batch)


class _Gather(torch.autograd.Function):
    """
    Take rows of a matrix where every row is taken at one known place, or not used at all.

    Its gradient is then a gather too, much faster than the scattered addition of index_select.
    """

    @staticmethod
    def forward(ctx, x: Tensor, index: Tensor, inverse: Tensor) -> Tensor:
        ctx.save_for_backward(inverse)
        return x.index_select(0, index)

    @staticmethod
    def backward(ctx, grad: Tensor):
        inverse, = ctx.saved_tensors
        return grad.index_select(0, inverse), None, None


class LineAttention:
    """
    One padded line per sample, masked.

    Places of padding repeat token 0. No token sees them, and they see only each other, so what
    they hold changes nothing, forwards or backwards.
    """

    def __init__(self, batch: Batch):
        self.lines, self.places, self.mask = batch.lines, batch.places, batch.mask

    def __call__(self, layer: int, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        flat = self.lines.flatten()

        def line_up(x: Tensor) -> Tensor:
            rows = _Gather.apply(x.flatten(1), flat, self.places)
            return rows.view(*self.lines.shape, *x.shape[1:]).transpose(1, 2)

        mixed = attention(line_up(q), line_up(k), line_up(v), self.mask)
        rows = mixed.transpose(1, 2).flatten(2).flatten(0, 1)
        return _Gather.apply(rows, self.places, flat).view(q.shape)


class FlexAttention:
    """
    All samples in one row, one after another, without padding.

    A batch's own order (all texts, then all images) would spread each sample over the whole row
    and leave few blocks empty. ``compiled``: fused kernels, where there is a compiler for them.
    """

    def __init__(self, batch: Batch, compiled: bool):
        self.order = batch.places.argsort()
        self.rank = self.order.argsort()
        self.block_mask = block_mask(row_roles(batch, self.order), compiled)
        self._attend = _flex_attention(compiled)

    def __call__(self, layer: int, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        def line_up(x: Tensor) -> Tensor:
            rows = _Gather.apply(x.flatten(1), self.order, self.rank)
            return rows.view(x.shape).transpose(0, 1)[None]

        mixed = self._attend(
            line_up(q), line_up(k), line_up(v), block_mask=self.block_mask,
            enable_gqa=q.shape[1] != k.shape[1])
        rows = mixed[0].transpose(0, 1).flatten(1)
        return _Gather.apply(rows, self.rank, self.order).view(q.shape)


def row_roles(batch: Batch, order: Tensor) -> Roles:
    """Return the roles (N,) of all tokens in ``order``, without those of padding."""
    where = batch.places[order]
    return Roles(*(value.expand(batch.lines.shape).flatten()[where]
                   for value in line_roles(batch.roles)))


def block_mask(roles: Roles, compiled: bool) -> 'BlockMask':
    """Return which blocks of a row (N,) see which; made without a dense mask if ``compiled``."""
    from torch.nn.attention.flex_attention import create_block_mask

    def mask_mod(batch: Tensor, head: Tensor, query: Tensor, key: Tensor) -> Tensor:
        return may_see(Roles(*(value[query] for value in roles)),
                       Roles(*(value[key] for value in roles)))

    count = len(roles.piece)
    return create_block_mask(
        mask_mod, None, None, count, count, device=roles.piece.device, _compile=compiled)


@cache
def _flex_attention(compiled: bool):
    """Return the function; its kernels are built when it first meets inputs of a kind."""
    # Imported late: with it come parts of the compiler, which only CUDA needs.
    from torch.nn.attention.flex_attention import flex_attention
    return torch.compile(flex_attention) if compiled else flex_attention
