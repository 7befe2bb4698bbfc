# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""Letters out of free text, confidence out of log-probabilities."""

import math

from hypothesis import given
from hypothesis import strategies as st
from ipt_ros.spatial import answers_like, choice_probabilities, choose, extract_answer
import pytest

FOUR = ['1', '2', '3', '4']
SIDES = ['left', 'right']
THINGS = ['the lamp', 'a chair', 'a door']


@pytest.mark.parametrize(('text', 'choices', 'letter', 'rule'), [
    ('<answer>B</answer>', FOUR, 'B', 'answer tag'),
    ('<image_end><answer>C</answer>', FOUR, 'C', 'answer tag'),
    ('<answer> b </answer>', FOUR, 'B', 'answer tag'),
    ('<answer>(D)</answer>', FOUR, 'D', 'answer tag'),
    ('<answer>B. right</answer>', SIDES, 'B', 'answer tag'),
    ('<answer>B</>', FOUR, 'B', 'answer tag'),
    ('<answer>B', FOUR, 'B', 'answer tag'),
    ('<answer>A</answer> no, <answer>B</answer>', FOUR, 'B', 'answer tag'),
    ('<answer>right</answer>', SIDES, 'B', 'answer tag, option text'),
    ('<answer>4</answer>', ['2', '4', '3', '5'], 'B', 'answer tag, option text'),
    ('<answer>a chair</answer>', THINGS, 'B', 'answer tag, option text'),
    ('<answer>A chair.</answer>', THINGS, 'B', 'answer tag, option text'),
    ('<answer>a sofa</answer>', THINGS, '', 'none'),
    ('<answer>c. a door</answer>', THINGS, 'C', 'answer tag'),
    ('<answer>(b) that one</answer>', THINGS, 'B', 'answer tag'),
    ('<answer>A</answer>', ['B', 'A'], 'A', 'answer tag'),
    ('The answer is a chair', THINGS, '', 'none'),
    ('The answer is b.', THINGS, 'B', 'answer is'),
    ('Answer: a door, (C)', THINGS, 'C', 'bare letter'),
    ('answer>C</answer>', FOUR, 'C', 'broken tag'),
    (r'so \boxed{C}', FOUR, 'C', 'boxed'),
    (r'so \boxed{\text{C}}', FOUR, 'C', 'boxed'),
    ('The answer is (B).', FOUR, 'B', 'answer is'),
    ('the answer is D', FOUR, 'D', 'answer is'),
    ('Answer: C', FOUR, 'C', 'answer colon'),
    ('B) because of the wall', FOUR, 'B', 'leading'),
    ('A. It is near.', FOUR, 'A', 'leading'),
    ('I pick **C** here', FOUR, 'C', 'bold'),
    ('Counting them all.\nD', FOUR, 'D', 'last line'),
    ('It must be B, I think so', FOUR, 'B', 'bare letter'),
    ('Right.', SIDES, 'B', 'option text'),
    ('no idea', FOUR, '', 'none'),
    ('', FOUR, '', 'none'),
    ('<answer>E</answer>', FOUR, '', 'none'),
    ('<answer>C</answer>', SIDES, '', 'none'),
    ('the answer is unclear', FOUR, '', 'none'),
])
def test_cascade(text, choices, letter, rule):
    found = extract_answer(text, choices)
    assert (found.letter, found.rule) == (letter, rule)


@given(st.text(max_size=300), st.integers(0, 8))
def test_any_text_gives_a_valid_letter_or_none(text, count):
    choices = [f'choice {k}' for k in range(count)]
    assert extract_answer(text, choices).letter in {'', *'ABCDEFGH'[:count]}


@given(st.integers(2, 8).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, n - 1))))
def test_every_candidate_is_read_back(pair):
    count, pick = pair
    letter = extract_answer(answers_like('', ['x'] * count)[pick], ['x'] * count).letter
    assert letter == 'ABCDEFGH'[pick]


@pytest.mark.parametrize(('written', 'after_image', 'before'), [
    ('<answer>A</answer>', False, ['', '', '']),
    ('<think>2 here.</think><answer>B</answer>', False, ['<think>2 here.</think>'] * 3),
    ('<image_end><answer>B</answer>', True, ['<image_end>'] * 3),
    ('I do not know', False, ['', '', '']),
    ('I do not know', True, ['<image_end>'] * 3),
    # What was read off the image, not what was thought before it, goes with the choice.
    ('<think>2 views</think><image_end>chair 2.<answer>B</answer>', True,
     [f'<think>2 views</think><image_end>chair {number}.' for number in (1, 2, 3)]),
    ('<image_end>chair 12.<answer>B</answer>', True, ['<image_end>chair 12.'] * 3),
    ('<image_end>chair 3.<answer>B</answer>', True, ['<image_end>chair 3.'] * 3),
])
def test_other_choices_stand_in_the_place_of_the_written_one(written, after_image, before):
    assert answers_like(written, ['1', '2', '3'], after_image) == [
        f'{start}<answer>{letter}</answer>' for start, letter in zip(before, 'ABC')]


@given(st.lists(st.floats(-500, 0), min_size=1, max_size=8))
def test_probabilities_add_up_and_the_choice_is_the_likeliest(logprobs):
    probabilities = choice_probabilities(logprobs)
    assert math.isclose(sum(probabilities), 1.0)
    letter, confidence = choose(logprobs)
    assert confidence == max(probabilities)
    assert logprobs['ABCDEFGH'.index(letter)] == max(logprobs)


def test_probabilities_are_those_of_the_odds():
    assert choice_probabilities([math.log(0.03), math.log(0.01)]) == pytest.approx([0.75, 0.25])


@pytest.mark.parametrize('logprobs', [[], [math.nan, 0.0], [-math.inf, -math.inf]])
def test_no_confidence_from_nothing(logprobs):
    with pytest.raises(ValueError):
        choice_probabilities(logprobs)
