# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""
The Mixture-of-Transformer-Experts decoder: Qwen2 with two sets of weights and one attention.

Tokens travel as `Streams`: rows of understanding tokens (text, ViT patches, image frames) under
the key UND, rows of generation tokens (VAE latents) under GEN. A key is the suffix that the
expert's weights carry in a checkpoint; an absent key means no such tokens. Every projection, norm
and MLP works on its own stream; attention mixes them all. How it mixes (which token sees which,
with or without a cache) is the caller's affair: an `Attend` function.
"""

from collections.abc import Callable

import torch
from torch import nn, Tensor
import torch.nn.functional as F

from .config import LlmConfig

UND, GEN = '', '_moe_gen'
EXPERTS = (UND, GEN)

Streams = dict[str, Tensor]
Rope = tuple[Tensor, Tensor]
# (layer index, q (n, heads, d), k (n, kv_heads, d), v (n, kv_heads, d)) -> (n, heads, d);
# rows are the understanding tokens, then the generation tokens.
Attend = Callable[[int, Tensor, Tensor, Tensor], Tensor]


class RmsNorm(nn.Module):
    """Scale rows to unit root mean square, in float32 whatever the type of the input."""

    def __init__(self, dim: int, eps: float):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(dim))
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        wide = x.float()
        wide = wide * torch.rsqrt(wide.square().mean(-1, keepdim=True) + self.eps)
        return self.weight * wide.to(x.dtype)


class Mlp(nn.Module):

    def __init__(self, config: LlmConfig):
        super().__init__()
        dim, inner = config.hidden_size, config.intermediate_size
        self.gate_proj = nn.Linear(dim, inner, bias=False)
        self.up_proj = nn.Linear(dim, inner, bias=False)
        self.down_proj = nn.Linear(inner, dim, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.down_proj(F.silu(self.gate_proj(x)) * self.up_proj(x))


def rope_table(positions: Tensor, config: LlmConfig) -> Rope:
    """Return cosine and sine (n, 1, head_dim) float32 of the rotations at integer positions."""
    half = config.head_dim // 2
    exponents = torch.arange(half, device=positions.device, dtype=torch.float32) / half
    angles = positions.float()[:, None] * config.rope_theta ** -exponents
    angles = torch.cat([angles, angles], dim=-1)[:, None]
    return angles.cos(), angles.sin()


def rotate(x: Tensor, rope: Rope) -> Tensor:
    """Rotate the two halves of each head of x (n, heads, d) by the positions' angles."""
    cos, sin = rope
    left, right = x.chunk(2, dim=-1)
    return (x * cos + torch.cat([-right, left], dim=-1) * sin).to(x.dtype)


def attention(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None) -> Tensor:
    """
    Mix values by softmax attention: q (b, heads, n, d), k and v (b, kv_heads, m, d).

    `mask` is bool, true where a query (n) may see a key (m), and broadcasts to (b, heads, n, m).
    """
    groups = q.shape[1] // k.shape[1]
    if mask is not None and q.dtype == torch.bfloat16 and q.device.type == 'cpu':
        return _attention_by_products(q, k, v, mask)
    if groups > 1 and mask is not None and q.is_cuda:
        # Of the fused CUDA kernels, those that take a mask know no groups of heads.
        k, v = (x.repeat_interleave(groups, dim=1) for x in (k, v))
        groups = 1
    return F.scaled_dot_product_attention(q, k, v, attn_mask=mask, enable_gqa=groups > 1)


def _attention_by_products(q: Tensor, k: Tensor, v: Tensor, mask: Tensor) -> Tensor:
    """
    Do the same as `attention` with plain matrix products.

    On a CPU these are fast in bfloat16, the fused kernel is no faster than in float32: forwards
    and backwards together take half the time at a few hundred tokens.
    """
    batch, heads, n, dim = q.shape
    k, v = (x.repeat_interleave(heads // x.shape[1], dim=1).flatten(0, 1) for x in (k, v))
    hidden = torch.zeros(mask.shape, dtype=q.dtype).masked_fill(~mask, -torch.inf)
    hidden = hidden.expand(batch, heads, n, k.shape[1]).flatten(0, 1)
    scores = torch.baddbmm(hidden, q.flatten(0, 1), k.transpose(1, 2), alpha=dim ** -0.5)
    return torch.bmm(scores.softmax(-1), v).view(batch, heads, n, dim)


class Attention(nn.Module):

    def __init__(self, config: LlmConfig):
        super().__init__()
        self.head_dim = config.head_dim
        dim, query = config.hidden_size, config.num_attention_heads * config.head_dim
        shared = config.num_key_value_heads * config.head_dim
        for expert in EXPERTS:
            self.add_module('q_proj' + expert, nn.Linear(dim, query))
            self.add_module('k_proj' + expert, nn.Linear(dim, shared))
            self.add_module('v_proj' + expert, nn.Linear(dim, shared))
            self.add_module('o_proj' + expert, nn.Linear(query, dim, bias=False))
            self.add_module('q_norm' + expert, RmsNorm(self.head_dim, config.rms_norm_eps))
            self.add_module('k_norm' + expert, RmsNorm(self.head_dim, config.rms_norm_eps))

    def forward(self, streams: Streams, rope: Rope, attend: Callable) -> Streams:
        q = self._heads('q_proj', streams, norm='q_norm')
        k = self._heads('k_proj', streams, norm='k_norm')
        v = self._heads('v_proj', streams)
        mixed = attend(rotate(q, rope).to(v.dtype), rotate(k, rope).to(v.dtype), v).flatten(1)
        parts = mixed.split([len(x) for x in streams.values()])
        return {expert: self.get_submodule('o_proj' + expert)(part)
                for expert, part in zip(streams, parts)}

    def _heads(self, name: str, streams: Streams, norm: str = '') -> Tensor:
        """Project every stream with its own expert and stack the rows: (n, heads, d)."""
        rows = []
        for expert, x in streams.items():
            heads = self.get_submodule(name + expert)(x).unflatten(-1, (-1, self.head_dim))
            rows.append(self.get_submodule(norm + expert)(heads) if norm else heads)
        return torch.cat(rows) if len(rows) > 1 else rows[0]


class Layer(nn.Module):

    def __init__(self, config: LlmConfig):
        super().__init__()
        self.self_attn = Attention(config)
        for expert in EXPERTS:
            self.add_module('mlp' + expert, Mlp(config))
            for norm in ('input_layernorm', 'post_attention_layernorm'):
                self.add_module(norm + expert, RmsNorm(config.hidden_size, config.rms_norm_eps))

    def forward(self, streams: Streams, rope: Rope, attend: Callable) -> Streams:
        mixed = self.self_attn(self._normed('input_layernorm', streams), rope, attend)
        streams = {expert: x + mixed[expert] for expert, x in streams.items()}
        normed = self._normed('post_attention_layernorm', streams)
        return {expert: x + self.get_submodule('mlp' + expert)(normed[expert])
                for expert, x in streams.items()}

    def _normed(self, name: str, streams: Streams) -> Streams:
        return {expert: self.get_submodule(name + expert)(x) for expert, x in streams.items()}


class Decoder(nn.Module):

    def __init__(self, config: LlmConfig):
        super().__init__()
        self.config = config
        self.embed_tokens = nn.Embedding(config.vocab_size, config.hidden_size)
        self.layers = nn.ModuleList(Layer(config) for _ in range(config.num_hidden_layers))
        for expert in EXPERTS:
            self.add_module('norm' + expert, RmsNorm(config.hidden_size, config.rms_norm_eps))

    def forward(self, streams: Streams, positions: Tensor, attend: Attend) -> Streams:
        """
        Run all layers.

        positions (n,) are the rope positions of the rows, understanding tokens first. The result
        has the same streams, after each expert's final norm.
        """
        rope = rope_table(positions, self.config)
        for index, layer in enumerate(self.layers):
            streams = layer(streams, rope, lambda q, k, v, i=index: attend(i, q, k, v))
        return {e: self.get_submodule('norm' + e)(x) for e, x in streams.items()}


class LanguageModel(nn.Module):
    """Decoder and vocabulary head, under the names of a checkpoint (`language_model.*`)."""

    def __init__(self, config: LlmConfig):
        super().__init__()
        self.model = Decoder(config)
        self.lm_head = nn.Linear(config.hidden_size, config.vocab_size, bias=False)
