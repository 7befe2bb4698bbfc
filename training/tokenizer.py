# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""A small vocabulary of its own for a small model, in the Qwen2 tokenizer's own format."""

from collections.abc import Iterable
import json
from pathlib import Path

from tokenizers import (
    AddedToken,
    decoders,
    normalizers,
    pre_tokenizers,
    processors,
    Regex,
    Tokenizer,
)
from tokenizers.models import BPE
from tokenizers.trainers import BpeTrainer

SPECIAL_TOKENS = (
    '<|endoftext|>', '<|im_start|>', '<|im_end|>', '<|vision_start|>', '<|vision_end|>',
)
# How Qwen2 cuts text before merging: contractions, words with their leading blank, single digits,
# punctuation runs, line ends, blanks.
QWEN2_PATTERN = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r'|\s*[\r\n]+|\s+(?!\S)|\s+'
)


def build_tokenizer(texts: Iterable[str], vocabulary: int, folder: str | Path) -> int:
    """
    Learn byte-level merges from ``texts`` and write a Qwen2 tokenizer into ``folder``.

    ``vocabulary`` is the most tokens wanted, special tokens included; fewer come out where the
    texts hold no more to merge. Any text can be encoded: all 256 bytes are tokens.
    Returns the number of tokens. Writes tokenizer.json, vocab.json, merges.txt and
    tokenizer_config.json.
    """
    least = 256 + len(SPECIAL_TOKENS)
    if vocabulary < least:
        raise ValueError(f'vocabulary is {vocabulary}: at least {least} are needed (every byte '
                         'and the special tokens); raise tokenizer.vocabulary in the recipe')
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = Tokenizer(BPE())
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(QWEN2_PATTERN), 'isolated'),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
    ])
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=False)
    trainer = BpeTrainer(
        vocab_size=vocabulary - len(SPECIAL_TOKENS), show_progress=False,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
    )
    tokenizer.train_from_iterator(texts, trainer)
    tokenizer.add_special_tokens([AddedToken(token, special=True) for token in SPECIAL_TOKENS])
    tokenizer.save(str(folder / 'tokenizer.json'))
    tokenizer.model.save(str(folder))
    settings = {
        'tokenizer_class': 'Qwen2Tokenizer',
        'eos_token': SPECIAL_TOKENS[0],
        'pad_token': SPECIAL_TOKENS[0],
        'unk_token': SPECIAL_TOKENS[0],
        'bos_token': None,
        'additional_special_tokens': list(SPECIAL_TOKENS[1:]),
        'model_max_length': 32768,
        'clean_up_tokenization_spaces': False,
        'split_special_tokens': False,
        'errors': 'replace',
    }
    (folder / 'tokenizer_config.json').write_text(json.dumps(settings, indent=1) + '\n')
    return tokenizer.get_vocab_size()
