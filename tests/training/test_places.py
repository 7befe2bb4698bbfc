# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""Where things are in a picture, told from its per-pixel truth."""

from ipt_training.places import (
    locate_answer,
    patch_names,
    Place,
    places,
    showing_answer,
    what_question,
    where_question,
)
import numpy as np

NAMES = ['nothing', 'ceiling', 'floor', 'lamp', 'sofa', 'wall']


def picture():
    """Return classes and depths (mm): a floor, a wall above it, a sofa 2 m away on the left."""
    classes = np.full((96, 96), NAMES.index('wall'), np.uint8)
    classes[48:] = NAMES.index('floor')
    classes[48:62, 2:28] = NAMES.index('sofa')
    depth = np.full((96, 96), 4000, np.uint16)
    depth[classes == NAMES.index('sofa')] = 2100
    return classes, depth


def test_things_have_a_cell_and_a_distance_and_the_room_has_none():
    assert places(*picture(), NAMES, 16) == [Place('sofa', row=4, column=1, metres=2)]


def test_what_is_tiny_or_everywhere_is_left_out():
    classes, depth = picture()
    classes[classes == NAMES.index('sofa')] = NAMES.index('floor')
    classes[90, 90] = NAMES.index('lamp')
    assert not places(classes, depth, NAMES, 16)
    classes[::2, ::2] = NAMES.index('lamp')
    assert not places(classes, depth, NAMES, 16)


def test_a_cell_is_named_where_one_class_fills_most_of_it():
    names = patch_names(picture()[0], NAMES, 16)
    assert (names[1, 1], names[6, 6], names[4, 1]) == ('wall', 'floor', 'sofa')
    assert (4, 2) not in names or names[4, 2] == 'sofa'


def test_several_pictures_are_told_by_number():
    sofa = Place('sofa', 1, 1, 1)
    assert showing_answer('sofa', [[sofa], [], [sofa]]) == '1 3'
    assert showing_answer('lamp', [[sofa]]) == 'none'


def test_questions_and_answers_in_words():
    assert where_question('sofa') == 'Where is the sofa?'
    assert what_question(4, 1) == 'What is at 4 1?'
    assert locate_answer(Place('sofa', 4, 1, 2)) == '4 1 2'


def test_a_thing_needs_less_of_a_cell_than_the_room_behind_it():
    classes, _ = picture()
    classes[:16, :16] = NAMES.index('ceiling')
    classes[:8, :8] = NAMES.index('lamp')  # a quarter of its cell
    assert patch_names(classes, NAMES, 16)[1, 1] == 'ceiling'
    assert patch_names(classes, NAMES, 16, thing=0.2)[1, 1] == 'lamp'
    assert patch_names(classes, NAMES, 16, thing=0.3)[1, 1] == 'ceiling'
