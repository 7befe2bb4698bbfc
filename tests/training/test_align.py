# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""The aligned connector: patches look to the decoder like the names of what they show."""

from ipt_ros.bagel import Bagel
from ipt_ros.paths import NANO, shared
from ipt_training.align import align_connector, name_vectors, patch_shares, tie_first_head
from ipt_training.train_encoder import DenseImages
import numpy as np
import pytest
import torch

NAMES = ['nothing', 'sofa', 'lamp']


@pytest.fixture
def model():
    return Bagel.from_checkpoint(shared(NANO), dtype=torch.float32)


def test_shares_of_a_patch_add_up():
    classes = np.zeros((1, 4, 8), np.uint8)
    classes[0, :, 4:] = 1
    classes[0, 0, 4] = 2
    assert patch_shares(classes, 4, 3).tolist() == [[[1, 0, 0], [0, 15 / 16, 1 / 16]]]


def test_a_patch_of_one_colour_gets_the_name_of_its_class(model):
    side = 4 * model.config.vit.patch_size
    rng = np.random.default_rng(0)
    classes = np.repeat(rng.integers(1, 3, size=64), side * side).reshape(64, side, side)
    pixels = np.where(classes[..., None] == 1, [250, 20, 20], [20, 20, 250]).astype(np.uint8)
    group = DenseImages(pixels, classes.astype(np.uint8), np.zeros_like(classes, np.uint16))
    others = {name: value.clone() for name, value in model.named_parameters()
              if not name.startswith('connector')}
    first = align_connector(model, [group], NAMES, steps=1, learning_rate=0.0)
    error = align_connector(model, [group], NAMES, steps=60, learning_rate=1e-2)
    assert error < 0.2 * first
    assert all(torch.equal(value, others[name]) for name, value in model.named_parameters()
               if name in others)


def test_name_vectors_have_unit_size(model):
    size = name_vectors(model, NAMES).square().mean(1)
    torch.testing.assert_close(size, torch.ones(3))


def test_only_the_first_heads_of_the_first_layers_are_tied(model):
    tie_first_head(model, layers=1)
    width = model.config.llm.head_dim
    first, second = (layer.self_attn for layer in model.language_model.model.layers[:2])
    assert torch.equal(first.k_proj.weight[:width], first.q_proj.weight[:width])
    assert not torch.equal(second.k_proj.weight[:width], second.q_proj.weight[:width])
    if len(first.k_proj.weight) > width:
        assert not torch.equal(first.k_proj.weight[width:2 * width],
                               first.q_proj.weight[width:2 * width])
