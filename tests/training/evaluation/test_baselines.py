# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""Chance, the blind guess, and images that take no imagination."""

from dataclasses import replace

from ipt_ros.spatial import LETTERS, Question, TASKS
from ipt_training.evaluation.baselines import BlindBaseline, chance, Reference, resized
import numpy as np
import pytest


def counting(count, rng):
    return TASKS['mvc'].question('chair', count, 'rotation', rng)


def test_the_blind_guess_uses_what_the_choices_give_away():
    rng = np.random.default_rng(0)
    # Three chairs whenever three is offered: the baseline must learn it.
    train = [counting(3, rng) for _ in range(50)]
    blind = BlindBaseline(train)
    assert chance(train) == 0.25
    assert blind.accuracy(train) == 1.0
    # Questions that it never met: it still guesses, the third of the choices in order.
    unseen = [counting(count, rng) for count in (40, 50, 60, 70)]
    assert [blind.right(question) for question in unseen] == [
        question.metadata['rank'] == 2 for question in unseen]


def path_tracing(choices, right):
    return Question('?', choices, LETTERS[choices.index(right)])


def test_the_blind_guess_of_path_tracing_goes_by_the_odds_of_each_object():
    # A bed is right two times out of three that it is listed, all others one in three or less.
    blind = BlindBaseline([
        path_tracing(['a bed', 'a sofa', 'a lamp', 'a chair'], 'a bed'),
        path_tracing(['the desk', 'the bed', 'the chair', 'the plant'], 'the bed'),
        path_tracing(['a bed', 'a sofa', 'a chair', 'a plant'], 'a sofa'),
        path_tracing(['the lamp', 'the chair', 'the desk', 'the sofa'], 'the lamp'),
    ])
    # This set of choices was never met, and neither was the bed with this article.
    unseen = path_tracing(['a plant', 'a bed', 'a chair', 'a desk'], 'a chair')
    assert blind.guess(unseen) == 'a bed'
    # What was never listed is worth chance: more than what was listed often and never right.
    assert blind.guess(
        path_tracing(['a chair', 'a plant', 'a stove', 'a desk'], 'a stove')) == 'a stove'


def test_one_hit_of_a_whole_set_of_objects_does_not_outweigh_the_odds():
    listed = ['a bed', 'a lamp', 'a chair', 'a sofa']
    blind = BlindBaseline([
        path_tracing(listed, 'a sofa'),
        *[path_tracing(['a bed', 'a sofa', 'a rug', f'a {name}'], 'a bed')
          for name in ('stove', 'desk', 'plant')]])
    assert blind.guess(path_tracing(listed, 'a lamp')) == 'a bed'


def test_the_blind_guess_of_a_turn_goes_by_the_object_asked_about():
    def turn(thing, right):
        return Question('?', ['left', 'right'], LETTERS[['left', 'right'].index(right)],
                        metadata={'object': thing})
    blind = BlindBaseline([turn('sofa', 'left'), turn('bed', 'right'), turn('bed', 'right')])
    assert blind.guess(turn('sofa', 'right')) == 'left'
    assert blind.guess(turn('stove', 'left')) == 'right'


def test_the_mean_image_is_the_mean_of_the_reference(example):
    dark, bright = (replace(example(0), target=np.full((32, 32, 3), value, np.uint8))
                    for value in (10, 30))
    found = Reference([dark, bright]).predictions(example(1), 3)
    assert (found['mean_image'] == 20).all()
    assert (found['other_truth'] == 30).all()


def test_images_of_another_size_become_the_true_one_s_size(example):
    reference = Reference([example(0)])
    large = replace(example(1), target=np.zeros((48, 64, 3), np.uint8))
    shapes = {image.shape for image in reference.predictions(large, 0).values()}
    assert shapes == {(48, 64, 3)}


def test_the_copied_input_is_the_one_nearest_to_the_truth(example):
    one = example(0)
    near = one.target ^ 1
    several = replace(one, images=[255 - one.target, near, one.images[0]])
    assert np.array_equal(Reference([]).predictions(several, 0)['nearest_input'], near)


def test_without_true_images_only_the_copy_is_left(example):
    unknown = replace(example(0), target=None)
    assert set(Reference([unknown]).predictions(example(1), 0)) == {'nearest_input'}


@pytest.mark.parametrize('size', [(8, 8), (64, 16)])
def test_resized_keeps_a_flat_image_flat(size):
    flat = np.full((32, 32, 3), 77, np.uint8)
    assert (resized(flat, size) == 77).all() and resized(flat, size).shape == (*size, 3)
