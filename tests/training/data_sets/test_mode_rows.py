# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""Rows of other modes beside a data set, as published ones are read."""

import json

from ipt_ros.spatial.prompts import ANSWER_ONLY_PROMPT, THINK_PROMPT
from ipt_sim import make_simulator, RenderingUnavailableError
from ipt_training.datasets.build import build, Plan
from ipt_training.datasets.command import main
from ipt_training.datasets.mode_rows import mode_folder, PROMPTS, write_mode_rows
from ipt_training.datasets.published import load_published
from ipt_training.datasets.simulated import SimulatedScenes
from ipt_training.examples import ExampleOptions
from ipt_training.store import load_examples, shard_paths, split_of_shard, StoreError
import numpy as np
import pyarrow.parquet as pq
import pytest
import thin_air


@pytest.fixture(scope='module')
def rooms(tmp_path_factory):
    """Build a small data set of all tasks from simulated rooms; return its folder and recipe."""
    try:
        make_simulator('mujoco').close()
    except RenderingUnavailableError as error:
        pytest.skip(f'no simulator: {error}')
    out = tmp_path_factory.mktemp('sets') / 'rooms'
    tasks = ('pet', 'pt', 'mvc')
    options = ExampleOptions(supersample=1, pet_pixels=48, mvc_pixels=48, map_pixels=48,
                             pt_pixels=48)
    plan = Plan(tasks, 6, SimulatedScenes(tasks, options=options, unit=2),
                {'train': 0.4, 'validation': 0.3, 'test': 0.3})
    card = build(plan, out, 1, {})
    return out, card['recipe']


@pytest.mark.parametrize('mode', PROMPTS)
def test_rows_of_a_mode_load_as_published_ones_and_say_what_their_examples_say(rooms, mode):
    folder, recipe = rooms
    assert write_mode_rows(folder, recipe, mode) == {'rows': 6}
    for split in {split_of_shard(path) for path in shard_paths(folder)}:
        rows = load_published(mode_folder(folder, mode) / split)
        for row, example in zip(rows, load_examples(folder, split=split), strict=True):
            question = example.questions[0]
            assert row.questions[0].text == question.text
            assert row.questions[0].answer == question.answer
            assert row.target is None
            np.testing.assert_array_equal(np.stack(row.images), np.stack(example.images))
            thought = row.metadata.get('chain_of_thought', '')
            closing = thought.rpartition('. ')[2]
            assert question.answer in closing if mode == 'text-cot' else not thought


def test_label_only_rows_have_the_think_prompt_and_answer_only_rows_their_own(rooms):
    folder, recipe = rooms
    for mode, prompt in (('label-only', THINK_PROMPT), ('answer-only', ANSWER_ONLY_PROMPT)):
        write_mode_rows(folder, recipe, mode)
        file = next(mode_folder(folder, mode).rglob('*.parquet'))
        assert pq.read_table(file)['instruction_list'][0].as_py()[0] == prompt


def test_a_folder_of_something_else_is_left_alone(rooms):
    folder, recipe = rooms
    write_mode_rows(folder, recipe, 'text-cot')
    kept = {path: path.read_bytes() for path in mode_folder(folder, 'text-cot').rglob('*.*')}
    with pytest.raises(StoreError, match='something else than the text-cot rows'):
        write_mode_rows(folder, recipe | {'seed': -1}, 'text-cot')
    assert kept == {
        path: path.read_bytes() for path in mode_folder(folder, 'text-cot').rglob('*.*')}
    assert write_mode_rows(folder, recipe, 'text-cot') == {'rows': 6}
    assert kept == {
        path: path.read_bytes() for path in mode_folder(folder, 'text-cot').rglob('*.*')}


def test_rows_without_a_chain_are_left_out_counted_and_end_with_1(
        tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(
        'ipt_training.datasets.command.build',
        lambda plan, out, *_: build(Plan(('pet',), 4, thin_air.ThinAir(('pet',))), out, 1, {}))
    code = main(['build', '--tasks', 'pet', '--n', '4', '--modes', 'text-cot,label-only',
                 '--out', str(tmp_path / 'set')])
    shown = capsys.readouterr().out
    assert code == 1
    assert 'text-cot: 4 rows left out, pet: what is stored of the scene' in shown
    assert 'wrote 4 rows' in shown
    assert json.loads((tmp_path / 'set-label-only' / 'dataset.json').read_text())['mode']
