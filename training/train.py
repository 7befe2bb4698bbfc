# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""
The command ``ipt train``: one door to both ways of training.

A recipe with ``model`` makes a checkpoint from scratch (`ipt_training.nano`), one with ``mode``
trains a checkpoint further on parquet data (`ipt_training.finetune`).
"""

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
import sys

from ipt_ros.bagel import BagelError
from ipt_ros.outputs import in_words
from ipt_training import dry_run as scratch
from ipt_training.finetune.dry_run import dry_run as dry_run_finetune
from ipt_training.finetune.errors import FinetuneError
from ipt_training.finetune.processes import started_together
from ipt_training.finetune.recipe import FinetuneRecipe, load_finetune_recipe, MODES
from ipt_training.finetune.train import finetune
from ipt_training.loop import TrainingDivergedError
from ipt_training.nano import Build, STAGES
from ipt_training.recipe import load_recipe, read_recipe, Recipe, recipe_file, RecipeError, RECIPES
from ipt_training.store import StoreError
import torch

# Options that replace a setting of the recipe, by kind of recipe.
_SCRATCH_SETTINGS = ('checkpoint', 'work_dir', 'seed')
_FINETUNE_SETTINGS = ('start', 'checkpoint', 'work_dir', 'mode', 'steps', 'seed')
# Options that only one kind of recipe has.
_ONLY_SCRATCH = ('stages',)
_ONLY_FINETUNE = ('mode', 'steps', 'device')


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return 0 for success, 1 for a run that cannot start or go on."""
    parser = build_parser()
    options = parser.parse_args(arguments)
    if options.threads:
        torch.set_num_threads(options.threads)
    try:
        path = recipe_file(options.recipe)
        if started_together() and (options.dry_run or is_from_scratch(path)):
            parser.error('a dry run, and training from scratch, take one process; start them '
                         'without torchrun, and without WORLD_SIZE')
        if is_from_scratch(path):
            _refuse(parser, options, _ONLY_FINETUNE, f'{path} makes a checkpoint from scratch')
            _train_from_scratch(parser, scratch_recipe(path, options), options)
        else:
            _refuse(parser, options, _ONLY_SCRATCH, f'{path} trains a checkpoint further')
            recipe = finetune_recipe(path, options)
            device = options.device or ('cuda' if torch.cuda.is_available() else 'cpu')
            (dry_run_finetune if options.dry_run else finetune)(recipe, device)
    except (FinetuneError, RecipeError, StoreError, BagelError, TrainingDivergedError) as error:
        print(f'ipt train: {error}', file=sys.stderr)
        return 1
    except OSError as error:
        print(f'ipt train: {in_words(error)}', file=sys.stderr)
        return 1
    except torch.cuda.OutOfMemoryError as error:
        print(f'ipt train: the GPU has not enough memory: {error}\nlower '
              'packing.batch_tokens, set checkpoint_activations, or use lora; --dry-run '
              'estimates what is needed', file=sys.stderr)
        return 1
    return 0


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of ``ipt train``."""
    parser = argparse.ArgumentParser(
        prog='ipt train', description='Make a checkpoint from scratch, or train one further on '
        'parquet data, as a recipe says. A run that was stopped goes on where it was when the '
        'same command is given again.')
    shipped = ', '.join(sorted(
        path.stem for path in RECIPES.glob('*.yaml') if path.stem.startswith(('nano', 'fine'))))
    add = parser.add_argument
    add('--recipe', default='nano', metavar='FILE',
        help=f'YAML file, or one of ours: {shipped} (default: %(default)s)')
    add('--dry-run', action='store_true',
        help='only say what would be done and how much memory it takes, and write the first '
             'batch as a picture')
    add('--start', metavar='FOLDER', help='checkpoint to begin with; from scratch: what the '
        "stages 'maps', 'decoder' and 'mixed' to 'redrawing' go on from, in place of what earlier "
        'stages make')
    add('--data', nargs='+', metavar='PATH', help='parquet files, or folders of them; from '
        'scratch: one folder of examples')
    add('--checkpoint', metavar='FOLDER', help='where the finished checkpoint goes')
    add('--work-dir', metavar='FOLDER', help='for state, index, logs and what stages make')
    add('--seed', type=int)
    add('--threads', type=int, help='CPU threads (default: all cores)')
    only = parser.add_argument_group('from scratch').add_argument
    only('--stages', metavar='NAMES', help=f'comma between (default: {",".join(STAGES)})')
    only = parser.add_argument_group('training a checkpoint further').add_argument
    only('--mode', choices=MODES)
    only('--steps', type=int)
    only('--device', help='cpu, cuda or cuda:N (default: cuda where there is one)')
    return parser


def is_from_scratch(path: Path) -> bool:
    """Tell the kind of a recipe by its form. Raises RecipeError for neither, or both."""
    values = read_recipe(path)
    kinds = [name for name in ('model', 'mode') if name in values]
    if len(kinds) != 1:
        raise RecipeError(
            f'{path}: cannot tell what to train: a recipe has either model (the sizes of a '
            'checkpoint to make from scratch, like nano.yaml) or mode (how to train one further, '
            f'like finetune_nano.yaml), this one has {"both" if kinds else "neither"}')
    return kinds == ['model']


def scratch_recipe(path: Path, options: argparse.Namespace) -> Recipe:
    """Return a recipe from scratch with what the options replace."""
    changes = _given(options, _SCRATCH_SETTINGS)
    for name in changes.keys() & {'checkpoint', 'work_dir'}:
        changes[name] = Path(changes[name])
    return replace(load_recipe(path), **changes)


def finetune_recipe(path: Path, options: argparse.Namespace) -> FinetuneRecipe:
    """Return a recipe of fine-tuning with what the options replace."""
    changes = _given(options, _FINETUNE_SETTINGS)
    if options.data:
        changes['data'] = {'paths': options.data}
    return load_finetune_recipe(path, changes)


def _train_from_scratch(parser: argparse.ArgumentParser, recipe: Recipe,
                        options: argparse.Namespace) -> None:
    stages = options.stages.split(',') if options.stages else list(STAGES)
    if unknown := sorted(set(stages) - set(STAGES)):
        parser.error(f'unknown stages {unknown}; known: {", ".join(STAGES)}')
    if options.data and len(options.data) > 1:
        parser.error('--data: training from scratch takes one folder of examples')
    build = Build(recipe, Path(options.data[0]) if options.data else None,
                  Path(options.start) if options.start else None)
    if options.dry_run:
        scratch.dry_run(build, stages)
    else:
        build.run(stages)


def _given(options: argparse.Namespace, names: Sequence[str]) -> dict:
    values = {name: getattr(options, name) for name in names}
    return {name: value for name, value in values.items() if value is not None}


def _refuse(parser: argparse.ArgumentParser, options: argparse.Namespace, names: Sequence[str],
            reason: str) -> None:
    for name in _given(options, names):
        parser.error(f'--{name} does not apply: {reason}')


if __name__ == '__main__':
    sys.exit(main())
