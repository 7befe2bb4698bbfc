# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""
The command `ipt`.

Each subcommand imports what it needs when it runs: `ipt doctor` must work where half is missing.
"""

import argparse
from collections.abc import Callable, Sequence
import importlib
import json
import os
from pathlib import Path
import sys

import ipt_ros
from ipt_ros.outputs import check_file, in_words
from ipt_ros.paths import DDS_PROFILE, MissingFileError, NANO, shared
from ipt_ros.processes import take_interrupts

_OURS = ('ipt_ros', 'ipt_sim', 'ipt_training')
EPILOG = 'ipt COMMAND --help says more about a command.'


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command line (without the program's name); return the exit code."""
    take_interrupts()
    parser = build_parser()
    options, rest = parser.parse_known_args(arguments)
    if rest and not options.takes_all:
        parser.error(f"unknown arguments: {' '.join(rest)}")
    try:
        return options.run(options, rest) or 0
    except KeyboardInterrupt:
        print('\nstopped', file=sys.stderr)
        return 130
    except MissingFileError as error:
        return _failed(error)
    except OSError as error:  # a folder that cannot be written, a disk that is full
        return _failed(in_words(error))
    except ImportError as error:
        if (error.name or '').partition('.')[0] in _OURS:
            raise
        return _failed(f"{error}; 'ipt doctor' says what is missing or broken, and what to do")


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of all subcommands."""
    parser = argparse.ArgumentParser(
        prog='ipt', epilog=EPILOG, description='Imagined views and spatial answers for robots.')
    parser.add_argument('--version', action='version', version=f'ipt {ipt_ros.__version__}')
    commands = parser.add_subparsers(metavar='COMMAND', required=True)

    def command(name: str, run: Callable, summary: str) -> argparse.ArgumentParser:
        sub = commands.add_parser(
            name, help=summary, description=summary[0].upper() + summary[1:] + '.')
        sub.set_defaults(run=run, takes_all=False)
        return sub

    def forwarded(name: str, module: str, summary: str) -> None:
        # Its own parser has the options and --help; saying them here as well would rot.
        sub = commands.add_parser(name, help=summary, add_help=False)
        sub.set_defaults(
            run=lambda options, rest: importlib.import_module(module).main(rest), takes_all=True)

    demo = command('demo', _demo, 'ask a simulated robot about space it cannot see; write a page')
    demo.add_argument('--checkpoint', type=Path, help=f'model folder (default: {NANO})')
    demo.add_argument(
        '--seed', type=int, default=1_000_000,
        help='first room; those from 1000000 on were not trained on (default: %(default)s)')
    demo.add_argument(
        '--out', type=Path, default=Path('demo_out'),
        help='folder for the page, pictures, logs (default: %(default)s)')

    ask = command('ask', _ask, 'ask a running imagination node')
    ask.add_argument('question', help='in plain words')
    ask.add_argument('--choices', nargs='+', default=[], metavar='TEXT', help='possible answers')
    ask.add_argument('--task', default='auto', help='auto, pet, pt, mvc, free (default: auto)')
    ask.add_argument('--mode', default='auto', help='auto, answer, imagine (default: auto)')
    ask.add_argument('--cameras', nargs='+', default=[], metavar='NAME', help='in this order')
    ask.add_argument(
        '--target', nargs=2, type=float, metavar=('X', 'Y'), help='point on the ground (m)')
    ask.add_argument(
        '--path', nargs='+', type=float, default=[], metavar='M',
        help='X1 Y1 X2 Y2 ...: a path on the ground (m) from waypoint 1 to waypoint 2')
    ask.add_argument('--frame', default='map', help='frame of target and path (default: map)')
    ask.add_argument('--seed', type=int, default=-1, help="default: the node's own")
    ask.add_argument('--namespace', default='/ipt', help='of the node (default: /ipt)')
    ask.add_argument('--timeout', type=float, default=600.0, help='s (default: 600)')
    ask.add_argument('--json', action='store_true', help='print the answer as JSON')
    ask.add_argument('--out', type=Path, help='folder for what the model saw and imagined')

    load = command(
        'load-model', _load_model, 'give a running imagination node another model')
    load.add_argument(
        'source', help="checkpoint folder, or that of a LoRA adapter, on the node's machine; or "
                       'Hugging Face id (owner/name)')
    load.add_argument('--namespace', default='/ipt', help='of the node (default: /ipt)')
    load.add_argument('--timeout', type=float, default=600.0, help='s (default: 600)')

    forwarded('verify', 'ipt_ros.bagel.verify', 'compare the model with golden numbers')
    forwarded('scene', 'ipt_sim.export_command', 'write rooms as a Habitat scene data set')
    forwarded('collect', 'ipt_ros.collect.command', 'drive robots and record what they see')
    forwarded('bag', 'ipt_ros.bags.command', 'look into bags, repair bags')
    forwarded('dataset', 'ipt_training.datasets.command', 'build a data set, or look at one')
    forwarded('evaluate', 'ipt_training.evaluate', 'measure accuracy on unseen questions')
    forwarded('report', 'ipt_training.evaluation.report', 'make a web page of an evaluation')
    forwarded('compare', 'ipt_training.evaluation.compare',
              'compare two checkpoints on the same questions')
    forwarded('experiment', 'ipt_training.experiment.command',
              'compare modes of training, as the paper does')
    forwarded('train', 'ipt_training.train',
              'make a checkpoint from scratch, or train one further')

    bench = command('bench', _bench, 'measure answering, imagining, streaming and training')
    bench.add_argument('--checkpoint', type=Path, help=f'model folder (default: {NANO})')
    bench.add_argument('--repeats', type=int, default=3, help='runs a figure (default: 3)')
    bench.add_argument('--out', type=Path, help='write the figures to this JSON file, too')

    command('doctor', _doctor, 'check this machine and say what to do').add_argument(
        '--checkpoint', type=Path, help=f'model folder (default: {NANO})')
    return parser


def _checkpoint(options: argparse.Namespace) -> Path:
    return options.checkpoint or shared(NANO)


def _demo(options: argparse.Namespace, rest: list[str]) -> int:
    from ipt_ros.demo.run import DemoError, Options, run
    if not 0 <= options.seed < 2**31:
        return _failed(f'--seed {options.seed} is outside 0 ... {2**31 - 1}')
    try:
        return run(Options(_checkpoint(options), options.seed, options.out))
    except DemoError as error:
        return _failed(error)


def _ask(options: argparse.Namespace, rest: list[str]) -> int:
    if len(options.path) % 2 or len(options.path) == 2:
        return _failed('--path takes two places or more: X1 Y1 X2 Y2 ...')
    _set_dds_profile()
    from ipt_ros.asking import ask
    return ask(options)


def _load_model(options: argparse.Namespace, rest: list[str]) -> int:
    _set_dds_profile()
    from ipt_ros.load_model import load_model
    return load_model(options)


def _set_dds_profile() -> None:
    # Before DDS starts; nodes with and without the profile understand each other.
    os.environ.setdefault('FASTRTPS_DEFAULT_PROFILES_FILE', str(shared(DDS_PROFILE)))


def _bench(options: argparse.Namespace, rest: list[str]) -> int:
    from ipt_ros.bagel import BagelError
    from ipt_ros.bench import run, table
    if options.repeats < 1:
        return _failed(f'--repeats {options.repeats}: give 1 or more')
    if options.out:
        check_file(options.out)
    try:
        figures = run(_checkpoint(options), options.repeats)
    except BagelError as error:
        return _failed(error)
    print(table(figures))
    if options.out:
        options.out.parent.mkdir(parents=True, exist_ok=True)
        options.out.write_text(json.dumps(figures, indent=2) + '\n', encoding='utf-8')
    return 0


def _doctor(options: argparse.Namespace, rest: list[str]) -> int:
    from ipt_ros.doctor import examine, report
    findings = examine(options.checkpoint)
    print(report(findings))
    return 1 if any(item.level == 'fail' for item in findings) else 0


def _failed(reason: object) -> int:
    print(f'ipt: {reason}', file=sys.stderr)
    return 1


if __name__ == '__main__':
    sys.exit(main())
