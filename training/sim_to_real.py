# SPDX-License-Identifier: Apache-2.0
"""
What each kind of training data brings in a world that was never trained on.

``python -m ipt_training.sim_to_real`` builds the ingredients of a plan (simulation, randomised
simulation, recordings), trains one checkpoint for each mixture of them and seed, asks all of them
the same questions in held-out scenes, and compares each mixture with the first, question by
question. The plan: recipes/sim_to_real.yaml.
"""

import argparse
from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field, fields, replace
from glob import glob
from pathlib import Path
import sys
from typing import Any

from ipt_ros.bagel import BagelError
from ipt_ros.paths import config_file, MissingFileError
from ipt_ros.spatial.errors import SpatialError
from ipt_sim import load_randomization, RandomizationError, SimulatorError
from ipt_training.datasets.build import build
from ipt_training.datasets.build import Plan as DatasetPlan
from ipt_training.datasets.recorded import bags_from, RecordedBags
from ipt_training.datasets.simulated import SimulatedScenes
from ipt_training.evaluation.records import RecordFolder, right
from ipt_training.evaluation.run import evaluate
from ipt_training.evaluation.run import Plan as EvaluationPlan
from ipt_training.evaluation.statistics import bootstrap_interval
from ipt_training.evaluation.tables import number_range, share, text_table
from ipt_training.examples import EVALUATION_SEED
from ipt_training.mixtures import mix, Part
from ipt_training.nano import Build
from ipt_training.recipe import load_recipe, recipe_file, RecipeError, RECIPES
from ipt_training.store import StoreError, write_json
import numpy as np
import yaml

STAGES = ('data', 'train', 'evaluate')
RESULT = 'sim_to_real.json'
_ALL = {'train': 1.0}  # the plan itself keeps training and evaluation scenes apart
_UNIT = 40  # examples that a process makes in one go
_SPARE = 1.1  # some questions may not be usable; make a tenth more


class PlanError(ValueError):
    """A plan that cannot be followed; the message names file and field."""


@dataclass(frozen=True)
class Ingredient:
    """Simulated scenes from ``seed`` on, randomised by a file where one is named; or bags."""

    seed: int = 0
    randomization: str = ''
    bags: tuple[str, ...] = ()


@dataclass(frozen=True)
class Evaluation:
    """Held-out scenes, and the worlds (randomisation files, '' for none) that show them."""

    worlds: dict[str, str]
    seed: int = EVALUATION_SEED
    n: int = 500
    modes: tuple[str, ...] = ('answer', 'imagine')


@dataclass(frozen=True)
class Plan:
    """What to mix, train and ask; recipes/sim_to_real.yaml explains the fields."""

    work_dir: Path
    recipe: str
    start: Path
    steps: int
    samples: dict[str, int]
    tasks: tuple[str, ...]
    examples: int
    ingredients: dict[str, Ingredient]
    mixtures: dict[str, dict[str, float]]
    evaluation: Evaluation
    seeds: tuple[int, ...] = (0,)
    workers: int = 1
    weights: dict[str, float] = field(default_factory=dict)
    frozen: tuple[str, ...] = ()


def load_plan(path: Path) -> Plan:
    """Read a plan. Raises PlanError: no file, bad YAML, unknown or missing fields, odd values."""
    try:
        values = yaml.safe_load(path.read_text(encoding='utf-8'))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise PlanError(f'{path}: cannot be read: {error}') from error
    try:
        values = dict(values)
        values['ingredients'] = {
            name: _filled(Ingredient, given, f'ingredients.{name}')
            for name, given in values['ingredients'].items()}
        values['evaluation'] = _filled(Evaluation, values['evaluation'], 'evaluation')
        plan = _filled(Plan, values, 'the plan')
        plan = replace(plan, work_dir=Path(plan.work_dir), start=Path(plan.start))
        _check(plan)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise PlanError(f'{path}: {error}') from error
    return plan


def _filled(kind: type, values: Any, where: str) -> Any:
    if not isinstance(values, dict):
        raise PlanError(f'{where}: expected names and values, got {values!r}')
    table = {item.name: item for item in fields(kind)}
    if unknown := sorted(set(values) - set(table)):
        raise PlanError(f"{where}: unknown {', '.join(unknown)}; there are: {', '.join(table)}")
    values = {name: tuple(value) if isinstance(value, list) else value
              for name, value in values.items()}
    try:
        return kind(**values)
    except TypeError as error:  # a field that has no default is missing
        raise PlanError(f'{where}: {error}') from error


def _check(plan: Plan) -> None:
    for name, value in (('steps', plan.steps), ('examples', plan.examples),
                        ('workers', plan.workers), ('evaluation.n', plan.evaluation.n)):
        if not isinstance(value, int) or value < 1:
            raise PlanError(f'{name}: expected a whole number above 0, got {value!r}')
    for mixture, shares in plan.mixtures.items():
        if unknown := sorted(set(shares) - set(plan.ingredients)):
            raise PlanError(f'mixtures.{mixture}: no ingredient is called {", ".join(unknown)}')
        if abs(sum(shares.values()) - 1.0) > 1e-6:
            raise PlanError(f'mixtures.{mixture}: the shares add up to {sum(shares.values()):g}, '
                            'not to 1')
    for name, ingredient in plan.ingredients.items():
        if ingredient.seed >= EVALUATION_SEED:
            raise PlanError(f'ingredients.{name}: seed {ingredient.seed} is one of evaluation; '
                            f'stay below {EVALUATION_SEED}')
    if plan.evaluation.seed < EVALUATION_SEED:
        raise PlanError(f'evaluation.seed: {plan.evaluation.seed} is one of training; evaluation '
                        f'starts at {EVALUATION_SEED}')
    if not plan.mixtures or not plan.evaluation.worlds or not plan.seeds:
        raise PlanError('mixtures, seeds and evaluation.worlds must not be empty')


class Experiment:
    """A plan under way; every result is a folder below ``work_dir`` and is made once."""

    def __init__(
        self, plan: Plan, mixtures: Sequence[str] = (), pool: Executor | None = None,
    ):
        """
        Take only the named mixtures of a plan; none named: all.

        ``pool`` builds data in place of processes of our own. Raises PlanError.
        """
        if unknown := sorted(set(mixtures) - set(plan.mixtures)):
            raise PlanError(f"no mixture is called {', '.join(unknown)}; there are: "
                            f"{', '.join(plan.mixtures)}")
        self.plan = plan
        self._pool = pool
        self.mixtures = {name: shares for name, shares in plan.mixtures.items()
                         if not mixtures or name in mixtures}

    def make_data(self) -> None:
        """Build the ingredients, the mixtures and the held-out examples."""
        plan = self.plan
        needed = {name: max(shares.get(name, 0.0) for shares in self.mixtures.values())
                  for name in plan.ingredients}
        for name, largest in needed.items():
            if largest > 0:
                number = _whole(largest * plan.examples * _SPARE, len(plan.tasks))
                self._build(self._ingredients / name, plan.ingredients[name], number)
        for name, shares in self.mixtures.items():
            mix([Part(ingredient, self._ingredients / ingredient, part)
                 for ingredient, part in shares.items()],
                plan.tasks, plan.examples, 0, self._mixture(name))
        number = _whole(plan.evaluation.n * len(plan.tasks) * _SPARE, len(plan.tasks))
        for world, randomization in plan.evaluation.worlds.items():
            made = self.plan.work_dir / 'held_out' / f'{world}-built'
            self._build(made, Ingredient(plan.evaluation.seed, randomization), number)
            mix([Part(world, made, split='test')], plan.tasks,
                plan.evaluation.n * len(plan.tasks), 0, self._world(world))

    def make_train(self) -> None:
        """Train every mixture with every seed."""
        base = load_recipe(recipe_file(self.plan.recipe))
        # The recipe's own weights where it has them; kinds of samples that it lacks count 1.
        weights = {kind: self.plan.weights.get(kind, base.mixed.weights.get(kind, 1.0))
                   for kind in self.plan.samples}
        for name in self.mixtures:
            for seed in self.plan.seeds:
                checkpoint = self._checkpoint(name, seed)
                if (checkpoint / 'ema.safetensors').exists():
                    continue
                recipe = replace(
                    base, name=f'{name}, seed {seed}', seed=seed, checkpoint=checkpoint,
                    work_dir=checkpoint.parent / 'work',
                    data=replace(base.data, tasks=self.plan.tasks),
                    mixed=replace(base.mixed, steps=self.plan.steps, samples=self.plan.samples,
                                  weights=weights, frozen=self.plan.frozen))
                recipe.work_dir.mkdir(parents=True, exist_ok=True)
                Build(recipe, self._mixture(name), self.plan.start).run(['mixed'])

    def make_evaluate(self) -> None:
        """Ask every checkpoint, and the one that all started from, the questions of each world."""
        for world in self.plan.evaluation.worlds:
            for out, checkpoint in self._runs(world):
                evaluate(EvaluationPlan(
                    checkpoint=str(checkpoint), tasks=self.plan.tasks,
                    modes=self.plan.evaluation.modes, n=self.plan.evaluation.n,
                    seed=self.plan.evaluation.seed, data=self._world(world),
                    reference=self._mixture(next(iter(self.mixtures))),
                    workers=self.plan.workers), out)

    def report(self) -> dict:
        """
        Return what came out: {world: {task mode: {mixture: figures}}}.

        Figures: ``accuracy`` over all questions and seeds, and but for the first mixture
        ``difference`` to it with ``ci95``, a bootstrap interval over questions (a question's score
        is the mean of its seeds). 'start' is the checkpoint that all mixtures went on from.
        """
        rows: dict = {}
        for world in self.plan.evaluation.worlds:
            for task in self.plan.tasks:
                for mode in self.plan.evaluation.modes:
                    rows.setdefault(world, {})[f'{task} {mode}'] = self._row(world, task, mode)
        return rows

    def _row(self, world: str, task: str, mode: str) -> dict:
        scores = {'start': self._scores(self._start_run(world), task, mode)}
        for name in self.mixtures:
            by_seed = [self._scores(self._run(world, name, seed), task, mode)
                       for seed in self.plan.seeds]
            scores[name] = {key: float(np.mean([found[key] for found in by_seed]))
                            for key in by_seed[0]}
        first = next(iter(self.mixtures))
        row = {}
        for name, found in scores.items():
            row[name] = {'n': len(found), 'accuracy': float(np.mean(list(found.values())))}
            if name != first:
                gains = [found[key] - scores[first][key] for key in scores[first]]
                row[name] |= {'difference': float(np.mean(gains)),
                              'ci95': list(bootstrap_interval([gains]))}
        return row

    def _scores(self, out: Path, task: str, mode: str) -> dict[str, float]:
        records = RecordFolder.of(out).read(task, mode)
        return dict(zip(records, map(float, right(records.values()))))

    def _build(self, out: Path, ingredient: Ingredient, number: int) -> None:
        plan = self.plan
        if ingredient.bags:
            found = sorted({path for pattern in ingredient.bags for path in glob(pattern)})
            if not found:
                raise PlanError(
                    f'no recording matches {", ".join(ingredient.bags)}; record some, or leave '
                    'out the mixtures that need them (--mixtures)')
            source, wanted = RecordedBags(plan.tasks, bags_from(found), ingredient.seed), None
        else:
            randomization = None
            if ingredient.randomization:
                randomization = load_randomization(config_file(ingredient.randomization))
            source, wanted = SimulatedScenes(
                plan.tasks, ingredient.seed, randomization=randomization,
                unit=min(_UNIT, number // len(plan.tasks))), number
        card = build(
            DatasetPlan(plan.tasks, wanted, source, _ALL), out, plan.workers, pool=self._pool)
        for problem in card['problems']:
            print(f'{out.name}: {problem}', file=sys.stderr)

    @property
    def _ingredients(self) -> Path:
        return self.plan.work_dir / 'ingredients'

    def _mixture(self, name: str) -> Path:
        return self.plan.work_dir / 'mixtures' / name

    def _world(self, name: str) -> Path:
        return self.plan.work_dir / 'held_out' / name

    def _checkpoint(self, name: str, seed: int) -> Path:
        return self.plan.work_dir / 'trained' / f'{name}-{seed}' / 'checkpoint'

    def _run(self, world: str, name: str, seed: int) -> Path:
        return self.plan.work_dir / 'evaluated' / world / f'{name}-{seed}'

    def _start_run(self, world: str) -> Path:
        return self.plan.work_dir / 'evaluated' / world / 'start'

    def _runs(self, world: str) -> list[tuple[Path, Path]]:
        return [(self._start_run(world), self.plan.start)] + [
            (self._run(world, name, seed), self._checkpoint(name, seed))
            for name in self.mixtures for seed in self.plan.seeds]


def _whole(number: float, parts: int) -> int:
    """Round up to a multiple of ``parts``."""
    return -int(-number // parts) * parts


def table(report: dict) -> str:
    """Return the report as lines of text."""
    rows = []
    for world, questions in report.items():
        for question, row in questions.items():
            for name, found in row.items():
                gain = number_range(
                    100 * found['difference'], [100 * end for end in found['ci95']], 1, True
                ) if 'difference' in found else ''
                rows.append([f'{world}: {question}', name, str(found['n']),
                             share(found['accuracy']), gain])
    return text_table(['', 'trained on', 'n', 'right', 'against the first, points [95 %]'], rows)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(
        prog='python -m ipt_training.sim_to_real',
        description='Train on mixtures of simulated, randomised and recorded examples, and '
                    'measure each in a world that was not trained on. A stopped run goes on.')
    parser.add_argument('--plan', type=Path, default=RECIPES / 'sim_to_real.yaml')
    parser.add_argument('--mixtures', default='', help='names, comma between (default: all)')
    parser.add_argument('--stages', default=','.join(STAGES), help='names, comma between')
    options = parser.parse_args(arguments)
    stages = options.stages.split(',')
    if unknown := sorted(set(stages) - set(STAGES)):
        parser.error(f'unknown stages {unknown}; known: {", ".join(STAGES)}')
    try:
        experiment = Experiment(
            load_plan(options.plan), [name for name in options.mixtures.split(',') if name])
        for stage in STAGES:
            if stage in stages:
                print(f'--- {stage}', flush=True)
                getattr(experiment, f'make_{stage}')()
        if 'evaluate' in stages:
            report = experiment.report()
            write_json(experiment.plan.work_dir / RESULT, report)
            print(table(report))
    except (PlanError, RecipeError, StoreError, BagelError, SpatialError, SimulatorError,
            RandomizationError, MissingFileError) as error:
        print(f'sim_to_real: {error}', file=sys.stderr)
        return 1
    return 0


if __name__ == '__main__':
    sys.exit(main())
