# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""
The command ``ipt experiment``: the paper's experiment at the size of a recipe.

Builds data and questions, trains every mode with every seed, asks all of them in every way, and
writes the page. What is finished is not done again.
"""

import argparse
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from pathlib import Path
import sys

from ipt_ros.bagel import BagelError
from ipt_ros.machine import usable_cores
from ipt_ros.outputs import check_file, in_words
from ipt_ros.spatial.errors import SpatialError
from ipt_sim import SimulatorError
from ipt_training.evaluation.errors import EvaluationError
from ipt_training.experiment.errors import ExperimentError
from ipt_training.experiment.markdown import write_report
from ipt_training.experiment.page import sections
from ipt_training.experiment.plan import make_data, pieces_of
from ipt_training.experiment.recipe import ExperimentRecipe, load_experiment
from ipt_training.experiment.results import collect
from ipt_training.experiment.runner import conduct
from ipt_training.recipe import recipe_file, RecipeError, RECIPES
from ipt_training.store import StoreError
import torch

# Everything once, as little of it as there can be; shows that all works, and nothing else.
QUICK = {
    'work_dir': 'runs/experiment_quick', 'page': 'runs/experiment_quick/experiment.md',
    'seeds': [0],
    'data': {'folder': '', 'examples': 24},
    'training': {'steps': 2, 'accumulate': 1, 'packing': {'batch_samples': 2}},
    'asking': {'n': 2, 'reference': 4, 'steps': 2, 'cot_tokens': 8},
}
# What is wrong with what was asked for or found, and not with the program.
PROBLEMS = (ExperimentError, RecipeError, StoreError, BagelError, SpatialError, SimulatorError,
            EvaluationError, OSError)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return 0 where all is done, 1 where something failed."""
    options = build_parser().parse_args(arguments)
    changes = dict(QUICK) if options.quick else {}
    for name in ('start', 'work_dir', 'page'):
        if (value := getattr(options, name)) is not None:
            changes[name] = str(value)
    if options.data is not None:
        changes['data'] = {'folder': str(options.data)}
    try:
        recipe = load_experiment(recipe_file(options.recipe), changes)
        check_file(Path(recipe.page))
        if options.report:
            report(recipe)
            return 0
        return run(recipe, options.workers, options.device)
    except PROBLEMS as error:
        reason = in_words(error) if isinstance(error, OSError) else error
        print(f'ipt experiment: {reason}', file=sys.stderr)
        return 1


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of ``ipt experiment``."""
    parser = argparse.ArgumentParser(
        prog='ipt experiment', description="The paper's experiment: modes of training compared on "
        'unseen questions, in every way of asking. A run that was stopped goes on where it was '
        'when the same command is given again.')
    add = parser.add_argument
    add('--recipe', type=Path, default=RECIPES / 'experiment.yaml',
        help='YAML file (default: %(default)s)')
    add('--start', type=Path, metavar='FOLDER', help='checkpoint that all runs begin with')
    add('--data', type=Path, metavar='FOLDER',
        help='data set to train on, of ipt dataset build (default: built from the recipe)')
    add('--work-dir', type=Path, metavar='FOLDER', help='for data, runs and results')
    add('--page', type=Path, metavar='FILE', help='page to write; the numbers go to a JSON file '
                                                  'of the same name')
    add('--workers', type=int, default=default_workers(),
        help='runs side by side, a thread each (default: as many as there are cores, one with a '
             'GPU; here %(default)s)')
    add('--device', default='cuda' if torch.cuda.is_available() else 'cpu',
        help='to train on: cpu, cuda or cuda:N (default: %(default)s)')
    add('--quick', action='store_true',
        help='everything in miniature, to see that it works; into a folder of its own')
    add('--report', action='store_true',
        help='only write the page, from what is done by now')
    return parser


def default_workers() -> int:
    """Return how many runs go side by side unless one says: one a core, or one on a GPU."""
    return 1 if torch.cuda.is_available() else usable_cores()


def run(recipe: ExperimentRecipe, workers: int, device: str = 'cpu',
        pool: Executor | None = None, say: Callable[[str], None] = print) -> int:
    """Do all that is not done, and write the page; return 1 if something failed."""
    return conduct(
        Path(recipe.work_dir), pieces_of(recipe, device), lambda: make_data(recipe, workers, pool),
        lambda: report(recipe, say), workers, pool, say)


def report(recipe: ExperimentRecipe, say: Callable[[str], None] = print) -> None:
    """Write the page, and the numbers beside it."""
    numbers = collect(recipe)
    page = Path(recipe.page)
    write_report(page, sections(numbers), numbers)
    missing = sum(not (run['trained'] and run['asked']) for run in numbers['runs'].values())
    say(f'wrote {page}' + (f', of {len(numbers["runs"]) - missing} of {len(numbers["runs"])} runs'
                           if missing else ''))


if __name__ == '__main__':
    sys.exit(main())
