# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""The small vocabulary: any text comes back as it went in, and none becomes a special token."""

from hypothesis import given
from hypothesis import strategies as st
from ipt_ros.bagel import Tokenizer
from ipt_training.tokenizer import build_tokenizer, SPECIAL_TOKENS
import pytest

TEXTS = ['How many chairs are in this area? A) 1 B) 2', '<answer>A</answer>'] * 20


@pytest.fixture(scope='module')
def tokenizer(tmp_path_factory):
    folder = tmp_path_factory.mktemp('tokenizer')
    build_tokenizer(TEXTS, 400, folder)
    return Tokenizer.from_folder(folder)


@given(text=st.text().filter(lambda t: t.isprintable()))
def test_texts_come_back_and_never_turn_special(tokenizer, text):
    import unicodedata
    ids = tokenizer.encode(text)
    special = {tokenizer.text_start, tokenizer.text_end, tokenizer.image_start,
               tokenizer.image_end}
    assert not special & set(ids)
    assert tokenizer.decode(ids) == unicodedata.normalize('NFC', text)


@pytest.mark.parametrize('token', SPECIAL_TOKENS)
def test_a_special_token_in_a_text_is_spelled_out(tokenizer, token):
    assert len(tokenizer.encode(token)) > 1


def test_words_of_the_training_texts_are_short(tokenizer):
    assert len(tokenizer.encode(TEXTS[1])) == 5  # '<answer', '>A', '</', 'answer', '>'


def test_too_small_a_vocabulary_is_refused(tmp_path):
    with pytest.raises(ValueError, match='tokenizer.vocabulary'):
        build_tokenizer(TEXTS, 100, tmp_path)
