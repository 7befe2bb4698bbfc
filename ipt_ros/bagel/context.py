# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""
What the model has read: append-only lists of segments with their key-value cache.

`ContextBatch` reads for several at once, one pass of the decoder for all; `Context` is a batch of
one with single values in and out. A fork costs nothing; see `cache`.

Contexts are not safe to use from several threads at once, forks of one another included.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from .cache import Cache
from .decoder import attention, GEN, Streams, UND
from .errors import InputError
from .images import check_image, fit, grid_positions, normalise, patchify, to_tensor

# A text is read this many tokens at a time.
PREFILL = 1024


class Segment(NamedTuple):
    """One entry of a context: what it is, and length and position after it."""

    kind: str  # 'text', 'vae' or 'vit'
    length: int
    position: int


class ContextBatch:
    """
    Several readings in progress, that go on together.

    Each has its own history and agrees with the one that would have come of it alone, to rounding.
    For each, `lengths` counts tokens in the cache, `positions` has the rope position of the next
    token, and `segments` says what has been read. Whatever is added is added to all: one text or
    image each.
    """

    def __init__(self, model, count: int = 1):
        if count < 1:
            raise InputError(f'a batch of contexts needs one at least, got {count}')
        self.model = model
        self.lengths = [0] * count
        self.positions = [0] * count
        self.segments: list[list[Segment]] = [[] for _ in range(count)]
        self.cache = Cache.empty(model.config.llm, count, model.device, model.dtype)

    def __len__(self) -> int:
        return len(self.positions)

    def fork(self) -> 'ContextBatch':
        """Return contexts that have read the same and go their own way from here."""
        return self.select(range(len(self)))

    def select(self, rows: Sequence[int]) -> 'ContextBatch':
        """Return forks of some of the contexts, in the order given; one may come repeatedly."""
        return self._of([(self, row) for row in rows], self.cache.select(rows))

    @classmethod
    def join(cls, batches: Sequence['ContextBatch']) -> 'ContextBatch':
        """Return forks of all contexts of all batches, of one model, in one batch."""
        if not batches or len({id(batch.model) for batch in batches}) > 1:
            raise InputError(f'cannot join {len(batches)} batches of contexts; give one or more, '
                             'all of one model')
        return cls._of([(batch, row) for batch in batches for row in range(len(batch))],
                       Cache.join([batch.cache for batch in batches]))

    def must_match(self, count: int, what: str) -> None:
        """Raise InputError unless there are so many contexts."""
        if count != len(self):
            raise InputError(f'{count} {what} for {len(self)} contexts; expected one for each')

    @classmethod
    def _of(cls, rows: Sequence[tuple['ContextBatch', int]], cache: Cache) -> 'ContextBatch':
        new = object.__new__(cls)
        new.model, new.cache = rows[0][0].model, cache
        new.lengths = [batch.lengths[row] for batch, row in rows]
        new.positions = [batch.positions[row] for batch, row in rows]
        new.segments = [list(batch.segments[row]) for batch, row in rows]
        return new

    def add_texts(self, texts: Sequence[str]) -> None:
        """Read <|im_start|> text <|im_end|>; nothing in a text can act as a special token."""
        tokenizer = self.model.tokenizer
        self.add_tokens([[tokenizer.text_start, *tokenizer.encode(text), tokenizer.text_end]
                         for text in texts])

    def add_images(self, images: Sequence[np.ndarray], vit: bool = True, vae: bool = True,
                   imagined: bool = False) -> None:
        """
        Read an image each, uint8 (height, width, 3 or 4), any size that all share.

        `vae` reads its latents (what imagining starts from), `vit` its encoder features (what
        answering needs). Imagined images have a size of their own. Raises InputError.
        """
        config = self.model.config
        images = [fit(check_image(image), config.latent_rule(imagined)) for image in images]
        sizes = sorted({image.shape[:2] for image in images})
        if len(sizes) > 1:
            raise InputError(f'images to be read together must come to one size, got {sizes} '
                             '(height, width) after resizing; make a batch for each size')
        if vae:
            self.add_latents(self.model.vae.encode_images(images))
        if vit:
            pixels = [to_tensor(fit(image, config.vit_transform)) for image in images]
            self.add_vits(normalise(torch.stack(pixels)))

    @torch.no_grad()
    def add_tokens(self, ids: Sequence[Sequence[int]]) -> Tensor:
        """
        Read token ids as they are, one list for each context; an empty one leaves it as it was.

        Returns decoded rows (contexts, n, dim), n being the most ids that a context got, aligned
        at their ends: what decides the token after a text is the last row. Raises InputError.
        """
        self.must_match(len(ids), 'texts')
        counts, device = [len(own) for own in ids], self.model.device
        most = max(counts)
        limit = self.model.config.llm.max_position_embeddings
        for count, position in zip(counts, self.positions):
            if not most or position + count > limit:
                raise InputError(f'a text of {count} tokens at position {position}: expected at '
                                 f'least one, and an end within the {limit} positions of the '
                                 'model')
        padded = torch.tensor([[0] * (most - len(own)) + list(own) for own in ids], device=device)
        steps, fresh = torch.arange(most, device=device), None
        if min(counts) < most:
            # Padding has negative steps: it goes first.
            steps = steps - most + torch.tensor(counts, device=device)[:, None]
            fresh, steps = steps >= 0, steps.clamp(min=0)
        places = torch.tensor(self.positions, device=device)[:, None] + steps
        hidden = []
        # In pieces, because the mask of a long text against all that was read gets large.
        for start in range(0, most, PREFILL):
            piece = slice(start, start + PREFILL)
            streams = {UND: self.model.embed_text(padded[:, piece])}
            new = None if fresh is None else fresh[:, piece]
            hidden.append(self._decode(streams, places[:, piece], new, causal=True)[UND])
            self._keep(hidden[-1].shape[1], new)
        self._note('text', counts, counts)
        return torch.cat(hidden, dim=1) if len(hidden) > 1 else hidden[0]

    @torch.no_grad()
    def add_latents(self, latents: Tensor) -> None:
        """Read clean latents (contexts, z, h, w)."""
        self.must_match(len(latents), 'images')
        config = self.model.config
        patch = config.latent_patch_size
        grid = latents.shape[2] // patch, latents.shape[3] // patch
        cells = grid_positions(grid, config.max_latent_size, 'latent').to(self.model.device)
        rows = patchify(latents, patch).to(self.model.device)
        self.decode_latents(rows, torch.zeros(1, device=self.model.device), cells)
        self._keep_image('vae', rows.shape[1] + 2)

    @torch.no_grad()
    def add_vits(self, pixels: Tensor) -> None:
        """Read encoder features of pixels (contexts, 3, h, w) in -1..1, sides of whole patches."""
        self.must_match(len(pixels), 'images')
        config = self.model.config
        patch = config.vit.patch_size
        grid = pixels.shape[2] // patch, pixels.shape[3] // patch
        cells = grid_positions(grid, config.vit_max_num_patch_per_side).to(self.model.device)
        rows = self.model.embed_vit(patchify(pixels, patch).to(self.model.device), cells)
        start, end = self._frame()
        streams = {UND: torch.cat([start, rows.to(start.dtype), end], dim=1)}
        self._decode(streams, self._still(rows.shape[1]))
        self._keep_image('vit', rows.shape[1] + 2)

    @torch.no_grad()
    def decode_latents(self, rows: Tensor, t: Tensor, cells: Tensor) -> Streams:
        """
        Decode latent patches (contexts, n, latent_dim) at time t (1,) as an image each, after all.

        What the sampler asks at every step: the contexts do not grow.
        """
        start, end = self._frame()
        embedded = self.model.embed_latents(rows, t, cells).to(start.dtype)
        streams = {UND: torch.cat([start, end], dim=1), GEN: embedded}
        return self._decode(streams, self._still(rows.shape[1]))

    def _frame(self) -> tuple[Tensor, Tensor]:
        """Embed the tokens before and after an image, (contexts, 1, dim) each."""
        tokenizer = self.model.tokenizer
        ids = torch.tensor([tokenizer.image_start, tokenizer.image_end], device=self.model.device)
        return self.model.embed_text(ids.expand(len(self), 2)).split(1, dim=1)

    def _still(self, count: int) -> Tensor:
        """Return the one position that all tokens of an image share, (contexts, count + 2)."""
        positions = torch.tensor(self.positions, device=self.model.device)
        return positions[:, None].expand(-1, count + 2)

    def _decode(self, streams: Streams, positions: Tensor, fresh: Tensor | None = None,
                causal: bool = False) -> Streams:
        """
        Run new tokens after the cache, their keys and values written beyond its length.

        Streams are (contexts, n of the stream, dim), `positions` (contexts, n of all streams);
        tokens that are not `fresh` are padding.
        """
        cache, count = self.cache, len(self)
        sizes = [x.shape[1] for x in streams.values()]
        old, new = cache.length, sum(sizes)
        cache.make_room(new)
        mask = cache.mask(new, causal, fresh)
        shares = [count * size for size in sizes]

        def lined_up(x: Tensor) -> Tensor:
            """Put the flat rows of all streams, (tokens, ...), one line a context."""
            if count == 1 or len(sizes) == 1:
                return x.view(count, new, *x.shape[1:])
            return torch.cat([part.unflatten(0, (count, -1)) for part in x.split(shares)], dim=1)

        def flat(x: Tensor) -> Tensor:
            if count == 1 or len(sizes) == 1:
                return x.flatten(0, 1)
            return torch.cat([part.flatten(0, 1) for part in x.split(sizes, dim=1)])

        def attend(layer: int, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
            written = cache.data[layer, ..., :old + new, :]
            for slot, rows in enumerate((k, v)):
                rows, room = lined_up(rows), written[slot, :, :, old:].transpose(1, 2)
                if GEN in streams:  # rows come as start, end, patches
                    room[:, 0], room[:, -1], room[:, 1:-1] = rows[:, 0], rows[:, 1], rows[:, 2:]
                else:
                    room.copy_(rows)
            mixed = attention(lined_up(q).transpose(1, 2), *written, mask)
            return flat(mixed.transpose(1, 2))

        decoded = self.model.decode({expert: x.flatten(0, 1) for expert, x in streams.items()},
                                    flat(positions), attend)
        return {expert: x.unflatten(0, (count, -1)) for expert, x in decoded.items()}

    def _keep(self, slots: int, fresh: Tensor | None = None) -> None:
        """Keep what `_decode` wrote."""
        self.cache.seen = self.cache.grown(slots, fresh)
        self.cache.length += slots

    def _keep_image(self, kind: str, tokens: int) -> None:
        """Keep an image; it takes one position, however many its tokens."""
        self._keep(tokens)
        self._note(kind, [tokens] * len(self), [1] * len(self))

    def _note(self, kind: str, tokens: Sequence[int], steps: Sequence[int]) -> None:
        """Write down a segment of so many tokens, and steps of the position, for each context."""
        for row, (count, step) in enumerate(zip(tokens, steps)):
            self.lengths[row] += count
            self.positions[row] += step
            if count:
                self.segments[row].append(Segment(kind, self.lengths[row], self.positions[row]))


class Context:
    """
    A reading in progress: a ContextBatch of one, `batch`, with single values in and out.

    `length` counts tokens in the cache, `position` is the rope position of the next token,
    `segments` says what has been read.
    """

    def __init__(self, model, batch: ContextBatch | None = None):
        """Begin to read, or go on with a batch that has one context."""
        self.batch = ContextBatch(model) if batch is None else batch
        if len(self.batch) != 1:
            raise InputError(f'a context is a batch of one, got one of {len(self.batch)}')

    @property
    def model(self):
        return self.batch.model

    @property
    def length(self) -> int:
        return self.batch.lengths[0]

    @property
    def position(self) -> int:
        return self.batch.positions[0]

    @property
    def segments(self) -> list[Segment]:
        return self.batch.segments[0]

    def fork(self) -> 'Context':
        """Return a context that has read the same and goes its own way from here."""
        return Context(self.model, self.batch.fork())

    def add_text(self, text: str) -> None:
        """Read a text; see `ContextBatch.add_texts`."""
        self.batch.add_texts([text])

    def add_image(self, image: np.ndarray, vit: bool = True, vae: bool = True,
                  imagined: bool = False) -> None:
        """Read an image; see `ContextBatch.add_images`. Raises InputError."""
        self.batch.add_images([image], vit=vit, vae=vae, imagined=imagined)

    def add_tokens(self, ids: Sequence[int]) -> Tensor:
        """Read token ids as they are; return decoded rows (n, dim). Raises InputError."""
        return self.batch.add_tokens([ids])[0]

    def keys_values(self, layer: int) -> tuple[Tensor, Tensor]:
        """Return keys and values of a layer, (length, kv_heads, head_dim), in reading order."""
        cache = self.batch.cache
        both = cache.data[layer, :, 0, :, :cache.length].transpose(1, 2)
        keys, values = both if cache.seen is None else both[:, cache.seen[0]]
        return keys, values
