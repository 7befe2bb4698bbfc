# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
from collections import Counter
import math

import cv2
from ipt_sim.scenes import FURNITURE, generate_scene
from ipt_sim.scenes.room import FREE_RADIUS, FURNITURE_ITEMS
from ipt_sim.scenes.textures import all_textures
import numpy as np
import pytest

SCENES = [generate_scene(seed) for seed in range(60)]


def furniture(scene):
    return [item for item in scene.items if not item.structural]


def test_there_are_twenty_to_thirty_classes():
    assert 20 <= len(FURNITURE) <= 30


@pytest.mark.parametrize('name', FURNITURE)
def test_classes_are_of_human_scale(name):
    entry = FURNITURE[name]
    parts = entry.build(np.random.default_rng(0))
    low = np.min([np.array(part.center) - np.array(part.size) / 2 for part in parts], axis=0)
    high = np.max([np.array(part.center) + np.array(part.size) / 2 for part in parts], axis=0)
    assert -0.02 < low[2] < 0.05  # stands on the floor
    assert high[2] < 2.3
    assert 0.25 < min(high[:2] - low[:2])
    assert max(high[:2] - low[:2]) < 2.4
    assert np.abs((low + high)[:2]).max() < 0.3  # its frame is under its middle
    known = {'plain', 'glow', *all_textures()}
    for part in parts:
        assert part.material in known
        assert all(0.0 <= value <= 1.0 for value in part.color)
        assert min(part.size) > 0


def test_instances_of_a_class_differ_mildly():
    rng = np.random.default_rng(0)
    first, second = (FURNITURE['chair'].build(rng) for _ in range(2))
    assert first != second
    for a, b in zip(first, second):
        assert a.shape == b.shape
        np.testing.assert_allclose(a.size, b.size, rtol=0.2)
        np.testing.assert_allclose(a.color, b.color, atol=0.2)


def test_the_same_seed_gives_the_same_scene():
    assert generate_scene(7) == SCENES[7]
    assert generate_scene(8) != SCENES[7]


def test_rooms_have_the_promised_size_and_number_of_things():
    counts = [len(furniture(scene)) for scene in SCENES]
    assert max(counts) <= FURNITURE_ITEMS[1]
    assert np.mean([count >= FURNITURE_ITEMS[0] for count in counts]) > 0.95
    for scene in SCENES:
        assert 4.0 <= min(scene.size)
        assert max(scene.size) <= 5.5


def test_several_of_a_kind_are_common_and_never_too_many():
    numbers = Counter()
    for scene in SCENES:
        kinds = Counter(item.name for item in furniture(scene))
        numbers.update(kinds.values())
        for name, count in kinds.items():
            assert count <= FURNITURE[name].most
    assert set(numbers) == {1, 2, 3, 4, 5}
    assert numbers[1] < 0.6 * numbers.total()


def test_every_class_appears():
    assert {item.name for scene in SCENES for item in furniture(scene)} == set(FURNITURE)


@pytest.mark.parametrize('seed', range(0, 60, 4))
def test_nothing_overlaps_or_leaves_the_room(seed):
    scene = SCENES[seed]
    footprints = [item.footprint.astype(np.float32) for item in furniture(scene)]
    for index, one in enumerate(footprints):
        assert (np.abs(one) <= np.array(scene.size) / 2 + 1e-6).all()
        for other in footprints[index + 1:]:
            overlap, _ = cv2.intersectConvexConvex(one, other)
            assert overlap < 1e-4


def test_the_start_is_clear():
    for scene in SCENES:
        for item in furniture(scene):
            polygon = item.footprint.astype(np.float32)
            distance = -cv2.pointPolygonTest(polygon, (scene.start.x, scene.start.y), True)
            assert distance > FREE_RADIUS - 0.05


def test_doors_can_be_walked_through():
    for scene in SCENES:
        for door in (item for item in scene.items if item.name == 'door'):
            x = door.pose.x + 0.4 * math.cos(door.pose.yaw)
            y = door.pose.y + 0.4 * math.sin(door.pose.yaw)
            for item in furniture(scene):
                polygon = item.footprint.astype(np.float32)
                assert cv2.pointPolygonTest(polygon, (x, y), True) < 0


def test_textures_are_pictures():
    for picture, kind, repeats in all_textures().values():
        assert picture.shape == (64, 64, 3)
        assert picture.dtype == np.uint8
        assert kind in ('flat', 'cube')
        assert repeats >= 0
