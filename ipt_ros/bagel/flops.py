# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""
Floating-point operations that training on packed batches takes: what MFU is a share of.

These are model FLOPs (Chowdhery et al. 2022, "PaLM", arXiv 2204.02311, appendix B): what the
mathematics asks for, however it is computed. N weights of a matrix take 2N a token forwards and,
on the way back, 2N for their own gradient and 2N for that of their input: 6N where all is trained.
Attention takes 4 * heads * head_dim forwards for a query and a key that it may see, twice as much
backwards; PaLM's 12 * layers * heads * head_dim * T is that for T keys a token.

A frozen weight takes no gradient of its own, and gradients flow back no further than the first
part that is trained. Not counted, as usual: norms, activations, look-ups, layers computed twice,
padding; and the VAE, which is no part of what is trained. All tokens of a batch count as if a loss
hung on each expert, which is so in every mode of training.
"""

from collections.abc import Iterable
from dataclasses import astuple, dataclass
from functools import cache

from torch import nn

from .decoder import EXPERTS, GEN, UND
from .packing import Batch


@dataclass(frozen=True)
class Flops:
    """Operations by part, forwards and backwards."""

    understanding: float = 0.0  # the expert's matrices
    generation: float = 0.0  # likewise
    attention: float = 0.0  # of the decoder
    vit: float = 0.0  # with its attention and the connector
    ends: float = 0.0  # latents and times in; logits and velocities out

    @property
    def total(self) -> float:
        return sum(astuple(self))


class FlopCount:
    """Counts for a model whose trained parameters stay the same ones."""

    def __init__(self, model):
        self._model = model
        self._rates = cache(self._make_rates)

    def __call__(self, batch: Batch) -> Flops:
        """Return the operations of one batch, forwards and backwards."""
        cells = [(len(group.pixels), len(group.cells)) for group in batch.vit]
        latents = len(batch.latents)
        rates = self._rates(bool(cells), latents > 0)
        patches = sum(count * size for count, size in cells)
        return Flops(
            understanding=rates.understanding * (batch.tokens - latents),
            generation=rates.generation * latents,
            attention=rates.pair * batch.pairs,
            vit=(rates.patch * patches
                 + rates.patch_pair * sum(count * size**2 for count, size in cells)),
            ends=(rates.latent * latents + rates.label * len(batch.labels)
                  + rates.velocity * len(batch.noised)))

    def _make_rates(self, images: bool, latents: bool) -> '_Rates':
        """Return operations a row, following what needs a gradient from the inputs to the loss."""
        model = self._model
        vit, patch_pair, seen = _vit_rates(model) if images else (0, 0, False)
        latent, drawn = 0, False
        if latents:
            for part in (model.vae2llm, model.time_embedder):
                flops, trained = _chain(part, False)
                latent, drawn = latent + flops, drawn or trained
        decoder = model.language_model.model
        needs = {UND: seen or _trained(decoder.embed_tokens)}
        if latents:
            needs[GEN] = drawn
        rows = dict.fromkeys(EXPERTS, 0)
        pair = 0
        for layer in decoder.layers:
            mixing = _mix_rates(layer, needs, rows)
            config = decoder.config
            pair += (4 + 8 * mixing) * config.num_attention_heads * config.head_dim
            for expert in needs:
                flops, needs[expert] = _after_mixing(layer, expert, needs[expert], mixing)
                rows[expert] += flops
        label, _ = _chain(model.language_model.lm_head,
                          needs[UND] or _trained(decoder.get_submodule('norm' + UND)))
        velocity = 0
        if latents:
            velocity, _ = _chain(model.llm2vae,
                                 needs[GEN] or _trained(decoder.get_submodule('norm' + GEN)))
        return _Rates(rows[UND], rows[GEN], pair, vit, patch_pair, latent, label, velocity)


@dataclass(frozen=True)
class _Rates:
    """Operations a row of each kind, or a pair of rows."""

    understanding: float
    generation: float
    pair: float
    patch: float
    patch_pair: float
    latent: float
    label: float
    velocity: float


def _mix_rates(layer: nn.Module, needs: dict[str, bool], rows: dict[str, float]) -> bool:
    """Add a row's projections before attention; return whether that must run backwards."""
    mixing = False
    for expert, need in needs.items():
        need = need or _trained(layer.get_submodule('input_layernorm' + expert))
        for name in 'qkv':
            flops, behind = _chain(layer.self_attn.get_submodule(f'{name}_proj{expert}'), need)
            rows[expert] += flops
            mixing = mixing or behind
        for norm in ('q_norm', 'k_norm'):
            mixing = mixing or _trained(layer.self_attn.get_submodule(norm + expert))
    return mixing


def _after_mixing(layer: nn.Module, expert: str, need: bool, mixing: bool) -> tuple[float, bool]:
    """Return a row's operations behind attention, and whether what comes out needs a gradient."""
    flops, behind = _chain(layer.self_attn.get_submodule('o_proj' + expert), mixing)
    need = need or behind
    normed = need or _trained(layer.get_submodule('post_attention_layernorm' + expert))
    mlp = layer.get_submodule('mlp' + expert)
    inner = normed
    for part in (mlp.gate_proj, mlp.up_proj):
        more, behind = _chain(part, normed)
        flops, inner = flops + more, inner or behind
    more, behind = _chain(mlp.down_proj, inner)
    return flops + more, need or behind


def _vit_rates(model) -> tuple[float, float, bool]:
    """Return operations a patch and a pair of patches, and whether features need a gradient."""
    tower = model.vit_model.vision_model
    flops, need = _chain(tower.embeddings.patch_embedding, False)
    need = need or _trained(tower.embeddings.position_embedding)
    pair = 0
    for layer in tower.encoder.layers:
        attention = layer.self_attn
        normed = need or _trained(layer.layer_norm1)
        mixing = False
        for part in (attention.q_proj, attention.k_proj, attention.v_proj):
            more, behind = _chain(part, normed)
            flops, mixing = flops + more, mixing or behind
        pair += (4 + 8 * mixing) * attention.q_proj.out_features
        more, behind = _chain(attention.out_proj, mixing)
        need = need or behind
        mlp, behind = _chain(layer.mlp, need or _trained(layer.layer_norm2))
        flops, need = flops + more + mlp, need or behind
    more, need = _chain(model.connector, need or _trained(tower.post_layernorm))
    return flops + more, pair, need


def _chain(part: nn.Module, need: bool) -> tuple[float, bool]:
    """
    Return a row's operations in linear layers, and whether what comes out needs a gradient.

    ``need``: whether what goes in does. Layers follow one another in the order of the modules;
    that of a low-rank adapter comes after the layer which it stands beside, and frozen as this is,
    it changes nothing for those behind it.
    """
    flops = 0
    for linear in _linear(part):
        trained = linear.weight.requires_grad
        flops += 2 * linear.weight.numel() * (1 + need + trained)
        need = need or _trained(linear)
    return flops, need or _trained(part)


def _linear(part: nn.Module) -> Iterable[nn.Linear]:
    return (module for module in part.modules() if isinstance(module, nn.Linear))


def _trained(part: nn.Module) -> bool:
    return any(value.requires_grad for value in part.parameters())
