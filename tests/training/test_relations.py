# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""Places in words: true in every heading, and silent where neither word would be."""

import math

from hypothesis import example, given
from hypothesis import strategies as st
from ipt_ros.spatial import Example
from ipt_training.relations import (
    answer_in_words,
    compass_words,
    on_map,
    path_questions,
    perspective_questions,
    Relation,
    relations,
)
import numpy as np
import pytest

METRES = st.floats(-5, 5)
NORTH_UP = {'yaw': math.pi / 2}  # a map with +y at its upper edge


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
        'midpoint': [1.0, 1.0, yaw], 'direction': direction, 'map': NORTH_UP,
        'objects': [{'id': 5, 'position': [2.0, 3.0, 0.4]}, {'id': 6, 'position': [0.0, 0.0, 0.4]},
                    {'id': 7, 'position': [1.0, 0.0, 0.4]}],
        'shown': [{'object': 5, 'name': 'sofa', 'map_area': 0.02},
                  {'object': 6, 'name': 'lamp', 'map_area': 0.02},
                  {'object': 7, 'name': 'lamp', 'map_area': 0.02}]})
    sofa, *lamps = relations(example)
    assert sofa.alone and not any(lamp.alone for lamp in lamps)
    assert compass_words(sofa.heading) == 'right'  # from 1 to 2 is along +x
    assert on_map(sofa) == 'up right' and on_map(lamps[1]) == 'down'
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


@given(st.floats(-math.pi, math.pi), st.integers(-3, 3))
def test_compass_words_are_those_of_the_nearest_of_eight_directions(off, turns):
    words = ['up', 'up right', 'right', 'down right', 'down', 'down left', 'left', 'up left']
    for number, expected in enumerate(words):
        aimed = math.pi / 4 * number + 0.99 * off / 8 + 2 * math.pi * turns
        assert compass_words(aimed) == expected


@given(st.lists(st.tuples(METRES, METRES), min_size=4, max_size=9), st.integers(0, 99))
@example([(0.0, 0.0), (0.0, 0.0), (0.0, 0.0), (0.0, -0.0)], 0)
def test_path_questions_are_right_for_whoever_walks_and_no_other_choice_is(places, seed):
    found = [Relation(f'thing {number}', ahead, left, heading=0.0)
             for number, (ahead, left) in enumerate(places)]
    by_name = {relation.name: relation for relation in found}
    for question in path_questions(found, np.random.default_rng(seed)):
        known = question.metadata
        walks_back = tuple(known['direction']) == (2, 1)
        sign = -1 if (known['side'] == 'left') == walks_back else 1
        for name in (known['seen'], *known['distractors']):
            relation = by_name[name]
            in_sight = abs(relation.ahead) < sign * relation.left  # in a view of 90 degrees
            assert in_sight == (name == known['seen'])


def test_of_a_map_both_sides_are_asked_about_where_three_things_are_elsewhere():
    beside = [Relation('bed', 0.0, 2.0), Relation('sofa', 0.1, -2.0)]
    others = [Relation(name, 2.0, 0.1) for name in ('lamp', 'door')]
    rng = np.random.default_rng(0)
    assert [q.metadata['seen'] for q in path_questions(beside + others, rng)] == ['bed', 'sofa']
    assert not path_questions(beside + others[:1], rng)  # two others are too few
    far = [Relation('bed', 0.0, 4.0), *beside[1:], *others]
    assert [q.metadata['seen'] for q in path_questions(far, rng)] == ['sofa']


def test_a_thing_with_a_twin_in_sight_is_no_wrong_choice():
    twins = [Relation('lamp', 0.0, 2.0, alone=False), Relation('lamp', 0.0, -2.0, alone=False)]
    others = [Relation(name, 2.0, 0.1) for name in ('door', 'box', 'bed')]
    for question in path_questions(twins + others, np.random.default_rng(0)):
        assert question.metadata['seen'] == 'lamp'
        assert 'lamp' not in question.metadata['unseen']
