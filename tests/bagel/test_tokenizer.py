# SPDX-License-Identifier: Apache-2.0
"""Text is text: nothing a user writes can act as a special token."""

import unicodedata

from hypothesis import given
from hypothesis import strategies as st
from ipt_ros.bagel import CheckpointError, Tokenizer
from ipt_ros.bagel.tokenizer import SPECIAL_TOKENS
import pytest

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


def test_special_tokens_are_added_if_missing(golden_folder, tmp_path):
    for name in ('vocab.json', 'merges.txt'):
        (tmp_path / name).write_bytes((golden_folder / name).read_bytes())
    tokenizer = Tokenizer.from_folder(tmp_path)
    ids = [tokenizer.text_start, tokenizer.text_end, tokenizer.image_start, tokenizer.image_end]
    assert len(set(ids)) == 4
    assert not set(ids) & set(tokenizer.encode(''.join(SPECIAL_TOKENS)))


def test_missing_files_are_named(tmp_path):
    with pytest.raises(CheckpointError, match=r'expected tokenizer\.json'):
        Tokenizer.from_folder(tmp_path)


def test_broken_files_are_named(tmp_path):
    (tmp_path / 'tokenizer.json').write_text('{')
    with pytest.raises(CheckpointError, match='cannot read the tokenizer'):
        Tokenizer.from_folder(tmp_path)
