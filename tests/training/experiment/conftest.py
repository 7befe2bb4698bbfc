# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""What the tests of experiments share."""

from concurrent.futures import Executor, Future
from pathlib import Path
import sys

import pytest

# Where bags are written without ROS.
sys.path.insert(0, str(Path(__file__).parents[1] / 'mining'))


class AtOnce(Executor):
    """Works in this process and thread: starting others takes long."""

    def submit(self, fn, /, *args, **kwargs):
        future = Future()
        future.set_result(fn(*args, **kwargs))
        return future


@pytest.fixture
def at_once():
    return AtOnce()


def make_record(identity, right=True, group='', task='mvc', seed=0, image=None):
    """Return a record of a question with four choices; ``image``: its PSNR if it imagined."""
    scores = {} if image is None else {
        'imagined': {'psnr': image, 'ssim': 0.5, 'perceptual': 0.5},
        'mean_image': {'psnr': 10.0, 'ssim': 0.4, 'perceptual': 0.6}}
    return {
        'id': identity, 'task': task, 'variant': group, 'subtask': group, 'choices': list('ABCD'),
        'truth': 'A', 'letter': 'A' if right else 'B', 'blind': seed % 2 == 0, 'objects': {},
        'pictures': {'imagined': 'x.png'} if scores else {}, 'scores': scores,
        'seconds': {'answer': 0.5}}


@pytest.fixture
def record():
    return make_record
