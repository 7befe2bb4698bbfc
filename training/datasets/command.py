# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""The command ``ipt dataset``: build a data set, look at one."""

import argparse
from collections.abc import Sequence
from dataclasses import fields, replace
import os
from pathlib import Path
import sys

from ipt_ros.outputs import check_file, in_words
from ipt_ros.spatial import TASKS
from ipt_sim import BACKENDS, load_randomization, RandomizationError, SimulatorError
from ipt_training.bag_arguments import (
    add_reading_options,
    given_options,
    OPTIONS,
    reading_options,
)
from ipt_training.datasets.build import build, BuildError, Plan, SHARD_SIZE
from ipt_training.datasets.card import CARD, summary
from ipt_training.datasets.mode_rows import mode_folder, PROMPTS, write_mode_rows
from ipt_training.datasets.options_file import load_options
from ipt_training.datasets.published import LAYOUTS
from ipt_training.datasets.reading import list_shards, sample
from ipt_training.datasets.show import page, write_page
from ipt_training.datasets.simulated import SimulatedScenes, unit_size
from ipt_training.datasets.splits import checked_shares, SHARES, SPLITS
from ipt_training.errors import BadRowError
from ipt_training.examples import EVALUATION_SEED, ExampleOptions, GENERATED_TASKS
from ipt_training.store import StoreError

_NAMED = 5  # rows that are named one by one when they cannot be shown
_VARIANTS = '_variants'  # ends the names of the options that choose variants


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return 0 for success, 1 for a data set that is not as asked for."""
    parser = build_parser()
    options = parser.parse_args(arguments)
    try:
        return options.run(options, options.parser)
    except (StoreError, SimulatorError, RandomizationError, OSError) as error:
        reason = in_words(error) if isinstance(error, OSError) else error
        print(f'ipt dataset: {reason}', file=sys.stderr)
        return 1


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of ``ipt dataset``."""
    parser = argparse.ArgumentParser(
        prog='ipt dataset', description='Build data sets of spatial examples, and look at them.')
    commands = parser.add_subparsers(metavar='COMMAND', required=True)
    _add_build(commands.add_parser(
        'build', help='make a data set from simulated scenes or recordings',
        description='Make a data set of parquet shards with splits by scene and a card. A stopped '
                    'build goes on where it was when the same command is given again. The exit '
                    'code is 1 when the data set is not what was asked for.'))
    _add_show(commands.add_parser(
        'show', help='write a web page with examples',
        description='Write a web page with examples of a data set: one of ours, or a published '
                    'one as it is.'))
    return parser


def _add_build(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(run=_build, parser=parser)
    add = parser.add_argument
    add('--tasks', help=f'comma between, of {",".join(GENERATED_TASKS)}; recordings give pet,mvc '
                        '(default: all that can be made)')
    add('--n', type=int, help='examples over ALL tasks, the same number for each; needed unless '
                              '--from is given, which without it takes all that can be mined')
    add('--seed', type=int, default=0,
        help=f'of the first scene; from {EVALUATION_SEED} on for evaluation (default: 0)')
    add('--out', type=Path, required=True, help='folder of the data set, new or empty')
    add('--workers', type=int, default=os.cpu_count(), help='processes (default: %(default)s)')
    add('--backend', choices=BACKENDS, default='mujoco', help='simulator (default: %(default)s)')
    add('--scene', default='', help='scenes of the habitat backend (default: generated rooms)')
    add('--scene-dataset', default='', help='a *.scene_dataset_config.json for habitat')
    add('--from', dest='bags', nargs='+', default=[], metavar='[SCENE=]BAG',
        help='mine recordings of a robot in place of a simulator; SCENE names the place that a '
             "bag shows, so that bags of one place get into one split (default: the bag's name)")
    add_reading_options(parser)
    add('--randomization', type=Path, metavar='YAML', help='vary looks, cameras and sensors')
    add('--options', type=Path, metavar='YAML',
        help='how examples are made: settings of ipt_training.examples.ExampleOptions, such as '
             'sizes in pixels; config/examples_large.yaml has those of 7B models')
    add('--variants', default='',
        help='comma between, or all (default: those that the nano checkpoint is trained on)')
    add('--modes', default='',
        help=f'comma between, of {",".join(PROMPTS)}: write their rows, too, for other trainers, '
             'each to a folder of its own beside the data set')
    shares = ','.join(str(SHARES[split]) for split in SPLITS)
    add('--shares', default=shares,
        help=f'of the scenes for {", ".join(SPLITS)} (default: %(default)s)')
    add('--shard-size', type=int, default=SHARD_SIZE,
        help='examples a file (default: %(default)s)')


def _add_show(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(run=_show, parser=parser)
    parser.add_argument('folder', type=Path, help='data set, or one parquet file of it')
    parser.add_argument('--n', type=int, default=12, help='examples (default: %(default)s)')
    parser.add_argument('--seed', type=int, default=0, help='of the choice (default: 0)')
    parser.add_argument('--layout', choices=list(LAYOUTS),
                        help='of a published data set (default: told from its columns)')
    parser.add_argument('--out', type=Path, default=Path('dataset.html'),
                        help='page to write (default: %(default)s)')


def _build(options: argparse.Namespace, parser: argparse.ArgumentParser) -> int:
    known = GENERATED_TASKS
    if options.bags:
        # Imported late: reading bags and fusing depth images takes much that simulators do not.
        from ipt_training.datasets.recorded import bags_from, RecordedBags
        from ipt_training.mining import MINED_TASKS as known
    tasks = tuple(dict.fromkeys(options.tasks.split(','))) if options.tasks else known
    unknown = [task for task in tasks if task not in known]
    if unknown:
        parser.error(f'unknown tasks {unknown}; '
                     f'{"recordings give" if options.bags else "there are"}: {", ".join(known)}')
    modes = tuple(dict.fromkeys(filter(None, options.modes.split(','))))
    if not set(modes) <= set(PROMPTS):
        parser.error(f'modes are {", ".join(PROMPTS)} (ipt is the data set itself); got '
                     f'{options.modes}')
    if options.n is None and not options.bags:
        parser.error('say how many examples to make with --n')
    for name, least in (('n', len(tasks)), ('seed', 0), ('workers', 1), ('shard_size', 1)):
        value = getattr(options, name)
        if value is not None and value < least:
            parser.error(f'--{name.replace("_", "-")} is {value}, must be at least {least}')
    if options.bags:
        foreign = ('scene', 'scene_dataset', 'randomization', 'options', 'variants')
        given = [name for name in foreign if getattr(options, name)]
        if given:
            parser.error(f'--{given[0].replace("_", "-")} belongs to a simulator; --from takes '
                         'recordings as they are')
    elif given_options(options):
        parser.error(f'{", ".join(OPTIONS)} are about recordings; name some with --from')
    made = load_options(options.options) if options.options else ExampleOptions()
    try:
        shares = checked_shares([float(share) for share in options.shares.split(',')])
        made = with_variants(made, tasks, options.variants)
        reading = reading_options(options) if options.bags else None
    except ValueError as error:
        parser.error(str(error))
    if options.bags:
        source = RecordedBags(tasks, bags_from(options.bags), options.seed, reading)
        about = {'seed': options.seed}
    else:
        randomization = options.randomization and load_randomization(options.randomization)
        source = SimulatedScenes(
            tasks, options.seed, options.backend, options.scene, options.scene_dataset,
            randomization, made, unit_size(options.n, len(tasks)))
        about = {'seed': options.seed, 'backend': options.backend}
    plan = Plan(tasks, options.n, source, shares, options.shard_size)
    card = build(plan, options.out, options.workers, about)
    print(summary(card))
    print(f'wrote {options.out / CARD}')
    complete = not card['problems']
    for mode in modes:
        left_out = write_mode_rows(options.out, card['recipe'], mode)
        print(f'wrote {left_out.pop("rows")} rows to {mode_folder(options.out, mode)}')
        for reason, number in left_out.items():
            print(f'{mode}: {number} rows left out, {reason}')
        complete = complete and not left_out
    return 0 if complete else 1


def with_variants(made: ExampleOptions, tasks: Sequence[str], names: str) -> ExampleOptions:
    """
    Return options with the named variants (comma between) for the tasks that have them.

    Tasks of which none is named keep theirs; 'all' names every one. Raise ValueError for a name
    that no task has, or whose task has no choice.
    """
    asked = [name for name in names.split(',') if name]
    there = {task: TASKS[task].variants for task in tasks}
    if asked == ['all']:
        asked = [name for task in tasks for name in there[task]]
    for name in asked:
        owners = [task for task in tasks if name in there[task]]
        if not owners:
            listed = '; '.join(f'{task}: {", ".join(there[task])}' for task in tasks)
            raise ValueError(f"no variant '{name}'; there are {listed}")
    known = {item.name for item in fields(made)}
    for task in tasks:
        chosen = tuple(name for name in there[task] if name in asked)
        if chosen and task + _VARIANTS not in known:
            if set(chosen) != set(there[task]):
                raise ValueError(f'{task} makes all of its variants ({", ".join(there[task])})')
        elif chosen:
            made = replace(made, **{task + _VARIANTS: chosen})
    return made


def _show(options: argparse.Namespace, parser: argparse.ArgumentParser) -> int:
    if options.n < 1:
        parser.error(f'--n is {options.n}, must be at least 1')
    check_file(options.out)
    shards = list_shards(options.folder, options.layout)
    refused: list[BadRowError] = []
    examples = sample(shards, options.n, options.seed, refused)
    for error in refused[:_NAMED]:
        print(f'left out: {error}', file=sys.stderr)
    if len(refused) > _NAMED:
        print(f'left out: {len(refused) - _NAMED} more rows', file=sys.stderr)
    if not examples:
        reason = f': {refused[0]}' if refused else ''
        raise BuildError(f"'{options.folder}' has no example that can be shown{reason}")
    write_page(options.out, page(
        options.folder.name, examples, sum(shard.length for shard in shards)))
    print(f'wrote {options.out}: {len(examples)} examples')
    return 0
