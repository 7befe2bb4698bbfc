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

# Examples of one task that share a scene: a reset costs about as much as a few views.
EXAMPLES_PER_SCENE = 2
# Evaluation scenes start here; training stays below.
EVALUATION_SEED = 1_000_000

_GENERATORS = {'pet': perspective_example, 'mvc': counting_example}
GENERATED_TASKS = tuple(_GENERATORS)


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
    in the scene of seed ``S + i // EXAMPLES_PER_SCENE``.
    """

    def __init__(self, sim: Simulator, seed: int, options: ExampleOptions | None = None):
        """Generate with ``sim``, whose scene is replaced as needed."""
        self.rejections: Counter = Counter()
        self._sim = sim
        self._seed = seed
        self._options = options
        self._scene: Scene | None = None

    def make(self, task: str, index: int) -> Example | None:
        """Return example ``index`` of a task, or None where its scene has none."""
        scene_seed = self._seed + index // EXAMPLES_PER_SCENE
        if self._scene is None or self._scene.seed != scene_seed:
            self._scene = Scene(self._sim, scene_seed)
        rng = np.random.default_rng([self._seed, index, GENERATED_TASKS.index(task)])
        example = _generate(task, self._scene, rng, index, self._options, self.rejections)
        if example is not None:
            example.metadata['index'] = index
        return example


def _generate(task, scene, rng, goal, options, rejections) -> Example | None:
    if task not in _GENERATORS:
        raise ValueError(f"cannot generate task '{task}'; expected one of {GENERATED_TASKS}")
    return _GENERATORS[task](
        scene, rng, goal, options or ExampleOptions(),
        Counter() if rejections is None else rejections)


__all__ = [
    'EVALUATION_SEED',
    'EXAMPLES_PER_SCENE',
    'GENERATED_TASKS',
    'ExampleOptions',
    'ExampleSource',
    'generate_example',
]
