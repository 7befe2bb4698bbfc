# SPDX-License-Identifier: Apache-2.0
"""Answering in words after a context, and asking how likely given words would have been."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

from .context import Context
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


@torch.no_grad()
def generate_text(context: Context, *, max_tokens: int, temperature: float = 0.0, seed: int = 42,
                  stop: Sequence[str] = (),
                  on_token: Callable[[str], None] | None = None) -> TextResult:
    """
    Write a text after a context; the context does not change.

    It ends at <|im_end|>, right after the first of the `stop` strings, or at `max_tokens`.
    Temperature 0 takes the likeliest token. `on_token` sees the text so far after every token and
    may raise `Cancelled`. Raises InputError.
    """
    if max_tokens < 1 or temperature < 0:
        raise InputError(f'generate_text: max_tokens must be at least 1 and temperature at least '
                         f'0, got {max_tokens} and {temperature}')
    model, tokenizer = context.model, context.model.tokenizer
    generator = torch.Generator().manual_seed(seed)
    # A token is at least one byte, so a stop string lies within its last so many tokens.
    reach = max((len(s.encode()) for s in stop), default=0)
    # At the end of the model's positions a text is cut off, like one at max_tokens.
    max_tokens = max(1, min(max_tokens, model.config.llm.max_position_embeddings
                            - context.position - 1))
    writing = context.fork()
    token, tokens, logprobs, finished = tokenizer.text_start, [], [], False
    while len(tokens) < max_tokens and not finished:
        logits = model.logits(writing.add_tokens([token])[-1]).cpu()
        if temperature > 0:
            chances = torch.softmax(logits / temperature, dim=-1)
            token = int(torch.multinomial(chances, 1, generator=generator))
        else:
            token = int(logits.argmax())
        if token == tokenizer.text_end:
            finished = True
            break
        tokens.append(token)
        logprobs.append(float(torch.log_softmax(logits, dim=-1)[token]))
        if on_token is not None:
            on_token(tokenizer.decode(tokens))
        if reach:
            tail = tokenizer.decode(tokens[-reach:])
            finished = any(s in tail for s in stop)
    return TextResult(tokenizer.decode(tokens), tokens, logprobs, finished)


@torch.no_grad()
def score_texts(context: Context, texts: Sequence[str]) -> list[float]:
    """
    Return the log-probability of each text as the whole next text, its end included.

    The softmax of these over the choices of a question is the model's belief in each.
    """
    model, tokenizer = context.model, context.model.tokenizer
    scores = []
    for text in texts:
        ids = [tokenizer.text_start, *tokenizer.encode(text), tokenizer.text_end]
        logits = model.logits(context.fork().add_tokens(ids[:-1]))
        logprobs = torch.log_softmax(logits, dim=-1)
        targets = torch.tensor(ids[1:], device=logits.device)
        scores.append(float(logprobs.gather(1, targets[:, None]).sum()))
    return scores
