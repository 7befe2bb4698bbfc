# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""
IPT-BAGEL: one decoder that reads text and images and imagines images.

`Bagel` holds the networks and turns tokens of each kind into decoder inputs and back. What is done
with them lives elsewhere: `context` (reading, with a cache), `flow` (imagining), `text`
(answering), `packing` and `loss` (training). Parameters carry the names of a published checkpoint.
"""

import math
from pathlib import Path

import torch
from torch import nn, Tensor

from . import checkpoint
from .activations import activation
from .config import BagelConfig
from .decoder import Attend, GEN, LanguageModel, RmsNorm, Streams
from .errors import ConfigError
from .images import sincos_table
from .loss import compute as compute_loss
from .loss import Loss
from .packing import Batch
from .source import Source
from .tokenizer import Tokenizer
from .vae import Vae
from .vit import Vit


class TimeEmbedder(nn.Module):
    """Embed the flow's time t in [0, 1] (n,) as (n, dim)."""

    FREQUENCIES = 256

    def __init__(self, dim: int):
        super().__init__()
        self.mlp = nn.Sequential(
            nn.Linear(self.FREQUENCIES, dim), nn.SiLU(), nn.Linear(dim, dim))

    def forward(self, t: Tensor) -> Tensor:
        half = self.FREQUENCIES // 2
        steps = torch.arange(half, device=t.device, dtype=torch.float32) / half
        angles = t.float()[:, None] * torch.exp(-math.log(10000.0) * steps)
        waves = torch.cat([angles.cos(), angles.sin()], dim=-1)
        return self.mlp(waves.to(self.mlp[0].weight.dtype))


class PositionTable(nn.Module):
    """A fixed table of 2-D positions that checkpoints store all the same."""

    def __init__(self, side: int, dim: int):
        super().__init__()
        self.side = side
        self.pos_embed = nn.Parameter(torch.empty(side * side, dim), requires_grad=False)

    def forward(self, cells: Tensor) -> Tensor:
        return self.pos_embed[cells]


class Connector(nn.Module):
    """ViT features to decoder width."""

    def __init__(self, vit_dim: int, dim: int, act: str):
        super().__init__()
        self.act = activation(act)
        self.fc1 = nn.Linear(vit_dim, dim)
        self.fc2 = nn.Linear(dim, dim)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc2(self.act(self.fc1(x)))


class Bagel(nn.Module):
    """
    The model. Build one with `from_checkpoint` or, to train from nothing, `from_config`.

    `vae` is kept out of `state_dict` and `parameters`: a checkpoint stores it apart, and it is
    frozen while the rest is trained. It does move along with `.to(...)`. `origin` says from which
    files a model was loaded, None for one that was not.
    """

    origin: checkpoint.Origin | None = None

    def __init__(self, config: BagelConfig, tokenizer: Tokenizer | None = None):
        super().__init__()
        if tokenizer is not None and tokenizer.largest >= config.llm.vocab_size:
            raise ConfigError(f'the tokenizer has {len(tokenizer)} tokens with ids up to '
                              f'{tokenizer.largest}, but the model was made for '
                              f'{config.llm.vocab_size} (llm_config.json, vocab_size)')
        self.config = config
        self.tokenizer = tokenizer
        dim = config.llm.hidden_size
        self.language_model = LanguageModel(config.llm)
        self.time_embedder = TimeEmbedder(dim)
        self.vae2llm = nn.Linear(config.latent_dim, dim)
        self.llm2vae = nn.Linear(dim, config.latent_dim)
        self.latent_pos_embed = PositionTable(config.max_latent_size, dim)
        self.vit_model = Vit(config.vit)
        self.connector = Connector(config.vit.hidden_size, dim, config.connector_act)
        self.vit_pos_embed = PositionTable(config.vit_max_num_patch_per_side, dim)
        object.__setattr__(self, 'vae', Vae(config.vae))

    @classmethod
    def from_config(cls, config: BagelConfig, tokenizer: Tokenizer, seed: int = 0) -> 'Bagel':
        """Build a model with random weights, the same ones for the same seed."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            model = cls(config, tokenizer)
            model._initialise()
        return model

    @classmethod
    def from_checkpoint(cls, source: str | Path | Source, device: str | torch.device = 'cpu',
                        dtype: torch.dtype | None = None, config: BagelConfig | None = None,
                        beside: 'Bagel | None' = None) -> 'Bagel':
        """
        Load a checkpoint folder, a LoRA adapter's or a Hugging Face id; see `checkpoint.load`.

        `dtype` None means float32 on a CPU, the stored type elsewhere. A model `beside` shares
        the tensors that both have. Raises CheckpointError, ConfigError.
        """
        return checkpoint.load(cls, source, device, dtype, config, beside)

    def save_checkpoint(self, folder: str | Path, dtype: torch.dtype | None = None) -> None:
        """Write a folder that `from_checkpoint` reads, weights in `dtype` (None: as they are)."""
        checkpoint.save(self, folder, dtype)

    @property
    def device(self) -> torch.device:
        return self.vae2llm.weight.device

    @property
    def dtype(self) -> torch.dtype:
        return self.vae2llm.weight.dtype

    def embed_text(self, ids: Tensor) -> Tensor:
        """Embed token ids (n,) as (n, dim)."""
        return self.language_model.model.embed_tokens(ids)

    def embed_vit(self, patches: Tensor, cells: Tensor) -> Tensor:
        """Embed patches (images, cells, p*p*3) in -1..1 of equal-sized images: (same, dim)."""
        features = self.vit_model(patches.to(self.dtype), cells)
        return self.connector(features) + self.vit_pos_embed(cells)

    def embed_latents(self, latents: Tensor, t: Tensor, cells: Tensor) -> Tensor:
        """Embed latent patches (n, latent_dim) at times t (n,), or (1,) for all: (n, dim)."""
        return (self.vae2llm(latents.to(self.dtype)) + self.time_embedder(t)
                + self.latent_pos_embed(cells))

    def decode(self, streams: Streams, positions: Tensor, attend: Attend) -> Streams:
        """Run the decoder; see `decoder.Decoder.forward`."""
        return self.language_model.model(streams, positions, attend)

    def velocity(self, streams: Streams) -> Tensor:
        """Read the velocity of the flow, (n, latent_dim), off decoded generation tokens."""
        return self.llm2vae(streams[GEN]).float()

    def logits(self, hidden: Tensor) -> Tensor:
        """Read the logits of the next token, (n, vocab), off decoded understanding tokens."""
        return self.language_model.lm_head(hidden).float()

    def loss(self, batch: Batch) -> Loss:
        """Return the training losses of a packed batch; see `loss.compute`."""
        return compute_loss(self, batch)

    def _apply(self, fn, recurse=True):
        self.vae._apply(fn, recurse)
        return super()._apply(fn, recurse)

    def _initialise(self) -> None:
        """Draw initial weights: Qwen2's normal ones, residual outputs scaled down by depth."""
        std = self.config.llm.initializer_range
        depth = math.sqrt(2 * self.config.llm.num_hidden_layers)
        for name, module in self.named_modules():
            if isinstance(module, nn.Linear):
                is_output = 'o_proj' in name or 'down_proj' in name
                nn.init.normal_(module.weight, std=std / depth if is_output else std)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
            elif isinstance(module, nn.Embedding):
                nn.init.normal_(module.weight, std=std)
            elif isinstance(module, (nn.LayerNorm, RmsNorm)):
                nn.init.ones_(module.weight)
            elif isinstance(module, PositionTable):
                module.pos_embed.data = sincos_table(module.side, module.pos_embed.shape[1])
        # ViT: its inputs are of unit size, so unit-preserving weights.
        for module in self.vit_model.modules():
            if isinstance(module, nn.Linear):
                nn.init.normal_(module.weight, std=module.in_features ** -0.5)
