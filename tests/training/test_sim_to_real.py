# SPDX-License-Identifier: Apache-2.0
"""The sim-to-real experiment: its plan, and all of it in miniature."""

from concurrent.futures import Executor, Future
import json
from pathlib import Path

from ipt_ros.paths import config_file
from ipt_sim import load_randomization
from ipt_training.recipe import RECIPES
from ipt_training.sim_to_real import Experiment, load_plan, main, PlanError, table
import pytest
import yaml

SHIPPED = RECIPES / 'sim_to_real.yaml'


def written(tmp_path: Path, **changes) -> Path:
    """Write a small plan with these changes; None takes a field away."""
    values = yaml.safe_load(SHIPPED.read_text()) | {'work_dir': str(tmp_path / 'work')} | changes
    path = tmp_path / 'plan.yaml'
    path.write_text(yaml.safe_dump(
        {name: value for name, value in values.items() if value is not None}, sort_keys=False))
    return path


def test_the_shipped_plan_evaluates_in_a_world_that_it_does_not_train_in():
    plan = load_plan(SHIPPED)
    trained = {item.randomization for item in plan.ingredients.values()}
    assert plan.evaluation.worlds['real'] not in trained
    for name in (trained | set(plan.evaluation.worlds.values())) - {''}:
        load_randomization(config_file(name))
    assert Experiment(plan).mixtures == plan.mixtures


@pytest.mark.parametrize(('changes', 'words'), [
    ({'stepz': 3}, 'unknown stepz'),
    ({'steps': None}, 'steps'),
    ({'steps': 0}, 'steps: expected a whole number above 0'),
    ({'steps': 'many'}, "got 'many'"),
    ({'ingredients': {'plain': {'sed': 1}}}, 'ingredients.plain: unknown sed'),
    ({'ingredients': {'plain': {'seed': 1_000_000}}, 'mixtures': {'a': {'plain': 1}}},
     'one of evaluation'),
    ({'ingredients': None}, 'ingredients'),
    ({'mixtures': {'a': {'plan': 1.0}}}, 'no ingredient is called plan'),
    ({'mixtures': {'a': {'plain': 0.9}}}, 'add up to 0.9'),
    ({'mixtures': {}}, 'must not be empty'),
    ({'evaluation': {'worlds': {'real': ''}, 'seed': 5}}, 'one of training'),
    ({'evaluation': {'seed': 1_000_000}}, 'worlds'),
    ({'evaluation': 3}, 'evaluation: expected names and values'),
])
def test_a_plan_that_makes_no_sense_is_refused_by_file_and_field(tmp_path, changes, words):
    path = written(tmp_path, **changes)
    with pytest.raises(PlanError) as caught:
        load_plan(path)
    assert str(path) in str(caught.value) and words in str(caught.value)


@pytest.mark.parametrize('text', ['', '[1]', 'a: ['])
def test_a_file_that_is_no_plan_is_refused(tmp_path, text):
    path = tmp_path / 'plan.yaml'
    path.write_text(text)
    with pytest.raises(PlanError, match='plan.yaml'):
        load_plan(path)
    with pytest.raises(PlanError, match='none.yaml'):
        load_plan(tmp_path / 'none.yaml')


def test_an_unknown_mixture_is_named(tmp_path):
    with pytest.raises(PlanError, match='no mixture is called mud; there are: plain'):
        Experiment(load_plan(written(tmp_path)), ['mud'])


def test_missing_recordings_are_said_before_anything_is_trained(tmp_path, capsys):
    path = written(tmp_path, ingredients={'recorded': {'bags': [str(tmp_path / 'none*')]}},
                   mixtures={'recorded': {'recorded': 1.0}}, examples=2)
    assert main(['--plan', str(path)]) == 1
    assert 'no recording matches' in capsys.readouterr().err


class AtOnce(Executor):
    """Works in this process and thread: starting others takes long."""

    def submit(self, fn, /, *args, **kwargs):
        future = Future()
        future.set_result(fn(*args, **kwargs))
        return future


@pytest.mark.slow
def test_the_whole_experiment_in_miniature(tmp_path, tiny_checkpoint):
    """Two mixtures of counting, trained a step each, and asked in the world of neither."""
    path = written(
        tmp_path, start=str(tiny_checkpoint), steps=1, samples={'answer-mvc': 1}, seeds=[0],
        workers=1, tasks=['mvc'], examples=4,
        mixtures={'plain': {'plain': 1.0}, 'both': {'plain': 0.5, 'randomized': 0.5}},
        evaluation={'worlds': {'real': 'randomization_real.yaml'}, 'n': 2, 'modes': ['answer']})
    work = tmp_path / 'work'
    experiment = Experiment(load_plan(path), pool=AtOnce())
    experiment.make_data()
    experiment.make_train()
    experiment.make_evaluate()

    mixture = json.loads((work / 'mixtures' / 'both' / 'mixture.json').read_text())
    assert mixture['examples'] == {'mvc': {'plain': 2, 'randomized': 2}}
    row = experiment.report()['real']['mvc answer']
    assert set(row) == {'start', 'plain', 'both'}
    assert all(figures['n'] == 2 for figures in row.values())
    assert 'difference' not in row['plain']
    low, high = row['both']['ci95']
    assert low <= row['both']['difference'] <= high
    # What is finished is not made again; the command only reports.
    weights = work / 'trained' / 'both-0' / 'checkpoint' / 'ema.safetensors'
    before = weights.stat().st_mtime_ns
    assert main(['--plan', str(path)]) == 0
    assert weights.stat().st_mtime_ns == before
    assert json.loads((work / 'sim_to_real.json').read_text()) == experiment.report()


def test_the_table_says_what_each_mixture_brings_against_the_first():
    shown = table({'real': {'pet answer': {
        'start': {'n': 500, 'accuracy': 0.4, 'difference': -0.1, 'ci95': [-0.14, -0.06]},
        'plain': {'n': 500, 'accuracy': 0.5},
        'both': {'n': 500, 'accuracy': 0.58, 'difference': 0.08, 'ci95': [0.04, 0.12]}}}})
    lines = [line for line in shown.splitlines() if 'both' in line]
    assert len(lines) == 1 and '58.0%' in lines[0] and '+8.0 [+4.0, +12.0]' in lines[0]
