# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""What a run of fine-tuning left behind."""

from pathlib import Path

from ipt_training.finetune.state import SavedState
from safetensors.torch import load_file


def weights(folder):
    """Return the bytes of a checkpoint's weights."""
    return (Path(folder) / 'ema.safetensors').read_bytes()


def saved(recipe):
    """Return the step and the tensors of the state of a run in one process."""
    state = SavedState(Path(recipe.work_dir) / 'state')
    shard, = state.folder.glob('step-*/*.safetensors')
    return state.step, load_file(shard)


def logged(recipe):
    """Return the scalars of a run's TensorBoard files: {tag: {step: value}}."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    found = EventAccumulator(str(Path(recipe.work_dir) / 'tensorboard')).Reload()
    return {tag: {event.step: event.value for event in found.Scalars(tag)}
            for tag in found.Tags()['scalars']}
