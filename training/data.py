# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""All training examples of a folder in memory, as stacked arrays."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, fields, replace
import hashlib
from pathlib import Path

from ipt_ros.bagel import fast_dtype, Vae
from ipt_ros.bagel.tensor_files import kept_tensors, write_tensors
from ipt_ros.spatial import Example, Question
import numpy as np
import torch
from tqdm import tqdm

from .errors import StoreError
from .finetune.latents import fingerprint
from .map_store import Maps
from .places import patch_names, Place, places
from .relations import Relation, relations
from .samples import Material
from .store import class_names, load_examples
from .train_encoder import DenseImages


@dataclass
class TaskData:
    """
    The examples of one task; N examples with V input images each.

    inputs uint8 (N, V, h, w, 3), targets uint8 (N, H, W, 3); classes uint8 and depths uint16 (mm)
    of the same heights and widths, None where examples carry no truth. Latents (float16, scaled)
    are there once `add_latents` ran; ``drawn`` uint8 (n, H, W, 3) and their latents, of the first
    n examples, once a model drew them (`drawn_latents`). ``class_names`` are those of the class
    indices. ``target_counts``: of counting, how many of each class the map shows, beyond doubt;
    ``target_middles``: name and place of every object on it, from 0 (left, top) to 1; ``maps``:
    further ones that belong to no example, if there are any.
    """

    inputs: np.ndarray
    targets: np.ndarray
    thinks: list[str]
    questions: list[list[Question]]
    relations: list[list[Relation]]
    target_counts: list[dict[str, int]] = field(default_factory=list)
    target_middles: list[list[tuple[str, float, float]]] = field(default_factory=list)
    input_classes: np.ndarray | None = None
    input_depths: np.ndarray | None = None
    target_classes: np.ndarray | None = None
    target_depths: np.ndarray | None = None
    input_latents: torch.Tensor | None = None
    target_latents: torch.Tensor | None = None
    drawn: np.ndarray | None = None
    drawn_latents: torch.Tensor | None = None
    maps: Maps | None = None
    class_names: Sequence[str] = ()

    def __len__(self) -> int:
        return len(self.targets)

    def material(self, index: int) -> Material:
        """Return one example as training needs it."""
        return Material(
            images=list(self.inputs[index]),
            latents=[] if self.input_latents is None else list(self.input_latents[index].float()),
            target=self.targets[index],
            target_latent=(None if self.target_latents is None
                           else self.target_latents[index].float()),
            think=self.thinks[index],
            questions=self.questions[index],
            relations=self.relations[index],
        )

    def own_material(self, index: int) -> Material:
        """Return one example with what the model drew in place of its target."""
        return replace(self.material(index), target=self.drawn[index],
                       target_latent=self.drawn_latents[index].float())

    def places(self, index: int, patch: int) -> list[list[Place]]:
        """Return for every input of an example where in it things are."""
        return [places(classes, depth, self.class_names, patch) for classes, depth
                in zip(self.input_classes[index], self.input_depths[index], strict=True)]

    def target_places(self, index: int, patch: int) -> list[Place]:
        """Return where things are in the target of an example."""
        return places(self.target_classes[index], self.target_depths[index], self.class_names,
                      patch)

    def target_cells(self, index: int, patch: int) -> dict[tuple[int, int], str]:
        """Return what is in each cell of an example's target, things above all."""
        return patch_names(self.target_classes[index], self.class_names, patch, thing=0.2)

    def patch_names(self, index: int, patch: int) -> dict[tuple[int, int], str]:
        """Return what is in each cell of an example's first input."""
        return patch_names(self.input_classes[index, 0], self.class_names, patch)

    def image_groups(self) -> list[np.ndarray]:
        """Return inputs and targets as groups of equal-size images."""
        return [_flat(self.inputs), self.targets]

    def dense_groups(self) -> list[DenseImages]:
        """Return inputs and targets with their per-pixel truth."""
        return [
            DenseImages(_flat(self.inputs), _flat(self.input_classes), _flat(self.input_depths)),
            DenseImages(self.targets, self.target_classes, self.target_depths),
        ]


def _digest(*images: np.ndarray) -> str:
    digest = hashlib.sha256()
    for array in images:
        digest.update(str(array.shape).encode())
        digest.update(np.ascontiguousarray(array))
    return digest.hexdigest()[:32]


def _flat(views: np.ndarray) -> np.ndarray:
    """Merge examples and views: (N, V, ...) to (N * V, ...)."""
    return views.reshape(-1, *views.shape[2:])


def stack_examples(examples: Iterable[Example]) -> TaskData:
    """Stack examples of one task; their dense truth too, where all of them have one."""
    columns: dict[str, list] = {
        column.name: [] for column in fields(TaskData) if column.name != 'class_names'}
    for example in examples:
        if example.target is None or len({image.shape for image in example.images}) > 1:
            raise StoreError('training from scratch needs examples with an image to imagine, and '
                             f'input images of one size; found one of {example.task} without')
        columns['inputs'].append(np.stack(example.images))
        columns['targets'].append(example.target)
        columns['thinks'].append(example.think)
        columns['questions'].append(example.questions)
        columns['relations'].append(relations(example))
        columns['target_counts'].append(_counts_on_map(example))
        columns['target_middles'].append(_middles_on_map(example))
        if example.dense:
            *views, target = example.dense
            columns['input_classes'].append(np.stack([view.classes for view in views]))
            columns['input_depths'].append(np.stack([view.depth_mm for view in views]))
            columns['target_classes'].append(target.classes)
            columns['target_depths'].append(target.depth_mm)
    listed = {name: columns.pop(name)
              for name in ('thinks', 'questions', 'relations', 'target_counts',
                           'target_middles')}
    for name, rows in columns.items():
        if name not in listed and len(shapes := {np.shape(row) for row in rows}) > 1:
            raise StoreError(
                'training from scratch needs examples of a task with the same number of pictures, '
                f'all of one size; found {name} of {" and ".join(map(str, sorted(shapes)))}')
    stacked = {name: np.stack(rows) for name, rows in columns.items() if rows}
    return TaskData(**stacked, **listed)


def _seen_on_map(example: Example) -> list[dict]:
    """Return what metadata of counting say of every object that the map or a view shows."""
    return example.metadata.get('seen', []) if example.task == 'mvc' else []


def _middles_on_map(example: Example) -> list[tuple[str, float, float]]:
    """
    Return name and place of every object on a map: across and down, each from 0 to 1.

    None of recorded examples, which do not know where objects are.
    """
    return [(row['name'], *(0.5 - row[side] / example.metadata['map']['size']
                            for side in ('left', 'ahead')))
            for row in _seen_on_map(example) if row.get('map_area') and 'ahead' in row]


def _counts_on_map(example: Example) -> dict[str, int]:
    """Return how often each class is on a map, without those of which a part hardly shows."""
    rows = _seen_on_map(example)
    doubtful = {row['name'] for row in rows if not row.get('map_area')}
    return dict(Counter(row['name'] for row in rows if row['name'] not in doubtful))


def load_task(folder: Path, task: str, classes: list[str]) -> TaskData:
    """Read every example of a task below ``folder``. Raises StoreError when there is none."""
    data = stack_examples(tqdm(
        load_examples(folder, task, dense=True, classes=classes),
        desc=f'read {task}', unit='example', mininterval=2.0))
    data.class_names = classes
    return data


def load_tasks(folder: Path, tasks: list[str],
               further: Iterable[str] = ()) -> tuple[dict[str, TaskData], list[str]]:
    """Return the data of every task and the class list that all share; ``further`` end it."""
    classes = list(class_names(folder))
    classes += sorted(set(further) - set(classes))
    return {task: load_task(folder, task, classes) for task in tasks}, classes


def add_latents(data: TaskData, vae: Vae, cache: Path | None = None, batch: int = 64) -> None:
    """
    Encode inputs and targets once, and keep the latents in the file ``cache``, where one is given.

    The VAE is frozen from here on, so nothing is lost by keeping its posterior means. A cache of
    another VAE, or of other images, is made anew.
    """
    key = {'vae': fingerprint(vae), 'images': _digest(data.inputs, data.targets)}
    kept = kept_tensors(cache, key)
    if kept is not None:
        data.input_latents, data.target_latents = kept['inputs'], kept['targets']
        return
    flat = encode_images(vae, _flat(data.inputs), batch)
    data.input_latents = flat.view(*data.inputs.shape[:2], *flat.shape[1:])
    data.target_latents = encode_images(vae, data.targets, batch)
    if cache is not None:
        write_tensors(
            cache, {'inputs': data.input_latents, 'targets': data.target_latents}, key)


def encode_images(vae: Vae, images: np.ndarray, batch: int = 64) -> torch.Tensor:
    """Return the latents of images, uint8 (N, H, W, 3) to float16 (N, z, h, w)."""
    device = next(vae.parameters()).device
    dtype = fast_dtype(device)
    pixels = torch.from_numpy(images).permute(0, 3, 1, 2)
    with torch.autocast(device.type, dtype, enabled=dtype != torch.float32):
        parts = [vae.encode(pixels[i:i + batch]).half().cpu() for i in
                 tqdm(range(0, len(images), batch), desc='latents', mininterval=2.0)]
    return torch.cat(parts).contiguous()  # channels come last out of a convolution
