# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""Path tracing: the published wording, one right choice, what questions say about themselves."""

from collections import Counter
import string

from hypothesis import given
from hypothesis import strategies as st
from ipt_ros.spatial import errors, guess_task, TASKS
from ipt_ros.spatial.tasks import path_wordings as wordings
from ipt_ros.spatial.tasks.path_tracing import (
    DIRECTIONS,
    goes_back,
    names_arrow,
    side_in,
    SIDES,
)
import numpy as np
import pytest

PT = TASKS['pt']
UNSEEN = ['chair', 'armchair', 'piano', 'stove', 'lamp']
ALL = {'td_path': wordings.PATH, 'td_path_arrow': wordings.PATH_ARROW,
       'td_ego_dir': wordings.EGO_DIR}
seeds = st.integers(0, 2**32 - 1)
variants = st.sampled_from(PT.variants)


@given(variants, st.sampled_from(SIDES), st.sampled_from(DIRECTIONS), seeds)
def test_one_choice_is_seen_and_three_are_not(variant, side, direction, seed):
    rng = np.random.default_rng(seed)
    question = PT.question('sofa', UNSEEN, side, direction, rng, variant)
    articles, names = zip(*(choice.split(' ', 1) for choice in question.choices), strict=True)
    assert len(set(names)) == 4 and set(names) <= {'sofa', *UNSEEN}
    assert set(articles) in ({'the'}, {'a'}, {'a', 'an'})
    assert question.answer_choice.split()[1] == question.metadata['seen'] == 'sofa'
    assert question.subtask == variant
    sentence, *lines = question.text.split('\n')
    assert lines == [f'({letter}) {choice}' for letter, choice in
                     zip('ABCD', question.choices, strict=True)]
    assert side_in(sentence) == side
    assert goes_back(sentence) == (direction == (2, 1))
    assert names_arrow(sentence) == (variant == 'td_path_arrow')


def test_vowels_get_their_article():
    questions = [PT.question('aquarium', UNSEEN, 'left', (1, 2), np.random.default_rng(seed))
                 for seed in range(20)]
    assert {q.answer_choice for q in questions} == {'the aquarium', 'an aquarium'}


@given(variants, seeds)
def test_rewording_keeps_the_truth(variant, seed):
    rng = np.random.default_rng(seed)
    question = PT.question('sofa', UNSEEN, 'right', (2, 1), rng, variant)
    question.metadata['object'] = 7
    again = PT.reword(question, rng)
    assert again.answer_choice.split()[1] == 'sofa'
    for key in ('side', 'direction', 'variant', 'object', 'unseen'):
        assert again.metadata[key] == question.metadata[key]
    assert not {'sofa'} & set(again.metadata['distractors'])


@given(variants, seeds)
def test_who_comes_from_the_other_end_has_the_same_view_on_the_other_side(variant, seed):
    rng = np.random.default_rng(seed)
    question = PT.question('sofa', UNSEEN, 'right', (2, 1), rng, variant)
    twin = PT.from_other_end(question, rng)
    assert (twin.metadata['side'], twin.metadata['direction']) == ('left', [1, 2])
    assert twin.answer_choice.split()[1] == 'sofa'
    assert twin.metadata['variant'] == variant and ' left' in twin.text


def test_rewording_brings_variety():
    rng = np.random.default_rng(0)
    question = PT.question('sofa', UNSEEN, 'left', (1, 2), rng)
    again = [PT.reword(question, rng) for _ in range(200)]
    assert len({q.text for q in again}) > 150
    assert {q.metadata['wording'] for q in again} == set(range(10))
    assert {name for q in again for name in q.metadata['distractors']} == set(UNSEEN)


def test_letters_are_balanced_and_questions_repeatable():
    rng = np.random.default_rng(1)
    letters = Counter(
        PT.question('sofa', UNSEEN, 'left', (1, 2), rng).answer for _ in range(2000))
    # Three standard deviations of a fair four-sided die.
    assert all(abs(letters[letter] - 500) < 59 for letter in 'ABCD')
    one, other = (PT.question('sofa', UNSEEN, 'left', (1, 2), np.random.default_rng(5))
                  for _ in range(2))
    assert one == other


@pytest.mark.parametrize('variant', PT.variants)
def test_ten_wordings_of_each_variant(variant):
    texts = ALL[variant]
    assert len(set(texts)) == 10
    tags = ('<image_1>', '<image_2>', '<image_3>') if variant == 'td_ego_dir' else ()
    for text in texts:
        fields = {name for _, name, _, _ in string.Formatter().parse(text) if name}
        assert fields == {'start', 'end', 'side'}
        assert all(text.count(tag) == 1 for tag in tags)
        assert 'M1' in text and text.rstrip('.').endswith('?')
        assert guess_task(text.format(start=2, end=1, side='left'), 4) is PT


def test_published_wordings_are_verbatim():
    assert wordings.PATH[0].format(start=1, end=2, side='right') == (
        'You are following the path from waypoint 1 to 2 as shown in the top-down view '
        '<image_1>. Which object can you see on your right side at waypoint M1?.')
    assert wordings.EGO_DIR[0].format(start=2, end=1, side='left') == (
        'You are navigating from waypoint 2 to waypoint 1, passing through midpoint M1 as shown '
        'in the top-down view <image_1>. Looking ahead from point 2, you see: <image_2>. Looking '
        'ahead from point 1, you see: <image_3>. Which object can you see on your left side at '
        'waypoint M1?')
    assert wordings.EGO_DIR[1].format(start=2, end=1, side='right') == (
        'You are traveling along the path 2→1 and viewing from a top-down perspective as shown in '
        '<image_1>. Standing at point 2 and looking forward: <image_2>. Standing at point 1 and '
        'looking forward: <image_3>. Which object can you see on your right side at waypoint M1?')


def test_published_thoughts_are_verbatim():
    assert len(set(PT.think_sentences)) == 16
    assert {'At M1, the view to my left:', 'From the midpoint M1, my right side shows:',
            'At midpoint M1, looking to the right, I see:',
            "Here's what's on my left at midpoint M1:"} <= set(PT.think_sentences)


@pytest.mark.parametrize('side', SIDES)
def test_thoughts_name_the_side_that_is_asked(side):
    rng = np.random.default_rng(0)
    thoughts = {PT.think(rng, side) for _ in range(100)}
    assert len(thoughts) == 8
    assert all(side_in(thought) == side for thought in thoughts)


def test_references_to_images_take_the_form_that_models_read():
    text = PT.ask('As <image_1> and <image_3> show, what is on my left at M1?').text
    assert text == (
        'As <img><|image_1|></img> and <img><|image_3|></img> show, what is on my left at M1?')


@pytest.mark.parametrize(('unseen', 'side', 'direction', 'variant'), [
    (UNSEEN[:2], 'left', (1, 2), 'td_path'), ([*UNSEEN, 'sofa'], 'left', (1, 2), 'td_path'),
    (['lamp'] * 3, 'left', (1, 2), 'td_path'), (UNSEEN, 'ahead', (1, 2), 'td_path'),
    (UNSEEN, 'left', (1, 1), 'td_path'), (UNSEEN, 'left', (1, 2), 'path')])
def test_unfair_questions_are_refused(unseen, side, direction, variant):
    with pytest.raises(errors.BadQuestionError):
        PT.question('sofa', unseen, side, direction, np.random.default_rng(0), variant)


@pytest.mark.parametrize(('text', 'side', 'back'), [
    ('What is on my left at M1, going from waypoint 2 to waypoint 1?', 'left', True),
    ('What is on the RIGHT half way 1 -> 2?', 'right', False),
    ('From point 2 to the waypoint 1: what is there?', '', True),
    ('Is the lamp on my left or on my right at M1?', '', False),
    ('Which of the 2 to 3 objects is left of me?', 'left', False)])
def test_own_questions_are_read(text, side, back):
    assert (side_in(text), goes_back(text)) == (side, back)
