# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""What the launch files share. They import it as nodes do: from the workspace that is sourced."""

from pathlib import Path

from launch import LaunchContext
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

_PROFILES = 'FASTRTPS_DEFAULT_PROFILES_FILE'


def log_level() -> DeclareLaunchArgument:
    """Declare the argument `log_level`."""
    return DeclareLaunchArgument(
        'log_level', default_value='info', choices=['debug', 'info', 'warn', 'error', 'fatal'],
        description='Least severity of log lines that are shown.')


def switch(name: str, default: str, description: str) -> DeclareLaunchArgument:
    """Declare an argument that is true or false, or may be left empty if its default is."""
    return DeclareLaunchArgument(
        name, default_value=default, choices=['true', 'false', *([] if default else [''])],
        description=description)


def dds_profile(share: str) -> list:
    """
    Declare the argument `dds_profile` and set what it says.

    Put it before any node, launch's own included: DDS reads it once, when a process joins.
    share: the package's share folder.
    """
    return [
        DeclareLaunchArgument(
            'dds_profile',
            default_value=EnvironmentVariable(
                _PROFILES,
                default_value=PathJoinSubstitution([share, 'config', 'fastdds.xml'])),
            description='Fast DDS profile; the default gives camera images the shared memory '
                        'that they need. Empty: none.'),
        SetEnvironmentVariable(
            _PROFILES, LaunchConfiguration('dds_profile'),
            condition=IfCondition(NotEqualsSubstitution(LaunchConfiguration('dds_profile'), ''))),
    ]


def given(context: LaunchContext, **kinds: type) -> list[dict[str, ParameterValue]]:
    """
    Return what to add to a node's parameters: the launch arguments of these names that are given.

    Empty arguments leave what the file of parameters says.
    """
    values = {
        name: ParameterValue(LaunchConfiguration(name), value_type=kind)
        for name, kind in kinds.items() if LaunchConfiguration(name).perform(context)}
    return [values] if values else []


def params_file(context: LaunchContext, argument: str = 'params_file') -> str:
    """
    Return the file of parameters that a launch argument names.

    Raises FileNotFoundError, which ends the launch: ROS 2 itself would warn, and start the node
    with its defaults.
    """
    path = LaunchConfiguration(argument).perform(context)
    if not Path(path).is_file():
        raise FileNotFoundError(
            f"{argument}: there is no file '{path}'; give the path of a YAML file with parameters")
    return path


def node(context: LaunchContext, executable: str, file_argument: str, **overrides: type) -> Node:
    """
    Describe one of our nodes, named as its executable, in the namespace of the launch arguments.

    Its parameters are in the file that the argument ``file_argument`` says; arguments named in
    ``overrides`` replace them where they are given.
    """
    return Node(
        package='ipt_ros',
        executable=executable,
        name=executable,
        namespace=LaunchConfiguration('namespace'),
        parameters=[params_file(context, file_argument), *given(context, **overrides)],
        ros_arguments=['--log-level', LaunchConfiguration('log_level')],
        output='screen',
    )
