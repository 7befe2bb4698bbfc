# SPDX-License-Identifier: Apache-2.0
"""Which scenes a user means: files, and names in a scene data set."""

from dataclasses import dataclass
import json
from pathlib import Path

from ipt_sim.protocol import SceneError

DATASET_SUFFIX = '.scene_dataset_config.json'
_CONFIGS = ('.scene_instance.json', '.stage_config.json')
_MESHES = ('.glb', '.gltf', '.ply', '.obj')


@dataclass(frozen=True)
class SceneSource:
    """
    A scene as Habitat loads it.

    scene_id, dataset: what SimulatorConfiguration takes; dataset is 'default' where there is none.
    file: where the scene is described, None where only Habitat can find it.
    """

    scene_id: str
    dataset: str = 'default'
    file: Path | None = None


def find_scenes(scene: str, scene_dataset: str = '') -> tuple[SceneSource, ...]:
    """
    Return the scenes that are named, in that order; 'all' stands for all of the data set, sorted.

    scene: names or files, separated by commas. Raises SceneError for what is not there.
    """
    names = [name.strip() for name in scene.split(',') if name.strip()]
    if not names:
        raise SceneError(
            'no scene is named: give files, names in a scene data set, or "all", separated by '
            'commas')
    listed = _list_dataset(scene_dataset) if scene_dataset else []
    dataset = str(Path(scene_dataset).resolve()) if scene_dataset else 'default'
    found: list[SceneSource] = []
    for name in names:
        if name == 'all':
            found += _all_of(listed, scene_dataset, dataset)
        elif Path(name).suffix in ('.json', *_MESHES) and Path(name).is_file():
            path = Path(name).resolve()
            found.append(SceneSource(str(path), dataset, path))
        elif not scene_dataset:
            raise SceneError(
                f'there is no scene file {name} ({", ".join((*_MESHES, *_CONFIGS))}); '
                'a name needs a scene_dataset as well')
        else:
            found.append(_named(name, listed, scene_dataset, dataset))
    return tuple(found)


def scene_name(scene_id: str) -> str:
    """
    Return what people call a scene: its file without folders and endings.

    >>> scene_name('/data/hm3d/val/00800-TEEsavR23oF/TEEsavR23oF.basis.glb')
    'TEEsavR23oF'
    """
    return Path(scene_id).name.split('.', 1)[0]


def _list_dataset(scene_dataset: str) -> list[Path]:
    """Return the scenes that a data set's configuration points to, sorted by name."""
    path = Path(scene_dataset)
    if not path.name.endswith(DATASET_SUFFIX) or not path.is_file():
        raise SceneError(
            f'there is no scene data set {scene_dataset}: name its *{DATASET_SUFFIX}')
    try:
        config = json.loads(path.read_text(encoding='utf-8'))
        sections = [config.get(key, {}).get('paths', {}) for key in ('scene_instances', 'stages')]
        patterns = [(suffix, pattern) for section in sections
                    for suffix, patterns in section.items() for pattern in patterns]
    except (ValueError, AttributeError) as error:
        raise SceneError(f'{scene_dataset} is no scene data set configuration: {error}') from error
    files: dict[Path, None] = {}
    for suffix, pattern in patterns:
        for file in _matches(path.parent, pattern, suffix):
            files[file] = None
    instances = [file for file in files if file.name.endswith('.scene_instance.json')]
    # Stages are the empty shells of scene instances where there are any.
    return sorted(instances or files, key=lambda file: (file.name, str(file)))


def _matches(folder: Path, pattern: str, suffix: str) -> list[Path]:
    """Return the scene files of one entry: a folder, a file, or a pattern, below `folder`."""
    whole = folder / pattern
    if whole.is_dir():
        found = list(whole.iterdir())
    elif any(sign in pattern for sign in '*?['):
        found = [match for path in folder.glob(pattern)
                 for match in (path.iterdir() if path.is_dir() else [path])]
    else:
        found = [whole]
    wanted = _CONFIGS if suffix == '.json' else (suffix,)
    return [path for path in found
            if path.is_file() and path.name.endswith(wanted) and '.semantic.' not in path.name]


def _all_of(listed: list[Path], scene_dataset: str, dataset: str) -> list[SceneSource]:
    if not listed:
        raise SceneError(
            f'"all" needs a scene data set that lists scenes which are there, and '
            f'{scene_dataset or "no data set"} lists none')
    return [SceneSource(path.name, dataset, path) for path in listed]


def _named(name: str, listed: list[Path], scene_dataset: str, dataset: str) -> SceneSource:
    """Find a name the way Habitat does: it is part of a file's name or path."""
    for exact in (True, False):
        for path in listed:
            if name in (scene_name(path.name), path.name) if exact else name in str(path):
                return SceneSource(path.name, dataset, path)
    some = ', '.join(scene_name(path.name) for path in listed[:5]) or 'none that is there'
    raise SceneError(
        f'the data set {scene_dataset} has no scene "{name}"; it lists {len(listed)}: {some}')
