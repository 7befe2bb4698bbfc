# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""What follows from the records of one task and mode: the numbers of results.json."""

from collections import defaultdict
from collections.abc import Sequence

from ipt_ros.spatial import LETTERS
import numpy as np

from .calibration import calibration, vote
from .images import MEASURES
from .records import judged, Record, right
from .statistics import bootstrap_interval, ratio_interval, wilson_interval

# How the paper averages a task: over the splits of its data set, unweighted. Counting has none.
HEADLINES = {'pet': 'subtask', 'pt': 'variant'}


def summarise(records: Sequence[Record]) -> dict:
    """
    Return accuracy with its interval, chance and blind guess, and all that stands beside it.

    ``accuracy`` counts every question with a known answer once (``n``), and is None where there is
    none; ``headline`` is the task's number as the paper averages it.
    """
    known = judged(records)
    summary = _answers(known) if known else {
        'accuracy': None, 'n': 0, 'ci95': None, 'chance': None, 'blind': None}
    summary['seconds'] = _seconds(records)
    scored = [record for record in records if record['scores']]
    if scored:
        summary['imagination'] = {
            'n': len(scored), **image_quality(scored), 'objects': object_recall(scored)}
    return summary


def _answers(records: Sequence[Record]) -> dict:
    hits = right(records)
    summary = {
        'accuracy': float(np.mean(hits)),
        'n': len(hits),
        'ci95': list(wilson_interval(sum(hits), len(hits))),
        'chance': float(np.mean([1 / len(record['choices']) for record in records])),
        'blind': float(np.mean([record['blind'] for record in records])),
        'unanswered': sum(not record['letter'] for record in records),
        'headline': headline(records),
        'subtasks': _groups(records, 'subtask'),
        'variants': _groups(records, 'variant'),
        'calibration': calibrations(records),
    }
    if len(records[0]['samples']) > 1:
        summary['vote'] = _voted(records)
    return summary


def headline(records: Sequence[Record]) -> dict:
    """Return the accuracy as the paper averages it, with a bootstrap interval over questions."""
    key = HEADLINES.get(records[0]['task'])
    groups = _by(records, key) if key else {'': records}
    hits = [right(group) for group in groups.values()]
    return {
        'rule': f'unweighted mean over {len(groups)} {key}s' if key else 'all questions',
        'accuracy': float(np.mean([np.mean(group) for group in hits])),
        'ci95': list(bootstrap_interval(hits)),
    }


def calibrations(records: Sequence[Record]) -> dict[str, dict]:
    """
    Return the calibration of every confidence that there is.

    ``probability``: the model's belief in its first answer, or in the likeliest choice where it
    gave no letter, which is wrong all the same. With several samples a question also
    ``agreement``, the share of them that gave the commonest answer, ``mean_probability``, the
    belief averaged over them in its likeliest choice, and ``image_agreement``, how alike their
    images are (`ipt_ros.spatial.imagined.agreement`). Each is held against the answer that it is
    about, the last one against the first answer.
    """
    first, voted, averaged, alike = [], [], [], []
    for record in records:
        truth, samples = record['truth'], record['samples']
        beliefs = [sample['probabilities'] for sample in samples]
        hit = record['letter'] == truth
        first.append((_belief(record['letter'], beliefs[0]), hit))
        if len(samples) > 1:
            letter, share = vote([sample['letter'] for sample in samples], beliefs)
            voted.append((share, letter == truth))
            mean = np.mean(beliefs, axis=0)
            averaged.append((_belief('', mean), LETTERS[int(np.argmax(mean))] == truth))
        if record['agreement'] is not None:
            alike.append((record['agreement'], hit))
    kinds = {'probability': first, 'agreement': voted, 'mean_probability': averaged,
             'image_agreement': alike}
    return {name: calibration(*zip(*pairs)) for name, pairs in kinds.items() if pairs}


def image_quality(records: Sequence[Record]) -> dict:
    """
    Return every measure of imagined images and trivial predictors, and the gain over each.

    A gain is the mean of the differences question by question, above 0 where the imagined image
    is better; ``wins`` is the share of questions where it is.
    """
    report: dict = {measure: {} for measure in MEASURES}
    gains: dict = {measure: {} for measure in MEASURES}
    for measure, more_is_better in MEASURES.items():
        for name in _predictors(records):
            pairs = np.array([
                (record['scores']['imagined'][measure], record['scores'][name][measure])
                for record in records if name in record['scores']])
            report[measure][name] = _mean(pairs[:, 1])
            if name != 'imagined':
                gain = (pairs[:, 0] - pairs[:, 1]) * (1 if more_is_better else -1)
                gains[measure][name] = _mean(gain) | {'wins': float((gain > 0).mean())}
    return report | {'gains': gains}


def object_recall(records: Sequence[Record]) -> dict:
    """Return recall and false alarms of every predictor; {} where no truth says what is there."""
    counted = [record for record in records if record['objects']]
    report = {}
    for name in dict.fromkeys(name for record in counted for name in record['objects']):
        rows = [record['objects'][name] for record in counted if name in record['objects']]
        found = {key: [row[key] for row in rows] for key in rows[0]}
        if not sum(found['objects']):
            continue
        report[name] = {
            'objects': sum(found['objects']),
            'recall': sum(found['found']) / sum(found['objects']),
            'ci95': list(ratio_interval(found['found'], found['objects'])),
            'decoys': sum(found['decoys']),
            'false_alarms': (sum(found['false_alarms']) / sum(found['decoys'])
                             if sum(found['decoys']) else None),
        }
    return report


def _predictors(records: Sequence[Record]) -> list[str]:
    return list(dict.fromkeys(name for record in records for name in record['scores']))


def _belief(letter: str, probabilities: Sequence[float]) -> float:
    """Return the probability of a letter ('' for the likeliest one)."""
    return float(probabilities[LETTERS.index(letter)] if letter else np.max(probabilities))


def _voted(records: Sequence[Record]) -> dict:
    hits = []
    for record in records:
        samples = record['samples']
        letter, _ = vote([sample['letter'] for sample in samples],
                         [sample['probabilities'] for sample in samples])
        hits.append(letter == record['truth'])
    return {'k': len(records[0]['samples']), 'accuracy': float(np.mean(hits)),
            'ci95': list(wilson_interval(sum(hits), len(hits)))}


def _groups(records: Sequence[Record], key: str) -> dict[str, dict]:
    return {name: _share(right(group)) for name, group in _by(records, key).items()}


def _by(records: Sequence[Record], key: str) -> dict[str, list[Record]]:
    groups = defaultdict(list)
    for record in records:
        groups[record[key]].append(record)
    return dict(sorted(groups.items()))


def _share(hits: Sequence[bool]) -> dict:
    return {'accuracy': float(np.mean(hits)), 'n': len(hits),
            'ci95': list(wilson_interval(sum(hits), len(hits)))}


def _mean(values: Sequence[float]) -> dict:
    return {'mean': float(np.mean(values)), 'ci95': list(bootstrap_interval([values]))}


def _seconds(records: Sequence[Record]) -> dict[str, float]:
    phases: dict[str, list[float]] = defaultdict(list)
    for record in records:
        for phase, taken in record['seconds'].items():
            phases[phase].append(taken)
    return {phase: round(float(np.mean(taken)), 4) for phase, taken in phases.items()}
