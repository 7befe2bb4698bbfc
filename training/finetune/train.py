# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""A fine-tuning run from recipe to checkpoint folder, resumed where it was stopped."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, ExitStack, nullcontext
import errno
import json
from pathlib import Path
from typing import Any

from ipt_ros.bagel import Bagel, fast_dtype
from ipt_ros.bagel.source import find
from ipt_ros.bagel.source import mark as weights_mark
from ipt_ros.outputs import check_folder
from ipt_training.finetune.batches import Batches
from ipt_training.finetune.bins import budget_to_fill
from ipt_training.finetune.errors import FinetuneError
from ipt_training.finetune.index import Index, Reading, shared_index
from ipt_training.finetune.log import RunLog
from ipt_training.finetune.plan import Plan
from ipt_training.finetune.preview import preview
from ipt_training.finetune.processes import join_processes, Processes
from ipt_training.finetune.recipe import FinetuneRecipe
from ipt_training.finetune.rows import Rows
from ipt_training.finetune.samples import checkpoint_config, training_config
from ipt_training.finetune.sharding import gather, load_part, shard
from ipt_training.finetune.state import SavedState
from ipt_training.finetune.steps import train
from ipt_training.finetune.trainee import (
    check_start,
    merge_adapters,
    prepare,
    Trainee,
)
from ipt_training.locking import only_one
from ipt_training.peak import device_peak
from ipt_training.store import write_json
import torch

_WELL_FILLED = 0.95  # of the token budget
_LOOKED_AT = 1024  # samples, to find a budget that is well filled
# In the work folder.
STATE, INDEX, SAME_RUN = 'state', 'index.json', 'run.json'


def finetune(recipe: FinetuneRecipe, device: str = 'cpu', say: Callable = print) -> Path:
    """
    Train as the recipe says and write the checkpoint folder; return it.

    Processes that torchrun started share the work; each calls this.

    Raises FinetuneError, StoreError for broken data or a folder in use, BagelError for a broken
    checkpoint, and TrainingDivergedError for a loss or a weight that is no number. The last saved
    state is kept in any case.
    """
    work, folder = Path(recipe.work_dir), Path(recipe.checkpoint)
    with clear_words(recipe), join_processes(device, recipe.parallel) as processes, \
            ExitStack() as held:
        tell = say if processes.lead else _silent
        dtype = training_dtype(recipe, processes.device)
        with processes.agreed():
            check_shared(recipe, processes)
            if processes.lead:  # two runs in one folder would write over each other's states
                held.enter_context(only_one(work))
                check_folder(folder.parent)
            start = find(recipe.start)
            check_start(start, recipe)
            model = load_part(start, dtype, processes)
            rows = Rows(recipe.data.paths, recipe.data.layout, recipe.data.split)
            model.config = checkpoint_config(model.config, recipe.format)
            config = training_config(model.config, recipe.format)
        state = SavedState(work / STATE, processes)
        index = shared_index(
            work / INDEX, Reading(rows, recipe, config, model.tokenizer), processes)
        with processes.agreed():
            if processes.lead:
                check_same_run(work / SAME_RUN, recipe, state, index.mark, weights_mark(start))
            plan = make_plan(index, rows, recipe)
            first = state.step
            adapters = prepare(model, recipe)
        tell(describe_plan(index, plan, recipe))
        trainee = Trainee(model)
        shard(trainee, dtype, processes)
        batches = Batches(
            rows, plan, recipe, config, model.tokenizer, model.vae, stride=processes.world)
        keep = nullcontext()
        if processes.lead:
            peak = device_peak(processes.device)
            tell(f'mfu is the share of {peak} on each of {processes.world} device(s)')
            keep = RunLog(work / 'tensorboard', first, peak.flops * processes.world)
        with batches, keep as log:
            train(trainee, batches, recipe, processes, state, log, lambda: preview(
                model, rows, index.units, recipe.seed))
        export(trainee, adapters, recipe, processes)
        tell(f'wrote {folder}')
    return folder


def training_dtype(recipe: FinetuneRecipe, device: str) -> torch.dtype:
    """Return the number format of weights that are not trained; others are always float32."""
    # bfloat16 only where products of it and the adapters' float32 are computed in it.
    if recipe.lora.rank and fast_dtype(device) == torch.bfloat16:
        return getattr(torch, recipe.lora.base_dtype)
    return torch.float32


def check_shared(recipe: FinetuneRecipe, processes: Processes) -> None:
    """Raise FinetuneError for what so many processes cannot share."""
    if processes.world > 1 and recipe.optimizer.method == 'muon':
        raise FinetuneError(
            "optimizer.method 'muon' needs whole matrices, and processes have parts of them; use "
            "'adamw', or one process")
    if recipe.accumulate % processes.world:
        raise FinetuneError(
            f'accumulate is {recipe.accumulate}: so many batches make a step, and '
            f'{processes.world} processes cannot share them equally; make it a multiple of '
            f'{processes.world} or start another number of processes')


def make_plan(index: Index, rows: Rows, recipe: FinetuneRecipe) -> Plan:
    """Return the batches of all epochs."""
    return Plan(index.units, rows.group_of, seed=recipe.seed,
                batch_tokens=recipe.packing.batch_tokens, window=recipe.packing.window,
                batch_samples=recipe.packing.batch_samples)


def describe_plan(index: Index, plan: Plan, recipe: FinetuneRecipe) -> str:
    """Say what an epoch holds and how well its batches are filled."""
    epoch = plan.epoch(0)
    count = sum(map(len, epoch))
    longest = max(unit.tokens for unit in index.units)
    mean = sum(plan.units[i].tokens for batch in epoch for i in batch) / count
    lines = [
        f'{recipe.name}: mode {recipe.mode}, {count} samples an epoch, {mean:.0f} tokens each on '
        f'average, {longest} at most',
        f'{len(epoch)} batches of up to {recipe.packing.batch_tokens} tokens, '
        f'{plan.efficiency():.1%} filled; {recipe.accumulate} a step, '
        f'{recipe.steps * recipe.accumulate / len(epoch):.1f} epochs',
    ]
    if recipe.optimizer.warmup_steps > recipe.steps:
        lines.append(
            f'note: optimizer.warmup_steps ({recipe.optimizer.warmup_steps}) is more than steps '
            f'({recipe.steps}), so the learning rate never gets to '
            f'{recipe.optimizer.learning_rate:g}; that is right only where more steps will follow')
    if plan.efficiency() < _WELL_FILLED and not recipe.packing.batch_samples:
        chosen = [plan.units[i].tokens for batch in epoch for i in batch][:_LOOKED_AT]
        budget = budget_to_fill(chosen, recipe.packing.batch_tokens, _WELL_FILLED)
        if budget is not None:
            lines.append(f'packing.batch_tokens: {budget} would be filled to {_WELL_FILLED:.0%} '
                         'or more')
    lines += [f'left out: {count} x {reason}' for reason, count in index.skipped.most_common()]
    return '\n'.join(lines)


def export(trainee: Trainee, adapters: Any, recipe: FinetuneRecipe, processes: Processes) -> None:
    """Write the checkpoint folder, in the first process; the others give it what they have."""
    model, folder = trainee.model, Path(recipe.checkpoint)
    if processes.world > 1:
        whole = None
        with processes.agreed():
            if processes.lead:
                # As one process would have begun, on the CPU, with room for all of the model.
                model = Bagel.from_checkpoint(
                    recipe.start, dtype=training_dtype(recipe, processes.device))
                model.config = trainee.model.config
                adapters = prepare(model, recipe)
                whole = Trainee(model)
        gather(trainee, whole)
    with processes.agreed():
        if processes.lead:
            if adapters is not None:
                merge_adapters(model, adapters, folder / 'adapter')
            model.save_checkpoint(folder, dtype=getattr(torch, recipe.checkpoint_dtype))


def check_same_run(path: Path, recipe: FinetuneRecipe, state: SavedState, data: str,
                   weights: str) -> None:
    """
    Raise FinetuneError if a state is of other data or weights, or packed otherwise.

    A state lacks what is not trained, so that has to be the same again: ``weights`` and ``data``
    tell them from others.
    """
    now = {'data': data, 'start': recipe.start, 'weights': weights,
           'batch_tokens': recipe.packing.batch_tokens, 'window': recipe.packing.window,
           'accumulate': recipe.accumulate, 'batch_samples': recipe.packing.batch_samples}
    if path.exists() and state.exists():
        # Runs from before there were such settings had none.
        kept = {'batch_samples': 0, 'weights': weights} | json.loads(
            path.read_text(encoding='utf-8'))
        changed = [name for name in now if kept.get(name) != now[name]]
        if changed:
            raise FinetuneError(
                f"the state in '{path.parent}' is of a run with other settings or data "
                f'({", ".join(changed)}); give another work_dir, or delete that folder to begin '
                'anew')
    write_json(path, now)


def _silent(*_: object) -> None:
    """Say nothing."""


@contextmanager
def clear_words(recipe: FinetuneRecipe) -> Iterator[None]:
    """Turn what a full disk raises, wherever it happens, into a FinetuneError."""
    try:
        yield
    except (OSError, RuntimeError) as error:
        full = (isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)
                or not isinstance(error, OSError) and 'No space left' in str(error))
        if not full:
            raise
        work = Path(recipe.work_dir)
        state = SavedState(work / STATE)
        state.clear()
        kept = (f'the last good state is in {state}' if state.exists()
                else 'no state had been saved yet')
        raise FinetuneError(
            f'the disk is full ({work} or {recipe.checkpoint}): {error}\n{kept}; make room, then '
            'give the same command again to go on') from error
