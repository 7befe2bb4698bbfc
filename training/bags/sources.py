# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""
Which topics of a recording tell of one robot: its cameras, transforms, odometry, ground truth.

Robots in namespaces send the same frame names on topics of their own ('/robot1/tf'). What one of
them says is never used for another.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
import re

from ipt_training.bags.errors import BagReadError
from ipt_training.bags.options import CameraTopics, ReadOptions
from ipt_training.bags.topics import ODOMETRY, STRING, TF

TRUTH = '/ground_truth/scene'
_STATIC = '_static'


@dataclass(frozen=True)
class Sources:
    """
    Topics of one robot. transforms, statics, truth: '' where there is none.

    odometry: those that may be the robot's; what they say decides between them. problems: what
    was left out, in words.
    """

    cameras: Mapping[str, CameraTopics]
    transforms: str = ''
    statics: str = ''
    odometry: tuple[str, ...] = ()
    truth: str = ''
    problems: tuple[str, ...] = ()


def choose_sources(
    topics: Mapping[str, str], cameras: Mapping[str, CameraTopics], options: ReadOptions,
) -> Sources:
    """
    Choose what belongs to the robot that carries the cameras.

    A camera's transforms are those of the nearest namespace around it that has a tf topic, else
    the only ones there are. Raises BagReadError where that cannot be decided, or where cameras
    are of several robots.
    """
    found = _Transforms([name for name, kind in topics.items() if kind == TF])
    kept, key, problems = _robot(found, cameras, options)
    images = [camera.image for camera in kept.values()]
    truths = [name for name, kind in topics.items()
              if kind == STRING and name.endswith(TRUTH)]
    truth = _of_one(truths, images, len(TRUTH))
    if truths and not truth:
        problems.append(f'note: ground truth of other robots is not used: {_listed(truths)}')
    odometry = [name for name, kind in topics.items() if kind == ODOMETRY]
    if options.odometry:
        if options.odometry not in odometry:
            raise BagReadError(
                f"no odometry on '{options.odometry}', which --odometry names; the bag has: "
                f'{_listed(odometry)}')
    odometry = [name for name in odometry if name == options.odometry
                or _may_be_of(name, key, found, images)]
    return Sources(kept, found.moving.get(key[0], ''), found.static.get(key[1], ''),
                   tuple(odometry), truth, tuple(problems))


def common_depth(topic: str, other: str) -> int:
    """Return how many namespaces two topics have in common."""
    depth = 0
    for one, two in zip(_spaces(topic), _spaces(other), strict=False):
        if one != two:
            break
        depth += 1
    return depth


class _Transforms:
    """The tf topics of a recording, by the name of the one that moves: '/robot1/tf'."""

    def __init__(self, names: Iterable[str]):
        names = list(names)
        self.moving = {name: name for name in names if not name.endswith(_STATIC)}
        self.static = {
            name.removesuffix(_STATIC): name for name in names if name.endswith(_STATIC)}
        self.names = names
        # Tools send transforms on topics of other names, too; those count where no tf is.
        self.candidates = _proper(self.moving)
        self.static_candidates = _proper(self.static)

    def pair(self, moving: str, topics: Collection[str]) -> tuple[str, str]:
        """Return what moves together with the static transforms that complete it."""
        if moving in self.static:
            return moving, moving
        near = [_nearest(self.static_candidates, topic) for topic in (*topics, moving)]
        near = [name for name in near if name]
        if near:
            return moving, max(near, key=_depth)
        return moving, _only(self.static_candidates, topics)


def _proper(names: Iterable[str]) -> list[str]:
    names = list(names)
    return [name for name in names if name.rpartition('/')[2] == 'tf'] or names


def _robot(
    found: _Transforms, cameras: Mapping[str, CameraTopics], options: ReadOptions,
) -> tuple[dict[str, CameraTopics], tuple[str, str], list[str]]:
    """Return the cameras of one robot, the names of its transforms, and what was left out."""
    near = {name: _nearest(found.candidates, camera.image) for name, camera in cameras.items()}
    problems: list[str] = []
    if options.tf:
        return _named(found, cameras, near, options)
    if not any(near.values()) and found.candidates:
        images = [camera.image for camera in cameras.values()]
        only = _only(found.candidates, images)
        if not only:
            raise BagReadError(
                f'it cannot be told which transforms are those of the cameras '
                f'{_listed(images)}: {_listed(found.candidates)}; name one with --tf')
        near = dict.fromkeys(near, only)
        if only != '/tf':
            problems.append(f"note: poses come from '{only}', the only transforms in the bag")
    keys = {name: found.pair(tf, [cameras[name].image]) for name, tf in near.items()}
    placed = {name: key for name, key in keys.items() if key[0]} or keys
    if len(set(placed.values())) > 1:
        told = ', '.join(
            f"'{name}' with {_listed(filter(None, (found.moving.get(tf), found.static.get(st))))}"
            for name, (tf, st) in placed.items())
        raise BagReadError(
            f'cameras of several robots in one recording: {told}; choose one robot with --tf')
    problems += [
        f'{name}: in no namespace with a tf topic, left out; --tf names one for it'
        for name in cameras if name not in placed]
    return ({name: cameras[name] for name in placed}, next(iter(placed.values()), ('', '')),
            problems)


def _named(
    found: _Transforms, cameras: Mapping[str, CameraTopics], near: Mapping[str, str],
    options: ReadOptions,
) -> tuple[dict[str, CameraTopics], tuple[str, str], list[str]]:
    """Do what `_robot` does where a person has named the transforms."""
    if options.tf not in found.names:
        raise BagReadError(
            f"no transforms on '{options.tf}', which --tf names; the bag has: "
            f'{_listed(found.names)}')
    name = options.tf.removesuffix(_STATIC)
    moving = name if name in found.moving else _nearest(found.candidates, name)
    static = name if name in found.static else found.pair(
        moving, [camera.image for camera in cameras.values()])[1]
    others = {}
    for camera, topics in cameras.items():
        own = _nearest(found.static_candidates, topics.image)
        if near[camera] not in ('', moving):
            others[camera] = near[camera]
        elif own != static and _home(own):
            others[camera] = found.static[own]
    if options.cameras is not None or len(others) == len(cameras):
        others = {}  # a person wants it so
    problems = [f"{camera}: has transforms of its own on '{topic}', left out"
                for camera, topic in others.items()]
    kept = {camera: topics for camera, topics in cameras.items() if camera not in others}
    return kept, (moving, static), problems


def _may_be_of(
    topic: str, key: tuple[str, str], found: _Transforms, images: Collection[str],
) -> bool:
    """Tell whether odometry may be of the robot with these transforms and cameras."""
    around = [space for space in map(_home, key)
              if space and all(_is_within(image, space) for image in images)]
    if around:
        return _is_within(topic, around[0])
    others = {_home(name) for name in (*found.moving, *found.static)} - {'', *map(_home, key)}
    strange = any(_is_within(topic, space) for space in others
                  if not any(_is_within(image, space) for image in images))
    return not strange and not _is_numbered_sibling(topic, images)


def _of_one(names: Collection[str], images: Collection[str], length: int) -> str:
    """Return the topic of the nearest namespace around all cameras, else the only one."""
    around = [name for name in names
              if all(_is_within(image, name[:-length]) for image in images)]
    return max(around, key=_depth, default='') or _only(names, images)


def _nearest(names: Iterable[str], topic: str) -> str:
    """Return the topic in the nearest namespace around another topic; '' for none."""
    return max((name for name in names if _is_within(topic, _home(name))), key=_depth, default='')


def _only(names: Collection[str], topics: Collection[str]) -> str:
    """Return the only name there is, '' where it is plainly of another robot."""
    return next((name for name in names
                 if len(names) == 1 and not _is_numbered_sibling(name, topics)), '')


def _is_numbered_sibling(topic: str, others: Collection[str]) -> bool:
    """Tell whether a topic is of 'robot2' where all others are of 'robot1' or the like."""
    def differs_by_number(other: str) -> bool:
        for one, two in zip(_spaces(topic), _spaces(other), strict=False):
            if one != two:
                return re.sub(r'\d+', '#', one) == re.sub(r'\d+', '#', two)
        return False
    return bool(others) and all(map(differs_by_number, others))


def _spaces(topic: str) -> list[str]:
    return topic.strip('/').split('/')[:-1]


def _depth(topic: str) -> int:
    return len(_spaces(topic))


def _home(topic: str) -> str:
    return topic.rpartition('/')[0]


def _is_within(topic: str, space: str) -> bool:
    return topic.startswith(f'{space}/')


def _listed(names: Iterable[str]) -> str:
    return ', '.join(f"'{name}'" for name in sorted(names)) or 'none'
