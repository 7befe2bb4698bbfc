# SPDX-License-Identifier: Apache-2.0
"""The Qwen2 byte-level BPE, with the four special tokens that frame texts and images."""

from pathlib import Path
from typing import TYPE_CHECKING

from .errors import CheckpointError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

SPECIAL_TOKENS = ('<|im_start|>', '<|im_end|>', '<|vision_start|>', '<|vision_end|>')


class Tokenizer:
    """
    Text to ids and back; a text can never become a special token.

    Texts come from users and from generated output, so '<|im_end|>' inside one is spelled out as
    ordinary characters. The frames around texts and images are added by id: `text_start`,
    `text_end`, `image_start`, `image_end`.
    """

    def __init__(self, tokenizer: 'PreTrainedTokenizerBase'):
        missing = [t for t in SPECIAL_TOKENS if t not in tokenizer.get_vocab()]
        if missing:
            tokenizer.add_special_tokens({'additional_special_tokens': missing})
        self._tokenizer = tokenizer
        self.text_start, self.text_end, self.image_start, self.image_end = (
            tokenizer.convert_tokens_to_ids(list(SPECIAL_TOKENS)))

    @classmethod
    def from_folder(cls, folder: str | Path) -> 'Tokenizer':
        """Load `tokenizer.json`, or `vocab.json` and `merges.txt`. Raises CheckpointError."""
        folder = Path(folder)
        if not (folder / 'tokenizer.json').exists() and not (folder / 'vocab.json').exists():
            raise CheckpointError(
                f'{folder}: no tokenizer; expected tokenizer.json, or vocab.json and merges.txt')
        from transformers import Qwen2Tokenizer  # late, as in `activations`

        try:
            return cls(Qwen2Tokenizer.from_pretrained(folder, local_files_only=True))
        except Exception as error:  # the libraries below raise bare Exceptions on broken files
            raise CheckpointError(f'{folder}: cannot read the tokenizer: {error}') from error

    def __len__(self) -> int:
        return len(self._tokenizer)

    def encode(self, text: str) -> list[int]:
        return self._tokenizer.encode(text, add_special_tokens=False, split_special_tokens=True)

    def decode(self, ids: list[int]) -> str:
        return self._tokenizer.decode(
            ids, skip_special_tokens=True, clean_up_tokenization_spaces=False)

    def save(self, folder: str | Path) -> None:
        self._tokenizer.save_pretrained(folder)
