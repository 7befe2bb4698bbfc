# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""
How well a checkpoint answers and imagines, on questions that it never saw: the command line.

``ipt evaluate --checkpoint DIR --tasks pet,mvc --modes answer,imagine --n N --seed S --out DIR``
asks N questions a task in every mode and writes ``results.json``:
``{task: {mode: {accuracy, n, ci95: [lo, hi], chance, ...}}}``. Beside chance stands ``blind``: the
best guess from the question alone, which for counting is far above chance. A stopped run goes on
where it was. ``ipt report DIR`` makes a web page of it.
"""

import argparse
from pathlib import Path

from ipt_ros.bagel import BagelError
from ipt_ros.outputs import check_folder, in_words
from ipt_ros.paths import checkpoint_name, NANO
from ipt_ros.spatial.errors import SpatialError

from .evaluation.errors import EvaluationError
from .evaluation.modes import MODES, Options, ORACLE_INPUTS
from .evaluation.recommend import recommend
from .evaluation.run import BATCH, DTYPES, evaluate, Plan, REFERENCE_SIZE
from .evaluation.sources import data_tasks
from .evaluation.tables import share, share_range
from .examples import EVALUATION_SEED, GENERATED_TASKS
from .store import StoreError

USUAL_MODES = ('answer', 'imagine')


def table(results: dict) -> str:
    """Return the results as lines of text."""
    lines = [f'{"task":6}{"mode":12}{"accuracy":>10}{"95 % interval":>18}{"chance":>8}'
             f'{"blind":>8}{"n":>6}']
    for task, modes in results.items():
        for mode, row in modes.items():
            interval = share_range(row['ci95']) if row['n'] else '-'
            lines.append(f'{task:6}{mode:12}{share(row["accuracy"]):>10}{interval:>18}'
                         f'{share(row["chance"]):>8}{share(row["blind"]):>8}{row["n"]:6}')
    return '\n'.join(lines)


def build_parser(prog: str = 'ipt evaluate') -> argparse.ArgumentParser:
    """Return the parser, for whoever evaluates in turn."""
    parser = argparse.ArgumentParser(
        prog=prog, description='Measure a checkpoint on unseen questions.')
    parser.add_argument('--checkpoint', type=checkpoint_name, default=NANO,
                        help='folder, or name on the Hugging Face hub (default: the shipped one)')
    add_options(parser)
    parser.add_argument('--out', type=Path, default=Path('eval_out'),
                        help='folder of results (default: %(default)s)')
    parser.add_argument('--recommend', action='store_true',
                        help='write into the checkpoint folder which of the modes answer and '
                             'imagine was better at each task: what auto stands for on a robot')
    return parser


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that say what is asked, and how."""
    parser.add_argument('--tasks', help='names, comma between (default: '
                        f'{",".join(GENERATED_TASKS)}, or all that --data has)')
    parser.add_argument('--modes', default=','.join(USUAL_MODES),
                        help=f'of {", ".join(MODES)}; comma between (default: %(default)s)')
    parser.add_argument('--n', type=int, default=300, help='questions a task')
    parser.add_argument('--seed', type=int, default=EVALUATION_SEED,
                        help=f'of the scenes; at least {EVALUATION_SEED}')
    parser.add_argument('--scenes', type=Path, metavar='DIR',
                        help='where scenes are kept once they are made, to be used again for '
                             'other checkpoints (default: the results folder)')
    parser.add_argument('--workers', type=int, default=2, help='processes that make scenes')
    parser.add_argument('--data', type=Path, metavar='PATH',
                        help='ask about a folder of parquet files (ours or of a published layout) '
                             'or a bag (MCAP), not about simulated scenes')
    parser.add_argument('--split', default='test',
                        help='of --data that has splits (default: %(default)s)')
    parser.add_argument('--reference', type=Path, metavar='PATH',
                        help='data of the training kind, for the mean image and the blind guess '
                             '(default: scenes from seed 0; with --data, its own other half)')
    parser.add_argument('--reference-n', type=int, default=REFERENCE_SIZE, metavar='N',
                        help='examples a task of the reference (default: %(default)s)')
    parser.add_argument('--samples', type=int, default=1, metavar='K',
                        help='imagine K times a question, for confidence by agreement; accuracy '
                             'is that of the first (default: %(default)s)')
    parser.add_argument('--oracle-input', choices=ORACLE_INPUTS, default=ORACLE_INPUTS[0],
                        help='how the true image enters: as in training, or VAE only as in the '
                             'released evaluation (default: %(default)s)')
    parser.add_argument('--batch', type=int, default=BATCH, metavar='N',
                        help='questions that go through the model at once; fewer need less memory '
                             '(default: %(default)s)')
    parser.add_argument('--dtype', choices=DTYPES,
                        help="what the model computes in (default: the checkpoint's own, on a CPU "
                             'float32); bfloat16 is faster where the processor has it')
    parser.add_argument('--steps', type=int,
                        help="time points of the flow (default: the checkpoint's)")
    parser.add_argument('--cot-tokens', type=int, default=Options().cot_tokens, metavar='N',
                        help='room for a thought in words (default: %(default)s tokens)')


def plan_from(parser: argparse.ArgumentParser, options: argparse.Namespace,
              checkpoint: str) -> Plan:
    """Return what the options ask for; end with usage where they make no sense."""
    modes = options.modes.split(',')
    tasks = options.tasks.split(',') if options.tasks else list(GENERATED_TASKS)
    checks = [('modes', modes, MODES)]
    if options.data is None:
        checks.append(('tasks', tasks, GENERATED_TASKS))
        if options.seed < EVALUATION_SEED:
            parser.error(f'seed {options.seed} is below {EVALUATION_SEED}: training may have used '
                         'its scenes')
    for what, given, known in checks:
        unknown = sorted(set(given) - set(known))
        if unknown:
            parser.error(f'unknown {what} {unknown}; known: {", ".join(known)}')
    least = {'n': 1, 'samples': 1, 'reference_n': 1, 'cot_tokens': 1, 'workers': 1, 'seed': 0,
             'steps': 2, 'batch': 1}
    for name, low in least.items():
        value = getattr(options, name)
        if value is not None and value < low:
            hint = 'one question' if name == 'n' else str(low)
            parser.error(f'{name.replace("_", "-")} is {value}; at least {hint} is needed')
    if options.data is not None and not options.tasks:
        tasks = data_tasks(options.data, options.seed, options.split)
    return Plan(checkpoint, tasks, modes, options.n, options.seed, options.data,
                options.split, options.reference, options.reference_n, options.samples,
                options.workers,
                Options(options.oracle_input, options.cot_tokens, options.steps), options.batch,
                options.dtype)


def main(arguments: list[str] | None = None) -> int:
    """Run the command line."""
    parser = build_parser()
    options = parser.parse_args(arguments)
    try:
        check_folder(options.out)
        if options.recommend and Path(options.checkpoint).is_dir():
            check_folder(Path(options.checkpoint))
        results = evaluate(plan_from(parser, options, options.checkpoint), options.out,
                           options.scenes)
        recommended = recommend(options.checkpoint, results) if options.recommend else None
    except (BagelError, StoreError, SpatialError, EvaluationError) as error:
        parser.exit(1, f'ipt evaluate: {error}\n')
    except OSError as error:
        parser.exit(1, f'ipt evaluate: {in_words(error)}\n')
    print(table(results))
    if recommended is not None:
        print(f'wrote {recommended}')
    print(f'wrote {options.out / "results.json"}; for a web page: ipt report {options.out}')
    return 0


if __name__ == '__main__':
    raise SystemExit(main())
