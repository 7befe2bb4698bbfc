# SPDX-License-Identifier: Apache-2.0
"""How many samples a second the last stage of a recipe trains on, on this machine."""

import math
from pathlib import Path
import time

from ipt_ros.bagel import Bagel
from ipt_sim import make_simulator
import torch

from .data import add_latents, stack_examples
from .examples import ExampleSource
from .recipe import load_recipe, RECIPES
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
    tasks = {}
    with make_simulator('mujoco') as sim:
        for task in recipe.data.tasks:
            source = ExampleSource(sim, recipe.data.seed)
            made = (source.make(task, index) for index in range(math.ceil(EXAMPLES * 1.5)))
            tasks[task] = stack_examples([e for e in made if e is not None][:EXAMPLES])
            add_latents(tasks[task], model.vae)
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
