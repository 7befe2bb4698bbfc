# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""
Write generated rooms as a Habitat scene data set.

    DIR/rooms.scene_dataset_config.json        name this, and a room, to Habitat
    DIR/navmesh_settings.json                  of our robot, for NavMeshSettings.read_from_json
    DIR/stages/room_<seed>.glb                 geometry, colours, baked light
    DIR/stages/room_<seed>.semantic.glb, .txt  which triangle belongs to which object
    DIR/stages/room_<seed>.stage_config.json   ties these together
    DIR/truth/room_<seed>.json                 what we know of it: objects, bounds, start

The axes in the GLB files are Habitat's; in the truth they are our world's. The same scene gives
the same bytes.
"""

from dataclasses import dataclass
import json
import os
from pathlib import Path
from typing import Any

from ipt_ros.geometry import Pose2D
from ipt_sim.export_glb import render_glb, semantic_glb
from ipt_sim.export_semantics import descriptor
from ipt_sim.habitat_navmesh import navmesh_settings
from ipt_sim.protocol import SceneError, SceneObject
from ipt_sim.scenes.model import Scene
from ipt_sim.scenes.objects import scene_object

DATASET = 'rooms.scene_dataset_config.json'
STAGE_SUFFIX = '.stage_config.json'
ROBOT_RADIUS, ROBOT_HEIGHT = 0.2, 1.5  # m, of the robot that the navmesh settings are for
_TRUTH_VERSION = 1
_SEED_KEY = 'ipt_room_seed'  # in what a stage configuration may hold for its user


@dataclass(frozen=True)
class RoomTruth:
    """
    What is known of an exported room.

    bounds: (xmin, ymin, xmax, ymax) of the floor, height: of the ceiling (m). start: of the robot.
    objects: ascending by id, which is also the id in Habitat's semantic pictures.
    """

    seed: int
    bounds: tuple[float, float, float, float]
    height: float
    start: Pose2D
    objects: tuple[SceneObject, ...]


def room_name(seed: int) -> str:
    """Return the name of the room of a seed; none is the beginning of another, as Habitat asks."""
    return f'room_{seed:010d}'


def stage_file(folder: Path, name: str) -> Path:
    """Return where the stage configuration of a scene in a data set is."""
    return folder / 'stages' / f'{name}{STAGE_SUFFIX}'


def room_truth(scene: Scene) -> RoomTruth:
    """Return what is known of a scene; objects are numbered as they come, from 1 on."""
    x, y = scene.size
    return RoomTruth(
        scene.seed, (-x / 2, -y / 2, x / 2, y / 2), scene.height, scene.start,
        tuple(scene_object(number, item) for number, item in enumerate(scene.items, 1)))


def export_scene(scene: Scene, folder: Path, name: str | None = None) -> Path:
    """
    Write a scene into the data set in this folder; return its stage configuration file.

    name: of the scene in the data set; by default the room of its seed. Files are replaced as a
    whole, so that a reader never finds half of one. Raises OSError where they cannot be written.
    """
    name = name or room_name(scene.seed)
    truth = room_truth(scene)
    numbers = dict(enumerate(item.id for item in truth.objects))
    stage = stage_file(folder, name)
    stages = stage.parent
    _write(stages / f'{name}.glb', render_glb(scene, numbers))
    _write(stages / f'{name}.semantic.glb', semantic_glb(scene, numbers))
    _write(stages / f'{name}.semantic.txt',
           descriptor((item.id, item.name) for item in truth.objects).encode())
    _write(folder / 'truth' / f'{name}.json', _json(_truth_record(truth)))
    _write(folder / 'navmesh_settings.json', _json(navmesh_settings(ROBOT_RADIUS, ROBOT_HEIGHT)))
    _write(folder / DATASET, _json({'stages': {'paths': {'.json': ['stages']}}}))
    _write(stage, _json(_stage_config(name, scene.seed)))  # last: where it is, everything is
    return stage


def read_truth(stage: Path) -> RoomTruth | None:
    """
    Return what is known of the scene of a stage configuration, None if it is not one of ours.

    Raises SceneError for a file that is damaged or of another version.
    """
    if not stage.name.endswith(STAGE_SUFFIX):
        return None
    path = stage.parent.parent / 'truth' / f'{stage.name.removesuffix(STAGE_SUFFIX)}.json'
    if not path.is_file():
        return None
    try:
        record = json.loads(path.read_text(encoding='utf-8'))
        if record['version'] != _TRUTH_VERSION:
            raise ValueError(f'version {record["version"]} instead of {_TRUTH_VERSION}')
        return RoomTruth(
            record['seed'], tuple(record['bounds']), record['height'], Pose2D(*record['start']),
            tuple(SceneObject(
                item['id'], item['class'], tuple(item['position']), tuple(item['size']),
                item['yaw'], item['color'], item['structural']) for item in record['objects']))
    except (ValueError, KeyError, TypeError) as error:
        raise SceneError(f'{path} cannot be read ({error}): export the scene again') from error


def exported_seed(stage: Path) -> int | None:
    """
    Return the seed of the room that a stage configuration shows, None if it is not one of ours.

    The configuration says so under any name, and without the truth beside it.
    """
    try:
        return int(json.loads(stage.read_text(encoding='utf-8'))['user_defined'][_SEED_KEY])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _truth_record(truth: RoomTruth) -> dict[str, Any]:
    start = truth.start
    return {
        'version': _TRUTH_VERSION,
        'seed': truth.seed,
        'bounds': truth.bounds,
        'height': truth.height,
        'start': (start.x, start.y, start.yaw),
        'objects': [
            {'id': item.id, 'class': item.name, 'color': item.color, 'position': item.position,
             'size': item.size, 'yaw': item.yaw, 'structural': item.structural}
            for item in truth.objects],
    }


def _stage_config(name: str, seed: int) -> dict[str, Any]:
    up, front = [0.0, 1.0, 0.0], [0.0, 0.0, -1.0]
    return {
        'render_asset': f'{name}.glb',
        'collision_asset': f'{name}.glb',
        'up': up,
        'front': front,
        'origin': [0.0, 0.0, 0.0],
        'units_to_meters': 1.0,
        'shader_type': 'flat',  # the light is baked in
        'semantic_asset': f'{name}.semantic.glb',
        'semantic_descriptor_filename': f'{name}.semantic.txt',
        'semantic_up': up,
        'semantic_front': front,
        'user_defined': {_SEED_KEY: str(seed)},  # numbers would have 32 bits there
    }


def _json(data: Any) -> bytes:
    return (json.dumps(data, indent=2) + '\n').encode()


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f'.{path.name}.{os.getpid()}')
    partial.write_bytes(data)
    partial.replace(path)
