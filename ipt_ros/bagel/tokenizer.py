# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""The Qwen2 byte-level BPE, with the four special tokens that frame texts and images."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from .errors import CheckpointError
from .json_files import read_object

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

SPECIAL_TOKENS = ('<|im_start|>', '<|im_end|>', '<|vision_start|>', '<|vision_end|>')


class Tokenizer:
    """
    Text to ids and back; a text can never become a special token, or any other added one.

    Texts come from users and from generated output, so '<|im_end|>' inside one is spelled out as
    ordinary characters, whatever a tokenizer's files say. The frames around texts and images are
    added by id: `text_start`, `text_end`, `image_start`, `image_end`.
    """

    def __init__(self, tokenizer: 'PreTrainedTokenizerBase', frame: Mapping[str, int]):
        """Take the ids of SPECIAL_TOKENS from `frame`; see `frame_ids`."""
        from tokenizers import Tokenizer as Encoder  # late, as in `activations`

        self._tokenizer = tokenizer
        self._frame = frozenset(frame.values())
        self.text_start, self.text_end, self.image_start, self.image_end = (
            frame[token] for token in SPECIAL_TOKENS)
        # The same merges, without any added token: no flag of one can let a text become it.
        whole = tokenizer.backend_tokenizer
        self._encoder = Encoder(whole.model)
        self._encoder.normalizer = whole.normalizer
        self._encoder.pre_tokenizer = whole.pre_tokenizer

    @classmethod
    def from_folder(cls, folder: str | Path) -> 'Tokenizer':
        """Load `tokenizer.json`, or `vocab.json` and `merges.txt`. Raises CheckpointError."""
        folder = Path(folder)
        frame = frame_ids(folder)
        from transformers import Qwen2Tokenizer  # late, as in `activations`

        try:
            tokenizer = cls(Qwen2Tokenizer.from_pretrained(folder, local_files_only=True), frame)
            known = tokenizer._tokenizer.get_vocab()
        except Exception as error:  # the libraries below raise bare Exceptions on broken files
            raise CheckpointError(
                f'{folder}: cannot read the tokenizer: {str(error):.200}') from error
        for token, number in frame.items():
            if known.get(token) != number:
                raise CheckpointError(
                    f'{folder}: the tokenizer: {token} has the id {number} by its file, but the '
                    f'tokens before it leave it {known.get(token)}; the added tokens must follow '
                    'the vocabulary without a gap: copy all tokenizer files of the checkpoint '
                    'that the model was trained from')
            if number in tokenizer.encode(token):
                raise CheckpointError(
                    f'{folder}: the tokenizer makes the control token {token} of a text that '
                    'spells it; expected one that cuts texts as Qwen2 does')
        return tokenizer

    def __len__(self) -> int:
        return len(self._tokenizer)

    @property
    def largest(self) -> int:
        """Return the largest id of a token."""
        return max(self._tokenizer.get_vocab().values())

    def encode(self, text: str) -> list[int]:
        return self._encoder.encode(text, add_special_tokens=False).ids

    def decode(self, ids: list[int]) -> str:
        return self._tokenizer.decode(
            [number for number in ids if number not in self._frame], skip_special_tokens=True,
            clean_up_tokenization_spaces=False)

    def save(self, folder: str | Path) -> None:
        self._tokenizer.save_pretrained(folder)


def frame_ids(folder: Path) -> dict[str, int]:
    """
    Return the ids of SPECIAL_TOKENS by what the files of a tokenizer say.

    Raises CheckpointError where they do not, or contradict one another: a model was trained with
    certain ids, and others would only look as if they worked.
    """
    if not (folder / 'tokenizer.json').exists() and not (folder / 'vocab.json').exists():
        raise CheckpointError(
            f'{folder}: no tokenizer; expected tokenizer.json, or vocab.json and merges.txt')
    named: dict[str, dict[str, int]] = {}
    try:
        for file, token, number in _named_tokens(folder):
            if token in SPECIAL_TOKENS:
                named.setdefault(token, {})[file] = int(number)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise CheckpointError(
            f'{folder}: cannot read the tokenizer: its files are not as transformers writes '
            'them') from error
    if missing := [token for token in SPECIAL_TOKENS if token not in named]:
        raise CheckpointError(
            f'{folder}: the tokenizer does not say which ids {", ".join(missing)} have, and they '
            'cannot be guessed; copy tokenizer.json (or tokenizer_config.json or '
            'added_tokens.json, which name them) from the checkpoint that the model was trained '
            'from')
    for token, places in named.items():
        if len(set(places.values())) > 1:
            told = ', '.join(f'{number} in {file}' for file, number in places.items())
            raise CheckpointError(f'{folder}: the tokenizer: {token} has the ids {told}; copy all '
                                  'tokenizer files of one checkpoint')
    ids = {token: next(iter(named[token].values())) for token in SPECIAL_TOKENS}
    if len(set(ids.values())) < len(ids):
        raise CheckpointError(f'{folder}: the tokenizer: one id for several of '
                              f'{", ".join(SPECIAL_TOKENS)}; expected one each')
    return ids


def _named_tokens(folder: Path) -> Iterator[tuple[str, str, int]]:
    """Yield (file, token, id) for all that a tokenizer's files name; KeyError and such for bad."""
    content = {name: read_object(folder / name, CheckpointError) for name in (
        'tokenizer.json', 'tokenizer_config.json', 'added_tokens.json')
        if (folder / name).exists()}
    if 'tokenizer.json' in content:
        whole = content['tokenizer.json']
        vocabulary = {'tokenizer.json': whole['model']['vocab']}
        for item in whole.get('added_tokens') or ():
            yield 'tokenizer.json', item['content'], item['id']
    else:
        vocabulary = {'vocab.json': read_object(folder / 'vocab.json', CheckpointError)}
    vocabulary['added_tokens.json'] = content.get('added_tokens.json', {})
    for file, tokens in vocabulary.items():
        for token in SPECIAL_TOKENS:
            if token in tokens:
                yield file, token, tokens[token]
    added = content.get('tokenizer_config.json', {}).get('added_tokens_decoder') or {}
    for number, item in added.items():
        yield 'tokenizer_config.json', item['content'], number
