# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""The sim-to-real experiment: its plan, and all of it in miniature."""

import json

from box_world import BoxWorld
from ipt_ros.paths import config_file
from ipt_sim import load_randomization
from ipt_sim.protocol import SceneObject, surround_cameras
from ipt_training.experiment.errors import ExperimentError
from ipt_training.experiment.recipe import replaced
from ipt_training.recipe import read_recipe, RecipeError, RECIPES
from ipt_training.sim_to_real.command import main, report, run
from ipt_training.sim_to_real.data import make_data
from ipt_training.sim_to_real.plan import load_plan
import pytest
from simulated_bags import drive, record, Settings
import yaml

SHIPPED = RECIPES / 'sim_to_real.yaml'


def test_the_shipped_plan_evaluates_in_a_world_that_it_does_not_train_in():
    plan = load_plan(SHIPPED)
    trained = {item.randomization for item in plan.ingredients.values()}
    assert plan.worlds['real'] not in trained
    for name in (trained | set(plan.worlds.values())) - {''}:
        load_randomization(config_file(name))
    assert any(item.bags for item in plan.ingredients.values())
    assert plan.first == 'plain' and len(plan.seeds) >= 2


@pytest.mark.parametrize(('changes', 'words'), [
    ({'stepz': 3}, 'unknown settings .*stepz'),
    ({'training': {'steps': 0}}, 'steps is 0'),
    ({'training': {'mode': 'guess'}}, "mode is 'guess'"),
    ({'ingredients': {'plain': {'sed': 1}}}, "unknown settings .'sed'"),
    ({'ingredients': {'plain': {'seed': 1_000_000}}}, 'one of evaluation'),
    ({'mixtures': {'plain': {'plan': 1.0}}}, 'no ingredient is called plan'),
    ({'mixtures': {'plain': {'plain': 0.9}}}, 'add up to 0.9'),
    ({'mixtures': {'plain': {'plain': 1.5, 'randomized': -0.5}}}, 'a share is from 0 to 1'),
    ({'ingredients': {'randomized': {'bags': ['x']}}}, 'bags are recordings as they are'),
    ({'seeds': [1, 1]}, 'seeds: expected different'),
    ({'training': {'data': {'split': 'test'}}}, "training.data.split is 'test'"),
    ({'training': {'mode': 'label-only', 'mse_weight': 1.0}}, 'draws no images'),
    ({'asking': {'modes': ['answer'], 'samples': 3}}, 'asking.samples is 3, but only'),
    ({'worlds': 0}, 'worlds: must not be empty'),
    ({'examples': 'many'}, "examples is 'many'; give a whole number"),
    ({'asking': {'seed': 5}}, 'one of training'),
    ({'tasks': ['sofa']}, 'tasks: expected some of'),
])
def test_a_plan_that_makes_no_sense_is_refused_by_file_and_field(changes, words):
    with pytest.raises(RecipeError, match=words) as caught:
        load_plan(SHIPPED, changes)
    assert str(SHIPPED) in str(caught.value)


def test_a_field_that_is_missing_is_named(tmp_path):
    path = tmp_path / 'plan.yaml'
    path.write_text(yaml.safe_dump({name: value for name, value in read_recipe(SHIPPED).items()
                                    if name != 'examples'}))
    with pytest.raises(RecipeError, match='plan.yaml: .*examples'):
        load_plan(path)


def test_an_unknown_mixture_is_named():
    with pytest.raises(RecipeError, match='no mixture is called mud; there are: plain'):
        load_plan(SHIPPED).only(('mud',))


def test_missing_recordings_are_said_before_anything_is_made(tmp_path, capsys):
    path = tmp_path / 'plan.yaml'
    path.write_text(yaml.safe_dump(replaced(read_recipe(SHIPPED), {
        'work_dir': str(tmp_path / 'work'),
        'ingredients': {'recorded': {'bags': [str(tmp_path / 'none*')]}}})))
    assert main(['--plan', str(path), '--workers', '1']) == 1
    assert 'no recording matches' in capsys.readouterr().err
    assert not (tmp_path / 'work' / 'ingredients').exists()


@pytest.fixture(scope='module')
def bag(tmp_path_factory):
    """Return a short recording of a robot that knows no simulator's truth."""
    world = BoxWorld([SceneObject(10, 'box', (0.4, -0.9, 0.3), (0.4, 0.4, 0.6), 0.0, 'red')])
    world.reset(3)
    way = drive([(-1.0, -1.8), (0.6, -1.8)])
    return record(tmp_path_factory.mktemp('bags') / 'drive', world, way,
                  Settings(surround_cameras(48)))


@pytest.fixture
def small(tmp_path, tiny_checkpoint, bag):
    """Return the file of a plan with all three ingredients that takes seconds."""
    path = tmp_path / 'plan.yaml'
    path.write_text(yaml.safe_dump(read_recipe(SHIPPED) | {
        'work_dir': str(tmp_path / 'work'), 'page': str(tmp_path / 'page.md'),
        'start': str(tiny_checkpoint), 'seeds': [0], 'tasks': ['pet'], 'examples': 4,
        'ingredients': {'plain': {}, 'recorded': {'bags': [f'{bag}*']},
                        'randomized': {'seed': 200000, 'randomization': 'randomization.yaml'}},
        'mixtures': {'plain': {'plain': 1.0},
                     'all': {'plain': 0.5, 'randomized': 0.25, 'recorded': 0.25}},
        'worlds': {'real': 'randomization_real.yaml'},
        'asking': {'n': 2, 'modes': ['answer'], 'reference': 4},
        'training': {'steps': 1, 'optimizer': {'learning_rate': 1e-3},
                     'packing': {'batch_tokens': 4096, 'sample_tokens': 2048}}}, sort_keys=False))
    return path


@pytest.mark.slow
def test_the_whole_experiment_in_miniature(small, tmp_path, at_once, capsys):
    """Simulated, randomised and recorded examples, asked in the world of none of them."""
    work = tmp_path / 'work'
    with pytest.raises(ExperimentError, match="'recorded' gave .* mixtures take 1000; record mo"):
        make_data(load_plan(small, {'examples': 4000}), 1, at_once)
    assert not (work / 'ingredients' / 'plain').exists()  # said before anything is simulated
    plan = load_plan(small)
    assert run(plan, 1, pool=at_once) == 0
    mixture = json.loads((work / 'mixtures' / 'all' / 'mixture.json').read_text())
    assert mixture['examples'] == {'pet': {'plain': 2, 'randomized': 1, 'recorded': 1}}
    numbers = json.loads((tmp_path / 'page.json').read_text())
    cells = numbers['scores']['real']['pet']['answer']
    assert set(cells) == {'start', 'plain', 'all'}
    assert all(cell['n'] == 2 for cell in cells.values())
    assert {row['second'] for row in numbers['against']['real']} == {'start', 'all'}
    page = (tmp_path / 'page.md').read_text()
    assert 'missing' not in page and 'all against plain' in page
    # What is finished is not made again.
    weights = work / 'runs' / 'all-0' / 'checkpoint' / 'ema.safetensors'
    before = weights.stat().st_mtime_ns
    assert run(plan, 1, pool=at_once) == 0
    assert weights.stat().st_mtime_ns == before
    assert 'all 5 pieces are done' in capsys.readouterr().out
    # A page of mixtures that were never trained says so.
    report(load_plan(small, {'seeds': [0, 1]}))
    assert '2 of 5 runs are missing' in (tmp_path / 'page.md').read_text()
