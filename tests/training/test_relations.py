# SPDX-License-Identifier: Apache-2.0
"""Places in words: true in every heading, and silent where neither word would be."""

import math

from hypothesis import given
from hypothesis import strategies as st
from ipt_ros.spatial import Example
from ipt_training.relations import (
    answer_in_words,
    perspective_questions,
    Relation,
    relations,
)
import numpy as np
import pytest

METRES = st.floats(-5, 5)


@pytest.mark.parametrize(('turn', 'words'), [
    ('', 'left ahead closer'),
    ('left', 'right ahead closer'),  # what was ahead is on the right, what was left is ahead
    ('right', 'left behind closer'),
])
def test_a_turn_changes_side_and_depth_but_not_distance(turn, words):
    assert answer_in_words(Relation('chair', ahead=1.0, left=1.0, change=-1.0), turn) == words


def test_between_the_margins_no_side_is_taken():
    assert answer_in_words(Relation('chair', 0.1, -0.1, 0.2)) == 'straight level same'


@given(METRES, METRES, METRES)
def test_turning_left_or_right_swaps_both_words(ahead, left, change):
    opposite = {'left': 'right', 'right': 'left', 'straight': 'straight', 'ahead': 'behind',
                'behind': 'ahead', 'level': 'level'}
    one, other = (answer_in_words(Relation('bed', ahead, left, change), turn).split()
                  for turn in ('left', 'right'))
    assert [opposite[word] for word in one[:2]] == other[:2]
    assert one[2] == other[2]


def perspective_example(seen):
    # Looks along +y from (1, 0); the X is 2 m ahead and 1 m to the right of the line of sight.
    return Example('pet', 'no_arrow', [], None, '', [], metadata={
        'pose': [1.0, 0.0, math.pi / 2], 'target_pose': [2.0, 2.0, 0.0], 'seen': seen})


def test_a_relation_is_read_from_what_was_seen():
    relation, = relations(perspective_example([{
        'name': 'bed', 'ahead': 1.0, 'left': -2.0, 'distance_before': 3.0,
        'distance_after': 2.5}]))
    assert relation == Relation('bed', 1.0, -2.0, -0.5, pytest.approx(-3.0))


@pytest.mark.parametrize(('direction', 'yaw'), [([1, 2], 0.0), ([2, 1], math.pi)])
def test_beside_a_path_the_heading_is_the_way_from_1_to_2_whoever_walks(direction, yaw):
    example = Example('pt', 'td_path', [], None, '', [], metadata={
        'midpoint': [1.0, 1.0, yaw], 'direction': direction,
        'objects': [{'id': 5, 'position': [2.0, 3.0, 0.4]}, {'id': 6, 'position': [0.0, 0.0, 0.4]},
                    {'id': 7, 'position': [1.0, 0.0, 0.4]}],
        'shown': [{'object': 5, 'name': 'sofa', 'map_area': 0.02},
                  {'object': 6, 'name': 'lamp', 'map_area': 0.02},
                  {'object': 7, 'name': 'lamp', 'map_area': 0.02}]})
    sofa, = relations(example)  # no lamp is the lamp
    assert (sofa.name, sofa.ahead, sofa.left) == ('sofa', pytest.approx(1), pytest.approx(2))
    assert answer_in_words(sofa) == 'left ahead'
    assert answer_in_words(sofa, 'around') == 'right behind'


@given(st.floats(-4, 4), st.floats(-4, 4), st.floats(-2, 2), st.floats(-4, 4))
def test_questions_about_a_relation_say_what_its_words_say(ahead, left, change, beside):
    relation = Relation('bed', ahead, left, change, beside)
    for question in perspective_questions(relation, np.random.default_rng(0)):
        words = answer_in_words(relation, question.metadata['turn']).split()
        assert question.answer_choice.lower() in (*words, 'straight')
        if question.subtask.startswith('relative'):
            assert question.subtask.split('_')[2] == ('left' if beside > 0 else 'right')


def test_a_clear_relation_is_asked_about_in_both_turns():
    found = perspective_questions(Relation('bed', 1.0, 1.0, 1.0, 0.5), np.random.default_rng(0))
    assert sorted((q.subtask, q.metadata['turn']) for q in found) == [
        ('distance_change_further', 'left'), ('distance_change_further', 'right'),
        ('relative_position_left_left', 'right'), ('relative_position_left_right', 'left')]
