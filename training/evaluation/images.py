# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""How near an image is to the true one: in pixels, in structure, in the model's own features."""

from collections.abc import Mapping
import math

import cv2
from ipt_ros.bagel import Bagel
from ipt_ros.bagel.images import fit, grid_positions, normalise, patchify, to_tensor
import numpy as np
import torch

# For each measure, whether more is better.
MEASURES = {'psnr': True, 'ssim': True, 'perceptual': False}
# Rounding to whole grey levels has a variance of 1/12: images that agree to the last bit are taken
# to differ by that, which keeps their PSNR finite (58.9 dB).
_ROUNDING = 1 / 12
_WINDOW, _SIGMA = 11, 1.5


def squared_error(image: np.ndarray, truth: np.ndarray) -> float:
    """Mean squared error of uint8 images on the scale 0..1."""
    if image.shape != truth.shape:
        raise ValueError(f'images of unlike shape: {image.shape} and {truth.shape}')
    return float(np.mean((image.astype(np.float32) - truth.astype(np.float32))**2) / 255**2)


def psnr(image: np.ndarray, truth: np.ndarray) -> float:
    """Peak signal-to-noise ratio of uint8 images in dB, 58.9 at most."""
    return -10 * math.log10(max(squared_error(image, truth), _ROUNDING / 255**2))


def ssim(image: np.ndarray, truth: np.ndarray) -> float:
    """
    Structural similarity of uint8 (H, W, 3) images, 1 for equal ones.

    Wang et al. 2004 with their constants and Gaussian window (11 pixels, sigma 1.5), a channel at
    a time, where the window lies inside the image. Raises ValueError for images smaller than that.
    """
    if image.shape != truth.shape:
        raise ValueError(f'images of unlike shape: {image.shape} and {truth.shape}')
    if min(image.shape[:2]) < _WINDOW:
        raise ValueError(f'SSIM needs {_WINDOW} pixels a side, got an image of {image.shape}')
    a, b = image.astype(np.float64), truth.astype(np.float64)
    mean_a, mean_b = _blurred(a), _blurred(b)
    var_a = _blurred(a * a) - mean_a**2
    var_b = _blurred(b * b) - mean_b**2
    both = _blurred(a * b) - mean_a * mean_b
    c1, c2 = (0.01 * 255)**2, (0.03 * 255)**2
    score = ((2 * mean_a * mean_b + c1) * (2 * both + c2)
             / ((mean_a**2 + mean_b**2 + c1) * (var_a + var_b + c2)))
    edge = _WINDOW // 2
    return float(score[edge:-edge, edge:-edge].mean())


def _blurred(image: np.ndarray) -> np.ndarray:
    return cv2.GaussianBlur(image, (_WINDOW, _WINDOW), _SIGMA)


@torch.no_grad()
def features(model: Bagel, image: np.ndarray) -> torch.Tensor:
    """Return the image encoder's features of a uint8 image, (patches, width)."""
    config = model.config
    image = fit(fit(image, config.vae_transform), config.vit_transform)
    patch = config.vit.patch_size
    grid = image.shape[0] // patch, image.shape[1] // patch
    cells = grid_positions(grid, config.vit_max_num_patch_per_side).to(model.device)
    pixels = normalise(to_tensor(image)).to(model.device, model.dtype)
    return model.vit_model(patchify(pixels, patch)[None], cells)[0].float()


def feature_distance(one: torch.Tensor, other: torch.Tensor) -> float:
    """
    Mean over patches of 1 - cosine of the features (patches, width): 0 for equal, 2 at most.

    The idea of LPIPS (Zhang et al. 2018: squared distance of unit features at each place, half of
    which this is), with the model's own encoder and no learned weights. Distances of models with
    unlike encoders cannot be compared.
    """
    if one.shape != other.shape:
        raise ValueError(f'features of unlike shape: {tuple(one.shape)}, {tuple(other.shape)}')
    return float((1 - torch.nn.functional.cosine_similarity(one, other, dim=-1)).mean())


def measure(model: Bagel, images: Mapping[str, np.ndarray],
            truth: np.ndarray) -> dict[str, dict[str, float]]:
    """Return every measure of every named image (of the true one's size): {name: {measure}}."""
    wanted = features(model, truth)
    return {
        name: {
            'psnr': psnr(image, truth),
            'ssim': ssim(image, truth),
            'perceptual': feature_distance(features(model, image), wanted),
        } for name, image in images.items()
    }
