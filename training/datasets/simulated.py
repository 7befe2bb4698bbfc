# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""Examples from a simulator's scenes."""

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field

from ipt_sim import (
    EmptyFrameError,
    make_simulator,
    NotNavigableError,
    Randomization,
    RandomizedSimulator,
    SceneError,
)
from ipt_sim.habitat_scenes import find_scenes, require_annotated
from ipt_training.datasets.units import Made, Unit
from ipt_training.examples import EVALUATION_SEED, ExampleOptions, ExampleSource, scene_seeds

_LARGEST_UNIT = 40  # examples: what a kill may cost, and what a simulator's start is spread over


def unit_size(number: int, tasks: int) -> int:
    """Return how many examples a unit should try for, so that a few do not cost a whole unit."""
    return max(1, min(_LARGEST_UNIT, number // (8 * tasks)))


def largest_picture(options: ExampleOptions) -> int:
    """Return the side in pixels of the largest picture that is drawn."""
    sides = [value for name, value in asdict(options).items() if name.endswith('_pixels')]
    return options.supersample * max(sides)


@dataclass(frozen=True)
class SimulatedScenes:
    """
    The scenes of a simulator from ``seed`` on; each task is a stream of its own.

    ``unit`` is how many examples a unit tries for, see `unit_size`. ``scene`` and
    ``scene_dataset`` go to `make_simulator`.
    """

    tasks: tuple[str, ...]
    seed: int = 0
    backend: str = 'mujoco'
    scene: str = ''
    scene_dataset: str = ''
    randomization: Randomization | None = None
    options: ExampleOptions = field(default_factory=ExampleOptions)
    unit: int = _LARGEST_UNIT

    def streams(self) -> dict[str, Iterator[Unit]]:
        """Return the units of each task; they end where the evaluation scenes begin."""
        return {task: self._units(task) for task in self.tasks}

    def _units(self, task: str) -> Iterator[Unit]:
        number = 0
        while not self.seed < EVALUATION_SEED <= scene_seeds(
                self.seed, (number + 1) * self.unit - 1)[-1]:
            start = number * self.unit
            yield Unit(task, number, {'start': start, 'stop': start + self.unit})
            number += 1

    def describe(self) -> dict:
        """Return what decides the examples, as JSON values."""
        return {
            'kind': 'simulator',
            'backend': self.backend,
            'scene': self.scene,
            'scene_dataset': self.scene_dataset,
            'seed': self.seed,
            'unit': self.unit,
            'randomization': asdict(self.randomization) if self.randomization else None,
            'options': asdict(self.options),
        }

    def open(self) -> Callable[[Unit], Made]:
        """
        Start a simulator.

        Raises SimulatorError where that is not possible, or no scene says what its objects are.
        """
        if self.backend == 'habitat' and self.scene:
            require_annotated(find_scenes(self.scene, self.scene_dataset))
        side = 2 * largest_picture(self.options)  # randomised cameras draw more than they show
        sim = make_simulator(
            self.backend, scene=self.scene, scene_dataset=self.scene_dataset,
            max_image_size=(side, side))
        seen = sim if self.randomization is None else RandomizedSimulator(sim, self.randomization)
        source = ExampleSource(seen, self.seed, self.options)

        def make(unit: Unit) -> Made:
            source.rejections.clear()
            made = Made([])
            for index in range(unit.work['start'], unit.work['stop']):
                made.attempts += 1
                try:
                    examples = source.make_variants(unit.stream, index)
                    if self.scene:  # many seeds show one and the same scene
                        for example in examples:
                            example.metadata['scene_name'] = sim.scene_name
                    made.examples += examples
                except (EmptyFrameError, NotNavigableError, SceneError) as error:
                    # One scene that cannot be used, for want of a place to stand for instance.
                    source.rejections[f'{unit.stream}: scene refused, {error}'] += 1
            made.turned_down = source.rejections.copy()
            return made

        return make
