# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""From scenes of a simulator to examples."""

from collections import Counter
from collections.abc import Iterator

from ipt_ros.spatial import Example
from ipt_sim.protocol import Simulator
from ipt_training.examples.counting import counting_example, counts_in, wanted_counts
from ipt_training.examples.options import ExampleOptions
from ipt_training.examples.path_tracing import path_tracing_example
from ipt_training.examples.perspective import perspective_examples
from ipt_training.examples.scene import Scene
from ipt_training.verification import keep_fair
import numpy as np

# Examples 0 and 1 draw on scenes S to S + 3, examples 2 and 3 on S + 4 to S + 7 and so on. A reset
# costs about as much as a view, so examples share scenes, and a scene that does not suit is left.
EXAMPLES_PER_BLOCK = 2
SCENES_PER_BLOCK = 4
# Evaluation scenes start here; training stays below.
EVALUATION_SEED = 1_000_000

GENERATED_TASKS = ('pet', 'mvc', 'pt')


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
    options = options or ExampleOptions()
    rejections = Counter() if rejections is None else rejections
    scene = Scene(sim, seed)
    wishes = wanted_counts(goal, rng) if task == 'mvc' else [None]
    for wish in wishes:
        made = _generate(task, scene, rng, goal, options, rejections, wish)
        if made:
            return made[0]
    return None


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
        self._options = options or ExampleOptions()
        self._scene: Scene | None = None
        self._counts: dict[int, set[int]] = {}  # scenes of the current block

    def make(self, task: str, index: int) -> Example | None:
        """Return example ``index`` of a task, or None where none of its scenes has one."""
        return next(iter(self.make_variants(task, index)), None)

    def make_variants(self, task: str, index: int) -> list[Example]:
        """
        Return example ``index`` of a task in all its variants.

        More than one only where ``options.pet_variants`` asks for it; none where no scene has one.
        """
        for seed, wish in self._attempts(task, index):
            key = [self._seed, index, seed, GENERATED_TASKS.index(task)]
            rng = np.random.default_rng(key if wish is None else [*key, wish])
            made = _generate(
                task, self._at(seed), rng, index, self._options, self.rejections, wish)
            if self._options.verified:
                made = [keep_fair(example, self.rejections) for example in made]
            if made and None not in made:
                for example in made:
                    example.metadata['index'] = index
                return made
        self.rejections[f'{task}: GAVE UP'] += 1
        return []

    def _attempts(self, task: str, index: int) -> Iterator[tuple[int, int | None]]:
        """Yield scenes to try with, for counting, the answer to look for there."""
        seeds = scene_seeds(self._seed, index)
        if task != 'mvc':
            yield from ((seed, None) for seed in seeds)
            return
        if list(self._counts) != list(seeds):
            self._counts = {seed: counts_in(self._at(seed)) for seed in seeds}
        rng = np.random.default_rng([self._seed, index, GENERATED_TASKS.index(task)])
        for wanted in wanted_counts(index, rng):
            fitting = [seed for seed in seeds if wanted in self._counts[seed]]
            if not fitting:
                self.rejections[f'mvc: no scene of the block has {wanted} of a kind'] += 1
            # Of a whole house with more of a kind, what is seen from one place may be as many.
            fitting += [seed for seed in seeds if seed not in fitting
                        and max(self._counts[seed], default=0) > wanted]
            yield from ((seed, wanted) for seed in fitting)

    def _at(self, seed: int) -> Scene:
        if self._scene is None or self._scene.seed != seed:
            self._scene = Scene(self._sim, seed)
        return self._scene


def scene_seeds(seed: int, index: int) -> range:
    """Return the seeds of the scenes that example ``index`` of a data set may live in."""
    first = seed + index // EXAMPLES_PER_BLOCK * SCENES_PER_BLOCK
    return range(first, first + SCENES_PER_BLOCK)


def _generate(task, scene, rng, goal, options, rejections, wish) -> list[Example]:
    """Return the variants of one example in a scene; ``wish`` is the count to ask for."""
    if task == 'pet':
        return perspective_examples(scene, rng, goal, options, rejections)
    if task == 'mvc':
        example = counting_example(scene, rng, goal, options, rejections, wish)
        return [] if example is None else [example]
    if task == 'pt':
        example = path_tracing_example(scene, rng, goal, options, rejections)
        return [] if example is None else [example]
    raise ValueError(f"cannot generate task '{task}'; expected one of {GENERATED_TASKS}")


__all__ = [
    'EVALUATION_SEED',
    'GENERATED_TASKS',
    'ExampleOptions',
    'ExampleSource',
    'generate_example',
    'scene_seeds',
]
