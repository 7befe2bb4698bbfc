# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""Chains of thought end in the truth, say nothing that is false, and are well formed."""

from dataclasses import replace
import math
import re
import string

from hypothesis import assume, given
from hypothesis import strategies as st
from ipt_ros.geometry import Pose2D
from ipt_ros.spatial import chain_wordings as wordings
from ipt_ros.spatial import Example, extract_answer, TASKS
from ipt_ros.spatial.chains import chain_of_thought, ChainError
import numpy as np
import pytest

PET, MVC, PT = TASKS['pet'], TASKS['mvc'], TASKS['pt']
seeds = st.integers(0, 2**32 - 1)
metres = st.floats(-3.0, 3.0)
IMAGE = np.zeros((4, 4, 3), np.uint8)


def example(task, questions, metadata) -> Example:
    return Example(task, '', [IMAGE], IMAGE, '', questions, metadata)


def last_inference(chain) -> str:
    """Read the letter from the chain's last sentence, as a reader would."""
    return re.search(r'\b([A-Z])\.$', chain.thought)[1]


@st.composite
def walks(draw):
    """Draw a perspective example; its truth comes from poses, not by the rule of the chain."""
    pose = Pose2D(draw(metres), draw(metres), draw(st.floats(-math.pi, math.pi)))
    turn = draw(st.sampled_from(['left', 'right']))
    target = pose.moved(draw(st.floats(0.5, 3.0)), draw(metres),
                        math.pi / 2 if turn == 'left' else -math.pi / 2)
    x, y = draw(metres), draw(metres)

    def to_left(place: Pose2D) -> float:
        return math.cos(place.yaw) * (y - place.y) - math.sin(place.yaw) * (x - place.x)

    was, will = (math.dist((place.x, place.y), (x, y)) for place in (pose, target))
    assume(abs(to_left(pose)) > 0.1 and abs(to_left(target)) > 0.1 and abs(will - was) > 0.5)
    # In the heading of the first view the target is a quarter turn back.
    heading = Pose2D(target.x, target.y, pose.yaw)
    forward = Pose2D(target.x, target.y, pose.yaw - math.pi / 2)
    row = {'object': 7, 'name': 'sofa', 'ahead': round(to_left(forward), 3),
           'left': round(to_left(heading), 3), 'distance_before': round(was, 3),
           'distance_after': round(will, 3)}
    other = row | {'object': 8, 'name': 'lamp', 'ahead': -row['ahead']}
    kinds = [
        f'distance_change_{"closer" if will < was else "further"}',
        'relative_position_{}_{}'.format(
            *('left' if to_left(place) > 0 else 'right' for place in (pose, target)))]
    rng = np.random.default_rng(draw(seeds))
    questions = [PET.question(kind, 'sofa', turn, rng) for kind in kinds]
    for question in questions:
        question.metadata['object'] = 7
    return example('pet', questions, {'turn': turn, 'seen': [other, row]})


@given(walks(), seeds, st.sampled_from(['full', 'brief']))
def test_perspective_chains_end_in_the_truth(walk, seed, detail):
    for question in walk.questions:
        chain = chain_of_thought(walk, question, np.random.default_rng(seed), detail)
        assert last_inference(chain) == question.answer == chain.letter
        assert chain.conclusion == question.answer_choice
        assert len(chain.sentences) <= 10 and 'sofa' in chain.thought
        assert 'lamp' not in chain.thought and '{' not in chain.thought
        # The words before the letter conclude the same.
        opposite = {'left': 'right', 'right': 'left', 'Closer': 'further', 'Further': 'closer'}
        concluding = chain.sentences[-2].replace(',', ' ').replace('.', ' ').split()
        assert chain.conclusion.lower() in concluding
        if detail == 'full':
            assert opposite[chain.conclusion] not in concluding


@st.composite
def rooms(draw):
    """Draw a counting example with some of a class in every view, and others around."""
    count = draw(st.integers(1, 5))
    rows = []
    for key in range(count + 2):
        views = draw(st.sets(st.integers(0, 3), min_size=1))
        rows.append({
            'object': key, 'name': 'chair' if key < count else 'lamp', 'map_area': 0.01,
            'ahead': draw(metres), 'left': draw(metres),
            'views': [{'view': view, 'u': draw(st.floats(0, 1)), 'area': 0.01} for view in views]})
    rng = np.random.default_rng(draw(seeds))
    question = MVC.question('chair', count, 'rotation', rng)
    return example('mvc', [question], {
        'seen': draw(st.permutations(rows)), 'poses': [[0, 0, 0]] * 4})


@given(rooms(), seeds)
def test_counting_chains_add_up(room, seed):
    question, = room.questions
    chain = chain_of_thought(room, question, np.random.default_rng(seed))
    assert last_inference(chain) == question.answer
    assert chain.sentences[-2] == f'The total number is {question.answer_choice}.'
    assert 'lamp' not in chain.thought and '{' not in chain.thought
    views = [text for text in chain.sentences if re.search(r'\b[Vv]iew [1-4]', text)]
    assert len(views) == 4
    new = re.compile('|'.join(text.partition('}')[2] for text in wordings.MVC_NEW))
    listed = [text for text in views if 'one ' in text]
    assert sum(len(new.findall(text)) for text in listed) == int(question.answer_choice)
    # Every sighting is told, once.
    sightings = sum(len(row['views']) for row in room.metadata['seen'] if row['name'] == 'chair')
    assert sum(len(re.findall(r'one (?:on|in) the', text)) for text in listed) == sightings


@given(rooms(), seeds)
def test_brief_counting_chains_add_up(room, seed):
    question, = room.questions
    chain = chain_of_thought(room, question, np.random.default_rng(seed), 'brief')
    numbers = {'one': 1, 'two': 2, 'three': 3, 'four': 4, 'five': 5}
    found = [numbers[word] for word in re.findall(r'(\w+) new', chain.thought)]
    assert sum(found) == int(question.answer_choice)
    assert last_inference(chain) == question.answer


def path_example(side='left', names=('piano', 'sofa', 'lamp', 'plant'), in_sight=('piano',)):
    """Walk east through the origin; the map's up is north."""
    places = {'piano': (0.0, 2.0), 'sofa': (0.2, -2.0), 'lamp': (3.0, 0.5), 'plant': (-3.0, -0.5)}
    question = PT.question(names[0], list(names[1:]), side, (1, 2), np.random.default_rng(0))
    return example('pt', [question], {
        'midpoint': [0.0, 0.0, 0.0], 'side': side, 'direction': [1, 2],
        'map': {'center': [0.0, 0.0], 'yaw': math.pi / 2, 'size': 6.0},
        'objects': [{'id': key, 'name': name, 'position': [*place, 0.5]}
                    for key, (name, place) in enumerate(places.items(), start=1)],
        'seen': [{'object': key, 'name': name, 'area': 0.1}
                 for key, name in enumerate(places, start=1) if name in in_sight]})


@given(seeds)
def test_path_chains_tell_where_everything_is(seed):
    walk = path_example()
    chain = chain_of_thought(walk, walk.questions[0], np.random.default_rng(seed))
    assert last_inference(chain) == walk.questions[0].answer
    assert 'to the right on the map' in chain.thought or 'move to the right' in chain.thought
    assert re.search(r'(is|lies|points) up\b(?! and)', chain.thought)
    assert '2.0 m' in chain.thought
    told = {name: next(text for text in chain.sentences if name in text)
            for name in ('sofa', 'lamp', 'plant')}
    assert re.search('other side|my right', told['sofa'])
    assert re.search('ahead|further along', told['lamp'])
    assert re.search('behind|back', told['plant'])


def test_on_the_other_side_ahead_stays_ahead():
    walk = path_example('right', ('sofa', 'piano', 'lamp', 'plant'), ('sofa',))
    for seed in range(10):
        thought = chain_of_thought(walk, walk.questions[0], np.random.default_rng(seed)).thought
        assert re.search(r'lamp (is ahead|lies further)', thought)
        assert re.search(r'plant (is behind|lies back)', thought)
        assert re.search(r'piano (is on my other side|lies to my left)', thought)


def test_the_target_has_the_published_tags():
    walk = path_example()
    question = walk.questions[0]
    chain = chain_of_thought(walk, question, np.random.default_rng(0))
    assert chain.target == f'<think>{chain.thought}</think><answer>{question.answer}</answer>'
    assert extract_answer(chain.target, question.choices).letter == question.answer


def test_without_choices_the_answer_is_in_words():
    walk = path_example()
    bare = replace(walk.questions[0], choices=[], answer='')
    chain = chain_of_thought(walk, bare, np.random.default_rng(0))
    assert chain.letter == '' and chain.target.endswith('</think><answer>piano</answer>')


@given(walks(), seeds)
def test_the_same_seed_gives_the_same_chain(walk, seed):
    first, second = (chain_of_thought(walk, walk.questions[0], np.random.default_rng(seed))
                     for _ in range(2))
    assert first == second


@given(walks())
def test_a_stored_answer_that_is_false_gives_no_chain(walk):
    for question in walk.questions:
        wrong = replace(question, answer='A' if question.answer == 'B' else 'B')
        with pytest.raises(ChainError, match='verify the example'):
            chain_of_thought(walk, wrong, np.random.default_rng(0))


def test_two_choices_in_sight_give_no_chain():
    walk = path_example(in_sight=('piano', 'lamp'))
    with pytest.raises(ChainError, match='2 are in sight'):
        chain_of_thought(walk, walk.questions[0], np.random.default_rng(0))


def test_missing_metadata_and_unknown_tasks_are_named():
    question = PET.question('distance_change_closer', 'sofa', 'left', np.random.default_rng(0))
    with pytest.raises(ChainError, match="no 'seen'"):
        chain_of_thought(example('pet', [], {}), question, np.random.default_rng(0))
    with pytest.raises(ChainError, match='0 clear objects'):
        chain_of_thought(example('pet', [], {'seen': []}), question, np.random.default_rng(0))
    with pytest.raises(ChainError, match='pet, mvc, pt'):
        chain_of_thought(example('free', [], {}), question, np.random.default_rng(0))


def test_wordings_of_a_step_take_the_same_fields_and_differ():
    steps = {name: value for name, value in vars(wordings).items() if name.isupper()}
    steps |= {f'PT_NOT_SEEN {name}': texts for name, texts in steps.pop('PT_NOT_SEEN').items()}
    assert len(steps) > 20
    for name, texts in steps.items():
        assert len(set(texts)) == len(texts) > (0 if name == 'MVC_TOTAL' else 1)
        for text in texts:
            assert all(field.isidentifier() for _, field, _, _ in string.Formatter().parse(text)
                       if field is not None)


def test_wordings_vary():
    walk = path_example()
    thoughts = {chain_of_thought(walk, walk.questions[0], np.random.default_rng(seed)).thought
                for seed in range(30)}
    assert len(thoughts) > 25
