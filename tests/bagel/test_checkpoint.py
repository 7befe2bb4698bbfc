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

    @pytest.mark.parametrize('content', [b'', b'abc', b'\x02' + b'\0' * 7 + b'[]', b'x' * 64])
    def test_not_safetensors(self, folder, file, tensor, shape, content):
        (folder / file).write_bytes(content)
        with pytest.raises(CheckpointError, match=file):
            Bagel.from_checkpoint(folder)


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
    with pytest.raises(CheckpointError, match=r'no weights; expected one of .*ema\.safetensors'):
        Bagel.from_checkpoint(folder)


def test_tokenizer_larger_than_the_vocabulary(folder):
    config = json.loads((folder / 'llm_config.json').read_text())
    (folder / 'llm_config.json').write_text(json.dumps({**config, 'vocab_size': 300}))
    with pytest.raises(ConfigError, match='tokenizer has 405 tokens'):
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
