# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""YAML that people write is read strictly, by every command that takes some."""

from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from ipt_ros.collect.poses import PosesError, read_poses
from ipt_ros.yaml_files import read_yaml, YamlError
from ipt_sim import load_randomization, RandomizationError
from ipt_training.datasets.options_file import load_options
from ipt_training.experiment.recipe import load_experiment
from ipt_training.finetune.recipe import load_finetune_recipe
from ipt_training.recipe import load_recipe, RecipeError, RECIPES
from ipt_training.sim_to_real.plan import load_plan
from ipt_training.store import StoreError
import pytest
import yaml

TEXTS = st.text('aAyYnNoO01é<*&:-\'" ', max_size=5)


def written(folder: Path, text: str) -> Path:
    path = folder / 'some.yaml'
    path.write_text(text, encoding='utf-8')
    return path


@pytest.mark.parametrize(('text', 'words'), [
    ('a: 1\nb: 2\na: 3\n', "'a' is given twice, in line 1 and in line 3"),
    ('a:\n  b: 1\n  c: {d: 1, e: 2,\n    d: 3}\n', "'d' is given twice, in line 3 and in line 4"),
    ('- {a: 1, "a": 2}\n', "'a' is given twice, in line 1 and in line 1"),
    ('1: x\n0x1: y\n', "'0x1' is given twice"),
    ('yes: x\ntrue: y\n', "'true' is given twice"),
    ('x: &m {a: 1}\ny:\n  <<: *m\n  b: 1\n  <<: *m\n', "'<<' is given twice, in line 3"),
    ('x: &m {a: 1, a: 2}\ny: {<<: *m}\n', "'a' is given twice"),
    ('a: 1\n---\na: 2\n', 'another document'),
    ('a:\n\tb: 1\n', 'line 2'),
    ('a: [1\n', 'line 2'),
    ('a: !!python/object/apply:os.system ["true"]\n', 'could not determine a constructor'),
    ('a: 2024-13-45\n', 'month'),
    ('a: ' + '[' * 3000, 'nested too deeply'),
    ('a: *nobody\n', 'nobody'),
])
def test_what_yaml_would_lose_or_misread_is_an_error_with_its_line(tmp_path, text, words):
    with pytest.raises(YamlError, match=words):
        read_yaml(written(tmp_path, text))


@pytest.mark.parametrize(('text', 'value'), [
    ('a: &m {b: 1, c: 2}\nd: {<<: *m, b: 3}\n',
     {'a': {'b': 1, 'c': 2}, 'd': {'b': 3, 'c': 2}}),
    ('d: {<<: [&m {b: 1}, &n {b: 2, c: 2}]}\ne: {<<: *n, b: 5}\nf: *m\n',
     {'d': {'b': 1, 'c': 2}, 'e': {'b': 5, 'c': 2}, 'f': {'b': 1}}),
    ('a: {b: 1}\nc: {b: 1}\n', {'a': {'b': 1}, 'c': {'b': 1}}),
    ('---\na: 1\n...\n', {'a': 1}),
    ('\ufeffa: 1\r\nb: 2\r\n', {'a': 1, 'b': 2}),
    ('- 1\n- 2\n', [1, 2]), ('', None), ('# nothing\n', None), ('word', 'word'),
])
def test_the_rest_of_yaml_is_read_as_ever(tmp_path, text, value):
    assert read_yaml(written(tmp_path, text)) == value


def test_an_anchor_inside_of_itself_ends(tmp_path):
    found = read_yaml(written(tmp_path, 'a: &a\n  b: *a\n'))
    assert found['a']['b'] is found['a']


@settings(max_examples=60, deadline=None)
@given(st.recursive(st.none() | st.booleans() | st.integers() | TEXTS,
                    lambda inner: st.lists(inner, max_size=3)
                    | st.dictionaries(TEXTS, inner, max_size=3), max_leaves=12))
def test_what_yaml_writes_comes_back(tmp_path_factory, value):
    folder = tmp_path_factory.getbasetemp()
    assert read_yaml(written(folder, yaml.safe_dump(value, allow_unicode=True))) == value


READERS = {
    'finetune_nano': (load_finetune_recipe, RecipeError),
    'nano': (load_recipe, RecipeError),
    'experiment': (load_experiment, RecipeError),
    'sim_to_real': (load_plan, RecipeError),
}
OTHERS = [(load_randomization, RandomizationError, 'seed: 1\n'),
          (load_options, StoreError, 'pet_pixels: 64\n'),
          (read_poses, PosesError, 'poses: [[0, 0, 0]]\n')]


@pytest.mark.parametrize('name', READERS)
def test_every_recipe_is_read_strictly(tmp_path, name):
    read, error = READERS[name]
    text = (RECIPES / f'{name}.yaml').read_text(encoding='utf-8')
    read(written(tmp_path, text))
    for wrong, words in ((text + '\nwork_dir: elsewhere\n', "'work_dir' is given twice, in line "),
                         (text + '\n---\na: 1\n', 'another document'),
                         ('', 'expected settings by name, found an empty file'),
                         ('- a\n- b\n', 'expected settings by name'),
                         (text + '\n\tx: 1\n', 'line ')):
        with pytest.raises(error, match=words) as caught:
            read(written(tmp_path, wrong))
        assert 'some.yaml' in str(caught.value)
    with pytest.raises(error, match='some.yaml'):
        read(tmp_path / 'some.yaml' / 'none')


@pytest.mark.parametrize(('read', 'error', 'text'), OTHERS)
def test_every_other_file_is_read_strictly(tmp_path, read, error, text):
    read(written(tmp_path, text))
    for wrong in (text + text, text + '---\n' + text, '', text + '\n\tx: 1\n'):
        with pytest.raises(error, match='some.yaml'):
            read(written(tmp_path, wrong))
