# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""A recipe: everything that decides how a checkpoint is made, read from one YAML file."""

from dataclasses import dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import Any

from ipt_ros.bagel import ConfigError
from ipt_ros.bagel.config import from_dict
from ipt_ros.yaml_files import read_yaml, YamlError

from .examples import EVALUATION_SEED
from .optimizers import OptimizerSettings

RECIPES = Path(__file__).parent / 'recipes'


@dataclass(frozen=True)
class DataRecipe:
    """Which examples to generate, over all tasks; ``seed`` is that of the first scene."""

    tasks: tuple[str, ...]
    examples: int
    seed: int = 0
    workers: int = 2


@dataclass(frozen=True)
class VaeRecipe:
    """The VAE; ``crop`` is the side of the training crops in pixels."""

    steps: int
    batch_size: int
    crop: int
    kl_weight: float
    optimizer: OptimizerSettings


@dataclass(frozen=True)
class DecoderRecipe:
    """The VAE's decoder; ``noise`` is the most that is added to latents, whose spread is 1."""

    steps: int
    batch_size: int
    noise: float
    optimizer: OptimizerSettings


@dataclass(frozen=True)
class DrawingRecipe:
    """The decoder once more, on what the finished model draws for so many ``examples`` a task."""

    steps: int
    batch_size: int
    examples: int
    noise: float
    optimizer: OptimizerSettings


@dataclass(frozen=True)
class EncoderRecipe:
    """The image encoder; ``cell`` is the side in pixels of what the head predicts."""

    steps: int
    batch_size: int
    cell: int
    optimizer: OptimizerSettings


@dataclass(frozen=True)
class MapsRecipe:
    """
    The image encoder on maps; ``cell`` as above.

    ``number``: maps that are made for this, beside those of counting examples;
    ``batch_size``: maps a step; ``others``: images a step whose features are held. For
    ``head_steps`` first of all only the heads learn.
    """

    steps: int
    number: int
    batch_size: int
    others: int
    cell: int
    head_steps: int
    optimizer: OptimizerSettings


@dataclass(frozen=True)
class ModelRecipe:
    """
    A stage of the whole model.

    Kinds of samples are called 'MODE-TASK', with the modes of `samples`: drill, locate, list,
    tell, answer, imagine, read, own, look.

    ``samples``: samples of each kind a step; ``weights``: of their losses; ``questions``:
    most questions a sample by mode; ``open_share``: share of questions that are asked without
    choices; ``noised_copies``: of the target a sample; ``letter_weight``: of the letters of
    answers and what is read before them, beside their part in all texts: with a thought before it,
    a letter is one of fifty tokens, and the only one that has to be found out;
    ``dropout``: of instruction 'text', and of the target's clean 'vae' and 'vit' copies;
    ``frozen``: what parameters' names begin with that are not trained; ``drawn``: examples a task
    for which the model draws before the stage, where samples are of the kind 'own'.
    """

    steps: int
    samples: dict[str, int]
    weights: dict[str, float]
    questions: dict[str, int]
    optimizer: OptimizerSettings
    open_share: float = 0.0
    noised_copies: int = 1
    ce_weight: float = 1.0
    mse_weight: float = 1.0
    letter_weight: float = 0.0
    dropout: dict[str, float] = field(default_factory=dict)
    frozen: tuple[str, ...] = ()
    drawn: int = 0


@dataclass(frozen=True)
class Recipe:
    """The whole recipe; ``model`` holds the fields of BagelConfig but the vocabulary's size."""

    name: str
    checkpoint: Path
    work_dir: Path
    seed: int
    data: DataRecipe
    tokenizer: dict[str, int]
    model: dict[str, Any]
    vae: VaeRecipe
    decoder: DecoderRecipe
    encoder: EncoderRecipe
    maps: MapsRecipe
    letters: ModelRecipe
    answers: ModelRecipe
    mixed: ModelRecipe
    drawing: DrawingRecipe
    trust: ModelRecipe


class RecipeError(ValueError):
    """A recipe that cannot be read; the message names file and field."""


def recipe_file(name: str | Path) -> Path:
    """Return the file of a recipe: a path, or the name of one of ours (with or without .yaml)."""
    path = Path(name)
    if not path.exists():
        for ours in (RECIPES / path, RECIPES / f'{path}.yaml'):
            if ours.is_file():
                return ours
    return path


def read_recipe(path: Path) -> dict[str, Any]:
    """Read settings by name. Raises RecipeError: no file, bad YAML, or something else in it."""
    try:
        values = read_yaml(path)
    except FileNotFoundError:
        raise RecipeError(f'{path}: no such recipe; ours are in {RECIPES}') from None
    except OSError as error:
        raise RecipeError(f'{path}: cannot be read: {error.strerror}') from error
    except YamlError as error:
        raise RecipeError(f'{path}: {error}') from error
    if not isinstance(values, dict):
        found = 'an empty file' if values is None else f'{values!r:.60}'
        raise RecipeError(f'{path}: expected settings by name, found {found}')
    try:
        check_ranges(values)
    except ValueError as error:
        raise RecipeError(f'{path}: {error}') from error
    return values


def check_ranges(values: Any, where: str = '') -> None:
    """Raise ValueError where nested settings have a least that is above the most."""
    if not isinstance(values, dict):
        return
    for name, value in values.items():
        place = f'{where}{name}'
        most = values.get(str(name).replace('min_', 'max_', 1))
        if (str(name).startswith('min_') and _is_number(value) and _is_number(most)
                and value > most):
            raise ValueError(f'{place} is {value}, more than max_{name[4:]}, which is {most}')
        if name == 'interval' and isinstance(value, list) and len(value) == 2 and all(
                map(_is_number, value)) and value[0] > value[1]:
            raise ValueError(f'{place} is {value}, which runs backwards; write [lowest, highest]')
        check_ranges(value, f'{place}.')


def check_folders(start: str | Path, checkpoint: str | Path, work_dir: str | Path) -> None:
    """Raise ValueError where a run would write over what it reads, or into what it replaces."""
    begin, end, work = (Path(path).expanduser().resolve() for path in (
        start, checkpoint, work_dir))
    if start and begin == end:
        raise ValueError(f"checkpoint is the same folder as start, '{start}', which would be "
                         'written over; name another one')
    if work == end or end in work.parents:
        raise ValueError(f"work_dir '{work_dir}' is in checkpoint '{checkpoint}', which is the "
                         'finished folder alone; put them beside each other')
    if start and (work == begin or begin in work.parents or begin in end.parents):
        raise ValueError(f"work_dir and checkpoint must not be in start, '{start}', which stays "
                         'as it is')


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def load_recipe(path: str | Path) -> Recipe:
    """Read a recipe. Raises RecipeError: no file, bad YAML, unknown or missing fields."""
    path = Path(path)
    values = read_recipe(path)
    for section in fields(Recipe):
        if is_dataclass(section.type) and section.name not in values:
            raise RecipeError(f'{path}: no section {section.name!r}; nano.yaml has all of them')
    try:
        recipe = from_dict(Recipe, values)
        check_folders('', recipe.checkpoint, recipe.work_dir)
        if recipe.data.seed >= EVALUATION_SEED:
            raise ValueError(f'data.seed {recipe.data.seed} is one of evaluation; stay below '
                             f'{EVALUATION_SEED}')
    except (TypeError, ValueError, ConfigError) as error:
        raise RecipeError(f'{path}: {error}') from error
    return Recipe(**{
        **vars(recipe), 'checkpoint': Path(recipe.checkpoint), 'work_dir': Path(recipe.work_dir)})
