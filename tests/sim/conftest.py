# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
import importlib.util

from ipt_sim import BACKENDS, make_simulator
import pytest


def require_habitat_sim():
    """Skip where habitat_sim is not installed; it is not on PyPI."""
    if importlib.util.find_spec('habitat_sim') is None:
        pytest.skip('habitat_sim is not installed: docs/habitat.md says how')


@pytest.fixture(scope='package', params=BACKENDS)
def backend(request):
    """Name every backend that this machine can run, one after the other."""
    if request.param == 'habitat':
        require_habitat_sim()
    return request.param


@pytest.fixture(scope='package')
def shared_sim(backend):
    """Start one simulator a backend: starting them is what takes long."""
    sim = make_simulator(backend)
    yield sim
    sim.close()


@pytest.fixture
def sim(shared_sim):
    """Return a simulator that stands at the start of the room of seed 3."""
    shared_sim.reset(3)
    return shared_sim
