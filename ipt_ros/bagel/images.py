# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""
Images on their way into the model: resizing, scaling, patches and their grid positions.

An image is a uint8 array (height, width, 3), RGB; sizes are (height, width).
"""

import numpy as np
from PIL import Image
import torch
from torch import Tensor

from .config import ResizeRule
from .errors import InputError

# The reference never feeds more pixels than this, whatever the rule of sides allows.
MAX_PIXELS = 14 * 14 * 9 * 1024


def check_image(image: np.ndarray) -> np.ndarray:
    """Return the image as RGB, RGBA laid onto white. Raises InputError."""
    if not isinstance(image, np.ndarray) or image.dtype != np.uint8 or image.ndim != 3 \
            or image.shape[2] not in (3, 4) or 0 in image.shape:
        found = (f'{image.dtype} {image.shape}' if isinstance(image, np.ndarray)
                 else type(image).__name__)
        raise InputError(f'an image must be a uint8 array (height, width, 3 or 4), got {found}')
    if image.shape[2] == 3:
        return image
    picture = Image.fromarray(image, 'RGBA')
    white = Image.new('RGBA', picture.size, (255, 255, 255, 255))
    return np.asarray(Image.alpha_composite(white, picture).convert('RGB'))


def fitted_size(size: tuple[int, int], rule: ResizeRule) -> tuple[int, int]:
    """Return the (height, width) that `rule` gives an image of `size`."""
    def scaled(height: int, width: int, scale: float) -> tuple[int, int]:
        return tuple(
            max(rule.stride, int(round(round(side * scale) / rule.stride) * rule.stride))
            for side in (height, width))

    scale = max(min(rule.max_side / max(size), 1.0), rule.min_side / min(size))
    size = scaled(*size, scale)
    if size[0] * size[1] > MAX_PIXELS:
        # The reference scales by the ratio of areas, not by its root: kept, sizes must agree.
        size = scaled(*size, MAX_PIXELS / (size[0] * size[1]))
    if max(size) > rule.max_side:
        size = scaled(*size, rule.max_side / max(size))
    return size


def resize(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Resize to (height, width), bicubic with antialias; the same on every version of Pillow."""
    if image.shape[:2] == tuple(size):
        return image
    return _resampled(image, size, Image.Resampling.BICUBIC)


def _resampled(
        image: np.ndarray, size: tuple[int, int], kernel: Image.Resampling) -> np.ndarray:
    # One axis at a time. Pillow rounds to whole grey values between the two, so the order shows:
    # up to 12.1 the width always comes first, later versions have rules of their own, and results
    # differ by up to two grey values. One axis alone is resampled alike by all of them. The rule
    # here is that of Pillow 13, so that the numbers of this repository stay what they are.
    (height, width), (new_height, new_width) = image.shape[:2], size
    picture = Image.fromarray(image)
    if new_height < height and height - new_height > 2 * (width - new_width):
        picture = picture.resize((width, new_height), kernel)
    else:
        picture = picture.resize((new_width, height), kernel)
    return np.asarray(picture.resize((new_width, new_height), kernel))


def fit(image: np.ndarray, rule: ResizeRule) -> np.ndarray:
    """Resize an image by a rule."""
    return resize(image, fitted_size(image.shape[:2], rule))


def shrink(image: np.ndarray, longest: int) -> np.ndarray:
    """Shrink an image so that its longest side is at most `longest`; never enlarge."""
    height, width = image.shape[:2]
    scale = longest / max(height, width)
    if scale >= 1:
        return image
    size = max(1, round(height * scale)), max(1, round(width * scale))
    return _resampled(image, size, Image.Resampling.LANCZOS)


def to_tensor(image: np.ndarray) -> Tensor:
    """Return uint8 (h, w, 3) as a uint8 tensor (3, h, w)."""
    return torch.from_numpy(np.array(image)).permute(2, 0, 1).contiguous()


def normalise(pixels: Tensor) -> Tensor:
    """Return uint8 0..255 as float32 -1..1."""
    return (pixels.float() / 255 - 0.5) / 0.5


def patchify(images: Tensor, patch: int) -> Tensor:
    """Cut (..., c, h*p, w*q) into rows (..., h*w, p*q*c); patches run along the rows."""
    *lead, c, height, width = images.shape
    h, w = height // patch, width // patch
    cut = images.reshape(*lead, c, h, patch, w, patch)
    cut = cut.movedim((-4, -2), (-5, -4))  # (..., h, w, c, p, q)
    return cut.movedim(-3, -1).reshape(*lead, h * w, patch * patch * c)


def unpatchify(rows: Tensor, patch: int, grid: tuple[int, int]) -> Tensor:
    """Undo `patchify`: rows (h*w, p*q*c) to (c, h*p, w*q)."""
    h, w = grid
    cut = rows.reshape(h, w, patch, patch, -1)
    return cut.permute(4, 0, 2, 1, 3).reshape(-1, h * patch, w * patch)


def grid_positions(grid: tuple[int, int], side: int, what: str = 'image') -> Tensor:
    """Return row * side + column of every cell, (h*w,) int64. Raises InputError if too large."""
    h, w = grid
    if max(h, w) > side:
        raise InputError(f'{what}: {h}x{w} patches do not fit the position table, which takes '
                         f'{side} a side; use a smaller image')
    return (torch.arange(h)[:, None] * side + torch.arange(w)).flatten()


def sincos_table(side: int, dim: int) -> Tensor:
    """Return the fixed 2-D table (side*side, dim): half for the column, half for the row."""
    omega = 10000.0 ** (-torch.arange(dim // 4, dtype=torch.float64) / (dim // 4))
    angles = torch.arange(side, dtype=torch.float64)[:, None] * omega
    axis = torch.cat([angles.sin(), angles.cos()], dim=1)  # (side, dim / 2)
    columns = axis.expand(side, side, -1)
    rows = axis[:, None].expand(side, side, -1)
    return torch.cat([columns, rows], dim=-1).reshape(side * side, dim).float()
