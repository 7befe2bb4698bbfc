# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""Splits go by scene, and a scene is in the same split of every data set."""

from hypothesis import given
from hypothesis import strategies as st
from ipt_training.datasets.card import check_disjoint
from ipt_training.datasets.splits import (
    checked_shares,
    is_for_evaluation,
    place_of,
    seed_in,
    split_of,
    SPLITS,
)
from ipt_training.examples import EVALUATION_SEED
from ipt_training.store import StoreError
import pytest

SCENES = st.one_of(st.integers(0, EVALUATION_SEED - 1), st.text(min_size=1, max_size=20))


@given(st.lists(st.floats(0, 1), min_size=3, max_size=3).filter(lambda row: sum(row) > 0.1),
       SCENES)
def test_every_scene_has_a_split_that_has_a_share(weights, scene):
    shares = dict(zip(SPLITS, (weight / sum(weights) for weight in weights)))
    assert shares[split_of(scene, shares)] > 0


@given(st.integers(EVALUATION_SEED, 2**40))
def test_evaluation_rooms_are_always_for_the_test(seed):
    assert split_of(seed) == split_of(seed, {'train': 1.0}) == 'test'


EVALUATION_ROOMS = [
    'mujoco_1000000', 'habitat_1000003', 'room_0001000000', 'room_0001000003_00ff00ff00ff',
    'room_8589934592', 'stages/room_0001000000.stage_config.json', 'room_0001000000.glb',
    'kitchen room_0001000007 again', 'Room_0001000000', 'scene_1000000']
OTHERS = [
    'apt_0', 'room_12', 'room_0000999999', 'scene_0000007', 'scene0000_00', '102343992', 'TEEsavR',
    'mujoco_999999', 'habitat_20260501_kitchen', '2026-11-30-room', 'ballroom 1000000']


@pytest.mark.parametrize('scene', EVALUATION_ROOMS)
def test_no_name_brings_an_evaluation_room_into_training(scene):
    assert is_for_evaluation(scene)
    assert split_of(scene) == split_of(scene, {'train': 1.0}) == 'test'


@pytest.mark.parametrize('scene', OTHERS)
def test_other_names_say_nothing_of_evaluation(scene):
    assert not is_for_evaluation(scene)
    assert split_of(scene, {'train': 1.0}) == 'train'


@given(SCENES, st.integers(EVALUATION_SEED, 2**40))
def test_a_scene_that_was_entered_with_an_evaluation_seed_is_for_the_test(scene, seed):
    assert split_of(scene, {'train': 1.0}, seed) == 'test'
    assert seed_in({'scene': scene, 'scene_seed': seed}) == seed


def test_a_room_is_one_place_under_all_its_names():
    assert {place_of(name) for name in (
        7, 'mujoco_7', 'habitat_7', 'room_0000000007', 'room_0000000007_0123456789ab')} == {
            'room 7'}
    assert len({split_of(name) for name in (22, 'mujoco_22', 'room_0000000022')}) == 1
    assert place_of('room_7') == 'scene room_7'  # anybody's


def test_shares_are_about_kept_and_rooms_never_change_their_split():
    drawn = [split_of(seed, {'train': 0.8, 'validation': 0.1, 'test': 0.1})
             for seed in range(4000)]
    assert abs(drawn.count('train') / 4000 - 0.8) < 0.03
    assert abs(drawn.count('test') / 4000 - 0.1) < 0.02
    # A change here would move rooms of data sets that exist from one split to another.
    assert [split_of(scene) for scene in (0, 22, 33, 'apt_0')] == [
        'validation', 'test', 'test', 'train']
    assert place_of(7) == 'room 7' and place_of('apt_0') == 'scene apt_0'


@pytest.mark.parametrize('values', [
    [0.9, 0.1], [0.9, 0.2, -0.1], [0.5, 0.1, 0.1], [float('nan'), 0.5, 0.5]])
def test_shares_that_are_none_are_refused(values):
    with pytest.raises(ValueError, match='one share for each of train, validation, test'):
        checked_shares(values)


def test_a_place_in_two_splits_is_found():
    check_disjoint({'train': {'a', 'b'}, 'validation': set(), 'test': {'c'}})
    with pytest.raises(StoreError, match="train and test share 1 places, such as 'b'"):
        check_disjoint({'train': {'a', 'b'}, 'validation': set(), 'test': {'b', 'c'}})
