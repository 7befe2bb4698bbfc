# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""
Data sets put together from others in given shares, such as simulated and recorded examples.

Training reads one folder whose examples are alike: images of one size, and per-pixel truth for all
of them or for none. A mixture is brought to that form here, once.
"""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import islice
import json
import os
from pathlib import Path
import shutil

import cv2
from ipt_ros.spatial import Example
from ipt_training.store import (
    class_names,
    load_examples,
    save_shard,
    shard_paths,
    StoreError,
    SUFFIX,
    write_json,
)
import numpy as np

RECORD = 'mixture.json'
SHARD_SIZE = 256


@dataclass(frozen=True)
class Part:
    """
    A data set that a mixture takes from.

    share: of the mixture's examples, 0 to 1. split: which one to read (a data set without splits
    is read whole).
    """

    name: str
    folder: Path
    share: float = 1.0
    split: str = 'train'


def mix(parts: Sequence[Part], tasks: Sequence[str], number: int, seed: int, out: Path) -> dict:
    """
    Write ``number`` examples, the same number of each task, to ``out``; return what is in it.

    Of each part the first examples of a task are taken, as many as its share asks for; then the
    examples of the task are shuffled by ``seed``. Each says in its metadata which ``ingredient``
    it is. Images get the size that the first part's have. A finished mixture of the same recipe is
    kept. Raises StoreError where a part has too few examples or images of another shape, shares do
    not add up to 1, or ``out`` holds something else.
    """
    if abs(sum(part.share for part in parts) - 1.0) > 1e-6 or any(p.share < 0 for p in parts):
        raise StoreError(
            'the shares of a mixture must add up to 1, got '
            + ', '.join(f'{part.name}: {part.share:g}' for part in parts))
    used = [part for part in parts if part.share > 0]
    recipe = {
        'parts': [{**asdict(part), 'folder': part.folder.name} for part in used],
        'tasks': list(tasks), 'number': number, 'seed': seed}
    if (known := _finished(out)) is not None:
        if known['recipe'] == recipe:
            return known
        raise StoreError(f"'{out}' holds another mixture, {known['recipe']}; delete it first")
    if out.exists():
        raise StoreError(f"'{out}' exists and is no mixture; choose another folder")
    partial = out.with_name(out.name + '.partial')  # what a killed run left is begun anew
    shutil.rmtree(partial, ignore_errors=True)
    classes = sorted(set().union(*(class_names(part.folder) for part in used)) - {'nothing'})
    dense = all(_has_truth(part, task) for part in used for task in tasks)
    counts = {}
    for task in tasks:
        quotas = _quotas([part.share for part in used], number // len(tasks))
        examples, shape = [], None
        for part, quota in zip(used, quotas):
            for example in _first(part, task, quota, ['nothing', *classes], dense):
                shape = shape or _shape(example)
                examples.append(_alike(example, shape, part))
        order = np.random.default_rng([seed, len(task), *task.encode()]).permutation(len(examples))
        for start in range(0, len(order), SHARD_SIZE):
            save_shard(partial / task / f'{start // SHARD_SIZE:05}{SUFFIX}',
                       [examples[index] for index in order[start:start + SHARD_SIZE]])
        counts[task] = {part.name: quota for part, quota in zip(used, quotas)}
    found = {'recipe': recipe, 'examples': counts, 'dense truth': dense}
    write_json(partial / RECORD, found)
    os.replace(partial, out)
    return found


def _finished(out: Path) -> dict | None:
    try:
        return json.loads((out / RECORD).read_text())
    except FileNotFoundError:
        return None


def _quotas(shares: Sequence[float], number: int) -> list[int]:
    """Divide ``number`` by shares: whole numbers whose sum it is (largest remainders)."""
    exact = [share * number for share in shares]
    quotas = [int(value) for value in exact]
    by_remainder = sorted(range(len(exact)), key=lambda k: quotas[k] - exact[k])
    for index in by_remainder[:number - sum(quotas)]:
        quotas[index] += 1
    return quotas


def _has_truth(part: Part, task: str) -> bool:
    shard_paths(part.folder, task, part.split)  # says what is missing
    return all(example.dense for example in islice(
        load_examples(part.folder, task, dense=True, split=part.split), 1))


def _first(
    part: Part, task: str, quota: int, classes: list[str], dense: bool,
) -> Iterator[Example]:
    found = 0
    for example in islice(load_examples(
            part.folder, task, dense=dense, classes=classes if dense else None,
            split=part.split), quota):
        if example.target is None:
            raise StoreError(f"'{part.folder}': an example of task '{task}' has no true image")
        found += 1
        yield example
    if found < quota:
        raise StoreError(
            f"'{part.folder}' ({part.name}) has {found} examples of task '{task}', the mixture "
            f'takes {quota}; make more, or lower its share')


def _shape(example: Example) -> list[tuple[int, int]]:
    """Return (height, width) of each input and of the target."""
    return [image.shape[:2] for image in (*example.images, example.target)]


def _alike(example: Example, shape: list[tuple[int, int]], part: Part) -> Example:
    """Return the example with images of these sizes, saying where it is from."""
    images = [*example.images, example.target]
    if len(images) != len(shape):
        raise StoreError(
            f"'{part.folder}' ({part.name}) has examples of {len(images) - 1} input images where "
            f'the first part has {len(shape) - 1}; they cannot be trained on together')
    resized = [_resized(image, size, part) for image, size in zip(images, shape)]
    if any(one is not other for one, other in zip(images, resized)) and example.dense:
        raise StoreError(
            f"'{part.folder}' ({part.name}) has per-pixel truth of another size than the first "
            'part; build both with the same options')
    return replace(
        example, images=resized[:-1], target=resized[-1],
        metadata={**example.metadata, 'ingredient': part.name})


def _resized(image: np.ndarray, size: tuple[int, int], part: Part) -> np.ndarray:
    height, width = image.shape[:2]
    if (height, width) == size:
        return image
    if abs(width / height - size[1] / size[0]) > 0.02 * size[1] / size[0]:
        raise StoreError(
            f"'{part.folder}' ({part.name}) has an image of {width}x{height} pixels, which does "
            f'not fit {size[1]}x{size[0]}; record with cameras of that shape')
    way = cv2.INTER_AREA if width > size[1] else cv2.INTER_LINEAR
    return cv2.resize(image, size[::-1], interpolation=way)
