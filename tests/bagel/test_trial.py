# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""A trial shows what finite weights alone do not, and leaves a good model as it was."""

from copy import deepcopy

from ipt_ros.bagel import BagelError, imagine, read_prompt, Sampling
from ipt_ros.bagel.trial import try_out
import numpy as np
import pytest
import torch

LARGE = 3e38  # finite in float32; a sum of two is not


def spoiled(model, *starts):
    """Return a copy of a model with finite weights that are too large to compute with."""
    copy = deepcopy(model)
    for named in (copy.named_parameters(), copy.vae.net.named_parameters()):
        for name, value in named:
            if name.startswith(starts):
                value.data.fill_(LARGE)
    return copy


@pytest.mark.parametrize(('starts', 'what'), [
    (('language_model.lm_head',), 'the answer to a trial question'),
    (('llm2vae',), 'the image of a trial'),
    (('decoder.conv_out',), 'the image of a trial'),
    (('vit_model', 'connector'), 'NaN or infinity')])
def test_finite_weights_that_give_no_numbers_are_found(model, starts, what):
    with pytest.raises(BagelError, match=what):
        try_out(spoiled(model, *starts))


def test_a_good_model_draws_the_same_before_and_after(model):
    def drawn():
        grey = np.full((32, 32, 3), 127, np.uint8)
        prompt = read_prompt(model, system='', images=[grey], question='?', mode='imagine')
        return imagine(prompt, Sampling(steps=3, image_size=(32, 32)), seed=1)

    before, state = drawn(), torch.get_rng_state()
    try_out(model)
    assert torch.equal(torch.get_rng_state(), state)
    np.testing.assert_array_equal(drawn(), before)


@pytest.mark.parametrize('size', [None, (32, 32), (1024, 1024)])
def test_whatever_size_a_model_imagines_at_is_no_matter_of_the_trial(model, size):
    copy = deepcopy(model)
    copy.config = model.config.replace(sampling=Sampling(image_size=size))
    try_out(copy)
