# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""`ipt collect`: what it refuses, and how it goes on in a folder."""

import json

from ipt_ros.cli import main
from ipt_ros.collect import pool
from ipt_ros.collect.options import DriveOptions, RESULT, SceneOptions
import pytest

RESULT_OF_A_SCENE = {
    'scene': 0, 'seconds': 1.0, 'distance_m': 1.0, 'messages': 5, 'bytes': 1000, 'dropped': 0,
    'lost': 0}


@pytest.mark.parametrize(('arguments', 'reason'), [
    (['--seconds', '0'], '--seconds'),
    (['--linear', '-1'], '--linear'),
    (['--radius', 'nan'], '--radius'),
    (['--dwell', '-1'], '--dwell'),
    (['--scenes', '0'], '--scenes'),
    (['--seed', '-1'], '--seed'),
    (['--set', 'backend'], 'expected NAME=VALUE'),
    (['--set', 'seed=3'], '--seed and --scenes'),
    (['--no-sim', '--scenes', '2'], 'for simulated robots'),
    (['--poses', 'nowhere.csv'], 'nowhere.csv'),
    (['--recorder-params', 'nowhere.yaml'], 'nowhere.yaml'),
    (['--out', '/proc/nothing'], '/proc/nothing'),
])
def test_what_cannot_be_is_refused_with_the_reason(arguments, reason, tmp_path, capsys):
    assert main(['collect', '--out', str(tmp_path), *arguments]) == 2
    assert reason in capsys.readouterr().err


def test_folder_of_other_options_is_not_mixed_with_these(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(pool, 'collect', lambda scenes, jobs, progress: ([], {}))
    base = ['collect', '--out', str(tmp_path)]
    assert main([*base, '--seconds', '30']) == 0
    assert main([*base, '--seconds', '30', '--scenes', '5', '--jobs', '2', '--seed', '3']) == 0
    assert main([*base, '--seconds', '31', '--set', 'frame_rate=2.0']) == 2
    said = capsys.readouterr().err
    assert 'drive.seconds: 30.0 -> 31.0' in said
    assert "bridge.frame_rate: None -> '2.0'" in said


def test_truth_of_the_simulator_can_be_left_out(tmp_path, monkeypatch):
    taken = []
    monkeypatch.setattr(
        pool, 'collect', lambda scenes, jobs, progress: (taken.extend(scenes) or [], {}))
    main(['collect', '--out', str(tmp_path), '--no-truth'])
    assert taken[0].drive.recorder['exclude'] == ['ground_truth/*', 'top_down/*']


def test_options_come_back_from_json():
    scene = SceneOptions('a', 3, {'backend': 'mujoco'}, DriveOptions(
        poses=((1.0, 2.0, 0.5),), recorder={'exclude': ['x']}, recorder_files=('a.yaml',)))
    import dataclasses
    assert SceneOptions.from_json(json.loads(json.dumps(dataclasses.asdict(scene)))) == scene


def test_failed_scene_does_not_stop_the_others_and_is_named(tmp_path, capsys):
    done = tmp_path / 'scene_0000000'
    done.mkdir(parents=True)
    (done / RESULT).write_text(json.dumps(RESULT_OF_A_SCENE))
    code = main(['collect', '--out', str(tmp_path), '--scenes', '2', '--set', 'backend=nothing'])
    said = capsys.readouterr()
    assert code == 1
    assert '1 scene(s) are there already' in said.out and '1 of 2 scenes' in said.out
    assert 'scene 1 failed' in said.out and 'expected one of' in said.out
    assert '1 scene(s) failed: 1' in said.err
