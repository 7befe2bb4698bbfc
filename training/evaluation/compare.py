# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""``ipt compare A B``: two runs, or two modes of one, side by side on the same questions."""

import argparse
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from ipt_ros.bagel import BagelError
from ipt_ros.outputs import check_folder, in_words
from ipt_ros.spatial.errors import SpatialError
from ipt_training.evaluate import add_options, plan_from
from ipt_training.store import StoreError, write_json
import numpy as np

from .errors import EvaluationError
from .images import MEASURES
from .records import judged, read_json, Record, RecordFolder, right, RUN
from .run import evaluate
from .statistics import bootstrap_interval, holm, mcnemar_exact, ratio_interval
from .tables import number_range, share, text_table

RESULT = 'compare.json'


@dataclass(frozen=True)
class Side:
    """The records of one side by question id, and what to call it."""

    name: str
    records: dict[str, Record]


def compare(first: Side, second: Side, measures: Sequence[str] = tuple(MEASURES)) -> dict:
    """
    Compare two sides on the questions that both were asked.

    Returns accuracies, ``difference`` (second minus first) with a paired bootstrap interval, how
    many questions only one side got right, and ``p`` of McNemar's exact test. For images that
    both imagined, ``images`` has the mean difference of each of ``measures``, and that of object
    recall, with intervals; above 0 the second is better. Raises EvaluationError where no question
    is shared, and where none of those shared has a known answer.
    """
    shared = [key for key in first.records if key in second.records]
    if not shared:
        raise EvaluationError(
            f'{first.name} and {second.name} share no question; evaluate both with the same '
            '--seed or --data')
    sides = [[side.records[key] for key in shared] for side in (first, second)]
    known = [judged(records) for records in sides]
    if not known[0]:
        raise EvaluationError(f'no question that {first.name} and {second.name} share has a known '
                              'answer; ipt report shows how near their images are')
    hits = np.array([right(records) for records in known])
    only_first, only_second = int((hits[0] & ~hits[1]).sum()), int((hits[1] & ~hits[0]).sum())
    gain = hits[1].astype(float) - hits[0]
    return {
        'n': len(known[0]),
        'first': float(hits[0].mean()),
        'second': float(hits[1].mean()),
        'difference': float(gain.mean()),
        'ci95': list(bootstrap_interval([gain])),
        'only_first': only_first,
        'only_second': only_second,
        'p': mcnemar_exact(only_first, only_second),
        'left_out': len(first.records) + len(second.records) - 2 * len(shared),
        'images': _images(*sides, measures),
    }


def _images(first: Sequence[Record], second: Sequence[Record], measures: Sequence[str]) -> dict:
    pairs = [(a, b) for a, b in zip(first, second) if a['scores'] and b['scores']]
    if not pairs:
        return {}
    report: dict = {}
    for measure in measures:
        gain = np.array([b['scores']['imagined'][measure] - a['scores']['imagined'][measure]
                         for a, b in pairs])
        gain = gain if MEASURES[measure] else -gain
        report[measure] = {'n': len(pairs), 'mean': float(gain.mean()),
                           'ci95': list(bootstrap_interval([gain]))}
    counts = [(a['objects']['imagined'], b['objects']['imagined'])
              for a, b in pairs if a['objects'] and b['objects']]
    objects = [a['objects'] for a, _ in counts]
    if sum(objects):
        found = [b['found'] - a['found'] for a, b in counts]
        report['object recall'] = {'n': len(counts), 'mean': sum(found) / sum(objects),
                                   'ci95': list(ratio_interval(found, objects))}
    return report


@dataclass(frozen=True)
class Comparison:
    """
    Two results folders side by side.

    ``tasks``: {task: {mode: `compare`'s answer and the p adjusted by Holm}}. ``left_out``: why
    what they have in common could not be compared, by task and mode ('mvc imagine').
    """

    tasks: dict[str, dict]
    left_out: dict[str, str]


def compare_folders(first: Path, second: Path,
                    modes: tuple[str, str] | None = None) -> Comparison:
    """
    Compare two results folders.

    ``modes`` compares one mode of the first with another of the second ('answer', 'imagine').
    Raises EvaluationError where there is nothing in common, where nothing can be compared, and
    for damaged records.
    """
    folders = [RecordFolder.of(folder) for folder in (first, second)]
    weights = [read_json(folder / RUN)['settings']['fingerprint'] for folder in (first, second)]
    # Image features of unlike encoders have unlike scales.
    measures = [name for name in MEASURES if name != 'perceptual' or weights[0] == weights[1]]
    there = [set(folder.pairs()) for folder in folders]
    if modes is None:
        rows = [(task, mode, mode) for task, mode in sorted(there[0] & there[1])]
    else:
        tasks = sorted({task for task, mode in there[0] if mode == modes[0]}
                       & {task for task, mode in there[1] if mode == modes[1]})
        rows = [(task, *modes) for task in tasks]
    if not rows:
        raise EvaluationError(
            f"'{first}' and '{second}' have no task and mode in common: the first has "
            f'{_listed(there[0])}; the second {_listed(there[1])}')
    report: dict[str, dict] = {}
    reasons: dict[str, str] = {}
    found = []
    for task, mode_a, mode_b in rows:
        name = mode_a if mode_a == mode_b else f'{mode_a} : {mode_b}'
        sides = (Side(f"'{first}' {mode_a}", folders[0].read(task, mode_a)),
                 Side(f"'{second}' {mode_b}", folders[1].read(task, mode_b)))
        try:
            result = compare(*sides, measures)
        except EvaluationError as error:  # must not take the other tasks with it
            reasons[f'{task} {name}'] = str(error)
            continue
        report.setdefault(task, {})[name] = result
        found.append(result)
    if not found:
        raise EvaluationError('nothing can be compared\n' + '\n'.join(_lines(reasons)))
    for result, p in zip(found, holm([result['p'] for result in found])):
        result['p_holm'] = p
    return Comparison(report, reasons)


def table(report: dict) -> str:
    """Return a comparison as lines of text."""
    rows, images = [], []
    for task, modes in report.items():
        for mode, row in modes.items():
            rows.append([
                f'{task} {mode}', str(row['n']), share(row['first']), share(row['second']),
                number_range(100 * row['difference'], [100 * end for end in row['ci95']], 1, True),
                f'{row["only_first"]} : {row["only_second"]}', f'{row["p"]:.4f}',
                f'{row["p_holm"]:.4f}'])
            images += [
                [f'{task} {mode}', measure, str(gain['n']),
                 number_range(gain['mean'], gain['ci95'], 3, True)]
                for measure, gain in row['images'].items()]
    text = text_table(['', 'n', 'A', 'B', 'B - A, points [95 %]', 'only A : only B', 'p',
                       'p (Holm)'], rows)
    if images:
        text += '\n\nImagined images, by how much B is nearer to the truth [95 %]\n' + text_table(
            ['', 'measure', 'n', 'B better by'], images)
    return text


def _listed(pairs: set[tuple[str, str]]) -> str:
    return ', '.join(' '.join(pair) for pair in sorted(pairs)) or 'no records'


def _lines(left_out: dict[str, str]) -> list[str]:
    return [f'left out: {name}: {reason}' for name, reason in left_out.items()]


def _is_results(path: Path) -> bool:
    # The work_dir of ipt train has a file of this name, too.
    return (path / RUN).is_file() and 'records' in read_json(path / RUN)


def main(arguments: list[str] | None = None) -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(
        prog='ipt compare',
        description='Compare two checkpoints, or two folders that ipt evaluate wrote, on the same '
                    'questions: difference of accuracy with a paired bootstrap interval, and '
                    "McNemar's exact test. Checkpoints are evaluated first, into OUT/a and OUT/b; "
                    'the options below say how.')
    parser.add_argument('first', help='A: results folder, or checkpoint')
    parser.add_argument('second', help='B: results folder, or checkpoint')
    parser.add_argument('--pair', metavar='MODE,MODE',
                        help='compare one mode of A with another one of B, such as '
                             'answer,imagine; A and B may be the same folder')
    parser.add_argument('--out', type=Path, default=Path('compare_out'),
                        help='folder to write to (default: %(default)s)')
    add_options(parser)
    options = parser.parse_args(arguments)
    pair = tuple(options.pair.split(',')) if options.pair else None
    if pair is not None and len(pair) != 2:
        parser.error(f"pair is '{options.pair}'; give two modes with a comma between")
    try:
        check_folder(options.out)
        folders = [_evaluated(parser, options, given, options.out / name)
                   for given, name in ((options.first, 'a'), (options.second, 'b'))]
        found = compare_folders(*folders, pair)
        write_json(options.out / RESULT, {
            'a': options.first, 'b': options.second, **asdict(found)})
    except (BagelError, StoreError, SpatialError, EvaluationError) as error:
        parser.exit(1, f'ipt compare: {error}\n')
    except OSError as error:
        parser.exit(1, f'ipt compare: {in_words(error)}\n')
    print(f'A: {options.first}\nB: {options.second}\n')
    print(table(found.tasks))
    if found.left_out:
        print('', *_lines(found.left_out), sep='\n')
    print(f'\nwrote {options.out / RESULT}')
    return 0


def _evaluated(parser: argparse.ArgumentParser, options: argparse.Namespace, given: str,
               out: Path) -> Path:
    """Return a results folder: the given one, or one made from the given checkpoint."""
    if _is_results(Path(given)):
        return Path(given)
    evaluate(plan_from(parser, options, given), out,
             scenes=options.scenes or options.out)
    return out


if __name__ == '__main__':
    raise SystemExit(main())
