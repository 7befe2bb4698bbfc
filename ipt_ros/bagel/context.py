# SPDX-License-Identifier: Apache-2.0
"""
What the model has read: an append-only list of segments with its key-value cache.

Keys and values are written in place into one growing buffer. A fork shares the buffer of its
parent. The tail beyond a context's length is free for it to write as long as no other living
context that shares the buffer is longer; else it moves to a buffer of its own first. So a fork
costs nothing, a fork that is dropped leaves nothing behind, and the shared prefix is copied only
when two contexts that both live on really part ways. No fork ever changes its parent.

Contexts are not safe to use from several threads at once, forks of one another included.
"""

from typing import NamedTuple
import weakref

import numpy as np
import torch
from torch import Tensor

from .config import LlmConfig
from .decoder import attention, GEN, Streams, UND
from .errors import InputError
from .images import check_image, fit, grid_positions, normalise, patchify, to_tensor

# A new buffer holds at least this many tokens.
MIN_CAPACITY = 256
# A text is read this many tokens at a time.
PREFILL = 1024


class Segment(NamedTuple):
    """One entry of a context: what it is, and length and position after it."""

    kind: str  # 'text', 'vae' or 'vit'
    length: int
    position: int


class _Buffer:
    """Keys and values of all layers, (layers, 2, kv_heads, capacity, head_dim)."""

    def __init__(self, config: LlmConfig, capacity: int, device: torch.device, dtype: torch.dtype):
        self.data = torch.empty(
            config.num_hidden_layers, 2, config.num_key_value_heads, capacity, config.head_dim,
            device=device, dtype=dtype)
        self.sharers: weakref.WeakSet[Context] = weakref.WeakSet()

    @property
    def capacity(self) -> int:
        return self.data.shape[3]


class Context:
    """
    A reading in progress.

    `length` counts tokens in the cache, `position` is the rope position of the next token,
    `segments` says what has been read.
    """

    def __init__(self, model):
        self.model = model
        self.length = 0
        self.position = 0
        self.segments: list[Segment] = []
        self._buffer = _Buffer(model.config.llm, 0, model.device, model.dtype)
        self._buffer.sharers.add(self)

    def fork(self) -> 'Context':
        """Return a context that has read the same and goes its own way from here."""
        twin = object.__new__(Context)
        twin.model, twin.length, twin.position = self.model, self.length, self.position
        twin.segments, twin._buffer = list(self.segments), self._buffer
        self._buffer.sharers.add(twin)
        return twin

    def add_text(self, text: str) -> None:
        """Read <|im_start|> text <|im_end|>; nothing in `text` can act as a special token."""
        tokenizer = self.model.tokenizer
        self.add_tokens([tokenizer.text_start, *tokenizer.encode(text), tokenizer.text_end])

    def add_image(self, image: np.ndarray, vit: bool = True, vae: bool = True) -> None:
        """
        Read an image, uint8 (height, width, 3 or 4), any size.

        `vae` reads its latents (what imagining starts from), `vit` its encoder features (what
        answering needs). Raises InputError.
        """
        config = self.model.config
        image = fit(check_image(image), config.vae_transform)
        if vae:
            self.add_latent(self.model.vae.encode_image(image))
        if vit:
            self.add_vit(normalise(to_tensor(fit(image, config.vit_transform))))

    @torch.no_grad()
    def add_tokens(self, ids: list[int]) -> Tensor:
        """Read token ids as they are; return decoded rows (n, dim). Raises InputError."""
        end, limit = self.position + len(ids), self.model.config.llm.max_position_embeddings
        if not ids or end > limit:
            raise InputError(f'a text of {len(ids)} tokens at position {self.position}: expected '
                             f'at least one, and an end within the {limit} positions of the model')
        hidden = []
        # In pieces, because the mask of a long text against all that was read gets large.
        for piece in torch.tensor(ids, device=self.model.device).split(PREFILL):
            positions = self.position + torch.arange(len(piece), device=self.model.device)
            streams = {UND: self.model.embed_text(piece)}
            hidden.append(self._decode(streams, positions, causal=True)[UND])
            self.length += len(piece)
            self.position += len(piece)
        self.segments.append(Segment('text', self.length, self.position))
        return torch.cat(hidden)

    @torch.no_grad()
    def add_latent(self, latent: Tensor) -> None:
        """Read a clean latent (z, h, w)."""
        config = self.model.config
        patch = config.latent_patch_size
        grid = latent.shape[1] // patch, latent.shape[2] // patch
        cells = grid_positions(grid, config.max_latent_size, 'latent').to(self.model.device)
        rows = patchify(latent, patch).to(self.model.device)
        self.decode_latents(rows, torch.zeros(1, device=self.model.device), cells)
        self._commit_image('vae', len(rows) + 2)

    @torch.no_grad()
    def add_vit(self, pixels: Tensor) -> None:
        """Read encoder features of pixels (3, h, w) in -1..1, sides multiples of the patch."""
        config = self.model.config
        patch = config.vit.patch_size
        grid = pixels.shape[1] // patch, pixels.shape[2] // patch
        cells = grid_positions(grid, config.vit_max_num_patch_per_side).to(self.model.device)
        patches = patchify(pixels, patch).to(self.model.device)
        rows = self.model.embed_vit(patches[None], cells)[0]
        start, end = self._frame()
        self._decode({UND: torch.cat([start, rows.to(start.dtype), end])}, self._still(len(rows)))
        self._commit_image('vit', len(rows) + 2)

    @torch.no_grad()
    def decode_latents(self, rows: Tensor, t: Tensor, cells: Tensor) -> Streams:
        """
        Decode latent patches (n, latent_dim) at time t (1,) as an image after this context.

        What the sampler asks at every step: the context does not grow.
        """
        start, end = self._frame()
        embedded = self.model.embed_latents(rows, t, cells).to(start.dtype)
        return self._decode({UND: torch.cat([start, end]), GEN: embedded}, self._still(len(rows)))

    def keys_values(self, layer: int) -> tuple[Tensor, Tensor]:
        """Return keys and values of a layer, (length, kv_heads, head_dim), in reading order."""
        keys, values = self._buffer.data[layer, :, :, :self.length].transpose(1, 2)
        return keys, values

    def _frame(self) -> tuple[Tensor, Tensor]:
        """Embed the tokens before and after an image."""
        tokenizer = self.model.tokenizer
        ids = torch.tensor([tokenizer.image_start, tokenizer.image_end], device=self.model.device)
        return self.model.embed_text(ids).split(1)

    def _still(self, count: int) -> Tensor:
        """Return the one position that all tokens of an image share."""
        return torch.full((count + 2,), self.position, device=self.model.device)

    def _decode(self, streams: Streams, positions: Tensor, causal: bool = False) -> Streams:
        """Run new tokens after the cache, their keys and values written beyond its length."""
        old, new = self.length, len(positions)
        self._make_room(new)
        buffer = self._buffer.data
        mask = None
        if causal and new > 1:
            mask = torch.ones(new, old + new, dtype=torch.bool, device=positions.device).tril(old)

        def attend(layer: int, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
            for slot, rows in enumerate((k, v)):
                room = buffer[layer, slot, :, old:old + new].transpose(0, 1)
                if GEN in streams:  # rows come as start, end, patches
                    room[0], room[-1], room[1:-1] = rows[0], rows[1], rows[2:]
                else:
                    room.copy_(rows)
            keys, values = buffer[layer, :, None, :, :old + new]
            return attention(q.transpose(0, 1)[None], keys, values, mask)[0].transpose(0, 1)

        return self.model.decode(streams, positions, attend)

    def _commit_image(self, kind: str, tokens: int) -> None:
        """Keep what `_decode` wrote; an image takes one position, however many its tokens."""
        self.length += tokens
        self.position += 1
        self.segments.append(Segment(kind, self.length, self.position))

    def _make_room(self, tokens: int) -> None:
        """Make the `tokens` places beyond `length` ours to write."""
        needed = self.length + tokens
        buffer = self._buffer
        taken = any(c.length > self.length for c in buffer.sharers if c is not self)
        if not taken and needed <= buffer.capacity:
            return
        capacity = max(MIN_CAPACITY, needed + needed // 2)
        own = _Buffer(self.model.config.llm, capacity, buffer.data.device, buffer.data.dtype)
        own.data[:, :, :, :self.length] = buffer.data[:, :, :, :self.length]
        buffer.sharers.discard(self)
        own.sharers.add(self)
        self._buffer = own
