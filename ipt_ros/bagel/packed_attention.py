# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""
Attention of a packed batch, in the form that its device computes fastest.

On CUDA, FlexAttention (Dong et al. 2024, arXiv 2412.05496) takes all samples as one row, passes
over the blocks of it in which nobody sees anybody, and stores no mask. Elsewhere, scaled dot
product attention takes one padded line a sample and a dense mask. `choose` is the only place that
decides; both follow the one rule of `visibility`.
"""

from collections.abc import Callable
from functools import cache
from importlib.util import find_spec
from typing import TYPE_CHECKING

import torch
from torch import Tensor
import torch.nn.functional as F

from .decoder import Attend, attention
from .packing import Batch
from .visibility import line_roles, may_see, Roles

if TYPE_CHECKING:
    from torch.nn.attention.flex_attention import BlockMask

# Triton multiplies blocks of at least this many rows and columns.
_LEAST_HEAD = 16
# Rows are padded to powers of two from here on: kernels are compiled for each length anew.
_LEAST_ROW = 1024

# Queries (b, heads, n, d), keys and values (b, kv_heads, n, d) to mixed values like the queries.
Mix = Callable[[Tensor, Tensor, Tensor], Tensor]


def choose(batch: Batch, head_dim: int) -> Attend:
    """Return the attention for a batch on its device."""
    device = batch.positions.device
    if device.type == 'cuda' and head_dim >= _LEAST_HEAD and find_spec('triton'):
        return as_one_row(batch, compiled=True)
    return by_lines(batch)


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


class PackedAttention:
    """
    Lays a batch's tokens out, lets ``mix`` mix them there, and brings them back.

    ``lines`` (B, L): the token at each place; ``places`` (N,): the place of each token. Places of
    padding repeat a token. No token sees them, so what they hold changes nothing.
    """

    def __init__(self, lines: Tensor, places: Tensor, mix: Mix):
        self.lines, self.places, self.mix = lines, places, mix

    def __call__(self, layer: int, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        flat = self.lines.flatten()

        def line_up(x: Tensor) -> Tensor:
            rows = _Gather.apply(x.flatten(1), flat, self.places)
            return rows.view(*self.lines.shape, *x.shape[1:]).transpose(1, 2)

        mixed = self.mix(line_up(q), line_up(k), line_up(v))
        rows = mixed.transpose(1, 2).flatten(2).flatten(0, 1)
        return _Gather.apply(rows, self.places, flat).view(q.shape)


def by_lines(batch: Batch) -> PackedAttention:
    """Attend in one padded line per sample, with a dense mask; padding sees only padding."""
    mask = batch.mask
    return PackedAttention(
        batch.lines, batch.places, lambda q, k, v: attention(q, k, v, mask))


def as_one_row(batch: Batch, compiled: bool) -> PackedAttention:
    """
    Attend in one row of all samples, one after another, with a block mask.

    A batch's own order (all texts, then all images) would spread each sample over the whole row
    and leave few blocks empty. ``compiled``: fused kernels, where there is a compiler for them.
    """
    order = batch.places.argsort()
    length = max(_LEAST_ROW, 1 << (len(order) - 1).bit_length())
    mask = block_mask(row_roles(batch, order, length), compiled)
    attend, _ = _flex_functions(compiled)
    return PackedAttention(
        F.pad(order, (0, length - len(order)))[None], order.argsort(),
        lambda q, k, v: attend(q, k, v, block_mask=mask, enable_gqa=q.shape[1] != k.shape[1]))


def row_roles(batch: Batch, order: Tensor, length: int) -> Roles:
    """Return the roles (length,) of all tokens in ``order``, then of padding, that sees itself."""
    where = batch.places[order]
    roles = Roles(*(value.expand(batch.lines.shape).flatten()[where]
                    for value in line_roles(batch.roles)))
    rest = torch.arange(length - len(where), device=where.device)
    return Roles(torch.cat([roles.sample, -1 - rest]),
                 *(F.pad(value, (0, len(rest))) for value in roles[1:]))


def block_mask(roles: Roles, compiled: bool) -> 'BlockMask':
    """Return which blocks of a row (N,) see which; made without a dense mask if ``compiled``."""
    def mask_mod(batch: Tensor, head: Tensor, query: Tensor, key: Tensor) -> Tensor:
        return may_see(Roles(*(value[query] for value in roles)),
                       Roles(*(value[key] for value in roles)))

    count = len(roles.piece)
    _, create_block_mask = _flex_functions(compiled)
    return create_block_mask(mask_mod, None, None, count, count, device=roles.piece.device)


@cache
def _flex_functions(compiled: bool) -> tuple[Callable, Callable]:
    """Return attention and maker of block masks; compiled, at their first inputs of a length."""
    # Imported late: with it come parts of the compiler, which only CUDA needs.
    from torch.nn.attention.flex_attention import create_block_mask, flex_attention
    functions = flex_attention, create_block_mask
    return tuple(torch.compile(f, dynamic=False) for f in functions) if compiled else functions
