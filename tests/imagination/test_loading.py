# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""Loading a model, beside another one or not: what is refused, and before what it costs."""

import json
from pathlib import Path
import struct

from ipt_ros.bagel import Bagel, BagelError, trial
from ipt_ros.bagel.checkpoint import bytes_needed
from ipt_ros.bagel.source import find
from ipt_ros.imagination import AskRequest, Code, Imagination, ImaginationError, loading
from ipt_ros.imagination.loading import free_memory, load_beside
import pytest
from safetensors.torch import load_file, save_file
import torch


@pytest.fixture
def folder(model, tmp_path):
    model.save_checkpoint(tmp_path / 'tiny')
    return tmp_path / 'tiny'


def refused(source) -> ImaginationError:
    with pytest.raises(ImaginationError) as caught:
        load_beside(source, device='cpu')
    return caught.value


def test_a_whole_checkpoint_serves(folder, views):
    door = load_beside(folder, device='cpu')
    assert door.model_id == 'tiny'
    assert door.ask(views, AskRequest('What?', ('a', 'b'), mode='answer')).answer.text in 'ab'


def test_the_size_is_that_of_the_loaded_tensors(model, folder):
    def size(tensors, item):
        return sum(tensor.numel() * item for tensor in tensors.values())

    vae = size(model.vae.named_tensors(), 4)
    source = find(folder)
    assert bytes_needed(source, 'cpu', torch.float32) == size(model.state_dict(), 4) + vae
    assert bytes_needed(source, 'cpu', torch.bfloat16) == size(model.state_dict(), 2) + vae


def test_a_model_without_room_is_refused_unread(folder, monkeypatch):
    monkeypatch.setattr(loading, 'free_memory', lambda device: 1000)
    monkeypatch.setattr(Bagel, 'from_checkpoint', lambda *args, **kwargs: pytest.fail('was read'))
    error = refused(folder)
    assert error.code == Code.NO_MEMORY
    assert str(folder) in str(error) and 'free' in str(error) and "'checkpoint'" in str(error)


def test_unknown_room_is_no_reason_to_refuse(folder, monkeypatch):
    monkeypatch.setattr(loading, 'free_memory', lambda device: None)
    assert load_beside(folder, device='cpu').model_id == 'tiny'


def test_memory_that_runs_out_on_the_way_is_said(folder, monkeypatch):
    def fail(*args, **kwargs):
        raise torch.OutOfMemoryError('tried to allocate 20 GiB')

    monkeypatch.setattr(Bagel, 'from_checkpoint', fail)
    error = refused(folder)
    assert error.code == Code.NO_MEMORY and '20 GiB' in str(error)


def test_this_machine_has_memory():
    free = free_memory('cpu')
    assert free is None or free > 1 << 20


@pytest.mark.parametrize('name', ['ema.safetensors', 'ae.safetensors'])
def test_weights_that_are_not_numbers_are_refused_by_name(folder, name):
    # The last four bytes of the file are the last number of its last tensor.
    with (folder / name).open('r+b') as file:
        length, = struct.unpack('<Q', file.read(8))
        entries = json.loads(file.read(length))
        entries.pop('__metadata__', None)
        file.seek(-4, 2)
        file.write(struct.pack('<f', float('nan')))
    last = max(entries, key=lambda key: entries[key]['data_offsets'][1])
    error = refused(folder)
    assert error.code == Code.BAD_MODEL and last in str(error)
    with pytest.raises(BagelError, match=last):  # as at the start
        Imagination.from_checkpoint(folder, 'cpu')


def test_finite_weights_that_give_no_numbers_are_refused_at_the_start_as_well(folder):
    tensors = load_file(folder / 'ema.safetensors')
    tensors['language_model.lm_head.weight'].fill_(3e38)
    save_file(tensors, folder / 'ema.safetensors')
    error = refused(folder)
    assert error.code == Code.BAD_MODEL and 'the answer to a trial' in str(error)
    with pytest.raises(BagelError, match='the answer to a trial'):
        Imagination.from_checkpoint(folder, 'cpu')


def test_a_model_that_cannot_run_is_refused(folder, monkeypatch):
    def fail(*args, **kwargs):
        raise RuntimeError('no kernel for this device')

    monkeypatch.setattr(trial, 'sample_latents', fail)
    error = refused(folder)
    assert error.code == Code.BAD_MODEL and 'no kernel' in str(error)


@pytest.fixture
def adapter(folder, write_adapter, tmp_path):
    return write_adapter(folder, tmp_path / 'kitchen' / 'adapter')


def test_an_adapter_beside_its_base_costs_what_it_changes(folder, adapter, views):
    before = load_beside(folder, device='cpu')
    after = load_beside(adapter, device='cpu', beside=before)
    assert (before.model_id, after.model_id) == ('tiny', 'kitchen/adapter')
    old, new = (door.model.state_dict() for door in (before, after))
    own = sum(4 * value.numel() for name, value in new.items()
              if value.data_ptr() != old[name].data_ptr())
    assert 0 < own < sum(4 * value.numel() for value in new.values()) / 3
    assert bytes_needed(find(adapter), 'cpu', torch.float32, before.model) == own
    question = AskRequest('What?', ('a', 'b'), mode='answer')
    answers = [door.ask(views, question).answer.probabilities for door in (before, after, before)]
    assert answers[0] == answers[2] != answers[1]


def test_an_adapter_that_fits_where_a_second_model_does_not_is_taken(
        folder, adapter, monkeypatch):
    before = load_beside(folder, device='cpu')
    monkeypatch.setattr(loading, 'free_memory', lambda device: 1_000_000)
    assert refused(adapter).code == Code.NO_MEMORY
    assert load_beside(adapter, device='cpu', beside=before).model_id == 'kitchen/adapter'


def test_an_adapter_is_put_into_the_loaded_base_where_its_own_is_gone(
        folder, write_adapter, tmp_path):
    moved = write_adapter(folder, tmp_path / 'moved', base_model_name_or_path='/gone/tiny')
    before = load_beside(folder, device='cpu')
    assert load_beside(moved, device='cpu', beside=before).model_id == 'moved'
    assert load_beside(moved, device='cpu', base=str(folder)).model_id == 'moved'
    error = refused(moved)
    assert error.code == Code.BAD_MODEL
    assert str(moved) in str(error) and '/gone/tiny' in str(error)


def test_an_adapter_of_another_base_is_refused(folder, adapter):
    model = Bagel.from_checkpoint(folder)
    Bagel.from_config(model.config, model.tokenizer, seed=1).save_checkpoint(folder)
    error = refused(adapter)
    assert error.code == Code.BAD_MODEL and 'fingerprint' in str(error)


@pytest.mark.parametrize('spoil,words', [
    (lambda folder: (folder / 'ae.safetensors').unlink(), 'ae.safetensors'),
    (lambda folder: (folder / 'bagel.json').write_text('{'), 'bagel.json'),
    (lambda folder: (folder / 'llm_config.json').write_bytes(b'\xff\xfe'), 'llm_config.json'),
    (lambda folder: (folder / 'llm_config.json').write_text('[' * 100_000), 'llm_config.json'),
    (lambda folder: (folder / 'tokenizer.json').unlink(), 'tokenizer'),
])
def test_a_spoiled_folder_is_a_bad_model_that_names_it(folder, spoil, words):
    spoil(folder)
    error = refused(folder)
    assert error.code == Code.BAD_MODEL
    assert str(folder) in str(error) and words in str(error)


# What anybody who reaches the node may learn

@pytest.fixture
def private(tmp_path):
    """Return a folder whose content is nobody's business."""
    folder = tmp_path / 'private'
    folder.mkdir()
    (folder / 'passwords.txt').write_text('hunter2')
    return folder


def test_a_folder_without_weights_a_file_and_nothing_are_told_in_the_same_words(private):
    (private / 'inner').mkdir()
    found = set()
    for place in (private, private / 'inner', private / 'passwords.txt', private / 'none',
                  private / 'passwords.txt' / 'none'):
        error = refused(str(place))
        assert error.code == Code.BAD_MODEL and 'no such folder, or no weights' in str(error)
        assert 'ema.safetensors' in str(error)
        found.add(str(error).replace(str(place), 'PLACE'))
    assert len(found) == 1 and not any('passw' in text or 'inner' in text for text in found)


@pytest.mark.parametrize('method', ['is_dir', 'exists'])
def test_a_folder_that_may_not_be_looked_into_is_told_in_the_same_words(
        private, monkeypatch, method):
    def forbid(self, **options):
        raise PermissionError(13, 'Permission denied', str(self))

    monkeypatch.setattr(Path, method, forbid)
    assert 'no such folder, or no weights' in str(refused(str(private)))


@pytest.mark.parametrize('name', [
    'ema.safetensors', 'ae.safetensors', 'model.safetensors.index.json', 'llm_config.json',
    'vit_config.json', 'bagel.json', 'tokenizer.json', 'tokenizer_config.json', 'vocab.json',
    'merges.txt', 'recommended.json', 'adapter_config.json', 'adapter_model.safetensors'])
@pytest.mark.parametrize('content', [
    'root:hunter2:0:0', '["hunter2"]', '{"hunter2', '"hunter2"', 'hunter2\xff' * 9])
def test_no_word_of_a_file_is_told(folder, name, content):
    if name.startswith('model'):
        (folder / 'ema.safetensors').unlink()
    if name == 'adapter_model.safetensors':
        (folder / 'adapter_config.json').write_text(json.dumps({
            'peft_type': 'LORA', 'r': 4, 'lora_alpha': 4}))
    (folder / name).write_text(content, encoding='latin-1')
    (folder / 'secret.txt').write_text('')
    try:
        load_beside(folder, device='cpu')
    except ImaginationError as error:
        assert error.code == Code.BAD_MODEL
        assert 'hunter2' not in str(error) and 'secret' not in str(error)
    else:  # tokenizer.json has the same
        assert name in ('vocab.json', 'merges.txt')
