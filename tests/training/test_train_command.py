# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""``ipt train``: which kind of recipe it is given, and which options go with it."""

from functools import partial

from ipt_ros.bagel import TextSegment
from ipt_training.memory import adamw_memory, saved_bytes
from ipt_training.recipe import recipe_file, RECIPES
from ipt_training.sample_sheet import draw_samples_sheet
from ipt_training.train import is_from_scratch, main
import pytest
import torch
from torch import nn


@pytest.mark.parametrize(('name', 'from_scratch'), [
    ('nano.yaml', True), ('finetune_nano.yaml', False), ('finetune_7b.yaml', False)])
def test_our_recipes_are_told_apart(name, from_scratch):
    assert is_from_scratch(RECIPES / name) is from_scratch


@pytest.mark.parametrize(('text', 'words'), [
    ('steps: 3', 'this one has neither'), ('{mode: ipt, model: {}}', 'this one has both'),
    ('just words', 'expected settings by name'), ('name: [', 'not valid YAML'),
    (None, 'no such recipe')])
def test_a_file_that_is_no_recipe_is_refused_by_name(text, words, tmp_path, capsys):
    path = tmp_path / 'odd.yaml'
    if text is not None:
        path.write_text(text)
    assert main(['--recipe', str(path)]) == 1
    said = capsys.readouterr().err
    assert words in said and 'odd.yaml' in said


@pytest.mark.parametrize(('arguments', 'words'), [
    (['--stages', 'magic'], 'magic'),
    (['--mode', 'ipt'], '--mode does not apply'),
    (['--device', 'cuda'], '--device does not apply'),
    (['--data', 'a', 'b'], 'one folder'),
    (['--recipe', 'finetune_nano', '--stages', 'vae'], '--stages does not apply')])
def test_options_of_the_other_kind_are_refused(arguments, words, capsys):
    with pytest.raises(SystemExit) as end:
        main(arguments)
    assert end.value.code == 2
    assert words in capsys.readouterr().err


def test_recipes_of_ours_go_by_name_and_a_file_comes_first(tmp_path, monkeypatch):
    assert recipe_file('nano') == recipe_file('nano.yaml') == RECIPES / 'nano.yaml'
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'nano.yaml').touch()
    assert recipe_file('nano.yaml').resolve() == tmp_path / 'nano.yaml'


def test_bytes_kept_for_the_way_back_are_counted_once_and_without_weights():
    for device in ('cpu', 'meta'):
        with torch.device(device):
            layers = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))
            compute = partial(layers, torch.zeros(10, 4))
        # The input, and what comes out of the rectifier, which keeps it as the layer behind does.
        assert saved_bytes(compute, layers.parameters()) == 4 * (10 * 4 + 10 * 8)
        with torch.no_grad():
            assert saved_bytes(compute, layers.parameters()) == 0


def test_adamw_needs_four_numbers_a_trained_weight_and_one_a_frozen_one():
    frozen = nn.Linear(4, 5, bias=False).requires_grad_(False)
    parameters = [*nn.Linear(2, 5, bias=False).parameters(), *frozen.parameters()]
    memory = adamw_memory(parameters, average=True, activations=7, frozen_bytes=2)
    assert (memory.weights, memory.gradients, memory.optimizer) == (2 * 20 + 40, 40, 80)
    assert memory.total == 80 + 40 + 80 + 40 + 7


def test_samples_without_images_make_no_picture(tmp_path):
    assert not draw_samples_sheet(tmp_path / 'none.png', [[TextSegment('a')]])
    assert not (tmp_path / 'none.png').exists()
