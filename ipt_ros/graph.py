# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""How the nodes are started where no `ros2 launch` is: what launch/demo.launch.py says, again."""

from collections.abc import Mapping, Sequence
import os
from pathlib import Path
import sys
from typing import Any

from ipt_ros.paths import DDS_PROFILE, shared

NAMESPACE = '/ipt'
_MODULES = {
    'sim_bridge': 'ipt_ros.nodes.sim_bridge',
    'imagination': 'ipt_ros.nodes.imagination_node',
    'rollout_recorder': 'ipt_ros.nodes.rollout_recorder',
}


def node_command(
    name: str, parameters: Mapping[str, Any], namespace: str = NAMESPACE,
    parameter_files: Sequence[Path] = (),
) -> list[str]:
    """
    Return the command of a node.

    Its parameters come from its own file in `config`, over them those of `parameter_files`, over
    these `parameters`.
    """
    command = [
        sys.executable, '-m', _MODULES[name], '--ros-args', '-r', f'__ns:={namespace}']
    for path in (shared(f'config/{name}.yaml'), *parameter_files):
        command += ['--params-file', str(path)]
    for key, value in parameters.items():
        text = str(value).lower() if isinstance(value, bool) else str(value)
        command += ['-p', f'{key}:={text}']
    return command


def graph_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """
    Return the environment of every process of a ROS graph that keeps to itself.

    Own settings of the user stay. Otherwise the graph keeps to this machine and to a domain of its
    own, so that neither a robot in the room nor a second demo takes part.
    """
    return {
        'FASTRTPS_DEFAULT_PROFILES_FILE': str(shared(DDS_PROFILE)),
        'ROS_AUTOMATIC_DISCOVERY_RANGE': 'LOCALHOST',
        # Up to 101: above, DDS ports run into those that Linux hands out to everybody.
        'ROS_DOMAIN_ID': str(1 + os.getpid() % 101),
        **environment,
    }
