# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""What to mix, train and ask: one YAML file, read strictly."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from ipt_ros.bagel import ConfigError
from ipt_ros.bagel.config import from_dict
from ipt_ros.paths import checkpoint_name
from ipt_training.examples import EVALUATION_SEED, GENERATED_TASKS
from ipt_training.experiment.recipe import (
    check_asking,
    check_names,
    check_training,
    replaced,
)
from ipt_training.experiment.runs import Asking, run_recipe
from ipt_training.finetune.recipe import check_weights
from ipt_training.recipe import read_recipe, RecipeError


@dataclass(frozen=True)
class Ingredient:
    """Simulated scenes from ``seed`` on, randomised by a file where one is named; or bags."""

    seed: int = 0
    randomization: str = ''
    bags: tuple[str, ...] = ()


@dataclass(frozen=True)
class Plan:
    """
    What to mix, train and ask; recipes/sim_to_real.yaml explains it.

    ``worlds``: randomisation files ('' for none) that show the held-out scenes, by name.
    """

    work_dir: str
    start: str
    training: Mapping
    tasks: tuple[str, ...]
    examples: int
    ingredients: Mapping  # of Ingredient, by name
    mixtures: Mapping[str, Mapping[str, float]]
    worlds: Mapping[str, str]
    asking: Asking = field(default_factory=Asking)
    seeds: tuple[int, ...] = (0, 1)
    page: str = 'runs/sim_to_real/sim_to_real.md'

    @property
    def first(self) -> str:
        """Return the mixture that the others are compared with."""
        return next(iter(self.mixtures))

    def only(self, mixtures: tuple[str, ...]) -> 'Plan':
        """Return the plan with the named mixtures alone. Raises RecipeError for unknown ones."""
        if unknown := sorted(set(mixtures) - set(self.mixtures)):
            raise RecipeError(f'no mixture is called {", ".join(unknown)}; there are: '
                              f'{", ".join(self.mixtures)}')
        return replace(self, mixtures={
            name: shares for name, shares in self.mixtures.items() if name in mixtures})


def load_plan(path: Path, changes: Mapping = {}) -> Plan:
    """
    Read a plan; ``changes`` replace settings of it.

    Raises RecipeError: no file, bad YAML, unknown, missing or senseless settings.
    """
    try:
        values = replaced(read_recipe(path), changes)
        values['ingredients'] = {name: from_dict(Ingredient, given)
                                 for name, given in (values.get('ingredients') or {}).items()}
        plan = from_dict(Plan, values)
        plan = replace(plan, start=checkpoint_name(plan.start))
        _check(plan)
    except RecipeError as error:
        raise error if str(error).startswith(str(path)) else RecipeError(f'{path}: {error}'
                                                                         ) from error
    except (ConfigError, TypeError, ValueError, AttributeError) as error:
        raise RecipeError(f'{path}: {error}') from error
    return plan


def _check(plan: Plan) -> None:
    """Raise ValueError for what makes no sense."""
    check_names('tasks', plan.tasks, GENERATED_TASKS)
    check_asking(plan.asking)
    if not isinstance(plan.examples, int) or plan.examples < len(plan.tasks):
        raise ValueError(f'examples: expected a whole number of {len(plan.tasks)} or more, got '
                         f'{plan.examples!r}')
    for mixture, shares in plan.mixtures.items():
        if unknown := sorted(set(shares) - set(plan.ingredients)):
            raise ValueError(f'mixtures.{mixture}: no ingredient is called {", ".join(unknown)}')
        if not all(0 <= share <= 1 for share in shares.values()):
            raise ValueError(f'mixtures.{mixture}: a share is from 0 to 1, got {dict(shares)}')
        if abs(sum(shares.values()) - 1.0) > 1e-6:
            raise ValueError(f'mixtures.{mixture}: the shares add up to '
                             f'{sum(shares.values()):g}, not to 1')
    for name, ingredient in plan.ingredients.items():
        if ingredient.seed >= EVALUATION_SEED:
            raise ValueError(f'ingredients.{name}: seed {ingredient.seed} is one of evaluation; '
                             f'stay below {EVALUATION_SEED}')
        if ingredient.bags and ingredient.randomization:
            raise ValueError(f'ingredients.{name}: bags are recordings as they are; a '
                             'randomization is for simulated scenes')
    for name in ('mixtures', 'worlds', 'seeds', 'ingredients'):
        if not getattr(plan, name):
            raise ValueError(f'{name}: must not be empty')
    if len(set(plan.seeds)) < len(plan.seeds):
        raise ValueError(f'seeds: expected different whole numbers, got {plan.seeds!r}')
    check_training(plan.training)
    check_weights(plan.training, 'training')
    settings, mode = training_settings(plan)
    run_recipe(Path('training'), settings, mode, 0, Path(plan.start), [Path('data')])


def training_settings(plan: Plan) -> tuple[dict, str]:
    """Return the settings of the training, and its mode ('mixed' unless it has one)."""
    settings = dict(plan.training)
    return settings, settings.pop('mode', 'mixed')
