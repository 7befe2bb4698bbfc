# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""Measures of images against values of other implementations, and where they must end up."""

from hypothesis import given, settings
from hypothesis import strategies as st
from ipt_ros.bagel import Context
from ipt_training.evaluation.images import (
    feature_distance,
    features,
    measure,
    psnr,
    squared_error,
    ssim,
)
import numpy as np
import pytest
import torch


def pictures():
    rows, columns = np.mgrid[:24, :32]
    truth = np.stack([rows * 10, columns * 7, (rows * columns) % 256], axis=2).astype(np.uint8)
    noise = np.random.default_rng(0).integers(-30, 31, truth.shape)
    return truth, np.clip(truth + noise, 0, 255).astype(np.uint8)


def test_squared_error():
    black = np.zeros((4, 4, 3), np.uint8)
    assert squared_error(black, black) == 0
    assert squared_error(black, black + np.uint8(255)) == 1
    with pytest.raises(ValueError, match='unlike shape'):
        squared_error(black, black[:2])


def test_psnr_and_ssim_against_scikit_image():
    # scikit-image 0.26.0 on the same arrays; structural_similarity with gaussian_weights=True,
    # sigma=1.5, use_sample_covariance=False, data_range=255, channel_axis=2.
    truth, noisy = pictures()
    assert psnr(noisy, truth) == pytest.approx(23.521753, abs=1e-5)
    assert ssim(noisy, truth) == pytest.approx(0.6597221125282429, abs=1e-12)


def test_equal_images_have_a_finite_psnr_above_any_other():
    truth, _ = pictures()
    other = truth.copy()
    other[0, 0, 0] ^= 1
    assert psnr(truth, truth) == pytest.approx(58.92, abs=0.01)
    assert psnr(other, truth) <= psnr(truth, truth)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 1000), st.integers(11, 20))
def test_ssim_is_symmetric_and_one_for_equal_images_only(seed, side):
    rng = np.random.default_rng(seed)
    a, b = rng.integers(0, 256, (2, side, side, 3), dtype=np.uint8)
    assert ssim(a, b) == pytest.approx(ssim(b, a))
    assert ssim(a, b) < 1 == pytest.approx(ssim(a, a))


def test_ssim_refuses_what_its_window_does_not_fit_in():
    small = np.zeros((10, 32, 3), np.uint8)
    with pytest.raises(ValueError, match='11 pixels'):
        ssim(small, small)


def test_feature_distance_by_hand():
    one = torch.tensor([[1.0, 0.0], [0.0, 2.0]])
    other = torch.tensor([[3.0, 0.0], [5.0, 0.0]])
    # The first patch points the same way, the second at a right angle.
    assert feature_distance(one, other) == pytest.approx(0.5)
    assert feature_distance(one, -one) == pytest.approx(2.0)
    with pytest.raises(ValueError, match='unlike'):
        feature_distance(one, other[:1])


def test_features_are_those_that_the_model_reads(model, example):
    # As a context reads an image: fitted for the VAE, then for the ViT, then its encoder.
    image = example(0).images[0]
    seen = []
    handle = model.vit_model.register_forward_hook(lambda *call: seen.append(call[2]))
    try:
        Context(model).add_image(image, vae=False)
    finally:
        handle.remove()
    assert torch.equal(features(model, image), seen[0][0].float())


def test_the_truth_measures_best_in_everything(model, example):
    truth = example(0).target
    found = measure(model, {'same': truth, 'other': example(0).images[0]}, truth)
    assert found['same']['psnr'] > found['other']['psnr']
    assert found['same']['ssim'] > found['other']['ssim']
    assert abs(found['same']['perceptual']) < 1e-5 < found['other']['perceptual']
