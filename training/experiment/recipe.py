# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""The recipe of the experiment: one YAML file, read strictly."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from ipt_ros.bagel import ConfigError
from ipt_ros.bagel.config import from_dict
from ipt_ros.paths import checkpoint_name
from ipt_training.evaluation.modes import MODES as ASKED
from ipt_training.evaluation.run import DTYPES
from ipt_training.examples import EVALUATION_SEED, GENERATED_TASKS
from ipt_training.experiment.runs import Asking, run_recipe
from ipt_training.finetune.recipe import MODES as TRAINED
from ipt_training.recipe import read_recipe, RecipeError


@dataclass(frozen=True)
class TrainingData:
    """A data set in our layout; without a folder it is built: ``examples`` over all tasks."""

    folder: str = ''
    examples: int = 20_000
    seed: int = 0


@dataclass(frozen=True)
class ExperimentRecipe:
    """
    Everything that decides the experiment; recipes/experiment.yaml explains it.

    ``training``: settings of `FinetuneRecipe` that all runs share. ``base``: whether the
    checkpoint that all runs begin with is asked as well.
    """

    work_dir: str
    start: str
    training: Mapping
    modes: tuple[str, ...] = TRAINED
    seeds: tuple[int, ...] = (0, 1)
    tasks: tuple[str, ...] = GENERATED_TASKS
    base: bool = True
    data: TrainingData = field(default_factory=TrainingData)
    asking: Asking = field(default_factory=Asking)
    page: str = 'runs/experiment/experiment.md'


def replaced(values: Mapping, changes: Mapping) -> dict:
    """Return settings with others in their place; nested ones one by one."""
    found = dict(values)
    for name, value in changes.items():
        there = found.get(name)
        found[name] = replaced(there or {}, value) \
            if isinstance(value, Mapping) and isinstance(there or {}, Mapping) else value
    return found


def load_experiment(path: Path, changes: Mapping = {}) -> ExperimentRecipe:
    """
    Read the recipe; ``changes`` replace settings of it, see `replaced`.

    Raises RecipeError: no file, bad YAML, unknown, missing or senseless settings.
    """
    try:
        recipe = from_dict(ExperimentRecipe, replaced(read_recipe(path), changes))
        recipe = replace(recipe, start=checkpoint_name(recipe.start))
        check_names('modes', recipe.modes, TRAINED)
        check_names('tasks', recipe.tasks, GENERATED_TASKS)
        check_asking(recipe.asking)
        if not recipe.seeds or len(set(recipe.seeds)) < len(recipe.seeds):
            raise ValueError(f'seeds: expected different whole numbers, got {recipe.seeds!r}')
        if recipe.data.seed >= EVALUATION_SEED:
            raise ValueError(f'data.seed {recipe.data.seed} is one of evaluation; stay below '
                             f'{EVALUATION_SEED}')
        check_training(recipe.training)
        run_recipe(Path('training'), recipe.training, recipe.modes[0], 0, Path(recipe.start),
                   [Path('data')])
    except RecipeError as error:
        raise error if str(error).startswith(str(path)) else RecipeError(f'{path}: {error}'
                                                                         ) from error
    except (ConfigError, TypeError, ValueError, AttributeError) as error:
        raise RecipeError(f'{path}: {error}') from error
    return recipe


def check_asking(asking: Asking) -> None:
    """Raise ValueError for questions that cannot be asked, or were trained on."""
    check_names('asking.modes', asking.modes, ASKED)
    if asking.dtype is not None:
        check_names('asking.dtype', (asking.dtype,), tuple(DTYPES))
    for name in ('n', 'reference', 'cot_tokens', 'samples'):
        value = getattr(asking, name)
        if not isinstance(value, int) or value < 1:
            raise ValueError(f'asking.{name}: expected a whole number above 0, got {value!r}')
    if asking.samples > 1 and 'imagine' not in asking.modes:
        raise ValueError(f'asking.samples is {asking.samples}, but only the mode imagine imagines '
                         f'several times, and asking.modes are {", ".join(asking.modes)}')
    if asking.seed < EVALUATION_SEED:
        raise ValueError(f'asking.seed {asking.seed} is one of training; questions that were not '
                         f'trained on start at {EVALUATION_SEED}')


def check_training(settings: Mapping) -> None:
    """Raise ValueError for settings of training that would spoil the comparison."""
    data = settings.get('data')
    split = data.get('split', 'train') if isinstance(data, Mapping) else 'train'
    if split != 'train':
        raise ValueError(f"training.data.split is '{split}': what is evaluated must not be "
                         "trained on; leave it out, or give 'train'")


def check_names(what: str, given: tuple, known: tuple) -> None:
    """Raise ValueError unless some of the known names are given, each once."""
    if not given or not set(given) <= set(known) or len(set(given)) < len(given):
        raise ValueError(f'{what}: expected some of {", ".join(known)}, each once; got {given!r}')
