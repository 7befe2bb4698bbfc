# SPDX-License-Identifier: Apache-2.0
"""From scenes of a simulator to examples."""

from collections import Counter

from ipt_ros.spatial import Example
from ipt_sim.protocol import Simulator
from ipt_training.examples.counting import counting_example
from ipt_training.examples.options import ExampleOptions
from ipt_training.examples.perspective import perspective_example
from ipt_training.examples.scene import Scene
import numpy as np

# Examples 0 and 1 draw on scenes S to S + 3, examples 2 and 3 on S + 4 to S + 7 and so on. A reset
# costs about as much as a view, so examples share scenes, and a scene that does not suit is left.
EXAMPLES_PER_BLOCK = 2
SCENES_PER_BLOCK = 4
# Evaluation scenes start here; training stays below.
EVALUATION_SEED = 1_000_000

GENERATED_TASKS = ('pet', 'mvc')


def generate_example(
    task: str,
    sim: Simulator,
    seed: int,
    rng: np.random.Generator,
    goal: int = 0,
    options: ExampleOptions | None = None,
    rejections: Counter | None = None,
) -> Example | None:
    """Make an example in the scene of ``seed``, or None with the reasons counted."""
    return _generate(task, Scene(sim, seed), rng, goal, options, rejections)


class ExampleSource:
    """
    The endless row of examples of a task and a seed.

    Example ``i`` of seed ``S`` depends on (S, i) only, whatever was generated before it, and lives
    in one of the scenes ``scene_seeds(S, i)``.
    """

    def __init__(self, sim: Simulator, seed: int, options: ExampleOptions | None = None):
        """Generate with ``sim``, whose scene is replaced as needed."""
        self.rejections: Counter = Counter()
        self._sim = sim
        self._seed = seed
        self._options = options
        self._scene: Scene | None = None

    def make(self, task: str, index: int) -> Example | None:
        """Return example ``index`` of a task, or None where none of its scenes has one."""
        seeds = scene_seeds(self._seed, index)
        for seed in seeds:
            if self._scene is None or self._scene.seed != seed:
                self._scene = Scene(self._sim, seed)
            rng = np.random.default_rng([self._seed, index, seed, GENERATED_TASKS.index(task)])
            example = _generate(
                task, self._scene, rng, index, self._options, self.rejections,
                exact=seed != seeds[-1])
            if example is not None:
                example.metadata['index'] = index
                return example
        self.rejections[f'{task}: GAVE UP'] += 1
        return None


def scene_seeds(seed: int, index: int) -> range:
    """Return the seeds of the scenes that example ``index`` of a data set may live in."""
    first = seed + index // EXAMPLES_PER_BLOCK * SCENES_PER_BLOCK
    return range(first, first + SCENES_PER_BLOCK)


def _generate(task, scene, rng, goal, options, rejections, exact=False) -> Example | None:
    options = options or ExampleOptions()
    rejections = Counter() if rejections is None else rejections
    if task == 'pet':
        return perspective_example(scene, rng, goal, options, rejections)
    if task == 'mvc':
        return counting_example(scene, rng, goal, options, rejections, exact)
    raise ValueError(f"cannot generate task '{task}'; expected one of {GENERATED_TASKS}")


__all__ = [
    'EVALUATION_SEED',
    'GENERATED_TASKS',
    'ExampleOptions',
    'ExampleSource',
    'generate_example',
    'scene_seeds',
]
