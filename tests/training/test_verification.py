# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""Examples are checked by means other than the generator's: spoilt ones fall to the right rule."""

from collections import Counter
import copy
from dataclasses import replace
import math
from pathlib import Path

import box_world
from hypothesis import given
from hypothesis import strategies as st
from ipt_ros.spatial import DenseTruth, Example, LETTERS
from ipt_ros.spatial.chains import chain_of_thought
from ipt_sim import make_simulator, RenderingUnavailableError
from ipt_training.examples import ExampleOptions, ExampleSource
from ipt_training.store import load_examples, save_shard
from ipt_training.verification import keep_fair, RULES, unjudged, verify_example
from ipt_training.verification.evidence import owner
import numpy as np
import pytest

ROOT = Path(__file__).parents[2]
SMALL = replace(
    ExampleOptions(), supersample=1, pet_pixels=64, mvc_pixels=48, map_pixels=64, pt_pixels=64,
    pt_multi_pixels=48, verified=False, pet_variants=('no_arrow', 'with_arrow'),
    pt_variants=('td_path', 'td_path_arrow', 'td_ego_dir'))


@pytest.fixture(scope='module')
def examples():
    """Return examples by variant, made without verification."""
    source = ExampleSource(box_world.BoxWorld(), 40, SMALL)
    made: dict[str, list[Example]] = {}
    for task, indices in (('pet', range(8)), ('mvc', range(8)), ('pt', range(0, 36, 3))):
        for index in indices:
            for example in source.make_variants(task, index):
                made.setdefault(example.variant, []).append(example)
    return made


def pick(examples, variant, kind='', count=None) -> Example:
    """Return a copy of an example, with one question only, of the kind."""
    for example in examples[variant]:
        for question in example.questions:
            if question.subtask.startswith(kind) and count in (
                    None, question.metadata.get('count')):
                return copy.deepcopy(replace(example, questions=[question]))
    pytest.fail(f'no {kind} question with count {count} among the {variant} examples')


def answered(example: Example, choice: str) -> Example:
    """Return the example with another answer."""
    question = example.questions[0]
    letter = LETTERS[question.choices.index(choice)]
    return replace(example, questions=[replace(question, answer=letter)])


def other(example: Example) -> str:
    question = example.questions[0]
    return next(choice for choice in question.choices if choice != question.answer_choice)


def test_generated_examples_pass_and_every_rule_judges_some(examples):
    judged = set()
    gives_away = 0
    for made in examples.values():
        for example in made:
            broken = verify_example(example)
            # The generator of walks does not look at what the views ahead show.
            gives_away += broken == ['one input alone gives the answer away']
            assert broken == [] or example.variant == 'td_ego_dir' and gives_away
            judged |= {(example.task, name) for name in RULES[example.task]} - {
                (example.task, name) for name in unjudged(example)}
    assert judged == {(task, name) for task in ('pet', 'mvc', 'pt') for name in RULES[task]}
    assert gives_away < 3


def test_examples_seen_by_randomised_cameras_pass():
    """Their cameras sit elsewhere than they are meant to: what counts is where they are."""
    try:
        sim = make_simulator('mujoco', randomization=ROOT / 'config' / 'randomization.yaml')
    except RenderingUnavailableError as error:
        pytest.skip(f'no simulator: {error}')
    with sim:
        source = ExampleSource(sim, 50, replace(ExampleOptions(), verified=False))
        made = [source.make(task, index) for task in ('pet', 'mvc', 'pt') for index in range(4)]
    made = [example for example in made if example is not None]
    assert len(made) >= 9
    assert [verify_example(example) for example in made] == [[]] * len(made)


@pytest.mark.parametrize('variant', ['no_arrow', 'with_arrow'])
def test_a_false_side_falls_to_pixels_and_to_geometry(examples, variant):
    example = pick(examples, variant, 'relative')
    assert verify_example(answered(example, other(example))) == [
        'answer is not true in the pictures', 'answer is not true by geometry']


def test_a_false_distance_falls_to_geometry(examples):
    example = pick(examples, 'no_arrow', 'distance')
    assert verify_example(answered(example, other(example))) == ['answer is not true by geometry']


@pytest.mark.parametrize('variant', ['rotation', 'multi_camera'])
def test_a_false_count_falls_to_views_and_map(examples, variant):
    example = pick(examples, variant)
    truth = int(example.questions[0].answer_choice)
    farthest = max(example.questions[0].choices, key=lambda choice: abs(int(choice) - truth))
    broken = verify_example(answered(example, farthest))
    assert {'views do not show that many', 'map does not show that many',
            'views and map do not show the same'} <= set(broken)


def test_an_image_without_its_mark_is_found(examples):
    example = pick(examples, 'no_arrow')
    example.images[0][:] = 128
    assert verify_example(example) == ['mark is not seen']
    example = pick(examples, 'with_arrow')
    image = example.images[0]
    image[(image[..., 2] > 150) & (image[..., 0] < 70)] = 128  # the blue alone
    assert verify_example(example) == ['arrow is not seen']


def test_a_mark_in_another_place_is_found(examples):
    example = pick(examples, 'no_arrow')
    example.images[0][:] = np.roll(example.images[0], 20, axis=1)
    assert 'mark is not seen' in verify_example(example)


def test_a_turn_that_was_not_made_is_found(examples):
    example = pick(examples, 'no_arrow')
    example.metadata['target_pose'][2] += math.pi
    assert 'turn is not the one told' in verify_example(example)


@pytest.mark.parametrize(('picture', 'where'), [(0, 'first view'), (1, 'imagination')])
def test_an_object_that_is_gone_from_a_picture_is_found(examples, picture, where):
    example = pick(examples, 'no_arrow')
    classes = example.dense[picture].classes
    name = example.questions[0].metadata['category']
    classes[classes == example.metadata['classes'].index(name)] = 0
    assert f'object is not the only one in the {where}' in verify_example(example)


@pytest.mark.parametrize(('picture', 'where'), [(0, 'first view'), (1, 'imagination')])
def test_a_second_object_of_the_name_is_found(examples, picture, where):
    example = pick(examples, 'no_arrow')
    name = example.questions[0].metadata['category']
    example.dense[picture].classes[:2] = example.metadata['classes'].index(name)  # on the wall
    assert verify_example(example)[0] == f'object is not the only one in the {where}'


@pytest.mark.parametrize('picture', [0, 1])
def test_an_object_that_is_hardly_seen_is_found(examples, picture):
    example = pick(examples, 'no_arrow')
    classes = example.dense[picture].classes
    label = example.metadata['classes'].index(example.questions[0].metadata['category'])
    rows, columns = np.nonzero(classes == label)
    classes[rows[:-3], columns[:-3]] = 0
    where = ('first view', 'imagination')[picture]
    assert f'object is not clear in the {where}' in verify_example(example)


def test_an_object_told_at_another_place_is_found(examples):
    example = pick(examples, 'no_arrow')
    key = example.questions[0].metadata['object']
    next(row for row in example.metadata['objects'] if row['id'] == key)['position'][0] += 1.5
    assert 'object is not the only one in the first view' in verify_example(example)


def test_an_instance_that_the_map_misses_is_found(examples):
    example = pick(examples, 'rotation')
    label = example.metadata['classes'].index(example.questions[0].metadata['category'])
    example.dense[-1].classes[example.dense[-1].classes == label] = 0
    assert 'map does not show that many' in verify_example(example)


def test_an_instance_that_nobody_told_of_is_found(examples):
    example = pick(examples, 'multi_camera')
    label = example.metadata['classes'].index(example.questions[0].metadata['category'])
    example.dense[1].classes[:4] = label
    assert 'views do not show that many' in verify_example(example)


def test_a_single_view_that_shows_all_is_found(examples):
    example = pick(examples, 'rotation', count=2)
    for row in example.metadata['seen']:
        row['views'] = [{'view': 1, 'u': 0.5, 'area': 0.1}]
    assert verify_example(example) == ['one view shows all of them']


def test_views_in_another_order_are_found(examples):
    example = pick(examples, 'rotation')
    poses = example.metadata['poses']
    poses[1], poses[2] = poses[2], poses[1]
    assert verify_example(example)[0] == 'views do not go round'


def test_choices_far_from_the_truth_are_found(examples):
    example = pick(examples, 'rotation', count=1)
    question = example.questions[0]
    choices = ['9' if choice == other(example) else choice for choice in question.choices]
    text = question.text.replace(f' {other(example)}', ' 9')
    spoilt = replace(example, questions=[replace(question, text=text, choices=choices)])
    assert verify_example(spoilt) == ['a choice is more than two off']


def test_an_answer_without_its_choice_in_the_text_is_found(examples):
    example = pick(examples, 'no_arrow')
    question = example.questions[0]
    spoilt = replace(question, text=question.text.splitlines()[0])
    assert verify_example(replace(example, questions=[spoilt])) == [
        'choices do not hold one right answer']


@pytest.mark.parametrize('variant', ['td_path', 'td_path_arrow'])
@pytest.mark.parametrize('part', ['path', 'arrow', 'waypoint 1'])
def test_a_map_without_one_of_its_marks_is_found(examples, variant, part):
    example = pick(examples, variant)
    labels = example.dense[0].classes == example.metadata['classes'].index(part)
    example.images[0][labels] = (255, 0, 255)  # unlike any mark, and any mixture with its outline
    gone = labels.any()
    assert gone == (part != 'arrow' or variant == 'td_path_arrow')
    assert verify_example(example) == (['marks are not seen'] if gone else [])


def test_a_map_turned_around_is_found(examples):
    example = pick(examples, 'td_path')
    pose = np.reshape(example.metadata['cameras'][0]['world_from_optical'], (4, 4))
    pose[:3, :3] = pose[:3, :3] @ [[0, -1, 0], [1, 0, 0], [0, 0, 1]]
    example.metadata['cameras'][0]['world_from_optical'] = pose.ravel().tolist()
    assert 'marks are not seen' in verify_example(example)


def test_another_answer_to_a_walk_is_found(examples):
    example = pick(examples, 'td_path')
    assert verify_example(answered(example, other(example))) == ['answer is not true by geometry']


def test_a_distractor_in_the_side_view_is_found(examples):
    example = pick(examples, 'td_path')
    distractor = example.questions[0].metadata['distractors'][0]
    example.dense[-1].classes[3, 3] = example.metadata['classes'].index(distractor)
    assert verify_example(example) == ['a distractor is in the imagination']


def test_an_answer_that_the_side_view_does_not_show_is_found(examples):
    example = pick(examples, 'td_path_arrow')
    classes = example.dense[-1].classes
    label = example.metadata['classes'].index(example.questions[0].metadata['seen'])
    classes[classes == label] = 0
    assert verify_example(example) == ['answer is not in the imagination']


def test_a_map_with_the_answer_alone_gives_it_away(examples):
    example = pick(examples, 'td_path')
    classes = example.dense[0].classes
    for name in example.questions[0].metadata['distractors']:
        classes[classes == example.metadata['classes'].index(name)] = 0
    assert verify_example(example) == ['one input alone gives the answer away']


def test_a_look_to_the_other_side_is_found(examples):
    example = pick(examples, 'td_path')
    example.metadata['side_pose'][2] += math.pi
    broken = verify_example(example)
    assert broken[0] == 'side is not the one asked'
    assert 'answer is not true by geometry' in broken


def test_a_midpoint_elsewhere_or_a_walk_the_other_way_is_found(examples):
    example = pick(examples, 'td_path')
    example.metadata['direction'] = example.metadata['direction'][::-1]
    assert verify_example(example) == ['midpoint is not half way']
    example = pick(examples, 'td_path')
    example.metadata['path'] = example.metadata['path'][:len(example.metadata['path']) // 2]
    assert 'midpoint is not half way' in verify_example(example)


boxes = st.builds(
    lambda x, y, z, size, yaw: {
        'position': [x, y, z], 'size': list(size), 'yaw': yaw},
    *[st.floats(-4, 4)] * 3, st.tuples(*[st.floats(0.05, 2)] * 3), st.floats(-4, 4))


@given(boxes, st.tuples(*[st.floats(-0.5, 0.5)] * 3), st.integers(0, 2), st.floats(0.2, 2))
def test_a_point_belongs_to_the_box_it_lies_in(box, inside, axis, beyond):
    def world(along: np.ndarray) -> np.ndarray:
        c, s = math.cos(box['yaw']), math.sin(box['yaw'])
        x, y, z = along
        return np.array([[x * c - y * s, x * s + y * c, z]]) + box['position']

    along = np.array(inside) * box['size']
    objects = [box | {'id': 5}, box | {'id': 6, 'position': [90.0, 0.0, 0.0]}]
    assert owner(world(along), objects).tolist() == [5]
    flat = world(along)
    flat[:, 2] = np.nan  # a map does not tell heights
    assert owner(flat, objects).tolist() == [5]
    along[axis] = box['size'][axis] / 2 + beyond
    assert owner(world(along), objects).tolist() == [0]


def test_only_what_passes_is_kept_and_the_rest_is_counted_by_rule(examples):
    example = next(e for made in (examples['no_arrow'], examples['with_arrow']) for e in made
                   if len(e.questions) > 1)
    failed: Counter = Counter()
    assert keep_fair(example, failed) is example and not failed
    good, bad = example.questions[:2]
    wrong = LETTERS[1 - LETTERS.index(bad.answer)]
    mixed = replace(example, questions=[good, replace(bad, answer=wrong)])
    assert keep_fair(mixed, failed).questions == [good]
    assert failed['pet: verification: answer is not true by geometry'] == 1
    # Data sets are balanced by first questions: without it there is no example.
    assert keep_fair(replace(mixed, questions=mixed.questions[::-1]), failed) is None


def test_rules_hold_back_where_an_example_carries_no_truth(examples):
    bare = replace(pick(examples, 'no_arrow'), dense=[], metadata={})
    assert verify_example(bare) == []
    assert set(RULES['pet']) - set(unjudged(bare)) == {'choices do not hold one right answer'}
    request = replace(bare.questions[0], choices=[], answer='', metadata={})
    for task in ('pet', 'mvc', 'pt'):
        asked = replace(bare, task=task, questions=[request])
        assert verify_example(asked) == [] and unjudged(asked) == list(RULES[task])
    free = replace(bare, task='free')
    assert verify_example(free) == [] and unjudged(free) == []


def test_chains_of_thought_lead_to_the_stored_answers(examples):
    rng = np.random.default_rng(0)
    for made in examples.values():
        for example in made:
            for question in example.questions:
                chain = chain_of_thought(example, question, rng)
                assert (chain.letter, chain.conclusion) == (
                    question.answer, question.answer_choice)


def test_stored_examples_are_judged_as_fresh_ones(examples, tmp_path):
    for variant, kind in (('no_arrow', 'relative'), ('rotation', ''), ('td_path_arrow', '')):
        good = pick(examples, variant, kind)
        bad = answered(good, other(good))
        save_shard(tmp_path / good.task / '00000.parquet', [good, bad])
        back = list(load_examples(tmp_path, good.task, dense=True))
        assert [verify_example(example) for example in back] == [[], verify_example(bad)]
        assert unjudged(back[0]) == unjudged(good)
        assert isinstance(back[0].dense[0], DenseTruth)
