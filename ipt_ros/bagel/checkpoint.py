# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""
Checkpoint folders: read strictly, written whole.

Weights are `ema.safetensors`, `model.safetensors` or shards listed in
`model.safetensors.index.json` (the first that exists), the VAE is `ae.safetensors` in its original
layout. Every tensor must be there with the right shape, and no other, and hold finite
floating-point numbers; what is wrong is reported with the file, the tensor, what was expected and
what was found.
"""

from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass
import math
from pathlib import Path

from safetensors import safe_open, SafetensorError
import torch
from torch import Tensor

from .adapter import Adapter, Change, Merger, Shapes
from .config import BagelConfig
from .errors import CheckpointError
from .finite import is_finite, not_finite
from .source import find, Source
from .tensor_files import write_tensors
from .tokenizer import frame_ids, Tokenizer
from .weight_files import header, listed, no_floats, stamps, weight_files, WEIGHTS

VAE = 'ae.safetensors'
_SMALL = 4 << 30  # bytes of weights that are looked at within seconds


@dataclass(frozen=True)
class Origin:
    """
    What a loaded model's tensors are: those of a source but for its adapter's changes.

    stamps: of the files, as they were when they were read; see `weight_files.stamps`. changed:
    names of the weights that are not those of the whole checkpoint.
    """

    source: Source
    stamps: frozenset
    changed: frozenset[str]


def load(cls: type, source: str | Path | Source, device: str | torch.device,
         dtype: torch.dtype | None, config: BagelConfig | None = None, beside=None):
    """
    Build a model from a folder, or from a Hugging Face id that is fetched to the local cache.

    A LoRA adapter is merged into its base, weight by weight; see `source.find` for where that is
    looked for. `dtype` None means float32 on a CPU, where bfloat16 is rarely fast and never
    needed to save room for a model that runs there, and the stored type elsewhere. The VAE stays
    in float32 in any case: it is small, and its pictures are not as good in bfloat16. `config`
    overrides the folder's JSON files. A loaded model `beside` shares the tensors that are the
    same in both; neither may be trained then.
    """
    if dtype is None and torch.device(device).type == 'cpu':
        dtype = torch.float32
    if not isinstance(source, Source):
        source = find(source)
    folder, adapter = source.folder, source.adapter
    config = config or BagelConfig.from_folder(folder, adapter and adapter.folder)
    with torch.device('meta'):
        model = cls(config, Tokenizer.from_folder(folder))
    files, vae = files_of(source)
    expected = model.state_dict()
    _check_fit(files, expected)
    changes = _changes(adapter, {name: list(value.shape) for name, value in expected.items()})
    origin = Origin(source, stamps((*files.values(), *vae.values())), frozenset(changes))
    same = shared(beside, origin, device, dtype)
    with Merger(adapter, changes) if adapter else nullcontext() as merger:
        tensors = read_tensors(
            {name: path for name, path in files.items() if name not in same}, device, dtype,
            merger)
    model.load_state_dict(tensors | same, strict=True, assign=True)
    if same:
        pictures = beside.vae.named_tensors()
    else:
        _check_fit(vae, model.vae.named_tensors())
        pictures = read_tensors(vae, device, torch.float32)
    model.vae.load(pictures)
    model.origin = origin
    return model.eval()


def bytes_needed(source: Source, device: str | torch.device, dtype: torch.dtype,
                 beside=None) -> int:
    """
    Return the memory that `load` with these arguments takes: weights in `dtype`, a float32 VAE.

    Raises CheckpointError.
    """
    files, vae = files_of(source)
    shapes = {name: entry['shape'] for path in set(files.values())
              for name, entry in header(path).items()}
    changed = frozenset(_changes(source.adapter, shapes))
    origin = Origin(source, stamps((*files.values(), *vae.values())), changed)
    same = shared(beside, origin, device, dtype)
    own = sum(math.prod(shape) for name, shape in shapes.items() if name not in same)
    pictures = () if same else header(source.folder / VAE).values()
    return own * dtype.itemsize + torch.float32.itemsize * sum(
        math.prod(entry['shape']) for entry in pictures)


def look_at(source: Source) -> bool:
    """
    Look for faults without building a model; return whether that includes all numbers.

    Of large weights only the headers are read. Raises CheckpointError, ConfigError.
    """
    adapter = source.adapter
    files, vae = files_of(source)
    headers = {path: header(path) for path in {*files.values(), *vae.values()}}
    for path, entries in headers.items():
        if faults := no_floats(entries):
            raise CheckpointError(f'{path}: ' + '\n  '.join(faults))
    _changes(adapter, {name: headers[path][name]['shape'] for name, path in files.items()})
    BagelConfig.from_folder(source.folder, adapter and adapter.folder)
    frame_ids(source.folder)
    small = sum(path.stat().st_size for path in headers) <= _SMALL
    if small:
        parts = [files, vae]
        if adapter is not None:
            parts.append(dict.fromkeys(adapter.shapes, adapter.path))
        for part in parts:
            read_tensors(part, 'cpu')
    return small


def _changes(adapter: Adapter | None, shapes: Shapes) -> dict[str, Change]:
    return {} if adapter is None else adapter.changes(shapes)


def files_of(source: Source) -> tuple[dict[str, Path], dict[str, Path]]:
    """Return the files of every tensor of the whole checkpoint: its weights, its VAE."""
    vae = source.folder / VAE
    return weight_files(source.folder), dict.fromkeys(header(vae), vae)


def shared(beside, origin: Origin, device: str | torch.device,
           dtype: torch.dtype | None) -> dict[str, Tensor]:
    """Return the tensors of a loaded model that one of `origin` would have as well."""
    if (beside is None or beside.origin is None or beside.origin.stamps != origin.stamps
            or beside.device != _exact(device) or beside.dtype != dtype):
        return {}
    changed = beside.origin.changed | origin.changed
    return {name: value for name, value in beside.state_dict().items() if name not in changed}


def _exact(device: str | torch.device) -> torch.device:
    """Return a device with its number, as tensors have it."""
    return torch.empty(0, device=device).device


def save(model, folder: str | Path, dtype: torch.dtype | None = None) -> None:
    """
    Write weights, VAE, configuration and tokenizer; each file appears whole or not at all.

    The VAE is not trained with the rest. Its tensors take ``dtype`` only where that loses nothing,
    or the model would meet other latents than those that it was trained on. Raises
    CheckpointError before anything is written where a tensor would hold NaN or infinity.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    files = {
        name: {key: narrowed(tensor.detach().cpu(), dtype or tensor.dtype).contiguous()
               for key, tensor in tensors.items()}
        for name, tensors, narrowed in ((WEIGHTS[0], model.state_dict(), Tensor.to),
                                        (VAE, model.vae.named_tensors(), _to_without_loss))}
    for name, tensors in files.items():
        if bad := not_finite(tensors):
            raise CheckpointError(
                f'{folder / name} is not written: NaN or infinity in {", ".join(listed(bad))}')
    for name, tensors in files.items():
        write_tensors(folder / name, tensors, {'format': 'pt'})
    model.config.save(folder)
    model.tokenizer.save(folder)


def _to_without_loss(tensor: Tensor, dtype: torch.dtype) -> Tensor:
    narrow = tensor.to(dtype)
    return narrow if torch.equal(narrow.to(tensor.dtype), tensor) else tensor


def read_tensors(files: Mapping[str, Path], device: str | torch.device,
                 dtype: torch.dtype | None = None, merger: Merger | None = None,
                 ) -> dict[str, Tensor]:
    """
    Read tensors, change each on the device, and hold it in `dtype`, None for the stored.

    Raises CheckpointError that names those which then hold NaN or infinity.
    """
    tensors, faults = {}, []
    for path in sorted(set(files.values())):
        try:
            with safe_open(path, 'pt') as file:
                for name in (n for n, p in files.items() if p == path):
                    stored = file.get_tensor(name)
                    value = stored.to(device)
                    if merger is not None:
                        value = merger.merged(name, value)
                    tensors[name] = value.to(dtype or stored.dtype)
                    if not is_finite(tensors[name]):
                        faults.append(f'{path}: tensor {name}: expected finite numbers, found '
                                      + _found_instead(name, stored, value, tensors, merger))
        except SafetensorError as error:
            raise CheckpointError(f'{path}: cannot be read: {error}') from error
    if faults:
        raise CheckpointError(
            'weights that are no finite numbers:\n  ' + '\n  '.join(listed(faults))
            + '\ncopy or download the checkpoint again; where it is so from its training, take '
            'one from before that')
    return tensors


def _found_instead(name: str, stored: Tensor, value: Tensor, tensors: Mapping[str, Tensor],
                   merger: Merger | None) -> str:
    """Return why a tensor is not finite: stored so, merged so, or held in too small a type."""
    if not is_finite(stored):
        return 'NaN or infinity'
    if merger is not None and not is_finite(value):
        return f'NaN or infinity once {merger.told(name)} is merged in'
    return f'some that are too large for {str(tensors[name].dtype).removeprefix("torch.")}'


def _check_fit(files: Mapping[str, Path], expected: Mapping[str, Tensor]) -> None:
    """Raise CheckpointError naming every kind of fault if there are other tensors in the files."""
    headers = {path: header(path) for path in set(files.values())}
    names = sorted({path.name for path in headers})
    faults = []
    missing = [name for name in expected if name not in files]
    faults += listed(f'{", ".join(names)}: tensor {name}: expected {list(expected[name].shape)}, '
                     'found none (missing)' for name in missing)
    faults += listed(f'{path.name}: tensor {name}: expected none, found '
                     f'{headers[path][name]["shape"]} (unexpected)'
                     for name, path in files.items() if name not in expected)
    faults += listed(f'{path.name}: tensor {name}: expected {list(expected[name].shape)}, found '
                     f'{headers[path][name]["shape"]} (wrong shape)'
                     for name, path in files.items() if name in expected
                     and headers[path][name]['shape'] != list(expected[name].shape))
    faults += [f'{path.name}: {fault}' for path in sorted(headers)
               for fault in no_floats(headers[path])]
    if faults:
        folder = next(iter(headers)).parent if headers else Path()
        hint = '' if (folder / 'bagel.json').exists() else (
            '\n(there is no bagel.json: what only it states is taken to be as in the 7B)')
        raise CheckpointError(f'{folder}: the weights do not fit the configuration:\n  '
                              + '\n  '.join(faults) + hint)
