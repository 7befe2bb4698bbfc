# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""
The graph of demo.launch.py under real launch: it answers, and every process ends cleanly.

    launch_test tests/launch_testing/demo_graph.py
"""

from pathlib import Path
import unittest

from ament_index_python.packages import get_package_share_directory
from ipt_ros.ros.client import Robot
from launch import LaunchDescription
from launch.actions import IncludeLaunchDescription
from launch.launch_description_sources import PythonLaunchDescriptionSource
import launch_testing
from launch_testing.actions import ReadyToTest
import launch_testing.asserts

SEED = 1_000_003
CAMERAS = ('front', 'left', 'back', 'right')
PATIENCE = 240.0  # s; machines may be busy


def generate_test_description():
    """Start the simulated robot and the node, which activates itself."""
    share = Path(get_package_share_directory('ipt_ros'))
    return LaunchDescription([
        IncludeLaunchDescription(
            PythonLaunchDescriptionSource(str(share / 'launch' / 'demo.launch.py')),
            launch_arguments={'seed': str(SEED)}.items()),
        ReadyToTest(),
    ])


class TestAnswers(unittest.TestCase):
    """What a user does first."""

    def test_a_question_is_answered(self):
        with Robot('/ipt', timeout=PATIENCE) as robot:
            robot.bring_up()
            robot.wait_for_cameras(CAMERAS)
            response = robot.ask(
                'How many chairs are in the room?', choices=['1', '2', '3', '4'], mode='answer')
        self.assertTrue(response.success, response.message)
        self.assertIn(response.answer.letter, list('ABCD'))


@launch_testing.post_shutdown_test()
class TestEnd(unittest.TestCase):
    """What is left when launch is interrupted."""

    def test_every_process_ends_with_exit_code_0(self, proc_info):
        launch_testing.asserts.assertExitCodes(proc_info)
