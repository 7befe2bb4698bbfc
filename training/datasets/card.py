# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""
What a data set says of itself: ``dataset.json`` for programs, ``README.md`` for people.

Both are made from the shards as they are on disk, not from what was meant to be in them.
``README.md`` starts with the YAML of a Hugging Face data-set card, so that the folder can be
uploaded or loaded as it is.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping
import json
from pathlib import Path
from typing import Any, TYPE_CHECKING

from ipt_training.datasets.splits import is_for_evaluation, seed_in, SPLITS
from ipt_training.examples import EVALUATION_SEED
from ipt_training.store import read_metadata, split_of_shard, StoreError, write_json
import yaml

if TYPE_CHECKING:
    from ipt_training.datasets.build import Plan

CARD = 'dataset.json'
PAGE = 'README.md'
_SIZES = ((1_000, 'n<1K'), (10_000, '1K<n<10K'), (100_000, '10K<n<100K'),
          (1_000_000, '100K<n<1M'))
_TITLES = {'pet': 'perspective taking', 'pt': 'path tracing', 'mvc': 'multi-view counting'}


def make_card(plan: 'Plan', shards: Mapping[Path, int], tally: dict, out: Path) -> dict:
    """
    Return the card of a data set whose shards (with their lengths) are on disk.

    tally: what building cost and turned down. Raise StoreError where a shard is not what was
    written, or where splits share a place: then no number measured on them could be trusted.
    """
    tasks: dict[str, _Statistics] = {task: _Statistics() for task in plan.tasks}
    evaluated: set[str] = set()
    for path, length in shards.items():
        rows = list(read_metadata(path))
        if len(rows) != length:
            raise StoreError(f"'{path}' has {len(rows)} rows, {length} were written; delete the "
                             'data set and build it again')
        for row in rows:
            tasks[row['task']].add(row, split_of_shard(path))
            if is_for_evaluation(row.get('scene_name') or row['scene'], seed_in(row)):
                evaluated.add(row['place'])
    places = {split: set().union(*(s.places[split] for s in tasks.values())) for split in SPLITS}
    check_disjoint(places)
    cost = tally['cost']
    total: Counter = sum(cost.values(), Counter())
    return {
        'recipe': plan.recipe(),
        'examples': sum(shards.values()),
        'questions': sum(s.questions for s in tasks.values()),
        'splits': {
            split: {'examples': sum(s.splits[split] for s in tasks.values()),
                    'places': len(places[split])}
            for split in SPLITS},
        'tasks': {
            task: statistics.summary() | ({
                'attempts': cost[task]['attempts'],
                'cost': _price(cost[task], statistics.splits.total())} if task in cost else {})
            for task, statistics in tasks.items()},
        'attempts': total['attempts'],
        'cost': _price(total, sum(shards.values())),
        'turned_down': tally['turned_down'],
        'failed_verification': tally['failed'],
        'refused': tally['refused'],
        'problems': _problems(tally, tasks),
        'notes': _notes(plan, places, evaluated),
        'files': {str(path.relative_to(out)): length for path, length in shards.items()},
    }


def check_disjoint(places: Mapping[str, set[str]]) -> None:
    """Raise StoreError where a place is in more than one split."""
    names = list(places)
    for number, split in enumerate(names):
        for other in names[number + 1:]:
            both = places[split] & places[other]
            if both:
                raise StoreError(f'splits {split} and {other} share {len(both)} places, such as '
                                 f'{min(both)!r}')


class _Statistics:
    """Counts over the rows of one task."""

    def __init__(self):
        self.splits: Counter = Counter()
        self.places: dict[str, set[str]] = defaultdict(set)
        self.variants: Counter = Counter()
        self.rows: dict[str, Counter] = defaultdict(Counter)  # by the row's own question
        self.all: dict[str, Counter] = defaultdict(Counter)  # by all questions
        self.questions = 0

    def add(self, row: Mapping[str, Any], split: str) -> None:
        self.splits[split] += 1
        self.places[split].add(row['place'])
        self.variants[row['variant']] += 1
        self.questions += len(row['questions'])
        for number, question in enumerate(row['questions']):
            for kind, value in _kinds(row, question):
                self.all[kind][value] += 1
                if number == 0:
                    self.rows[kind][value] += 1

    def summary(self) -> dict:
        return {
            'examples': self.splits.total(),
            'questions': self.questions,
            'splits': {split: {'examples': self.splits[split], 'places': len(self.places[split])}
                       for split in SPLITS},
            'variants': dict(sorted(self.variants.items())),
            'balance': {kind: _ordered(counts) for kind, counts in self.rows.items()},
            'balance_all_questions': {kind: _ordered(counts) for kind, counts in self.all.items()},
        }


def _kinds(row: Mapping[str, Any], question: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
    """Yield all that should come out about equally often."""
    yield 'subtask', question['subtask']
    if question['answer']:
        yield 'answer', question['answer']
    told = question['metadata']
    # Path tracing calls the object that is asked for by where it is: seen.
    for name, value in (('count', told.get('count')), ('turn', told.get('turn', row.get('turn'))),
                        ('side', told.get('side')), ('length', told.get('bin')),
                        ('category', told.get('category', told.get('seen')))):
        if isinstance(value, str | int):
            yield name, str(value)


def _ordered(counts: Counter) -> dict[str, int]:
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def _price(cost: Mapping[str, float], examples: int) -> dict[str, float]:
    """Return seconds of processes together and an example, by the clock and of the processor."""
    return {
        key: round(cost[name] / share, 4)
        for name in ('seconds', 'cpu_seconds')
        for key, share in ((name, 1), (f'{name}_per_example', max(examples, 1)))}


def _problems(tally: dict, tasks: Mapping[str, _Statistics]) -> list[str]:
    """Say what keeps the data set from being what was asked for."""
    found = []
    for task, missing in tally['missing'].items():
        made = tasks[task].splits.total()
        why = (
            'too few scenes gave one, see what was turned down' if task in tally['given_up'] else
            'there was no more to look at')
        found.append(f'{task}: {made} examples of {made + missing} asked for; {why}')
    found += [f'{name}: {why}' for name, why in tally['refused'].items()]
    empty = [task for task, s in tasks.items() if not s.splits and task not in tally['missing']]
    found += [f'{task}: no example' for task in empty]
    return found


def _notes(
    plan: 'Plan', places: Mapping[str, set[str]], evaluated: Collection[str],
) -> list[str]:
    """Say what a user may not expect, though it is what was asked for."""
    total = len(set().union(*places.values()))
    kept_back = [
        f'{len(evaluated)} place{"s" * (len(evaluated) != 1)} with a seed from {EVALUATION_SEED} '
        f'on, on which checkpoints are evaluated: all in the test split, such as {min(evaluated)}'
    ] if evaluated else []
    return kept_back + [
        f'{split}: no example; {total} place{"s" * (total != 1)} and a share of {share:.0%}, by '
        'which some split may get none'
        for split, share in plan.shares.items() if share and total and not places[split]]


def finish_card(card: dict, out: Path) -> None:
    """Write the page and, last, the card: it says that all is there."""
    (out / PAGE).write_text(page(card), encoding='utf-8')
    write_json(out / CARD, card)


def page(card: dict) -> str:
    """Return a card as Markdown, after the YAML that the Hugging Face hub reads."""
    front = yaml.safe_dump(_front_matter(card), sort_keys=False, allow_unicode=True)
    source = card['recipe']['source']
    parts = [
        f'---\n{front}---\n',
        '# Imaginative perception examples\n',
        _what(card, source),
        '## Splits\n',
        'A place is in one split only, drawn by a hash of its name; no row was drawn by itself.\n',
        _table(['split', 'examples', 'places'], [
            [split, str(row['examples']), str(row['places'])]
            for split, row in card['splits'].items()]),
        '## Tasks\n',
        _table(
            ['task', 'examples', 'questions', 'attempts', 's an example', 'processor s'],
            [[_TITLES.get(task, task), row['examples'], row['questions'],
              row.get('attempts', ''), *_each(row.get('cost'))]
             for task, row in card['tasks'].items()]
            + [['all', card['examples'], card['questions'], card['attempts'],
                *_each(card['cost'])]]),
        'Seconds are those of one process for an example that was kept: by the clock, and of '
        'processor time.\n',
        '## Balance\n',
        'Of the question that a row asks; `dataset.json` has it for all questions, too.\n',
        *(_balance(task, row) for task, row in card['tasks'].items()),
        '## Turned down\n',
        _table(['while looking for examples', 'times'], _counted(card['turned_down'])),
        _table(['questions that failed verification, by rule', 'questions'],
               _counted(card['failed_verification'])),
    ]
    for title in ('problems', 'notes'):
        if card[title]:
            listed = '\n'.join(f'- {item}' for item in card[title])
            parts += [f'## {title.capitalize()}\n', f'{listed}\n']
    parts += ['## Made by\n', 'Built by `ipt dataset build` with:\n',
              f'```json\n{json.dumps(card["recipe"], indent=1)}\n```\n']
    return '\n'.join(part for part in parts if part)


def _each(cost: Mapping[str, float] | None) -> list[str]:
    """Return what an example cost as two cells of a table."""
    if cost is None:
        return ['', '']
    return [f'{cost[name + "_per_example"]:.3f}' for name in ('seconds', 'cpu_seconds')]


def _front_matter(card: dict) -> dict:
    tasks = {task: row for task, row in card['tasks'].items() if row['examples']}
    size = next((name for limit, name in _SIZES if card['examples'] < limit), '1M<n<10M')
    front = {
        'pretty_name': 'Imaginative perception examples',
        'language': ['en'],
        'task_categories': ['visual-question-answering', 'image-to-image'],
        'tags': ['spatial-reasoning', 'robotics', *(
            ['synthetic'] if card['recipe']['source']['kind'] == 'simulator' else [])],
        'size_categories': [size],
        'configs': [
            {'config_name': task, 'data_files': [
                {'split': split, 'path': f'{task}/{split}-*.parquet'}
                for split, numbers in row['splits'].items() if numbers['examples']]}
            for task, row in tasks.items()],
    }
    if card['recipe']['source'].get('scene', None) == '':
        front = {'license': 'apache-2.0', **front}  # nobody else's scenes or recordings are in it
    return front


def _what(card: dict, source: dict) -> str:
    where = {
        'simulator': 'scenes of the {backend} simulator'.format(**{'backend': ''} | source),
        'bags': 'recordings of a robot',
    }[source['kind']]
    return (
        f"{card['examples']} examples from {where}. Each row has what a model sees (`image_list`, "
        'the first `num_input_images`), what it should imagine (the last image), the instruction '
        'and the texts to write. `metadata` (JSON) has all questions about the same images, '
        'the truth, poses, scene and seed; `class_list` and `depth_list` the class and the depth '
        '(mm) of each pixel, where known.\n')


def _balance(task: str, row: dict) -> str:
    lines = []
    for kind, counts in row['balance'].items():
        total = sum(counts.values())
        shown = list(counts.items())[:12]
        text = ', '.join(f'{value or "(none)"} {count / total:.1%}' for value, count in shown)
        more = f', and {len(counts) - len(shown)} more' if len(counts) > len(shown) else ''
        lines.append([kind, text + more])
    if len(row['variants']) > 1:
        total = sum(row['variants'].values())
        lines.append(['variant', ', '.join(
            f'{name} {count / total:.1%}' for name, count in row['variants'].items())])
    return f'**{_TITLES.get(task, task)}**\n\n' + _table(['', 'shares'], lines) if lines else ''


def _counted(counts: Mapping[str, int]) -> list[list]:
    return [[reason, count] for reason, count in _ordered(Counter(counts)).items()]


def _table(head: list[str], rows: list[list]) -> str:
    """Return a Markdown table, '' for no rows."""
    if not rows:
        return ''
    lines = [head, ['---'] * len(head), *rows]
    return '\n'.join('| ' + ' | '.join(map(str, line)) + ' |' for line in lines) + '\n'


def summary(card: dict) -> str:
    """Return the card in a few lines for a terminal."""
    lines = [f"{card['examples']} examples, {card['questions']} questions"]
    for task, row in card['tasks'].items():
        splits = ', '.join(f'{s} {n["examples"]}' for s, n in row['splits'].items())
        lines.append(f"  {task:4} {row['examples']:7} ({splits})")
    seconds, cpu_seconds = _each(card['cost'])
    lines.append(f'an example took a process {seconds} s, {cpu_seconds} s of processor time')
    for title, counts in (('turned down', card['turned_down']),
                          ('failed verification', card['failed_verification'])):
        if counts:
            lines.append(f'{title}:')
            lines += [f'  {reason:60} {count:8}' for reason, count in _counted(counts)]
    lines += [f'note: {item}' for item in card['notes']]
    if card['problems']:
        lines.append('NOT what was asked for:')
        lines += [f'  {item}' for item in card['problems']]
    return '\n'.join(lines)
