# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""The stage of the VAE's decoder: what it changes, what it leaves alone, what it asks for."""

from ipt_ros.bagel import Vae
from ipt_ros.bagel.config import VaeConfig
from ipt_training import train_decoder as train_decoder_module
from ipt_training.optimizers import OptimizerSettings
from ipt_training.train_decoder import reached, train_decoder
import numpy as np
import pytest
import torch

CONFIG = VaeConfig(ch=8, ch_mult=(1, 2), num_res_blocks=1, z_channels=4, norm_groups=4)


def trained(folder, groups, steps, weights=0, dtype=torch.float32, drawn=()):
    torch.manual_seed(weights)
    vae = Vae(CONFIG).to(dtype)
    train_decoder(vae, groups, steps=steps, batch_size=2, noise=0.3, folder=folder, seed=0,
                  drawn=drawn,
                  settings=OptimizerSettings(learning_rate=1e-2, warmup_steps=1, ema=0.5))
    return vae


@pytest.fixture(scope='module')
def groups():
    """Return pictures of two sizes."""
    rng = np.random.default_rng(0)
    return [rng.integers(0, 256, (3, side, side, 3), dtype=np.uint8) for side in (8, 16)]


def test_latents_stay_as_they_are(groups, tmp_path):
    before, after = (trained(tmp_path / str(steps), groups, steps) for steps in (0, 3))
    for group in groups:
        assert torch.equal(before.encode_images(group), after.encode_images(group))
    latents = before.encode_images(groups[1])
    assert not torch.allclose(before.decode(latents), after.decode(latents), atol=1e-2)
    assert not any(value.requires_grad for value in after.parameters())


def test_a_stopped_run_goes_on_with_the_same_pictures_and_noise(groups, tmp_path):
    whole = trained(tmp_path / 'whole', groups, 4)
    trained(tmp_path / 'parts', groups, 2)
    parts = trained(tmp_path / 'parts', groups, 4, weights=1)  # those of the state count
    for one, other in zip(whole.parameters(), parts.parameters(), strict=True):
        torch.testing.assert_close(one, other)


def test_weights_that_come_in_bfloat16_are_trained_in_float32(groups, tmp_path, monkeypatch):
    monkeypatch.setattr(train_decoder_module, 'fast_dtype', lambda device: torch.float32)
    vae = trained(tmp_path, groups, 2, dtype=torch.bfloat16)
    assert {value.dtype for value in vae.parameters()} == {torch.float32}


def test_what_a_model_drew_is_learned_to_be_the_image_that_it_was_drawn_for(groups, tmp_path):
    # Each picture is of one grey, and what was drawn for it of one number.
    greys = [np.full_like(groups[1], 0) + np.uint8([20, 120, 220])[:, None, None, None]]
    latents = [torch.tensor([3.0, -3.0, 0.0])[:, None, None, None].expand(3, 4, 8, 8)]
    plain, taught = (trained(tmp_path / str(len(drawn)), greys, 120, drawn=drawn)
                     for drawn in ([], latents))
    errors = [np.abs(np.stack(vae.decode_images(latents[0])) - greys[0].astype(float)).mean()
              for vae in (plain, taught)]
    assert errors[1] < 15 < errors[0] / 2


def test_black_is_learned_to_be_exactly_black(tmp_path):
    black = np.zeros((1, 16, 16, 3), np.uint8)
    vae = trained(tmp_path, [black], 60)
    assert not vae.decode_image(vae.encode_image(black[0])).any()
    assert trained(tmp_path / 'none', [black], 0).decode_image(vae.encode_image(black[0])).any()


def test_passing_an_end_of_the_range_is_no_error_there_and_nowhere_else():
    output = torch.tensor([-1.5, -1.5, 0.5, 1.5, 1.5, -0.5])
    target = torch.tensor([-1.0, -0.5, 1.0, 1.0, 0.0, -1.0])
    assert reached(output, target).tolist() == [-1.0, -1.5, 0.5, 1.0, 1.5, -0.5]
