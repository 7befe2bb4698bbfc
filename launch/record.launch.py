# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""
Record what a robot sees, does and is asked as a rosbag2 bag (MCAP).

    ros2 launch ipt_ros record.launch.py output_dir:=/data/rollouts compression:=lz4
"""

from ament_index_python.packages import get_package_share_directory
from ipt_ros.ros.launching import dds_profile, log_level, node, switch
from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument, OpaqueFunction
from launch.substitutions import PathJoinSubstitution

# Arguments that replace a parameter of params_file where they are given, and their types.
OVERRIDES = {'output_dir': str, 'bag_name': str, 'compression': str, 'autostart': bool,
             'use_sim_time': bool}


def generate_launch_description():
    """Start the recorder; it ends its bag in good order on Ctrl-C."""
    share = get_package_share_directory('ipt_ros')
    return LaunchDescription([
        DeclareLaunchArgument(
            'namespace', default_value='ipt',
            description='Namespace of the node; relative topic names lie in it.'),
        DeclareLaunchArgument(
            'params_file',
            default_value=PathJoinSubstitution([share, 'config', 'rollout_recorder.yaml']),
            description='YAML file with the parameters of the recorder, the topics among them.'),
        DeclareLaunchArgument(
            'output_dir', default_value='',
            description='Folder for bags; each recording makes a folder of its own in it. Empty: '
                        'as in params_file.'),
        DeclareLaunchArgument(
            'bag_name', default_value='',
            description="Name of the bag's folder. Empty: as in params_file, where it means from "
                        'date and time.'),
        DeclareLaunchArgument(
            'compression', default_value='', choices=['', 'none', 'lz4', 'zstd'],
            description='Of the data in the bag. Empty: as in params_file.'),
        switch('autostart', '',
               'Record from the start; false: between ~/start and ~/stop only. Empty: as in '
               'params_file.'),
        switch('use_sim_time', '',
               'Stamp what arrives with the time from /clock (simulation). Empty: as in '
               'params_file.'),
        log_level(),
        *dds_profile(share),
        OpaqueFunction(function=recorder),
    ])


def recorder(context):
    """Describe the recorder."""
    return [node(context, 'rollout_recorder', 'params_file', **OVERRIDES)]
