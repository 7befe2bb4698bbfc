# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""The data of a plan: ingredients, what is mixed of them, and held-out scenes in each world."""

from collections import Counter
from concurrent.futures import Executor
from glob import glob
import math
from pathlib import Path
import sys

from ipt_ros.paths import config_file
from ipt_sim import load_randomization, Randomization
from ipt_training.datasets.build import build
from ipt_training.datasets.build import Plan as DatasetPlan
from ipt_training.datasets.reading import list_shards
from ipt_training.datasets.recorded import bags_from, RecordedBags
from ipt_training.experiment.errors import ExperimentError
from ipt_training.experiment.plan import simulate
from ipt_training.mixtures import mix, Part
from ipt_training.sim_to_real.plan import Ingredient, Plan

_ALL = {'train': 1.0}  # the plan itself keeps training and evaluation scenes apart


def mixture_folder(plan: Plan, name: str) -> Path:
    """Return where a mixture is, or will be."""
    return Path(plan.work_dir, 'mixtures', name)


def world_folder(plan: Plan, name: str) -> Path:
    """Return where the held-out questions are, as a world shows them."""
    return Path(plan.work_dir, 'held_out', name)


def make_data(plan: Plan, workers: int, pool: Executor | None = None) -> None:
    """
    Build ingredients, mixtures and held-out examples that are not there yet.

    Raises StoreError, ExperimentError for recordings that are not there, and what is wrong with a
    randomisation.
    """
    # Recordings first: if there are none, it is better said before simulating for an hour.
    needed = [name for name in plan.ingredients
              if any(shares.get(name, 0) for shares in plan.mixtures.values())]
    for name in sorted(needed, key=lambda name: not plan.ingredients[name].bags):
        _make_ingredient(plan, name, workers, pool)
    for name, shares in plan.mixtures.items():
        mix([Part(ingredient, _ingredient_folder(plan, ingredient), share)
             for ingredient, share in shares.items()],
            plan.tasks, plan.examples, 0, mixture_folder(plan, name))
    for world, randomization in plan.worlds.items():
        simulate(world_folder(plan, world), plan.tasks, plan.asking.n * len(plan.tasks),
                 plan.asking.seed, workers, pool, randomization=_loaded(randomization))


def _make_ingredient(plan: Plan, name: str, workers: int, pool: Executor | None) -> None:
    ingredient, out = plan.ingredients[name], _ingredient_folder(plan, name)
    if ingredient.bags:
        source = RecordedBags(plan.tasks, bags_from(_found(ingredient)), ingredient.seed)
        card = build(DatasetPlan(plan.tasks, None, source, _ALL), out, workers, pool=pool)
        for problem in card['problems']:  # one bad bag of many is no reason to stop
            print(f'{name}: {problem}', file=sys.stderr)
        _check_enough(plan, name, out)
        return
    simulate(out, plan.tasks, _quota(plan, name) * len(plan.tasks), ingredient.seed, workers, pool,
             randomization=_loaded(ingredient.randomization))


def _quota(plan: Plan, name: str) -> int:
    """Return how many examples of each task the mixtures take of an ingredient at most."""
    share = max(shares.get(name, 0.0) for shares in plan.mixtures.values())
    return math.ceil(share * plan.examples / len(plan.tasks))


def _check_enough(plan: Plan, name: str, folder: Path) -> None:
    """Raise ExperimentError where recordings gave too few examples of a task."""
    found = Counter()
    for shard in list_shards(folder):
        found[shard.task] += shard.length
    for task in plan.tasks:
        if found[task] < _quota(plan, name):
            raise ExperimentError(
                f"the recordings of '{name}' gave {found[task]} examples of task '{task}', and "
                f'the mixtures take {_quota(plan, name)}; record more and delete {folder}, or '
                'lower examples or the share')


def _found(ingredient: Ingredient) -> list[str]:
    found = sorted({path for pattern in ingredient.bags for path in glob(pattern)})
    if not found:
        raise ExperimentError(
            f'no recording matches {", ".join(ingredient.bags)}; record some (ipt collect), or '
            'leave out the mixtures that need them (--mixtures)')
    return found


def _loaded(name: str) -> Randomization | None:
    return load_randomization(config_file(name)) if name else None


def _ingredient_folder(plan: Plan, name: str) -> Path:
    return Path(plan.work_dir, 'ingredients', name)
