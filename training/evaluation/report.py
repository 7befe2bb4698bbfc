# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""``ipt report RESULTS_DIR``: one web page of what an evaluation found, with nothing beside it."""

import argparse
from collections.abc import Sequence
from html import escape
from pathlib import Path

from ipt_ros import webpage
from ipt_ros.outputs import check_file, in_words
import numpy as np

from .calibration import auroc
from .errors import EvaluationError
from .images import MEASURES
from .plots import bars, reliability_plot
from .records import judged, read_json, Record, RecordFolder, RESULTS, right, RUN
from .tables import html_table, number_range, share, share_range

PAGE = 'index.html'
FIRST, BEST, WORST = 12, 6, 6
RANKED_BY = 'ssim'
_TASKS = {'pet': 'Perspective taking', 'pt': 'Path tracing', 'mvc': 'Multi-view counting'}
_MODES = {
    'answer': 'answer', 'answer-vae': 'answer, with VAE input', 'imagine': 'imagine',
    'text-cot': 'think in words', 'oracle': 'oracle: the true image',
}
_PREDICTORS = {
    'imagined': 'imagined', 'mean_image': 'mean image', 'nearest_input': 'copy of nearest input',
    'other_truth': 'true image of another place', 'truth': 'the truth itself',
}
_MEASURES = {
    'psnr': 'PSNR (dB)', 'ssim': 'SSIM', 'perceptual': "distance in the model's image features"}
_CONFIDENCES = {
    'probability': 'probability of the answer', 'agreement': 'agreement of imaginations',
    'mean_probability': 'probability, mean over imaginations',
    'image_agreement': 'agreement of imagined images'}
_LEAD = (
    'Questions that the model was not trained on, asked one by one in every mode. Intervals are '
    'at 95 %: of shares of questions by Wilson, all others by a seeded bootstrap over questions. '
    'Blind is the best guess from the question alone.')
_FOOTER = (
    'PSNR and SSIM compare pixels with the true image; more is better. Feature distance is one '
    "minus the cosine of the model's own image features; less is better. Recall is the share of "
    'objects of the true map whose colour is at their place in the other map, false alarms the '
    'share of empty places where it is. Pictures with a dashed frame were imagined.')


def page(folder: Path, first: int = FIRST) -> str:
    """Return the page of a results folder as HTML. Raises EvaluationError."""
    results, run = read_json(folder / RESULTS), read_json(folder / RUN)
    records = RecordFolder.of(folder)
    body = '\n'.join(
        _task(task, modes, {mode: list(records.read(task, mode).values()) for mode in modes},
              records, first)
        for task, modes in results.items())
    settings = run['settings']
    facts = {
        'checkpoint': Path(settings['checkpoint']).name,
        'questions': settings['data'] or f'simulated scenes from seed {settings["seed"]}',
        'imaginations a question': str(settings['samples']),
        'device': settings['device'],
    }
    return webpage.document('What the model answers and imagines', _LEAD, facts, body,
                            escape(_FOOTER))


def _task(task: str, modes: dict[str, dict], records: dict[str, list[Record]],
          folder: RecordFolder, first: int) -> str:
    known = {mode: row for mode, row in modes.items() if row['n']}
    questions = max(len(rows) for rows in records.values())
    parts = []
    if known:
        some = next(iter(known.values()))
        parts = [
            bars({_MODES.get(mode, mode): row for mode, row in known.items()},
                 {'chance': some['chance'], 'blind': some['blind']}, f'{task}: accuracy by mode'),
            _accuracies(known), _splits(known), _calibrations(known)]
    for mode, row in modes.items():
        if 'imagination' in row:
            parts += [_qualities(row['imagination']), _objects(row['imagination']),
                      _whether_it_helps(records[mode]), _pairs(records[mode], folder, first)]
    return (f'<article><header><h2>{escape(_TASKS.get(task, task))}</h2>'
            f'<span class="tag">{questions} questions</span></header>\n'
            + '\n'.join(filter(None, parts)) + '</article>')


def _accuracies(modes: dict[str, dict]) -> str:
    rows = []
    for mode, row in modes.items():
        head = row['headline']
        voted = row.get('vote')
        rows.append([
            _MODES.get(mode, mode), share(row['accuracy']), share_range(row['ci95']),
            share(head['accuracy']), share_range(head['ci95']),
            f'{share(voted["accuracy"])} of {voted["k"]}' if voted else '-',
            share(row['blind']), str(row['unanswered']), f'{sum(row["seconds"].values()):.2f}'])
    rule = next(iter(modes.values()))['headline']['rule']
    return html_table(
        f'Accuracy. As the paper averages: {rule}.',
        ['mode', 'accuracy', '95 %', "paper's mean", '95 %', 'by vote', 'blind', 'no letter',
         's a question'], rows)


def _splits(modes: dict[str, dict]) -> str:
    parts = []
    for key, name in (('subtasks', 'sub-task'), ('variants', 'variant')):
        groups = list(dict.fromkeys(group for row in modes.values() for group in row[key]))
        if len(groups) < 2:
            continue
        rows = []
        for group in groups:
            found = [row[key].get(group) for row in modes.values()]
            count = max(cell['n'] for cell in found if cell)
            rows.append([group.replace('_', ' ') or '(none)', str(count), *(
                f'{share(cell["accuracy"])} ({share_range(cell["ci95"])})' if cell else '-'
                for cell in found)])
        parts.append(html_table(f'Accuracy by {name}', [name, 'n', *modes], rows))
        if key == 'subtasks' and set(groups) == set(next(iter(modes.values()))['variants']):
            break
    return ''.join(parts)


def _calibrations(modes: dict[str, dict]) -> str:
    plots, rows = [], []
    for mode, row in modes.items():
        for kind, found in row['calibration'].items():
            name = f'{mode}: {_CONFIDENCES[kind]}'
            area = '-' if found['auroc'] is None else f'{found["auroc"]:.3f}'
            rows.append([name, share(found['confidence']), share(found['accuracy']),
                         f'{found["ece"]:.3f}', f'{found["brier"]:.3f}', area])
            plots.append(f'<figure>{reliability_plot(found["bins"], name)}'
                         f'<figcaption>{escape(name)}</figcaption></figure>')
    return ('<h3>Can its confidence be trusted?</h3>' + html_table(
        'ECE: mean gap between confidence and accuracy (10 bins). AUROC: chance that a right '
        'answer is surer than a wrong one; 0.5 says nothing.',
        ['confidence', 'mean', 'share right', 'ECE', 'Brier', 'AUROC'], rows)
        + f'<div class="plots">{"".join(plots)}</div>')


def _qualities(found: dict) -> str:
    rows = []
    for measure in MEASURES:
        digits = 2 if measure == 'psnr' else 3
        for name, row in found[measure].items():
            gain = found['gains'][measure].get(name)
            rows.append([
                f'{_MEASURES[measure]}: {_PREDICTORS[name]}',
                number_range(row['mean'], row['ci95'], digits),
                number_range(gain['mean'], gain['ci95'], digits, sign=True) if gain else '',
                share(gain['wins']) if gain else ''])
    return '<h3>How near are imagined images to the truth?</h3>' + html_table(
        f'{found["n"]} imagined images, each beside images that take no imagination. Gain: by how '
        'much the imagined image is better, question by question.',
        ['image', 'mean', 'gain of the imagined one', 'better in'], rows)


def _objects(found: dict) -> str:
    return html_table(
        'Objects of the true map that are in the imagined one, by colour and place',
        ['map', 'objects', 'recall', '95 %', 'empty places', 'false alarms'],
        [[_PREDICTORS[name], str(row['objects']), share(row['recall']), share_range(row['ci95']),
          str(row['decoys']), share(row['false_alarms'])]
         for name, row in found['objects'].items()])


def _whether_it_helps(records: Sequence[Record]) -> str:
    """Say whether questions with better images are answered better."""
    scored = [record for record in judged(records) if record['scores']]
    hits = right(scored)
    if len(set(hits)) < 2:
        return ''
    values = np.array([record['scores']['imagined'][RANKED_BY] for record in scored])
    better = auroc(list(np.argsort(np.argsort(values)) / len(values)), hits)
    return (f'<p>The image behind a right answer is nearer to the truth (by '
            f'{_MEASURES[RANKED_BY]}) than the one behind a wrong answer in '
            f'<b>{better:.0%}</b> of all pairs; 50 % would mean that it does not matter.</p>')


def _pairs(records: Sequence[Record], folder: RecordFolder, first: int) -> str:
    shown = sorted((record for record in records if record['pictures'] and record['scores']),
                   key=lambda record: record['index'])
    ranked = sorted(shown, key=lambda record: -record['scores']['imagined'][RANKED_BY])
    picks = {
        f'The first {min(first, len(shown))}, not picked': shown[:first],
        f'The best, by {_MEASURES[RANKED_BY]}': ranked[:BEST],
        f'The worst, by {_MEASURES[RANKED_BY]}': ranked[::-1][:WORST],
    }
    return ''.join(
        f'<details{" open" if number == 0 else ""}><summary>{escape(title)}</summary>'
        + ''.join(_pair(record, folder) for record in chosen) + '</details>'
        for number, (title, chosen) in enumerate(picks.items()) if chosen)


def _pair(record: Record, folder: RecordFolder) -> str:
    verdict = ''
    if record['truth']:
        kind = 'right' if record['letter'] == record['truth'] else 'wrong'
        verdict = (
            f'<p class="verdict"><span class="{kind}">Answer: <b>'
            f'{escape(record["letter"] or "none")}</b></span>'
            f'<span>Truth: <b>{escape(record["truth"])}</b></span></p>')
    scores = record['scores']['imagined']
    pictures = folder.load_pictures(record)
    captions = {'imagined': f'imagined: {scores["psnr"]:.1f} dB, SSIM {scores["ssim"]:.2f}'}
    kinds = {'imagined': 'imagined', 'truth': 'truth'}
    figures = {
        name: webpage.figure(image, captions.get(name, name), kinds.get(name, 'seen'))
        for name, image in pictures.items()}
    inputs = [shown for name, shown in figures.items() if name not in kinds]
    drawn = [shown for name, shown in figures.items() if name in kinds]
    rows = [inputs + drawn] if len(inputs) == 1 else [inputs, drawn]
    return (f'<p class="question">{escape(record["question"])}</p>'
            + verdict + ''.join(map(webpage.row, rows)))


def main(arguments: list[str] | None = None) -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(
        prog='ipt report', description='Make a web page of what ipt evaluate found.')
    parser.add_argument('results', type=Path, help='folder that ipt evaluate wrote')
    parser.add_argument('--out', type=Path, help=f'file to write (default: {PAGE} in that folder)')
    parser.add_argument('--first', type=int, default=FIRST, metavar='N',
                        help='questions shown from the start of the seed (default: %(default)s)')
    options = parser.parse_args(arguments)
    if options.first < 0:
        parser.error(f'first is {options.first}; give 0 or more')
    out = options.out or options.results / PAGE
    try:
        if options.out:
            check_file(out)
        html = page(options.results, options.first)
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(html, encoding='utf-8')
    except EvaluationError as error:
        parser.exit(1, f'ipt report: {error}\n')
    except OSError as error:
        parser.exit(1, f'ipt report: {in_words(error)}\n')
    print(f'wrote {out}')
    return 0


if __name__ == '__main__':
    raise SystemExit(main())
