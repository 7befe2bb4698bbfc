# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""Optimizers: who updates what, at what rate, and going on where a run was stopped."""

from ipt_training import muon
from ipt_training.muon import Muon
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


@pytest.mark.parametrize(('name', 'values'), [
    ('eps', [0.0, -1e-8, float('nan'), float('inf'), 1e-50, 0]),  # float32 takes 1e-50 for 0
    ('learning_rate', [-1.0, float('nan'), float('inf')]),
    ('weight_decay', [-0.1, float('nan'), float('inf')]),
    ('clip', [0.0, float('nan')]), ('ema', [1.0, float('nan')])])
def test_settings_that_make_no_numbers_of_weights_are_refused_by_name(name, values):
    for value in values:
        with pytest.raises(ValueError, match=rf'optimizer\.{name} is '):
            OptimizerSettings(**{'learning_rate': 0.1, name: value})


def test_a_small_eps_as_published_is_no_fault():
    model = Model()
    optimizer = Optimizers(model, OptimizerSettings(learning_rate=0.02, eps=1e-15))
    run(model, optimizer, 2)
    assert all(value.isfinite().all() for value in model.parameters())


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


@pytest.mark.parametrize('rate', ['match_rms_adamw', 'original'])
@pytest.mark.parametrize('shape', [(12, 30), (30, 12)])
def test_muon_in_float32_goes_the_way_of_pytorchs_own(shape, rate, monkeypatch):
    monkeypatch.setattr(muon, 'fast_dtype', lambda device: torch.float32)
    torch.manual_seed(0)
    first = torch.randn(shape)
    steps = []
    for kind in (Muon, torch.optim.Muon):
        weights = nn.Parameter(first.clone())
        optimizer = kind([weights], lr=0.1, weight_decay=0.1, adjust_lr_fn=rate)
        generator = torch.Generator().manual_seed(1)
        for _ in range(3):
            weights.grad = torch.randn(shape, generator=generator)
            optimizer.step()
        steps.append(weights.detach() - first)
    ours, reference = steps
    assert (ours - reference).norm() < 0.02 * reference.norm()  # theirs is made in bfloat16


def test_muon_is_pytorchs_own_where_bfloat16_is_fast(monkeypatch):
    calls = []
    monkeypatch.setattr(muon, 'fast_dtype', lambda device: torch.bfloat16)
    monkeypatch.setattr(torch.optim.Muon, 'step', lambda self, closure=None: calls.append(self))
    optimizer = Muon([nn.Parameter(torch.ones(2, 3))])
    optimizer.step()
    assert calls == [optimizer]
