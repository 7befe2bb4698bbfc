# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""Which scenes a user means: files, and names in a scene data set."""

from collections.abc import Sequence
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


def is_flat(source: SceneSource) -> bool:
    """
    Tell whether a scene says that it is drawn as it is coloured, without any light on it.

    Such are our rooms and most scans. False where nothing says so.
    """
    return _stage_settings(source).get('shader_type') == 'flat'


def require_annotated(sources: Sequence[SceneSource]) -> None:
    """
    Refuse scenes of which none can say what its objects are, before any of them is loaded.

    Told from the files alone, so that a scene which passes may yet turn out to say nothing.
    Raises SceneError.
    """
    if sources and not any(map(_may_be_annotated, sources)):
        raise SceneError(
            f'{sources[0].scene_id} says nothing about its objects, and there is nothing to ask '
            'without: load an annotated version (HM3D: hm3d_annotated_basis.scene_dataset_config'
            '.json), or name "semantic_asset" and "semantic_descriptor_filename" in a '
            '*.stage_config.json')


def _may_be_annotated(source: SceneSource) -> bool:
    path = source.file
    if path is None or path.name.endswith('.scene_instance.json'):
        return True  # what a scene is composed of is known by the names of its files
    if 'semantic' in json.dumps(_read_json(Path(source.dataset))):
        return True
    if path.suffix == '.json':
        settings = _stage_settings(source)
        return any('semantic' in key or 'house' in key for key in settings)
    # Habitat looks beside a mesh for files with these endings.
    beside = [file.name for file in path.parent.iterdir()]
    return 'info_semantic.json' in beside or any(
        name.startswith(scene_name(path.name)) and (
            'semantic' in name or name.endswith(('.house', '.scn'))) for name in beside)


def _stage_settings(source: SceneSource) -> dict:
    """Return what is configured of a stage: by its data set, and by itself."""
    stages = _read_json(Path(source.dataset)).get('stages')
    settings = stages.get('default_attributes') if isinstance(stages, dict) else None
    settings = settings if isinstance(settings, dict) else {}
    if source.file is not None and source.file.name.endswith('.stage_config.json'):
        settings = settings | _read_json(source.file)
    elif source.file is None or source.file.suffix == '.json':
        settings = {}  # of the stage that a composed scene stands on: not known here
    return settings


def _read_json(path: Path) -> dict:
    """Return an object of a JSON file, an empty one for any other file."""
    if path.suffix != '.json':
        return {}
    try:
        content = json.loads(path.read_text(encoding='utf-8'))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


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
        if not all(isinstance(pattern, str) for _, pattern in patterns) or any(
                isinstance(patterns, str) for section in sections
                for patterns in section.values()):
            raise ValueError('"paths" must have a list of paths for each ending')
    except (ValueError, AttributeError, TypeError, OSError) as error:
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
        if whole.is_absolute():
            folder, pattern = Path(whole.anchor), str(whole.relative_to(whole.anchor))
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
