# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""How far a run is, whatever the recipe says by now."""

from collections.abc import Sequence
import json
from pathlib import Path

from ipt_training.experiment.pieces import Piece
from ipt_training.experiment.runs import INDEX, LOG, WORK


def state_of(training: Piece | None, asking: Sequence[Piece]) -> dict:
    """
    Return how far a run is, in numbers and in ``words``; plain JSON values.

    ``changed``: names of settings that are others now than when the run was made. A page can still
    be written then, such as when the checkpoint that all began with is another one by now.
    """
    pieces = [*([training] if training else []), *asking]
    marks = [piece.state() or {} for piece in pieces]
    state = {
        'trained': training is None or _finished(training),
        'asked': all(map(_finished, asking)),
        'ask_seconds': _sum(asking),
        'machine': next((mark['machine'] for mark in marks if mark.get('machine')), None),
        'changed': sorted({line.partition(':')[0] for piece in pieces
                           for line in piece.changed()}),
    }
    words = []
    if training is not None:
        work = training.folder / WORK
        steps = int(training.units if state['trained'] else training.count())
        state |= {'steps': steps, 'train_seconds': _sum([training]), **_index(work / INDEX),
                  'losses': _losses(work / LOG)}
        if not state['trained']:
            words.append(f'trained {steps} of {training.units:.0f} steps' if steps
                         else 'training not begun')
    if not state['asked']:
        share = sum(piece.count() for piece in asking) / sum(piece.units for piece in asking)
        words.append(f'asked {share:.0%} of the questions' if share else 'not asked')
    return state | {'words': ', '.join(words)}


def shown(folder: str) -> str:
    """Return what to call a folder on a page: where it is on this machine is nobody's business."""
    return Path(folder).name if Path(folder).is_absolute() else folder


def _finished(piece: Piece) -> bool:
    return bool((piece.state() or {}).get('finished'))


def _sum(pieces: Sequence[Piece]) -> float | None:
    """Return how long finished pieces took (s), None where none is."""
    seconds = [(piece.state() or {}).get('seconds') for piece in pieces]
    known = [value for value in seconds if value]
    return sum(known) if known else None


def _index(path: Path) -> dict:
    """Return how many samples a run's data gave, and what they left out."""
    if not path.exists():
        return {}
    index = json.loads(path.read_text(encoding='utf-8'))
    return {'samples': len(index['units']), 'left_out': index['skipped']}


def _losses(path: Path) -> dict[str, float]:
    """Return the last losses that a run logged."""
    if not path.exists():
        return {}
    lines = path.read_text(encoding='utf-8').splitlines()
    last = json.loads(lines[-1]) if lines else {}
    return {name: last[name] for name in ('ce', 'mse') if name in last}
