# SPDX-License-Identifier: Apache-2.0
"""A fine-tuning run from recipe to checkpoint folder, resumed where it was stopped."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
import errno
import json
from pathlib import Path
import zipfile

from ipt_ros.bagel import Bagel, Batch, fast_dtype
from ipt_training.finetune.batches import Batches
from ipt_training.finetune.errors import FinetuneError
from ipt_training.finetune.index import fingerprint, Index, load_index
from ipt_training.finetune.log import RunLog
from ipt_training.finetune.plan import Plan
from ipt_training.finetune.preview import preview
from ipt_training.finetune.recipe import FinetuneRecipe
from ipt_training.finetune.rows import Rows
from ipt_training.finetune.samples import training_config
from ipt_training.finetune.trainee import computed_twice, merge_adapters, prepare, Trainee
from ipt_training.loop import run_stage
from ipt_training.store import write_json
from ipt_training.train_model import training_loss
import numpy as np
from safetensors import SafetensorError
import torch
from torch import Tensor

STATE = 'finetune'  # name of the stage: finetune.pt is the state, finetune.jsonl the log
# What torch says when the file system takes no more of a state.
_TORN_WRITES = ('PytorchStreamWriter', 'file write failed', 'inline_container', 'unexpected pos')


def finetune(recipe: FinetuneRecipe, device: str = 'cpu', say: Callable = print) -> Path:
    """
    Train as the recipe says and write the checkpoint folder; return it.

    Raises FinetuneError, StoreError for broken data, BagelError for a broken checkpoint, and
    TrainingDivergedError for a loss that is no number. The last saved state is kept in any case.
    """
    work = Path(recipe.work_dir)
    with clear_words(recipe):
        work.mkdir(parents=True, exist_ok=True)
        dtype = torch.float32
        # bfloat16 only where products of it and the adapters' float32 are computed in it.
        if recipe.lora.rank and fast_dtype(device) == torch.bfloat16:
            dtype = getattr(torch, recipe.lora.base_dtype)
        model = Bagel.from_checkpoint(Path(recipe.start), device=device, dtype=dtype)
        rows = Rows(recipe.data.paths, recipe.data.layout, recipe.data.split)
        config = training_config(model.config, recipe.format)
        index = load_index(work / 'index.json', rows, recipe, config, model.tokenizer)
        plan = make_plan(index, rows, recipe)
        say(describe_plan(index, plan, recipe))
        check_same_run(work / 'run.json', recipe,
                       fingerprint(rows, recipe, config, model.tokenizer))
        batches = Batches(rows, plan, recipe, config, model.tokenizer, model.vae)
        adapters = prepare(model, recipe)
        with RunLog(work / 'tensorboard', saved_step(work / f'{STATE}.pt')) as log:
            train(model, batches, recipe, log, lambda: preview(
                model, rows, index.units, recipe.seed))
        folder = Path(recipe.checkpoint)
        if adapters is not None:
            merge_adapters(model, adapters, folder / 'adapter')
        model.save_checkpoint(folder, dtype=getattr(torch, recipe.checkpoint_dtype))
    say(f'wrote {folder}')
    return folder


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
    lines += [f'left out: {count} x {reason}' for reason, count in index.skipped.most_common()]
    return '\n'.join(lines)


def train(model: Bagel, batches: Batches, recipe: FinetuneRecipe, log: RunLog,
          draw: Callable[[], np.ndarray | None]) -> None:
    """
    Train ``model`` in place; what is trained of it is chosen before, see `prepare`.

    ``draw`` returns a picture for the log; it is asked for one whenever the state was saved.
    """
    trainee = Trainee(model)

    def losses_at(step: int) -> dict[str, Tensor]:
        # Dropout in adapters draws from the global generator: the step alone decides that, too.
        torch.manual_seed(recipe.seed * 2**32 + step)
        packed = list(batches.at(step))
        losses = accumulated_losses(model, packed, recipe)
        speed = log.step(step, losses, sum(batch.samples for batch in packed),
                         sum(batch.tokens for batch in packed))
        return losses | {name: torch.tensor(value) for name, value in speed.items()}

    twice = computed_twice(model) if recipe.checkpoint_activations else nullcontext()
    with twice:
        run_stage(STATE, trainee, losses_at, steps=recipe.steps, settings=recipe.optimizer,
                  folder=Path(recipe.work_dir), save_seconds=recipe.save_seconds,
                  on_save=lambda step, _: log.picture(step, draw()))


def accumulated_losses(model: Bagel, batches: list[Batch],
                       recipe: FinetuneRecipe) -> dict[str, Tensor]:
    """
    Return the losses of a step as if its batches were one: means over all their tokens.

    All but the last batch have run backwards when this returns; the last one does so when 'loss'
    does, so that never more than one batch's activations are held.
    """
    labels = max(1, sum(len(batch.labels) for batch in batches))
    noised = max(1, sum(len(batch.noised) for batch in batches))
    ce = mse = loss = torch.zeros((), device=model.device)
    for batch in batches:
        if loss.requires_grad:
            loss.backward()
            loss = loss.detach()
        found = training_loss(model, batch.to(model.device))
        batch_ce = found.ce_tokens.sum() / labels
        batch_mse = found.mse_tokens.sum() / noised
        loss = loss + recipe.ce_weight * batch_ce + recipe.mse_weight * batch_mse
        ce, mse = ce + batch_ce.detach(), mse + batch_mse.detach()
    named = {'loss': loss, 'ce': ce}
    if any(len(batch.noised) for batch in batches):
        named['mse'] = mse
    return named


def check_same_run(path: Path, recipe: FinetuneRecipe, mark: str) -> None:
    """Raise FinetuneError if the work folder's state is of other data, or packed otherwise."""
    now = {'data': mark, 'start': recipe.start, 'batch_tokens': recipe.packing.batch_tokens,
           'window': recipe.packing.window, 'accumulate': recipe.accumulate,
           'batch_samples': recipe.packing.batch_samples}
    if path.exists() and path.with_name(f'{STATE}.pt').exists():
        # Runs from before there was such a setting had none.
        kept = {'batch_samples': 0} | json.loads(path.read_text(encoding='utf-8'))
        changed = [name for name in now if kept.get(name) != now[name]]
        if changed:
            raise FinetuneError(
                f"the state in '{path.parent}' is of a run with other settings or data "
                f'({", ".join(changed)}); give another work_dir, or delete that folder to begin '
                'anew')
    write_json(path, now)


def saved_step(path: Path) -> int:
    """Return the step that a saved state goes on with, 0 without one."""
    if not path.exists():
        return 0
    if not zipfile.is_zipfile(path):
        raise FinetuneError(f"'{path}' is damaged and cannot be gone on from; delete it to begin "
                            'anew')
    return torch.load(path, weights_only=True, map_location='meta')['step']


@contextmanager
def clear_words(recipe: FinetuneRecipe) -> Iterator[None]:
    """Turn what a full disk raises, wherever it happens, into a FinetuneError."""
    try:
        yield
    except (OSError, RuntimeError, SafetensorError) as error:
        full = (isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)
                or not isinstance(error, OSError) and any(
                    word in str(error) for word in (*_TORN_WRITES, 'No space left')))
        if not full:
            raise
        work = Path(recipe.work_dir)
        for torn in (work / f'{STATE}.tmp', *Path(recipe.checkpoint).glob('*.tmp')):
            torn.unlink(missing_ok=True)
        state = work / f'{STATE}.pt'
        kept = (f'the last good state is {state}' if state.exists()
                else 'no state had been saved yet')
        raise FinetuneError(
            f'the disk is full ({work} or {recipe.checkpoint}): {error}\n{kept}; make room, then '
            'give the same command again to go on') from error
