# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""The bridge's parameters: their file, and what is refused before anything starts."""

from dataclasses import fields, replace
from pathlib import Path

from ipt_ros.nodes.sim_bridge_settings import Settings
from ipt_ros.ros.parameters import ParameterError
from ipt_sim import load_randomization
import pytest
import yaml

CONFIG = Path(__file__).parents[2] / 'config'


def test_the_shipped_file_has_every_parameter_with_its_default():
    values = yaml.safe_load((CONFIG / 'sim_bridge.yaml').read_text())
    given = values['/**/sim_bridge']['ros__parameters']
    defaults = {item.name: item.default for item in fields(Settings)}
    assert {name: tuple(value) if isinstance(value, list) else value
            for name, value in given.items()} == defaults


def test_no_randomisation_is_the_default():
    assert Settings().read_randomization() is None


@pytest.mark.parametrize('name', ['randomization.yaml', 'randomization_real.yaml'])
def test_shipped_randomisations_are_known_by_name(monkeypatch, tmp_path, name):
    monkeypatch.chdir(tmp_path)
    what = Settings(randomization=name).read_randomization()
    assert what == load_randomization(CONFIG / name)


def test_a_seed_of_its_own_replaces_that_of_the_file(tmp_path):
    path = tmp_path / 'mine.yaml'
    path.write_text('seed: 4')
    settings = Settings(randomization=str(path))
    assert settings.read_randomization().seed == 4
    assert replace(settings, randomization_seed=0).read_randomization().seed == 0


@pytest.mark.parametrize(('text', 'words'), [
    (None, 'there is no file'), ('noise: {read: 9}', r'noise\.read.*0 \.\.\. 0\.2')])
def test_a_randomisation_that_cannot_be_used_is_named_with_its_parameter(tmp_path, text, words):
    path = tmp_path / 'mine.yaml'
    if text is not None:
        path.write_text(text)
    with pytest.raises(ParameterError, match=f"'randomization': .*{words}"):
        Settings(randomization=str(path)).read_randomization()
