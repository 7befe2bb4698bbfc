# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""The steps of a run: the batches of each, their gradients and losses, what is logged of them."""

from collections.abc import Callable, Mapping
from contextlib import nullcontext
from pathlib import Path

from ipt_ros.bagel import Batch
from ipt_ros.bagel.flops import FlopCount
from ipt_training.finetune.batches import Batches
from ipt_training.finetune.log import RunLog
from ipt_training.finetune.processes import ALONE, Processes, StoppedWithOthers
from ipt_training.finetune.recipe import FinetuneRecipe
from ipt_training.finetune.sharding import drop_unused, exchange_gradients, parts_callable
from ipt_training.finetune.state import SavedState
from ipt_training.finetune.trainee import computed_twice, Trainee
from ipt_training.loop import run_stage, TrainingDivergedError
import numpy as np
import torch
from torch import nn, Tensor

STAGE = 'finetune'  # finetune.jsonl is its log


def train(trainee: Trainee, batches: Batches, recipe: FinetuneRecipe, processes: Processes,
          state: SavedState, log: RunLog | None, draw: Callable[[], np.ndarray | None]) -> None:
    """
    Train in place; what is trained is chosen before, see `prepare`.

    ``draw`` returns a picture for the log; it is asked for one whenever the state was saved. Only
    the first process has a ``log``.
    """
    count_flops = FlopCount(trainee.model)

    def losses_at(step: int) -> dict[str, Tensor]:
        with processes.agreed():
            packed = {number: batches.batch(number)
                      for number in share(step, recipe.accumulate, processes)}
        losses = accumulated_losses(trainee, packed, recipe, processes)
        samples, tokens, flops = processes.total([sum(each) for each in zip(*(
            (batch.samples, batch.tokens, count_flops(batch).total)
            for batch in packed.values()))])
        speed = log.step(step, losses, int(samples), int(tokens), flops) if log else {}
        return losses | {name: torch.tensor(value) for name, value in speed.items()}

    def show(step: int, _: nn.Module) -> None:
        with parts_callable(trainee):
            picture = draw()  # in all processes, which gather the parameters for one another
        if log:
            log.picture(step, picture)

    twice = computed_twice(trainee.model) if recipe.checkpoint_activations else nullcontext()
    try:
        with twice:
            run_stage(STAGE, trainee, losses_at, steps=recipe.steps, settings=recipe.optimizer,
                      folder=Path(recipe.work_dir), save_seconds=recipe.save_seconds,
                      on_save=show, state=state, lead=processes.lead, decide=processes.decide,
                      collect=processes.collect)
    except TrainingDivergedError:
        if not processes.lead:  # the loss is that of all
            raise StoppedWithOthers from None
        raise


def share(step: int, accumulate: int, processes: Processes) -> range:
    """
    Return the numbers of the batches that this process computes for a step.

    The batches of a step are dealt in turn, so which there are does not depend on how many
    processes share them.
    """
    return range(step * accumulate + processes.rank, (step + 1) * accumulate, processes.world)


def accumulated_losses(trainee: Trainee, batches: Mapping[int, Batch], recipe: FinetuneRecipe,
                       processes: Processes = ALONE) -> dict[str, Tensor]:
    """
    Return the losses of a step as if all its batches, of all processes, were one.

    They are means over all tokens. ``batches``: those of this process by number. When this
    returns all have run backwards, one after another, so that never more than one batch's
    activations are held.
    """
    labels, noised, latents, images = processes.total([
        sum(len(getattr(batch, name)) for batch in batches.values())
        for name in ('labels', 'noised', 'latents', 'vit')])
    ce = mse = torch.zeros((), device=processes.device)
    for count, (number, batch) in enumerate(batches.items(), 1):
        # Dropout in adapters draws from the global generator: the number decides that, too.
        torch.manual_seed(recipe.seed * 2**32 + number)
        exchange_gradients(
            trainee, count == len(batches) or recipe.parallel.exchange == 'batch')
        ces, mses = trainee(batch.to(processes.device))
        own_ce, own_mse = ces / max(1, labels), mses / max(1, noised)
        (recipe.ce_weight * own_ce + recipe.mse_weight * own_mse).backward()
        ce, mse = ce + own_ce.detach(), mse + own_mse.detach()
    drop_unused(trainee, latents, images)
    ce, mse = torch.tensor(processes.total([ce.item(), mse.item()]))
    named = {'loss': recipe.ce_weight * ce + recipe.mse_weight * mse, 'ce': ce}
    if noised:
        named['mse'] = mse
    return named
