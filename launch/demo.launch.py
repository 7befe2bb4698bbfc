# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""
A simulated robot with four cameras and the imagination node: the graph of `make demo`.

    ros2 launch ipt_ros demo.launch.py seed:=1000003 randomization:=randomization.yaml
"""

from ament_index_python.packages import get_package_share_directory
from ipt_ros.ros.launching import node, switch
from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument, IncludeLaunchDescription, OpaqueFunction
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitutions import LaunchConfiguration, PathJoinSubstitution

# Arguments that replace a parameter of sim_params_file where they are given, and their types.
OVERRIDES = {
    'backend': str, 'scene': str, 'scene_dataset': str, 'seed': int, 'randomization': str}


def generate_launch_description():
    """Start the imagination node as on a robot, and the simulator in place of its drivers."""
    share = get_package_share_directory('ipt_ros')
    return LaunchDescription([
        DeclareLaunchArgument(
            'backend', default_value='',
            description='Simulator: mujoco, or habitat (docs/habitat.md). Empty: as in '
                        'sim_params_file.'),
        DeclareLaunchArgument(
            'scene', default_value='',
            description='With habitat: files, or names in scene_dataset, or all, separated by '
                        'commas; seed chooses one. Empty: as in sim_params_file, where it means '
                        'the room generated from the seed.'),
        DeclareLaunchArgument(
            'scene_dataset', default_value='',
            description='With habitat: a *.scene_dataset_config.json. Empty: as in '
                        'sim_params_file.'),
        DeclareLaunchArgument(
            'seed', default_value='',
            description='Scene of the simulator; scenes from 1000000 on were not trained on. '
                        'Empty: as in sim_params_file.'),
        DeclareLaunchArgument(
            'randomization', default_value='',
            description='Domain randomisation: a YAML file, or randomization.yaml (as in '
                        'training) or randomization_real.yaml (unlike it). Empty: as in '
                        'sim_params_file.'),
        DeclareLaunchArgument(
            'sim_params_file',
            default_value=PathJoinSubstitution([share, 'config', 'sim_bridge.yaml']),
            description='YAML file with the parameters of the simulator bridge.'),
        DeclareLaunchArgument(
            'params_file',
            default_value=PathJoinSubstitution([share, 'config', 'imagination.yaml']),
            description='YAML file with the parameters of the imagination node.'),
        # The bridge publishes /clock; everybody else lives in its time.
        switch('use_sim_time', 'true',
               'Take the time from /clock; false only with publish_clock: false.'),
        # First of the nodes: it declares the other arguments and sets the DDS profile.
        IncludeLaunchDescription(
            PythonLaunchDescriptionSource(
                PathJoinSubstitution([share, 'launch', 'robot.launch.py'])),
            launch_arguments={
                'params_file': LaunchConfiguration('params_file'),
                'use_sim_time': LaunchConfiguration('use_sim_time'),
            }.items()),
        OpaqueFunction(function=bridge),
    ])


def bridge(context):
    """Describe the simulator bridge."""
    return [node(context, 'sim_bridge', 'sim_params_file', **OVERRIDES)]
