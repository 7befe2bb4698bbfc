# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""Finding a checkpoint: a folder, a Hugging Face id, or an adapter together with its base."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from .adapter import Adapter, CONFIG, is_adapter
from .errors import CheckpointError, NoCheckpointError
from .weight_files import fingerprint, INDEX, weight_files

RECOMMENDED = 'recommended.json'  # what the model is best at; no concern of this package
HUB_FILES = ('*.safetensors', INDEX, 'llm_config.json', 'vit_config.json', 'bagel.json',
             'tokenizer.json', 'tokenizer_config.json', 'vocab.json', 'merges.txt',
             'special_tokens_map.json', CONFIG, RECOMMENDED)


@dataclass(frozen=True)
class Source:
    """
    Where the tensors of a model are.

    name: as it was asked for. folder: of the whole checkpoint. adapter: what is merged into it.
    """

    name: str
    folder: Path
    adapter: Adapter | None = None


def find(source: str | Path, base: str = '', loaded: Source | None = None) -> Source:
    """
    Return where a model's tensors are; the base of an adapter is looked for.

    The base is the checkpoint that the adapter names, `base` or the one of a `loaded` model: of
    these the one with the weights that the adapter was trained on, where it says which. Where it
    does not, it is the first that is there; a loaded one counts if it goes by the same name, or
    the adapter names none. Raises CheckpointError.
    """
    folder = locate(source)
    if not is_adapter(folder):
        return Source(str(source), folder)
    adapter = Adapter.from_folder(folder)
    places = _marked(adapter, base, loaded) if adapter.base_fingerprint else _named(
        adapter, base, loaded)
    tried = []
    for place in places:
        try:
            found = locate(place)
            if is_adapter(found):
                raise CheckpointError(f'{place}: is an adapter, too; expected a whole checkpoint')
            mark = fingerprint(weight_files(found)) if adapter.base_fingerprint else ''
        except CheckpointError as error:
            tried.append(str(error))
            continue
        if mark == adapter.base_fingerprint:
            return Source(str(source), found, adapter)
        tried.append(f'{place}: has the fingerprint {mark}')
    raise CheckpointError(
        f'{folder}: an adapter without its base: expected a checkpoint by the name '
        f"'{adapter.base}', with the fingerprint '{adapter.base_fingerprint}' ('': unknown), "
        'found none. Write the folder of the checkpoint that it was trained on '
        f'to base_model_name_or_path in {folder / CONFIG}'
        + ''.join(f'\n  {line}' for line in tried))


def mark(source: Source) -> str:
    """Return what tells the weights of a source from others; see `weight_files.fingerprint`."""
    if source.adapter is None:
        return fingerprint(weight_files(source.folder))
    return fingerprint(dict.fromkeys(source.adapter.shapes, source.adapter.path))


def locate(source: str | Path) -> Path:
    """Return the folder of a checkpoint, fetched from the hub if `source` is an id."""
    folder = Path(source)
    if folder.is_dir():
        return folder
    if folder.exists():
        raise NoCheckpointError(f'{source}: is a file; expected a checkpoint folder')
    if isinstance(source, Path) or source.count('/') != 1 or source[0] in './~':
        raise NoCheckpointError(f'{source}: no such folder; expected a checkpoint folder or a '
                                'Hugging Face id such as owner/name')
    from huggingface_hub import snapshot_download
    try:
        return Path(snapshot_download(source, allow_patterns=list(HUB_FILES)))
    except Exception as error:
        raise CheckpointError(f'{source}: no such folder here, and fetching it as a Hugging Face '
                              f'id failed: {error}') from error


def _marked(adapter: Adapter, base: str, loaded: Source | None) -> Iterator[str | Path]:
    """Name where weights may be that are known by their fingerprint; the cheapest first."""
    if loaded is not None:
        yield loaded.folder
    if base:
        yield base
    yield from _own(adapter)


def _named(adapter: Adapter, base: str, loaded: Source | None) -> Iterator[str | Path]:
    """Name where weights may be of which nothing but a name is known."""
    same = loaded is not None and adapter.base in ('', loaded.name, str(loaded.folder))
    if same:  # before its name is looked up on the hub
        yield loaded.folder
    own = list(_own(adapter))
    yield from (place for place in own if Path(place).is_dir())
    if base:
        yield base
    yield from (place for place in own if not Path(place).is_dir())


def _own(adapter: Adapter) -> Iterator[str | Path]:
    """Name what the adapter itself names; a relative folder may be beside the adapter."""
    if adapter.base:
        if (adapter.folder / adapter.base).is_dir():
            yield adapter.folder / adapter.base
        yield adapter.base
