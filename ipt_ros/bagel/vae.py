# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""
The FLUX autoencoder: diffusers' AutoencoderKL under the original checkpoint's names.

Both sides are the same network; only the names differ, and the original stores the attention's
linear layers as 1x1 convolutions.
"""

from collections.abc import Mapping, Sequence
import re

import numpy as np
import torch
from torch import nn, Tensor

from .config import VaeConfig
from .images import normalise, to_tensor

# Pixels that are encoded or decoded at once: more are no faster, and need memory.
PORTION = 1 << 20

_ATTENTION = {'norm': 'group_norm', 'q': 'to_q', 'k': 'to_k', 'v': 'to_v', 'proj_out': 'to_out.0'}


def diffusers_name(name: str, levels: int) -> str:
    """Translate a name of the original layout, of a VAE with `levels` resolutions."""
    def level(match: re.Match) -> str:
        side, index, rest = match[1], int(match[2]), match[3]
        if side == 'up':  # the original counts the decoder's levels from the finest
            index = levels - 1 - index
        rest = re.sub(r'^block\.', 'resnets.', rest)
        rest = re.sub(r'^(down|up)sample\.', r'\1samplers.0.', rest)
        return f'{side}_blocks.{index}.{rest}'

    name = re.sub(r'\b(down|up)\.(\d+)\.(.*)', level, name)
    name = name.replace('nin_shortcut', 'conv_shortcut').replace('norm_out', 'conv_norm_out')
    name = re.sub(r'mid\.block_(\d)', lambda m: f'mid_block.resnets.{int(m[1]) - 1}', name)
    return re.sub(r'mid\.attn_1\.(\w+)',
                  lambda m: f'mid_block.attentions.0.{_ATTENTION[m[1]]}', name)


class Vae(nn.Module):
    """
    Pixels to latents and back.

    `named_tensors` and `load` speak the original layout; the module inside is diffusers'.
    """

    def __init__(self, config: VaeConfig):
        from diffusers import AutoencoderKL  # late, as in `activations`

        super().__init__()
        self.config = config
        levels = len(config.ch_mult)
        self.net = AutoencoderKL(
            in_channels=config.in_channels,
            out_channels=config.out_ch,
            down_block_types=('DownEncoderBlock2D',) * levels,
            up_block_types=('UpDecoderBlock2D',) * levels,
            block_out_channels=tuple(config.ch * m for m in config.ch_mult),
            layers_per_block=config.num_res_blocks,
            latent_channels=config.z_channels,
            norm_num_groups=config.norm_groups,
            use_quant_conv=False,
            use_post_quant_conv=False,
        )
        self.requires_grad_(False)

    @torch.no_grad()
    def encode(self, pixels: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """
        Encode pixels (n, 3, H, W), uint8 or float in -1..1, to latents (n, z, H/f, W/f) float32.

        The posterior's mean, or a sample of it when a `generator` is given.
        """
        if pixels.dtype == torch.uint8:
            pixels = normalise(pixels)
        weight = next(self.net.parameters())
        pixels = pixels.to(weight.device, weight.dtype, memory_format=torch.channels_last)
        posterior = self.net.encode(pixels).latent_dist
        z = posterior.mean if generator is None else posterior.sample(generator)
        return self.config.scale_factor * (z.float() - self.config.shift_factor)

    @torch.no_grad()
    def decode(self, latents: Tensor) -> Tensor:
        """Decode latents (n, z, h, w) to float32 pixels (n, 3, h*f, w*f), about -1..1."""
        weight = next(self.net.parameters())
        z = self.unscale(latents).to(
            weight.device, weight.dtype, memory_format=torch.channels_last)
        return self.net.decode(z).sample.float()

    def unscale(self, latents: Tensor) -> Tensor:
        """Return scaled latents in the units of the net."""
        return latents / self.config.scale_factor + self.config.shift_factor

    def encode_images(self, images: Sequence[np.ndarray]) -> Tensor:
        """Encode uint8 images (H, W, 3) of one size to latents (n, z, h, w)."""
        pixels = torch.stack([to_tensor(image) for image in images])
        return torch.cat([self.encode(some) for some in self._portions(pixels, 1)])

    def decode_images(self, latents: Tensor) -> list[np.ndarray]:
        """Decode latents (n, z, h, w) to uint8 images (H, W, 3)."""
        images = []
        for some in self._portions(latents, self.config.downsample):
            pixels = (self.decode(some) * 0.5 + 0.5).clamp(0, 1) * 255
            images += list(pixels.permute(0, 2, 3, 1).to(torch.uint8).cpu().numpy())
        return images

    def encode_image(self, image: np.ndarray) -> Tensor:
        """Encode one uint8 image (H, W, 3) to a latent (z, h, w)."""
        return self.encode_images([image])[0]

    def decode_image(self, latent: Tensor) -> np.ndarray:
        """Decode one latent (z, h, w) to a uint8 image (H, W, 3)."""
        return self.decode_images(latent[None])[0]

    @staticmethod
    def _portions(x: Tensor, scale: int) -> tuple[Tensor, ...]:
        """Cut a batch so that what the net holds at once stays small; scale: pixels a cell."""
        return x.split(max(1, PORTION // (x.shape[-1] * x.shape[-2] * scale ** 2)))

    def named_tensors(self) -> dict[str, Tensor]:
        """Return every weight under its name and shape in the original layout."""
        weights = self.net.state_dict()
        tensors = {}
        for name in self._original_names():
            weight = weights[diffusers_name(name, len(self.config.ch_mult))]
            is_kernel = '.attn_1.' in name and weight.ndim == 2
            tensors[name] = weight[:, :, None, None] if is_kernel else weight
        return tensors

    def load(self, tensors: Mapping[str, Tensor]) -> None:
        """Take weights in the original layout, all of them and with the right shapes."""
        converted = {}
        for name, tensor in tensors.items():
            is_kernel = '.attn_1.' in name and tensor.ndim == 4
            converted[diffusers_name(name, len(self.config.ch_mult))] = (
                tensor[:, :, 0, 0] if is_kernel else tensor)
        self.net.load_state_dict(converted, strict=True, assign=True)
        # The order in which convolutions are fast, on a CPU as on a GPU.
        self.net.to(memory_format=torch.channels_last)

    def _original_names(self) -> list[str]:
        """List the names of the original layout, worked out from the configuration alone."""
        names = []

        def layer(*prefixes: str) -> None:
            names.extend(f'{prefix}.{kind}' for prefix in prefixes for kind in ('weight', 'bias'))

        def block(prefix: str, shortcut: bool = False) -> None:
            layer(*(f'{prefix}.{part}' for part in ('norm1', 'conv1', 'norm2', 'conv2')))
            if shortcut:
                layer(f'{prefix}.nin_shortcut')

        def middle(side: str) -> None:
            block(f'{side}.mid.block_1')
            layer(*(f'{side}.mid.attn_1.{part}' for part in _ATTENTION))
            block(f'{side}.mid.block_2')

        mult, repeats = self.config.ch_mult, self.config.num_res_blocks
        last = len(mult) - 1
        for side in ('encoder', 'decoder'):
            layer(f'{side}.conv_in', f'{side}.norm_out', f'{side}.conv_out')
            middle(side)
        for i in range(len(mult)):
            for j in range(repeats):
                block(f'encoder.down.{i}.block.{j}', j == 0 and mult[i] != mult[max(i - 1, 0)])
            if i < last:
                layer(f'encoder.down.{i}.downsample.conv')
            for j in range(repeats + 1):
                block(f'decoder.up.{i}.block.{j}', j == 0 and mult[i] != mult[min(i + 1, last)])
            if i > 0:
                layer(f'decoder.up.{i}.upsample.conv')
        return names
