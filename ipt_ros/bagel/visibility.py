# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""Who sees whom among the tokens of packed samples: one rule for every form of attention mask."""

from typing import NamedTuple

import torch
from torch import Tensor


class Roles(NamedTuple):
    """
    What decides who sees whom, of each token; tensors have one shape, or broadcast to one.

    A piece is a run of tokens that is causal, or full, in itself: a text, or one copy of an image.
    """

    sample: Tensor  # int; samples do not see each other
    place: Tensor  # int, counted through the sample
    piece: Tensor  # int, counted through the sample; -1 for padding
    branch: Tensor  # int; 0 is the trunk, which branches see
    causal: Tensor  # bool: within its piece, a token sees only itself and what comes before
    hidden: Tensor  # bool: seen by its own piece alone, as noised images and padding are


def may_see(query: Roles, key: Roles) -> Tensor:
    """Return whether queries may see keys, bool of the shape that all roles broadcast to."""
    related = (key.branch == 0) | (key.branch == query.branch)
    earlier = (key.piece < query.piece) & related & ~key.hidden
    own = (key.piece == query.piece) & (~query.causal | (key.place <= query.place))
    return (earlier | own) & (key.sample == query.sample)


def line_roles(table: Tensor) -> Roles:
    """Return the roles of padded lines, to broadcast to (B, L); see `packing.Batch.roles`."""
    piece, branch, causal, hidden = table
    lines, length = piece.shape
    return Roles(
        sample=torch.arange(lines, device=table.device)[:, None],
        place=torch.arange(length, device=table.device)[None],
        piece=piece, branch=branch, causal=causal.bool(), hidden=hidden.bool())


def dense_mask(table: Tensor) -> Tensor:
    """Return (B, 1, L, L) bool: which place of each line may see which."""
    roles = line_roles(table)
    if table.device.type == 'cpu':
        # The rule is operators alone, and in numpy they take half the time on one core.
        roles = Roles(*(value.numpy() for value in roles))
    mask = may_see(Roles(*(value[:, :, None] for value in roles)),
                   Roles(*(value[:, None, :] for value in roles)))
    return torch.as_tensor(mask)[:, None]
