# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""Configurations as transformers 4 and 5 write them: read alike, or refused by name."""

import json

from hypothesis import given
from hypothesis import strategies as st
from ipt_ros.bagel import BagelConfig, ConfigError
import pytest
from transformers import Qwen2Config, SiglipVisionConfig

# As the published 7B has them, where transformers 4.43 wrote it.
PUBLISHED_LLM = {
    'architectures': ['Qwen2ForCausalLM'], 'attention_dropout': 0.0, 'bos_token_id': 151643,
    'eos_token_id': 151645, 'hidden_act': 'silu', 'hidden_size': 3584, 'initializer_range': 0.02,
    'intermediate_size': 18944, 'max_position_embeddings': 32768, 'max_window_layers': 28,
    'model_type': 'qwen2', 'num_attention_heads': 28, 'num_hidden_layers': 28,
    'num_key_value_heads': 4, 'rms_norm_eps': 1e-06, 'rope_theta': 1000000.0,
    'sliding_window': 131072, 'tie_word_embeddings': False, 'torch_dtype': 'bfloat16',
    'transformers_version': '4.43.1', 'use_cache': True, 'use_sliding_window': False,
    'vocab_size': 152064}
PUBLISHED_VIT = {
    'hidden_size': 1152, 'image_size': 980, 'intermediate_size': 4304,
    'model_type': 'siglip_vision_model', 'num_attention_heads': 16, 'num_hidden_layers': 27,
    'patch_size': 14}
YARN = {'factor': 4.0, 'original_max_position_embeddings': 64}


@pytest.fixture
def read(tmp_path):
    """Return a function that reads the published configuration with changes."""
    def write(llm=(), vit=()):
        for name, content in (('llm', PUBLISHED_LLM | dict(llm)),
                              ('vit', PUBLISHED_VIT | dict(vit))):
            (tmp_path / f'{name}_config.json').write_text(json.dumps(content))
        return BagelConfig.from_folder(tmp_path)
    return write


def without(*names):
    return {name: value for name, value in PUBLISHED_LLM.items() if name not in names}


def test_the_published_configuration_is_that_of_the_7b(read):
    assert read() == BagelConfig()


@pytest.mark.parametrize('llm', [
    {'rope_parameters': {'rope_theta': 100.0, 'rope_type': 'default'}},
    {'rope_parameters': {'rope_theta': 100}},
    {'rope_parameters': {'rope_theta': 100.0, 'rope_type': None}},
    {'rope_parameters': {'rope_theta': 100.0, 'type': 'default'}, 'rope_scaling': None},
    {'rope_parameters': {'full_attention': {'rope_theta': 100.0, 'rope_type': 'default'},
                         'sliding_attention': None}},
    {'rope_theta': 100.0}, {'rope_theta': 100.0, 'rope_scaling': {}},
    {'rope_theta': 100.0, 'rope_scaling': {'type': '', 'factor': 1.0}},
    {'rope_theta': 100.0, 'rope_scaling': {'rope_type': 'default', 'factor': 4.0}},
    {'rope_theta': 100, 'rope_parameters': {'rope_theta': 100.0, 'partial_rotary_factor': 1.0}},
    {'rope_parameters': {'rope_theta': 100.0}, 'partial_rotary_factor': None}])
def test_the_base_of_positions_is_read_wherever_it_is(llm, tmp_path):
    (tmp_path / 'llm_config.json').write_text(json.dumps(without('rope_theta') | llm))
    (tmp_path / 'vit_config.json').write_text(json.dumps(PUBLISHED_VIT))
    assert BagelConfig.from_folder(tmp_path).llm.rope_theta == 100.0


@pytest.mark.parametrize(('llm', 'words'), [
    *(({where: {key: kind, **YARN}}, rf"{where}\.{key} is '{kind}'")
      for where, key in (('rope_scaling', 'type'), ('rope_scaling', 'rope_type'),
                         ('rope_parameters', 'rope_type'))
      for kind in ('yarn', 'linear', 'dynamic', 'longrope', 'llama3', 'ntk', 'mrope', 'su')),
    ({'rope_parameters': {'full_attention': {'rope_type': 'yarn', **YARN}}},
     r"rope_parameters\.full_attention\.rope_type is 'yarn'"),
    ({'rope_scaling': {'rope_type': 'default', 'type': 'yarn'}}, r"rope_scaling\.type is 'yarn'"),
    ({'rope_scaling': {'factor': 4.0}}, r'rope_scaling\.factor is 4\.0'),
    ({'rope_scaling': {'type': 'default', 'mrope_section': [16, 24, 24]}}, 'mrope_section'),
    ({'rope_scaling': 'yarn'}, 'rope_scaling is no object'),
    ({'rope_parameters': [1]}, 'rope_parameters is no object'),
    ({'rope_parameters': {'rope_theta': 1e4}},
     r'contradicts itself: rope_theta 1000000\.0, rope_parameters\.rope_theta 10000\.0'),
    ({'rope_parameters': {'a': {'rope_theta': 1e6}, 'b': {'rope_theta': 1e4}}}, 'contradicts'),
    ({'partial_rotary_factor': 0.5}, 'partial_rotary_factor is 0.5'),
    ({'rope_parameters': {'partial_rotary_factor': 0.25}}, 'partial_rotary_factor is 0.25'),
    ({'rope_theta': 0}, 'rope_theta is 0'), ({'rope_theta': -1.0}, 'rope_theta is -1.0'),
    ({'rope_theta': '1e6'}, "rope_theta is '1e6'"), ({'rope_theta': True}, 'rope_theta is True'),
    ({'rope_theta': float('nan')}, 'rope_theta is nan'),
    ({'rope_theta': None}, 'no rope_theta, at the top or in rope_parameters'),
    ({'hidden_act': 'gelu'}, "hidden_act is 'gelu', which is not computed.*expected 'silu'"),
    ({'hidden_act': 'relu'}, "hidden_act is 'relu'"),
    ({'model_type': 'qwen3'}, "model_type is 'qwen3'.*expected 'qwen2'"),
    ({'model_type': 'llama'}, "model_type is 'llama'"),
    ({'head_dim': 64}, r'head_dim is 64.*\(3584 / 28\)'),
    ({'use_sliding_window': True, 'max_window_layers': 20}, 'use_sliding_window is True'),
    ({'layer_types': ['full_attention'] * 27 + ['sliding_attention']}, 'layer_types'),
    ({'layer_types': 'full_attention'}, 'layer_types')])
def test_what_the_decoder_does_not_compute_is_refused_by_name(read, llm, words):
    with pytest.raises(ConfigError, match=rf'llm_config\.json: .*{words}'):
        read(llm)


@pytest.mark.parametrize(('vit', 'words'), [
    ({'model_type': 'siglip2_vision_model'}, 'model_type'), ({'num_channels': 1}, 'num_channels')])
def test_what_the_encoder_does_not_compute_is_refused_by_name(read, vit, words):
    with pytest.raises(ConfigError, match=rf'vit_config\.json: {words}'):
        read(vit=vit)


@pytest.mark.parametrize('llm', [
    {'hidden_act': 'swish'}, {'hidden_act': None}, {'model_type': None}, {'head_dim': 128},
    {'head_dim': None}, {'attention_dropout': 0.1}, {'tie_word_embeddings': True},
    {'qk_norm': False, 'layer_module': 'Qwen2DecoderLayer'},
    {'use_sliding_window': True, 'sliding_window': None},
    {'use_sliding_window': True, 'max_window_layers': 28},
    {'layer_types': ['full_attention'] * 28, 'sliding_window': None},
    {'dtype': 'bfloat16', 'pad_token_id': None, 'transformers_version': '5.23.0'}])
def test_what_does_not_matter_is_no_fault(read, llm):
    assert read(llm) == BagelConfig()
    assert read(vit={'vision_use_head': False, 'attention_dropout': 0.0, 'rope': True,
                     'num_channels': 3}) == BagelConfig()


@given(theta=st.floats(1.0, 1e9), act=st.sampled_from(['silu', 'swish']))
def test_what_the_installed_transformers_writes_is_read(theta, act, tmp_path_factory):
    folder = tmp_path_factory.mktemp('written')
    for config, name in (
            (Qwen2Config(hidden_size=64, num_attention_heads=4, num_key_value_heads=2,
                         num_hidden_layers=3, rope_theta=theta, hidden_act=act), 'llm'),
            (SiglipVisionConfig(patch_size=14, image_size=112), 'vit')):
        config.save_pretrained(folder)
        (folder / 'config.json').rename(folder / f'{name}_config.json')
    found = BagelConfig.from_folder(folder)
    assert found.llm.rope_theta == theta and found.llm.num_hidden_layers == 3
    assert found.vit.image_size == 112


@pytest.mark.parametrize('changes', [
    {'rope_parameters': {'rope_type': 'yarn', 'rope_theta': 1e4, **YARN}},
    {'rope_parameters': {'rope_type': 'linear', 'rope_theta': 1e4, 'factor': 2.0}},
    {'use_sliding_window': True, 'max_window_layers': 1}, {'hidden_act': 'gelu'}])
def test_what_it_writes_of_other_models_is_refused(changes, tmp_path):
    Qwen2Config(hidden_size=64, num_attention_heads=4, num_hidden_layers=3,
                **changes).save_pretrained(tmp_path)
    (tmp_path / 'config.json').rename(tmp_path / 'llm_config.json')
    (tmp_path / 'vit_config.json').write_text(json.dumps(PUBLISHED_VIT))
    with pytest.raises(ConfigError, match='not computed here'):
        BagelConfig.from_folder(tmp_path)
