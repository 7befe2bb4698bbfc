# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""Which odometry gives the poses of a recording: one source, never several by turns."""

from collections import Counter
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Any

from ipt_ros.geometry.transform_tree import TransformError, TransformTree
from ipt_training.bags.errors import BagReadError
from ipt_training.bags.moving import rank_of_parent, Vector
from ipt_training.bags.options import CameraTopics, ReadOptions
from ipt_training.bags.sources import common_depth


@dataclass
class OdometryPoses:
    """
    What a topic says, in the order in which it was logged.

    rows: the epoch, then parent, child, stamp (ns), translation, rotation of each message.
    """

    rows: list[tuple[Any, tuple[str, str, int, Vector, Vector]]] = field(default_factory=list)

    def add(self, epoch: Any, *row: Any) -> None:
        """Take note of a message."""
        self.rows.append((epoch, row))

    @property
    def edges(self) -> set[tuple[str, str]]:
        """Return the (parent, child) of all messages."""
        return {(parent.lstrip('/'), child.lstrip('/')) for _, (parent, child, *_) in self.rows}


def choose_odometry(
    told: Mapping[str, OdometryPoses], placed: AbstractSet[str], trees: Sequence[TransformTree],
    cameras: Mapping[str, CameraTopics], options: ReadOptions, problems: Counter[str],
) -> tuple[str, list[str]]:
    """
    Return the topic to take poses from, '' for none, and cameras that are of another robot.

    told: by topic. placed: frames whose poses transforms give; odometry of them is not needed.
    The first that can tell where the robot is, is nearest to the cameras by its namespace, has
    the frame of reference that is preferred, and the most messages. Others are noted in
    `problems`. Raises BagReadError where cameras have odometry of different robots beside them.
    """
    open_ = {topic: poses for topic, poses in told.items()
             if any(child not in placed for _, child in poses.edges)}
    leading = {topic: poses for topic, poses in open_.items() if any(
        child not in placed and _leads(child, options.base_frame, trees)
        for _, child in poses.edges)}
    usable = leading or open_
    if not usable:
        return '', []
    near = _nearest(usable, cameras)
    if options.odometry and options.odometry not in usable:
        problems[f'note: {options.odometry}: not used, transforms say where the robot is'] += 1
        return '', []
    if options.odometry:
        chosen = options.odometry
    else:
        _check_one_robot(near)
        chosen = max(sorted(usable), key=lambda topic: (
            min((common_depth(topic, camera.image) for camera in cameras.values()), default=0),
            max(rank_of_parent(parent, options) for parent, _ in usable[topic].edges),
            len(usable[topic].rows)))
        for topic in usable.keys() - {chosen}:
            problems[f"note: {topic}: not used, poses come from the odometry on '{chosen}'"] += 1
    lost = [name for name, topics in near.items()
            if options.cameras is None and chosen not in topics and any(
                common_depth(chosen, cameras[name].image) < common_depth(
                    topic, cameras[name].image) for topic in topics)]
    if len(lost) == len(cameras):
        lost = []  # a person wants it so
    for name in lost:
        problems[f"{name}: has odometry of its own on '{min(near[name])}', left out"] += 1
    return chosen, lost


def _nearest(
    usable: Mapping[str, OdometryPoses], cameras: Mapping[str, CameraTopics],
) -> dict[str, frozenset[str]]:
    """Return the odometry that shares the most namespaces, at least one, with each camera."""
    near = {}
    for name, camera in cameras.items():
        depths = {topic: common_depth(topic, camera.image) for topic in usable}
        most = max(depths.values())
        near[name] = frozenset(
            topic for topic, depth in depths.items() if most and depth == most)
    return near


def _check_one_robot(near: Mapping[str, frozenset[str]]) -> None:
    """Raise BagReadError where cameras have odometry of different robots beside them."""
    known = {name: topics for name, topics in near.items() if topics}
    if any(not one & other for one in known.values() for other in known.values()):
        told = ', '.join(f"'{name}' with '{min(topics)}'" for name, topics in known.items())
        raise BagReadError(
            f'cameras of several robots in one recording: {told}; choose one robot with '
            '--odometry')


def _leads(child: str, base: str, trees: Sequence[TransformTree]) -> bool:
    """Tell whether whoever knows the pose of a frame knows the robot's."""
    if child == base.lstrip('/'):
        return True
    for tree in trees:
        try:
            tree.moving_between(child, base)
        except TransformError:
            continue
        return True
    return False
