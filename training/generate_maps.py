# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""
Maps alone of many scenes, made on all cores.

Shards are made in one go each and appear complete, so a run that was stopped goes on where it was,
and the maps do not depend on the number of workers.
"""

from pathlib import Path

from ipt_sim import make_simulator
from ipt_sim.protocol import Simulator
import numpy as np
from tqdm import tqdm

from .examples import EVALUATION_SEED, ExampleOptions
from .examples.maps import lone_maps, most_of_a_kind
from .examples.scene import Scene
from .generate import opened, REPORT
from .map_store import save_maps, SUFFIX
from .store import StoreError, write_json
from .workers import finished, start_worker

SHARD_SIZE = 500
# Of so many scenes in a row, one is drawn: that with most of a kind, for four or five are rare.
_SCENES = 2
# Maps of one scene, from different places.
_MAPS = 2

_sim: Simulator | None = None  # one a worker process


def generate_maps(number: int, seed: int, out: Path, workers: int = 1,
                  backend: str = 'mujoco') -> None:
    """
    Make ``number`` maps of the scenes from ``seed`` on below ``out``; shards there are kept.

    Raise StoreError when ``out`` holds maps made in another way, or when the scenes would reach
    into those kept for evaluation.
    """
    shards = -(-number // SHARD_SIZE)
    if seed < EVALUATION_SEED <= _first_scene(seed, shards):
        raise StoreError(
            f'{number} maps from seed {seed} on would reach into the evaluation scenes (from '
            f'{EVALUATION_SEED} on); use a smaller seed or fewer maps')
    recipe = {'seed': seed, 'shard_size': SHARD_SIZE, 'backend': backend}
    write_json(out / REPORT, opened(out, recipe))
    jobs = [(_first_scene(seed, shard), min(SHARD_SIZE, number - shard * SHARD_SIZE), path)
            for shard in range(shards) if not (path := _path(out, shard)).exists()]
    with tqdm(total=sum(job[1] for job in jobs), desc='maps', unit='map') as bar:
        for made in finished(_make_shard, jobs, workers, _start_worker, (backend,)):
            bar.update(made)


def _start_worker(backend: str) -> None:
    global _sim
    start_worker()
    _sim = make_simulator(backend)


def _make_shard(seed: int, number: int, path: Path) -> int:
    """Make the maps of one file from the scenes from ``seed`` on."""
    options, maps = ExampleOptions(), []
    while len(maps) < number:
        scenes = range(seed, seed + _SCENES)
        best = max(scenes, key=lambda one: most_of_a_kind(Scene(_sim, one)))
        scene = Scene(_sim, best)
        maps += [(found, scene.class_names) for found in lone_maps(
            scene, np.random.default_rng([best, _SCENES]), _MAPS, options)]
        seed = scenes.stop
    save_maps(path, maps[:number])
    return number


def _first_scene(seed: int, shard: int) -> int:
    # A scene where nobody can stand gives no map: twice as many as are needed as a rule.
    return seed + shard * SHARD_SIZE // _MAPS * _SCENES * 2


def _path(out: Path, shard: int) -> Path:
    return out / f'{shard:05}{SUFFIX}'
