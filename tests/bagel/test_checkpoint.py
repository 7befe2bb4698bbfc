# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""Loading is strict, and its errors name file, tensor, what was expected and what was found."""

import json
import os
import shutil

import huggingface_hub
from ipt_ros.bagel import Bagel, CheckpointError, ConfigError
import pytest
from safetensors.torch import load_file, save_file
import torch

NORM = 'language_model.model.norm.weight'


@pytest.fixture
def folder(model, golden_folder, tmp_path):
    """Write a complete checkpoint folder of our own."""
    model.save_checkpoint(tmp_path / 'checkpoint')
    return tmp_path / 'checkpoint'


def edit(path, change):
    tensors = load_file(path)
    change(tensors)
    save_file(tensors, path)


def test_saved_checkpoint_comes_back(model, folder):
    again = Bagel.from_checkpoint(folder)
    assert again.config == model.config
    assert again.tokenizer.encode('a chair') == model.tokenizer.encode('a chair')
    for name, tensor in model.state_dict().items():
        assert torch.equal(again.state_dict()[name], tensor), name
    for name, tensor in model.vae.named_tensors().items():
        assert torch.equal(again.vae.named_tensors()[name], tensor), name
    assert not again.training
    assert not [p for p in folder.iterdir() if p.suffix == '.tmp']


def test_types(model, tmp_path):
    model.save_checkpoint(tmp_path, torch.bfloat16)
    assert load_file(tmp_path / 'ema.safetensors')[NORM].dtype == torch.bfloat16
    assert Bagel.from_checkpoint(tmp_path).dtype == torch.float32
    narrow = Bagel.from_checkpoint(tmp_path, dtype=torch.bfloat16)
    assert narrow.dtype == torch.bfloat16
    assert next(narrow.vae.parameters()).dtype == torch.float32


def test_the_vae_is_saved_without_loss(folder, tmp_path):
    model = Bagel.from_checkpoint(folder)
    before = model.vae.named_tensors()
    exact = next(iter(before))
    model.vae.load(before | {exact: before[exact].bfloat16().float()})
    model.save_checkpoint(tmp_path / 'saved', torch.bfloat16)
    saved = load_file(tmp_path / 'saved' / 'ae.safetensors')
    assert saved[exact].dtype == torch.bfloat16
    assert torch.float32 in {tensor.dtype for tensor in saved.values()}
    for name, tensor in model.vae.named_tensors().items():
        assert torch.equal(saved[name].float(), tensor), name


def test_published_names(folder):
    (folder / 'ema.safetensors').rename(folder / 'model.safetensors')
    Bagel.from_checkpoint(folder)


@pytest.fixture
def sharded(folder):
    tensors = load_file(folder / 'ema.safetensors')
    (folder / 'ema.safetensors').unlink()
    names = sorted(tensors)
    shards = {'a.safetensors': names[::2], 'b.safetensors': names[1::2]}
    for file, held in shards.items():
        save_file({name: tensors[name] for name in held}, folder / file)
    weight_map = {name: file for file, held in shards.items() for name in held}
    (folder / 'model.safetensors.index.json').write_text(json.dumps({'weight_map': weight_map}))
    return folder


def test_shards(model, sharded):
    again = Bagel.from_checkpoint(sharded)
    assert torch.equal(again.llm2vae.weight, model.llm2vae.weight)


def test_missing_shard(sharded):
    (sharded / 'b.safetensors').unlink()
    with pytest.raises(CheckpointError, match=r'b\.safetensors: no such file'):
        Bagel.from_checkpoint(sharded)


def test_shard_without_its_tensor(sharded):
    edit(sharded / 'a.safetensors', lambda t: t.pop('connector.fc1.bias'))
    with pytest.raises(CheckpointError, match=r'a\.safetensors: tensor connector\.fc1\.bias.*not'):
        Bagel.from_checkpoint(sharded)


@pytest.mark.parametrize(('content', 'words'), [
    ('version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 3\n', 'git lfs pull'),
    ('<html>', 'web page'), ('', 'is empty'), ('{"weight_map": ', 'not valid JSON'),
    ('["a"]', 'expected a JSON object')])
def test_an_index_that_is_none_is_called_by_its_name(sharded, content, words):
    (sharded / 'model.safetensors.index.json').write_text(content)
    with pytest.raises(CheckpointError, match=rf'index\.json: .*{words}'):
        Bagel.from_checkpoint(sharded)


@pytest.mark.parametrize('name', ['../b.safetensors', '{outside}', 'parts/../../b.safetensors'])
def test_an_index_names_no_files_outside_of_its_folder(sharded, name):
    index = sharded / 'model.safetensors.index.json'
    named = json.loads(index.read_text())
    first = next(iter(named['weight_map']))
    named['weight_map'][first] = name.format(outside=sharded.parent / 'b.safetensors')
    index.write_text(json.dumps(named))
    shutil.copy(sharded / 'b.safetensors', sharded.parent / 'b.safetensors')
    with pytest.raises(CheckpointError, match=r'index\.json: a shard is outside of the folder'):
        Bagel.from_checkpoint(sharded)


def test_a_shard_that_is_a_pointer_is_named(sharded):
    (sharded / 'b.safetensors').write_text('version https://git-lfs.github.com/spec/v1\noid 1\n')
    with pytest.raises(CheckpointError, match=r'b\.safetensors: .*git lfs pull'):
        Bagel.from_checkpoint(sharded)


@pytest.mark.parametrize('file', ['llm_config.json', 'vit_config.json', 'bagel.json',
                                  'tokenizer.json', 'tokenizer_config.json'])
def test_a_settings_file_that_is_a_pointer_is_named(folder, file):
    (folder / file).write_text('version https://git-lfs.github.com/spec/v1\noid 1\n')
    with pytest.raises((CheckpointError, ConfigError), match=rf'{file}: .*git lfs pull'):
        Bagel.from_checkpoint(folder)


@pytest.mark.parametrize('left', ['ema.safetensors.incomplete', 'model.safetensors.part',
                                  '.cache/huggingface/download/x.1f2e.incomplete'])
def test_weights_whose_download_was_not_finished_are_said_to_be_so(folder, left):
    (folder / left).parent.mkdir(parents=True, exist_ok=True)
    (folder / 'ema.safetensors').rename(folder / left)
    with pytest.raises(CheckpointError, match='no weights; .*download of them was not finished'):
        Bagel.from_checkpoint(folder)


def test_broken_index(sharded):
    (sharded / 'model.safetensors.index.json').write_text('{}')
    with pytest.raises(CheckpointError, match=r'index\.json: not a safetensors index'):
        Bagel.from_checkpoint(sharded)


@pytest.mark.parametrize(('file', 'tensor', 'shape'), [
    ('ema.safetensors', NORM, r'\[64\]'),
    ('ae.safetensors', 'encoder.mid.attn_1.q.weight', r'\[64, 64, 1, 1\]')])
class TestTensors:

    def test_missing(self, folder, file, tensor, shape):
        edit(folder / file, lambda t: t.pop(tensor))
        with pytest.raises(CheckpointError,
                           match=f'{file}: tensor {tensor}: expected {shape}, found none'):
            Bagel.from_checkpoint(folder)

    def test_unexpected(self, folder, file, tensor, shape):
        edit(folder / file, lambda t: t.update(extra=torch.zeros(3, 2)))
        with pytest.raises(CheckpointError,
                           match=rf'{file}: tensor extra: expected none, found \[3, 2\]'):
            Bagel.from_checkpoint(folder)

    def test_wrong_shape(self, folder, file, tensor, shape):
        edit(folder / file, lambda t: t.update({tensor: torch.zeros(7)}))
        with pytest.raises(CheckpointError,
                           match=rf'{file}: tensor {tensor}: expected {shape}, found \[7\]'):
            Bagel.from_checkpoint(folder)

    def test_truncated(self, folder, file, tensor, shape):
        size = (folder / file).stat().st_size
        os.truncate(folder / file, size - 1000)
        with pytest.raises(CheckpointError,
                           match=rf'{file}: truncated: tensor \S+: expected to end at byte \d+, '
                                 f'found a file of {size - 1000} bytes'):
            Bagel.from_checkpoint(folder)

    def test_cut_in_the_header(self, folder, file, tensor, shape):
        os.truncate(folder / file, 100)
        with pytest.raises(CheckpointError, match=f'{file}: truncated: expected a header of'):
            Bagel.from_checkpoint(folder)

    @pytest.mark.parametrize('content', [
        b'', b'abc', b'\x02' + b'\0' * 7 + b'[]', b'x' * 64,
        b'\x0c' + b'\0' * 7 + b'{"a":{"b":1}}', b'\x08' + b'\0' * 7 + b'{"a":[]}',
        b'\x08' + b'\0' * 7 + b'{"a\xff":1'])
    def test_not_safetensors(self, folder, file, tensor, shape, content):
        (folder / file).write_bytes(content)
        with pytest.raises(CheckpointError, match=file) as caught:
            Bagel.from_checkpoint(folder)
        told = str(caught.value).replace(str(folder), '')
        assert 'xff' not in told and 'xxxx' not in told

    @pytest.mark.parametrize(('content', 'words'), [
        (b'version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 3\n', 'git lfs pull'),
        (b'<!DOCTYPE html><title>404</title>', 'web page'),
        (b'\n <HTML><body>Sign in</body></HTML>', 'web page'),
        (b'<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>', 'web page'),
        (b'{"error":"Repository not found"}', 'error message'),
        (b'Entry not found', 'error message'),
        ('Zugriff verweigert: größer'.encode(), 'error message'),
        (b'', 'empty'), (b'\0' * 4096, 'was not finished'),
        (b'PK\x03\x04\0\0\x08\x08' + b'\0' * 90, 'torch.save'),
        (b'\x80\x02}q\0(X' + b'\0' * 90, 'torch.save')])
    def test_what_is_in_place_of_a_download_is_called_by_its_name(
            self, folder, file, tensor, shape, content, words):
        (folder / file).write_bytes(content)
        with pytest.raises(CheckpointError, match=rf'{file}: .*{words}') as caught:
            Bagel.from_checkpoint(folder)
        assert 'truncated' not in str(caught.value)


PART = {'ema.safetensors': NORM, 'ae.safetensors': 'decoder.conv_out.bias'}


def spoil(path, name, value, dtype=None):
    """Put a number into a tensor, after giving it another type."""
    def change(tensors):
        tensor = tensors[name] if dtype is None else tensors[name].to(dtype)
        tensor.view(-1)[-1] = value
        tensors[name] = tensor
    edit(path, change)


@pytest.mark.parametrize('file', PART)
@pytest.mark.parametrize('value', [float('nan'), float('inf'), -float('inf')])
@pytest.mark.parametrize('stored', [None, torch.bfloat16, torch.float16, torch.float64])
def test_weights_that_are_no_finite_numbers_are_refused_by_name(folder, file, value, stored):
    spoil(folder / file, PART[file], value, stored)
    with pytest.raises(CheckpointError, match=(
            rf'{file}: tensor {PART[file]}: expected finite numbers, found NaN or infinity\n'
            'copy or download')):
        Bagel.from_checkpoint(folder)


def test_a_shard_with_nan_is_named(sharded):
    path = next(path for path in sharded.glob('?.safetensors') if NORM in load_file(path))
    spoil(path, NORM, float('nan'))
    with pytest.raises(CheckpointError, match=rf'{path.name}: tensor {NORM}'):
        Bagel.from_checkpoint(sharded)


@pytest.mark.parametrize(('file', 'value', 'stored', 'held'), [
    ('ema.safetensors', 1e300, torch.float64, 'float32'),
    ('ae.safetensors', 1e300, torch.float64, 'float32'),
    ('ema.safetensors', 3.4e38, torch.float32, 'bfloat16'),
    ('ema.safetensors', 1e39, torch.float64, 'bfloat16'),
    ('ema.safetensors', 7e4, torch.float32, 'float16')])
def test_numbers_too_large_for_the_type_that_is_computed_in_are_refused(
        folder, file, value, stored, held):
    spoil(folder / file, PART[file], value, stored)
    with pytest.raises(CheckpointError, match=(
            rf'{file}: tensor {PART[file]}: .*some that are too large for {held}')):
        Bagel.from_checkpoint(folder, dtype=getattr(torch, held))


def test_large_numbers_that_fit_are_no_fault(folder):
    spoil(folder / 'ema.safetensors', NORM, 3e38)
    assert Bagel.from_checkpoint(folder).language_model.model.norm.weight.max() == 3e38
    spoil(folder / 'ema.safetensors', NORM, 6e4)
    Bagel.from_checkpoint(folder, dtype=torch.float16)


@pytest.mark.parametrize('file', PART)
@pytest.mark.parametrize(('dtype', 'words'), [
    (torch.int8, 'I8'), (torch.uint8, 'U8'), (torch.int64, 'I64'), (torch.bool, 'BOOL'),
    (torch.float8_e4m3fn, 'F8_E4M3'), (torch.float8_e5m2, 'F8_E5M2')])
def test_weights_that_are_no_floating_point_numbers_are_refused_by_name(
        folder, file, dtype, words):
    edit(folder / file, lambda t: t.update({PART[file]: t[PART[file]].to(dtype)}))
    for device in ('cpu', 'meta'):  # one shows it without reading a number
        with pytest.raises(CheckpointError, match=(
                rf'{file}: tensor {PART[file]}: expected floating-point numbers .*found {words} '
                r'\(quantised\?\)')):
            Bagel.from_checkpoint(folder, device)


def test_many_bad_tensors_are_counted_not_listed(folder):
    edit(folder / 'ema.safetensors', lambda t: [v.fill_(torch.nan) for v in t.values()])
    with pytest.raises(CheckpointError, match=r'and \d+ more like this'):
        Bagel.from_checkpoint(folder)


def test_nothing_is_written_of_a_model_that_is_not_finite(folder, tmp_path):
    model = Bagel.from_checkpoint(folder)
    model.language_model.model.norm.weight.data[0] = 3.4e38
    with pytest.raises(CheckpointError, match=rf'is not written: NaN or infinity in .*{NORM}'):
        model.save_checkpoint(tmp_path / 'narrow', torch.bfloat16)
    model.save_checkpoint(tmp_path / 'wide')
    before = (folder / 'ema.safetensors').read_bytes()
    next(model.vae.parameters()).data[0] = torch.nan
    with pytest.raises(CheckpointError, match=r'ae\.safetensors is not written'):
        model.save_checkpoint(folder)
    assert (folder / 'ema.safetensors').read_bytes() == before
    assert not list((tmp_path / 'narrow').glob('*.safetensors'))


def test_many_faults_are_counted_not_listed(folder):
    def change(tensors):
        for name in [n for n in tensors if 'vit_model' in n]:
            del tensors[name]
    edit(folder / 'ema.safetensors', change)
    with pytest.raises(CheckpointError, match=r'and \d+ more like this'):
        Bagel.from_checkpoint(folder)


def test_missing_bagel_json_is_hinted_at(folder):
    (folder / 'bagel.json').unlink()
    with pytest.raises(CheckpointError, match=r'no bagel\.json: .* as in the 7B'):
        Bagel.from_checkpoint(folder)


def test_missing_vae(folder):
    (folder / 'ae.safetensors').unlink()
    with pytest.raises(CheckpointError, match=r'ae\.safetensors: no such file'):
        Bagel.from_checkpoint(folder)


def test_no_weights(folder):
    (folder / 'ema.safetensors').unlink()
    (folder / 'secret.txt').write_text('x')
    with pytest.raises(
            CheckpointError, match=r'no weights; expected one of .*ema\.safetensors') as caught:
        Bagel.from_checkpoint(folder)
    assert 'secret' not in str(caught.value) and 'not finished' not in str(caught.value)


def test_tokenizer_larger_than_the_vocabulary(folder):
    config = json.loads((folder / 'llm_config.json').read_text())
    (folder / 'llm_config.json').write_text(json.dumps({**config, 'vocab_size': 300}))
    with pytest.raises(ConfigError, match='tokenizer has 405 tokens with ids up to 404'):
        Bagel.from_checkpoint(folder)


def test_no_such_folder(tmp_path):
    with pytest.raises(CheckpointError, match='no such folder'):
        Bagel.from_checkpoint(tmp_path / 'nothing')
    with pytest.raises(CheckpointError, match='no such folder'):
        Bagel.from_checkpoint('./relative/nothing')


def test_file_instead_of_folder(folder):
    with pytest.raises(CheckpointError, match='is a file'):
        Bagel.from_checkpoint(folder / 'ae.safetensors')


def test_hub_id_is_fetched(folder, monkeypatch):
    asked = []

    def fetch(name, allow_patterns):
        asked.append(name)
        wanted = shutil.ignore_patterns(*allow_patterns)
        assert wanted('', ['ema.safetensors', 'vocab.json', 'config.json', 'a.bin']) == {
            'ema.safetensors', 'vocab.json'}
        return str(folder)

    monkeypatch.setattr(huggingface_hub, 'snapshot_download', fetch)
    assert Bagel.from_checkpoint('owner/name').config.llm.hidden_size == 64
    assert asked == ['owner/name']


def test_hub_failure_is_explained(monkeypatch):
    def fail(*args, **kwargs):
        raise OSError('offline')

    monkeypatch.setattr(huggingface_hub, 'snapshot_download', fail)
    with pytest.raises(CheckpointError, match='owner/name: no such folder here, .*offline'):
        Bagel.from_checkpoint('owner/name')


def test_random_weights_repeat(golden, model):
    one = Bagel.from_config(golden.config, model.tokenizer, seed=3)
    two = Bagel.from_config(golden.config, model.tokenizer, seed=3)
    other = Bagel.from_config(golden.config, model.tokenizer, seed=4)
    assert torch.equal(one.llm2vae.weight, two.llm2vae.weight)
    assert not torch.equal(one.llm2vae.weight, other.llm2vae.weight)
    assert torch.allclose(one.vit_pos_embed.pos_embed, model.vit_pos_embed.pos_embed, atol=1e-6)
    assert all(p.isfinite().all() for p in one.parameters())
