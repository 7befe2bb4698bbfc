# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""Whether a confidence can be trusted: how sure against how often right."""

from collections import Counter
from collections.abc import Sequence

from ipt_ros.spatial import LETTERS
import numpy as np

BINS = 10


def reliability(confidences: Sequence[float], right: Sequence[bool],
                bins: int = BINS) -> list[dict]:
    """
    Return the bins of a reliability diagram that have something in them.

    Bins of equal width over 0..1; a confidence on an edge belongs to the bin below, as is usual
    (Guo et al. 2017). Each has ``low``, ``high``, ``n``, mean ``confidence`` and ``accuracy``.
    """
    sure, hits = _checked(confidences, right)
    edges = np.linspace(0, 1, bins + 1)
    # Equal shares of votes come out of a division: 0.6 must not fall above the edge 0.6.
    number = np.clip(np.ceil(sure * bins - 1e-9).astype(int) - 1, 0, bins - 1)
    return [
        {'low': float(edges[k]), 'high': float(edges[k + 1]), 'n': int((number == k).sum()),
         'confidence': float(sure[number == k].mean()),
         'accuracy': float(hits[number == k].mean())}
        for k in range(bins) if (number == k).any()
    ]


def expected_calibration_error(rows: Sequence[dict]) -> float:
    """Return the mean gap between confidence and accuracy over the bins, weighted by their n."""
    total = sum(row['n'] for row in rows)
    return sum(row['n'] * abs(row['confidence'] - row['accuracy']) for row in rows) / total


def brier(confidences: Sequence[float], right: Sequence[bool]) -> float:
    """Return the mean squared gap between confidence and truth (Brier 1950), 0 at best."""
    sure, hits = _checked(confidences, right)
    return float(((sure - hits)**2).mean())


def auroc(confidences: Sequence[float], right: Sequence[bool]) -> float | None:
    """
    Return the chance that a right answer is surer than a wrong one, ties counting one half.

    The area under the ROC curve by ranks (Mann and Whitney 1947). None where all answers are
    right, or all wrong: there is nothing to tell apart then.
    """
    sure, hits = _checked(confidences, right)
    positives, negatives = int(hits.sum()), int((1 - hits).sum())
    if not positives or not negatives:
        return None
    _, inverse, counts = np.unique(sure, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[inverse]  # mean rank of equal values, from 1
    above = ranks[hits == 1].sum() - positives * (positives + 1) / 2
    return float(above / (positives * negatives))


def calibration(confidences: Sequence[float], right: Sequence[bool]) -> dict:
    """Return all of the above, with the mean confidence, for results.json."""
    rows = reliability(confidences, right)
    return {
        'n': len(confidences),
        'accuracy': float(np.mean(right)),
        'confidence': float(np.mean(confidences)),
        'ece': expected_calibration_error(rows),
        'brier': brier(confidences, right),
        'auroc': auroc(confidences, right),
        'bins': rows,
    }


def vote(letters: Sequence[str], probabilities: Sequence[Sequence[float]]) -> tuple[str, float]:
    """
    Return the letter that most of several answers chose, and the share of them that did.

    Equal shares are settled by the answers' mean probabilities. Answers without a letter ('') make
    the share smaller. ('', 0.0) where none has one.
    """
    votes = Counter(letter for letter in letters if letter)
    if not votes:
        return '', 0.0
    mean = np.mean(probabilities, axis=0)
    best = max(votes, key=lambda letter: (votes[letter], mean[LETTERS.index(letter)]))
    return best, votes[best] / len(letters)


def _checked(confidences: Sequence[float], right: Sequence[bool]) -> tuple[np.ndarray, np.ndarray]:
    sure, hits = np.asarray(confidences, float), np.asarray(right, float)
    if not len(sure) or sure.shape != hits.shape:
        raise ValueError(f'need one confidence an answer and one answer at least; got {len(sure)} '
                         f'confidences and {len(hits)} answers')
    if not ((sure >= 0) & (sure <= 1 + 1e-9)).all():
        raise ValueError('confidences lie within 0..1')
    return np.minimum(sure, 1), hits
