# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""
First reading of a bag: everything but pixels.

What moves and when, how cameras are calibrated, and which images there are.
"""

from bisect import bisect_right
from collections import Counter
from dataclasses import dataclass, field
import json
import math
from typing import Any

from ipt_ros.geometry.calibration import Calibration, read_calibration
from ipt_ros.geometry.transform_tree import transform_problem, TransformTree
from ipt_training.bags.bag import Bag
from ipt_training.bags.moving import MovingPoses
from ipt_training.bags.odometry import choose_odometry, OdometryPoses
from ipt_training.bags.options import ReadOptions
from ipt_training.bags.sources import Sources
import numpy as np

_SET_BACK = 2_000_000_000  # ns; less is messages that overtook each other


@dataclass(frozen=True)
class Sight:
    """An image that is in the bag: its stamp, log time (both ns) and frame of reference."""

    stamp: int
    logged: int
    frame: str


@dataclass
class Epoch:
    """
    A time (by the log, ns) in which the clock runs on and the robot keeps its shape and scene.

    calibrations: those of each camera with the log time from which each is good. truth: the
    simulator's description of the scene, None where there is none.
    """

    began: int
    tree: TransformTree
    calibrations: dict[str, list[tuple[int, Calibration]]] = field(default_factory=dict)
    images: dict[str, list[Sight]] = field(default_factory=dict)
    depths: dict[str, list[Sight]] = field(default_factory=dict)
    truth: dict[str, Any] | None = None
    moving: MovingPoses = field(default_factory=MovingPoses)  # until all is read

    def calibration(self, camera: str, logged: int) -> Calibration | None:
        """Return what was known of a camera at a log time, or the first thing to become known."""
        known = self.calibrations.get(camera)
        if not known:
            return None
        return known[max(0, bisect_right(known, logged, key=lambda item: item[0]) - 1)][1]


class Timeline:
    """Reads a bag once and keeps what is needed to find and place its frames."""

    def __init__(self, bag: Bag, sources: Sources, options: ReadOptions):
        """
        Read. What had to be left out is counted in `problems`.

        Raises BagReadError where the cameras are plainly of several robots.
        """
        self.problems: Counter[str] = Counter(sources.problems)
        self._options = options
        self._newest: dict[Any, tuple[Epoch, int]] = {}  # by source: its latest stamp, and when
        self._odometry: dict[str, OdometryPoses] = {}  # by topic
        self.lost: list[str] = []  # cameras of another robot
        self._static: set[str] = set()  # frames that static transforms place
        self.epochs = [Epoch(bag.start, self._new_tree())]
        uses: dict[str, list[Any]] = {topic: [self._on_odometry] for topic in sources.odometry}
        for topic, handle in ((sources.transforms, self._on_tf), (sources.truth, self._on_truth),
                              (sources.statics, self._on_static)):
            if topic:
                uses.setdefault(topic, []).append(handle)
        for name, camera in sources.cameras.items():  # cameras may share depth or calibration
            for topic, handle in ((camera.info, self._on_info), (camera.image, self._on_image),
                                  (camera.depth, self._on_depth)):
                if topic:
                    uses.setdefault(topic, []).append(self._for_camera(handle, name))
        for topic, logged, message in bag.messages(tuple(uses)):
            for handle in uses[topic]:
                handle(topic, logged, message)
        self._settle(sources)

    @property
    def _epoch(self) -> Epoch:
        return self.epochs[-1]

    def _new_tree(self) -> TransformTree:
        options = self._options
        return TransformTree(math.inf, options.pose_tolerance, options.max_pose_gap)

    def _begin(self, logged: int, why: str) -> None:
        """Begin an epoch; what stands still is taken along."""
        self.problems[f'note: {why}; what comes after is kept apart'] += 1
        old = self._epoch
        tree = self._new_tree()
        for child, (parent, translation, rotation) in old.tree.static_transforms().items():
            tree.add(parent, child, 0, translation, rotation, static=True)
        calibrations = {name: known[-1:] for name, known in old.calibrations.items()}
        self.epochs.append(Epoch(logged, tree, calibrations, truth=old.truth))

    def _advance(self, source: Any, stamp: int, logged: int) -> None:
        """
        See whether the clock was set back, as by a simulator that starts over.

        Only stamps of one source can tell: those of different ones may come from different clocks.
        """
        epoch, newest = self._newest.get(source, (None, stamp))
        if epoch is self._epoch and newest - stamp > _SET_BACK:
            self._begin(logged, 'the clock was set back')
        newest = max(newest, stamp) if epoch is self._epoch else stamp
        self._newest[source] = (self._epoch, newest)

    @staticmethod
    def _for_camera(handle, name: str):
        return lambda topic, logged, message: handle(name, logged, message)

    def _on_tf(self, topic: str, logged: int, message: Any) -> None:
        for item in message.transforms:
            parent, child, stamp, *pose = _transform(item)
            if why := transform_problem(parent, child, *pose):
                self.problems[f'{topic}: a transform {why}'] += 1
                continue
            self._advance((parent, child), stamp, logged)
            self._epoch.moving.add(topic, parent, child, stamp, *pose)

    def _on_static(self, topic: str, logged: int, message: Any) -> None:
        for item in message.transforms:
            parent, child, stamp, translation, rotation = _transform(item)
            if why := transform_problem(parent, child, translation, rotation):
                self.problems[f'{topic}: a transform {why}'] += 1
                continue
            known = self._epoch.tree.static_transforms().get(child.lstrip('/'))
            if known and known[0] != parent.lstrip('/'):
                self.problems[f"{topic}: '{child}' hangs on '{known[0]}' and on '{parent}' by "
                              'turns; the newest is used'] += 1
            turn = np.array(rotation) / np.linalg.norm(rotation)
            if known and not (np.allclose(known[1], translation, atol=1e-6)
                              and np.isclose(abs(known[2] @ turn), 1, atol=1e-9)):
                self._begin(logged, 'a static transform changed')
            self._static.add(child.lstrip('/'))
            self._epoch.tree.add(parent, child, stamp, translation, rotation, True)

    def _on_odometry(self, topic: str, logged: int, message: Any) -> None:
        parent, child = message.header.frame_id, message.child_frame_id
        stamp = _nanoseconds(message.header.stamp)
        p, q = message.pose.pose.position, message.pose.pose.orientation
        pose = (p.x, p.y, p.z), (q.x, q.y, q.z, q.w)
        if why := transform_problem(parent, child, *pose):
            self.problems[f'{topic}: a pose {why}'] += 1
            return
        self._advance(topic, stamp, logged)
        self._odometry.setdefault(topic, OdometryPoses()).add(
            self._epoch, parent, child, stamp, *pose)

    def _settle(self, sources: Sources) -> None:
        """Place what moves: by transforms, and by one odometry where no transform does."""
        placed = set(self._static)
        for epoch in self.epochs:
            placed |= set(epoch.moving.settle(
                epoch.tree, self._options, self.problems, self._frames(epoch)))
        chosen, self.lost = choose_odometry(
            self._odometry, placed, [epoch.tree for epoch in self.epochs], sources.cameras,
            self._options, self.problems)
        for epoch in self.epochs:
            for name in self.lost:
                epoch.images.pop(name, None)
            epoch.moving = MovingPoses()
        if chosen:
            for epoch, row in self._odometry[chosen].rows:
                if row[1].lstrip('/') not in placed:
                    epoch.moving.add(chosen, *row)
            for epoch in self.epochs:
                list(epoch.moving.settle(
                    epoch.tree, self._options, self.problems, self._frames(epoch)))
                epoch.moving = MovingPoses()
        self._odometry.clear()

    def _frames(self, epoch: Epoch) -> set[str]:
        """Return the frames on which the poses of the robot and its cameras depend."""
        seen = {sight.frame for kind in (epoch.images, epoch.depths)
                for sights in kind.values() for sight in sights}
        fixed = {child: parent for child, (parent, *_)
                 in epoch.tree.static_transforms().items()}
        return epoch.moving.above({self._options.base_frame.lstrip('/'), *seen}, fixed)

    def _on_truth(self, topic: str, logged: int, message: Any) -> None:
        try:
            truth = json.loads(message.data)
            scene = truth['scene'], truth['seed']
        except (ValueError, KeyError, TypeError):
            self.problems[f'{topic}: no JSON with scene, seed and objects'] += 1
            return
        known = self._epoch.truth
        if known is not None and (known['scene'], known['seed']) != scene:
            self._begin(logged, 'the simulated scene changed')
        self._epoch.truth = truth

    def _on_info(self, camera: str, logged: int, message: Any) -> None:
        known = self._epoch.calibrations.setdefault(camera, [])
        calibration = read_calibration(message)
        if not known or known[-1][1] != calibration:
            known.append((logged, calibration))

    def _on_image(self, camera: str, logged: int, message: Any) -> None:
        self._note('images', camera, logged, message)

    def _on_depth(self, camera: str, logged: int, message: Any) -> None:
        self._note('depths', camera, logged, message)

    def _note(self, kind: str, camera: str, logged: int, message: Any) -> None:
        stamp = _nanoseconds(message.header.stamp)
        if not stamp:
            self.problems[f'{camera}: {kind} without a stamp'] += 1
            return
        self._advance(f'{camera}/{kind}', stamp, logged)
        sights = getattr(self._epoch, kind).setdefault(camera, [])
        if sights and stamp <= sights[-1].stamp:
            again = 'with a stamp seen before' if stamp == sights[-1].stamp else (
                'older than the one before')
            self.problems[f'{camera}: {kind} {again}'] += 1
            return
        sights.append(Sight(stamp, logged, message.header.frame_id.lstrip('/')))


def _transform(item: Any) -> tuple[str, str, int, tuple[float, ...], tuple[float, ...]]:
    """Return parent, child, stamp (ns), translation and rotation (x, y, z, w)."""
    t, q = item.transform.translation, item.transform.rotation
    return (item.header.frame_id, item.child_frame_id, _nanoseconds(item.header.stamp),
            (t.x, t.y, t.z), (q.x, q.y, q.z, q.w))


def _nanoseconds(stamp: Any) -> int:
    return stamp.sec * 1_000_000_000 + stamp.nanosec
