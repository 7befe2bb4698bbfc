# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""
LoRA adapters (Hu et al. 2021, arXiv 2106.09685) in peft's layout, merged into weights.

An adapter folder holds `adapter_config.json` and `adapter_model.safetensors`. A weight W of the
base becomes W + scale * B A, or what the adapter holds in its place. peft itself is not needed:
merging takes a few lines, and a robot then has one package less.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
import math
from pathlib import Path
import re
from typing import Any

from safetensors import safe_open, SafetensorError
import torch
from torch import Tensor

from .errors import CheckpointError
from .json_files import read_object
from .weight_files import header, listed, no_floats

CONFIG = 'adapter_config.json'
WEIGHTS = 'adapter_model.safetensors'
# Key of the file's metadata: fingerprint of the weights that the adapter was trained on.
BASE_FINGERPRINT = 'base_fingerprint'

_PREFIX = 'base_model.model.'
# Modules that an adapter may have been put around: the whole model, or its decoder.
_ROOTS = ('', 'language_model.')
_LOW_RANK = re.compile(r'(?P<module>.+)\.lora_(?P<embedding>embedding_)?(?P<side>[AB])(\.weight)?')
# Variants of LoRA that are more than B A: peft's settings, which must be off.
_VARIANTS = (
    'use_dora', 'lora_bias', 'fan_in_fan_out', 'layer_replication', 'use_qalora', 'use_bdlora',
    'kasa_config', 'monteclora_config', 'target_parameters', 'arrow_config',
    'trainable_token_indices', 'alora_invocation_tokens')
# Initialisations that change the base as well; peft can convert such adapters when it saves them.
_BASE_CHANGING = ('pissa', 'olora', 'corda', 'loftq', 'lora_ga')

Shapes = Mapping[str, Sequence[int]]


@dataclass(frozen=True)
class Change:
    """
    What happens to one weight, by the names of tensors in the adapter's file.

    `full` takes the weight's place, then scale * `up` @ `down` is added (transposed: of an
    embedding); '' for what there is not. rank: columns of `up`, as the configuration says.
    """

    full: str = ''
    down: str = ''
    up: str = ''
    rank: int = 0
    scale: float = 0.0
    transposed: bool = False


def is_adapter(folder: Path) -> bool:
    """Return whether a folder holds an adapter rather than a whole checkpoint."""
    return (folder / CONFIG).exists()


@dataclass(frozen=True)
class Adapter:
    """
    An adapter folder, its configuration read and its file known to be whole.

    base: folder or Hugging Face id of the checkpoint that it was trained on, '' where it does not
    say. base_fingerprint: of that checkpoint's weights, '' where it does not say; see
    `weight_files.fingerprint`. shapes: of the tensors in the file.
    """

    folder: Path
    settings: Mapping[str, Any]
    base: str
    base_fingerprint: str
    shapes: Shapes

    @classmethod
    def from_folder(cls, folder: Path) -> 'Adapter':
        """Read configuration and header. Raises CheckpointError for what cannot be merged."""
        settings = _settings(folder / CONFIG)
        path = folder / WEIGHTS
        if not path.exists():
            pickled = folder / 'adapter_model.bin'
            raise CheckpointError(f'{path}: no such file; an adapter needs it' + (
                f'. {pickled.name} is not read because it may hold code: save the adapter with '
                'safe_serialization' if pickled.exists() else ''))
        entries = header(path)
        if faults := no_floats(entries):
            raise CheckpointError(f'{path}: ' + '\n  '.join(faults))
        shapes = {name: entry['shape'] for name, entry in entries.items()}
        try:
            with safe_open(path, 'pt') as file:
                metadata = file.metadata() or {}
        except SafetensorError as error:
            raise CheckpointError(f'{path}: cannot be read: {error}') from error
        return cls(folder, settings, settings.get('base_model_name_or_path') or '',
                   metadata.get(BASE_FINGERPRINT, ''), shapes)

    @property
    def path(self) -> Path:
        """Return the file of the adapter's tensors."""
        return self.folder / WEIGHTS

    def changes(self, expected: Shapes) -> dict[str, Change]:
        """
        Return what the adapter does to which weights of a model with these shapes.

        Raises CheckpointError that names every kind of fault.
        """
        changes, roots, unknown = {}, set(), []
        for key in self.shapes:
            root, name, found = _parsed(key, expected)
            if not name:
                unknown.append(key)
                continue
            known = changes.get(name, Change())
            if found.down or found.up:
                roots.add(root)
                found = self._scaled(found, name.removeprefix(root))
            changes[name] = Change(*(
                new or old for new, old in zip(vars(found).values(), vars(known).values())))
        faults = listed(
            f'tensor {key}: changes nothing that the base has or that is known here, found '
            f'{list(self.shapes[key])} (unexpected)' for key in unknown)
        faults += listed(
            f'of {name}: lora_{"AB"[not change.up]} is missing' for name, change in
            changes.items() if bool(change.up) != bool(change.down))
        faults += listed(fault for name, change in changes.items()
                         for fault in self._misfits(name, change, expected[name]))
        for root in roots:
            faults += self._missing(root, changes, expected)
        if not changes and not unknown:
            faults = ['it holds no tensors']
        if faults:
            raise CheckpointError(
                f'{self.path}: the adapter does not fit the base, or its own {CONFIG}; is it of '
                'another base?\n  ' + '\n  '.join(faults))
        return changes

    def _scaled(self, change: Change, weight: str) -> Change:
        """Return the change with rank and scale for a weight, which is named below the root."""
        settings = self.settings
        rank = _of_pattern(settings.get('rank_pattern'), weight, settings['r'])
        alpha = _of_pattern(settings.get('alpha_pattern'), weight, settings['lora_alpha'])
        per = math.sqrt(rank) if settings.get('use_rslora') else rank
        return replace(change, rank=rank, scale=alpha / per)

    def _misfits(self, name: str, change: Change, shape: Sequence[int]) -> list[str]:
        """Return what is wrong with the shapes of the tensors that change a weight."""
        wanted = {}
        if change.full:
            wanted[change.full] = list(shape)
        if change.down and change.up:
            if len(shape) != 2:
                return [f'tensor {change.down}: is for a matrix, found {name} {list(shape)} in '
                        'the base']
            out, inner = reversed(shape) if change.transposed else shape
            wanted |= {change.down: [change.rank, inner], change.up: [out, change.rank]}
        return [f'tensor {key}: expected {expected} for {name} {list(shape)} of the base, found '
                f'{list(self.shapes[key])} (wrong shape)'
                for key, expected in wanted.items() if list(self.shapes[key]) != expected]

    def _missing(self, root: str, changes: Mapping[str, Change], expected: Shapes) -> list[str]:
        """Return which weights the configuration says are changed, and the file has nothing of."""
        settings = self.settings
        faults = []
        for name in expected:
            module, _, kind = name.removeprefix(root).rpartition('.')
            if not name.startswith(root) or name in changes:
                continue
            if (kind == 'weight' and _is_target(module, settings)
                    or _ends_with(module, settings.get('modules_to_save') or ())):
                faults.append(f'of {name}: expected by {CONFIG}, found none (missing)')
        return listed(faults)


class Merger:
    """Computes merged weights; a context that keeps the adapter's file open."""

    def __init__(self, adapter: Adapter, changes: Mapping[str, Change]):
        """Take `changes` as the adapter's own `changes` returns them."""
        self._path = adapter.path
        self._changes = changes
        self._file = None

    def __enter__(self) -> 'Merger':
        try:
            self._file = safe_open(self._path, 'pt').__enter__()
        except (OSError, SafetensorError) as error:
            raise CheckpointError(f'{self._path}: cannot be read: {error}') from error
        return self

    def __exit__(self, *reason) -> None:
        self._file.__exit__(*reason)

    def merged(self, name: str, weight: Tensor) -> Tensor:
        """Return a weight of the base after the change, float32 where something was added."""
        change = self._changes.get(name, Change())
        if change.full:
            weight = self._file.get_tensor(change.full).to(weight.device)
        if not change.up:
            return weight
        up, down = (self._file.get_tensor(key).to(weight.device, torch.float32)
                    for key in (change.up, change.down))
        added = (up @ down).mul_(change.scale)
        return (added.T if change.transposed else added) + weight

    def told(self, name: str) -> str:
        """Return which tensors of which file change a weight, in words."""
        change = self._changes[name]
        keys = filter(None, (change.full, change.down, change.up))
        return f'{" and ".join(keys)} of {self._path}'


def _settings(path: Path) -> dict[str, Any]:
    """Read an adapter's configuration. Raises CheckpointError for what is not plain LoRA."""
    settings = read_object(path, CheckpointError)
    if settings.get('peft_type') != 'LORA':
        raise CheckpointError(f"{path}: peft_type: expected 'LORA', found "
                              f"{settings.get('peft_type')!r}")
    for name, kinds in (
            ('target_modules', (str, list)), ('modules_to_save', list), ('rank_pattern', dict),
            ('alpha_pattern', dict), ('base_model_name_or_path', str)):
        value = settings.get(name)
        if value is not None and not isinstance(value, kinds):
            raise CheckpointError(f'{path}: {name}: not as peft writes it: {value!r:.60}')
    ranks, alphas = (settings.get(f'{name}_pattern') or {} for name in ('rank', 'alpha'))
    numbers = [('r', settings.get('r')), ('lora_alpha', settings.get('lora_alpha')),
               *(ranks | alphas).items()]
    for name, value in numbers:
        if not isinstance(value, (int, float)) or not 0 < value < math.inf:
            raise CheckpointError(f'{path}: {name}: expected a number above 0, found {value!r}')
    targets = settings.get('target_modules')
    for pattern in (*ranks, *alphas, *([targets] if isinstance(targets, str) else [])):
        try:
            re.compile(pattern)
        except re.error as error:
            raise CheckpointError(f"{path}: '{pattern}' is no pattern: {error}") from error
    advice = 'merge it where it was trained, and give the whole checkpoint'
    for name in _VARIANTS:
        if settings.get(name):
            raise CheckpointError(
                f'{path}: {name}: expected none, found {settings[name]!r}: this variant of LoRA '
                f'cannot be merged here; {advice}')
    start = settings.get('init_lora_weights')
    if isinstance(start, str) and start.lower().startswith(_BASE_CHANGING):
        raise CheckpointError(
            f"{path}: init_lora_weights is '{start}', which changes the base as well; convert the "
            f'adapter to plain LoRA with peft, or {advice}')
    return settings


def _parsed(key: str, expected: Shapes) -> tuple[str, str, Change]:
    """Return (root, weight, what the tensor is to it); the weight is '' where there is none."""
    path = key.removeprefix(_PREFIX)
    found = _LOW_RANK.fullmatch(path)
    if found:
        side = 'down' if found['side'] == 'A' else 'up'
        change = Change(**{side: key}, transposed=bool(found['embedding']))
        path = f"{found['module']}.weight"
    else:
        change = Change(full=key)
        path = path.replace('.base_layer.', '.').replace('.modules_to_save.', '.')
    for root in _ROOTS:
        if root + path in expected:
            return root, root + path, change
    return '', '', change


def _of_pattern(patterns: Mapping[str, float] | None, weight: str, default: float) -> float:
    """Return the value of the first pattern that the end of a module's name matches."""
    module = weight.removesuffix('.weight')
    return next((value for pattern, value in (patterns or {}).items()
                 if re.fullmatch(rf'(.*\.)?({pattern})', module)), default)


def _is_target(module: str, settings: Mapping[str, Any]) -> bool:
    """Return whether a module has an adapter, as far as that is sure from the configuration."""
    targets = settings.get('target_modules') or ()
    if settings.get('exclude_modules') or settings.get('layers_to_transform') is not None:
        return False
    if isinstance(targets, str):
        return targets != 'all-linear' and bool(re.fullmatch(targets, module))
    return _ends_with(module, targets)


def _ends_with(module: str, names: Sequence[str]) -> bool:
    return any(module == name or module.endswith(f'.{name}') for name in names)
