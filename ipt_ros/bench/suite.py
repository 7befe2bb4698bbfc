# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""All measurements, one after the other, and their table."""

from collections.abc import Mapping
from pathlib import Path
import platform
from typing import Any

from ipt_ros.bench import bridge, model
from ipt_ros.machine import processor
from ipt_ros.progress import Progress
from ipt_training.benchmark import training_samples_per_second
import torch


def run(checkpoint: Path, repeats: int, progress: Progress | None = None) -> dict[str, Any]:
    """Measure everything; return the machine, the versions and the figures by name."""
    progress = progress or Progress()
    progress.step('the bridge')
    figures = bridge.measure()
    progress.step('the model')
    figures |= model.measure(checkpoint, repeats)
    progress.step('training')
    figures |= {
        'training samples a second': training_samples_per_second(checkpoint)}
    progress.step('done')
    return {
        'machine': processor(),
        'gpu': torch.cuda.get_device_name(0) if torch.cuda.is_available() else 'none',
        'python': platform.python_version(),
        'torch': torch.__version__,
        'checkpoint': checkpoint.name,
        'repeats': repeats,
        'figures': figures,
    }


def table(measured: Mapping[str, Any]) -> str:
    """Return the figures for people."""
    figures = measured['figures']
    width = max(map(len, figures))
    head = [
        f"{measured['machine']}; GPU: {measured['gpu']}",
        f"torch {measured['torch']}, checkpoint {measured['checkpoint']}", '']
    return '\n'.join(head + [
        f'{name.ljust(width)}  {value:10.3f}' for name, value in figures.items()])
