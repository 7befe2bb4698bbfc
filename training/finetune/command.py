# SPDX-License-Identifier: Apache-2.0
"""The command ``ipt finetune``."""

import argparse
from collections.abc import Sequence
from pathlib import Path
import sys

from ipt_ros.bagel import BagelError
from ipt_training.finetune.dry_run import dry_run
from ipt_training.finetune.errors import FinetuneError
from ipt_training.finetune.recipe import FinetuneRecipe, load_finetune_recipe, MODES
from ipt_training.finetune.train import finetune
from ipt_training.loop import TrainingDivergedError
from ipt_training.recipe import RecipeError, RECIPES
from ipt_training.store import StoreError
import torch

# Options that replace a setting of the recipe.
_SETTINGS = ('start', 'checkpoint', 'work_dir', 'mode', 'steps', 'seed')


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return 0 for success, 1 for a run that cannot start or go on."""
    options = build_parser().parse_args(arguments)
    if options.threads:
        torch.set_num_threads(options.threads)
    try:
        recipe = recipe_of(options)
        if options.dry_run:
            dry_run(recipe, options.device)
        else:
            finetune(recipe, options.device)
    except (FinetuneError, RecipeError, StoreError, BagelError, TrainingDivergedError,
            OSError) as error:
        print(f'ipt finetune: {error}', file=sys.stderr)
        return 1
    except torch.cuda.OutOfMemoryError as error:
        print(f'ipt finetune: the GPU has not enough memory: {error}\nlower '
              'packing.batch_tokens, set checkpoint_activations, or use lora; --dry-run '
              'estimates what is needed', file=sys.stderr)
        return 1
    return 0


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of ``ipt finetune``."""
    parser = argparse.ArgumentParser(
        prog='ipt finetune', description='Fine-tune a checkpoint folder on parquet data. A run '
        'that was stopped goes on where it was when the same command is given again.')
    add = parser.add_argument
    add('--recipe', type=Path, default=RECIPES / 'finetune_nano.yaml',
        help='YAML file; shipped ones are finetune_nano.yaml and finetune_7b.yaml in '
             f'{RECIPES} (default: the nano one)')
    add('--start', metavar='FOLDER', help='checkpoint to begin with')
    add('--data', nargs='+', metavar='PATH', help='parquet files, or folders of them')
    add('--checkpoint', metavar='FOLDER', help='where the finished checkpoint goes')
    add('--work-dir', metavar='FOLDER', help='for state, index and logs')
    add('--mode', choices=MODES)
    add('--steps', type=int)
    add('--seed', type=int)
    add('--dry-run', action='store_true',
        help='only say what would be done and how much memory it takes, and write the first '
             'batch as a picture')
    add('--device', default='cuda' if torch.cuda.is_available() else 'cpu',
        help='cpu, cuda or cuda:N (default: %(default)s)')
    add('--threads', type=int, help='CPU threads (default: all cores)')
    return parser


def recipe_of(options: argparse.Namespace) -> FinetuneRecipe:
    """Return the recipe with what the options replace."""
    given = {name: getattr(options, name) for name in _SETTINGS}
    changes = {name: value for name, value in given.items() if value is not None}
    if options.data:
        changes['data'] = {'paths': options.data}
    return load_finetune_recipe(options.recipe, changes)


if __name__ == '__main__':
    sys.exit(main())
