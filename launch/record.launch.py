# SPDX-License-Identifier: Apache-2.0
"""
Record what a robot sees, does and is asked as a rosbag2 bag (MCAP).

    ros2 launch ipt_ros record.launch.py output_dir:=/data/rollouts compression:=lz4
"""

from ament_index_python.packages import get_package_share_directory
from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument, SetEnvironmentVariable
from launch.conditions import IfCondition
from launch.substitutions import (
    EnvironmentVariable,
    LaunchConfiguration,
    NotEqualsSubstitution,
    PathJoinSubstitution,
)
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue


def generate_launch_description():
    """Start the recorder; it ends its bag in good order on Ctrl-C."""
    share = get_package_share_directory('ipt_ros')

    def typed(name, kind):
        return {name: ParameterValue(LaunchConfiguration(name), value_type=kind)}

    return LaunchDescription([
        DeclareLaunchArgument(
            'namespace', default_value='ipt',
            description='Namespace of the node; relative topic names lie in it.'),
        DeclareLaunchArgument(
            'params_file',
            default_value=PathJoinSubstitution([share, 'config', 'rollout_recorder.yaml']),
            description='YAML file with the parameters of the recorder, the topics among them.'),
        DeclareLaunchArgument(
            'output_dir', default_value='rollouts',
            description='Folder for bags; each recording makes a folder of its own in it.'),
        DeclareLaunchArgument(
            'bag_name', default_value='',
            description="Name of the bag's folder; empty: from date and time."),
        DeclareLaunchArgument(
            'compression', default_value='none', choices=['none', 'lz4', 'zstd'],
            description='Of the data in the bag.'),
        DeclareLaunchArgument(
            'autostart', default_value='true', choices=['true', 'false'],
            description='Record from the start; false: between ~/start and ~/stop only.'),
        DeclareLaunchArgument(
            'use_sim_time', default_value='false', choices=['true', 'false'],
            description='Stamp what arrives with the time from /clock (simulation).'),
        DeclareLaunchArgument(
            'log_level', default_value='info',
            choices=['debug', 'info', 'warn', 'error', 'fatal'],
            description='Least severity of log lines that are shown.'),
        DeclareLaunchArgument(
            'dds_profile',
            default_value=EnvironmentVariable(
                'FASTRTPS_DEFAULT_PROFILES_FILE',
                default_value=PathJoinSubstitution([share, 'config', 'fastdds.xml'])),
            description='Fast DDS profile; the default gives camera images the shared memory '
                        'that they need. Empty: none.'),
        SetEnvironmentVariable(
            'FASTRTPS_DEFAULT_PROFILES_FILE', LaunchConfiguration('dds_profile'),
            condition=IfCondition(NotEqualsSubstitution(LaunchConfiguration('dds_profile'), ''))),
        Node(
            package='ipt_ros',
            executable='rollout_recorder',
            name='rollout_recorder',
            namespace=LaunchConfiguration('namespace'),
            parameters=[
                LaunchConfiguration('params_file'),
                {
                    **typed('output_dir', str), **typed('bag_name', str),
                    **typed('compression', str), **typed('autostart', bool),
                    **typed('use_sim_time', bool),
                },
            ],
            ros_arguments=['--log-level', LaunchConfiguration('log_level')],
            output='screen',
        ),
    ])
