# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""What an evaluation recommends is what a robot's node then does."""

import shutil

from ipt_ros.bagel.source import find
from ipt_ros.imagination.recommended import recommended_modes
from ipt_training import evaluate
from ipt_training.evaluation.errors import EvaluationError
from ipt_training.evaluation.recommend import better_modes, recommend
import pytest


def measured(**shares):
    return {mode.replace('_', '-'): {'accuracy': share, 'n': 300, 'chance': 0.5}
            for mode, share in shares.items()}


RESULTS = {'pet': measured(answer=0.6, imagine=0.7, oracle=0.9),
           'mvc': measured(answer=0.5, imagine=0.5), 'pt': measured(answer=0.5)}


def test_the_more_accurate_mode_is_better_and_of_equals_the_quicker():
    assert better_modes(RESULTS) == {'pet': 'imagine', 'mvc': 'answer'}
    assert better_modes({'pet': measured(answer=None, imagine=0.9)}) == {}


def test_the_node_does_what_was_written(checkpoint, write_adapter, tmp_path):
    folder = shutil.copytree(checkpoint, tmp_path / 'tiny')
    adapter = write_adapter(folder, tmp_path / 'adapter')
    for source in (folder, adapter):
        path = recommend(source, RESULTS)
        assert path.parent == source
        assert recommended_modes(find(source)) == {'pet': 'imagine', 'mvc': 'answer'}


def test_what_cannot_be_recommended_is_said(checkpoint):
    with pytest.raises(EvaluationError, match='--modes answer,imagine'):
        recommend(checkpoint, {'pet': measured(imagine=0.9)})
    with pytest.raises(EvaluationError, match="'owner/name' is no folder"):
        recommend('owner/name', RESULTS)


def test_the_command_recommends_when_it_is_told_to(checkpoint, tmp_path, monkeypatch, capsys):
    folder = shutil.copytree(checkpoint, tmp_path / 'tiny')
    results = {task: {mode: {**row, 'ci95': [0.4, 0.8], 'blind': 0.5}
                      for mode, row in modes.items()} for task, modes in RESULTS.items()}
    monkeypatch.setattr(evaluate, 'evaluate', lambda *arguments: results)
    arguments = ['--checkpoint', str(folder), '--out', str(tmp_path / 'out')]
    assert evaluate.main(arguments) == 0
    assert not (folder / 'recommended.json').exists()
    assert evaluate.main([*arguments, '--recommend']) == 0
    assert f"wrote {folder / 'recommended.json'}" in capsys.readouterr().out
