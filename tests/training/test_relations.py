# SPDX-License-Identifier: Apache-2.0
"""Places in words: true in every heading, and silent where neither word would be."""

from hypothesis import given
from hypothesis import strategies as st
from ipt_training.relations import answer_in_words, place_question, Relation
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


def test_a_relation_is_read_from_what_was_seen_and_asked_about_by_name():
    relation = Relation.from_seen({
        'name': 'bed', 'ahead': 1.0, 'left': -2.0, 'distance_before': 3.0,
        'distance_after': 2.5})
    assert relation == Relation('bed', 1.0, -2.0, -0.5)
    assert place_question(relation) == "Where is the bed from the 'X'?"
    assert place_question(relation, 'left').endswith("from the 'X' after turning left?")
