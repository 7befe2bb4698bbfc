# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""From a plan to pieces of work, and from what they left to numbers."""

from pathlib import Path

from ipt_training.evaluation.errors import EvaluationError
from ipt_training.experiment.pieces import Piece
from ipt_training.experiment.runs import asking, CHECKPOINT, run_recipe, training
from ipt_training.experiment.scores import BySeed, compare, images, read_records, score
from ipt_training.experiment.states import shown, state_of
from ipt_training.experiment.words import adjusted
from ipt_training.sim_to_real.data import mixture_folder, world_folder
from ipt_training.sim_to_real.plan import Plan, training_settings

START = 'start'  # the checkpoint that all mixtures go on from


def pieces_of(plan: Plan, device: str = 'cpu') -> dict[str, list[Piece]]:
    """
    Return the pieces of every run by its name: the training, if any, then the asking by world.

    Those of the first seed come first, so that all mixtures are soon there.
    """
    start, settings = Path(plan.start), training_settings(plan)
    found = {START: _asking(plan, Path(plan.work_dir, 'runs', START), start, ())}
    for seed in plan.seeds:
        for name in plan.mixtures:
            folder = Path(plan.work_dir, 'runs', f'{name}-{seed}')
            recipe = run_recipe(folder, *settings, seed, start, [mixture_folder(plan, name)])
            trained = training(folder, recipe, device)
            found[folder.name] = [
                trained, *_asking(plan, folder, folder / CHECKPOINT, (trained.name,))]
    return found


def _asking(plan: Plan, folder: Path, checkpoint: Path, needs: tuple[str, ...]) -> list[Piece]:
    return [asking(folder, plan.asking.plan(
        checkpoint, plan.tasks, world_folder(plan, world), mixture_folder(plan, plan.first)),
        needs, f'evaluate-{world}', world) for world in plan.worlds]


def collect(plan: Plan) -> dict:
    """
    Return what is known by now, as plain JSON values.

    ``scores``, ``images``: {world: {task: {asked: {mixture: `score`, `images`}}}}; ``against``:
    comparisons of every mixture with the first, with p and p_holm, by world.
    """
    runs = pieces_of(plan)
    scores: dict = {}
    pictures: dict = {}
    against: dict = {}
    for world in plan.worlds:
        rows = []
        for task in plan.tasks:
            for way in plan.asking.modes:
                cells = _cells(plan, world, task, way)
                for name, by_seed in cells.items():
                    _put(scores, (world, task, way, name), score, by_seed)
                    if way == 'imagine':
                        _put(pictures, (world, task, name), images, by_seed)
                rows += [{'task': task, 'asked': way, 'first': plan.first, 'second': name,
                          **compare(cells[plan.first], by_seed)}
                         for name, by_seed in cells.items()
                         if plan.first in cells and name != plan.first]
        against[world] = adjusted(rows)
    return {
        'start': shown(plan.start),
        'steps': plan.training['steps'],
        'examples': plan.examples,
        'tasks': list(plan.tasks),
        'mixtures': {name: dict(shares) for name, shares in plan.mixtures.items()},
        'worlds': dict(plan.worlds),
        'questions': plan.asking.n,
        'seed': plan.asking.seed,
        'seeds': list(plan.seeds),
        'runs': {name: state_of(*_split(pieces)) for name, pieces in runs.items()},
        'scores': scores,
        'images': pictures,
        'against': against,
    }


def _split(pieces: list[Piece]) -> tuple[Piece | None, list[Piece]]:
    """Return the training, None for a run that has none, and the asking."""
    return (pieces[0], pieces[1:]) if pieces[0].step == 'train' else (None, pieces)


def _cells(plan: Plan, world: str, task: str, way: str) -> dict[str, BySeed]:
    """Return the records of each mixture, and of the start, by seed."""
    cells: dict = {}
    runs = [(START, 0, START), *((name, seed, f'{name}-{seed}') for name in plan.mixtures
                                 for seed in plan.seeds)]
    for name, seed, run in runs:
        records = read_records(Path(plan.work_dir, 'runs', run, world), task, way, plan.asking.n)
        if records:
            cells.setdefault(name, {})[seed] = records
    return cells


def _put(tree: dict, path: tuple[str, ...], measure, by_seed: BySeed) -> None:
    """Put a measure into a tree of dictionaries, where there is something to measure."""
    try:
        found = measure(by_seed)
    except EvaluationError:
        return
    if found:
        for name in path[:-1]:
            tree = tree.setdefault(name, {})
        tree[path[-1]] = found
