# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""
Training samples as segments, and many samples packed into one batch.

A sample is a list of segments in the order in which the model meets them. Segments of branch 0 are
the trunk; those of a branch b > 0 see the trunk and the earlier segments of their own branch, and
nothing of other branches, with positions that go on from the trunk's end. Several questions about
the same images thus share one sample, each one exactly as if it had been asked alone.

In a batch, tokens lie in one flat row: all texts (with the frames around images), all ViT patches,
all latents. Order is free because attention is told who sees whom; this one keeps the work of each
expert, and of the image encoder, in contiguous slices. Attention itself works on one padded line
per sample, so samples cannot see each other.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from .config import BagelConfig
from .errors import InputError
from .images import check_image, fit, grid_positions, patchify, to_tensor
from .tokenizer import Tokenizer
from .vae import Vae
from .visibility import dense_mask

# Kinds of tokens in the order of a batch's flat row.
TEXT, VIT, LATENT = range(3)


@dataclass(frozen=True)
class TextSegment:
    """
    A text, given as a string or as ready `ids`.

    With `loss`, the model learns every token of it and the closing <|im_end|>; without, it is a
    condition, which condition dropout may leave out.
    """

    text: str = ''
    loss: bool = False
    branch: int = 0
    ids: Sequence[int] | None = None


@dataclass(frozen=True)
class ImageSegment:
    """
    An image: its clean latent copy (`vae`), then its encoder copy (`vit`).

    With `noised`, a noised latent copy comes first, which the model learns to denoise and which
    nothing else sees; the clean copies after it are conditions that dropout may leave out.
    `imagined` images take the size of imagined ones; noised ones always do. `image` is uint8
    (height, width, 3); `latent` (z, h, w), if given, saves encoding it.
    """

    image: np.ndarray | None = None
    vae: bool = True
    vit: bool = True
    noised: bool = False
    branch: int = 0
    latent: Tensor | None = None
    imagined: bool = False

    @property
    def takes_imagined_size(self) -> bool:
        return self.noised or self.imagined


Segment = TextSegment | ImageSegment
Sample = Sequence[Segment]


@dataclass(frozen=True)
class Dropout:
    """
    Chances that a condition is left out while training.

    `text` is for texts without loss, `vae` and `vit` for the clean copies of a noised image. Input
    images and texts with loss always stay.
    """

    text: float = 0.0
    vae: float = 0.0
    vit: float = 0.0


@dataclass
class VitGroup:
    """Images of one size for the encoder: uint8 (n, 3, h, w), and grid cells (cells,)."""

    pixels: Tensor
    cells: Tensor


@dataclass
class Batch:
    """
    Packed samples; see the module's docstring for the order of tokens.

    N tokens in all, T of text, V of latents, M noised ones among those, C with a text loss, B
    samples of at most L tokens.
    """

    text_ids: Tensor  # (T,) int64
    vit: list[VitGroup]
    latents: Tensor  # (V, latent_dim) float32, clean
    latent_cells: Tensor  # (V,) int64, cell in the latent position table
    times: Tensor  # (V,) float32, 0 for clean copies
    noised: Tensor  # (M,) int64, rows of `latents` that carry the image loss
    noise: Tensor  # (M, latent_dim) float32
    positions: Tensor  # (N,) int64, rope
    lines: Tensor  # (B, L) int64: flat token at each place of a sample's line; 0 where padded
    places: Tensor  # (N,) int64: place of each flat token in `lines` flattened
    roles: Tensor  # (4, B, L) int32: piece (-1: padding), branch, causal, hidden; see `Roles`
    pairs: int  # of a query and a key that it may see
    ce_tokens: Tensor  # (C,) int64, rows of `text_ids` that predict a label
    labels: Tensor  # (C,) int64
    ce_source: Tensor = field(repr=False)  # (C, 2) int64: sample, segment
    mse_source: Tensor = field(repr=False)  # (M, 2) int64: sample, segment

    @property
    def tokens(self) -> int:
        return len(self.positions)

    @property
    def samples(self) -> int:
        return len(self.lines)

    @cached_property
    def mask(self) -> Tensor:
        """Which place of each line may see which, (B, 1, L, L) bool; made when first asked for."""
        return dense_mask(self.roles)

    def to(self, device: str | torch.device, non_blocking: bool = False) -> 'Batch':
        """Return the batch on another device."""
        moved = {}
        for item in fields(self):
            value = getattr(self, item.name)
            if isinstance(value, Tensor):
                moved[item.name] = value.to(device, non_blocking=non_blocking)
        vit = [VitGroup(g.pixels.to(device, non_blocking=non_blocking),
                        g.cells.to(device, non_blocking=non_blocking)) for g in self.vit]
        return replace(self, vit=vit, **moved)


@dataclass
class _Piece:
    """One run of tokens that are causal, or full, among themselves."""

    segment: int  # index of the sample's segment
    branch: int
    causal: bool
    noised: bool
    kinds: np.ndarray  # TEXT, VIT or LATENT of each token
    rows: np.ndarray  # row of each token within its kind
    positions: np.ndarray


def pack(samples: Sequence[Sample], config: BagelConfig, tokenizer: Tokenizer, *,
         vae: Vae | None = None, dropout: Dropout | None = None,
         generator: torch.Generator | None = None) -> Batch:
    """
    Pack samples for `loss.compute`.

    `vae`, or what encodes images like it, is needed where an image to be encoded has no `latent`.
    `generator` draws dropout, times and noise. Needs no model, so it can run in data workers.
    Raises InputError.
    """
    if not samples:
        raise InputError('pack: no samples')
    packer = _Packer(config, tokenizer, vae, dropout or Dropout(), generator)
    return packer.batch([packer.sample(i, sample) for i, sample in enumerate(samples)])


class _Packer:
    """Collects the tokens of each kind while samples are laid out."""

    def __init__(self, config: BagelConfig, tokenizer: Tokenizer, vae: Vae | None,
                 dropout: Dropout, generator: torch.Generator | None):
        self.config, self.tokenizer, self.vae = config, tokenizer, vae
        self.dropout, self.generator = dropout, generator
        self.text_ids: list[int] = []
        self.vit_images: dict[tuple[int, int], list[Tensor]] = defaultdict(list)
        self.vit_pieces: list[tuple[_Piece, tuple[int, int], int]] = []
        self.latents: list[Tensor] = []
        self.latent_cells: list[Tensor] = []
        self.times: list[Tensor] = []
        self.noised: list[np.ndarray] = []
        self.ce_tokens: list[np.ndarray] = []
        self.labels: list[int] = []
        self.ce_source: list[np.ndarray] = []
        self.mse_source: list[np.ndarray] = []
        self.latent_rows = 0

    def sample(self, index: int, segments: Sample) -> list[_Piece]:
        """Lay out one sample."""
        pieces: list[_Piece] = []
        position = {0: 0}
        for number, segment in enumerate(segments):
            where, branch = (index, number), segment.branch
            if branch == 0 and len(position) > 1:
                raise InputError(f'sample {index}, segment {number}: the trunk (branch 0) must '
                                 'come before all branches')
            at = position.get(branch, position[0])
            if isinstance(segment, TextSegment):
                new, at = self._text(segment, where, at)
            else:
                new, at = self._image(segment, where, at)
            pieces += new
            position[branch] = at
        if not pieces:
            raise InputError(f'sample {index}: no tokens')
        return pieces

    def _chance(self, probability: float) -> bool:
        return probability > 0 and torch.rand((), generator=self.generator).item() < probability

    def _add_text(self, ids: Sequence[int]) -> np.ndarray:
        start = len(self.text_ids)
        self.text_ids.extend(ids)
        return np.arange(start, len(self.text_ids))

    def _text(self, segment: TextSegment, where: tuple[int, int],
              position: int) -> tuple[list[_Piece], int]:
        if not segment.loss and self._chance(self.dropout.text):
            return [], position
        words = list(self.tokenizer.encode(segment.text) if segment.ids is None else segment.ids)
        ids = [self.tokenizer.text_start, *words, self.tokenizer.text_end]
        rows = self._add_text(ids)
        if segment.loss:
            self.ce_tokens.append(rows[:-1])
            self.labels.extend(ids[1:])
            self.ce_source.append(np.tile(where, (len(ids) - 1, 1)))
        end = position + len(ids)
        piece = _Piece(where[1], segment.branch, True, False, np.full(len(ids), TEXT), rows,
                       np.arange(position, end))
        return [piece], end

    def _image(self, segment: ImageSegment, where: tuple[int, int],
               position: int) -> tuple[list[_Piece], int]:
        image = None if segment.image is None else check_image(segment.image)
        if image is not None and segment.takes_imagined_size and self.config.imagined_transform:
            image = fit(image, self.config.imagined_transform)  # so that the encoder sees no more
        pieces = []
        latent = None
        if segment.noised or segment.vae:
            latent = self._latent(segment, image, where)
        if segment.noised:
            pieces.append(self._latent_piece(latent, segment, where, position, noised=True))
        # A copy that is dropped still takes its position, as in the reference.
        if segment.vae:
            if not (segment.noised and self._chance(self.dropout.vae)):
                pieces.append(self._latent_piece(latent, segment, where, position, noised=False))
            position += 1
        if segment.vit:
            if not (segment.noised and self._chance(self.dropout.vit)):
                pieces.append(self._vit_piece(image, segment, where, position))
            position += 1
        return pieces, position

    def _latent(self, segment: ImageSegment, image: np.ndarray | None,
                where: tuple[int, int]) -> Tensor:
        if segment.latent is not None:
            return segment.latent.float()
        if image is None or self.vae is None:
            raise InputError(f'sample {where[0]}, segment {where[1]}: an image without a latent '
                             'needs its pixels, and pack() the vae')
        rule = self.config.latent_rule(segment.takes_imagined_size)
        return self.vae.encode_image(fit(image, rule)).cpu()

    def _latent_piece(self, latent: Tensor, segment: ImageSegment, where: tuple[int, int],
                      position: int, noised: bool) -> _Piece:
        config = self.config
        patch = config.latent_patch_size
        if latent.ndim != 3 or latent.shape[0] != config.vae.z_channels \
                or latent.shape[1] % patch or latent.shape[2] % patch:
            raise InputError(
                f'sample {where[0]}, segment {where[1]}: a latent must be ({config.vae.z_channels}'
                f', h, w) with h and w multiples of {patch}, got {tuple(latent.shape)}')
        grid = latent.shape[1] // patch, latent.shape[2] // patch
        rows = np.arange(self.latent_rows, self.latent_rows + grid[0] * grid[1])
        self.latent_rows += len(rows)
        self.latents.append(patchify(latent, patch))
        self.latent_cells.append(grid_positions(grid, config.max_latent_size, 'latent'))
        time = torch.zeros(())
        if noised:
            time = torch.randn((), generator=self.generator).sigmoid()
            time = shift_time(time, config.timestep_shift)
            self.noised.append(rows)
            self.mse_source.append(np.tile(where, (len(rows), 1)))
        self.times.append(time.expand(len(rows)))
        return self._framed(LATENT, rows, segment, where, position, noised)

    def _vit_piece(self, image: np.ndarray | None, segment: ImageSegment, where: tuple[int, int],
                   position: int) -> _Piece:
        if image is None:
            raise InputError(f'sample {where[0]}, segment {where[1]}: the encoder copy of an '
                             'image needs its pixels')
        pixels = to_tensor(fit(image, self.config.vit_transform))
        size = tuple(pixels.shape[1:])
        cells = (size[0] // self.config.vit.patch_size) * (size[1] // self.config.vit.patch_size)
        piece = self._framed(VIT, np.arange(cells), segment, where, position, noised=False)
        # Images of one size run together, so their rows are known only at the end.
        self.vit_pieces.append((piece, size, len(self.vit_images[size])))
        self.vit_images[size].append(pixels)
        return piece

    def _framed(self, kind: int, rows: np.ndarray, segment: ImageSegment, where: tuple[int, int],
                position: int, noised: bool) -> _Piece:
        frame = self._add_text([self.tokenizer.image_start, self.tokenizer.image_end])
        kinds = np.full(len(rows) + 2, kind)
        kinds[[0, -1]] = TEXT
        return _Piece(where[1], segment.branch, False, noised, kinds,
                      np.concatenate([frame[:1], rows, frame[1:]]),
                      np.full(len(rows) + 2, position))

    def batch(self, samples: list[list[_Piece]]) -> Batch:
        """Put the laid-out samples together."""
        groups, vit_rows = self._vit_groups()
        starts = np.array([0, len(self.text_ids), len(self.text_ids) + vit_rows])
        lines = [np.concatenate([starts[p.kinds] + p.rows for p in pieces]) for pieces in samples]
        length = max(map(len, lines))
        table = np.zeros((len(samples), length), dtype=np.int64)
        total = sum(map(len, lines))
        places = np.empty(total, dtype=np.int64)
        positions = np.empty(total, dtype=np.int64)
        for i, (line, pieces) in enumerate(zip(lines, samples)):
            table[i, :len(line)] = line
            places[line] = i * length + np.arange(len(line))
            positions[line] = np.concatenate([p.positions for p in pieces])
        noised = _join(self.noised)
        noise = torch.randn(len(noised), self.config.latent_dim, generator=self.generator)
        return Batch(
            text_ids=torch.tensor(self.text_ids),
            vit=groups,
            latents=torch.cat(self.latents or [torch.zeros(0, self.config.latent_dim)]),
            latent_cells=torch.cat(self.latent_cells or [torch.zeros(0, dtype=torch.int64)]),
            times=torch.cat(self.times or [torch.zeros(0)]),
            noised=noised,
            noise=noise,
            positions=torch.from_numpy(positions),
            lines=torch.from_numpy(table),
            places=torch.from_numpy(places),
            roles=torch.from_numpy(_roles(samples, length)),
            pairs=sum(map(_count_pairs, samples)),
            ce_tokens=_join(self.ce_tokens),
            labels=torch.tensor(self.labels, dtype=torch.int64),
            ce_source=_join(self.ce_source, columns=2),
            mse_source=_join(self.mse_source, columns=2),
        )

    def _vit_groups(self) -> tuple[list[VitGroup], int]:
        """Stack the images of each size, and tell every piece its rows."""
        patch = self.config.vit.patch_size
        groups, start, total = [], {}, 0
        for size, images in self.vit_images.items():
            grid = size[0] // patch, size[1] // patch
            cells = grid_positions(grid, self.config.vit_max_num_patch_per_side, 'image')
            groups.append(VitGroup(torch.stack(images), cells))
            start[size] = total
            total += len(images) * len(cells)
        for piece, size, index in self.vit_pieces:
            cells = len(piece.rows) - 2
            piece.rows[1:-1] += start[size] + index * cells
        return groups, total


def shift_time(t: Tensor, shift: float) -> Tensor:
    """Warp times in [0, 1] towards 1 (shift > 1): s*t / (1 + (s-1)*t)."""
    return shift * t / (1 + (shift - 1) * t)


def _roles(samples: list[list[_Piece]], length: int) -> np.ndarray:
    """Return (4, B, L) int32: piece, branch, causal, hidden of every place of padded lines."""
    # Padding is a piece of its own, -1, that sees and is seen by nobody else.
    table = np.zeros((4, len(samples), length), np.int32)
    table[0], table[3] = -1, 1
    for i, pieces in enumerate(samples):
        at = 0
        for number, p in enumerate(pieces):
            table[:, i, at:at + len(p.rows)] = np.reshape(
                [number, p.branch, p.causal, p.noised], (4, 1))
            at += len(p.rows)
    return table


def _count_pairs(pieces: list[_Piece]) -> int:
    """Return how many pairs of a query and a key that it may see a sample has."""
    pairs = 0
    seen: dict[int, int] = defaultdict(int)  # tokens of each branch that later ones may see
    for p in pieces:
        count = len(p.rows)
        before = seen[0] + (seen[p.branch] if p.branch else 0)
        pairs += count * before + (count * (count + 1) // 2 if p.causal else count**2)
        if not p.noised:
            seen[p.branch] += count
    return pairs


def _join(arrays: list[np.ndarray], columns: int = 0) -> Tensor:
    if not arrays:
        return torch.zeros((0, columns) if columns else 0, dtype=torch.int64)
    return torch.from_numpy(np.concatenate(arrays).astype(np.int64))
