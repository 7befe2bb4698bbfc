# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""What a target shows: told truly by letters, and asked in the words of its task."""

import re

from ipt_ros.spatial import TASKS
from ipt_training.data import TaskData
from ipt_training.looking import HEADING, look, read_questions, Shown, shown
import numpy as np
import pytest

NAMES = ('nothing', 'ball', 'bed', 'chair', 'desk', 'floor', 'lamp', 'midpoint', 'sofa', 'wall')
RNG = np.random.default_rng
FOUND = Shown(
    {'ball': '1', 'bed': '2', 'chair': '3'}, ['desk', 'lamp', 'sofa', 'table'],
    {(1, 1): 'ball', (1, 2): 'floor', (2, 1): 'wall', (2, 2): 'ball'})


def data(counts):
    """One example; its target has a chair top left, balls in two places and a pixel of a bed."""
    classes = np.full((1, 32, 32), NAMES.index('floor'), np.uint8)
    classes[0, 2:10, 2:10] = NAMES.index('chair')
    classes[0, 2:8, 24:30] = classes[0, 24:30, 24:30] = NAMES.index('ball')
    classes[0, 30, 5] = NAMES.index('bed')
    pixels = np.zeros((1, 32, 32, 3), np.uint8)
    return TaskData(
        inputs=pixels[:, None], targets=pixels, thinks=[''], questions=[[]], relations=[[]],
        target_counts=[counts], target_classes=classes,
        target_depths=np.full(classes.shape, 2000, np.uint16), class_names=NAMES)


CELLS = {(1, 1): 'chair', (1, 2): 'floor', (2, 1): 'floor', (2, 2): 'floor'}


def test_a_view_tells_of_what_is_in_one_place_and_no_pixel_shows_what_is_absent():
    assert shown('pt', data({}), 0, 16) == Shown(
        {'chair': '1 1 2'}, ['desk', 'lamp', 'sofa'], CELLS)


def test_a_map_tells_numbers_and_too_many_are_not_told_of():
    assert shown('mvc', data({'ball': 2, 'chair': 9}), 0, 16) == Shown(
        {'ball': '2'}, ['desk', 'lamp', 'sofa'], CELLS)


@pytest.mark.parametrize('task', ['pet', 'pt', 'mvc'])
def test_what_is_asked_by_a_letter_or_answered_with_one_is_true(task):
    kinds = set()
    for seed in range(30):
        text, told = look(task, FOUND, 40, RNG(seed))
        assert text.startswith(HEADING) and len(told) == len(dict(told))
        choices = re.split(r'[( \n]*[A-D]\) ', text)[1:]
        names = dict(zip('ABCD', (choice.removeprefix('the ') for choice in choices)))
        assert len(set(names.values())) == 4
        # What is there is among the choices, and what is not, unless all of them are there.
        assert sum(name not in FOUND.absent for name in names.values()) >= 2
        for question, answer in told:
            if cell := re.match(r'What is at (\d) (\d)\?', question):
                assert names[answer] == FOUND.cells[int(cell[1]), int(cell[2])]
                kinds.add('cell')
            else:
                letter = re.fullmatch(r'(?:Where is|How many) ([A-D])\?', question)[1]
                assert answer == FOUND.told.get(names[letter], 'none')
                kinds.add('none' if answer == 'none' else 'there')
    assert kinds == {'cell', 'none', 'there'}


def test_no_more_is_asked_than_wanted_and_nothing_of_nothing():
    assert len(look('pt', FOUND, 3, RNG(0))[1]) == 3
    _, told = look('pt', Shown({}, ['bed', 'desk', 'lamp', 'sofa'], {}), 9, RNG(0))
    assert {answer for _, answer in told} == {'none'}


def test_path_questions_are_about_this_view_and_only_one_choice_is_in_it():
    like = TASKS['pt'].question('rug', ['bed', 'desk', 'lamp'], 'right', (2, 1), RNG(0),
                                'td_path_arrow')
    questions = read_questions('pt', FOUND, like, RNG(0))
    assert [question.metadata['seen'] for question in questions] == ['ball', 'bed', 'chair']
    for question in questions:
        assert (question.subtask, question.metadata['side']) == ('td_path_arrow', 'right')
        assert not set(question.metadata['distractors']) & set(FOUND.told)
    assert not read_questions('pt', Shown(FOUND.told, ['desk'], {}), like, RNG(0))


def test_counting_questions_hold_the_number_on_the_map():
    like = TASKS['mvc'].question('rug', 1, 'rotation', RNG(0))
    questions = read_questions('mvc', Shown({'ball': '4', 'chair': '5'}, [], {}), like, RNG(0))
    assert [(question.metadata['category'], question.answer_choice)
            for question in questions] == [('ball', '4'), ('chair', '5')]
    assert not read_questions('pet', FOUND, like, RNG(0))
