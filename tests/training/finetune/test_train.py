# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""Runs: what is trained, the same losses after a kill, and clear words when something breaks."""

from dataclasses import replace
import json
import os
from pathlib import Path
import shutil
import signal
import subprocess
import sys
import time

from finetune_runs import logged, saved, weights
from ipt_ros.bagel import Bagel, CheckpointError, Dropout, imagine, read_prompt
from ipt_training import locking, train_model
from ipt_training.finetune.batches import Batches
from ipt_training.finetune.errors import FinetuneError
from ipt_training.finetune.index import make_index, Reading
from ipt_training.finetune.recipe import load_finetune_recipe
from ipt_training.finetune.rows import Rows
from ipt_training.finetune.samples import training_config
from ipt_training.finetune.state import SavedState
from ipt_training.finetune.steps import accumulated_losses
from ipt_training.finetune.train import finetune, make_plan
from ipt_training.finetune.trainee import computed_twice, prepare, Trainee
from ipt_training.locking import only_one
from ipt_training.loop import TrainingDivergedError
from ipt_training.optimizers import Optimizers
from ipt_training.store import save_shard, StoreError
import pytest
from safetensors import safe_open
from safetensors.torch import load_file, save_file
import torch
import torch.distributed.checkpoint as dcp


def batches_of(recipe, model):
    rows = Rows(recipe.data.paths)
    config = training_config(model.config, recipe.format)
    index = make_index(Reading(rows, recipe, config, model.tokenizer))
    return Batches(rows, make_plan(index, rows, recipe), recipe, config, model.tokenizer,
                   model.vae)


@pytest.fixture(scope='module')
def undisturbed(write_recipe, tmp_path_factory):
    """Return the recipe of a run that nothing disturbed."""
    recipe = load_finetune_recipe(write_recipe(tmp_path_factory.mktemp('runs'), 'straight'))
    finetune(recipe)
    return recipe


@pytest.fixture
def copied(undisturbed, tmp_path):
    """Return its recipe for a copy of its folders, to be damaged."""
    shutil.copytree(Path(undisturbed.work_dir).parent, tmp_path / 'straight')
    return replace(undisturbed, work_dir=str(tmp_path / 'straight/work'),
                   checkpoint=str(tmp_path / 'straight/checkpoint'))


@pytest.mark.parametrize('mode', ['label-only', 'text-cot', 'ipt', 'mixed'])
def test_every_mode_trains_what_it_should(mode, make_recipe, model):
    recipe = make_recipe(mode=mode)
    batches = batches_of(recipe, model)
    batch = batches.batch(0)
    losses = accumulated_losses(Trainee(model), {0: batch}, recipe)
    draws = mode in ('ipt', 'mixed')
    assert ('mse' in losses) == draws == bool(len(batch.noised))
    assert batch.tokens <= recipe.packing.batch_tokens
    assert losses['ce'] > 0
    assert (model.llm2vae.weight.grad is not None) == draws


def test_batches_are_the_same_in_another_process_of_thought(make_recipe, model):
    recipe = make_recipe()
    first, second = (batches_of(recipe, model).batch(5) for _ in range(2))
    for name in ('text_ids', 'latents', 'times', 'noise', 'labels', 'lines'):
        assert torch.equal(getattr(first, name), getattr(second, name))


def test_accumulated_batches_have_the_gradient_of_one_large_batch(
        make_recipe, model, monkeypatch):
    monkeypatch.setattr(train_model, 'fast_dtype', lambda device: torch.float32)
    recipe = make_recipe(mode='text-cot', dropout=vars(Dropout()))
    batches = batches_of(recipe, model)
    samples = batches.plan.batch(0)
    assert len({unit.tokens for unit in samples}) > 1
    whole = accumulated_losses(Trainee(model), {0: batches.batch(0)}, recipe)
    expected = {name: value.grad.clone() for name, value in model.named_parameters()
                if value.grad is not None}
    model.zero_grad()
    monkeypatch.setattr(batches.plan, 'batch', lambda number: [samples[number]])
    parts = {number: batches.batch(number) for number in range(len(samples))}
    losses = accumulated_losses(Trainee(model), parts, recipe)
    assert torch.allclose(losses['ce'], whole['ce'])
    for name, gradient in expected.items():
        found = dict(model.named_parameters())[name].grad
        assert torch.allclose(found, gradient, atol=1e-5, rtol=1e-3), name


def test_layers_computed_twice_give_the_same_gradients(make_recipe, model):
    recipe = make_recipe(mode='ipt')
    batch = batches_of(recipe, model).batch(0)
    accumulated_losses(Trainee(model), {0: batch}, recipe)
    expected = {n: p.grad.clone() for n, p in model.named_parameters() if p.grad is not None}
    model.zero_grad()
    with computed_twice(model):
        accumulated_losses(Trainee(model), {0: batch}, recipe)
    for name, gradient in expected.items():
        assert torch.equal(dict(model.named_parameters())[name].grad, gradient), name
    assert 'forward' not in vars(model.language_model.model.layers[0])


def test_a_stopped_run_goes_on_to_the_same_losses_and_weights(
        make_recipe, undisturbed, monkeypatch):
    recipe = make_recipe('stopped', save_seconds=0.0)
    pack = Batches.batch

    def stopped(self, number):
        if number == 2:
            raise KeyboardInterrupt
        return pack(self, number)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Batches, 'batch', stopped)
        finetune(recipe)
    assert not Path(recipe.checkpoint).exists()
    finetune(recipe)
    assert weights(recipe.checkpoint) == weights(undisturbed.checkpoint)
    for name in ('loss/loss', 'loss/ce', 'loss/mse'):
        assert logged(recipe)[name] == logged(undisturbed)[name]
    assert set(logged(recipe)['loss/loss']) == set(range(4))


@pytest.mark.slow
def test_a_killed_process_goes_on_to_the_same_weights(make_recipe, recipe_file, undisturbed):
    recipe = make_recipe('killed', save_seconds=0.0)
    state = SavedState(Path(recipe.work_dir) / 'state')
    with subprocess.Popen(
            [sys.executable, '-m', 'ipt_training.train', '--device', 'cpu', '--recipe',
             str(recipe_file('killed', save_seconds=0.0))],
            env=os.environ | {'OMP_NUM_THREADS': str(torch.get_num_threads())},
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        while not state.exists() and process.poll() is None:
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
    assert state.exists()
    finetune(recipe)
    assert weights(recipe.checkpoint) == weights(undisturbed.checkpoint)


def test_the_finished_folder_loads_and_differs_only_in_what_was_trained(make_recipe, model):
    recipe = make_recipe(frozen=['vit_model', 'connector'], steps=2)
    trained = Bagel.from_checkpoint(finetune(recipe))
    assert trained.config == model.config
    old, new = model.state_dict(), trained.state_dict()
    changed = {name.split('.')[0] for name in old if not torch.equal(old[name], new[name])}
    assert {'language_model', 'vae2llm', 'llm2vae', 'time_embedder'} == changed


def test_names_that_freeze_nothing_are_refused(make_recipe, model):
    with pytest.raises(FinetuneError, match="begins with 'vitmodel'.*vit_model"):
        prepare(model, make_recipe(frozen=['vitmodel']))


@pytest.mark.parametrize('also', [[], ['connector']])
def test_adapters_alone_are_trained_and_saved_and_merged(also, make_recipe, model):
    recipe = make_recipe(
        steps=3, lora={'rank': 4, 'base_dtype': 'float32', 'also': also}, save_seconds=0.0)
    folder = finetune(recipe)
    names = {name for name in saved(recipe)[1] if name.startswith('module.')}
    assert names and all('lora_' in name or 'connector' in name for name in names)
    old, new = model.state_dict(), Bagel.from_checkpoint(folder).state_dict()
    assert old.keys() == new.keys()
    changed = {name for name in old if not torch.equal(old[name], new[name])}
    assert changed
    assert all('_proj' in name or also and name.startswith('connector') for name in changed)
    assert {path.name for path in (folder / 'adapter').iterdir()} >= {
        'adapter_config.json', 'adapter_model.safetensors'}


def test_unknown_adapter_targets_are_refused(make_recipe, model):
    with pytest.raises(FinetuneError, match='lora.targets'):
        prepare(model, make_recipe(lora={'rank': 2, 'targets': ['nothing']}))


def test_a_state_of_other_parameters_is_refused(copied):
    with pytest.raises(FinetuneError, match='trains other parameters.*work_dir'):
        finetune(replace(copied, frozen=('vit_model',), steps=5))


def test_a_state_is_not_gone_on_from_with_other_batches(copied):
    with pytest.raises(FinetuneError, match='batch_tokens.*another work_dir'):
        finetune(replace(copied, packing=replace(copied.packing, batch_tokens=900)))


def test_a_state_is_not_gone_on_from_with_other_frozen_weights(copied, model, tmp_path):
    start = shutil.copytree(copied.start, tmp_path / 'start')
    same = replace(copied, start=str(start))
    path = Path(copied.work_dir) / 'run.json'
    path.write_text(json.dumps(json.loads(path.read_text()) | {'start': same.start}))
    finetune(same)
    model.vae2llm.weight.data.mul_(2)
    model.save_checkpoint(start)
    with pytest.raises(FinetuneError, match='(weights).*another work_dir'):
        finetune(same)


def test_a_damaged_state_is_named(copied):
    shard, = Path(copied.work_dir).glob('state/*/*.safetensors')
    whole = shard.read_bytes()
    # The length alone tells the first, reading tells the second.
    for broken in (whole[:1000], bytes(1000) + whole[1000:]):
        shard.write_bytes(broken)
        with pytest.raises(FinetuneError, match='step-00000004.*damaged.*begin anew'):
            finetune(copied)
    shard.unlink()
    with pytest.raises(FinetuneError, match='step-00000004.*damaged.*No such file'):
        finetune(copied)


def test_a_full_disk_keeps_the_last_state_and_the_run_goes_on_later(
        make_recipe, undisturbed, monkeypatch):
    recipe = make_recipe('full', save_seconds=0.0)
    state = SavedState(Path(recipe.work_dir) / 'state')
    save = dcp.save

    def on_a_full_disk(tensors, *, storage_writer, **options):
        if state.step == 3:  # every write to it: no space left on device
            shard = Path(storage_writer.path) / 'shard-00001-model-00001-of-00001.safetensors'
            shard.symlink_to('/dev/full')
        save(tensors, storage_writer=storage_writer, **options)

    with monkeypatch.context() as patch, pytest.raises(
            FinetuneError, match='disk is full(?s:.*)last good state(?s:.*)make room'):
        patch.setattr(dcp, 'save', on_a_full_disk)
        finetune(recipe)
    assert [path.name for path in state.folder.iterdir()] == ['step-00000003']
    assert saved(recipe)[0] == 3
    finetune(recipe)
    assert weights(recipe.checkpoint) == weights(undisturbed.checkpoint)


def test_a_loss_that_is_no_number_stops_and_keeps_the_last_state(make_recipe, monkeypatch):
    recipe = make_recipe('nan', save_seconds=0.0)
    pack = Batches.batch

    def poisoned(self, number):
        batch = pack(self, number)
        if number == 2:
            batch.noise[0, 0] = float('nan')
        return batch

    monkeypatch.setattr(Batches, 'batch', poisoned)
    with pytest.raises(TrainingDivergedError, match='step 2.*last good state'):
        finetune(make_recipe('nan', save_seconds=0.0, mode='ipt', accumulate=1))
    step, tensors = saved(recipe)
    assert step == 2
    assert all(value.isfinite().all() for value in tensors.values())


def spoiling(after):
    """Return a step of optimizers that puts what is no number into a weight after so many."""
    step, done = Optimizers.step, []

    def spoiled(self, rate):
        step(self, rate)
        done.append(rate)
        if len(done) > after:
            self.all[0].param_groups[0]['params'][0].data[0] = float('nan')
    return spoiled


@pytest.mark.parametrize('after', [2, 3])  # the last step is the fourth
def test_a_weight_that_is_no_number_reaches_neither_state_nor_checkpoint(
        after, undisturbed, make_recipe, monkeypatch):
    recipe = make_recipe('straight', save_seconds=0.0)
    with monkeypatch.context() as patch:
        patch.setattr(Optimizers, 'step', spoiling(after))
        with pytest.raises(TrainingDivergedError, match=(
                rf'NaN or infinity in .* after step {after}, .*the last good state is .*state, of '
                rf'step {after}; lower')):
            finetune(recipe)
    step, tensors = saved(recipe)
    assert step == after
    assert all(value.isfinite().all() for value in tensors.values())
    assert not Path(recipe.checkpoint).exists()
    finetune(recipe)
    assert weights(recipe.checkpoint) == weights(undisturbed.checkpoint)


def test_a_state_that_is_not_good_is_refused_with_what_to_do(copied, undisturbed):
    state = Path(copied.work_dir) / 'state'
    path, = state.glob('step-*/*.safetensors')
    tensors = load_file(path)
    name = next(name for name in tensors if name.startswith('module.'))
    tensors[name].view(-1)[0] = float('nan')
    save_file(tensors, path, spoilt_metadata(path))
    shutil.rmtree(copied.checkpoint)
    with pytest.raises(TrainingDivergedError, match=(
            rf'NaN or infinity in {name.removeprefix("module.")}.*state of step 4: .*delete '
            rf'{state} to begin anew')):
        finetune(copied)
    assert not Path(copied.checkpoint).exists()
    shutil.rmtree(state)
    finetune(copied)
    assert weights(copied.checkpoint) == weights(undisturbed.checkpoint)


def spoilt_metadata(path):
    """Return what a file of a state says of itself."""
    with safe_open(path, 'pt') as file:
        return file.metadata()


@pytest.mark.parametrize('lora', [{}, {'rank': 2}])
def test_nothing_is_exported_that_the_type_of_the_checkpoint_cannot_hold(
        lora, make_recipe, monkeypatch):
    recipe = make_recipe('narrow', steps=1, checkpoint_dtype='bfloat16', lora=lora,
                         optimizer={'learning_rate': 1e-3})
    step = Optimizers.step

    def large(self, rate):
        step(self, rate)
        for value in self.all[0].param_groups[0]['params'][:2]:
            value.data.fill_(3.4e38)

    monkeypatch.setattr(Optimizers, 'step', large)
    with pytest.raises(CheckpointError, match='is not written: NaN or infinity'):
        finetune(recipe)
    assert not list(Path(recipe.checkpoint).glob('*.safetensors'))


def test_a_shard_that_breaks_during_the_run_stops_it_by_name(
        make_recipe, data_folder, tmp_path, monkeypatch):
    data = tmp_path / 'data'
    shutil.copytree(data_folder, data)
    recipe = make_recipe('broken', save_seconds=0.0, data={'paths': [str(data)]})
    pack = Batches.batch

    def breaks(self, number):
        if number == 2:
            self._rows._held.clear()
            for shard in data.rglob('*.parquet'):
                whole = shard.read_bytes()
                shard.write_bytes(whole[:4] + bytes(len(whole) // 2) + whole[4 + len(whole) // 2:])
        return pack(self, number)

    monkeypatch.setattr(Batches, 'batch', breaks)
    with pytest.raises(StoreError, match=r'train-0000\d.parquet(?s:.*)damaged'):
        finetune(recipe)
    assert saved(recipe)[0] == 2


def index_of(recipe, model):
    return make_index(Reading(Rows(recipe.data.paths), recipe, model.config, model.tokenizer))


def test_bad_rows_stop_the_run_or_are_counted(make_recipe, model, tmp_path, make_examples):
    import cv2
    import pyarrow as pa
    import pyarrow.parquet as pq
    done, png = cv2.imencode('.png', make_examples(0).images[0])
    good = {'image_list': [png.tobytes()], 'num_input_images': 1,
            'instruction_list': ['Which?\n(A) this\n(B) that'],
            'output_text_list': ['<answer>A</answer>']}
    pq.write_table(pa.Table.from_pylist([good, good | {'image_list': [b'x']}, good]),
                   tmp_path / 'published.parquet')
    data = {'paths': [str(tmp_path / 'published.parquet')]}
    with pytest.raises(StoreError, match='row 1.*image'):
        index_of(make_recipe(mode='label-only', data=data), model)
    data['bad_rows'] = 'skip'
    index = index_of(make_recipe(mode='label-only', data=data), model)
    assert [unit.row for unit in index.units] == [0, 2]
    assert index.skipped == {'image_list: image does not decode': 1}
    with pytest.raises(FinetuneError, match="'ipt'.*no image to imagine"):
        index_of(make_recipe(mode='ipt', data=data), model)


@pytest.mark.parametrize(('column', 'value'), [
    ('image_list', [b'x']), ('metadata', 'not JSON'), ('metadata', '{}')])
def test_bad_rows_of_our_own_layout_are_named_or_left_out(
        column, value, make_recipe, model, tmp_path, make_examples):
    import pyarrow as pa
    import pyarrow.parquet as pq
    path = tmp_path / 'pet' / 'train-00000.parquet'
    save_shard(path, [make_examples(number) for number in range(3)])
    table = pq.read_table(path)
    rows = table.to_pylist()
    rows[1][column] = value
    pq.write_table(pa.Table.from_pylist(rows, table.schema), path)
    data = {'paths': [str(path)]}
    with pytest.raises(StoreError, match='train-00000.parquet.*row 1'):
        index_of(make_recipe(mode='label-only', data=data), model)
    data['bad_rows'] = 'skip'
    index = index_of(make_recipe(mode='label-only', data=data), model)
    assert {unit.row for unit in index.units} == {0, 2}


def test_a_checkpoint_trained_to_imagine_smaller_does_so(make_recipe, model, make_examples):
    recipe = make_recipe('small', mode='ipt', steps=1, format={'imagined_side': 16})
    trained = Bagel.from_checkpoint(finetune(recipe))
    assert trained.config.sampling.image_size == (16, 16)
    assert trained.config.latent_rule(imagined=True).max_side == 16
    assert trained.config.vae_transform == model.config.vae_transform
    prompt = read_prompt(trained, system='', images=make_examples(0).images, question='?',
                         mode='imagine')
    assert imagine(prompt, replace(trained.config.sampling, steps=2)).shape == (16, 16, 3)


def test_what_the_model_imagines_is_logged(undisturbed):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    found = EventAccumulator(str(Path(undisturbed.work_dir) / 'tensorboard')).Reload()
    last = found.Images('imagined')[-1]
    # What it saw, the truth, and what it imagined, at the size that the checkpoint draws.
    assert (last.step, last.height, last.width) == (4, 32, 96)


def test_speed_is_logged_beside_the_losses(undisturbed):
    scalars = logged(undisturbed)
    assert set(scalars['speed/tokens_per_s']) == set(scalars['speed/samples_per_s']) == set(
        range(1, 4))
    assert set(scalars['speed/mfu']) == set(range(1, 4))
    assert all(value > 0 for name in ('tokens_per_s', 'mfu')
               for value in scalars[f'speed/{name}'].values())
    assert json.loads((Path(undisturbed.work_dir) / 'run.json').read_text())['accumulate'] == 1


def test_a_second_run_in_the_folder_of_one_that_works_is_refused(make_recipe, monkeypatch):
    monkeypatch.setattr(locking, '_PATIENCE', 0.0)
    recipe = make_recipe()
    work = Path(recipe.work_dir)
    with only_one(work), pytest.raises(StoreError, match='another process works in'):
        finetune(recipe, 'cpu')
    assert [path.name for path in work.iterdir()] == ['.lock']
