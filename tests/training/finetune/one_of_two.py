# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""
One of the processes that a test starts with torchrun.

It does several runs, one after another: FOLDER/runs.json lists recipes and what is to go wrong in
the second process; what came of each is written to FOLDER/process-RANK.json. Started anew after a
kill, it gives ``ipt train`` the last recipe again, with what is left copied to FOLDER/left before.
It computes in float32, so that results can be compared.
"""

import json
import os
from pathlib import Path
import shutil
import signal
import sys
from unittest import mock

from ipt_training import train, train_model
from ipt_training.finetune.batches import Batches
from ipt_training.finetune.errors import FinetuneError
from ipt_training.finetune.processes import StoppedWithOthers
from ipt_training.finetune.recipe import load_finetune_recipe
from ipt_training.finetune.train import finetune
from ipt_training.loop import TrainingDivergedError
from ipt_training.optimizers import Optimizers
from ipt_training.store import StoreError, write_json
import torch
import torch.distributed as dist
import torch.distributed.checkpoint as dcp

PACK, SAVE, STEP = Batches.batch, dcp.save, Optimizers.step
SECOND_SHARD = 'shard-00002-model-00001-of-00001.safetensors'


def nan(batches, number):
    """Return a batch that makes the loss no number."""
    batch = PACK(batches, number)
    batch.latents = batch.latents * float('nan')
    batch.noise = batch.noise * float('nan')
    return batch


def bad_step(optimizers, rate):
    """Put what is no number into the part that this process has of a weight."""
    STEP(optimizers, rate)
    part = next(value.to_local() for group in optimizers.all[0].param_groups
                for value in group['params'] if value.to_local().numel())
    part.detach().view(-1)[0] = torch.nan


def broken_shard(batches, number):
    """Fail as a damaged file does."""
    raise StoreError('train-00001.parquet is damaged')


def full_disk(tensors, *, storage_writer, **options):
    """Save where every write finds no space left."""
    (Path(storage_writer.path) / SECOND_SHARD).symlink_to('/dev/full')
    SAVE(tensors, storage_writer=storage_writer, **options)


def killed(tensors, *, storage_writer, **options):
    """End without a word between writing a second state and giving it its name."""
    SAVE(tensors, storage_writer=storage_writer, **options)
    if (Path(storage_writer.path).parent / 'step-00000001').exists():
        os.kill(os.getpid(), signal.SIGKILL)


FAULTS = {
    'bad_step': mock.patch.object(Optimizers, 'step', bad_step),
    'nan': mock.patch.object(Batches, 'batch', nan),
    'broken_shard': mock.patch.object(Batches, 'batch', broken_shard),
    'full_disk': mock.patch.object(dcp, 'save', full_disk),
    'killed': mock.patch.object(dcp, 'save', killed),
}


def attempt(recipe, fault, rank):
    """Do a run; return what was said and how it ended."""
    said = []
    if fault and rank == 1:
        FAULTS[fault].start()
    try:
        finetune(load_finetune_recipe(recipe), 'cpu', said.append)
        end = 'done'
    except (FinetuneError, StoreError, TrainingDivergedError) as error:
        end = str(error)
    except StoppedWithOthers:
        end = 'stopped with others'
    if fault and rank == 1:
        FAULTS[fault].stop()
    return {'said': said, 'end': end}


def main(folder):
    """Do the runs that the folder lists, or the last one again."""
    runs = json.loads((folder / 'runs.json').read_text(encoding='utf-8'))
    rank = int(os.environ['RANK'])
    if int(os.environ['TORCHELASTIC_RESTART_COUNT']):
        recipe = list(runs.values())[-1][0]
        if rank == 0:
            shutil.copytree(load_finetune_recipe(recipe).work_dir, folder / 'left')
        return train.main(['--device', 'cpu', '--recipe', recipe])
    dist.init_process_group('gloo')
    results = {}
    for name, (recipe, fault) in runs.items():
        results[name] = attempt(recipe, fault, rank)
        # Whole at any moment: torchrun ends this process when the other one is killed.
        write_json(folder / f'process-{rank}.json', results)
    return 1  # the last run was to be killed


if __name__ == '__main__':
    torch.set_num_threads(1)
    with mock.patch.object(train_model, 'fast_dtype', lambda device: torch.float32):
        sys.exit(main(Path(sys.argv[1])))
