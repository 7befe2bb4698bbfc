# SPDX-License-Identifier: Apache-2.0
"""The page of the experiment: what came out, beside the paper, and what is still missing."""

import math

from ipt_training.evaluation.images import MEASURES
from ipt_training.evaluation.tables import share
from ipt_training.experiment.markdown import notes, table
from ipt_training.experiment.plan import BASE
from ipt_training.experiment.results import load_paper, SURE

TASKS = {'pet': 'PET', 'pt': 'PT', 'mvc': 'MVC'}
NAMES = {BASE: 'before (all begin here)', 'label-only': 'label-only', 'text-cot': 'text CoT',
         'ipt': 'IPT', 'mixed': 'mixed'}
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
_PREDICTORS = {'imagined': 'imagined', 'mean_image': 'mean true image of training',
               'nearest_input': 'nearest input', 'other_truth': 'truth of another place'}
_MEASURES = {'psnr': 'PSNR (dB, more is better)', 'ssim': 'SSIM (more is better)',
             'perceptual': "the model's own image features (less is better)"}


def sections(numbers: dict) -> list[str]:
    """Return the page's sections; numbers: see `collect`."""
    paper = load_paper()
    return [
        _MADE,
        '# The experiment',
        _what(numbers),
        _missing(numbers),
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
    size = f'{data["examples"]:,} simulated examples' if data.get('examples') else 'the examples'
    samples = numbers['samples_a_step']
    each = f'{samples} samples each' if samples else 'a token budget each'
    lines = [
        f'Ways of training that the paper compares ({modes}), at a size that a laptop can do: one '
        f'model over all tasks for each way and each of {seeds} '
        f'seed{"s" if seeds != 1 else ""}, going on from `{numbers["start"]}`. All see {size} '
        f'(`{data["folder"]}`, the training split), in {numbers["steps"]:,} optimizer steps of '
        f'{each}.',
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
    return '\n'.join([*lines, *(['', left_out] if left_out else []), *_cost(numbers)])


def _left_out(runs: list[dict]) -> str:
    reasons = {NAMES[run['mode']]: run['left_out'] for run in runs if run.get('left_out')}
    if not reasons:
        return ''
    return 'Samples that could not be made: ' + '; '.join(
        f'{mode}, ' + ', '.join(f'{count} x {reason}' for reason, count in found.items())
        for mode, found in reasons.items()) + '.'


def _cost(numbers: dict) -> list[str]:
    trained = [run['train_seconds'] for run in numbers['runs'].values()
               if run.get('train_seconds')]
    asked = [run['ask_seconds'] for run in numbers['runs'].values() if run.get('ask_seconds')]
    if not trained or not asked:
        return []
    machines = sorted({run['machine'] for run in numbers['runs'].values() if run.get('machine')})
    return ['', f'Training took {sum(trained) / len(trained) / 60:.0f} minutes a run, asking '
            f'{sum(asked) / len(asked) / 60:.0f}, one thread each'
            + (f' ({"; ".join(machines)})' if machines else '') + '.']


def _missing(numbers: dict) -> str:
    open_runs = {name: run for name, run in numbers['runs'].items()
                 if not (run['trained'] and run['asked'])}
    failed = [f'- `{name}` was made with other settings than the recipe has now: '
              f'{"; ".join(run["changed"]):.300}'
              for name, run in numbers['runs'].items() if run['changed']]
    failed += [f'- `{name}` could not be asked `{mode}`: {reason}'
               for name, run in numbers['runs'].items()
               for mode, reason in run['not_applicable'].items()]
    text = ''
    if open_runs:
        text = (f'**Not complete: {len(open_runs)} of {len(numbers["runs"])} runs are missing.** '
                'What stands below is of the others alone; a mean is over the seeds that are '
                'there.\n\n' + '\n'.join(f'- `{name}`: {run["words"]}'
                                         for name, run in open_runs.items()))
    return '\n\n'.join(part for part in (text, '\n'.join(failed)) if part)


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
            row += [_mean(numbers['scores'][task][mode][way]) + f' `{way}`' if way else '-',
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


def _mean(cell: dict) -> str:
    seeds = ', '.join(f'{100 * value:.1f}' for value in cell['seeds'].values())
    ends = ', '.join(f'{100 * end:.1f}' for end in cell['ci95'])
    spread = f' ({seeds})' if len(cell['seeds']) > 1 else ''
    return f'{100 * cell["accuracy"]:.1f}{spread} [{ends}]'


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
        rows += [[f'{TASKS[task]}, {NAMES[row["trained"]]}: the true image helps clearly',
                  _yes(row['verdict'] == 'more'), _points(row)]
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
                        f'hardest: {_PREDICTORS[worst[0]]}, {_gain(worst[1])}'])
    if not rows:
        return ''
    return '### What it should show\n\n' + table(['', 'reached', 'by'], rows)


def _yes(reached: bool) -> str:
    return 'yes' if reached else '**no**'


def _gain(gain: dict) -> str:
    return f'{gain["mean"]:+.3f} [{gain["ci95"][0]:+.3f}, {gain["ci95"][1]:+.3f}]'


def _points(row: dict) -> str:
    low, high = (100 * end for end in row['ci95'])
    return f'{100 * row["difference"]:+.1f} [{low:+.1f}, {high:+.1f}]'


_VERDICTS = {'more': 'more', 'less': 'less', 'open': 'cannot tell'}


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
        rows.append([pair, _points(row), f'{row["p_holm"]:.4f}', _VERDICTS[row['verdict']],
                     f'{published["difference"]:+.1f}' + ('' if published['sure'] else ' (open)'),
                     word])
    told = [f'{TASKS[row["task"]]}: {NAMES[row["second"]]} gets {_VERDICTS[row["verdict"]]} right '
            f'than {NAMES[row["first"]]}, {_points(row)} points'
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
        f'Question by question, a question counting as the mean of its seeds. *More* and *less* '
        f'need a sign-flip test below {SURE}, corrected for the number of rows (Holm), and every '
        'seed of the one above every seed of the other. The test draws questions, not seeds: how '
        'far a result hangs on the seed, a few seeds show only roughly. *(open)*: with so many '
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
             f'`{row["second"]}` against `{row["first"]}`', _points(row),
             f'{row["p_holm"]:.4f}', _VERDICTS[row['verdict']]] for row in numbers['within']]
    return table(['', 'the same models asked', 'points [95 %]', 'p (Holm)', ''], rows) \
        or 'Nothing to compare yet.'


def _thought(numbers: dict, paper: dict) -> str:
    rows = []
    for published in paper['thought']:
        row = [NAMES[published['trained']], f'`{published["asked"]}`']
        for task in TASKS:
            cell = numbers['scores'].get(task, {}).get(published['trained'], {}).get(
                published['asked'])
            row += [_mean(cell) if cell else '-', f'{published[task]:.1f}']
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
    text = _mean(cell)
    if cell['unanswered'] > 0.01:
        text += f'; no letter {share(cell["unanswered"])}'
    return text + (f'; drew {share(cell["drew"])}' if way == 'imagine' else '')


def _images(numbers: dict) -> str:
    parts = []
    for task, by_mode in numbers['images'].items():
        rows = []
        for mode, found in by_mode.items():
            for measure, words in _MEASURES.items():
                values = found[measure]
                rows.append([NAMES[mode], words, *(
                    f'{values[name]["mean"]:.3f}' if name in values else '-'
                    for name in _PREDICTORS)])
            if found['objects']:
                rows.append([NAMES[mode], 'objects found (false alarms)', *(
                    _recall(found['objects'].get(name)) for name in _PREDICTORS)])
        parts.append(f'**{TASKS[task]}**, {_counts(by_mode)}\n\n' + table(
            ['trained', '', *_PREDICTORS.values()], rows))
    return '\n\n'.join(parts) or 'No run has imagined on all questions yet.'


def _counts(by_mode: dict) -> str:
    counts = sorted({found['n'] for found in by_mode.values()})
    return (f'{counts[0]} images' if len(counts) == 1 else f'{counts[0]} to {counts[-1]} images '
            'a mode')


def _recall(found: dict | None) -> str:
    if not found:
        return '-'
    return f'{share(found["recall"])} ({share(found["false_alarms"])})'
