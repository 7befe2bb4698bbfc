# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""
Maps alone, see `examples.maps`, on disk and in memory.

A shard is one safetensors file: ``pixels`` uint8 (N, H, W, 3), ``classes`` uint8 and ``depth_mm``
int32 (N, H, W), and a row for every thing on them: ``thing_map`` int64 (M,), ``thing_class``
uint8 (M,), ``thing`` float32 (M, 3) with its place across and down and its share of the map. The
names of the classes are in its metadata.
"""

from collections.abc import Sequence
from dataclasses import dataclass
import json
from pathlib import Path

from ipt_ros.bagel.tensor_files import write_tensors
import numpy as np
from safetensors import safe_open
import torch

from .examples import ExampleOptions
from .examples.maps import LoneMap, middles_and_counts, ThingOnMap
from .store import StoreError
from .train_encoder import DenseImages

SUFFIX = '.safetensors'


@dataclass
class Maps:
    """
    N maps in memory.

    ``truth``: pixels, classes and depths; ``middles``: name and place of every object on each,
    from 0 (left, top) to 1; ``counts``: how often a class is there, beyond doubt.
    """

    truth: DenseImages
    middles: list[list[tuple[str, float, float]]]
    counts: list[dict[str, int]]

    def __len__(self) -> int:
        return len(self.middles)


def save_maps(path: Path, maps: Sequence[tuple[LoneMap, list[str]]]) -> None:
    """Write one shard: maps with the names of the classes that their own indices mean."""
    names = sorted({name for _, own in maps for name in own})
    classes = [np.array([names.index(name) for name in own], np.uint8)[found.dense.classes]
               for found, own in maps]
    rows = [(index, names.index(thing.name), thing.across, thing.down, thing.area)
            for index, (found, _) in enumerate(maps) for thing in found.things]
    things = np.array(rows, np.float64).reshape(-1, 5)
    write_tensors(path, {
        'pixels': torch.from_numpy(np.stack([found.rgb for found, _ in maps])),
        'classes': torch.from_numpy(np.stack(classes)),
        'depth_mm': torch.from_numpy(
            np.stack([found.dense.depth_mm for found, _ in maps]).astype(np.int32)),
        'thing_map': torch.from_numpy(things[:, 0].astype(np.int64)),
        'thing_class': torch.from_numpy(things[:, 1].astype(np.uint8)),
        'thing': torch.from_numpy(things[:, 2:].astype(np.float32)),
    }, {'classes': json.dumps(names)})


def map_classes(folder: Path) -> set[str]:
    """Return the names of all classes that the maps of a folder know; none where no maps are."""
    return {name for path in folder.glob(f'*{SUFFIX}') for name in _names(path)}


def _names(path: Path) -> list[str]:
    with safe_open(path, 'np') as file:
        return json.loads(file.metadata()['classes'])


def load_maps(folder: Path, classes: Sequence[str],
              options: ExampleOptions | None = None) -> Maps:
    """Read all maps of a folder; ``classes`` are those that class indices shall mean."""
    paths = sorted(folder.glob(f'*{SUFFIX}'))
    if not paths:
        raise StoreError(f"no maps in '{folder}'; the stage 'data' of `ipt train` makes them")
    options = options or ExampleOptions()
    parts, middles, counts = [], [], []
    for path in paths:
        names = _names(path)
        unknown = [name for name in names if name not in classes]
        if unknown:
            raise StoreError(f"{path} shows '{unknown[0]}', which is not among the classes that "
                             'were asked for; add those of `map_classes`')
        table = np.array([classes.index(name) for name in names], np.uint8)
        with safe_open(path, 'np') as file:
            parts.append((file.get_tensor('pixels'), table[file.get_tensor('classes')],
                          file.get_tensor('depth_mm').astype(np.uint16)))
            rows = [[] for _ in range(len(parts[-1][0]))]
            for index, name, thing in zip(*(file.get_tensor(name) for name in (
                    'thing_map', 'thing_class', 'thing')), strict=True):
                rows[index].append(ThingOnMap(names[name], *map(float, thing)))
        for things in rows:
            shown, sure = middles_and_counts(tuple(things), options)
            middles.append(shown)
            counts.append(sure)
    return Maps(DenseImages(*(np.concatenate(part) for part in zip(*parts, strict=True))),
                middles, counts)
