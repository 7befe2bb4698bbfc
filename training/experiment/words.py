# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""Numbers of experiments as pages show them."""

from collections.abc import Mapping, Sequence

from ipt_training.evaluation.statistics import holm
from ipt_training.evaluation.tables import share
from ipt_training.experiment.markdown import table

SURE = 0.05  # level of the tests, after Holm's correction
TASKS = {'pet': 'PET', 'pt': 'PT', 'mvc': 'MVC'}
VERDICTS = {'more': 'more', 'less': 'less', 'open': 'cannot tell'}
TEST = (f'Question by question, a question counting as the mean of its seeds. *More* and *less* '
        f'need a sign-flip test below {SURE}, corrected for the number of rows (Holm), and every '
        'seed of the one above every seed of the other. The test draws questions, not seeds: how '
        'far a result hangs on the seed, a few seeds show only roughly.')
PREDICTORS = {'imagined': 'imagined', 'mean_image': 'mean true image of training',
              'nearest_input': 'nearest input', 'other_truth': 'truth of another place'}
_MEASURES = {'psnr': 'PSNR (dB, more is better)', 'ssim': 'SSIM (more is better)',
             'perceptual': "the model's own image features (less is better)"}


def adjusted(rows: list[dict]) -> list[dict]:
    """Add to comparisons the p corrected for their number, and what follows (see `verdict`)."""
    for row, p in zip(rows, holm([row['p'] for row in rows])):
        row['p_holm'] = p
        row['verdict'] = verdict(row)
    return rows


def verdict(row: Mapping) -> str:
    """
    Return 'more', 'less' or 'open': of the second one against the first.

    More or less only where the test, corrected for the number of rows, is below SURE and all seeds
    lie apart.
    """
    if row['p_holm'] >= SURE or not row['apart']:
        return 'open'
    return 'more' if row['difference'] > 0 else 'less'


def mean_cell(cell: Mapping) -> str:
    """Return accuracy in percent: mean of the seeds (each seed) [interval]."""
    seeds = ', '.join(f'{100 * value:.1f}' for value in cell['seeds'].values())
    ends = ', '.join(f'{100 * end:.1f}' for end in cell['ci95'])
    spread = f' ({seeds})' if len(cell['seeds']) > 1 else ''
    return f'{100 * cell["accuracy"]:.1f}{spread} [{ends}]'


def points(row: Mapping) -> str:
    """Return a difference in points with its interval."""
    low, high = (100 * end for end in row['ci95'])
    return f'{100 * row["difference"]:+.1f} [{low:+.1f}, {high:+.1f}]'


def gain(found: Mapping) -> str:
    """Return a gain of a measure with its interval."""
    return f'{found["mean"]:+.3f} [{found["ci95"][0]:+.3f}, {found["ci95"][1]:+.3f}]'


def missing(runs: Mapping[str, Mapping]) -> str:
    """Say which runs are missing or odd, '' for none; runs: see `state_of`."""
    unfinished = {name: run for name, run in runs.items() if not (run['trained'] and run['asked'])}
    odd = [f'- `{name}` was made with other settings than the recipe has now: '
           f'{", ".join(run["changed"])}' for name, run in runs.items() if run['changed']]
    odd += [f'- `{name}` could not be asked `{mode}`: {reason}' for name, run in runs.items()
            for mode, reason in run.get('not_applicable', {}).items()]
    text = ''
    if unfinished:
        text = (f'**Not complete: {len(unfinished)} of {len(runs)} runs are missing.** What '
                'stands below is of the others alone; a mean is over the seeds that are there.'
                '\n\n' + '\n'.join(f'- `{name}`: {run["words"]}'
                                   for name, run in unfinished.items()))
    return '\n\n'.join(part for part in (text, '\n'.join(odd)) if part)


def cost(runs: Mapping[str, Mapping]) -> str:
    """Say how long finished runs took, and on what; '' as long as nobody knows."""
    trained = [run['train_seconds'] for run in runs.values() if run.get('train_seconds')]
    asked = [run['ask_seconds'] for run in runs.values() if run.get('ask_seconds')]
    if not trained or not asked:
        return ''
    machines = sorted({run['machine'] for run in runs.values() if run.get('machine')})
    return (f'Training took {sum(trained) / len(trained) / 60:.0f} minutes a run, asking '
            f'{sum(asked) / len(asked) / 60:.0f}, one thread each'
            + (f' ({"; ".join(machines)})' if machines else '') + '.')


def image_table(head: str, by_name: Mapping[str, Mapping]) -> str:
    """Return how near images of each name are to the truth, beside trivial predictors."""
    rows = []
    for name, found in by_name.items():
        for measure, words in _MEASURES.items():
            rows.append([name, words, *(
                f'{found[measure][who]["mean"]:.3f}' if who in found[measure] else '-'
                for who in PREDICTORS)])
        if found['objects']:
            rows.append([name, 'objects found (false alarms)', *(
                _recall(found['objects'].get(who)) for who in PREDICTORS)])
    return table([head, '', *PREDICTORS.values()], rows)


def image_count(found: Sequence[Mapping]) -> str:
    """Say on how many images the measures are means."""
    counts = sorted({item['n'] for item in found})
    few = f'{counts[0]} to ' if len(counts) > 1 else ''
    return f'{few}{counts[-1]} images'


def _recall(found: Mapping | None) -> str:
    return f'{share(found["recall"])} ({share(found["false_alarms"])})' if found else '-'
