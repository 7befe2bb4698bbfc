# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""Files of poses, good ones and bad ones."""

from ipt_ros.collect.poses import PosesError, read_poses
from ipt_ros.geometry import Pose2D
import pytest

EXPECTED = [Pose2D(1.0, 2.0, 0.5), Pose2D(-1.5, 0.0, -3.0)]


@pytest.mark.parametrize(('name', 'text'), [
    ('a.csv', '1, 2, 0.5\n-1.5, 0, -3\n'),
    ('a.csv', '# recorded by hand\nx,y,yaw\n1,2,0.5\n\n-1.5,0,-3\n'),
    ('a.csv', 'yaw, note, y, x\n0.5, door, 2, 1\n-3, , 0, -1.5\n'),
    ('a.yaml', '- [1, 2, 0.5]\n- [-1.5, 0, -3]\n'),
    ('a.yml', 'poses:\n- {x: 1, y: 2, yaw: 0.5}\n- {x: -1.5, y: 0, yaw: -3}\n'),
])
def test_poses_are_read(tmp_path, name, text):
    (tmp_path / name).write_text(text)
    assert read_poses(tmp_path / name) == EXPECTED


@pytest.mark.parametrize(('name', 'text', 'reason'), [
    ('a.txt', '1,2,3', 'neither .csv nor .yaml'),
    ('a.csv', '', 'there is no pose'),
    ('a.csv', '1,2,3\n1,2\n', 'pose 2 .* expected rows of x, y, yaw'),
    ('a.csv', '1,2,north\n', 'pose 1'),
    ('a.csv', '1,2,nan\n', 'not finite'),
    ('a.yaml', 'x: 1\n', 'no list of poses'),
    ('a.yaml', '[1, 2', 'not YAML'),
    ('a.yaml', '- {x: 1, y: 2}\n', 'pose 1'),
    ('a.yaml', '- 7\n', 'pose 1'),
])
def test_file_that_is_no_list_of_poses_is_refused(tmp_path, name, text, reason):
    (tmp_path / name).write_text(text)
    with pytest.raises(PosesError, match=reason):
        read_poses(tmp_path / name)


def test_missing_file_is_named(tmp_path):
    with pytest.raises(PosesError, match='nowhere.csv'):
        read_poses(tmp_path / 'nowhere.csv')
