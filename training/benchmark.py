# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""How many samples a second the last stage of a recipe trains on, on this machine."""

import math
from pathlib import Path
from tempfile import TemporaryDirectory
import time

from ipt_ros.bagel import Bagel
from ipt_sim import make_simulator
import torch

from .data import add_latents, load_tasks, TaskData
from .examples import ExampleSource
from .recipe import load_recipe, RECIPES
from .store import save_shard, SUFFIX
from .train_model import batches_at, training_loss

EXAMPLES = 8
STEPS = 6


def training_samples_per_second(checkpoint: Path, recipe_path: Path = RECIPES / 'nano.yaml',
                                ) -> float:
    """
    Time forward and backward passes over freshly made examples, all kinds of samples in their mix.

    The first step is not counted; the optimiser's own step is left out.
    """
    recipe = load_recipe(recipe_path)
    model = Bagel.from_checkpoint(
        checkpoint, device='cuda' if torch.cuda.is_available() else 'cpu').train()
    tasks = _examples(list(recipe.data.tasks), recipe.data.seed)
    for data in tasks.values():
        add_latents(data, model.vae)
    samples, began = 0, 0.0
    for step in range(-1, STEPS):
        if step == 0:
            began = time.perf_counter()
        for batch in batches_at(max(step, 0), model, tasks, recipe.mixed, recipe.seed).values():
            loss = training_loss(model, batch.to(model.device))
            (loss.ce + loss.mse).backward()
            samples += batch.samples if step >= 0 else 0
        if model.device.type == 'cuda':
            torch.cuda.synchronize()
    return samples / (time.perf_counter() - began)


def _examples(tasks: list[str], seed: int) -> dict[str, TaskData]:
    """Make a few examples of each task and read them as training does."""
    with make_simulator('mujoco') as sim, TemporaryDirectory() as folder:
        for task in tasks:
            source = ExampleSource(sim, seed)
            made = (source.make(task, index) for index in range(math.ceil(EXAMPLES * 1.5)))
            kept = [example for example in made if example is not None][:EXAMPLES]
            save_shard(Path(folder) / task / f'00000{SUFFIX}', kept)
        return load_tasks(Path(folder), tasks)[0]
