# SPDX-License-Identifier: Apache-2.0
"""
Simulated robots and rooms, behind one `Simulator` protocol.

>>> from ipt_sim import make_simulator
>>> with make_simulator() as sim:
...     sim.reset(seed=7)
...     frame = sim.render('front')
"""

from ipt_sim.protocol import (
    CameraSpec,
    EmptyFrameError,
    Frame,
    NotNavigableError,
    RenderingUnavailableError,
    SceneObject,
    Simulator,
    SimulatorError,
    StepResult,
    surround_cameras,
)

BACKENDS = ('mujoco',)

__all__ = [
    'BACKENDS',
    'CameraSpec',
    'EmptyFrameError',
    'Frame',
    'NotNavigableError',
    'RenderingUnavailableError',
    'SceneObject',
    'Simulator',
    'SimulatorError',
    'StepResult',
    'make_simulator',
    'surround_cameras',
]


def make_simulator(backend: str = 'mujoco', **options) -> Simulator:
    """
    Start a simulator; `options` go to the backend's class.

    Raises ValueError for a backend that does not exist and RenderingUnavailableError where nothing
    can be drawn.
    """
    if backend not in BACKENDS:
        raise ValueError(f'no simulator backend "{backend}"; there are: {", ".join(BACKENDS)}')
    # Imported late: describing cameras and objects must not need a graphics library.
    from ipt_sim.mujoco_backend import MujocoSimulator

    return MujocoSimulator(**options)
