# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""Two processes that torchrun started: they train as one does, stop together, go on together."""

from dataclasses import replace
import json
import os
from pathlib import Path
import subprocess
import sys
from typing import NamedTuple
from unittest import mock

from finetune_runs import logged, weights
from ipt_training import train, train_model
from ipt_training.finetune.errors import FinetuneError
from ipt_training.finetune.processes import join_processes, Processes
from ipt_training.finetune.recipe import load_finetune_recipe, ParallelSettings
from ipt_training.finetune.state import SavedState
from ipt_training.finetune.steps import share
from ipt_training.finetune.train import check_shared, finetune
import pytest
from safetensors.torch import load_file
import torch

# A large eps: else the rounding of gradients near zero, scaled up, is what is compared.
ADAMW = {'learning_rate': 1e-3, 'warmup_steps': 2, 'decay': 0.0, 'eps': 1e-4}
# Settings by name of run; each is done by one process, and by two.
SETTINGS = {
    'plain': {'steps': 3, 'accumulate': 2, 'optimizer': ADAMW | {'ema': 0.9}},
    # Two replicas of a model that is not spread; layers computed twice; dropout in adapters.
    'adapters': {
        'steps': 1, 'accumulate': 4, 'checkpoint_activations': True, 'optimizer': ADAMW,
        'lora': {'rank': 3, 'dropout': 0.2, 'base_dtype': 'float32', 'also': ['connector']},
        'parallel': {'replicas': 2}},
    # Adapters as every other layer: each process keeps a part of them.
    'spread_adapters': {
        'steps': 2, 'accumulate': 2, 'optimizer': ADAMW,
        'lora': {'rank': 3, 'base_dtype': 'float32', 'also': ['connector']}},
    # Never draws: the half of the model that draws has no gradient, and must not decay.
    'labels': {
        'steps': 1, 'accumulate': 4, 'mode': 'label-only', 'frozen': ['vit_model'],
        'optimizer': ADAMW | {'weight_decay': 0.1},
        'parallel': {'exchange': 'batch'}},
}
FAULTS = {'nan': {'steps': 1}, 'broken_shard': {'steps': 1}, 'full_disk': {'steps': 1},
          'bad_step': {'steps': 1}, 'killed': {'save_seconds': 0.0}}


class Together(NamedTuple):
    """The runs of two processes."""

    recipes: dict  # by name of run
    results: list  # of each process: what it said and how it ended, by name of run
    ended: subprocess.CompletedProcess
    left: Path  # copy of the work folder of the run that was killed


@pytest.fixture(scope='module')
def recipes(write_recipe, tmp_path_factory):
    """Return a function that returns the recipe of a run in so many processes."""
    folder = tmp_path_factory.mktemp('parallel')

    def recipe(name, processes, **changes):
        settings = SETTINGS.get(name, SETTINGS['plain']) | FAULTS.get(name, {}) | changes
        return write_recipe(folder, f'{name}-{processes}', **settings)
    return recipe


@pytest.fixture(scope='module', autouse=True)
def float32():
    """Compute without the rounding that hides what differs."""
    with mock.patch.object(train_model, 'fast_dtype', lambda device: torch.float32):
        yield


@pytest.fixture(scope='module')
def alone(recipes):
    """Return the recipes of the runs that one process did."""
    done = {}
    for name in SETTINGS:
        done[name] = load_finetune_recipe(recipes(name, 1))
        finetune(done[name], say=lambda _: None)
    return done


@pytest.fixture(scope='module')
def together(recipes, tmp_path_factory):
    """Return the recipes of the runs that two processes did, and what came of them."""
    finetune(load_finetune_recipe(recipes('begun', 2, steps=1)), say=lambda _: None)
    runs = {name: (str(recipes(name, 2)), None) for name in SETTINGS}
    runs['begun'] = str(recipes('begun', 2)), None
    runs |= {name: (str(recipes(name, 2)), name) for name in FAULTS}
    folder = tmp_path_factory.mktemp('together')
    (folder / 'runs.json').write_text(json.dumps(runs))
    ended = subprocess.run(
        [sys.executable, '-m', 'torch.distributed.run', '--standalone', '--nproc-per-node', '2',
         '--max-restarts', '1', Path(__file__).with_name('one_of_two.py'), folder],
        capture_output=True, text=True, timeout=600, env=os.environ | {'OMP_NUM_THREADS': '1'})
    return Together(
        {name: load_finetune_recipe(path) for name, (path, _) in runs.items()},
        [json.loads((folder / f'process-{rank}.json').read_text()) for rank in range(2)],
        ended, folder / 'left')


def same_weights(folder, expected, tolerance=2e-5):
    """Assert that two checkpoints agree."""
    found, wanted = (load_file(Path(place) / 'ema.safetensors') for place in (folder, expected))
    assert found.keys() == wanted.keys()
    for name, value in wanted.items():
        torch.testing.assert_close(found[name], value, atol=tolerance, rtol=0, msg=name)


@pytest.mark.parametrize('name', SETTINGS)
def test_two_processes_have_the_losses_and_the_result_of_one(name, alone, together):
    recipes, results = together.recipes, together.results
    assert [result[name]['end'] for result in results] == ['done', 'done']
    wanted, found = logged(alone[name]), logged(recipes[name])
    assert wanted.keys() == found.keys() and 'loss/loss' in found
    for tag in wanted:
        assert wanted[tag].keys() == found[tag].keys()
        if tag.startswith('loss/'):
            assert found[tag] == pytest.approx(wanted[tag], rel=1e-5)
    same_weights(recipes[name].checkpoint, alone[name].checkpoint)
    # Each had read a part of the rows.
    kept, expected = (json.loads((Path(recipe.work_dir) / 'index.json').read_text())
                      for recipe in (recipes[name], alone[name]))
    assert kept == expected


def test_only_the_first_process_says_anything(together):
    for name in SETTINGS:
        first, second = (result[name]['said'] for result in together.results)
        assert 'samples an epoch' in first[0] and first[-1].startswith('wrote')
        assert second == []


@pytest.mark.parametrize('name', ['adapters', 'spread_adapters'])
def test_exported_adapters_are_those_of_one_process(name, alone, together):
    folders = [Path(recipe.checkpoint) / 'adapter'
               for recipe in (alone[name], together.recipes[name])]
    wanted, found = (load_file(folder / 'adapter_model.safetensors') for folder in folders)
    assert wanted.keys() == found.keys()
    assert any(value.any() for name, value in found.items() if 'lora_B' in name)
    for name, value in wanted.items():
        torch.testing.assert_close(found[name], value, atol=2e-5, rtol=0, msg=name)


def test_what_never_takes_part_is_left_as_it_was(together, tiny_checkpoint):
    recipe = together.recipes['labels']
    before, after = (load_file(Path(folder) / 'ema.safetensors')
                     for folder in (tiny_checkpoint, recipe.checkpoint))
    changed = {name for name, value in before.items() if not torch.equal(value, after[name])}
    assert any('q_proj.' in name for name in changed)
    assert not any('_moe_gen' in name or 'llm2vae' in name for name in changed)


def test_two_processes_go_on_from_the_state_of_one(alone, together):
    recipes, results = together.recipes, together.results
    assert results[0]['begun']['end'] == 'done'
    assert logged(recipes['begun'])['loss/loss'] == pytest.approx(
        logged(alone['plain'])['loss/loss'], rel=1e-5)
    same_weights(recipes['begun'].checkpoint, alone['plain'].checkpoint)


@pytest.mark.parametrize(('fault', 'speaker', 'words'), [
    ('nan', 0, 'loss is nan at step 0'),
    ('bad_step', 0, 'after step 0, put there since step 0; no state had been saved'),
    ('broken_shard', 1, 'train-00001.parquet is damaged'),
    ('full_disk', 0, 'disk is full')])
def test_what_one_process_meets_stops_both_and_one_says_it(fault, speaker, words, together):
    recipes, results = together.recipes, together.results
    ends = [result[fault]['end'] for result in results]
    assert words in ends[speaker]
    assert ends[1 - speaker] == 'stopped with others'
    assert list((Path(recipes[fault].work_dir) / 'state').glob('*')) == []


def test_a_kill_while_a_state_is_written_leaves_the_last_one(together):
    state = together.left / 'state'
    assert {path.name for path in state.iterdir()} == {'step-00000001', 'unfinished'}
    assert len(list(state.glob('unfinished/*.safetensors'))) == 2
    assert SavedState(state).step == 1


def test_processes_started_anew_go_on_to_the_same_weights_bit_for_bit(together):
    killed, undisturbed = (together.recipes[name] for name in ('killed', 'plain'))
    assert together.ended.returncode == 0, together.ended.stderr
    assert weights(killed.checkpoint) == weights(undisturbed.checkpoint)
    assert together.ended.stdout.count('wrote') == 1


def test_one_process_goes_on_from_the_state_of_two(together, alone):
    recipe = replace(together.recipes['killed'], work_dir=str(together.left),
                     checkpoint=str(together.left / 'checkpoint'))
    finetune(recipe, say=lambda _: None)
    same_weights(recipe.checkpoint, alone['plain'].checkpoint)


def test_the_batches_of_a_step_are_dealt_in_turn():
    dealt = [share(5, 6, Processes(rank, 3)) for rank in range(3)]
    assert [list(numbers) for numbers in dealt] == [[30, 33], [31, 34], [32, 35]]
    assert list(share(5, 6, Processes())) == list(range(30, 36))


@pytest.mark.parametrize(('change', 'words'), [
    ({'accumulate': 3}, 'accumulate is 3.*make it a multiple of 2'),
    ({'optimizer': ADAMW | {'method': 'muon'}}, "'muon' needs whole matrices.*'adamw'")])
def test_what_two_processes_cannot_share_is_refused(change, words, recipes):
    recipe = load_finetune_recipe(recipes('unequal', 2, **change))
    with pytest.raises(FinetuneError, match=words):
        check_shared(recipe, Processes(1, 2))
    check_shared(recipe, Processes())


@pytest.mark.parametrize('arguments', [['--recipe', 'nano'], ['--dry-run']])
def test_what_takes_one_process_is_refused_under_torchrun(arguments, monkeypatch, capsys):
    monkeypatch.setenv('WORLD_SIZE', '2')
    with pytest.raises(SystemExit, match='2'):
        train.main(arguments)
    assert 'take one process; start them without torchrun' in ' '.join(
        capsys.readouterr().err.split())


@pytest.mark.parametrize(('world', 'device', 'replicas', 'words'), [
    (1, 'cuda', 1, 'no CUDA GPU answers here.*--device cpu'),
    (2, 'cuda', 1, 'no CUDA GPU answers here.*--device cpu'),
    (2, 'cuda:1', 1, 'each process takes a GPU of its own; give --device cuda'),
    (3, 'cpu', 2, 'parallel.replicas is 2, which does not divide 3 processes')])
def test_devices_and_replicas_that_cannot_be_are_refused(
        world, device, replicas, words, monkeypatch):
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: False)
    for name, value in (('WORLD_SIZE', world), ('RANK', 0), ('LOCAL_RANK', 0)):
        monkeypatch.setenv(name, str(value))
    with pytest.raises(FinetuneError, match=words), join_processes(
            device, ParallelSettings(replicas=replicas)):
        pass


GROUP = {'WORLD_SIZE': '2', 'RANK': '0', 'LOCAL_RANK': '0', 'MASTER_ADDR': '127.0.0.1',
         'MASTER_PORT': '29517'}


@pytest.fixture
def variables(monkeypatch):
    """Return a function that sets just these of the variables of torchrun."""
    def put(**given):
        for name in GROUP:
            monkeypatch.delenv(name, raising=False)
        for name, value in given.items():
            monkeypatch.setenv(name, value)
    return put


@pytest.mark.parametrize(('given', 'words'), [
    ({'WORLD_SIZE': '4'}, 'WORLD_SIZE is 4, but RANK and LOCAL_RANK are not set'),
    (GROUP | {'RANK': ''}, 'WORLD_SIZE is 2, but RANK is not set'),
    (GROUP | {'LOCAL_RANK': ' '}, 'but LOCAL_RANK is not set'),
    (GROUP | {'MASTER_ADDR': ''}, 'but MASTER_ADDR is not set'),
    (GROUP | {'MASTER_PORT': '', 'MASTER_ADDR': ''}, 'MASTER_ADDR and MASTER_PORT are not set'),
    (GROUP | {'WORLD_SIZE': 'two'}, "WORLD_SIZE is 'two', and not a whole number"),
    (GROUP | {'WORLD_SIZE': '2.0'}, "WORLD_SIZE is '2.0', and not a whole number"),
    (GROUP | {'RANK': 'first'}, "RANK is 'first', and not a whole number"),
    (GROUP | {'MASTER_PORT': 'http'}, "MASTER_PORT is 'http', and not a whole number"),
    (GROUP | {'MASTER_PORT': '99999'}, 'MASTER_PORT is 99999, which is no port'),
    (GROUP | {'WORLD_SIZE': '0'}, 'WORLD_SIZE is 0'),
    (GROUP | {'WORLD_SIZE': '-3'}, 'WORLD_SIZE is -3'),
    (GROUP | {'RANK': '2'}, 'RANK is 2, and processes count from 0; WORLD_SIZE is 2'),
    (GROUP | {'RANK': '-1'}, 'RANK is -1'),
    (GROUP | {'LOCAL_RANK': '5'}, 'LOCAL_RANK is 5'),
    ({'RANK': '3'}, 'RANK is 3, .* WORLD_SIZE is not set'),
    ({'WORLD_SIZE': '1', 'RANK': '1'}, 'RANK is 1')])
def test_a_group_of_processes_that_is_half_told_is_refused_in_a_sentence(
        given, words, variables, recipe_file, capsys):
    variables(**given)
    with pytest.raises(FinetuneError, match=f'{words}.*; start with torchrun'), join_processes(
            'cpu', ParallelSettings()):
        pass
    assert train.main(['--recipe', str(recipe_file()), '--device', 'cpu']) == 1
    assert 'start with torchrun' in (said := capsys.readouterr().err)
    assert len(said.strip().splitlines()) == 1


@pytest.mark.parametrize('given', [
    {}, {'WORLD_SIZE': ''}, {'WORLD_SIZE': ' ', 'RANK': ''}, {'WORLD_SIZE': '1'},
    {'WORLD_SIZE': ' 1 ', 'RANK': '0', 'LOCAL_RANK': '0'}, {'RANK': '0'},
    {'MASTER_ADDR': 'elsewhere', 'MASTER_PORT': 'any'},
    {'SLURM_NTASKS': '4', 'SLURM_PROCID': '2'}])
def test_a_process_alone_needs_no_variables(given, variables):
    variables(**given)
    with join_processes('cpu', ParallelSettings()) as processes:
        assert (processes.rank, processes.world) == (0, 1)
