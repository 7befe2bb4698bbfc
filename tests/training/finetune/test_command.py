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
from ipt_training.recipe import RecipeError, RECIPES
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
    ({'optimizer': {'ema': 1.0}}, 'optimizer.ema is 1.0; give')])
def test_senseless_settings_are_refused_by_name(changes, words):
    with pytest.raises(RecipeError, match=words):
        load_finetune_recipe(RECIPES / 'finetune_nano.yaml', changes)


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
