# SPDX-License-Identifier: Apache-2.0
from ipt_sim import BACKENDS, make_simulator
import pytest


@pytest.fixture(scope='package', params=BACKENDS)
def backend(request):
    """Name every backend that this machine can run, one after the other."""
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
