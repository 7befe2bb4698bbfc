# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""Records survive the disk, damage is named, and nothing of another run is mixed in."""

from dataclasses import replace
import shutil

from ipt_training.evaluation.errors import EvaluationError
from ipt_training.evaluation.records import fingerprint, question_id, RecordFolder
import numpy as np
import pytest


def test_records_come_back_by_id(tmp_path):
    folder = RecordFolder.opened(tmp_path, {'seed': 1})
    folder.add('pet', 'answer-vae', {'id': 'x', 'letter': 'A'})
    folder.add('pet', 'answer-vae', {'id': 'y', 'letter': 'B\n'})
    again = RecordFolder.of(tmp_path)
    assert list(again.read('pet', 'answer-vae')) == ['x', 'y']
    assert again.pairs() == [('pet', 'answer-vae')]
    assert again.read('pet', 'answer') == {}


def test_other_settings_have_other_records(tmp_path):
    RecordFolder.opened(tmp_path, {'seed': 1}).add('pet', 'answer', {'id': 'x'})
    assert RecordFolder.opened(tmp_path, {'seed': 2}).read('pet', 'answer') == {}
    assert list(RecordFolder.opened(tmp_path, {'seed': 1}).read('pet', 'answer')) == ['x']


def test_a_line_cut_off_by_a_kill_is_made_again(tmp_path):
    folder = RecordFolder.opened(tmp_path, {})
    folder.add('pet', 'answer', {'id': 'x'})
    folder.add('pet', 'answer', {'id': 'y'})
    path = folder.path / 'pet.answer.jsonl'
    path.write_text(path.read_text()[:-3])
    assert list(folder.read('pet', 'answer')) == ['x']
    folder.add('pet', 'answer', {'id': 'z'})
    assert list(folder.read('pet', 'answer')) == ['x', 'z']


@pytest.mark.parametrize('line', ['{"id": ', '{"letter": "A"}', '3'])
def test_a_damaged_line_is_named(tmp_path, line):
    folder = RecordFolder.opened(tmp_path, {})
    folder.add('pet', 'answer', {'id': 'x'})
    path = folder.path / 'pet.answer.jsonl'
    path.write_text(path.read_text() + line + '\n')
    with pytest.raises(EvaluationError, match='line 2 of .*pet.answer.jsonl'):
        folder.read('pet', 'answer')


def test_a_folder_without_results_is_named(tmp_path):
    with pytest.raises(EvaluationError, match='ipt evaluate'):
        RecordFolder.of(tmp_path)


def test_the_folder_of_something_else_is_not_written_over(tmp_path):
    (tmp_path / 'run.json').write_text('{"recipe": {}}')
    (tmp_path / 'results.json').write_text('{}')
    with pytest.raises(EvaluationError, match='folder of something else.*give another folder'):
        RecordFolder.opened(tmp_path, {'seed': 1})
    assert (tmp_path / 'run.json').read_text() == '{"recipe": {}}'
    assert (tmp_path / 'results.json').exists()


def test_a_folder_that_ipt_train_wrote_is_no_results_folder(tmp_path):
    (tmp_path / 'run.json').write_text('{"recipe": {}}')
    with pytest.raises(EvaluationError, match="run.json' has no 'records'.*ipt evaluate wrote"):
        RecordFolder.of(tmp_path)


def test_pictures_come_back_in_order(tmp_path):
    images = {name: np.full((2, 3, 3), value, np.uint8)
              for value, name in enumerate(['truth', 'imagined', 'input1', 'input0'])}
    folder = RecordFolder.opened(tmp_path, {})
    record = {'pictures': folder.save_pictures('pet.imagine/x', images)}
    loaded = folder.load_pictures(record)
    assert list(loaded) == ['input0', 'input1', 'imagined', 'truth']
    assert all(np.array_equal(loaded[name], images[name]) for name in images)
    (folder.path / record['pictures']['truth']).unlink()
    with pytest.raises(EvaluationError, match='truth.png'):
        folder.load_pictures(record)


def test_an_id_changes_with_anything_that_is_asked(example):
    one = example(0)
    question = one.questions[0]
    changed = one.images[0].copy()
    changed[0, 0, 0] ^= 1
    others = [
        question_id(replace(one, images=[changed]), question),
        question_id(one, replace(question, text=question.text + ' ')),
        question_id(replace(one, task='pet'), question),
    ]
    # What came with the example but is not asked does not matter.
    assert question_id(replace(one, metadata={}, target=None), question) == question_id(
        one, question)
    assert len({question_id(one, question), *others}) == 4


def test_a_fingerprint_tells_weights_and_settings_apart(tmp_path):
    weights, config = tmp_path / 'ema.safetensors', tmp_path / 'bagel.json'
    weights.write_bytes(bytes(3_000_000))
    config.write_text('{}')
    seen = {fingerprint(tmp_path)}
    assert fingerprint(tmp_path) in seen
    weights.write_bytes(bytes(2_999_999) + b'1')
    seen.add(fingerprint(tmp_path))
    config.write_text('{ }')
    seen.add(fingerprint(tmp_path))
    assert len(seen) == 3
    assert fingerprint('owner/name') == 'owner/name'
    (tmp_path / 'recommended.json').write_text('what follows from an evaluation')
    assert fingerprint(tmp_path) in seen


def test_a_fingerprint_of_an_adapter_is_of_its_base_as_well(
        tiny_checkpoint, write_adapter, tmp_path):
    base = shutil.copytree(tiny_checkpoint, tmp_path / 'base')
    adapter = write_adapter(base, tmp_path / 'adapter')
    before = fingerprint(adapter)
    (base / 'bagel.json').write_text((base / 'bagel.json').read_text() + ' ')
    assert fingerprint(adapter) != before
