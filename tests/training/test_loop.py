# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""The training loop: schedule, resuming bit for bit, and stopping on what is no number."""

from ipt_training.loop import Ema, run_stage, TrainingDivergedError
from ipt_training.optimizers import OptimizerSettings
import pytest
import torch
from torch import nn

SETTINGS = OptimizerSettings(learning_rate=0.05, warmup_steps=2, ema=0.9)


def losses_of(module):
    def losses_at(step):
        generator = torch.Generator().manual_seed(step)
        x = torch.randn(8, 3, generator=generator)
        return {'loss': (module(x) - x.sum(1, keepdim=True)).square().mean()}
    return losses_at


def fresh():
    torch.manual_seed(0)
    return nn.Linear(3, 1)


def train(module, steps, folder, losses_at=None, save_seconds=1e9, settings=SETTINGS, **options):
    run_stage('test', module, losses_at or losses_of(module), steps=steps, settings=settings,
              folder=folder, save_seconds=save_seconds, **options)
    return module


def test_rate_warms_up_stays_and_falls_to_nothing():
    settings = OptimizerSettings(learning_rate=1.0, warmup_steps=10, decay=0.25)
    assert settings.rate(0, 100) == pytest.approx(0.1)
    assert settings.rate(9, 100) == settings.rate(74, 100) == 1.0
    assert settings.rate(99, 100) == pytest.approx(0.04)
    # The plateau does not know the end: a longer run shares it.
    assert settings.rate(50, 100) == settings.rate(50, 1000)


def test_it_learns(tmp_path):
    module = train(fresh(), 200, tmp_path)
    assert torch.allclose(module.weight, torch.ones(1, 3), atol=0.05)


def test_a_stopped_run_goes_on_to_the_same_weights(tmp_path):
    straight = train(fresh(), 40, tmp_path / 'straight')

    class Killed(Exception):
        pass

    module = fresh()
    losses_at = losses_of(module)

    def killed_at_25(step):
        if step == 25:
            raise Killed
        return losses_at(step)

    with pytest.raises(Killed):
        train(module, 40, tmp_path / 'resumed', killed_at_25, save_seconds=0.0)
    resumed = train(fresh(), 40, tmp_path / 'resumed')
    assert torch.equal(straight.weight, resumed.weight)
    assert torch.equal(straight.bias, resumed.bias)


def test_a_loss_that_is_no_number_stops_with_a_reason_and_keeps_the_state(tmp_path):
    module = fresh()
    losses_at = losses_of(module)

    def broken(step):
        losses = losses_at(step)
        return {'loss': losses['loss'] * float('nan')} if step == 7 else losses

    with pytest.raises(TrainingDivergedError, match='step 7.*learning_rate'):
        train(module, 20, tmp_path, broken, save_seconds=0.0)
    assert torch.load(tmp_path / 'test.pt', weights_only=True)['step'] == 7


def test_a_gradient_that_is_no_number_reaches_no_weight(tmp_path):
    module = fresh()
    losses_at = losses_of(module)

    def broken(step):
        losses = losses_at(step)
        if step == 7:  # finite, but sqrt has no slope at 0
            losses['loss'] = losses['loss'] + (0 * module.weight.sum()).sqrt()
        return losses

    with pytest.raises(TrainingDivergedError, match="gradients' norm.*step 7"):
        train(module, 8, tmp_path, broken, save_seconds=0.0)
    state = torch.load(tmp_path / 'test.pt', weights_only=True)
    assert state['step'] == 7 and state['module']['weight'].isfinite().all()


def breaking(module, where, at, value=float('nan')):
    """Return losses that are numbers, and put something else into a tensor before step `at`."""
    losses_at = losses_of(module)

    def broken(step):
        if step == at:
            with torch.no_grad():
                where(module).view(-1)[0] = value
        # Nothing of it is seen in loss or gradients.
        losses = losses_at(step)['loss'].detach()
        return {'loss': losses.nan_to_num(0.0, 0.0, 0.0) + 0 * module.bias.sum()}
    return broken


@pytest.mark.parametrize('value', [float('nan'), float('inf')])
@pytest.mark.parametrize('steps', [8, 20])  # it is the last step, or it is not
def test_a_weight_that_is_no_number_reaches_no_state(tmp_path, value, steps):
    module = fresh()
    with pytest.raises(TrainingDivergedError, match=(
            r'infinity in weight, the average of weight after step 7, put there since step 7; '
            r'the last good state is .*test\.pt, of step 7; lower optimizer\.learning_rate .*'
            'delete the state')):
        train(module, steps, tmp_path, breaking(module, lambda m: m.weight, 7, value),
              save_seconds=0.0)
    state = torch.load(tmp_path / 'test.pt', weights_only=True)
    assert state['step'] == 7 and state['module']['weight'].isfinite().all()
    with pytest.raises(TrainingDivergedError, match='no state had been saved; lower'):
        train(module := fresh(), 1, tmp_path / 'first', breaking(module, lambda m: m.weight, 0))
    assert not (tmp_path / 'first' / 'test.pt').exists()


def test_what_a_far_too_high_rate_does_reaches_no_state(tmp_path):
    settings = OptimizerSettings(learning_rate=3e38, warmup_steps=1, ema=0.9)
    with pytest.raises(TrainingDivergedError, match='optimizer.learning_rate'):
        train(fresh(), 40, tmp_path, save_seconds=0.0, settings=settings)
    if (tmp_path / 'test.pt').exists():
        state = torch.load(tmp_path / 'test.pt', weights_only=True)
        assert all(value.isfinite().all() for value in (
            *state['module'].values(), *state['ema'].values()))


@pytest.mark.parametrize(('spoil', 'name'), [
    (lambda state: state['module']['weight'], 'weight'),
    (lambda state: state['ema']['bias'], 'the average of bias'),
    (lambda state: state['optimizer'][0]['state'][0]['exp_avg_sq'], 'exp_avg_sq of weight')])
@pytest.mark.parametrize('steps', [12, 6])  # there is something left to do, or there is not
def test_a_state_that_is_not_good_is_refused_with_what_to_do(tmp_path, spoil, name, steps):
    train(fresh(), 6, tmp_path)
    state = torch.load(tmp_path / 'test.pt', weights_only=True)
    spoil(state).view(-1)[0] = torch.nan
    torch.save(state, tmp_path / 'test.pt')
    before = (tmp_path / 'test.pt').read_bytes()
    with pytest.raises(TrainingDivergedError, match=(
            rf'in {name} of the state of step 6: .*delete .*test\.pt to begin anew')):
        train(fresh(), steps, tmp_path)
    assert (tmp_path / 'test.pt').read_bytes() == before
    (tmp_path / 'test.pt').unlink()
    train(fresh(), steps, tmp_path)


def test_weights_that_are_no_numbers_to_begin_with_are_refused(tmp_path):
    module = fresh()
    module.bias.data.fill_(torch.inf)
    with pytest.raises(TrainingDivergedError, match='in bias, the average of bias of what'):
        train(module, 3, tmp_path)


def test_what_one_of_several_processes_finds_stops_all(tmp_path):
    with pytest.raises(TrainingDivergedError, match='in near, far away of what'):
        train(fresh(), 3, tmp_path, collect=lambda own: [own, ['near'], ['far away', 'near']])


def test_ema_follows_slowly_and_leaves_frozen_weights_alone():
    module = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    module[1].requires_grad_(False)
    ema = Ema(module, 0.5)
    before = module[0].weight.detach().clone()
    with torch.no_grad():
        module[0].weight += 1
    ema.update(module, step=10_000)
    assert torch.allclose(ema.values['0.weight'], before + 0.5)
    assert not any(name.startswith('1.') for name in ema.values)


@pytest.mark.parametrize(('ramp', 'moved'), [(True, 0.9), (False, 0.1)])
def test_without_a_ramp_the_average_is_slow_from_the_first_step_on(ramp, moved):
    module = nn.Linear(2, 2)
    ema = Ema(module, 0.9, ramp)
    before = module.weight.detach().clone()
    with torch.no_grad():
        module.weight += 1
    ema.update(module, step=0)
    assert torch.allclose(ema.values['weight'], before + moved)


def test_a_full_disk_is_called_so_and_leaves_the_last_state(tmp_path):
    module = train(fresh(), 3, tmp_path)
    whole = (tmp_path / 'test.pt').read_bytes()
    (tmp_path / 'test.tmp').symlink_to('/dev/full')
    with pytest.raises(OSError, match='step 6 cannot be saved .No space left on device.*again'):
        train(module, 6, tmp_path)
    assert not (tmp_path / 'test.tmp').is_symlink()
    assert (tmp_path / 'test.pt').read_bytes() == whole
