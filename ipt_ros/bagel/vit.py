# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""The SigLIP encoder in its NaViT form: patches of any grid, positions looked up by grid cell."""

from torch import nn, Tensor
import torch.nn.functional as F

from .activations import activation
from .config import VitConfig


class VitAttention(nn.Module):

    def __init__(self, config: VitConfig):
        super().__init__()
        dim = config.hidden_size
        self.heads = config.num_attention_heads
        self.k_proj = nn.Linear(dim, dim)
        self.v_proj = nn.Linear(dim, dim)
        self.q_proj = nn.Linear(dim, dim)
        self.out_proj = nn.Linear(dim, dim)

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = (proj(x).unflatten(-1, (self.heads, -1)).transpose(1, 2)
                   for proj in (self.q_proj, self.k_proj, self.v_proj))
        mixed = F.scaled_dot_product_attention(q, k, v)
        return self.out_proj(mixed.transpose(1, 2).flatten(2))


class VitMlp(nn.Module):

    def __init__(self, config: VitConfig):
        super().__init__()
        self.act = activation(config.hidden_act)
        self.fc1 = nn.Linear(config.hidden_size, config.intermediate_size)
        self.fc2 = nn.Linear(config.intermediate_size, config.hidden_size)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc2(self.act(self.fc1(x)))


class VitLayer(nn.Module):

    def __init__(self, config: VitConfig):
        super().__init__()
        self.self_attn = VitAttention(config)
        self.layer_norm1 = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)
        self.mlp = VitMlp(config)
        self.layer_norm2 = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.self_attn(self.layer_norm1(x))
        return x + self.mlp(self.layer_norm2(x))


class VitEmbeddings(nn.Module):

    def __init__(self, config: VitConfig):
        super().__init__()
        patch = config.num_channels * config.patch_size ** 2
        self.patch_embedding = nn.Linear(patch, config.hidden_size)
        self.position_embedding = nn.Embedding(config.num_positions, config.hidden_size)

    def forward(self, patches: Tensor, positions: Tensor) -> Tensor:
        return self.patch_embedding(patches) + self.position_embedding(positions)


class VisionTransformer(nn.Module):

    def __init__(self, config: VitConfig):
        super().__init__()
        self.embeddings = VitEmbeddings(config)
        self.encoder = nn.Module()
        self.encoder.layers = nn.ModuleList(VitLayer(config) for _ in range(config.layers))
        self.post_layernorm = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)

    def forward(self, patches: Tensor, positions: Tensor) -> Tensor:
        x = self.embeddings(patches, positions)
        for layer in self.encoder.layers:
            x = layer(x)
        return self.post_layernorm(x)


class Vit(nn.Module):
    """
    Images of one size to features.

    patches (n, h*w, p*p*3) in -1..1 and their grid cells (h*w,) give (n, h*w, hidden_size).
    """

    def __init__(self, config: VitConfig):
        super().__init__()
        self.vision_model = VisionTransformer(config)

    def forward(self, patches: Tensor, positions: Tensor) -> Tensor:
        return self.vision_model(patches, positions)
