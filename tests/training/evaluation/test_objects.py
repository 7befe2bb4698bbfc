# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""Which objects a map is said to hold: those that are there, and no others."""

from dataclasses import replace

from ipt_training.evaluation.objects import targets
import numpy as np
import pytest


def counts(example, image):
    found = targets(example).count(image)
    return found['found'], found['false_alarms']


def test_the_true_map_has_all_objects_and_no_false_alarm(example):
    found = targets(example(0)).count(example(0).target)
    # Each mask turned thrice; the quarter turn that takes one box onto the other is no free floor.
    assert found == {'objects': 2, 'found': 2, 'decoys': 4, 'false_alarms': 0}


def test_an_empty_floor_has_none(example):
    assert counts(example(0), np.full((32, 32, 3), 128, np.uint8)) == (0, 0)


def test_a_missing_object_is_missed_and_the_other_is_not(example):
    image = example(0).target.copy()
    image[5:11, 13:19] = 128
    assert counts(example(0), image) == (1, 0)


def test_an_object_of_another_colour_is_not_that_object(example):
    image = example(0).target[..., [1, 0, 2]]
    assert counts(example(0), image)[0] == 1  # red has become green, blue is still blue


def test_an_object_in_another_place_is_a_false_alarm(example):
    one = example(0)
    assert counts(one, np.ascontiguousarray(np.rot90(one.target, 2))) == (0, 2)


def test_a_map_painted_all_over_gains_nothing(example):
    image = np.full((32, 32, 3), (200, 30, 30), np.uint8)
    found = targets(example(0)).count(image)
    assert found['found'] / found['objects'] <= found['false_alarms'] / found['decoys']


@pytest.mark.parametrize('yaw', [0.0, 0.7, -2.0])
def test_boxes_are_found_whatever_way_the_map_is_turned(example, yaw):
    one = example(0)
    turn = np.array([[np.cos(yaw), -np.sin(yaw)], [np.sin(yaw), np.cos(yaw)]])
    objects = []
    for item in one.metadata['objects']:
        xy = turn @ (np.array(item['position'][:2]) - (10, 20)) + (10, 20)
        objects.append(item | {'position': [*xy, 0.3], 'yaw': item['yaw'] + yaw})
    turned = replace(one, metadata=one.metadata | {
        'objects': objects, 'map': one.metadata['map'] | {'yaw': yaw}})
    assert targets(turned).count(one.target)['found'] == 2


def test_two_objects_of_one_class_are_told_apart(example):
    one = example(0)
    classes = one.dense[-1].classes.copy()
    classes[classes == 3] = 2
    objects = [item | {'name': 'box'} if item['id'] == 6 else item
               for item in one.metadata['objects']]
    alike = replace(one, metadata=one.metadata | {'objects': objects},
                    dense=[one.dense[0], replace(one.dense[1], classes=classes)])
    image = one.target.copy()
    image[13:19, 5:11] = 128
    assert counts(alike, image) == (1, 0)


def test_objects_that_no_view_shows_are_not_asked_for(example):
    one = example(0)
    seen = [{'object': 5, 'views': []}, {'object': 6, 'views': [{'view': 0}]}]
    hidden = replace(one, metadata=one.metadata | {'seen': seen})
    assert len(targets(hidden).objects) == 1


def test_objects_of_the_floor_s_colour_are_not_judged(example):
    one = example(0)
    pale = one.target.copy()
    pale[5:11, 13:19] = 132
    assert len(targets(replace(one, target=pale)).objects) == 1


@pytest.mark.parametrize('lost', ['objects', 'map'])
def test_without_truth_there_is_nothing_to_say(example, lost):
    one = example(0)
    metadata = {key: value for key, value in one.metadata.items() if key != lost}
    assert targets(replace(one, metadata=metadata)) is None
    assert targets(replace(one, dense=[])) is None
