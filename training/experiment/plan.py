# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""From the recipe to data sets and pieces: what is trained on what, and asked what."""

from collections.abc import Iterator
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path

from ipt_training.datasets.build import build
from ipt_training.datasets.build import Plan as DatasetPlan
from ipt_training.datasets.simulated import SimulatedScenes, unit_size
from ipt_training.experiment.pieces import Piece
from ipt_training.experiment.recipe import ExperimentRecipe
from ipt_training.experiment.runs import asking, CHECKPOINT, run_recipe, training
from ipt_training.store import shard_paths, split_of_shard, StoreError

BASE = 'base'
_ALL = {'train': 1.0}  # scenes of evaluation are of the split 'test' in any case


@dataclass(frozen=True)
class Run:
    """A checkpoint that is asked: one trained in ``mode`` with ``seed``, or the base."""

    mode: str
    seed: int
    folder: Path


def runs_of(recipe: ExperimentRecipe) -> Iterator[Run]:
    """Return all runs; those of the first seed come first, so that all modes are soon there."""
    work = Path(recipe.work_dir)
    if recipe.base:
        yield Run(BASE, 0, work / BASE)
    for seed in recipe.seeds:
        for mode in recipe.modes:
            yield Run(mode, seed, work / f'{mode}-{seed}')


def data_folder(recipe: ExperimentRecipe) -> Path:
    """Return where the training data are, or will be."""
    return Path(recipe.data.folder or Path(recipe.work_dir, 'data'))


def questions_folder(recipe: ExperimentRecipe) -> Path:
    """Return where the questions are, or will be."""
    return Path(recipe.work_dir, 'questions')


def make_data(recipe: ExperimentRecipe, workers: int, pool: Executor | None = None) -> None:
    """
    Build what is not there yet: training data, and the questions.

    The questions are those of ``ipt evaluate --n N --seed SEED``. Raises StoreError.
    """
    if not recipe.data.folder:
        simulate(data_folder(recipe), recipe.tasks, recipe.data.examples, recipe.data.seed,
                 workers, pool)
    for task in recipe.tasks:
        training_shards(data_folder(recipe), task)
    simulate(questions_folder(recipe), recipe.tasks, recipe.asking.n * len(recipe.tasks),
             recipe.asking.seed, workers, pool)


def simulate(out: Path, tasks: tuple[str, ...], number: int, seed: int, workers: int,
             pool: Executor | None = None, **how) -> None:
    """Build examples of simulated scenes from ``seed`` on. Raises StoreError for too few."""
    source = SimulatedScenes(tasks, seed, unit=unit_size(number, len(tasks)), **how)
    card = build(DatasetPlan(tasks, number, source, _ALL), out, workers, pool=pool)
    if card['problems']:
        raise StoreError(f"'{out}' is not what was asked for: {'; '.join(card['problems'])}")


def training_shards(folder: Path, task: str) -> list[Path]:
    """Return the training files of a task. Raises StoreError for none."""
    return [path for path in shard_paths(folder, task, 'train')
            if split_of_shard(path) in ('train', '')]


def pieces_of(recipe: ExperimentRecipe, device: str = 'cpu') -> list[Piece]:
    """
    Return all pieces in the order in which they are best done.

    What was trained is asked before more is trained: the page has something to show early.
    """
    trained, asked = [], []
    data, start = data_folder(recipe), Path(recipe.start)
    for run in runs_of(recipe):
        needs, checkpoint = (), start
        if run.mode != BASE:
            settings = run_recipe(run.folder, recipe.training, run.mode, run.seed, start,
                                  [data / task for task in recipe.tasks])
            trained.append(training(run.folder, settings, device))
            needs, checkpoint = (trained[-1].name,), run.folder / CHECKPOINT
        asked.append(asking(run.folder, recipe.asking.plan(
            checkpoint, recipe.tasks, questions_folder(recipe), data), needs))
    return [*asked, *trained]
