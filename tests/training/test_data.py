# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""Latents of all examples: encoded once, and never those of another VAE."""

from ipt_ros.bagel import Vae
from ipt_ros.bagel.config import VaeConfig
from ipt_training.data import add_latents, TaskData
import numpy as np
import pytest
import torch

CONFIG = VaeConfig(ch=8, ch_mult=(1, 2), num_res_blocks=1, z_channels=4, norm_groups=4)


@pytest.fixture
def vae():
    torch.manual_seed(0)
    return Vae(CONFIG)


def examples(count=3):
    pixels = np.random.default_rng(0).integers(0, 256, (count, 16, 16, 3), np.uint8)
    nothing = [[] for _ in range(count)]
    return TaskData(pixels[:, None], pixels, [''] * count, nothing, nothing)


def test_kept_latents_are_those_of_the_images(vae, tmp_path):
    first, again = examples(), examples()
    add_latents(first, vae, tmp_path / 'latents')
    vae.encode = None  # from here on they can come from the file alone
    add_latents(again, vae, tmp_path / 'latents')
    assert torch.equal(again.target_latents, first.target_latents)
    assert torch.equal(again.input_latents[:, 0], first.target_latents)


def test_latents_of_another_vae_or_of_other_examples_are_made_anew(vae, tmp_path):
    first, again, more, other = examples(), examples(), examples(4), examples(4)
    add_latents(first, vae, tmp_path / 'latents')
    next(vae.net.parameters()).mul_(2)
    add_latents(again, vae, tmp_path / 'latents')
    assert not torch.allclose(again.target_latents, first.target_latents, atol=1e-2)
    add_latents(more, vae, tmp_path / 'latents')
    assert len(more.target_latents) == 4
    other.targets = 255 - other.targets
    add_latents(other, vae, tmp_path / 'latents')
    assert not torch.allclose(other.target_latents, more.target_latents, atol=1e-2)
