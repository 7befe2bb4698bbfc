# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""What the model's tests share: the tiny golden checkpoint and pictures to feed it."""

from pathlib import Path

from ipt_ros.bagel import Bagel
from ipt_ros.bagel.verify import Golden
import numpy as np
import pytest

DATA = Path(__file__).parents[1] / 'data'


@pytest.fixture(scope='session', autouse=True)
def few_threads(one_thread):
    """Tiny tensors: threads only cost."""


@pytest.fixture(scope='session')
def golden_folder() -> Path:
    return DATA / 'tiny_bagel'


@pytest.fixture(scope='session')
def golden(golden_folder) -> Golden:
    return Golden(golden_folder)


@pytest.fixture(scope='session')
def model(golden) -> Bagel:
    return golden.model


@pytest.fixture(scope='session')
def images() -> list[np.ndarray]:
    """Pictures of sizes that need no resizing, small so that tests are quick."""
    rng = np.random.default_rng(0)
    return [rng.integers(0, 256, (*size, 3), dtype=np.uint8)
            for size in ((32, 32), (32, 48), (48, 32))]
