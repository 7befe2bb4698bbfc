# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""
Simulated robots and rooms, behind one `Simulator` protocol.

>>> from ipt_sim import make_simulator
>>> with make_simulator() as sim:
...     sim.reset(seed=7)
...     frame = sim.render('front')
"""

from pathlib import Path

from ipt_sim.protocol import (
    BackendUnavailableError,
    CameraSpec,
    EmptyFrameError,
    Frame,
    NotNavigableError,
    RenderingUnavailableError,
    SceneError,
    SceneObject,
    Simulator,
    SimulatorError,
    StepResult,
    surround_cameras,
)
from ipt_sim.randomization import load_randomization, Randomization, RandomizationError
from ipt_sim.randomized import RandomizedSimulator

BACKENDS = ('mujoco', 'habitat')

__all__ = [
    'BACKENDS',
    'BackendUnavailableError',
    'CameraSpec',
    'EmptyFrameError',
    'Frame',
    'NotNavigableError',
    'Randomization',
    'RandomizationError',
    'RandomizedSimulator',
    'RenderingUnavailableError',
    'SceneError',
    'SceneObject',
    'Simulator',
    'SimulatorError',
    'StepResult',
    'load_randomization',
    'make_simulator',
    'surround_cameras',
]


def make_simulator(
    backend: str = 'mujoco',
    *,
    scene: str = '',
    scene_dataset: str = '',
    randomization: Randomization | str | Path | None = None,
    max_image_size: tuple[int, int] | None = None,
    **options,
) -> Simulator:
    """
    Start a simulator; `options` go to the backend's class.

    scene: '' for the rooms that are generated from a seed, with every backend. Habitat also takes
    one or more scenes, separated by commas: files, or names in the scene_dataset; 'all' for every
    scene of it. scene_dataset: a *.scene_dataset_config.json. See docs/habitat.md.
    randomization: domain randomisation, or a file that describes it; then the result is a
    `RandomizedSimulator`. See docs/randomization.md. max_image_size: (width, height) of the
    largest picture that will be asked for, for backends that have to know beforehand.

    Raises ValueError for a backend that does not exist, BackendUnavailableError for one that is
    not installed, SceneError for scenes that the backend cannot load, RandomizationError for a
    file that cannot be used, and RenderingUnavailableError where nothing can be drawn.
    """
    if backend not in BACKENDS:
        raise ValueError(f'no simulator backend "{backend}"; there are: {", ".join(BACKENDS)}')
    if isinstance(randomization, (str, Path)):
        randomization = load_randomization(randomization)
    if backend == 'mujoco' and max_image_size is not None:
        options['max_image_size'] = max_image_size
    sim = _start(backend, scene, scene_dataset, options)
    return sim if randomization is None else RandomizedSimulator(sim, randomization)


def _start(backend: str, scene: str, scene_dataset: str, options: dict) -> Simulator:
    # Imported late: describing cameras and objects must not need a graphics library.
    if backend == 'habitat':
        if scene or scene_dataset:
            from ipt_sim.habitat_backend import HabitatSimulator

            return HabitatSimulator(scene, scene_dataset, **options)
        from ipt_sim.habitat_rooms import HabitatRooms

        return HabitatRooms(**options)
    if scene or scene_dataset:
        raise SceneError(
            f'the {backend} backend knows only the rooms that it generates from a seed, not '
            f'"{scene or scene_dataset}": use backend habitat, or leave the scene empty'
        )
    from ipt_sim.mujoco_backend import MujocoSimulator

    return MujocoSimulator(**options)
