# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""Numbers over seeds, by hand; and what the page makes of them."""

from ipt_training.evaluation.errors import EvaluationError
from ipt_training.evaluation.statistics import sign_flip_p
from ipt_training.experiment.markdown import notes, table, write_page
from ipt_training.experiment.page import paper_difference
from ipt_training.experiment.results import better, load_paper
from ipt_training.experiment.scores import compare, hits, images, score
from ipt_training.experiment.words import verdict
import pytest


@pytest.fixture
def run(record):
    """Return a function that makes the records of one seed from 1 for right and 0 for wrong."""
    def make(rights, groups='', task='mvc', seed=0, **more):
        groups = groups or ['only'] * len(rights)
        return {str(k): record(str(k), bool(right), group, task, seed, **more)
                for k, (right, group) in enumerate(zip(rights, groups))}
    return make


def test_a_score_is_the_mean_of_seeds_and_shows_each(run):
    found = score({0: run([1, 1, 0, 0]), 1: run([1, 1, 1, 0], seed=1)})
    assert found['accuracy'] == 0.625 and found['seeds'] == {'0': 0.5, '1': 0.75}
    low, high = found['ci95']
    assert low < 0.625 < high and found['n'] == 4
    assert (found['chance'], found['blind'], found['drew']) == (0.25, 0.5, 0)


@pytest.mark.parametrize(('task', 'expected'), [('pet', 0.5), ('pt', 0.5), ('mvc', 0.75)])
def test_tasks_are_averaged_as_in_the_paper(run, task, expected):
    # Three right of one kind, one wrong of the other.
    found = score({0: run([1, 1, 1, 0], ['a', 'a', 'a', 'b'], task)})
    assert found['accuracy'] == expected
    assert {name: group['accuracy'] for name, group in found['groups'].items()} == {'a': 1, 'b': 0}


def test_seeds_are_joined_question_by_question(run):
    first, second = run([1, 0, 1]), run([1, 1, 0])
    del second['2']
    assert hits({0: first, 1: second}) == {'': {'0': 1.0, '1': 0.5}}


def test_a_comparison_is_paired_and_says_whether_all_seeds_agree(run):
    some, most = [1, 0] * 20, [1, 1] * 18 + [1, 0] * 2
    found = compare({0: run(some)}, {0: run(most), 1: run(some)})
    assert found['difference'] == pytest.approx(0.225)
    assert found['p'] < 0.001 and not found['apart']
    assert compare({0: run(some)}, {0: run(most), 1: run(most)})['apart']
    assert compare({0: run(some)}, {0: run(some)})['p'] == 1
    with pytest.raises(EvaluationError, match='no question'):
        compare({0: run([1])}, {0: {'other': run([1])['0']}})


def test_what_needs_all_seeds_apart_and_a_small_p_is_open_without():
    row = {'p_holm': 0.01, 'apart': True, 'difference': 0.1}
    assert verdict(row) == 'more' and verdict(row | {'difference': -0.1}) == 'less'
    assert verdict(row | {'apart': False}) == verdict(row | {'p_holm': 0.05}) == 'open'


def test_images_of_a_question_are_averaged_over_seeds_before_they_are_compared(run):
    found = images({0: run([1, 1], image=12.0), 1: run([1, 1], image=9.0)})
    assert found['n'] == 2 and found['psnr']['imagined']['mean'] == 10.5
    gain = found['gains']['psnr']['mean_image']
    assert gain['mean'] == 0.5 and gain['wins'] == 1
    assert images({0: run([1, 1], image=12.0), 1: run([1, 1])}) == {}


def test_the_better_way_is_one_that_the_paper_would_report():
    asked = {way: {'accuracy': value} for way, value in
             {'answer': 0.5, 'answer-vae': 0.6, 'imagine': 0.7, 'oracle': 0.9}.items()}
    assert better('mixed', asked) == 'imagine'
    assert better('label-only', asked) == 'answer-vae'
    assert better('ipt', {}) == ''


def test_a_difference_of_the_paper_within_its_own_error_is_open():
    paper = load_paper()
    large = paper_difference({'task': 'pet', 'first': 'text-cot', 'second': 'ipt'}, paper)
    small = paper_difference({'task': 'mvc', 'first': 'label-only', 'second': 'ipt'}, paper)
    assert large['difference'] == pytest.approx(13.7) and large['sure']
    assert small['difference'] == pytest.approx(3.4) and not small['sure']


def test_signs_that_all_point_one_way_are_rare_by_chance():
    # 2 of the 2^8 ways to sign eight equal values are as extreme.
    assert sign_flip_p([[1.0] * 8]) == pytest.approx(2 / 256, rel=0.35)
    assert sign_flip_p([[1.0] * 8]) == sign_flip_p([[1.0] * 8])
    assert sign_flip_p([[1.0, -1.0] * 8]) == 1
    assert sign_flip_p([[0.0] * 8]) == 1
    # A small group weighs as much as a large one.
    assert sign_flip_p([[0.1] * 50, [-1.0]]) > 0.4 > sign_flip_p([[0.1] * 50])
    with pytest.raises(ValueError, match='no empty group'):
        sign_flip_p([[1.0], []])


def test_what_people_wrote_stays_when_a_page_is_written_anew(tmp_path):
    page = tmp_path / 'page.md'
    write_page(page, ['# One', '', notes()])
    assert 'Nothing has been written' in page.read_text()
    text = page.read_text().replace('*Nothing has been written here yet.*',
                                    'Counting \\1 needs more steps.')
    page.write_text(text)
    write_page(page, ['# Two', notes(), 'End.'])
    kept = page.read_text()
    assert kept.startswith('# Two') and 'Counting \\1 needs more steps.' in kept
    assert 'Nothing' not in kept and kept.endswith('End.\n')


def test_a_bar_does_not_break_a_table():
    assert table(['a', 'b'], [['x|y', 'z']]).splitlines()[-1] == '| x\\|y | z |'
    assert table(['a'], []) == ''
