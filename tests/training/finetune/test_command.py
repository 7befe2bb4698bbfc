# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""Recipes of fine-tuning by ``ipt train``: what is said and refused, what a dry run shows."""

import cv2
from ipt_ros.bagel import pack
from ipt_ros.bagel.loss import compute
from ipt_training.finetune import dry_run
from ipt_training.finetune.batches import samples_of
from ipt_training.finetune.dry_run import estimate_memory
from ipt_training.finetune.index import make_index, Reading
from ipt_training.finetune.recipe import load_finetune_recipe
from ipt_training.finetune.rows import Rows
from ipt_training.finetune.sharding import spread_memory
from ipt_training.finetune.train import make_plan
from ipt_training.finetune.trainee import prepare
from ipt_training.memory import saved_bytes
from ipt_training.recipe import read_recipe, RecipeError, RECIPES
from ipt_training.train import build_parser, finetune_recipe, main
import pytest
import yaml

PATHS = {'start': 'a', 'checkpoint': 'b', 'work_dir': 'c', 'data': {'paths': ['d']}}


def test_the_7b_recipe_needs_paths_alone_and_has_the_published_values():
    path = RECIPES / 'finetune_7b.yaml'
    for missing in PATHS:
        changes = {name: value for name, value in PATHS.items() if name != missing}
        with pytest.raises(RecipeError, match=f'finetune_7b.yaml: {missing}.* is not given'):
            load_finetune_recipe(path, changes)
    recipe = load_finetune_recipe(path, PATHS)
    optimizer = recipe.optimizer
    assert (optimizer.learning_rate, optimizer.warmup_steps) == (1e-5, 2000)
    assert (optimizer.betas, optimizer.eps) == ((0.9, 0.95), 1e-15)
    assert (optimizer.clip, optimizer.ema, optimizer.weight_decay) == (1.0, 0.9999, 0.0)
    assert optimizer.rate(24_999, 25_000) == optimizer.rate(2000, 25_000) == 1e-5
    assert vars(recipe.dropout) == {'text': 0.1, 'vae': 0.3, 'vit': 0.3}
    assert (recipe.packing.batch_tokens, recipe.packing.sample_tokens) == (32_768, 24_576)


def test_the_nano_recipe_is_complete():
    recipe = load_finetune_recipe(RECIPES / 'finetune_nano.yaml')
    assert recipe.start == 'checkpoints/ipt-bagel-nano'


@pytest.mark.parametrize(('changes', 'words'), [
    ({'mode': 'guess'}, "mode is 'guess'; give one of label-only, text-cot, ipt, mixed"),
    ({'steps': 0}, 'steps is 0'),
    ({'packing': {'sample_tokens': 99_999}}, 'sample_tokens .99999. is more than a whole batch'),
    ({'packing': {'batch_samples': 5}}, 'batch_samples is 5; so many samples .* do not always'),
    ({'dropout': {'text': 1.5}}, 'dropout.text is 1.5'),
    ({'data': {'bad_rows': 'eat'}}, "bad_rows is 'eat'; give one of stop, skip"),
    ({'stepz': 3}, 'unknown settings .*stepz'),
    ({'steps': True}, 'steps is True; give a whole number'),
    ({'save_seconds': '10m'}, "save_seconds is '10m'; give a number$"),
    ({'data': {'paths': '/data/rooms'}}, "paths is '/data/rooms'; give a list, each a text"),
    ({'optimizer': {'learning_rate': '1e-5'}}, "learning_rate is '1e-5'.* write 1.0e-05"),
    ({'optimizer': {'betas': [0.9]}}, 'betas is .0.9.; give a list, each a number'),
    ({'optimizer': {'clip': 0}}, 'optimizer.clip is 0; give'),
    ({'optimizer': {'ema': 1.0}}, 'optimizer.ema is 1.0; give'),
    ({'mode': False}, 'mode is False; give a text; YAML takes it for no text: write it in quotes'),
    ({'checkpoint': 'checkpoints/ipt-bagel-nano'}, 'checkpoint is the same folder as start'),
    ({'checkpoint': 'runs/../checkpoints/ipt-bagel-nano/'}, 'the same folder as start'),
    ({'work_dir': 'runs/finetune_nano/checkpoint'}, "work_dir .* is in checkpoint '"),
    ({'work_dir': 'runs/finetune_nano/checkpoint/work'}, "work_dir .* is in checkpoint '"),
    ({'work_dir': 'checkpoints/ipt-bagel-nano/work'}, 'must not be in start'),
    ({'ce_weight': -1.0}, 'ce_weight is -1.0; give a number from 0 on'),
    ({'mse_weight': float('nan')}, 'mse_weight is nan; give'),
    ({'ce_weight': 0, 'mse_weight': 0}, "mode 'mixed' learns nothing"),
    ({'mode': 'label-only', 'ce_weight': 0}, "mode 'label-only' learns nothing"),
    ({'save_seconds': float('inf')}, 'no state is ever saved'),
    ({'save_seconds': -1}, 'no state is ever saved'),
    ({'loading': {'latent_cache_gib': 0, 'latent_cache': 'x'}}, "latent_cache 'x' has no room"),
    ({'lora': {'rank': -1}}, 'lora.rank is -1'),
    ({'lora': {'rank': 4, 'targets': []}}, 'names no layers'),
    ({'lora': {'rank': 4, 'also': ['']}}, 'all weights would be trained'),
    ({'lora': {'rank': 4, 'also': ['vit_model.a']}}, r'trained \(lora.also\) and not .* \(frozen'),
    ({'lora': {'also': ['vit']}}, 'lora.also is given, but no adapters'),
    ({'lora': {'rank': 4, 'alpha': 0}}, 'lora.alpha is 0')])
def test_senseless_settings_are_refused_by_name(changes, words):
    with pytest.raises(RecipeError, match=words):
        load_finetune_recipe(RECIPES / 'finetune_nano.yaml', changes)


def test_a_weight_of_images_that_none_draws_is_refused_unless_another_mode_is_asked_for(tmp_path):
    values = yaml.safe_load((RECIPES / 'finetune_nano.yaml').read_text(encoding='utf-8'))
    path = tmp_path / 'recipe.yaml'
    for mode in ('label-only', 'text-cot'):
        path.write_text(yaml.safe_dump(values | {'mode': mode, 'mse_weight': 0.5}))
        with pytest.raises(RecipeError, match=f"mode '{mode}' draws no images, so mse_weight"):
            load_finetune_recipe(path)
        assert load_finetune_recipe(path, {'mode': 'ipt'}).mse_weight == 0.5
        for change in ({}, {'mse_weight': 0}):
            path.write_text(yaml.safe_dump(values | {'mode': mode} | change))
            assert load_finetune_recipe(path).mode == mode


@pytest.mark.parametrize(('text', 'words'), [
    ('model: {vit_transform: {max_side: 64, min_side: 96, stride: 8}}',
     'model.vit_transform.min_side is 96, more than max_side, which is 64'),
    ('a: {interval: [0.9, 0.1]}', r'a.interval is \[0.9, 0.1\], which runs backwards')])
def test_a_least_above_the_most_is_refused_in_any_recipe(tmp_path, text, words):
    (tmp_path / 'recipe.yaml').write_text(text)
    with pytest.raises(RecipeError, match=words):
        read_recipe(tmp_path / 'recipe.yaml')


def test_fewer_steps_than_the_warm_up_are_told(recipe_file, capsys):
    path = recipe_file(steps=1, optimizer={'learning_rate': 1e-3, 'warmup_steps': 2})
    assert main(['--recipe', str(path), '--dry-run', '--device', 'cpu']) == 0
    assert 'warmup_steps (2) is more than steps (1)' in capsys.readouterr().out
    path = recipe_file(steps=2, optimizer={'learning_rate': 1e-3, 'warmup_steps': 2})
    assert main(['--recipe', str(path), '--dry-run', '--device', 'cpu']) == 0
    assert 'warmup_steps' not in capsys.readouterr().out


def test_options_replace_settings_of_the_recipe():
    options = build_parser().parse_args(
        ['--mode', 'ipt', '--steps', '7', '--data', 'x', 'y', '--work-dir', 'w'])
    recipe = finetune_recipe(RECIPES / 'finetune_nano.yaml', options)
    assert (recipe.mode, recipe.steps, recipe.work_dir) == ('ipt', 7, 'w')
    assert recipe.data.paths == ('x', 'y')
    assert recipe.data.questions == 2  # the recipe's own


def test_a_dry_run_says_plan_and_memory_draws_a_batch_and_trains_nothing(
        recipe_file, make_recipe, capsys):
    recipe = make_recipe()
    assert main(['--recipe', str(recipe_file()), '--dry-run', '--device', 'cpu']) == 0
    said = capsys.readouterr().out
    for words in ('mode mixed, 96 samples an epoch', '% filled', 'parameters are trained',
                  'memory on cpu: about', 'disk: up to', 'TFLOP'):
        assert words in said
    picture = cv2.imread(f'{recipe.work_dir}/first_batch.png')
    assert picture.shape[0] > 64 and picture.std() > 10
    assert sorted(path.name for path in type(RECIPES)(recipe.work_dir).iterdir()) == [
        'first_batch.png']


@pytest.fixture
def batch(make_recipe, model):
    """Return a full batch of the recipe."""
    recipe = make_recipe()
    rows = Rows(recipe.data.paths, recipe.data.layout, recipe.data.split)
    index = make_index(Reading(rows, recipe, model.config, model.tokenizer))
    samples = samples_of(make_plan(index, rows, recipe).batch(0), rows, recipe, model.config)
    return pack(samples, model.config, model.tokenizer, vae=model.vae)


@pytest.mark.parametrize('frozen', [[], ['vit_model']])
def test_the_estimate_is_near_to_what_a_batch_keeps(frozen, make_recipe, model, batch):
    recipe = make_recipe(frozen=frozen, packing={'batch_tokens': batch.tokens,
                                                 'sample_tokens': batch.tokens})
    prepare(model, recipe)
    kept = saved_bytes(lambda: compute(model, batch), model.parameters())
    found = estimate_memory(model, recipe, 'cpu', batch).activations
    assert found == pytest.approx(kept, rel=0.25)


def test_adapters_and_computing_twice_need_less_memory(make_recipe, model, batch):
    full = estimate_memory(model, make_recipe(), 'cpu', batch)
    numbers = sum(value.numel() for value in model.parameters())
    assert full.weights == 4 * numbers
    assert full.optimizer == 2 * full.gradients == 2 * full.average
    twice = estimate_memory(model, make_recipe(checkpoint_activations=True), 'cpu', batch)
    assert twice.activations < full.activations
    adapted = make_recipe(lora={'rank': 2})
    prepare(model, adapted)
    assert estimate_memory(model, adapted, 'cpu', batch).total < full.total


def test_a_dry_run_spreads_each_replica_over_its_own_share(make_recipe, monkeypatch):
    shares = []
    monkeypatch.setattr(dry_run, 'spread_memory',
                        lambda memory, model, share: shares.append(share))
    for replicas in (1, 4):
        dry_run.dry_run(make_recipe(accumulate=8, parallel={'replicas': replicas}))
    assert shares == [8, 2]


def test_spread_over_more_gpus_each_needs_less_memory(make_recipe, model, batch):
    whole = estimate_memory(model, make_recipe(), 'cuda', batch)
    few, many = (spread_memory(whole, model, count) for count in (2, 8))
    assert few.optimizer == whole.optimizer // 2 and many.average == whole.average // 8
    # What is gathered does not become less.
    gathered = [each.weights - whole.weights // count for each, count in ((few, 2), (many, 8))]
    layers = model.language_model.model.layers
    numbers = sum(value.numel() for value in model.parameters())
    assert gathered == 2 * [2 * (numbers - (len(layers) - 2) * sum(
        value.numel() for value in layers[0].parameters()))]
    assert many.activations == whole.activations


@pytest.mark.parametrize(('change', 'words'), [
    ({'start': '/nowhere'}, '/nowhere'),
    ({'data': {'paths': ['/nothing']}}, "there is no '/nothing'"),
    ({'frozen': ['']}, 'freezes everything')])
def test_what_cannot_start_says_why(change, words, recipe_file, capsys):
    assert main(['--recipe', str(recipe_file(**change)), '--device', 'cpu']) == 1
    assert words in capsys.readouterr().err


def test_no_file_and_no_yaml_are_named(tmp_path):
    with pytest.raises(RecipeError, match='no such recipe'):
        load_finetune_recipe(tmp_path / 'none.yaml')
    for text in ('name: [', 'just words'):
        path = tmp_path / 'bad.yaml'
        path.write_text(text)
        with pytest.raises(RecipeError, match='bad.yaml'):
            load_finetune_recipe(path)
    path.write_text(yaml.safe_dump({'mode': 'ipt'}))
    with pytest.raises(RecipeError, match='bad.yaml.*missing'):
        load_finetune_recipe(path)
