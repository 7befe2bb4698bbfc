# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""
The command ``python -m ipt_training.sim_to_real``.

Builds the ingredients of a plan (simulation, randomised simulation, recordings), trains one
checkpoint for each mixture of them and seed, asks all of them the same questions in held-out
scenes, and compares each mixture with the first, question by question.
"""

import argparse
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from pathlib import Path
import sys

from ipt_ros.outputs import check_file, in_words
from ipt_sim import RandomizationError
from ipt_training.experiment.command import default_workers, PROBLEMS
from ipt_training.experiment.markdown import write_report
from ipt_training.experiment.runner import conduct
from ipt_training.recipe import recipe_file, RECIPES
from ipt_training.sim_to_real.data import make_data
from ipt_training.sim_to_real.page import sections
from ipt_training.sim_to_real.plan import load_plan, Plan
from ipt_training.sim_to_real.results import collect, pieces_of
import torch


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return 0 where all is done, 1 where something failed."""
    options = build_parser().parse_args(arguments)
    try:
        plan = load_plan(recipe_file(options.plan),
                         {} if options.page is None else {'page': options.page})
        if options.mixtures:
            plan = plan.only(tuple(options.mixtures.split(',')))
        check_file(Path(plan.page))
        if options.report:
            report(plan)
            return 0
        return run(plan, options.workers, options.device)
    except (*PROBLEMS, RandomizationError) as error:
        reason = in_words(error) if isinstance(error, OSError) else error
        print(f'sim_to_real: {reason}', file=sys.stderr)
        return 1


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the command."""
    parser = argparse.ArgumentParser(
        prog='python -m ipt_training.sim_to_real',
        description='Train on mixtures of simulated, randomised and recorded examples, and '
                    'measure each in a world that was not trained on. A stopped run goes on.')
    add = parser.add_argument
    add('--plan', type=Path, default=RECIPES / 'sim_to_real.yaml',
        help='YAML file (default: %(default)s)')
    add('--mixtures', default='', help='names, comma between (default: all)')
    add('--workers', type=int, default=default_workers(),
        help='runs side by side, a thread each (default: as many as there are cores, one with a '
             'GPU; here %(default)s)')
    add('--device', default='cuda' if torch.cuda.is_available() else 'cpu',
        help='to train on: cpu, cuda or cuda:N (default: %(default)s)')
    add('--page', metavar='FILE', help='page to write; the numbers go to a JSON file beside it '
        "(default: the plan's)")
    add('--report', action='store_true', help='only write the page, from what is done by now')
    return parser


def run(plan: Plan, workers: int, device: str = 'cpu', pool: Executor | None = None,
        say: Callable[[str], None] = print) -> int:
    """Do all that is not done, and write the page; return 1 if something failed."""
    by_run = pieces_of(plan, device).values()
    # What was trained is asked before more is trained.
    pieces = sorted((piece for pieces in by_run for piece in pieces),
                    key=lambda piece: piece.step == 'train')
    return conduct(Path(plan.work_dir), pieces, lambda: make_data(plan, workers, pool),
                   lambda: report(plan, say), workers, pool, say)


def report(plan: Plan, say: Callable[[str], None] = print) -> None:
    """Write the page, and the numbers beside it."""
    numbers = collect(plan)
    page = Path(plan.page)
    write_report(page, sections(numbers), numbers)
    say(f'wrote {page}')


if __name__ == '__main__':
    sys.exit(main())
