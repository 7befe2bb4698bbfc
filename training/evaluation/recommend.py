# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""Which mode is the better one for each task, written where a robot's node looks for it."""

from collections.abc import Mapping
import os
from pathlib import Path

from ipt_ros.bagel.source import find, mark, RECOMMENDED
from ipt_training.store import write_json

from .errors import EvaluationError

CHOICE = ('answer', 'imagine')  # modes between which a node chooses; the quicker one first


def better_modes(results: Mapping[str, Mapping[str, Mapping]]) -> dict[str, str]:
    """
    Return the more accurate mode of each task in which both were measured.

    ``results``: as results.json holds them. Of two that are as accurate, it is the quicker one.
    """
    modes = {}
    for task, measured in results.items():
        shares = [measured.get(mode, {}).get('accuracy') for mode in CHOICE]
        if None not in shares:
            modes[task] = CHOICE[shares[1] > shares[0]]
    return modes


def recommend(checkpoint: str | os.PathLike, results: Mapping[str, Mapping[str, Mapping]]) -> Path:
    """
    Write which mode is better for each task into the folder of a checkpoint or an adapter.

    The file bears the fingerprint of the weights that were measured: for others it does not count.
    Return its path. Raises EvaluationError where nothing can be said or written, CheckpointError.
    """
    modes = better_modes(results)
    if not modes:
        raise EvaluationError(
            f'no task was measured in both modes {" and ".join(CHOICE)}, so that none can be '
            'recommended; give --modes answer,imagine')
    if not Path(checkpoint).is_dir():
        raise EvaluationError(
            f"'{checkpoint}' is no folder, so that nothing can be recommended in it; copy the "
            'checkpoint to one')
    source = find(checkpoint)
    path = (source.adapter.folder if source.adapter else source.folder) / RECOMMENDED
    write_json(path, {
        'fingerprint': mark(source), 'auto_mode': modes,
        'measured': {task: {mode: {name: results[task][mode][name] for name in ('accuracy', 'n')}
                            for mode in CHOICE} for task in modes}})
    return path
