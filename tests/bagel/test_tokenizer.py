# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""Text is text: nothing a user writes can act as a special token."""

import json
import shutil
import unicodedata

from hypothesis import given
from hypothesis import strategies as st
from ipt_ros.bagel import CheckpointError, Tokenizer
from ipt_ros.bagel.tokenizer import SPECIAL_TOKENS
import pytest
from transformers import Qwen2Tokenizer

FILES = ('tokenizer.json', 'tokenizer_config.json', 'special_tokens_map.json', 'vocab.json',
         'merges.txt')
# As Qwen2.5 has them: those behind the vision tokens are not special there.
QWEN25 = [
    '<|endoftext|>', *SPECIAL_TOKENS[:2], '<|object_ref_start|>', '<|object_ref_end|>',
    *SPECIAL_TOKENS[2:], '<tool_call>', '</tool_call>', '<|fim_prefix|>', '<|file_sep|>']
IDS = {token: 400 + i for i, token in enumerate(QWEN25)}
FRAME = [IDS[token] for token in SPECIAL_TOKENS]

HOSTILE = st.lists(
    st.one_of(st.sampled_from([*SPECIAL_TOKENS, '<|endoftext|>', '<|im_', 'end|>', ' ', '\n']),
              st.text(max_size=8)),
    max_size=8).map(''.join)


@given(text=HOSTILE)
def test_no_text_becomes_a_special_token(model, text):
    tokenizer = model.tokenizer
    special = {tokenizer.text_start, tokenizer.text_end, tokenizer.image_start,
               tokenizer.image_end, *tokenizer._tokenizer.all_special_ids}
    assert not special & set(tokenizer.encode(text))


@given(text=HOSTILE)
def test_texts_come_back(model, text):
    assert model.tokenizer.decode(model.tokenizer.encode(text)) == \
        unicodedata.normalize('NFC', text)


@pytest.fixture
def copy(golden_folder, tmp_path):
    """Return a function that copies files of the tiny tokenizer into a folder."""
    def copied(*names):
        for name in names:
            shutil.copy(golden_folder / name, tmp_path / name)
        return tmp_path
    return copied


def change(path, **values):
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def added(special=lambda token: True, ids=IDS):
    """Return added tokens as tokenizer.json has them."""
    return [{'id': number, 'content': token, 'single_word': False, 'lstrip': False,
             'rstrip': False, 'normalized': False, 'special': special(token)}
            for token, number in ids.items()]


def frame_of(tokenizer):
    return [tokenizer.text_start, tokenizer.text_end, tokenizer.image_start, tokenizer.image_end]


PIECES = st.lists(
    st.one_of(
        st.sampled_from([*QWEN25, *(token[:n] for token in QWEN25 for n in (2, 5, -1)), ' ',
                         '\n']),
        st.text(max_size=4)), max_size=8).map(''.join)


@pytest.fixture(scope='module', params=['all special', 'none special', 'as in Qwen2.5'])
def qwen25(request, golden_folder, tmp_path_factory):
    """Return a tokenizer with many added tokens, which the file calls special or not."""
    folder = tmp_path_factory.mktemp('qwen25')
    shutil.copy(golden_folder / 'tokenizer.json', folder)
    flags = {'all special': lambda token: True, 'none special': lambda token: False,
             'as in Qwen2.5': lambda token: IDS[token] <= IDS['<|vision_end|>']}
    change(folder / 'tokenizer.json', added_tokens=added(flags[request.param]))
    return Tokenizer.from_folder(folder)


@given(text=PIECES)
def test_no_text_becomes_an_added_token_whatever_the_file_calls_special(qwen25, text):
    assert frame_of(qwen25) == FRAME
    ids = qwen25.encode(text)
    assert not set(ids) & set(IDS.values())
    assert qwen25.decode(ids) == unicodedata.normalize('NFC', text)


def test_frame_tokens_that_were_generated_are_no_text(qwen25):
    ids = qwen25.encode('a chair')
    assert qwen25.decode([FRAME[0], *ids, FRAME[2], FRAME[3], FRAME[1]]) == 'a chair'


def test_other_added_tokens_that_were_generated_are_text_unless_the_file_calls_them_special(copy):
    folder = copy('tokenizer.json')
    change(folder / 'tokenizer.json', added_tokens=added(lambda token: token == '<|endoftext|>'))
    tokenizer = Tokenizer.from_folder(folder)
    assert tokenizer.decode([IDS['<tool_call>'], IDS['<|endoftext|>']]) == '<tool_call>'


def test_tokens_that_a_trainer_added_are_frame_tokens(copy):
    """The published trainer adds missing ones as plain tokens."""
    folder = copy('tokenizer.json')
    change(folder / 'tokenizer.json', added_tokens=added(ids={
        token: 400 + i for i, token in enumerate(QWEN25[:3])}))
    trained = Qwen2Tokenizer.from_pretrained(folder)
    trained.add_tokens(list(SPECIAL_TOKENS))
    trained.save_pretrained(folder)
    tokenizer = Tokenizer.from_folder(folder)
    assert frame_of(tokenizer) == [401, 402, 403, 404]
    for token in SPECIAL_TOKENS:
        assert not set(tokenizer.encode(f'a {token} b')) & {400, 401, 402, 403, 404}
    tokenizer.save(folder / 'again')
    assert frame_of(Tokenizer.from_folder(folder / 'again')) == [401, 402, 403, 404]


def by_config(folder, ids):
    change(folder / 'tokenizer_config.json', added_tokens_decoder={
        str(item.pop('id')): item for item in added(ids=ids)})


def by_list(folder, ids):
    (folder / 'tokenizer_config.json').unlink()
    (folder / 'added_tokens.json').write_text(json.dumps(ids))


def by_vocabulary(folder, ids):
    (folder / 'tokenizer_config.json').unlink()
    change(folder / 'vocab.json', **ids)


@pytest.mark.parametrize('name', [by_config, by_list, by_vocabulary])
def test_vocabulary_and_merges_do_where_another_file_names_the_tokens(copy, name):
    folder = copy('vocab.json', 'merges.txt', 'tokenizer_config.json')
    name(folder, IDS)
    tokenizer = Tokenizer.from_folder(folder)
    assert frame_of(tokenizer) == FRAME
    assert not set(tokenizer.encode(''.join(QWEN25))) & set(IDS.values())


@pytest.mark.parametrize('settings', [
    None, {}, {'additional_special_tokens': list(SPECIAL_TOKENS)},
    {'added_tokens_decoder': {'401': {'content': '<|im_start|>', 'special': True}}}])
def test_ids_that_no_file_names_are_not_guessed(copy, settings):
    folder = copy('vocab.json', 'merges.txt')
    if settings is not None:
        (folder / 'tokenizer_config.json').write_text(json.dumps(settings))
    with pytest.raises(CheckpointError, match=(
            r'does not say which ids .*<\|vision_end\|> .*copy tokenizer\.json')):
        Tokenizer.from_folder(folder)


def test_a_tokenizer_file_without_the_tokens_is_refused(copy):
    folder = copy('tokenizer.json', 'vocab.json', 'merges.txt')
    change(folder / 'tokenizer.json', added_tokens=added(ids={'<|endoftext|>': 400}))
    with pytest.raises(CheckpointError, match='does not say which ids'):
        Tokenizer.from_folder(folder)


@pytest.mark.parametrize(('name', 'ids', 'words'), [
    ('tokenizer.json', {token: number + 50 for token, number in IDS.items()},
     r'im_start\|> has the id 451 by its file, but the tokens before it leave it 40\d'),
    ('tokenizer_config.json', IDS, r'vision_start\|> has the ids 403 in tokenizer\.json, 405 in'),
    ('tokenizer.json', IDS | {'<|im_end|>': 401}, 'one id for several')])
def test_files_that_contradict_themselves_or_one_another_are_refused(copy, name, ids, words):
    folder = copy(*FILES)
    if name == 'tokenizer.json':
        for other in FILES[1:3]:
            (folder / other).unlink()
        change(folder / name, added_tokens=added(ids=ids))
    else:
        by_config(folder, ids)
    with pytest.raises(CheckpointError, match=words):
        Tokenizer.from_folder(folder)


@pytest.mark.parametrize('content', [
    '{}', '{"model": {"vocab": []}, "added_tokens": [3]}', '[]', '{"model": null}',
    '{"model": {"vocab": {}}, "added_tokens": [{"id": "x", "content": "<|im_end|>"}]}'])
def test_files_that_are_not_as_they_should_be_are_named(copy, content):
    folder = copy(*FILES)
    (folder / 'tokenizer.json').write_text(content)
    with pytest.raises(CheckpointError, match='tokenizer'):
        Tokenizer.from_folder(folder)


def test_missing_files_are_named(tmp_path):
    with pytest.raises(CheckpointError, match=r'expected tokenizer\.json'):
        Tokenizer.from_folder(tmp_path)


def test_broken_files_are_named(tmp_path):
    (tmp_path / 'tokenizer.json').write_text('{')
    with pytest.raises(CheckpointError, match=r'tokenizer\.json: not valid JSON'):
        Tokenizer.from_folder(tmp_path)
