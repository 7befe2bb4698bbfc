# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""The encoder's stage on maps: it learns to count there, and leaves other images alone."""

from ipt_training import train_maps as train_maps_module
from ipt_training.optimizers import OptimizerSettings
from ipt_training.recipe import MapsRecipe
from ipt_training.train_encoder import DenseImages
from ipt_training.train_maps import (
    count_grid,
    counting_loss,
    total_loss,
    train_maps,
    turned,
)
import numpy as np
import pytest
import torch
from torch import nn

PATCH, SIDE, WIDTH = 8, 16, 12
NAMES = ('nothing', 'ball', 'chair')


class Encoder(nn.Module):
    """One feature vector a patch, from its own pixels alone."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(3)
        self.first = nn.Linear(3 * PATCH**2, 32)
        self.second = nn.Linear(32, WIDTH)

    def forward(self, pixels):
        patches = nn.functional.unfold(pixels, PATCH, stride=PATCH).transpose(1, 2)
        return self.second(torch.relu(self.first(patches)))


@pytest.fixture(scope='module')
def maps():
    """
    Return maps of 2 x 2 patches with up to two dots in each, and how many there are.

    Dots are where they like: an untrained encoder's few numbers do not say how many.
    """
    rng = np.random.default_rng(0)
    counts = rng.integers(0, 3, (64, 4, 1))
    pixels = np.zeros((64, SIDE, SIDE, 3), np.uint8)
    for number, row in enumerate(counts[:, :, 0]):
        for patch, dots in enumerate(row):
            top, left = PATCH * (patch // 2), PATCH * (patch % 2)
            for dot in range(dots):
                first = left + rng.integers(PATCH - 3)
                pixels[number, top + 1 + 4 * dot:top + 3 + 4 * dot, first:first + 3] = 255
    grid = np.concatenate([np.zeros_like(counts), counts, np.zeros_like(counts)], axis=2)
    classes = (pixels[..., 0] > 0).astype(np.uint8)
    return DenseImages(pixels, classes, np.full(classes.shape, 2000, np.uint16)), \
        grid.astype(np.uint8)


@pytest.fixture(scope='module')
def others():
    rng = np.random.default_rng(1)
    return [rng.integers(0, 256, (16, SIDE, SIDE, 3), dtype=np.uint8)]


def trained(folder, maps, others, steps, head_steps=5, encoder=None):
    encoder = encoder or Encoder()
    settings = MapsRecipe(
        steps=steps, number=0, batch_size=16, others=8, cell=4, head_steps=head_steps,
        optimizer=OptimizerSettings(learning_rate=3e-3, warmup_steps=1, decay=0.0, ema=0.5))
    train_maps(encoder, lambda module, pixels: module(pixels), *maps, others, names=NAMES,
               width=WIDTH, patch=PATCH, settings=settings, folder=folder, seed=0)
    return encoder


def features(encoder, images):
    with torch.no_grad():
        return encoder(torch.from_numpy(images).permute(0, 3, 1, 2).float() / 127.5 - 1)


def numbers_missed(encoder, maps):
    """Return the squared error of what a linear layer can tell of the numbers of balls."""
    known = features(encoder, maps[0].pixels).flatten(0, 1)
    known = torch.cat([known, torch.ones(len(known), 1)], dim=1)
    wanted = torch.from_numpy(maps[1][:, :, 1]).float().reshape(-1, 1)
    return (known @ torch.linalg.lstsq(known, wanted).solution - wanted).square().mean().item()


def test_numbers_are_learned_and_other_images_look_as_before(maps, others, tmp_path, monkeypatch):
    before, after = Encoder(), trained(tmp_path / 'held', maps, others, 150)
    assert numbers_missed(after, maps) < 0.5 * numbers_missed(before, maps)

    def change(encoder):
        first, second = (features(one, others[0]) for one in (before, encoder))
        return ((first - second).square().mean() / first.var()).item()

    monkeypatch.setattr(train_maps_module, '_HOLD_WEIGHT', 0.0)
    free = trained(tmp_path / 'free', maps, others, 150)
    assert change(after) < 0.1 < change(free)


def test_the_encoder_waits_for_its_heads(maps, others, tmp_path):
    before, after = Encoder(), trained(tmp_path, maps, others, 4)
    for one, other in zip(before.parameters(), after.parameters(), strict=True):
        assert torch.equal(one, other)


def test_a_stopped_run_goes_on_and_holds_what_the_first_encoder_saw(maps, others, tmp_path):
    whole = trained(tmp_path / 'whole', maps, others, 12)
    trained(tmp_path / 'parts', maps, others, 8)
    parts = trained(tmp_path / 'parts', maps, others, 12)
    for one, other in zip(whole.parameters(), parts.parameters(), strict=True):
        torch.testing.assert_close(one, other)


def test_a_grid_counts_middles_where_they_are_and_those_at_the_edge_too():
    grid = count_grid([('ball', 0.1, 0.1), ('ball', 0.2, 0.3), ('chair', 0.9, 0.1),
                       ('ball', 1.0, 1.0), ('chair', -0.01, 0.6)], 2, 2, NAMES)
    assert grid.tolist() == [[0, 2, 0], [0, 0, 1], [0, 0, 1], [0, 1, 0]]


def test_the_right_numbers_cost_least():
    counts = torch.tensor([[[2.0, 0.0], [0.0, 1.0]]])
    right = counting_loss(counts + 1e-3, counts)
    assert right['exact'] == 1 and right['maps'] < 1e-4
    moved = counting_loss(counts.flip(1) + 1e-3, counts)  # as many, elsewhere
    assert moved['exact'] == 1 and moved['patches'] > right['patches'] + 1
    more = counting_loss(counts + torch.tensor([1.0, 0.0]), counts)
    assert more['exact'] == 0.5 and more['maps'] > 0.5


def test_maps_are_turned_in_eight_ways_and_all_that_belongs_to_them_alike():
    pixels = np.arange(2 * 4 * 4).reshape(2, 4, 4)
    blocks = pixels.reshape(2, 2, 2, 2, 2).sum(axis=(2, 4))  # as counts are, of patches
    seen = set()
    for seed in range(60):
        whole, coarse = turned([pixels, blocks], np.random.default_rng(seed))
        assert np.array_equal(whole.reshape(2, 2, 2, 2, 2).sum(axis=(2, 4)), coarse)
        seen.add(whole.tobytes())
    assert len(seen) == 8


def test_a_total_is_asked_of_every_patch_that_shows_the_class_and_of_no_other():
    counts = torch.tensor([[[2.0, 0.0], [1.0, 0.0], [0.0, 1.0]]])  # three and one
    shows = torch.tensor([[[True, False], [False, False], [False, True]]])
    logits = torch.zeros(1, 3, 2, 7)
    logits[0, 0, 0, 3] = logits[0, 2, 1, 1] = 9.0
    right = total_loss(logits, counts, shows)
    assert right['totals_right'] == 1 and right['totals'] < 0.01
    logits[0, 1, 0, 6] = 99.0  # shows nothing, so says nothing
    assert total_loss(logits, counts, shows)['totals'] == right['totals']
    logits[0, 2, 1, 2] = 19.0
    assert total_loss(logits, counts, shows)['totals_right'] == 0.5


def test_maps_that_show_nothing_teach_no_total_and_do_no_harm():
    logits = torch.zeros(1, 3, 2, 7, requires_grad=True)
    loss = total_loss(logits, torch.zeros(1, 3, 2), torch.zeros(1, 3, 2, dtype=torch.bool))
    loss['totals'].backward()
    assert loss['totals'] == 0 and not logits.grad.any()
