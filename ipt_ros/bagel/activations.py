# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""Activation functions by the names that configurations give them."""

from torch import nn

from .errors import ConfigError


def activation(name: str) -> nn.Module:
    """Return what `transformers` calls by this name, such as 'silu'. Raises ConfigError."""
    # transformers and diffusers are imported where a network or tokenizer is made: they take
    # longer than torch itself, and much that imports this package makes neither.
    from transformers.activations import ACT2FN

    if name not in ACT2FN:
        raise ConfigError(f"no activation is called '{name}'; there are: {', '.join(ACT2FN)}")
    return ACT2FN[name]
