# SPDX-License-Identifier: Apache-2.0
"""Optimizers: who updates what, at what rate, and going on where a run was stopped."""

from ipt_training.optimizers import Optimizers, OptimizerSettings
import pytest
import torch
from torch import nn


class Model(nn.Module):

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.embed_tokens = nn.Embedding(5, 4)
        self.hidden = nn.Linear(4, 6)
        self.lm_head = nn.Linear(6, 5)

    def loss(self):
        ids = torch.arange(5)
        return nn.functional.cross_entropy(
            self.lm_head(torch.tanh(self.hidden(self.embed_tokens(ids)))), ids)


def settings(method):
    return OptimizerSettings(learning_rate=0.02, method=method)


def run(model, optimizer, steps):
    for _ in range(steps):
        model.loss().backward()
        optimizer.step(0.02)
    return model.loss().item()


@pytest.mark.parametrize('method', ['adamw', 'muon'])
def test_both_methods_learn(method):
    model = Model()
    first = model.loss().item()
    assert run(model, Optimizers(model, settings(method)), 60) < 0.3 * first


def test_muon_makes_the_update_of_hidden_matrices_orthogonal_and_of_nothing_else():
    model = Model()
    before = {name: value.clone() for name, value in model.named_parameters()}
    run(model, Optimizers(model, settings('muon')), 1)

    def spread(name):  # of the singular values of the update: 1 when it is orthogonal
        values = torch.linalg.svdvals(getattr(model, name).weight - before[f'{name}.weight'])
        return (values.max() / values[:4].min()).item()

    assert spread('hidden') < 2.5  # five iterations come this near
    assert spread('lm_head') > 3


@pytest.mark.parametrize('method', ['adamw', 'muon'])
def test_a_loaded_state_goes_on_to_the_same_weights(method):
    straight, resumed = Model(), Model()
    run(straight, Optimizers(straight, settings(method)), 8)
    first = Optimizers(resumed, settings(method))
    run(resumed, first, 5)
    second = Optimizers(resumed, settings(method))
    second.load_state_dict(first.state_dict())
    run(resumed, second, 3)
    assert all(map(torch.equal, straight.parameters(), resumed.parameters()))


def test_a_state_of_the_other_method_is_refused_and_unknown_methods_too():
    model = Model()
    with pytest.raises(ValueError, match='another optimizer.method'):
        Optimizers(model, settings('muon')).load_state_dict(
            Optimizers(model, settings('adamw')).state_dict())
    with pytest.raises(ValueError, match="got 'sgd'"):
        settings('sgd')
