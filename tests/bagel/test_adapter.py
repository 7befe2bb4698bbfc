# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""A model loaded from an adapter is what peft makes of base and adapter; misfits are named."""

from copy import deepcopy
import json
import os
import shutil

import huggingface_hub
from ipt_ros.bagel import Bagel, CheckpointError, imagine, read_prompt, Sampling, score_texts
from ipt_ros.bagel.adapter import BASE_FINGERPRINT, CONFIG, WEIGHTS
from ipt_ros.bagel.source import find
from ipt_ros.bagel.weight_files import fingerprint, weight_files
import numpy as np
from peft import get_peft_model, LoraConfig
import pytest
from safetensors.torch import load_file, save_file
import torch

# peft looks for what transformers' models have.
pytestmark = pytest.mark.filterwarnings('ignore::UserWarning:peft')

QUERY = 'language_model.model.layers.1.self_attn.q_proj_moe_gen.weight'
DOWN = 'base_model.model.model.layers.1.self_attn.q_proj_moe_gen.lora_A.weight'
TARGETS = r'.*\.[qv]_proj(_moe_gen)?'


@pytest.fixture(scope='module')
def base(model, tmp_path_factory):
    """Write a whole checkpoint; everything here only reads it."""
    folder = tmp_path_factory.mktemp('base') / 'base'
    model.save_checkpoint(folder)
    return folder


@pytest.fixture(scope='module')
def make_adapter(model, base, tmp_path_factory):
    """Return a function that lets peft write an adapter with random weights; also its model."""
    def make(name, whole=False, **settings):
        wrapped = deepcopy(model).requires_grad_(False)
        adapters = get_peft_model(
            wrapped if whole else wrapped.language_model,
            LoraConfig(**{'r': 4, 'lora_alpha': 6, 'target_modules': TARGETS} | settings))
        adapters.peft_config['default'].base_model_name_or_path = str(base)
        torch.manual_seed(len(name))
        with torch.no_grad():
            for parameter in adapters.parameters():
                if parameter.requires_grad:
                    parameter.add_(torch.randn(parameter.shape), alpha=0.1)
        folder = tmp_path_factory.mktemp('adapters') / name
        adapters.save_pretrained(folder)
        return folder, wrapped.eval()
    return make


@pytest.fixture(scope='module')
def plain(make_adapter):
    """Return the folder of an ordinary adapter and peft's model of it; only read."""
    return make_adapter('plain')


@pytest.fixture(scope='module')
def other(make_adapter):
    """Return the folder of another one, of other layers."""
    return make_adapter('another', target_modules=['o_proj', 'q_proj_moe_gen'])[0]


@pytest.fixture
def adapter(plain, tmp_path):
    """Return a copy of the ordinary one to spoil."""
    return shutil.copytree(plain[0], tmp_path / 'adapter')


def change_tensors(folder, change, **metadata):
    tensors = load_file(folder / WEIGHTS)
    change(tensors)
    save_file(tensors, folder / WEIGHTS, metadata={'format': 'pt', **metadata})


def change_settings(folder, **changes):
    settings = json.loads((folder / CONFIG).read_text())
    (folder / CONFIG).write_text(json.dumps({**settings, **changes}))


def mark(folder, base):
    """Let an adapter say which weights it was trained on."""
    change_tensors(folder, lambda tensors: None,
                   **{BASE_FINGERPRINT: fingerprint(weight_files(base))})


def same(one, two) -> bool:
    return all(torch.equal(value, two.state_dict()[name])
               for name, value in one.state_dict().items())


def outputs(model):
    """Return what a model thinks of two answers, and what it imagines; both experts are in it."""
    grey = np.full((32, 32, 3), 127, np.uint8)
    prompt = read_prompt(model, system='', images=[grey], question='?', mode='imagine')
    image = imagine(prompt, Sampling(steps=3, image_size=(32, 32)), seed=1)
    return score_texts(prompt.context, ['A', 'B chair']), image.astype(float)


@pytest.mark.parametrize('name,settings', [
    ('plain', {}),
    ('list', {'target_modules': ['k_proj', 'down_proj']}),
    ('rank stabilised', {'use_rslora': True}),
    ('patterns', {'rank_pattern': {'layers.1.self_attn.q_proj': 2},
                  'alpha_pattern': {'v_proj_moe_gen': 3}}),
    ('whole model', {'whole': True, 'target_modules': TARGETS + '|vae2llm'}),
    ('in full', {'whole': True, 'modules_to_save': ['connector', 'llm2vae']}),
    ('biases', {'bias': 'all'}),
    ('embedding', {'target_modules': ['embed_tokens', 'lm_head']}),
])
def test_a_merged_model_does_what_peft_does(name, settings, make_adapter, model):
    folder, wrapped = make_adapter(name, **settings)
    merged = Bagel.from_checkpoint(folder)
    assert merged.state_dict().keys() == model.state_dict().keys()
    # Log-probabilities, and levels of pixels, which may be rounded the other way.
    for found, expected, before, most in zip(
            outputs(merged), outputs(wrapped), outputs(model), (1e-4, 1.0)):
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=most)
        assert not np.allclose(found, before, rtol=1e-3, atol=most)


def test_merging_is_exact_to_the_last_bit_of_its_type(plain, base):
    wide = load_file(base / 'ema.safetensors')[QUERY]
    tensors = load_file(plain[0] / WEIGHTS)
    added = tensors[DOWN.replace('lora_A', 'lora_B')] @ tensors[DOWN] * (6 / 4)
    assert torch.equal(Bagel.from_checkpoint(plain[0]).state_dict()[QUERY], wide + added)
    narrow = Bagel.from_checkpoint(plain[0], dtype=torch.bfloat16)
    assert torch.equal(narrow.state_dict()[QUERY], (wide + added).bfloat16())


def test_settings_of_the_adapter_count_before_those_of_the_base(adapter, model):
    assert Bagel.from_checkpoint(adapter).config == model.config
    changed = model.config.replace(sampling=Sampling(steps=7))
    changed.save_extras(adapter)
    assert Bagel.from_checkpoint(adapter).config == changed


# Which base

def test_fingerprints_stay_with_the_weights_whatever_the_files(model, base, tmp_path):
    known = fingerprint(weight_files(base))
    narrow = tmp_path / 'narrow'
    model.save_checkpoint(narrow, torch.bfloat16)
    assert fingerprint(weight_files(narrow)) == known
    tensors = load_file(base / 'ema.safetensors')
    shards = tmp_path / 'shards'
    shards.mkdir()
    halves = {'a.safetensors': sorted(tensors)[::2], 'b.safetensors': sorted(tensors)[1::2]}
    for file, names in halves.items():
        save_file({name: tensors[name] for name in names}, shards / file)
    (shards / 'model.safetensors.index.json').write_text(json.dumps({
        'weight_map': {name: file for file, names in halves.items() for name in names}}))
    assert fingerprint(weight_files(shards)) == known
    tensors[QUERY] += 0.01
    save_file(tensors, narrow / 'ema.safetensors')
    assert fingerprint(weight_files(narrow)) != known


def test_the_base_may_lie_beside_the_adapter(adapter, base, plain):
    shutil.copytree(base, adapter.parent / 'base')
    change_settings(adapter, base_model_name_or_path='../base')
    assert find(adapter).folder.resolve() == (adapter.parent / 'base').resolve()


def test_the_base_may_be_a_hub_id(adapter, base, monkeypatch):
    monkeypatch.setattr(
        huggingface_hub, 'snapshot_download', lambda name, allow_patterns: str(base))
    change_settings(adapter, base_model_name_or_path='owner/name')
    assert find(adapter).folder == base


def test_a_base_that_moved_is_known_by_its_weights(adapter, base, tmp_path):
    mark(adapter, base)
    change_settings(adapter, base_model_name_or_path='/elsewhere/base')
    loaded = Bagel.from_checkpoint(base).origin.source
    assert find(adapter, loaded=loaded).folder == base
    assert find(adapter, base=str(base)).folder == base
    with pytest.raises(CheckpointError, match=r'(?s)without its base.*/elsewhere/base.*'
                                              r'Write the folder.*base_model_name_or_path'):
        find(adapter)


def test_a_base_with_other_weights_is_refused_with_both_fingerprints(adapter, base, tmp_path):
    mark(adapter, base)
    wrong = shutil.copytree(base, tmp_path / 'wrong')
    tensors = load_file(wrong / 'ema.safetensors')
    tensors[QUERY] += 0.01
    save_file(tensors, wrong / 'ema.safetensors')
    change_settings(adapter, base_model_name_or_path=str(wrong))
    known, found = (fingerprint(weight_files(folder)) for folder in (base, wrong))
    with pytest.raises(CheckpointError, match=f"(?s)'{known}'.*{wrong}.*{found}"):
        find(adapter)


def test_a_loaded_base_counts_only_by_name_where_the_weights_are_not_known(adapter, base):
    loaded = Bagel.from_checkpoint(base).origin.source
    change_settings(adapter, base_model_name_or_path='/elsewhere/base')
    with pytest.raises(CheckpointError, match='without its base'):
        find(adapter, loaded=loaded)
    change_settings(adapter, base_model_name_or_path=None)
    assert find(adapter, loaded=loaded).folder == base
    with pytest.raises(CheckpointError, match='without its base'):
        find(adapter)


def test_an_adapter_is_no_base(adapter, plain):
    change_settings(adapter, base_model_name_or_path=str(plain[0]))
    with pytest.raises(CheckpointError, match='is an adapter, too'):
        find(adapter)


# Beside another model

def test_models_of_one_base_share_what_is_the_same_in_both(base, plain, other):
    one = Bagel.from_checkpoint(plain[0])
    two = Bagel.from_checkpoint(other, beside=one)
    assert same(two, Bagel.from_checkpoint(other))
    ones, twos = one.state_dict(), two.state_dict()
    own = {name for name in ones if ones[name].data_ptr() != twos[name].data_ptr()}
    assert own == one.origin.changed | two.origin.changed
    assert len(own) < len(ones) / 2
    assert next(one.vae.parameters()).data_ptr() == next(two.vae.parameters()).data_ptr()


def test_going_to_and_fro_ends_where_it_began_to_the_last_bit(base, plain, other):
    model = Bagel.from_checkpoint(base)
    for _ in range(3):
        for folder in (plain[0], other, base):
            model = Bagel.from_checkpoint(folder, beside=model)
            assert same(model, Bagel.from_checkpoint(folder))


@pytest.mark.parametrize('dtype,touched', [(torch.bfloat16, False), (torch.float32, True)])
def test_nothing_is_shared_with_other_types_or_files_written_since(
        dtype, touched, base, plain, tmp_path):
    folder = shutil.copytree(base, tmp_path / 'base')
    before = Bagel.from_checkpoint(folder)
    if touched:
        os.utime(folder / 'ema.safetensors', ns=(1, 1))
    after = Bagel.from_checkpoint(folder, dtype=dtype, beside=before)
    assert {value.data_ptr() for value in before.state_dict().values()}.isdisjoint(
        value.data_ptr() for value in after.state_dict().values())


# What is refused

def set_shape(tensors, *shape):
    tensors[DOWN] = torch.zeros(shape)


@pytest.mark.parametrize('change,words', [
    (lambda t: t.pop(DOWN), rf'of {QUERY}: lora_A is missing'),
    (lambda t: set_shape(t, 4, 60), rf'tensor {DOWN}: expected \[4, 64\] for {QUERY} \[64, 64\] '
                                    r'of the base, found \[4, 60\] \(wrong shape\)'),
    (lambda t: set_shape(t, 3, 64), r'expected \[4, 64\] .*found \[3, 64\] \(wrong shape\)'),
    (lambda t: t.update({'base_model.model.eyes.lora_A.weight': torch.zeros(4, 64)}),
     r'tensor base_model\.model\.eyes\.lora_A\.weight: .*found \[4, 64\] \(unexpected\)'),
    (lambda t: t.update({DOWN.replace('lora_A.weight', 'lora_magnitude_vector'): torch.zeros(4)}),
     r'lora_magnitude_vector: .*\(unexpected\)'),
    (lambda t: [t.pop(name) for name in list(t) if 'layers.2' in name],
     r'layers\.2\.self_attn\.\w+\.weight: expected by adapter_config.json, found none'),
    (lambda t: t.clear(), 'holds no tensors'),
])
def test_tensors_that_do_not_fit_are_named(change, words, adapter):
    change_tensors(adapter, change)
    with pytest.raises(CheckpointError, match=words) as caught:
        Bagel.from_checkpoint(adapter)
    assert str(adapter / WEIGHTS) in str(caught.value)


@pytest.mark.parametrize('changes,words', [
    ({'peft_type': 'LOHA'}, "peft_type: expected 'LORA', found 'LOHA'"),
    ({'use_dora': True}, 'use_dora.*whole checkpoint'),
    ({'init_lora_weights': 'pissa_niter_4'}, 'pissa_niter_4.*convert'),
    ({'r': 0}, 'r: expected a number above 0, found 0'),
    ({'lora_alpha': 'much'}, "lora_alpha: .*'much'"),
    ({'lora_alpha': float('nan')}, 'lora_alpha: expected a number above 0, found nan'),
    ({'lora_alpha': float('inf')}, 'lora_alpha: expected a number above 0, found inf'),
    ({'alpha_pattern': {'q_proj': float('nan')}}, 'q_proj: expected a number above 0, found nan'),
    ({'rank_pattern': [1]}, 'rank_pattern: not as peft'),
    ({'rank_pattern': {'q_proj': 'some'}}, "q_proj: .*'some'"),
    ({'target_modules': '(q_proj'}, r"'\(q_proj' is no pattern"),
    ({'modules_to_save': ['lm_head']}, r'lm_head\.weight: expected by adapter_config.json'),
])
def test_a_configuration_that_cannot_be_merged_is_refused(changes, words, adapter):
    change_settings(adapter, **changes)
    with pytest.raises(CheckpointError, match=words) as caught:
        Bagel.from_checkpoint(adapter)
    assert str(adapter) in str(caught.value)


def test_a_product_of_finite_numbers_that_is_not_finite_is_named(adapter):
    up = DOWN.replace('lora_A', 'lora_B')
    change_tensors(adapter, lambda t: [t[name].fill_(1e30) for name in (up, DOWN)])
    with pytest.raises(CheckpointError, match=rf'tensor {QUERY}: .* once {DOWN} and {up} of '):
        Bagel.from_checkpoint(adapter)


@pytest.mark.parametrize('value', [float('nan'), float('inf'), -float('inf')])
@pytest.mark.parametrize('side', ['A', 'B'])
def test_numbers_that_make_a_weight_not_finite_are_named(value, side, adapter):
    name = DOWN.replace('lora_A', f'lora_{side}')
    change_tensors(adapter, lambda t: t[name].fill_(value))
    with pytest.raises(CheckpointError, match=(
            rf'tensor {QUERY}: .*NaN or infinity once .*{name}.* of {adapter / WEIGHTS} is')):
        Bagel.from_checkpoint(adapter)


def test_a_tensor_trained_in_full_that_is_not_finite_is_named(make_adapter, tmp_path):
    folder = shutil.copytree(
        make_adapter('full', whole=True, modules_to_save=['llm2vae'])[0], tmp_path / 'full')
    name, = (name for name in load_file(folder / WEIGHTS) if name.endswith('llm2vae.bias'))
    change_tensors(folder, lambda t: t[name].fill_(torch.nan))
    with pytest.raises(CheckpointError, match=rf'tensor llm2vae\.bias: .*{name} of {folder}'):
        Bagel.from_checkpoint(folder)


@pytest.mark.parametrize(('dtype', 'words'), [
    (torch.int8, 'I8'), (torch.float8_e4m3fn, 'F8_E4M3'), (torch.bool, 'BOOL')])
def test_tensors_that_are_no_floating_point_numbers_are_named(dtype, words, adapter):
    change_tensors(adapter, lambda t: t.update({DOWN: t[DOWN].to(dtype)}))
    with pytest.raises(CheckpointError, match=(
            rf'{WEIGHTS}: tensor {DOWN}: expected floating-point numbers .*found {words}')):
        Bagel.from_checkpoint(adapter)


@pytest.mark.parametrize('name', [WEIGHTS, CONFIG])
def test_a_pointer_in_place_of_a_file_is_called_so(name, adapter):
    (adapter / name).write_text('version https://git-lfs.github.com/spec/v1\noid 1\n')
    with pytest.raises(CheckpointError, match=f'{name}: .*git lfs pull'):
        Bagel.from_checkpoint(adapter)


@pytest.mark.parametrize('content', [b'', b'{', b'[]', b'\xff'])
def test_a_spoiled_configuration_is_named(content, adapter):
    (adapter / CONFIG).write_bytes(content)
    with pytest.raises(CheckpointError, match=CONFIG):
        Bagel.from_checkpoint(adapter)


def test_a_cut_off_or_missing_file_is_named(adapter):
    os.truncate(adapter / WEIGHTS, (adapter / WEIGHTS).stat().st_size - 10)
    with pytest.raises(CheckpointError, match=f'{WEIGHTS}: truncated: tensor'):
        Bagel.from_checkpoint(adapter)
    (adapter / WEIGHTS).rename(adapter / 'adapter_model.bin')
    with pytest.raises(CheckpointError, match=f'{WEIGHTS}: no such file.*adapter_model.bin'):
        Bagel.from_checkpoint(adapter)
