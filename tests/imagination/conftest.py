# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""Views of a robot with four cameras, and a model with random weights."""

import json
import math
from pathlib import Path

from ipt_ros.geometry import compose, OPTICAL_IN_BODY, PinholeCamera, rotation_from_yaw_pitch
from ipt_ros.imagination import Imagination, Options, View
import numpy as np
import pytest

TINY = Path(__file__).parents[1] / 'data' / 'tiny_bagel'
SIZE = 64
YAWS = {'front': 0.0, 'left': math.pi / 2, 'back': math.pi, 'right': -math.pi / 2}


@pytest.fixture
def views() -> list[View]:
    """Return four views of 90 degrees from 1.2 m, of a floor and whatever is 10 m away."""
    rng = np.random.default_rng(0)
    camera = PinholeCamera.from_hfov(SIZE, SIZE, math.pi / 2)
    below = np.arange(SIZE) - camera.cy
    floor = np.where(below > 0, 1.2 * camera.fy / np.maximum(below, 1e-9), math.inf)
    depth = np.repeat(np.minimum(floor, 10.0)[:, None], SIZE, axis=1).astype(np.float32)
    return [
        View(name, rng.integers(0, 255, (SIZE, SIZE, 3), np.uint8), camera,
             compose(rotation_from_yaw_pitch(yaw) @ OPTICAL_IN_BODY, (0.0, 0.0, 1.2)),
             depth)
        for name, yaw in YAWS.items()]


@pytest.fixture(scope='session')
def model():
    """Return the tiny model of the golden numbers: it answers nonsense, quickly."""
    from ipt_ros.bagel import Bagel, BagelConfig
    golden = json.loads((TINY / 'golden.json').read_text())
    vae = {name: value for name, value in golden['vae'].items()
           if name not in ('resolution', 'downsample')}
    config = BagelConfig.from_folder(
        TINY, **golden['bagel'], vae=vae, vae_transform=golden['vae_transform'],
        vit_transform=golden['vit_transform'],
        sampling={'steps': 5, 'image_size': (32, 32), 'max_tokens': 8})
    return Bagel.from_checkpoint(TINY, config=config)


@pytest.fixture
def door(model) -> Imagination:
    """Return the door to that model."""
    return Imagination(model, 'tiny', Options(confidence_steps=3))


@pytest.fixture
def scripted(monkeypatch):
    """Let the model write a thought, then an answer: weights at random never do."""
    from ipt_ros.bagel import reasoning, TextResult
    texts = ['<think>Let me see.</think><image_start>', '<image_end><answer>B</answer>']

    def write(batch, **options):
        return [TextResult(texts.pop(0), [], [], True)]

    monkeypatch.setattr(reasoning, 'generate_texts', write)
