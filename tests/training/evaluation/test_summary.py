# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""Numbers of results.json from records written by hand."""

from ipt_training.evaluation.summary import summarise
import pytest


def record(letter='A', truth='A', task='pet', subtask='near', variant='no_arrow', **more):
    return {
        'id': '', 'task': task, 'variant': variant, 'subtask': subtask, 'mode': 'imagine',
        'index': 0, 'question': '?', 'choices': ['x', 'y'], 'truth': truth, 'letter': letter,
        'rule': 'answer tag', 'text': '', 'blind': False, 'agreement': None,
        'samples': [{'letter': letter, 'probabilities': [0.8, 0.2]}],
        'seconds': {'read': 1.0}, 'scores': {}, 'objects': {}, 'pictures': {}, **more}


def test_every_question_counts_once_in_the_accuracy():
    found = summarise([record(), record(), record('B'), record('')])
    assert (found['accuracy'], found['n'], found['unanswered']) == (0.5, 4, 1)
    assert found['chance'] == 0.5 and found['blind'] == 0
    assert found['ci95'][0] < 0.5 < found['ci95'][1]


@pytest.mark.parametrize(('task', 'key', 'expected'), [
    ('pet', 'subtask', (1 + 0) / 2), ('pt', 'variant', (1 + 0) / 2), ('mvc', 'subtask', 3 / 4)])
def test_the_headline_averages_as_the_paper_does(task, key, expected):
    # Three right of one split, one wrong of another.
    rows = [record(task=task, **{key: 'one'})] * 3 + [record('B', task=task, **{key: 'two'})]
    found = summarise(rows)
    assert found['accuracy'] == 3 / 4
    assert found['headline']['accuracy'] == pytest.approx(expected)
    assert {name: row['n'] for name, row in found[f'{key}s'].items()} == {'one': 3, 'two': 1}


def test_confidence_is_that_of_the_answer_given():
    found = summarise([record(), record('B', 'B')])['calibration']
    assert set(found) == {'probability'}
    # 0.8 in A, which is right; 0.2 in B, which is right, too.
    assert found['probability']['confidence'] == pytest.approx(0.5)
    assert found['probability']['accuracy'] == 1


def test_a_reply_without_a_letter_is_wrong_in_the_calibration_as_well():
    # 0.8 in A, which is the truth, but it was not said.
    found = summarise([record(), record(''), record('', agreement=0.9)])
    kinds = found['calibration']
    assert kinds['probability']['accuracy'] == found['accuracy'] == pytest.approx(1 / 3)
    assert kinds['probability']['confidence'] == pytest.approx(0.8)
    assert kinds['image_agreement']['accuracy'] == 0


def test_votes_and_their_agreement_over_several_imaginations():
    samples = [{'letter': letter, 'probabilities': belief} for letter, belief in (
        ('B', [0.4, 0.6]), ('A', [0.9, 0.1]), ('A', [0.8, 0.2]))]
    found = summarise([record('B', 'A', samples=samples, agreement=0.9)] * 2)
    assert found['accuracy'] == 0  # that of the first imagination
    assert found['vote']['k'] == 3 and found['vote']['accuracy'] == 1
    kinds = found['calibration']
    assert kinds['agreement']['confidence'] == pytest.approx(2 / 3)
    assert kinds['mean_probability']['confidence'] == pytest.approx(0.7)
    assert kinds['mean_probability']['accuracy'] == kinds['agreement']['accuracy'] == 1
    assert kinds['probability']['accuracy'] == 0
    assert kinds['image_agreement']['confidence'] == pytest.approx(0.9)
    assert kinds['image_agreement']['accuracy'] == 0


def scores(imagined, mean_image):
    return {name: {'psnr': value, 'ssim': value / 100, 'perceptual': 1 / value}
            for name, value in (('imagined', imagined), ('mean_image', mean_image))}


def test_gains_are_above_zero_where_the_imagined_image_is_better_in_every_measure():
    rows = [record(scores=scores(20.0, 10.0)), record(scores=scores(20.0, 16.0)), record()]
    found = summarise(rows)['imagination']
    assert found['n'] == 2
    assert found['psnr']['imagined']['mean'] == 20 and found['psnr']['mean_image']['mean'] == 13
    assert found['gains']['psnr']['mean_image']['mean'] == pytest.approx(7)
    for measure in ('psnr', 'ssim', 'perceptual'):
        gain = found['gains'][measure]['mean_image']
        assert 0 < gain['ci95'][0] <= gain['mean'] <= gain['ci95'][1]
        assert gain['wins'] == 1


def test_recall_counts_objects_and_not_maps():
    rows = []
    for objects, found in ((1, 1), (9, 0)):
        counts = {'objects': objects, 'found': found, 'decoys': 2, 'false_alarms': 1}
        rows.append(record(scores=scores(20.0, 10.0), objects={'imagined': counts}))
    found = summarise(rows)['imagination']['objects']
    assert set(found) == {'imagined'}
    assert found['imagined']['recall'] == pytest.approx(0.1)
    assert found['imagined']['false_alarms'] == pytest.approx(0.5)


def test_without_images_there_is_no_quality():
    assert 'imagination' not in summarise([record()])
    assert 'vote' not in summarise([record()])
