# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""The mode that 'auto' stands for: the user's, else the checkpoint's, else the usual one."""

import json

from ipt_ros.bagel import CheckpointError
from ipt_ros.bagel.source import find, mark, RECOMMENDED
from ipt_ros.imagination import AskRequest, AUTO_MODE, Imagination, Options
from ipt_ros.imagination.recommended import recommended_modes
import pytest


@pytest.fixture
def folder(model, tmp_path):
    model.save_checkpoint(tmp_path / 'tiny')
    return tmp_path / 'tiny'


def recommend(folder, **modes):
    (folder / RECOMMENDED).write_text(json.dumps(
        {'fingerprint': mark(find(folder)), 'auto_mode': modes}))


def mode_of(door, views, task) -> str:
    target = (3.0, 0.5, 0.0) if task == 'pet' else None
    return door.prepare(views, AskRequest('Turn left?', task=task, target=target)).mode


def test_what_nobody_says_is_the_usual_mode(folder, views):
    door = Imagination.from_checkpoint(folder, 'cpu')
    assert recommended_modes(find(folder)) == {}
    assert {task: mode_of(door, views, task) for task in ('pet', 'mvc', 'free')} == {
        'pet': 'imagine', 'mvc': 'imagine', 'free': 'answer'}
    assert door.options.auto_mode == AUTO_MODE


def test_a_checkpoint_recommends_and_the_user_decides(folder, views):
    recommend(folder, pet='answer', mvc='answer')
    door = Imagination.from_checkpoint(
        folder, 'cpu', options=Options(auto_mode={'pet': '', 'mvc': 'imagine', 'free': ''}))
    assert {task: mode_of(door, views, task) for task in ('pet', 'mvc', 'free')} == {
        'pet': 'answer', 'mvc': 'imagine', 'free': 'answer'}
    asked = AskRequest('What?', task='free', mode='imagine')
    assert door.prepare(views, asked).mode == 'imagine'


def test_what_is_said_of_other_weights_does_not_count(folder, model):
    recommend(folder, pet='answer')
    tensors = model.state_dict()
    before = tensors['llm2vae.bias'][0].item()
    try:
        tensors['llm2vae.bias'][0] += 1.0
        model.save_checkpoint(folder)  # as training into the same folder does
    finally:
        tensors['llm2vae.bias'][0] = before
    assert (folder / RECOMMENDED).exists() and recommended_modes(find(folder)) == {}


def test_an_adapter_speaks_for_itself(folder, write_adapter, tmp_path):
    adapter = write_adapter(folder, tmp_path / 'adapter')
    recommend(folder, pet='answer')
    assert recommended_modes(find(adapter)) == {}
    recommend(adapter, mvc='answer')
    assert recommended_modes(find(adapter)) == {'mvc': 'answer'}
    assert recommended_modes(find(folder)) == {'pet': 'answer'}


@pytest.mark.parametrize('content,words', [
    ('{', 'expected an object'), ('[]', 'expected an object'),
    ('{"auto_mode": {}}', 'fingerprint'),
    ({'fingerprint': '', 'auto_mode': {'pet': 'guess'}}, "'pet' is 'guess'"),
    ({'fingerprint': '', 'auto_mode': {'chess': 'answer'}}, "'chess' is 'answer'"),
])
def test_a_damaged_file_is_named(content, words, folder):
    content = content if isinstance(content, str) else json.dumps(content)
    (folder / RECOMMENDED).write_text(content)
    with pytest.raises(CheckpointError, match=f'{RECOMMENDED}: .*{words}'):
        recommended_modes(find(folder))
