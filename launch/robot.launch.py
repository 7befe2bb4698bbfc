# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""
The imagination node on a robot whose camera drivers already run.

    ros2 launch ipt_ros robot.launch.py checkpoint:=/path/to/IPT-BAGEL \
        camera_topics:='front:=zed:/zed_front/zed_node left:=realsense:/left/camera'
"""

from ament_index_python.packages import get_package_share_directory
from ipt_ros.camera_drivers import check_driver, DRIVERS, PLAIN
from ipt_ros.ros.launching import dds_profile, given, log_level, params_file, switch
from launch import LaunchDescription
from launch.actions import (
    DeclareLaunchArgument,
    EmitEvent,
    OpaqueFunction,
    RegisterEventHandler,
)
from launch.conditions import IfCondition
from launch.events import matches_action
from launch.substitutions import LaunchConfiguration, PathJoinSubstitution
from launch_ros.actions import LifecycleNode
from launch_ros.event_handlers import OnStateTransition
from launch_ros.events.lifecycle import ChangeState
from lifecycle_msgs.msg import Transition

# What the imagination node subscribes to below the name of each camera.
CAMERA_TOPICS = (PLAIN.image, f'{PLAIN.image}/compressed', PLAIN.info, PLAIN.depth,
                 f'{PLAIN.depth}/compressedDepth')


def generate_launch_description():
    """Start the node and, with autostart, take it to the state active."""
    share = get_package_share_directory('ipt_ros')
    return LaunchDescription([
        DeclareLaunchArgument(
            'namespace', default_value='ipt',
            description='Namespace of the node; give each robot its own.'),
        DeclareLaunchArgument(
            'params_file', default_value=PathJoinSubstitution([share, 'config', 'robot.yaml']),
            description='YAML file with the parameters of the imagination node.'),
        DeclareLaunchArgument(
            'checkpoint',
            default_value=PathJoinSubstitution([share, 'checkpoints', 'ipt-bagel-nano']),
            description='Model: a folder, or the name of a model on the Hugging Face hub. '
                        'Empty: as in params_file.'),
        DeclareLaunchArgument(
            'camera_topics', default_value='',
            description="Where the cameras publish, each 'name:=driver:/namespace' "
                        f"of a driver ({', '.join(DRIVERS)}), or 'name:=/namespace' of image_raw, "
                        'camera_info and depth/image_raw, separated by spaces. '
                        "'front:=zed:/zed/zed_node' reads what the ZED wrapper publishes below "
                        '/zed/zed_node. Cameras not named here publish as '
                        '<namespace>/<camera>/image_raw.'),
        DeclareLaunchArgument(
            'tf', default_value='/tf',
            description='Topic of the transforms; those that stand still are on the same with '
                        "'_static'. 'tf', without a slash, is <namespace>/tf, as of several "
                        'robots that Nav2 drives.'),
        switch('use_sim_time', '',
               'Take the time from /clock (simulation, rosbag). Empty: as in params_file.'),
        switch('autostart', 'true',
               'Configure and activate the node; false leaves that to a manager.'),
        log_level(),
        *dds_profile(share),
        OpaqueFunction(function=imagination),
    ])


def imagination(context):
    """Describe the node, and the events that bring it up."""
    remappings, parameters = cameras(LaunchConfiguration('camera_topics').perform(context))
    tf = LaunchConfiguration('tf').perform(context)
    if tf != '/tf':
        remappings += [('/tf', tf), ('/tf_static', f'{tf}_static')]
    node = LifecycleNode(
        package='ipt_ros',
        executable='imagination_node',
        name='imagination',
        namespace=LaunchConfiguration('namespace'),
        parameters=[
            params_file(context),
            *([parameters] if parameters else []),
            *given(context, checkpoint=str, use_sim_time=bool),
        ],
        remappings=remappings,
        ros_arguments=['--log-level', LaunchConfiguration('log_level')],
        output='screen',
    )
    autostart = IfCondition(LaunchConfiguration('autostart'))
    return [
        node,
        # From `configuring` only: a node that somebody deactivates later stays inactive.
        RegisterEventHandler(
            OnStateTransition(
                target_lifecycle_node=node,
                start_state='configuring',
                goal_state='inactive',
                entities=[change_state(node, Transition.TRANSITION_ACTIVATE)]),
            condition=autostart),
        change_state(node, Transition.TRANSITION_CONFIGURE, condition=autostart),
    ]


def change_state(node, transition, condition=None):
    """Ask a lifecycle node for a transition."""
    event = ChangeState(lifecycle_node_matcher=matches_action(node), transition_id=transition)
    return EmitEvent(event=event, condition=condition)


def cameras(camera_topics):
    """
    Turn 'front:=/zed/left left:=zed:/zed_left/zed_node ...' into remappings and parameters.

    A camera without a driver is remapped: all topics below its name. Raises ValueError.
    """
    remappings, parameters = [], {}
    for rule in camera_topics.split():
        camera, separator, place = rule.partition(':=')
        driver, colon, namespace = place.rpartition(':')
        if not (camera and separator and namespace) or (colon and not driver):
            raise ValueError(
                "camera_topics: expected 'name:=/topic' or 'name:=driver:/namespace' separated by "
                f"spaces, got '{rule}'")
        namespace = namespace.rstrip('/')
        if driver:
            try:
                check_driver(driver)
            except ValueError as error:
                raise ValueError(f"camera_topics: '{rule}': {error}") from error
            parameters |= {f'{camera}.driver': driver, f'{camera}.namespace': namespace or '/'}
        else:
            remappings += [(f'{camera}/{name}', f'{namespace}/{name}') for name in CAMERA_TOPICS]
    return remappings, parameters
