# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""
Numbers of checkpoints that differ in their seed of training alone, and of two such sets.

All are asked the same questions, so a question's score is its mean over seeds, and intervals and
tests draw questions: they say how far the result would hold for other questions of the kind. How
far it would for other seeds, the spread over seeds says.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

from ipt_training.evaluation.errors import EvaluationError
from ipt_training.evaluation.records import judged, read_json, Record, RecordFolder, RESULTS
from ipt_training.evaluation.statistics import bootstrap_interval, sign_flip_p
from ipt_training.evaluation.summary import headline, HEADLINES, image_quality, object_recall
import numpy as np

BySeed = Mapping[int, Mapping[str, Record]]  # the records of each seed, by question


def read_records(out: Path, task: str, mode: str, n: int) -> dict[str, Record]:
    """Return the records of a task and mode by question; none unless all ``n`` are there."""
    if not (out / RESULTS).exists() or mode not in read_json(out / RESULTS).get(task, {}):
        return {}
    records = RecordFolder.of(out).read(task, mode)
    return dict(list(records.items())[:n]) if len(records) >= n else {}


def score(by_seed: BySeed) -> dict:
    """
    Return what a set of runs got right, and beside it what takes no model.

    ``accuracy``: the task's number as the paper averages it, a mean over ``seeds`` (the number of
    each), with ``ci95``, a bootstrap interval over questions. ``groups``: of each sub-task, input
    variant or movement. ``drew``: share of questions on which an image was imagined.
    """
    seeds = {seed: judged(records.values()) for seed, records in by_seed.items()}
    everything = [record for records in seeds.values() for record in records]
    if not everything:
        raise EvaluationError('none of the questions has a known answer')
    by_group = {name: list(values.values()) for name, values in hits(by_seed).items()}
    first = everything[0]['task']
    detail = hits(by_seed, HEADLINES.get(first, 'variant'))
    return {
        'accuracy': float(np.mean([headline(records)['accuracy'] for records in seeds.values()])),
        'seeds': {str(seed): headline(records)['accuracy'] for seed, records in seeds.items()},
        'ci95': list(bootstrap_interval(list(by_group.values()))),
        'n': sum(map(len, by_group.values())),
        'chance': float(np.mean([1 / len(record['choices']) for record in everything])),
        'blind': float(np.mean([record['blind'] for record in everything])),
        'unanswered': float(np.mean([not record['letter'] for record in everything])),
        'drew': float(np.mean(['imagined' in record['pictures'] for record in everything])),
        'groups': {name: {'accuracy': float(np.mean(list(values.values()))), 'n': len(values),
                          'ci95': list(bootstrap_interval([list(values.values())]))}
                   for name, values in sorted(detail.items())},
        'seconds': float(np.mean([sum(record['seconds'].values()) for record in everything])),
    }


def hits(by_seed: BySeed, key: str | None = None) -> dict[str, dict[str, float]]:
    """
    Return the share of seeds that got a question right, by group and question.

    Groups are those that the task's number averages over, or by another ``key`` of records.
    Questions that not all seeds were asked are left out.
    """
    shared = set.intersection(*(set(records) for records in by_seed.values()))
    first = next(iter(by_seed.values()))
    groups: dict[str, dict[str, float]] = {}
    for identity, record in first.items():
        if identity not in shared or not record['truth']:
            continue
        rule = key or HEADLINES.get(record['task'])
        group = record[rule] if rule else ''
        groups.setdefault(group, {})[identity] = float(np.mean([
            records[identity]['letter'] == record['truth'] for records in by_seed.values()]))
    return groups


def compare(first: BySeed, second: BySeed) -> dict:
    """
    Return by how much the second set of runs gets more right, question by question.

    ``p`` is of `sign_flip_p`; ``apart`` tells whether every seed of one lies above every seed of
    the other. Raises EvaluationError where no question is shared.
    """
    before, after = hits(first), hits(second)
    gains = [[after[group][key] - value for key, value in values.items()
              if key in after.get(group, {})] for group, values in before.items()]
    gains = [group for group in gains if group]
    if not gains:
        raise EvaluationError('the two share no question; ask both the same ones')
    ends = [[headline(judged(records.values()))['accuracy'] for records in by_seed.values()]
            for by_seed in (first, second)]
    return {
        'difference': float(np.mean([np.mean(group) for group in gains])),
        'ci95': list(bootstrap_interval(gains)),
        'p': sign_flip_p(gains),
        'n': sum(map(len, gains)),
        'apart': max(ends[0]) < min(ends[1]) or max(ends[1]) < min(ends[0]),
    }


def images(by_seed: BySeed) -> dict:
    """
    Return how near imagined images are to the true ones, beside trivial predictors.

    As `image_quality` and `object_recall` have it, of the questions on which all seeds imagined;
    a question's measure is the mean of its seeds. {} for no images.
    """
    drawn = [{key for key, record in records.items() if record['scores']}
             for records in by_seed.values()]
    shared = set.intersection(*drawn)
    if not shared:
        return {}
    first = next(iter(by_seed.values()))
    merged = [_merged([records[key] for records in by_seed.values()])
              for key in first if key in shared]
    return {'n': len(merged), **image_quality(merged),
            'objects': object_recall([record for record in merged if record['objects']])}


def _merged(records: Sequence[Record]) -> Record:
    """Return one question's records as one: mean measures, summed counts of objects."""
    scores = [record['scores'] for record in records]
    counts = [record['objects'] for record in records if record['objects']]
    return {
        'scores': {name: {measure: float(np.mean([found[name][measure] for found in scores]))
                          for measure in values} for name, values in scores[0].items()},
        'objects': {name: {what: sum(found[name][what] for found in counts) for what in values}
                    for name, values in counts[0].items()} if counts else {},
    }
