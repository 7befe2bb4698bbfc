# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""Answering in words after a context, and asking how likely given words would have been."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from .context import Context, ContextBatch
from .errors import InputError
from .tokenizer import Tokenizer

# Tokens to be saved for one more pass of the decoder to be worth while.
PASS = 64


@dataclass(frozen=True)
class TextResult:
    """
    A generated text.

    `tokens` are without the frame; `logprobs` are their natural log-probabilities (at temperature
    1). `finished` is false where `max_tokens` cut the text off.
    """

    text: str
    tokens: list[int]
    logprobs: list[float]
    finished: bool


class _Writing:
    """A text while it is written; `following` has the ids to be read next, none at its end."""

    def __init__(self, tokenizer: Tokenizer, seed: int, room: int, temperature: float,
                 stop: Sequence[str]):
        self._tokenizer, self._room, self._stop = tokenizer, room, stop
        # A token is at least one byte, so a stop string lies within its last so many tokens.
        self._reach = max((len(s.encode()) for s in stop), default=0)
        self._temperature = temperature
        self._generator = torch.Generator().manual_seed(seed)
        self._tokens: list[int] = []
        self._logprobs: list[float] = []
        self._finished = False
        self.following = [tokenizer.text_start]

    @property
    def text(self) -> str:
        return self._tokenizer.decode(self._tokens)

    @property
    def result(self) -> TextResult:
        return TextResult(self.text, self._tokens, self._logprobs, self._finished)

    def choose(self, logits: Tensor) -> bool:
        """Draw the next token by its logits (vocab,); tell whether it belongs to the text."""
        if self._temperature > 0:
            chances = torch.softmax(logits / self._temperature, dim=-1)
            token = int(torch.multinomial(chances, 1, generator=self._generator))
        else:
            token = int(logits.argmax())
        if token == self._tokenizer.text_end:
            self._finished, self.following = True, []
            return False
        self._tokens.append(token)
        self._logprobs.append(float(torch.log_softmax(logits, dim=-1)[token]))
        if self._reach:
            tail = self._tokenizer.decode(self._tokens[-self._reach:])
            self._finished = any(s in tail for s in self._stop)
        ended = self._finished or len(self._tokens) >= self._room
        self.following = [] if ended else [token]
        return True


@torch.no_grad()
def generate_texts(batch: ContextBatch, *, max_tokens: int, seeds: Sequence[int],
                   temperature: float = 0.0, stop: Sequence[str] = (),
                   on_token: Callable[[int, str], None] | None = None) -> list[TextResult]:
    """
    Write a text after each context of a batch, each with its own seed; they do not change.

    See `generate_text`; `on_token` sees the index of the context and its text so far.
    """
    if max_tokens < 1 or temperature < 0:
        raise InputError(f'generate_text: max_tokens must be at least 1 and temperature at least '
                         f'0, got {max_tokens} and {temperature}')
    batch.must_match(len(seeds), 'seeds')
    model = batch.model
    # At the end of the model's positions a text is cut off, like one at max_tokens.
    limit = model.config.llm.max_position_embeddings - 1
    texts = [
        _Writing(model.tokenizer, seed, max(1, min(max_tokens, limit - position)), temperature,
                 stop) for seed, position in zip(seeds, batch.positions)]
    writing, rows = batch.fork(), list(range(len(batch)))  # rows: whose text each context holds
    while live := [index for index in rows if texts[index].following]:
        if len(live) <= len(rows) // 2:
            # Those that have ended cost time at each token; leaving them behind costs a copy.
            writing, rows = writing.select([rows.index(index) for index in live]), live
        hidden = writing.add_tokens([texts[index].following for index in rows])
        for index, logits in zip(rows, model.logits(hidden[:, -1]).cpu()):
            going = texts[index].following and texts[index].choose(logits)
            if going and on_token is not None:
                on_token(index, texts[index].text)
    return [text.result for text in texts]


def generate_text(context: Context, *, max_tokens: int, temperature: float = 0.0, seed: int = 42,
                  stop: Sequence[str] = (),
                  on_token: Callable[[str], None] | None = None) -> TextResult:
    """
    Write a text after a context; the context does not change.

    It ends at <|im_end|>, right after the first of the `stop` strings, or at `max_tokens`.
    Temperature 0 takes the likeliest token. `on_token` sees the text so far after every token and
    may raise `Cancelled`. Raises InputError.
    """
    return generate_texts(
        context.batch, max_tokens=max_tokens, temperature=temperature, seeds=[seed], stop=stop,
        on_token=None if on_token is None else lambda _, text: on_token(text))[0]


@torch.no_grad()
def score_each(batch: ContextBatch, texts: Sequence[Sequence[str]]) -> list[list[float]]:
    """
    Return `score_texts` of each context of a batch, each with texts of its own.

    What the texts of a context begin with in common, a long thought for instance, is read once.
    """
    batch.must_match(len(texts), 'lists of texts')
    tokenizer = batch.model.tokenizer
    ids = [[[tokenizer.text_start, *tokenizer.encode(text), tokenizer.text_end] for text in own]
           for own in texts]
    shared = [_shared(own) for own in ids]
    if sum(count * (len(own) - 1) for count, own in zip(shared, ids) if own) < PASS:
        shared = [0] * len(ids)
    reading = batch.fork()
    begun = _LogProbs(reading, [own[0][:count] if own else [] for own, count in zip(ids, shared)])
    scores: list[list[float]] = [[] for _ in texts]
    for number in range(max(map(len, texts))):
        rows = [row for row, own in enumerate(ids) if number < len(own)]
        ended = _LogProbs(reading.select(rows), [ids[row][number][shared[row]:-1] for row in rows])
        for place, row in enumerate(rows):
            following = ids[row][number][1:]
            scores[row].append(begun.sum(row, following[:shared[row]])
                               + ended.sum(place, following[shared[row]:]))
    return scores


def _shared(texts: Sequence[Sequence[int]]) -> int:
    """Return with how many equal tokens all texts begin, short of the last but one of any."""
    count = 0
    for column in zip(*(ids[:-2] for ids in texts)):
        if len(set(column)) > 1:
            break
        count += 1
    return count


class _LogProbs:
    """Log-probabilities of what may follow each of the tokens that contexts read."""

    def __init__(self, batch: ContextBatch, ids: Sequence[Sequence[int]]):
        self._model = batch.model
        self._hidden = batch.add_tokens(ids) if any(ids) else None

    def sum(self, row: int, following: Sequence[int]) -> float:
        """Return the sum over the last tokens of a row, given the token after each of them."""
        if not following:
            return 0.0
        # A row at a time: with a large vocabulary, all at once would not fit.
        logprobs = self._model.logits(self._hidden[row, -len(following):]).log_softmax(-1)
        targets = torch.tensor(following, device=logprobs.device)
        return float(logprobs.gather(1, targets[:, None]).sum())


def score_texts(context: Context, texts: Sequence[str]) -> list[float]:
    """
    Return the log-probability of each text as the whole next text, its end included.

    The softmax of these over the choices of a question is the model's belief in each.
    """
    return score_each(context.batch, [texts])[0]
