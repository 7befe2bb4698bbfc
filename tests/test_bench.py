# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
import math

from ipt_ros import cli
from ipt_ros.bench import bridge, model, run, suite, table
import pytest


def test_run_collects_every_figure_and_names_the_machine(monkeypatch, tmp_path):
    monkeypatch.setattr(bridge, 'measure', lambda: {'frames': 40.0})
    monkeypatch.setattr(model, 'measure', lambda checkpoint, repeats: {'tokens': 90.0})
    monkeypatch.setattr(suite, 'training_samples_per_second', lambda checkpoint: 5.5)
    measured = run(tmp_path / 'nano', 2)

    assert measured['figures'] == {
        'frames': 40.0, 'tokens': 90.0, 'training samples a second': 5.5}
    assert 'core' in measured['machine'] and measured['checkpoint'] == 'nano'
    shown = table(measured)
    assert measured['machine'] in shown
    for line in ('frames', '40.000', 'training samples a second', '5.500'):
        assert line in shown


def test_a_broken_checkpoint_ends_with_a_word(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(suite.bridge, 'measure', dict)
    assert cli.main(['bench', '--checkpoint', str(tmp_path)]) == 1
    assert f'{tmp_path}/llm_config.json: no such file' in capsys.readouterr().err


def test_model_figures_are_of_runs_that_happened(tiny_checkpoint):
    figures = model.measure(tiny_checkpoint, 1)
    assert {'seconds to answer', 'seconds to imagine', 'seconds a step of imagining',
            'tokens a second'} <= set(figures)
    assert all(math.isfinite(value) and value > 0 for value in figures.values())
    assert figures['steps of imagining'] == 3  # four time points
    assert figures['seconds to imagine'] > 2 * figures['seconds a step of imagining']


@pytest.mark.ros
@pytest.mark.slow
def test_bridge_figures_are_of_frames_that_were_drawn_and_arrived(ros_domain, monkeypatch):
    monkeypatch.setattr(bridge, 'SECONDS', 2.0)
    alone, through, share = bridge.measure().values()
    assert alone > 0 and through > 0
    assert share == pytest.approx(through / alone)
