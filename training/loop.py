# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""
The loop that every training stage shares: schedule, clipping, EMA, logs, and resuming.

A stage gives a function from the step's number to losses; batches depend on the step alone, so a
run that was stopped goes on with the same batches. State is written to a temporary file first and
then renamed, and only while all its numbers are finite: a kill, or a step that puts NaN into
weights, leaves the last good state.
"""

from collections.abc import Callable, Iterable, Sequence
import json
import math
import os
from pathlib import Path
import time
from typing import Protocol

from ipt_ros.bagel.finite import not_finite
import torch
from torch import nn, Tensor
from torch.distributed.tensor import DTensor
from tqdm import tqdm

from .optimizers import Optimizers, OptimizerSettings

_NAMED = 3  # faulty tensors are named up to here


class TrainingDivergedError(RuntimeError):
    """A loss, a gradient or a weight is no longer a number; the last good state is kept."""


class Ema:
    """An exponential moving average of trainable parameters, in float32."""

    def __init__(self, module: nn.Module, decay: float, ramp: bool = True):
        self.decay = decay
        self.ramp = ramp
        self.values = {
            name: value.detach().clone().float()
            for name, value in module.named_parameters() if value.requires_grad
        }

    @torch.no_grad()
    def update(self, module: nn.Module, step: int) -> None:
        """Move towards the module's weights; with a ramp, the first steps weigh more."""
        decay = min(self.decay, (1 + step) / (10 + step)) if self.ramp else self.decay
        names = list(self.values)
        parameters = dict(module.named_parameters())
        torch._foreach_lerp_(
            [self.values[n] for n in names], [parameters[n].detach().float() for n in names],
            1 - decay)

    @torch.no_grad()
    def copy_to(self, module: nn.Module) -> None:
        """Write the averages into the module."""
        for name, value in module.named_parameters():
            if name in self.values:
                value.copy_(self.values[name])


class State(Protocol):
    """Where a run keeps what it needs to go on; its text names the place."""

    def load(self, module: nn.Module, optimizer: Optimizers, ema: Ema | None) -> int:
        """Load what `save` wrote, if it is there; return the step to go on with."""

    def save(self, step: int, module: nn.Module, optimizer: Optimizers, ema: Ema | None) -> None:
        """Write everything that resuming needs; a kill leaves the last state or this one."""


class StateFile:
    """The state of one process, in one file."""

    def __init__(self, path: Path):
        self.path = path

    def __str__(self) -> str:
        return str(self.path)

    def load(self, module: nn.Module, optimizer: Optimizers, ema: Ema | None) -> int:
        """Load what `save` wrote, if it is there; return the step to go on with."""
        if not self.path.exists():
            return 0
        state = torch.load(self.path, weights_only=True)
        module.load_state_dict(state['module'])
        optimizer.load_state_dict(state['optimizer'])
        if ema and state['ema']:
            for name, value in state['ema'].items():
                ema.values[name].copy_(value)
        return state['step']

    def save(self, step: int, module: nn.Module, optimizer: Optimizers, ema: Ema | None) -> None:
        """Write everything that resuming needs, atomically."""
        state = {
            'step': step,
            'module': module.state_dict(),
            'optimizer': optimizer.state_dict(),
            'ema': ema.values if ema else {},
        }
        temporary = self.path.with_suffix('.tmp')
        try:
            with temporary.open('wb') as file:
                torch.save(state, file)
        except (OSError, RuntimeError) as error:
            temporary.unlink(missing_ok=True)
            # torch says what it could not do, and keeps the reason behind it.
            reason = error if isinstance(error, OSError) else error.__context__
            if not isinstance(reason, OSError):
                raise
            raise OSError(
                reason.errno, f'the state of step {step} cannot be saved ({reason.strerror}); '
                'the last one is kept: mend that, then give the same command again to go on',
                str(self.path)) from error
        os.replace(temporary, self.path)


def run_stage(
    name: str,
    module: nn.Module,
    losses_at: Callable[[int], dict[str, Tensor]],
    *,
    steps: int,
    settings: OptimizerSettings,
    folder: Path,
    save_seconds: float = 120.0,
    on_save: Callable[[int, nn.Module], None] | None = None,
    save_points: Iterable[int] = (),
    state: State | None = None,
    lead: bool = True,
    decide: Callable[[bool], bool] = bool,
    collect: Callable[[list[str]], list[list[str]]] = lambda own: [own],
) -> None:
    """
    Train ``module`` for ``steps`` steps, resuming from ``state`` where there is one.

    ``losses_at(step)`` returns named scalar tensors; 'loss' is what is minimised, the others are
    logged. Where 'loss' has no graph, ``losses_at`` has put gradients in place itself.
    ``state`` is kept in ``folder``/NAME.pt if not given. Of several processes that train together
    one is the ``lead``, which logs; ``decide`` turns a choice of one into the choice of all, and
    ``collect`` returns what every one gave. At the end the module holds the averaged weights if
    ``settings.ema`` is set.
    Raises TrainingDivergedError when the loss or a gradient is not finite, before that reaches a
    weight, and when a weight is not, before that reaches a state; all processes do.
    """
    folder.mkdir(parents=True, exist_ok=True)
    state = state or StateFile(folder / f'{name}.pt')
    optimizer = Optimizers(module, settings)
    trainable = [value for value in module.parameters() if value.requires_grad]
    ema = Ema(module, settings.ema, settings.ema_ramp) if settings.ema else None
    first = good = state.load(module, optimizer, ema)

    def bad_tensors() -> str:
        found = collect(_bad_tensors(module, optimizer, ema))
        return _some(list(dict.fromkeys(name for own in found for name in own)))

    if bad := bad_tensors():
        raise TrainingDivergedError(
            f'stage {name}: NaN or infinity in {bad} ' + (
                f'of the state of step {first}: it cannot be gone on from; delete {state} to '
                'begin anew' if first else 'of what it begins with; begin with other weights'))
    save_points = set(save_points)
    log = (folder / f'{name}.jsonl' if lead else Path(os.devnull)).open('a')
    saved, seen = time.monotonic(), []
    module.train()
    bar = tqdm(range(first, steps), initial=first, total=steps, desc=name, mininterval=2.0,
               dynamic_ncols=True, disable=not lead)
    for step in bar:
        losses = losses_at(step)
        check_finite('loss', losses['loss'], name, step, _kept(state, good))
        if losses['loss'].requires_grad:
            losses['loss'].backward()
        length = nn.utils.clip_grad_norm_(trainable, settings.clip)
        # Of a module that is spread over processes, each has a part of the sum.
        length = length.full_tensor() if isinstance(length, DTensor) else length
        check_finite("gradients' norm", length, name, step, _kept(state, good))
        optimizer.step(settings.rate(step, steps))
        if ema:
            ema.update(module, step)
        seen.append({key: value.item() for key, value in losses.items()})
        if len(seen) == 20:
            keys = sorted({key for row in seen for key in row})
            means = {key: round(mean([row[key] for row in seen if key in row]), 5) for key in keys}
            bar.set_postfix({key: f'{value:.3f}' for key, value in means.items()}, refresh=False)
            log.write(json.dumps({'step': step + 1, 'time': round(time.time(), 1), **means})
                      + '\n')
            log.flush()
            seen = []
        if (step + 1 in save_points or step + 1 == steps
                or decide(time.monotonic() - saved > save_seconds)):
            if bad := bad_tensors():
                raise TrainingDivergedError(
                    f'stage {name}: NaN or infinity in {bad} after step {step}, put there since '
                    f'step {good}; {_kept(state, good)}')
            state.save(step + 1, module, optimizer, ema)
            saved, good = time.monotonic(), step + 1
            if on_save:
                on_save(step + 1, module)
    log.close()
    module.eval()
    if ema:
        ema.copy_to(module)


def check_finite(what: str, value: Tensor, stage: str, step: int, advice: str) -> None:
    """Raise TrainingDivergedError where a number of a step is none."""
    if not torch.isfinite(value):
        raise TrainingDivergedError(
            f'stage {stage}: the {what} is {value.item()} at step {step}; {advice}')


def _kept(state: State, step: int) -> str:
    """Say which state there is to go on from, and what to do."""
    if not step:
        return 'no state had been saved; lower optimizer.learning_rate and start again'
    return (f'the last good state is {state}, of step {step}; lower optimizer.learning_rate and '
            'start again, or, if that comes to the same, delete the state and begin anew')


def _bad_tensors(module: nn.Module, optimizer: Optimizers, ema: Ema | None) -> list[str]:
    """Return the names of what is trained, averaged or kept of gradients and is not finite."""
    trained = {name: value for name, value in module.named_parameters() if value.requires_grad}
    averages = {f'the average of {name}': value for name, value in (
        ema.values if ema else {}).items()}
    moments = {f'{key} of {name}': kept for name, value in trained.items()
               for inner in optimizer.all for key, kept in inner.state.get(value, {}).items()
               if isinstance(kept, Tensor)}
    tensors = trained | averages | moments
    return not_finite({name: value.to_local() if isinstance(value, DTensor) else value
                       for name, value in tensors.items()})


def _some(names: Sequence[str]) -> str:
    """Return some of the names, and how many more there are; '' for none."""
    more = len(names) - _NAMED
    return ', '.join(names[:_NAMED]) + (f' and {more} more' if more > 0 else '')


def mean(values: list[float]) -> float:
    """Return the mean of what is a number; NaN of nothing."""
    known = [value for value in values if not math.isnan(value)]
    return sum(known) / len(known) if known else math.nan
