# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""The page of sim-to-real: what each ingredient brings, and what is still missing."""

from ipt_training.evaluation.tables import share
from ipt_training.experiment.markdown import notes, table
from ipt_training.experiment.words import (
    cost,
    image_count,
    image_table,
    mean_cell,
    missing,
    points,
    TASKS,
    TEST,
    VERDICTS,
)
from ipt_training.sim_to_real.results import START

_MADE = ('<!-- Written by `python -m ipt_training.sim_to_real --report`; only the notes are '
         'written by hand. -->')
_NOTHING = 'No run has been asked all questions yet.'
_OWN_FEATURES = (
    "Features are those of each checkpoint's own image encoder, which training may have changed: "
    'compare them within a row. PSNR and SSIM compare mixtures as well.')
_AGAIN = """
```
ipt collect --out runs/sim_to_real/recorded --scenes 12 --seed 400000 --seconds 60 \\
    --jobs 2 --no-truth --set randomization=randomization_real.yaml
python -m ipt_training.sim_to_real              # all of it; stopped, the same command goes on
python -m ipt_training.sim_to_real --mixtures plain,plain+randomized     # needs no recordings
python -m ipt_training.sim_to_real --report     # this page, of what is done by now
```

[sim_to_real.yaml](../training/recipes/sim_to_real.yaml) is the plan; copy it and change the
shares. All numbers of this page are in the JSON file beside it.
"""


def sections(numbers: dict) -> list[str]:
    """Return the page's sections; numbers: see `collect`."""
    parts = [_MADE, '# From simulation to reality', _what(numbers), missing(numbers['runs'])]
    for world, randomization in numbers['worlds'].items():
        looks = f'`{randomization}`' if randomization else 'plain simulation'
        parts += [f'## In the world *{world}* ({looks})', _right(numbers, world),
                  _against(numbers, world), _images(numbers, world)]
    return [*parts, '## Conclusions', notes(), '## Doing it again', _AGAIN]


def _what(numbers: dict) -> str:
    tasks = ' and '.join(TASKS[task] for task in numbers['tasks'])
    rows = [[name, *(share(shares.get(kind)) for kind in _kinds(numbers))]
            for name, shares in numbers['mixtures'].items()]
    return '\n\n'.join(part for part in (
        f'Does it help on a robot to train on randomised simulation, or on what a robot itself '
        f'recorded? Each mixture has {numbers["examples"]:,} examples ({tasks}) and goes on from '
        f'`{numbers["start"]}` for {numbers["steps"]:,} steps, with each of '
        f'{len(numbers["seeds"])} seeds. All are asked the same {numbers["questions"]} questions '
        f'a task in scenes from seed {numbers["seed"]:,} on, which no training used, as each of '
        'these worlds shows them. Only recordings are of the world that stands for reality '
        '([randomization](randomization.md)); they are of other scenes, and mined without '
        'anything that a simulator alone knows ([mining](mining.md)).',
        table(['mixture', *_kinds(numbers)], rows), cost(numbers['runs'])) if part)


def _kinds(numbers: dict) -> list[str]:
    return list(dict.fromkeys(kind for shares in numbers['mixtures'].values()
                              for kind in shares))


def _right(numbers: dict, world: str) -> str:
    names = [START, *numbers['mixtures']]
    rows = []
    for task, ways in numbers['scores'].get(world, {}).items():
        for way, cells in ways.items():
            first = next(iter(cells.values()))
            rows.append([f'{TASKS[task]}, `{way}`', *(
                mean_cell(cells[name]) if name in cells else '-' for name in names),
                f'{100 * first["chance"]:.1f}', f'{100 * first["blind"]:.1f}'])
    if not rows:
        return _NOTHING
    return table(['percent right', *names, 'chance', 'from the question alone'], rows) + (
        '\n\nMean of the seeds (each seed) [95 % interval over questions]. *start* is the '
        'checkpoint that all go on from.')


def _against(numbers: dict, world: str) -> str:
    found = numbers['against'].get(world, [])
    if not found:
        return ''
    rows = [[f'{TASKS[row["task"]]}, `{row["asked"]}`', f'{row["second"]} against {row["first"]}',
             points(row), f'{row["p_holm"]:.4f}', VERDICTS[row['verdict']]] for row in found]
    return table(['', '', 'points [95 %]', 'p (Holm)', ''], rows) + f'\n\n{TEST}'


def _images(numbers: dict, world: str) -> str:
    found = numbers['images'].get(world, {})
    parts = [
        f'Imagined images, {TASKS[task]}, {image_count(list(by_name.values()))}:\n\n'
        + image_table('mixture', by_name) for task, by_name in found.items()]
    return '\n\n'.join([*parts, _OWN_FEATURES] if parts else [])
