# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""Whether tensors hold numbers: neither NaN nor infinity."""

from collections.abc import Mapping

from torch import Tensor

# Numbers looked at in one go: what is not contiguous is copied for it.
_PORTION = 1 << 24


def is_finite(tensor: Tensor) -> bool:
    """Return whether a floating-point tensor holds neither NaN nor infinity."""
    if tensor.is_meta:  # sizes without numbers
        return True
    # The least and the greatest number show it in one pass that needs no memory: NaN passes on.
    return all(bool(end.isfinite()) for part in tensor.detach().reshape(-1).split(_PORTION)
               if part.numel() for end in part.aminmax())


def not_finite(tensors: Mapping[str, Tensor]) -> list[str]:
    """Return the names of the tensors that hold NaN or infinity."""
    return [name for name, tensor in tensors.items() if not is_finite(tensor)]
