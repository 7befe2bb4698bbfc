# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
from dataclasses import replace
from pathlib import Path
import subprocess
import sys
from typing import Any, Literal

from ipt_ros.bagel import (
    Bagel,
    BagelConfig,
    ConfigError,
    Guidance,
    LlmConfig,
    ResizeRule,
    VaeConfig,
)
from ipt_ros.bagel.setting_types import fits, hint, in_words
import pytest


def test_saved_configuration_comes_back(golden, tmp_path):
    golden.config.save(tmp_path)
    assert BagelConfig.from_folder(tmp_path) == golden.config


def test_overrides_win(golden, tmp_path):
    golden.config.save(tmp_path)
    config = BagelConfig.from_folder(tmp_path, max_latent_size=5, vae_transform=[32, 16, 8])
    assert config.max_latent_size == 5
    assert config.vae_transform == ResizeRule(32, 16, 8)


@pytest.mark.parametrize(('file', 'content', 'message'), [
    ('llm_config.json', None, 'no such file'),
    ('vit_config.json', '{', 'not valid JSON'),
    ('bagel.json', '[]', 'expected a JSON object'),
    ('bagel.json', '{"latent_pach_size": 2}', 'unknown settings .*latent_pach_size'),
    ('bagel.json', '{"sampling": {"guidance": {"renorm": "no"}}}', 'renorm must be one of'),
    ('bagel.json', '{"sampling": 3}', 'expected an object of settings'),
])
def test_bad_files_are_named(golden, tmp_path, file, content, message):
    golden.config.save(tmp_path)
    if content is None:
        (tmp_path / file).unlink()
    else:
        (tmp_path / file).write_text(content)
    with pytest.raises(ConfigError, match=message):
        BagelConfig.from_folder(tmp_path)


def test_invalid_config_json_does_not_matter(golden, tmp_path):
    """The published checkpoint's config.json is not valid JSON."""
    golden.config.save(tmp_path)
    (tmp_path / 'config.json').write_text('{"a": 1,}')
    assert BagelConfig.from_folder(tmp_path) == golden.config


@pytest.mark.parametrize('make', [
    lambda: BagelConfig(llm=LlmConfig(hidden_size=100)),
    lambda: BagelConfig(llm=LlmConfig(num_key_value_heads=5)),
    lambda: BagelConfig(vae=VaeConfig(ch_mult=(2, 4))),
    lambda: BagelConfig(vae_transform=ResizeRule(64, 32, 8)),
    lambda: BagelConfig(vit_transform=ResizeRule(64, 32, 8)),
    lambda: BagelConfig(imagined_transform=ResizeRule(64, 64, 8)),
    lambda: Guidance(renorm='none'),
])
def test_sizes_that_do_not_fit_are_refused(make):
    with pytest.raises(ConfigError):
        make()


def test_an_activation_that_does_not_exist_is_refused_with_those_that_do(golden, model):
    vit = replace(golden.config.vit, hidden_act='relu9')
    with pytest.raises(ConfigError, match=r"'relu9'; there are: .*gelu_pytorch_tanh"):
        Bagel.from_config(golden.config.replace(vit=vit), model.tokenizer)


def test_what_makes_no_network_imports_no_library_of_networks():
    code = 'import sys, ipt_ros.bagel; print({"transformers", "diffusers"} & set(sys.modules))'
    done = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == 'set()'


def test_a_size_of_imagined_images_is_kept_and_none_is_none(golden, tmp_path):
    plain = golden.config
    assert plain.latent_rule(imagined=True) == plain.vae_transform
    small = plain.replace(imagined_transform=ResizeRule(16, 16, 8))
    for config in (plain, small):
        config.save(tmp_path)
        assert BagelConfig.from_folder(tmp_path) == config
    assert small.latent_rule(imagined=True) == ResizeRule(16, 16, 8)
    assert small.latent_rule(imagined=False) == plain.vae_transform


@pytest.mark.parametrize(('kind', 'good', 'bad'), [
    (int, [1, 0], [1.0, '1', True, None]), (float, [1, 1.5], ['1e-5', False, None]),
    (bool, [True], [1, 'yes']), (str, ['x'], [1, None]), (Path, ['x', Path('x')], [1]),
    (int | None, [None, 3], ['3']), (tuple[int, ...], [[], [1, 2]], ['12', [1.5], 3]),
    (tuple[int, int] | None, [None, [1, 2]], [[1], [1, 2, 3]]),
    (dict[str, float], [{'a': 1}], [{'a': 'b'}, {1: 1.0}, []]),
    (Literal['a', 'b'], ['a'], ['c']), (Any, [None, 'x', 3], [])])
def test_values_fit_the_types_that_settings_have(kind, good, bad):
    assert all(fits(kind, value) for value in good)
    assert not any(fits(kind, value) for value in bad)
    assert in_words(kind)


@pytest.mark.parametrize(('value', 'words'), [
    ('1e-5', 'write 1.0e-05'), ('2.5e-4', 'write 0.00025'), ('ten', ''), (3, '')])
def test_numbers_that_yaml_takes_for_texts_get_a_hint(value, words):
    assert hint(value).endswith(words) and bool(hint(value)) == bool(words)


@pytest.mark.parametrize(('value', 'kind', 'words'), [
    (False, str, "in quotes, such as 'off'"), (3, str, 'in quotes'),
    (1.5, str | None, 'in quotes'),
    (False, int, ''), (None, str, ''), (['a'], str, '')])
def test_values_that_yaml_takes_for_no_text_get_a_hint(value, kind, words):
    assert words in hint(value, kind) and bool(hint(value, kind)) == bool(words)
