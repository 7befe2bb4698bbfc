# SPDX-License-Identifier: Apache-2.0
"""
Checkpoint folders: read strictly, written whole.

Weights are `ema.safetensors`, `model.safetensors` or shards listed in
`model.safetensors.index.json` (the first that exists), the VAE is `ae.safetensors` in its original
layout. Every tensor must be there with the right shape, and no other; what is wrong is reported
with the file, the tensor, what was expected and what was found.
"""

from collections.abc import Iterator, Mapping
import json
import os
from pathlib import Path
import struct

from safetensors import safe_open, SafetensorError
from safetensors.torch import save_file
import torch
from torch import Tensor

from .config import BagelConfig
from .errors import CheckpointError
from .tokenizer import Tokenizer

WEIGHTS = ('ema.safetensors', 'model.safetensors')
INDEX = 'model.safetensors.index.json'
VAE = 'ae.safetensors'
HUB_FILES = ('*.safetensors', INDEX, 'llm_config.json', 'vit_config.json', 'bagel.json',
             'tokenizer.json', 'tokenizer_config.json', 'vocab.json', 'merges.txt',
             'special_tokens_map.json')
# At most this many faults of one kind are listed; the rest are counted.
LISTED = 5


def load(cls: type, source: str | Path, device: str | torch.device, dtype: torch.dtype | None,
         config: BagelConfig | None = None):
    """
    Build a model from a folder, or from a Hugging Face id that is fetched to the local cache.

    `dtype` None means float32 on a CPU, where bfloat16 is rarely fast and never needed to save
    room for a model that runs there, and the stored type elsewhere. The VAE stays in float32 in
    any case: it is small, and its pictures are not as good in bfloat16. `config` overrides the
    folder's JSON files.
    """
    if dtype is None and torch.device(device).type == 'cpu':
        dtype = torch.float32
    folder = locate(source)
    config = config or BagelConfig.from_folder(folder)
    with torch.device('meta'):
        model = cls(config, Tokenizer.from_folder(folder))
    files = weight_files(folder)
    tensors = read_tensors(files, model.state_dict(), device, dtype)
    model.load_state_dict(tensors, strict=True, assign=True)
    vae = dict.fromkeys(header(folder / VAE), folder / VAE)
    model.vae.load(read_tensors(vae, model.vae.named_tensors(), device, torch.float32))
    return model.eval()


def save(model, folder: str | Path, dtype: torch.dtype | None = None) -> None:
    """Write weights, VAE, configuration and tokenizer; each file appears whole or not at all."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    for name, tensors in ((WEIGHTS[0], model.state_dict()), (VAE, model.vae.named_tensors())):
        tensors = {key: tensor.detach().to('cpu', dtype or tensor.dtype).contiguous()
                   for key, tensor in tensors.items()}
        draft = folder / f'{name}.tmp'
        save_file(tensors, draft, metadata={'format': 'pt'})
        os.replace(draft, folder / name)
    model.config.save(folder)
    model.tokenizer.save(folder)


def locate(source: str | Path) -> Path:
    """Return the folder of a checkpoint, fetched from the hub if `source` is an id."""
    folder = Path(source)
    if folder.is_dir():
        return folder
    if folder.exists():
        raise CheckpointError(f'{source}: is a file; expected a checkpoint folder')
    if isinstance(source, Path) or source.count('/') != 1 or source[0] in './~':
        raise CheckpointError(f'{source}: no such folder; expected a checkpoint folder or a '
                              'Hugging Face id such as owner/name')
    from huggingface_hub import snapshot_download
    try:
        return Path(snapshot_download(source, allow_patterns=list(HUB_FILES)))
    except Exception as error:
        raise CheckpointError(f'{source}: no such folder here, and fetching it as a Hugging Face '
                              f'id failed: {error}') from error


def weight_files(folder: Path) -> dict[str, Path]:
    """Return the file of every tensor that the folder's weights hold."""
    for name in WEIGHTS:
        if (folder / name).exists():
            return dict.fromkeys(header(folder / name), folder / name)
    index = folder / INDEX
    if not index.exists():
        raise CheckpointError(f'{folder}: no weights; expected one of {(*WEIGHTS, INDEX)}, found '
                              f'{sorted(p.name for p in folder.iterdir())}')
    try:
        listed = json.loads(index.read_text())['weight_map']
        files = {tensor: folder / name for tensor, name in listed.items()}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise CheckpointError(f'{index}: not a safetensors index with a weight_map: '
                              f'{error!r}') from error
    held = {path: set(header(path)) for path in sorted(set(files.values()))}
    for tensor, path in files.items():
        if tensor not in held[path]:
            raise CheckpointError(f'{path}: tensor {tensor}: expected by {INDEX}, not found')
    return files


def header(path: Path) -> dict[str, dict]:
    """
    Return what a safetensors file says of its tensors, sure that all their bytes are there.

    Read by hand because the library does not say which tensor a truncated file cuts off.
    """
    try:
        size = path.stat().st_size
        with path.open('rb') as file:
            length, = struct.unpack('<Q', file.read(8))
            if length > size - 8:
                raise CheckpointError(f'{path}: truncated: expected a header of {length} bytes, '
                                      f'found a file of {size} bytes')
            entries = json.loads(file.read(length))
            entries.pop('__metadata__', None)
            ends = {name: 8 + length + entry['data_offsets'][1] for name, entry in entries.items()}
    except FileNotFoundError:
        raise CheckpointError(f'{path}: no such file; the checkpoint needs it') from None
    except (OSError, struct.error, ValueError, KeyError, TypeError, AttributeError) as error:
        raise CheckpointError(f'{path}: not a safetensors file: {error!r}') from error
    for name, end in sorted(ends.items(), key=lambda item: item[1]):
        if end > size:
            raise CheckpointError(f'{path}: truncated: tensor {name}: expected to end at byte '
                                  f'{end}, found a file of {size} bytes')
    return entries


def read_tensors(files: Mapping[str, Path], expected: Mapping[str, Tensor],
                 device: str | torch.device, dtype: torch.dtype | None) -> dict[str, Tensor]:
    """Read exactly the expected tensors. Raises CheckpointError naming every kind of fault."""
    headers = {path: header(path) for path in set(files.values())}
    names = sorted({path.name for path in headers})
    faults = []
    missing = [name for name in expected if name not in files]
    faults += _listed(f'{", ".join(names)}: tensor {name}: expected {list(expected[name].shape)}, '
                      'found none (missing)' for name in missing)
    faults += _listed(f'{path.name}: tensor {name}: expected none, found '
                      f'{headers[path][name]["shape"]} (unexpected)'
                      for name, path in files.items() if name not in expected)
    faults += _listed(f'{path.name}: tensor {name}: expected {list(expected[name].shape)}, found '
                      f'{headers[path][name]["shape"]} (wrong shape)'
                      for name, path in files.items() if name in expected
                      and headers[path][name]['shape'] != list(expected[name].shape))
    if faults:
        folder = next(iter(headers)).parent if headers else Path()
        hint = '' if (folder / 'bagel.json').exists() else (
            '\n(there is no bagel.json: what only it states is taken to be as in the 7B)')
        raise CheckpointError(f'{folder}: the weights do not fit the configuration:\n  '
                              + '\n  '.join(faults) + hint)
    tensors = {}
    for path in headers:
        try:
            with safe_open(path, 'pt') as file:
                for name in (n for n, p in files.items() if p == path):
                    tensors[name] = file.get_tensor(name).to(device, dtype)
        except SafetensorError as error:
            raise CheckpointError(f'{path}: cannot be read: {error}') from error
    return tensors


def _listed(faults: Iterator[str]) -> list[str]:
    faults = list(faults)
    more = len(faults) - LISTED
    return faults[:LISTED] + ([f'... and {more} more like this'] if more > 0 else [])
