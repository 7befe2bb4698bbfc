# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""The page of the experiment: what came out, beside the paper, and what is still missing."""

import math

from ipt_training.evaluation.images import MEASURES
from ipt_training.evaluation.tables import share
from ipt_training.experiment.markdown import notes, table
from ipt_training.experiment.plan import BASE
from ipt_training.experiment.results import load_paper
from ipt_training.experiment.words import (
    cost,
    gain,
    image_count,
    image_table,
    mean_cell,
    missing,
    points,
    PREDICTORS,
    TASKS,
    TEST,
    VERDICTS,
)

NAMES = {BASE: 'before (all begin here)', 'label-only': 'label-only', 'text-cot': 'text CoT',
         'ipt': 'IPT', 'mixed': 'mixed'}
ENOUGH = 100  # questions a task, below which numbers are noise
AHEAD = 0.25  # how far above chance a task's best mode should be
_MADE = '<!-- Written by `ipt experiment --report`; only the notes are written by hand. -->'
_AGAIN = """
```
ipt experiment --quick                          # everything in miniature, to see that it works
ipt experiment                                  # all of it; stopped, the same command goes on
ipt experiment --data data/rooms --workers 2    # on a data set that is there, two runs at a time
ipt experiment --report                         # this page, of what is done by now
```

[experiment.yaml](../training/recipes/experiment.yaml) is the recipe. Every run has a folder with
its recipe, log, checkpoint and results; `ipt report` and `ipt compare` take `RUN/results`, too.
All numbers of this page are in the JSON file beside it.
"""


def sections(numbers: dict) -> list[str]:
    """Return the page's sections; numbers: see `collect`."""
    paper = load_paper()
    return [
        _MADE,
        '# The experiment',
        _what(numbers),
        missing(numbers['runs']),
        '## Beside the paper',
        _main(numbers, paper),
        _targets(numbers),
        '## Conclusions',
        notes(),
        '## Which modes of training differ',
        _between(numbers, paper),
        '## What a thought brings',
        _within(numbers),
        _thought(numbers, paper),
        '## By kind of question',
        _groups(numbers, paper),
        '## Every way of asking',
        _every_way(numbers),
        '## Imagined images',
        _images(numbers),
        '## Remarks on the paper',
        '\n'.join(f'- {remark}' for remark in paper['remarks']),
        '## Doing it again',
        _AGAIN,
    ]


def _what(numbers: dict) -> str:
    runs = [run for run in numbers['runs'].values() if run['mode'] != BASE]
    modes = ', '.join(dict.fromkeys(NAMES[run['mode']] for run in runs))
    seeds = len({run['seed'] for run in runs})
    data = numbers['data']
    size = f'same {data["examples"]:,} simulated examples' if data.get('examples') else (
        'same examples')
    samples = numbers['samples_a_step']
    each = f'{samples} samples each' if samples else 'a token budget each'
    lines = [
        f'Ways of training that the paper compares ({modes}), at a size that a laptop can do: one '
        f'model over all tasks for each way and each of {seeds} '
        f'seed{"s" if seeds != 1 else ""}, going on from `{numbers["start"]}`. All draw from '
        f'the training split of the {size} (`{data["folder"]}`), in {numbers["steps"]:,} '
        f'optimizer steps of {each}.',
        '',
        '*Equal* means: the same examples, the same number of steps, the same number of samples a '
        'step; a sample is an example with all of its questions. *Mixed* draws one half of its '
        'samples to imagine and one half to answer at once, every example in both forms, so it '
        'sees each form half as often as IPT and label-only see theirs. (The paper has equal '
        'steps of equal token budgets.) Each model is asked with the prompt of the way of '
        'asking; label-only is trained with the answer-only prompt.',
        '',
        f'Asked: {numbers["questions"]} questions a task in scenes from seed {numbers["seed"]:,} '
        'on, which no training used. PET is the mean over its six sub-tasks, PT over its inputs, '
        'MVC over all questions, as in the paper. [Evaluation](evaluation.md) explains ways of '
        'asking and measures, [tasks](tasks.md) the questions.',
    ]
    left_out = _left_out(runs)
    few = numbers['questions'] < ENOUGH
    parts = ('\n'.join(lines), left_out, cost(numbers['runs']),
             '**So few questions say nothing: they show that everything runs.**' if few else '')
    return '\n\n'.join(part for part in parts if part)


def _left_out(runs: list[dict]) -> str:
    reasons = {NAMES[run['mode']]: run['left_out'] for run in runs if run.get('left_out')}
    if not reasons:
        return ''
    return 'Samples that could not be made: ' + '; '.join(
        f'{mode}, ' + ', '.join(f'{count} x {reason}' for reason, count in found.items())
        for mode, found in reasons.items()) + '.'


def _main(numbers: dict, paper: dict) -> str:
    """Return the table of the paper's main results, of the better way of asking."""
    tasks = [task for task in TASKS if task in numbers['scores']]
    if not tasks:
        return 'No run has been asked all questions yet.'
    rows = []
    for mode, published in paper['main'].items():
        row = [NAMES[mode]]
        for task in tasks:
            way = numbers['better'][task].get(mode, '')
            row += [mean_cell(numbers['scores'][task][mode][way]) + f' `{way}`' if way else '-',
                    f'{published[task]:.1f}']
        rows.append(row)
    for name in ('chance', 'blind'):
        row = ['chance' if name == 'chance' else 'from the question alone']
        for task in tasks:
            first = next(iter(next(iter(numbers['scores'][task].values())).values()))
            row += [f'{100 * first[name]:.1f}', '']
        rows.append(row)
    heads = ['trained'] + [head for task in tasks for head in (f'{TASKS[task]} here', 'paper')]
    return table(heads, rows) + (
        '\n\nPercent right: mean of the seeds (each seed) [95 % interval over questions], of the '
        'better of answering at once and thinking first, which the paper reports, too. Picking '
        'the better one on the same questions flatters every row a little.')


def _targets(numbers: dict) -> str:
    """Say whether the experiment did what it was meant to show."""
    rows = []
    for task, by_mode in numbers['scores'].items():
        found = [(cell['accuracy'], mode, way, cell) for mode, asked in by_mode.items()
                 if mode != BASE for way, cell in asked.items() if way != 'oracle']
        if found:
            accuracy, mode, way, cell = max(found, key=lambda item: item[0])
            low = cell['ci95'][0] - cell['chance']
            rows.append([f'{TASKS[task]}: 25 points above chance', _yes(low >= AHEAD), (
                f'{100 * (accuracy - cell["chance"]):+.1f} points, at least {100 * low:+.1f} '
                f'({NAMES[mode]}, `{way}`)')])
            beyond = cell['ci95'][0] - cell['blind']
            rows.append([f'{TASKS[task]}: above what the question alone gives away',
                         _yes(beyond > 0), f'at least {100 * beyond:+.1f} points (the same)'])
        rows += [[f'{TASKS[task]}, {NAMES[row["trained"]]}: the true image helps clearly',
                  _yes(row['verdict'] == 'more'), points(row)]
                 for row in numbers['within']
                 if row['task'] == task and row['second'] == 'oracle']
        for mode, found in numbers['images'].get(task, {}).items():
            if mode in (BASE, 'label-only', 'text-cot'):
                continue
            for measure in MEASURES:
                worst = min(found['gains'][measure].items(),
                            key=lambda item: item[1]['ci95'][0], default=None)
                if worst:
                    rows.append([
                        f'{TASKS[task]}, {NAMES[mode]}: imagined nearer than all that takes no '
                        f'imagination, {measure}', _yes(worst[1]['ci95'][0] > 0),
                        f'hardest: {PREDICTORS[worst[0]]}, {gain(worst[1])}'])
    if not rows:
        return ''
    return '### What it should show\n\n' + table(['', 'reached', 'by'], rows)


def _yes(reached: bool) -> str:
    return 'yes' if reached else '**no**'


def _between(numbers: dict, paper: dict) -> str:
    if not numbers['between']:
        return 'Nothing to compare yet.'
    rows, agreement = [], {'agrees': [], 'differs': []}
    for row in numbers['between']:
        published = paper_difference(row, paper)
        word = _beside(row['verdict'], published)
        pair = f'{TASKS[row["task"]]}: {NAMES[row["second"]]} against {NAMES[row["first"]]}'
        if word in agreement:
            agreement[word].append(pair)
        rows.append([pair, points(row), f'{row["p_holm"]:.4f}', VERDICTS[row['verdict']],
                     f'{published["difference"]:+.1f}' + ('' if published['sure'] else ' (open)'),
                     word])
    told = [f'{TASKS[row["task"]]}: {NAMES[row["second"]]} gets {VERDICTS[row["verdict"]]} right '
            f'than {NAMES[row["first"]]}, {points(row)} points'
            for row in numbers['between'] if row['verdict'] != 'open']
    text = ('These differences are more than chance:\n\n' + '\n'.join(f'- {line}' for line in told)
            if told else 'No difference between two ways of training is more than chance.')
    return '\n\n'.join([
        text,
        f'Where both the paper and this experiment can tell, {len(agreement["agrees"])} '
        f'{"comparison points" if len(agreement["agrees"]) == 1 else "comparisons point"} the '
        f'same way and {len(agreement["differs"])} the other way.',
        table(['', 'points [95 %]', 'p (Holm)', 'here', 'paper, points', 'beside the paper'],
              rows),
        TEST + ' *(open)*: with so many '
        'questions as the paper asked, such a difference could be chance (two shares, 5 %).'])


def paper_difference(row: dict, paper: dict) -> dict:
    """Return the paper's difference in points, and whether its questions are enough to tell."""
    first, second = (paper['main'][row[side]][row['task']] / 100 for side in ('first', 'second'))
    n = paper['questions'][row['task']]
    pooled = (first + second) / 2
    error = math.sqrt(2 * pooled * (1 - pooled) / n)
    return {'difference': 100 * (second - first),
            'sure': abs(second - first) > 1.959963984540054 * error}


def _beside(verdict: str, published: dict) -> str:
    if verdict == 'open':
        return 'too small to say here'
    if not published['sure']:
        return 'too small to say there'
    return 'agrees' if (verdict == 'more') == (published['difference'] > 0) else 'differs'


def _within(numbers: dict) -> str:
    rows = [[f'{TASKS[row["task"]]}, {NAMES[row["trained"]]}',
             f'`{row["second"]}` against `{row["first"]}`', points(row),
             f'{row["p_holm"]:.4f}', VERDICTS[row['verdict']]] for row in numbers['within']]
    return table(['', 'the same models asked', 'points [95 %]', 'p (Holm)', ''], rows) \
        or 'Nothing to compare yet.'


def _thought(numbers: dict, paper: dict) -> str:
    rows = []
    for published in paper['thought']:
        row = [NAMES[published['trained']], f'`{published["asked"]}`']
        for task in TASKS:
            cell = numbers['scores'].get(task, {}).get(published['trained'], {}).get(
                published['asked'])
            row += [mean_cell(cell) if cell else '-', f'{published[task]:.1f}']
        rows.append(row)
    return table(['trained', 'asked'] + [
        head for name in TASKS.values() for head in (f'{name} here', 'paper')], rows) + (
        '\n\n`oracle` answers after the true image. PT of the paper is here that of EgoDir alone, '
        'about 113 questions.')


def _groups(numbers: dict, paper: dict) -> str:
    parts = []
    for task, by_mode in numbers['scores'].items():
        names = sorted({name for asked in by_mode.values() for cell in asked.values()
                        for name in cell['groups']})
        rows = []
        for mode, asked in by_mode.items():
            way = numbers['better'][task].get(mode, '')
            if not way:
                continue
            row = [NAMES[mode], f'`{way}`']
            for name in names:
                group = asked[way]['groups'].get(name)
                row.append(f'{100 * group["accuracy"]:.1f} '
                           f'[{", ".join(f"{100 * end:.1f}" for end in group["ci95"])}]'
                           if group else '-')
                if task == 'pt':
                    published = paper['path_tracing'].get(mode, {}).get(name)
                    row.append('-' if published is None else f'{published:.1f}')
            rows.append(row)
        heads = [head for name in names
                 for head in ([f'`{name}`', 'paper'] if task == 'pt' else [f'`{name}`'])]
        if rows:
            parts.append(f'**{TASKS[task]}**\n\n' + table(['trained', 'asked', *heads], rows))
    return '\n\n'.join(parts) or 'No run has been asked all questions yet.'


def _every_way(numbers: dict) -> str:
    ways = list(dict.fromkeys(way for by_mode in numbers['scores'].values()
                              for asked in by_mode.values() for way in asked))
    rows = [[TASKS[task], NAMES[mode], *(_cell(way, asked.get(way)) for way in ways)]
            for task, by_mode in numbers['scores'].items() for mode, asked in by_mode.items()]
    if not rows:
        return 'No run has been asked all questions yet.'
    return table(['', 'trained', *(f'`{way}`' for way in ways)], rows) + (
        '\n\nPercent right, as above. *No letter*: share of answers that could not be read, where '
        'it is above 1 %; they count as wrong. *Drew*: share of questions on which a model that '
        'was asked to imagine did.')


def _cell(way: str, cell: dict | None) -> str:
    if cell is None:
        return '-'
    text = mean_cell(cell)
    if cell['unanswered'] > 0.01:
        text += f'; no letter {share(cell["unanswered"])}'
    return text + (f'; drew {share(cell["drew"])}' if way == 'imagine' else '')


def _images(numbers: dict) -> str:
    shown = '\n\n'.join(
        f'**{TASKS[task]}**, {image_count(list(by_mode.values()))}\n\n' + image_table(
            'trained', {NAMES[mode]: found for mode, found in by_mode.items()})
        for task, by_mode in numbers['images'].items()
    )
    if not shown:
        return 'No run has imagined on all questions yet.'
    return shown + ('\n\nThe first twelve of each run, not picked, are in its folder: '
                    '`results/TASK_first12.png`.')
