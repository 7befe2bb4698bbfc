# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""Questions: the right letter, fair choices, balanced shuffles, the published wording."""

from collections import Counter
import string

from hypothesis import given
from hypothesis import strategies as st
from ipt_ros.spatial import errors, get_task, guess_task, TASKS
from ipt_ros.spatial.tasks import wordings
import numpy as np
import pytest

PET, MVC, FREE = TASKS['pet'], TASKS['mvc'], TASKS['free']
seeds = st.integers(0, 2**32 - 1)


@given(st.integers(1, 30), seeds)
def test_counting_choices(count, seed):
    question = MVC.question('trash can', count, 'rotation', np.random.default_rng(seed))
    numbers = [int(choice) for choice in question.choices]
    assert len(set(numbers)) == 4
    assert min(numbers) >= 0
    assert all(abs(number - count) <= 2 for number in numbers)
    # A gap would tell on which side of it the truth is.
    assert max(numbers) - min(numbers) == 3
    assert question.answer_choice == str(count)
    assert sorted(numbers).index(count) == question.metadata['rank'] in (1, 2)
    assert question.subtask == 'rotation'


def test_counting_choices_tell_no_more_than_they_must():
    """Counts 1 to 5 equally likely: the best guess from the row of choices alone."""
    rng = np.random.default_rng(0)
    rows, ranks = {}, Counter()
    for k in range(5000):
        question = MVC.question('sofa', k % 5 + 1, 'rotation', rng)
        rows.setdefault(tuple(sorted(question.choices)), Counter())[question.answer_choice] += 1
        ranks[question.metadata['rank']] += 1
    assert sum(max(answers.values()) for answers in rows.values()) / 5000 < 0.62
    assert abs(ranks[1] - 2500) < 200


def test_counting_text_is_the_published_one():
    rng = np.random.default_rng(0)
    question = MVC.question('chair', 2, 'rotation', rng)
    letters = ' '.join(f'{x}) {n}' for x, n in zip('ABCD', question.choices, strict=True))
    assert question.text == f'How many chair(s) are in this area? {letters}'


def test_no_count_below_one():
    with pytest.raises(errors.BadQuestionError):
        MVC.question('chair', 0, 'rotation', np.random.default_rng(0))


@given(st.sampled_from(PET.subtasks), st.sampled_from(['left', 'right']),
       st.sampled_from(PET.variants), seeds)
def test_perspective_questions(subtask, turn, variant, seed):
    rng = np.random.default_rng(seed)
    question = PET.question(subtask, 'sofa', turn, rng, variant)
    wanted = ['Closer', 'Further'] if subtask.startswith('distance') else ['left', 'right']
    assert sorted(question.choices) == wanted
    assert subtask.endswith(question.answer_choice.lower())
    sentence, first, second = question.text.split('\n')
    assert (first, second) == tuple(
        f'({letter}) {choice}' for letter, choice in zip('AB', question.choices, strict=True))
    assert 'sofa' in sentence and f'{turn}' in sentence and '{' not in sentence


def test_shuffles_are_balanced_and_repeatable():
    rng = np.random.default_rng(1)
    perspective = [
        PET.question(PET.subtasks[k % 6], 'sofa', 'left', rng) for k in range(2400)]
    counting = [MVC.question('sofa', k % 5 + 1, 'rotation', rng) for k in range(2400)]
    # Three standard deviations of a fair coin, of a fair four-sided die.
    assert abs(Counter(q.answer for q in perspective)['A'] - 1200) < 75
    assert all(abs(n - 600) < 65 for n in Counter(q.answer for q in counting).values())
    again = np.random.default_rng(1)
    assert [PET.question(PET.subtasks[k % 6], 'sofa', 'left', again) for k in range(9)] == (
        perspective[:9])


@given(seeds)
def test_rewording_keeps_the_truth(seed):
    rng = np.random.default_rng(seed)
    side = PET.question('relative_position_left_right', 'sofa', 'right', rng, 'with_arrow')
    for question, task in ((side, PET), (MVC.question('sofa', 3, 'rotation', rng), MVC)):
        question.metadata['object'] = 7
        again = task.reword(question, rng)
        assert again.answer_choice == question.answer_choice
        assert again.subtask == question.subtask
        assert again.metadata['object'] == 7
        assert ('arrow' in again.text) == ('arrow' in question.text)


@given(st.sampled_from(PET.subtasks), st.sampled_from(['left', 'right']), seeds)
def test_twins_for_the_arrow_share_wording_order_and_answer(subtask, turn, seed):
    plain = PET.question(subtask, 'sofa', turn, np.random.default_rng(seed))
    plain.metadata['object'] = 7
    arrow = PET.in_variant(plain, 'with_arrow')
    assert 'arrow' in arrow.text
    assert (arrow.choices, arrow.answer, arrow.subtask) == (
        plain.choices, plain.answer, plain.subtask)
    assert arrow.metadata == plain.metadata | {'variant': 'with_arrow'}
    assert PET.in_variant(arrow, 'no_arrow') == plain


def test_rewording_brings_variety():
    rng = np.random.default_rng(0)
    question = PET.question('distance_change_closer', 'sofa', 'left', rng)
    assert len({PET.reword(question, rng).text for _ in range(100)}) > 15
    question = MVC.question('sofa', 3, 'rotation', rng)
    assert len({MVC.reword(question, rng).text for _ in range(100)}) > 25
    free = FREE.ask('What is this?')
    assert FREE.reword(free, rng) is free


@pytest.mark.parametrize('texts', [
    wordings.DISTANCE, wordings.DISTANCE_ARROW, wordings.SIDE, wordings.SIDE_ARROW])
def test_ten_wordings_of_each_kind(texts):
    assert len(set(texts)) == 10
    for text in texts:
        fields = [name for _, name, _, _ in string.Formatter().parse(text) if name]
        assert sorted(fields) == ['direction', 'object']
        assert "'X'" in text and text.endswith('?')
    assert all('arrow' in text for text in texts) == (texts[0].startswith('The arrow'))


def test_published_wordings_are_verbatim():
    assert wordings.DISTANCE[0].format(direction='right', object='window') == (
        "If someone at this viewpoint moves to the 'X' on the ground while maintaining their "
        'orientation, then rotates right 90 degrees, will the window be closer or further to them?'
    )
    assert wordings.DISTANCE[1].format(direction='right', object='painting') == (
        "If I move to the 'X' on the ground (keeping my facing direction) and then turn right 90 "
        'degrees, will the painting get closer or further?')
    assert wordings.DISTANCE_ARROW[0].format(direction='right', object='window') == (
        "The arrow shows the final facing direction after moving to 'X' on the ground and "
        'rotating right 90°. Will the window be closer or further?')


def test_all_wordings_are_used():
    rng = np.random.default_rng(3)
    used = {PET.question('distance_change_closer', 'sofa', 'left', rng).metadata['wording']
            for _ in range(200)}
    assert used == set(range(10))


@pytest.mark.parametrize(('subtask', 'turn', 'variant'), [
    ('distance', 'left', 'no_arrow'), ('distance_change_closer', 'back', 'no_arrow'),
    ('distance_change_closer', 'left', 'arrow')])
def test_unknown_perspective_parts_are_refused(subtask, turn, variant):
    with pytest.raises(errors.BadQuestionError):
        PET.question(subtask, 'sofa', turn, np.random.default_rng(0), variant)


def test_own_questions_take_the_form_of_the_task():
    assert PET.ask('Where?', ['left', 'right']).text == 'Where?\n(A) left\n(B) right'
    assert MVC.ask('How many?', ['1', '2']).text == 'How many? A) 1 B) 2'
    assert FREE.ask('What is this?').text == 'What is this?'
    assert FREE.ask('What?', ['x', 'y']).text == 'What?\n(A) x\n(B) y'
    assert FREE.ask('What is this?').answer == ''


@pytest.mark.parametrize(('text', 'choices'), [
    ('', []), ('  \n', []), ('Where?', ['left']), ('Where?', ['left', 'Left ']),
    ('Where?', ['left', '']), ('Where?', [str(k) for k in range(27)])])
def test_bad_questions_are_refused(text, choices):
    with pytest.raises(errors.BadQuestionError):
        FREE.ask(text, choices)


@pytest.mark.parametrize(('task', 'count', 'fits'), [
    ('pet', 1, True), ('pet', 2, False), ('pt', 1, True), ('pt', 3, True),
    ('pt', 4, False), ('mvc', 4, True), ('mvc', 3, False),
    ('free', 1, True), ('free', 0, False)])
def test_image_counts(task, count, fits):
    images = [np.zeros((4, 4, 3), np.uint8)] * count
    if fits:
        get_task(task).check_images(images)
    else:
        with pytest.raises(errors.WrongImagesError, match='takes'):
            get_task(task).check_images(images)


def test_images_of_another_type_are_refused():
    with pytest.raises(errors.WrongImagesError, match='float32'):
        PET.check_images([np.zeros((4, 4, 3), np.float32)])


def test_registry():
    with pytest.raises(errors.UnknownTaskError, match='pet, pt, mvc'):
        get_task('chess')
    for name, task in TASKS.items():
        assert task.name == name
        assert task.imagination_question().text
        assert task.think(np.random.default_rng(0)) in task.think_sentences


@pytest.mark.parametrize(('text', 'images', 'task'), [
    ("If I move to the 'X' on the ground and turn left, will the sofa be closer?", 1, 'pet'),
    ('How many chair(s) are in this area?', 4, 'mvc'),
    ('How many chairs do you see?', 1, 'free'),
    ('What is behind the sofa?', 4, 'free'),
    ('What is on my left at M1?', 1, 'pt'),
    ('What is on my right on the way from waypoint 1 to 2?', 4, 'pt'),
    ('Is there a chair at the next waypoint?', 1, 'free'),
    ('Is the box on the left?', 1, 'free')])
def test_guess(text, images, task):
    assert guess_task(text, images).name == task
