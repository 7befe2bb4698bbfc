# SPDX-License-Identifier: Apache-2.0
"""Answering in words after a context, and asking how likely given words would have been."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

from .context import Context, ContextBatch
from .errors import InputError


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
    """One text while it is written."""

    def __init__(self, seed: int, room: int):
        self.generator = torch.Generator().manual_seed(seed)
        self.room = room
        self.tokens: list[int] = []
        self.logprobs: list[float] = []
        self.finished = False

    @property
    def goes_on(self) -> bool:
        return not self.finished and len(self.tokens) < self.room


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
    if len(seeds) != len(batch):
        raise InputError(f'generate_texts: {len(seeds)} seeds for {len(batch)} contexts')
    model, tokenizer = batch.model, batch.model.tokenizer
    # A token is at least one byte, so a stop string lies within its last so many tokens.
    reach = max((len(s.encode()) for s in stop), default=0)
    # At the end of the model's positions a text is cut off, like one at max_tokens.
    limit = model.config.llm.max_position_embeddings - 1
    texts = [_Writing(seed, max(1, min(max_tokens, limit - position)))
             for seed, position in zip(seeds, batch.positions)]
    # Which text each row of `context` belongs to.
    context, rows = batch.fork(), list(range(len(batch)))
    following = [[tokenizer.text_start] for _ in texts]
    while any(text.goes_on for text in texts):
        live = [index for index in rows if texts[index].goes_on]
        if len(live) <= len(rows) // 2:
            # Those that have ended still cost time, and moving the others costs some, too.
            context = context.select([rows.index(index) for index in live])
            rows = live
        hidden = context.add_tokens([following[index] for index in rows])[:, -1]
        logits = model.logits(hidden).cpu()
        logprobs = torch.log_softmax(logits, dim=-1)
        likeliest = logits.argmax(dim=-1).tolist()
        for row, index in enumerate(rows):
            text, following[index] = texts[index], []
            if not text.goes_on:
                continue
            token = likeliest[row]
            if temperature > 0:
                chances = torch.softmax(logits[row] / temperature, dim=-1)
                token = int(torch.multinomial(chances, 1, generator=text.generator))
            if token == tokenizer.text_end:
                text.finished = True
                continue
            following[index] = [token]
            text.tokens.append(token)
            text.logprobs.append(float(logprobs[row, token]))
            if on_token is not None:
                on_token(index, tokenizer.decode(text.tokens))
            if reach:
                tail = tokenizer.decode(text.tokens[-reach:])
                text.finished = any(s in tail for s in stop)
            if not text.goes_on:
                following[index] = []
    return [TextResult(tokenizer.decode(text.tokens), text.tokens, text.logprobs, text.finished)
            for text in texts]


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
    if len(texts) != len(batch):
        raise InputError(f'score_each: {len(texts)} lists of texts for {len(batch)} contexts')
    tokenizer = batch.model.tokenizer
    ids = [[[tokenizer.text_start, *tokenizer.encode(text), tokenizer.text_end] for text in own]
           for own in texts]
    shared = [_shared(own) for own in ids]
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
