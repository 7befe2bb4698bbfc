# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""A rollout as mining sees it: where cameras were, the floor, the fused surface, the truth."""

from collections import Counter
from collections.abc import Iterable
import contextlib
from dataclasses import dataclass
from functools import cached_property
import math

import cv2
from ipt_ros.geometry import transform_points
from ipt_ros.geometry.alignment import Misalignment, misalignment
from ipt_ros.geometry.fusion import find_floor, Floor, FusionError, RgbdFusion, SurfaceCloud
from ipt_training.bags import Frame, FrameError, FrameRecord, Rollout
from ipt_training.datasets.splits import room_seed
from ipt_training.mining.options import MiningOptions
from ipt_training.mining.scene_labels import SceneLabels
import numpy as np

_FLOOR_FRAMES = 16
_DRIFT_POINTS = 8000  # of one depth image
_FLOOR_STRIDE = 4  # every how many pixels a point is taken to find the floor


@dataclass(frozen=True, eq=False)
class Track:
    """
    Where the cameras of one segment were, in rows: positions (N, 3) m, yaws, tilts, fields (rad).

    tilts: downwards, of the optical axis. rolls are not looked at: mobile robots have none.
    """

    records: list[FrameRecord]
    positions: np.ndarray
    yaws: np.ndarray
    tilts: np.ndarray
    fields: np.ndarray
    seconds: np.ndarray

    def __len__(self) -> int:
        return len(self.records)


class Place:
    """What mining needs to know of a rollout, each thing found once. Frames are read as needed."""

    def __init__(self, rollout: Rollout, options: MiningOptions, skipped: Counter):
        """Take a rollout that stays open."""
        self.rollout = rollout
        self.options = options
        self.skipped = skipped
        self._floors: dict[int, Floor] = {}
        self._surfaces: dict[int, SurfaceCloud | None] = {}

    @cached_property
    def tracks(self) -> list[Track]:
        """Return the tracks of all segments, in order."""
        by_segment: dict[int, list[FrameRecord]] = {}
        for record in self.rollout.frames:
            by_segment.setdefault(record.segment, []).append(record)
        return [self._track(records) for records in by_segment.values()]

    def _track(self, records: list[FrameRecord]) -> Track:
        poses = np.stack([record.fixed_from_optical for record in records])
        axes = poses[:, :3, 2]
        return Track(
            records,
            poses[:, :3, 3],
            np.arctan2(axes[:, 1], axes[:, 0]),
            -np.arcsin(np.clip(axes[:, 2], -1, 1)),
            np.array([self.rollout.intrinsics(record).hfov for record in records]),
            np.array([record.stamp for record in records]) * 1e-9)

    def load(self, record: FrameRecord, task: str) -> Frame | None:
        """Read a frame; None, counted, where its pixels cannot be used."""
        try:
            return self.rollout.load(record)
        except FrameError as error:
            self.skipped[f'{task}: {error.reason}'] += 1
            return None

    @cached_property
    def _moments(self) -> dict[int, list[FrameRecord]]:
        """All frames that were taken together with a frame, by its index."""
        return {record.index: list(group.values()) for group in self.rollout.moments()
                for record in group.values()}

    def drift(self, first: FrameRecord, second: FrameRecord) -> Misalignment | None:
        """
        Measure what odometry got wrong between two frames, by what depth shows at both moments.

        All cameras of each moment help. None where depth cannot tell.
        """
        clouds = []
        for record in (first, second):
            points = [self._cloud(r) for r in self._moments[record.index]
                      if r.depth_logged is not None]
            clouds.append(np.concatenate([np.empty((0, 3)), *points]))
        return misalignment(*clouds, second.fixed_from_optical[:3, 3])

    def _cloud(self, record: FrameRecord) -> np.ndarray:
        frame = self.load(record, 'drift')
        if frame is None or frame.depth is None:
            return np.empty((0, 3))
        stride = max(1, round(math.sqrt(frame.depth.size / _DRIFT_POINTS)))
        points, _ = points_of(frame, stride)
        eye = record.fixed_from_optical[:3, 3]
        return points[np.linalg.norm(points - eye, axis=1) <= self.options.max_depth]

    def scene(self, record: FrameRecord) -> str:
        """Return the name of the place that a frame shows."""
        if self.options.scene:
            return self.options.scene
        truth = self.rollout.truth(record) if self.options.use_truth else None
        return str(truth['scene']) if truth else self.rollout.name

    def seed(self, record: FrameRecord) -> int | None:
        """
        Return the seed of the simulated scene that a frame shows, None where no truth says.

        Also where the place has been given another name: it decides what may be trained on.
        """
        truth = self.rollout.truth(record)
        if truth is None:
            return None
        seeds = [room_seed(str(truth['scene']))]
        with contextlib.suppress(TypeError, ValueError, OverflowError):
            seeds.append(int(truth['seed']))
        return max((seed for seed in seeds if seed is not None), default=None)

    def labels(self, record: FrameRecord) -> SceneLabels | None:
        """Return the simulator's objects in the frame of all poses, where the bag has them."""
        if not self.options.use_truth:
            return None
        truth = self.rollout.truth(record)
        if truth is None:
            return None
        world = self.rollout.fixed_from('map', record)
        try:
            return SceneLabels(truth, np.eye(4) if world is None else world)
        except (KeyError, TypeError, ValueError) as error:
            self.skipped[f'note: ground truth cannot be used ({error!r})'] += 1
            return None

    def floor(self, segment: int) -> Floor:
        """
        Return the floor of a segment: as measured, else level at the height of the robot's base.

        The base frame is on the floor by convention (REP-105), not always in practice.
        """
        if segment not in self._floors:
            self._floors[segment] = self._find_floor(segment)
        return self._floors[segment]

    def _find_floor(self, segment: int) -> Floor:
        records = [r for r in self.rollout.frames if r.segment == segment]
        expected = float(np.median([record.fixed_from_base[2, 3] for record in records]))
        deep = [record for record in records if record.depth_logged is not None]
        clouds = []
        for record in _spread(deep, _FLOOR_FRAMES):
            frame = self.load(record, 'floor')
            if frame is not None and frame.depth is not None:
                clouds.append(points_of(frame, _FLOOR_STRIDE)[0])
        try:
            return find_floor(np.concatenate([np.empty((0, 3)), *clouds]), expected)
        except FusionError as error:
            self.skipped['note: floor not measured; the base frame is taken for it'] += 1
            if clouds:
                self.skipped[f'note: {error}'] += 1
            return Floor((0.0, 0.0, 1.0), expected, 0)

    def surface(self, segment: int) -> SurfaceCloud | None:
        """Fuse the depth images of a segment that add something; None without any surface."""
        if segment not in self._surfaces:
            self._surfaces[segment] = self._fuse(segment)
        return self._surfaces[segment]

    def _fuse(self, segment: int) -> SurfaceCloud | None:
        options = self.options
        deep = [record for record in self.rollout.frames
                if record.segment == segment and record.depth_logged is not None]
        if not deep:
            self.skipped['mvc: no depth in a segment'] += 1
            return None
        fusion = RgbdFusion(options.voxel, options.max_depth)
        for record in _spread(self._different(deep), options.map_max_images):
            frame = self.load(record, 'map')
            if frame is not None and frame.depth is not None:
                fusion.add(
                    frame.rgb, frame.depth, frame.intrinsics, record.fixed_from_optical)
        try:
            return fusion.surface()
        except FusionError:
            self.skipped['mvc: depth shows no surface'] += 1
            return None

    def _different(self, records: list[FrameRecord]) -> list[FrameRecord]:
        """Leave out frames from about where another one was taken in about the same direction."""
        options = self.options
        places, yaws, kept = np.empty((0, 3)), np.empty(0), []
        for record in records:
            pose = record.fixed_from_optical
            yaw = math.atan2(pose[1, 2], pose[0, 2])
            near = np.linalg.norm(places - pose[:3, 3], axis=1) < options.map_min_spacing
            if (near & (np.abs(wrapped(yaws - yaw)) < options.map_min_turn)).any():
                continue
            places, yaws = np.vstack([places, pose[:3, 3]]), np.append(yaws, yaw)
            kept.append(record)
        return kept


def points_of(frame: Frame, stride: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Return (N, 3) points of a frame's depth in the fixed frame, and where it has them (H, W)."""
    depth = frame.depth[::stride, ::stride]
    measured = depth > 0
    rows, columns = np.nonzero(measured)
    uv = np.column_stack([columns, rows]) * float(stride)
    points = frame.intrinsics.deproject(uv, depth[measured])
    return transform_points(frame.record.fixed_from_optical, points), measured


def sized(image: np.ndarray, pixels: int) -> np.ndarray:
    """Return an image whose longest side has at most so many pixels (0: any number)."""
    height, width = image.shape[:2]
    if not pixels or max(height, width) <= pixels:
        return image
    scale = pixels / max(height, width)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA)


def wrapped(angles: np.ndarray) -> np.ndarray:
    """Return angles (rad) in (-pi, pi]."""
    return -((-np.asarray(angles) + math.pi) % math.tau - math.pi)


def _spread(records: list[FrameRecord], number: int) -> Iterable[FrameRecord]:
    """Return at most so many records, evenly out of all."""
    if len(records) <= number:
        return records
    return [records[round(k)] for k in np.linspace(0, len(records) - 1, number)]
