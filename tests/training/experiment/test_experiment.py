# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""The experiment: its recipe, all of it in miniature, killed and gone on with."""

from dataclasses import replace
import json
import os
from pathlib import Path
import re
import signal
import subprocess
import sys
import time

from ipt_ros.bagel import BagelError
from ipt_training.experiment import command, runs
from ipt_training.experiment.errors import ExperimentError
from ipt_training.experiment.pieces import do
from ipt_training.experiment.plan import pieces_of, runs_of
from ipt_training.experiment.recipe import load_experiment, replaced
from ipt_training.experiment.results import collect
from ipt_training.recipe import read_recipe, RecipeError, RECIPES
import pytest
import yaml

SHIPPED = RECIPES / 'experiment.yaml'


@pytest.fixture
def small(tmp_path, tiny_checkpoint):
    """Return settings of an experiment on counting that takes seconds."""
    return replaced(command.QUICK, {
        'work_dir': str(tmp_path / 'work'), 'page': str(tmp_path / 'page.md'),
        'start': str(tiny_checkpoint), 'tasks': ['mvc'], 'modes': ['label-only', 'text-cot'],
        'data': {'examples': 4}, 'asking': {'modes': ['answer', 'text-cot'], 'n': 2},
        'training': {'steps': 15, 'packing': {'sample_tokens': 2048, 'batch_tokens': 4096},
                     'save_seconds': 0.0}})


def test_the_shipped_recipe_is_the_papers_experiment():
    recipe = load_experiment(SHIPPED)
    assert recipe.modes == ('label-only', 'text-cot', 'ipt', 'mixed')
    assert recipe.tasks == ('pet', 'pt', 'mvc') and len(recipe.seeds) >= 2
    assert set(recipe.asking.modes) == {'answer', 'answer-vae', 'imagine', 'text-cot', 'oracle'}
    assert recipe.asking.n >= 500
    pieces = pieces_of(recipe)
    assert len({piece.name for piece in pieces}) == len(pieces) == 1 + 2 * 4 * len(recipe.seeds)
    # Equal steps of equally many samples, whatever a mode's samples are like.
    trained = [piece.settings for piece in pieces if piece.step == 'train']
    alike = {json.dumps({name: values[name] for name in (
        'steps', 'accumulate', 'packing', 'data', 'optimizer', 'start')}) for values in trained}
    assert len(alike) == 1 and trained[0]['packing']['batch_samples'] > 0


@pytest.mark.parametrize(('changes', 'words'), [
    ({'seedz': 3}, 'unknown settings .*seedz'),
    ({'modes': ['ipt', 'guess']}, 'modes: expected some of label-only'),
    ({'tasks': []}, 'tasks: expected some of'),
    ({'seeds': [1, 1]}, 'seeds: expected different'),
    ({'asking': {'n': 0}}, 'asking.n: expected a whole number above 0, got 0'),
    ({'asking': {'seed': 5}}, 'asking.seed 5 is one of training'),
    ({'asking': {'modes': ['dream']}}, 'asking.modes: expected some of answer'),
    ({'asking': {'dtype': 'float16'}}, 'asking.dtype: expected some of float32, bfloat16'),
    ({'data': {'seed': 1_000_000}}, 'data.seed 1000000 is one of evaluation'),
    ({'training': {'steps': 0}}, 'steps is 0'),
    ({'training': {'data': {'split': 'test'}}}, "training.data.split is 'test'"),
    ({'asking': {'modes': ['answer'], 'samples': 3}}, 'asking.samples is 3, but only'),
    ({'training': {'stepz': 1}}, 'stepz'),
    ({'training': 3}, 'experiment.yaml: '),
])
def test_a_recipe_that_makes_no_sense_is_refused_by_name(changes, words):
    with pytest.raises(RecipeError, match=words) as caught:
        load_experiment(SHIPPED, changes)
    assert str(SHIPPED) in str(caught.value)


def test_a_page_of_nothing_says_what_is_missing(small, tmp_path, capsys):
    recipe = load_experiment(SHIPPED, small)
    command.report(recipe)
    page = (tmp_path / 'page.md').read_text()
    assert '3 of 3 runs are missing' in page
    assert '`text-cot-0`: training not begun, not asked' in page
    assert 'of 0 of 3 runs' in capsys.readouterr().out


def test_a_run_is_known_by_what_decides_its_weights(tmp_path, tiny_checkpoint):
    recipe = load_experiment(SHIPPED, {'start': str(tiny_checkpoint)})

    def settings(**changes):
        return runs.training(tmp_path, runs.run_recipe(
            tmp_path, replaced(recipe.training, changes), 'ipt', 0, tiny_checkpoint,
            [tmp_path])).settings

    same = settings()
    assert settings(loading={'latent_cache_gib': 0.0}, save_seconds=3.0) == same
    assert 'accumulate' in same and 'checkpoint_activations' not in same  # the usual one
    assert settings(steps=3)['steps'] == 3
    assert settings(optimizer={'learning_rate': 1.0}) != same


def test_a_mode_in_which_a_model_cannot_be_asked_is_a_result_with_its_reason(
        tmp_path, monkeypatch):
    asked = []

    def evaluate(plan, out):
        asked.append(tuple(plan.modes))
        if 'imagine' in plan.modes:
            raise BagelError('cannot draw')

    monkeypatch.setattr(runs, 'evaluate', evaluate)
    plan = runs.Asking(modes=('answer', 'imagine')).plan(tmp_path, ['mvc'], tmp_path, tmp_path)
    piece = runs.asking(tmp_path, plan)
    assert do(piece) == ''
    assert asked == [('answer', 'imagine'), ('answer',), ('imagine',)]
    assert runs.not_applicable(tmp_path / 'results') == {'imagine': 'cannot draw'}
    # Where no mode works, it is not the mode that is wrong.
    monkeypatch.setattr(runs, 'evaluate', lambda plan, out: evaluate(
        replace(plan, modes=('imagine',)), out))
    assert do(piece) == 'BagelError: cannot draw'


@pytest.mark.slow
def test_the_whole_experiment_in_miniature_killed_and_gone_on_with(small, tmp_path, at_once,
                                                                   capsys):
    """Data of the simulator, two modes, a kill, the questions, the page; then nothing again."""
    path = tmp_path / 'recipe.yaml'
    path.write_text(yaml.safe_dump(replaced(read_recipe(SHIPPED), small)))
    recipe = load_experiment(path)
    command.make_data(recipe, 1, at_once)
    run = tmp_path / 'work' / 'label-only-0'
    with subprocess.Popen(
            [sys.executable, '-m', 'ipt_training.experiment', '--recipe', str(path),
             '--workers', '1', '--device', 'cpu'], env=os.environ | {'OMP_NUM_THREADS': '1'},
            stdout=subprocess.DEVNULL) as process:
        while not any(run.glob('work/state/step-*')) and process.poll() is None:
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
    # The worker ends with it, so that nobody else writes here when the next one begins.
    while _is_open(run / 'train.log'):
        time.sleep(0.1)
    assert not json.loads((run / 'train.json').read_text())['finished']
    assert not (run / 'checkpoint').exists()

    assert command.run(recipe, 1, pool=at_once) == 0
    _, _, again = (run / 'train.log').read_text().split('train label-only-0')
    assert 0 < int(re.search(r'finetune:.*?(\d+)/15', again)[1]) < 15
    for run in runs_of(recipe):
        assert (run.folder / 'results' / 'results.json').exists()
        if run.mode != 'base':
            for name in ('recipe.yaml', 'train.log', 'checkpoint/ema.safetensors'):
                assert (run.folder / name).exists()
    numbers = json.loads((tmp_path / 'page.json').read_text())
    assert numbers == collect(recipe)
    assert all(run['trained'] and run['asked'] for run in numbers['runs'].values())
    cells = numbers['scores']['mvc']
    assert set(cells) == {'base', 'label-only', 'text-cot'}
    assert all(cell['n'] == 2 for asked in cells.values() for cell in asked.values())
    assert [(row['first'], row['second']) for row in numbers['between']] == [
        ('label-only', 'text-cot')]
    page = (tmp_path / 'page.md').read_text()
    assert 'missing' not in page and '| text CoT |' in page and '62.3' in page

    weights = tmp_path / 'work' / 'text-cot-0' / 'checkpoint' / 'ema.safetensors'
    before = weights.stat().st_mtime_ns
    capsys.readouterr()
    assert command.run(recipe, 1, pool=at_once) == 0
    assert weights.stat().st_mtime_ns == before
    assert 'all 5 pieces are done' in capsys.readouterr().out
    with pytest.raises(ExperimentError, match='steps: 15 there, 16 now'):
        command.run(load_experiment(SHIPPED, replaced(small, {'training': {'steps': 16}})), 1)
    # When the first checkpoint is another one by now, the page says so, and shows what there is.
    command.report(load_experiment(path, {'start': str(tmp_path / 'other')}))
    assert 'other settings than the recipe has now: start' in (tmp_path / 'page.md').read_text()


def _is_open(path: Path) -> bool:
    """Tell whether a process has a file open."""
    for link in Path('/proc').glob('[0-9]*/fd/*'):
        try:
            if link.resolve() == path.resolve():
                return True
        except OSError:
            continue
    return False
