# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""The tree of frames without messages; tests/ros_shared has the rest."""

import math

from ipt_ros.geometry import Pose2D, quaternion_from_matrix
from ipt_ros.geometry.transform_tree import slerp, TransformError, TransformTree
import numpy as np
import pytest

SECOND = 1_000_000_000


def moving(stamps, **options) -> TransformTree:
    """Build odom -> base_link that drives 1 m/s along x, seen at some times (s)."""
    tree = TransformTree(**options)
    for stamp in stamps:
        pose = Pose2D(stamp, 0.0).matrix
        assert tree.add('odom', 'base_link', round(stamp * SECOND), pose[:3, 3],
                        quaternion_from_matrix(pose))
    return tree


def test_slerp_takes_the_shorter_arc():
    start, end = np.array([0.0, 0, 0, 1]), -np.array([0.0, 0, math.sin(0.1), math.cos(0.1)])
    middle = slerp(start, end, 0.5)
    assert abs(middle @ np.array([0, 0, math.sin(0.05), math.cos(0.05)])) == pytest.approx(1.0)


def test_a_gap_between_samples_is_refused_and_measured():
    tree = moving((0, 1, 4, 5), max_gap=1.5)
    assert tree.lookup('odom', 'base_link', SECOND // 2)[0, 3] == pytest.approx(0.5)
    assert tree.lookup('odom', 'base_link', 4 * SECOND)[0, 3] == 4
    with pytest.raises(TransformError, match=r'gap of 3\.00 s'):
        tree.lookup('odom', 'base_link', 2 * SECOND)


def test_a_whole_recording_is_kept_whatever_its_stamps():
    tree = moving((100, 101, 0, 1), keep=math.inf)
    stamps, places, turns = tree.samples('base_link')
    assert stamps == [0, SECOND, 100 * SECOND, 101 * SECOND]
    np.testing.assert_array_equal(places[:, 0], [0, 1, 100, 101])
    np.testing.assert_array_equal(turns[:, 3], 1)


def test_what_moves_between_two_frames():
    tree = moving((0, 1))
    tree.add('base_link', 'camera', 0, (0, 0, 1), (0, 0, 0, 1), static=True)
    tree.add('map', 'odom', 0, (5, 0, 0), (0, 0, 0, 1))
    assert tree.moving_between('odom', 'camera') == ['base_link']
    assert set(tree.moving_between('map', 'camera')) == {'base_link', 'odom'}
    assert tree.moving_between('camera', 'base_link') == []
    assert tree.frames == ('base_link', 'camera', 'map', 'odom')
    assert list(tree.static_transforms()) == ['camera']


@pytest.mark.parametrize('translation,quaternion,child', [
    ((math.nan, 0, 0), (0, 0, 0, 1), 'base_link'), ((0, 0, 0), (0, 0, 0, 0), 'base_link'),
    ((0, 0, 0), (0, 0, 0, 1), 'odom'), ((0, 0, 0), (0, 0, 0, 1), '')])
def test_broken_transforms_are_told_from_good_ones(translation, quaternion, child):
    assert not TransformTree().add('odom', child, 0, translation, quaternion)
