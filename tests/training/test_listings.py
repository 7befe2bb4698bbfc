# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""Listings: true to the picture, complete, and of every kind that a task has."""

from ipt_ros.spatial import TASKS
from ipt_training.data import TaskData
from ipt_training.listings import COMPASS_HEADING, listing, map_listing, turned_heading
from ipt_training.relations import Relation
import numpy as np
import pytest

NAMES = ('nothing', 'chair', 'midpoint', 'waypoint 1')
# The way goes up the map.
RELATIONS = [Relation('chair', 1.0, 2.0, heading=0.0), Relation('sofa', -1.0, -2.0, heading=0.0),
             *[Relation('lamp', 1.0, lamp, heading=0.0, alone=False) for lamp in (-1.0, 1.0)]]


def data(views=1, questions=()):
    """One example; its first view has a chair top left and marks to the right of it."""
    classes = np.zeros((1, views, 32, 32), np.uint8)
    classes[0, 0, 2:8, 2:8] = 1
    classes[0, 0, 2:8, 20:26] = 2
    classes[0, 0, 20:26, 20:26] = 3
    return TaskData(
        inputs=np.zeros((1, views, 32, 32, 3), np.uint8),
        targets=np.zeros((1, 32, 32, 3), np.uint8), thinks=[''], questions=[list(questions)],
        relations=[RELATIONS], input_classes=classes,
        input_depths=np.full(classes.shape, 2000, np.uint16), class_names=NAMES)


def all_listings(task, material, draws=60):
    """Return sorted entries by heading of everything that is drawn."""
    rng = np.random.default_rng(0)
    return {heading: sorted(entries) for heading, entries in
            (listing(task, material, 0, 16, rng) for _ in range(draws))}


def test_a_path_is_told_of_by_its_marks_by_all_that_is_there_and_from_its_midpoint():
    found = all_listings('pt', data())
    assert found['on the path:'] == ['midpoint 1 2 2', 'way up', 'waypoint 1 2 2 2']
    assert found['in the picture:'] == ['chair 1 1 2', 'midpoint 1 2 2', 'waypoint 1 2 2 2']
    assert found[turned_heading('pt', '')] == ['chair left ahead', 'sofa right behind']
    assert found[turned_heading('pt', 'around')] == ['chair right behind', 'sofa left ahead']
    assert found[COMPASS_HEADING] == ['chair up left', 'sofa down right', 'way up']


def test_a_view_with_an_x_is_told_of_in_all_three_headings():
    found = all_listings('pet', data())
    assert found["from the 'X' after turning left:"] == ['chair right ahead', 'sofa left behind']
    assert len(found) == 4


def test_several_views_are_told_of_by_counts_and_by_who_is_in_which():
    rng = np.random.default_rng(0)
    question = TASKS['mvc'].question('chair', 3, 'rotation', rng)
    found = all_listings('mvc', data(views=4, questions=[question]))
    assert found['how many:'] == ['chair 3']
    assert 'chair 1' in found['in which pictures:']


def test_a_map_is_told_of_by_how_often_everything_is_on_it():
    counts = {'chair': 2, 'sofa': 1, 'lamp': 9}
    drawn = [map_listing(counts, np.random.default_rng(seed)) for seed in range(9)]
    assert {heading for heading, _ in drawn} == {'how many:'}
    assert {tuple(entries) for _, entries in drawn} == {
        ('chair 2', 'sofa 1'), ('sofa 1', 'chair 2')}  # there is no word for nine


@pytest.mark.parametrize('task', ['pet', 'pt'])
def test_entries_come_in_any_order(task):
    rng = np.random.default_rng(0)
    drawn = {tuple(listing(task, data(), 0, 16, rng)[1]) for _ in range(60)}
    assert any(tuple(reversed(entries)) in drawn for entries in drawn if len(entries) > 1)
