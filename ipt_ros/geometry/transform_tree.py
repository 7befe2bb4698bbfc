# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""
The tree of frames of a robot over time, as /tf and /tf_static describe it.

Interpolates between samples as tf2 does. Stamps are integers (ns).
"""

from bisect import bisect_left
import math

from ipt_ros.geometry.transforms import (
    compose,
    invert,
    matrix_from_quaternion,
    quaternion_problem,
)
import numpy as np

_NEWEST = None  # the time that means 'whatever is newest'


class TransformError(Exception):
    """Two frames are not connected at the time asked; the message names what is missing."""


def transform_problem(
    parent: str, child: str, translation: np.ndarray, quaternion: np.ndarray,
) -> str:
    """
    Return why a transform cannot be used, '' where it can: words that go on after 'a transform'.

    The same words for the same trouble of a frame, to count by.
    """
    parent, child = parent.lstrip('/'), child.lstrip('/')
    if not (np.isfinite(translation).all() and np.isfinite(quaternion).all()
            and parent and child and parent != child):
        return 'is not finite or has no frames'
    if quaternion_problem(quaternion):
        return (f"of '{child}' has a quaternion that is not of unit length and is ignored, as it "
                'is by tf2')
    return ''


def slerp(start: np.ndarray, end: np.ndarray, fraction: float) -> np.ndarray:
    """Interpolate between unit quaternions (x, y, z, w) along the shorter arc."""
    dot = float(start @ end)
    if dot < 0:
        end, dot = -end, -dot
    if dot > 0.9995:  # nearly parallel: the sines below vanish
        mixed = start + fraction * (end - start)
    else:
        angle = np.arccos(min(dot, 1.0))
        mixed = (np.sin((1 - fraction) * angle) * start + np.sin(fraction * angle) * end)
    return mixed / np.linalg.norm(mixed)


def _nanoseconds(seconds: float) -> float:
    return seconds if math.isinf(seconds) else round(seconds * 1e9)


def _outside(distance: int) -> str:
    return f'it is {distance / 1e9:+.2f} s outside the known samples'


class _Edge:
    """The pose of one frame in its parent over time; a static one has a single sample."""

    def __init__(self, parent: str, static: bool):
        self.parent = parent
        self.static = static
        self.stamps: list[int] = []
        self.poses: list[tuple[np.ndarray, np.ndarray]] = []

    def add(self, stamp: int, pose: tuple[np.ndarray, np.ndarray], keep: float) -> None:
        if self.static:
            self.stamps, self.poses = [stamp], [pose]
            return
        if self.stamps and self.stamps[-1] - stamp > keep:  # the clock was set back
            self.stamps, self.poses = [], []
        index = bisect_left(self.stamps, stamp)
        if index < len(self.stamps) and self.stamps[index] == stamp:
            self.poses[index] = pose
            return
        self.stamps.insert(index, stamp)
        self.poses.insert(index, pose)
        expired = bisect_left(self.stamps, self.stamps[-1] - keep)
        if expired:
            del self.stamps[:expired], self.poses[:expired]

    def at(self, stamp: int | None, tolerance: float, max_gap: float) -> np.ndarray:
        """Return parent_from_child; raise LookupError, which says what is lacking."""
        if self.static or stamp is _NEWEST:
            translation, rotation = self.poses[-1]
        else:
            index = bisect_left(self.stamps, stamp)
            if index == len(self.stamps):
                if stamp - self.stamps[-1] > tolerance:
                    raise LookupError(_outside(stamp - self.stamps[-1]))
                translation, rotation = self.poses[-1]
            elif self.stamps[index] == stamp:
                translation, rotation = self.poses[index]
            elif index == 0:
                if self.stamps[0] - stamp > tolerance:
                    raise LookupError(_outside(stamp - self.stamps[0]))
                translation, rotation = self.poses[0]
            else:
                before, after = self.stamps[index - 1], self.stamps[index]
                if after - before > max_gap:
                    raise LookupError(
                        f'it falls into a gap of {(after - before) / 1e9:.2f} s between samples')
                fraction = (stamp - before) / (after - before)
                (t0, q0), (t1, q1) = self.poses[index - 1], self.poses[index]
                translation = t0 + fraction * (t1 - t0)
                rotation = slerp(q0, q1, fraction)
        return compose(matrix_from_quaternion(rotation), translation)


class TransformTree:
    """
    Poses of frames in their parents.

    keep: seconds of history, infinite for all of it; a sample that is older than that by its stamp
    means that the clock was set back, and starts the history anew. tolerance: seconds by which a
    time may lie outside a frame's samples (the nearest sample is then held), since an image may
    come in just before its transform. max_gap: the longest time, seconds, between two samples for
    a pose between them to be known.
    """

    def __init__(
        self, keep: float = 10.0, tolerance: float = 0.2, max_gap: float = math.inf,
    ):
        """Start without any frame."""
        self._keep = _nanoseconds(keep)
        self._tolerance = _nanoseconds(tolerance)
        self._max_gap = _nanoseconds(max_gap)
        self._edges: dict[str, _Edge] = {}

    def forget_moving(self) -> None:
        """Forget all but what is static, as where the clock was set back."""
        self._edges = {child: edge for child, edge in self._edges.items() if edge.static}

    def add(
        self,
        parent: str,
        child: str,
        stamp: int,
        translation: np.ndarray,
        quaternion: np.ndarray,
        static: bool = False,
    ) -> bool:
        """
        Take in the pose of `child` in `parent` at `stamp` (ns): metres, (x, y, z, w).

        Return False for one that is broken; `transform_problem` says why.
        """
        parent, child = parent.lstrip('/'), child.lstrip('/')
        translation = np.asarray(translation, dtype=np.float64)
        rotation = np.asarray(quaternion, dtype=np.float64)
        if transform_problem(parent, child, translation, rotation):
            return False
        edge = self._edges.get(child)
        if edge is None or edge.parent != parent or edge.static != static:
            edge = self._edges[child] = _Edge(parent, static)
        edge.add(stamp, (translation, rotation / np.linalg.norm(rotation)), self._keep)
        return True

    def lookup(self, target: str, source: str, stamp: int | None = _NEWEST) -> np.ndarray:
        """
        Return the 4x4 transform target_from_source at `stamp` (ns; None: the newest).

        Raises TransformError when the frames are unknown, not connected, or lack samples there.
        """
        target, source = target.lstrip('/'), source.lstrip('/')
        if target == source:
            return np.eye(4)
        common = self._common(self._ancestors(source), self._ancestors(target))
        return invert(self._climb(target, common, stamp)) @ self._climb(source, common, stamp)

    def lookup_through(
        self, target: str, target_stamp: int, source: str, source_stamp: int, fixed: str,
    ) -> np.ndarray:
        """Return target (at its stamp) from source (at another), through a frame that stays."""
        return (self.lookup(target, fixed, target_stamp)
                @ self.lookup(fixed, source, source_stamp))

    def newest(self, target: str, source: str) -> int | None:
        """
        Return the latest stamp (ns) at which both frames are known, None if nothing moves.

        Raises TransformError when the frames are unknown or not connected.
        """
        target, source = target.lstrip('/'), source.lstrip('/')
        up, down = self._ancestors(source), self._ancestors(target)
        common = self._common(up, down)
        between = up[:up.index(common)] + down[:down.index(common)]
        moving = [self._edges[frame] for frame in between if not self._edges[frame].static]
        return min((edge.stamps[-1] for edge in moving), default=None)

    def has(self, frame: str) -> bool:
        """Tell whether the frame is known, as a child or as a parent."""
        frame = frame.lstrip('/')
        return frame in self._edges or any(e.parent == frame for e in self._edges.values())

    @property
    def frames(self) -> tuple[str, ...]:
        """Return the names of all frames, sorted."""
        parents = {edge.parent for edge in self._edges.values()}
        return tuple(sorted(parents | set(self._edges)))

    def ancestors(self, frame: str) -> list[str]:
        """Return a frame, its parent, and so on up; raises TransformError for a loop."""
        return self._ancestors(frame.lstrip('/'))

    def static_transforms(self) -> dict[str, tuple[str, np.ndarray, np.ndarray]]:
        """Return (parent, translation, quaternion) of each frame that does not move in it."""
        return {child: (edge.parent, *edge.poses[-1])
                for child, edge in self._edges.items() if edge.static}

    def moving_between(self, target: str, source: str) -> list[str]:
        """Return the frames on the way between two that move in their parents."""
        up, down = self._ancestors(source.lstrip('/')), self._ancestors(target.lstrip('/'))
        return [frame for frame in set(up) ^ set(down)
                if frame in self._edges and not self._edges[frame].static]

    def samples(self, child: str) -> tuple[list[int], np.ndarray, np.ndarray]:
        """Return the stamps of a frame's samples, translations (N, 3), quaternions (N, 4)."""
        edge = self._edges[child.lstrip('/')]
        translations, rotations = zip(*edge.poses, strict=True)
        return list(edge.stamps), np.array(translations), np.array(rotations)

    def clear(self) -> None:
        """Forget everything that moves; static transforms are sent only once and stay."""
        self._edges = {child: edge for child, edge in self._edges.items() if edge.static}

    def _ancestors(self, frame: str) -> list[str]:
        chain = [frame]
        while chain[-1] in self._edges:
            parent = self._edges[chain[-1]].parent
            if parent in chain:
                raise TransformError(f'the transform tree has a loop at {parent!r}')
            chain.append(parent)
        return chain

    @staticmethod
    def _common(up: list[str], down: list[str]) -> str:
        """Return the first frame that both lines of ancestors have."""
        common = next((frame for frame in up if frame in down), None)
        if common is None:
            raise TransformError(
                f"frames '{up[0]}' and '{down[0]}' are not connected: the first hangs on "
                f"'{up[-1]}', the second on '{down[-1]}'; check /tf and /tf_static")
        return common

    def _climb(self, frame: str, ancestor: str, stamp: int | None) -> np.ndarray:
        """Return ancestor_from_frame."""
        transform = np.eye(4)
        while frame != ancestor:
            edge = self._edges[frame]
            try:
                transform = edge.at(stamp, self._tolerance, self._max_gap) @ transform
            except LookupError as error:
                raise TransformError(
                    f"no transform from '{frame}' to '{edge.parent}' at the time asked: "
                    f'{error}') from None
            frame = edge.parent
        return transform
