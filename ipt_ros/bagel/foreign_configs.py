# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""
The configuration files of decoder and image encoder, as transformers 4 and 5 write them.

They say much that does not matter here, and may say what this package does not compute: that is
refused by name, or the model would answer with other numbers than the one that was trained.
"""

from collections.abc import Iterator
import math
from pathlib import Path
from typing import Any

from .errors import ConfigError
from .json_files import read_object

Settings = dict[str, Any]
# Where transformers 5 and 4 write about rotary positions, besides the top of the file.
_ROPES = ('rope_parameters', 'rope_scaling')
# The first layer with a sliding window, where there are windows and a file does not say.
_FIRST_WINDOW = 28


def llm_settings(path: Path) -> Settings:
    """Read a Qwen2 configuration; `rope_theta` is on top of the result. Raises ConfigError."""
    found = read_object(path, ConfigError)
    _must_be(path, found, 'model_type', 'qwen2')
    _must_be(path, found, 'hidden_act', 'silu', 'swish')  # two names of one function
    _check_heads(path, found)
    _check_windows(path, found)
    return found | {'rope_theta': _rope_theta(path, found)}


def vit_settings(path: Path) -> Settings:
    """Read a SigLIP configuration. Raises ConfigError."""
    found = read_object(path, ConfigError)
    _must_be(path, found, 'model_type', 'siglip_vision_model')
    _must_be(path, found, 'num_channels', 3)
    return found


def _must_be(path: Path, found: Settings, name: str, *known: Any) -> None:
    """Raise ConfigError for a value that is there, and not known."""
    value = found.get(name)
    if value is not None and value not in known:
        raise _not_computed(path, name, value, f'{known[0]!r}')


def _check_heads(path: Path, found: Settings) -> None:
    """Raise ConfigError for heads of another width than the decoder's, dealt among them."""
    width, hidden, heads = sizes = [
        found.get(name) for name in ('head_dim', 'hidden_size', 'num_attention_heads')]
    if all(isinstance(size, int) for size in sizes) and width * heads != hidden:
        raise _not_computed(path, 'head_dim', width, 'hidden_size / num_attention_heads '
                            f'({hidden} / {heads})')


def _check_windows(path: Path, found: Settings) -> None:
    """Raise ConfigError for layers that see no further back than a sliding window."""
    kinds = found.get('layer_types')
    if kinds is not None:
        if not isinstance(kinds, list) or any(kind != 'full_attention' for kind in kinds):
            raise _not_computed(path, 'layer_types', kinds, "'full_attention' in all layers")
    elif found.get('use_sliding_window') and found.get('sliding_window', '') is not None:
        first, layers = found.get('max_window_layers', _FIRST_WINDOW), found.get(
            'num_hidden_layers')
        if not (isinstance(first, int) and isinstance(layers, int) and first >= layers):
            raise _not_computed(path, 'use_sliding_window', True, 'false')


def _rope_theta(path: Path, found: Settings) -> float:
    """Return the base of rotary positions, wherever it is. Raises ConfigError."""
    thetas = {}
    for where, rope in _ropes(path, found):
        if rope.get('rope_theta') is not None:
            thetas[f'{where}rope_theta'] = rope['rope_theta']
        share = rope.get('partial_rotary_factor')
        if share not in (None, 1):
            raise _not_computed(path, f'{where}partial_rotary_factor', share, '1')
    for where, value in thetas.items():
        if (isinstance(value, bool) or not isinstance(value, (int, float))
                or not 0 < value < math.inf):
            raise ConfigError(f'{path}: {where} is {value!r:.40}; expected a number above 0')
    if not thetas:
        raise ConfigError(
            f'{path}: no rope_theta, at the top or in rope_parameters; write there what the model '
            'was trained with (1000000.0 in the published 7B)')
    if len(set(thetas.values())) > 1:
        told = ', '.join(f'{where} {value}' for where, value in thetas.items())
        raise ConfigError(f'{path}: contradicts itself: {told}; keep the one that the model was '
                          'trained with')
    return next(iter(thetas.values()))


def _ropes(path: Path, found: Settings) -> Iterator[tuple[str, Settings]]:
    """
    Yield all that a file says about rotary positions, each with what to write before its names.

    Raises ConfigError for positions that are scaled, or otherwise not plain.
    """
    yield '', found
    for name in _ROPES:
        rope = found.get(name)
        if rope is None:
            continue
        if not isinstance(rope, dict):
            raise ConfigError(f'{path}: {name} is no object of settings, but '
                              f'{type(rope).__name__}')
        # Those of each kind of layers may be in objects of their own.
        parts = {f'{name}.{kind}.': part for kind, part in rope.items() if isinstance(part, dict)}
        for where, part in {f'{name}.': rope, **parts}.items():
            kinds = {key: part[key] for key in ('rope_type', 'type') if part.get(key)}
            for key, kind in kinds.items():
                if kind != 'default':
                    raise _not_computed(path, where + key, kind, "'default'")
            # A factor counts only where the type does not say that nothing is scaled.
            for key, plain in (('mrope_section', None), *(() if kinds else [('factor', 1)])):
                if part.get(key) not in (None, plain):
                    raise _not_computed(path, where + key, part[key], 'none')
            yield where, part


def _not_computed(path: Path, name: str, value: Any, known: str) -> ConfigError:
    return ConfigError(
        f'{path}: {name} is {value!r:.60}, which is not computed here; expected {known}. A model '
        'that was trained with it cannot be used')
