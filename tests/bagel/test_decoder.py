# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""The decoder's parts against their plain formulas."""

from ipt_ros.bagel.config import LlmConfig
from ipt_ros.bagel.decoder import attention, RmsNorm, rope_table, rotate
import pytest
import torch


@pytest.mark.parametrize('shape', [(5, 8), (5, 2, 8)])
def test_norm_and_its_gradient(shape):
    torch.manual_seed(0)
    x, weight = torch.randn(shape, requires_grad=True), torch.randn(8, requires_grad=True)
    upstream = torch.randn(shape)
    norm = RmsNorm(8, 1e-6)
    norm.weight.data = weight.detach().clone()
    plain = weight * x * torch.rsqrt(x.square().mean(-1, keepdim=True) + 1e-6)
    expected = torch.autograd.grad(plain, (x, weight), upstream)
    out = norm(x)
    torch.testing.assert_close(out, plain)
    for a, b in zip(torch.autograd.grad(out, (x, norm.weight), upstream), expected):
        torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-5)


def test_norm_computes_wide_and_returns_narrow():
    norm = RmsNorm(8, 1e-6).to(torch.bfloat16)
    x = torch.randn(2, 8)
    out = norm(x.bfloat16())
    assert out.dtype == torch.bfloat16
    torch.testing.assert_close(out.float(), RmsNorm(8, 1e-6)(x), rtol=0.02, atol=0.02)


def test_rotation_keeps_lengths_and_knows_distances_only():
    config = LlmConfig(hidden_size=32, num_attention_heads=2, num_key_value_heads=1)
    torch.manual_seed(0)
    q, k = torch.randn(1, 1, 16), torch.randn(1, 1, 16)

    def at(x, position):
        return rotate(x, rope_table(torch.tensor([position]), config))

    assert at(q, 7).norm() == pytest.approx(q.norm().item(), rel=1e-5)
    assert torch.equal(at(q, 0), q)
    products = [(at(q, p) * at(k, p + 3)).sum().item() for p in (0, 5, 1000)]
    assert products == pytest.approx([products[0]] * 3, rel=1e-3)


def test_attention_in_groups_is_attention_with_repeated_keys():
    torch.manual_seed(0)
    q, k, v = torch.randn(1, 4, 5, 8), torch.randn(1, 2, 7, 8), torch.randn(1, 2, 7, 8)
    mask = torch.ones(5, 7, dtype=torch.bool).tril(2)
    wide_k, wide_v = (x.repeat_interleave(2, dim=1) for x in (k, v))
    scores = (q @ wide_k.transpose(-1, -2) / 8 ** 0.5).masked_fill(~mask, -torch.inf)
    torch.testing.assert_close(attention(q, k, v, mask), scores.softmax(-1) @ wide_v)


@pytest.mark.parametrize('groups', [1, 2])
def test_attention_in_bfloat16_is_that_of_float32(groups):
    torch.manual_seed(0)
    q = torch.randn(2, 4, 7, 16)
    k, v = torch.randn(2, 2, 4 // groups, 9, 16)
    mask = torch.rand(2, 1, 7, 9) < 0.6
    mask[..., 0] = True  # nobody sees nothing
    leaves = [x.clone().requires_grad_() for x in (q, k, v)]
    narrow = [x.bfloat16().requires_grad_() for x in (q, k, v)]
    expected, out = attention(*leaves, mask), attention(*narrow, mask)
    assert out.dtype == torch.bfloat16
    torch.testing.assert_close(out.float(), expected, rtol=0.05, atol=0.05)
    upstream = torch.randn(expected.shape)
    expected.backward(upstream)
    out.backward(upstream.bfloat16())
    for one, other in zip(narrow, leaves):
        torch.testing.assert_close(one.grad.float(), other.grad, rtol=0.1, atol=0.1)
