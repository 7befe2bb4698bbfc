# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""What a robot saw and where it was, out of one recording, frame by frame on demand."""

from bisect import bisect_left, bisect_right
from collections import Counter, OrderedDict
from collections.abc import Iterator
import os
from typing import Any

from ipt_ros.geometry import invert, is_upside_down, optical_problem, PinholeCamera
from ipt_ros.geometry.calibration import Calibration, is_rectified
from ipt_ros.geometry.distortion import LensError, Rectifier
from ipt_ros.geometry.registration import check_frames, registered, RegistrationError
from ipt_ros.geometry.transform_tree import TransformError, TransformTree
from ipt_ros.pixels import decompress_depth, decompress_rgb, ImageError, to_depth, to_rgb
from ipt_training.bags.bag import Bag
from ipt_training.bags.errors import BagReadError, FrameError
from ipt_training.bags.frames import Frame, FrameRecord
from ipt_training.bags.moving import is_jump, steps
from ipt_training.bags.options import FIXED_FRAMES, ReadOptions
from ipt_training.bags.robots import base_of, other_base
from ipt_training.bags.sources import choose_sources
from ipt_training.bags.timeline import Epoch, Sight, Timeline
from ipt_training.bags.topics import check_cameras, COMPRESSED, find_cameras
import numpy as np

_NAMELESS = ('bag', 'rosbag', 'rosbag2')
_KEPT_FRAMES = 12  # decoded; whoever compares frames asks for the same ones again and again


def read_rollout(path: str | os.PathLike, options: ReadOptions | None = None) -> 'Rollout':
    """
    Open a recording and find and place its frames; pixels are read when they are asked for.

    path: a rosbag2 folder, or one of its .mcap or .db3 files. Raises BagReadError for a bag that
    is truncated, empty, without cameras or without a single frame whose pose is known. Smaller
    trouble is counted in `Rollout.problems`.
    """
    options = options or ReadOptions()
    bag = Bag(path)
    try:
        return Rollout(bag, options)
    except BaseException:
        bag.close()
        raise


class Rollout:
    """
    An open recording. Use it as a context manager.

    cameras: topics by name. frames: records of all usable frames, by stamp within each segment.
    problems: what could not be used and how often; entries that begin with 'note:' cost nothing.
    fixed_frame: the frame of reference of all poses.
    """

    def __init__(self, bag: Bag, options: ReadOptions):
        """Read everything but pixels; see `read_rollout`."""
        self.path = bag.path
        self._bag = bag
        self._options = options
        topics = bag.topics
        passed_over: Counter[str] = Counter()
        if options.cameras is None:
            cameras = find_cameras(topics, self._encoding, bag.silent, passed_over)
        else:
            check_cameras(options.cameras, topics)
            cameras = options.cameras
        sources = choose_sources(topics, cameras, options)
        self._packed = {name for name, kind in topics.items() if kind == COMPRESSED}
        self._rectifiers: dict[tuple[str, Calibration], Rectifier] = {}
        self._decoded: OrderedDict[int, Frame] = OrderedDict()
        timeline = Timeline(bag, sources, options)
        self.problems = timeline.problems
        self.problems.update(passed_over)
        self.cameras = {name: camera for name, camera in sources.cameras.items()
                        if name not in timeline.lost}
        self.fixed_frame = _fixed_frame(timeline, options)
        self.base_frame = options.base_frame.lstrip('/')
        self._epochs: list[Epoch] = []  # of each segment
        self._example_of_trouble = ''
        self.frames: list[FrameRecord] = []
        self._calibrations: list[Calibration] = []  # of each frame
        for epoch in timeline.epochs:
            self._place(epoch)
        self.problems.update(bag.problems)
        bag.problems = self.problems  # one account from here on
        if not self.frames:
            raise BagReadError(self._why_nothing(timeline))

    def __enter__(self) -> 'Rollout':
        return self

    def __exit__(self, *_) -> None:
        self.close()

    def close(self) -> None:
        """Close the recording; closing twice is fine."""
        self._decoded.clear()
        self._bag.close()

    def __len__(self) -> int:
        return len(self.frames)

    @property
    def name(self) -> str:
        """Return the name of the recording: its folder's, or of the one around a mere 'bag'."""
        folder = self.path.resolve()
        if not folder.is_dir():
            folder = folder.parent
        return folder.parent.name if folder.name in _NAMELESS else folder.name

    def __iter__(self) -> Iterator[Frame]:
        """Read all frames; those that cannot be decoded are counted and left out."""
        for record in self.frames:
            try:
                yield self.load(record)
            except FrameError as error:
                self.problems[str(error.reason)] += 1

    def load(self, record: FrameRecord) -> Frame:
        """Read the pixels of a frame. Raises FrameError where they cannot be used."""
        if record.index in self._decoded:
            self._decoded.move_to_end(record.index)
            return self._decoded[record.index]
        topics = self.cameras[record.camera]
        rectifier = self._rectifier(record)
        rgb = self._pixels(topics.image, record.logged, record.stamp, record.camera)
        rgb = _rectified(rectifier.picture, rgb, f'{record.camera}: image')
        depth = None
        if record.depth_logged is not None:
            depth = self._pixels(
                topics.depth, record.depth_logged, record.depth_stamp, record.camera, depth=True)
            try:
                depth = registered(depth, rectifier)
            except RegistrationError as error:
                raise FrameError(
                    f'{record.camera}: depth image has another shape', str(error)) from error
        frame = Frame(record, rgb, depth, rectifier.camera)
        self._decoded[record.index] = frame
        while len(self._decoded) > _KEPT_FRAMES:
            self._decoded.popitem(last=False)
        return frame

    def intrinsics(self, record: FrameRecord) -> PinholeCamera:
        """Return the camera model of a frame without reading its pixels."""
        return self._rectifier(record).camera

    def truth(self, record: FrameRecord) -> dict[str, Any] | None:
        """Return the simulator's description of the scene of a frame; None if there is none."""
        return self._epochs[record.segment].truth

    def fixed_from(self, frame: str, record: FrameRecord) -> np.ndarray | None:
        """Return the 4x4 pose of any frame at the time of a record; None where not known."""
        try:
            return self._epochs[record.segment].tree.lookup(self.fixed_frame, frame, record.stamp)
        except TransformError:
            return None

    def moments(self) -> Iterator[dict[str, FrameRecord]]:
        """Group frames of different cameras that were taken at the same time."""
        slop = round(self._options.slop * 1e9)
        group: dict[str, FrameRecord] = {}
        for record in self.frames:
            first = next(iter(group.values()), None)
            if first and (record.segment != first.segment or record.stamp - first.stamp > slop
                          or record.camera in group):
                yield group
                group = {}
            group[record.camera] = record
        if group:
            yield group

    def _place(self, epoch: Epoch) -> None:
        """Find the poses of all images of an epoch, and where they stop hanging together."""
        records: list[tuple[FrameRecord, Calibration]] = []
        breaks = _Breaks(epoch.tree, self.fixed_frame, self._options)
        if len(breaks):
            self.problems[
                f"note: '{self.base_frame}' jumped or was faster than max_speed or max_turn_rate; "
                'what comes after is kept apart'] += len(breaks)
        offset = len(self._epochs)
        for camera, sights in epoch.images.items():
            for sight in sights:
                try:
                    records.append(self._record(epoch, breaks, offset, camera, sight))
                except FrameError as error:
                    self.problems[error.reason] += 1
                    self._example_of_trouble = self._example_of_trouble or str(error)
        records.sort(key=lambda item: (item[0].segment, item[0].stamp, item[0].camera))
        for record, calibration in records:
            self.frames.append(FrameRecord(**{**vars(record), 'index': len(self.frames)}))
            self._calibrations.append(calibration)
        self._epochs += [epoch] * (len(breaks) + 1)

    def _record(self, epoch: Epoch, breaks: '_Breaks', offset: int, camera: str,
                sight: Sight) -> tuple[FrameRecord, Calibration]:
        calibration = epoch.calibration(camera, sight.logged)
        if calibration is None:
            raise FrameError(f"{camera}: nothing came on '{self.cameras[camera].info}'")
        if calibration.problem:
            raise FrameError(f'{camera}: camera_info cannot be used', calibration.problem)
        try:
            self._make_rectifier(camera, calibration)
        except LensError as error:
            raise FrameError(f'{camera}: lens cannot be used', str(error)) from error
        other = other_base(epoch.tree, sight.frame, self.base_frame)
        if other:
            raise FrameError(f"{camera}: hangs on '{other}', not on '{self.base_frame}'")
        try:
            optical = epoch.tree.lookup(self.fixed_frame, sight.frame, sight.stamp)
            base = epoch.tree.lookup(self.fixed_frame, self.base_frame, sight.stamp)
        except TransformError as error:
            raise FrameError(f'{camera}: no pose at the time of an image', str(error)) from error
        self._check_optical(camera, sight.frame, invert(base) @ optical)
        segment = breaks.segment(sight.stamp)
        if segment is None:
            raise FrameError(f'{camera}: an image was taken while the pose jumped')
        depth = self._depth(epoch, camera, sight)
        return FrameRecord(
            0, camera, sight.stamp, sight.logged, depth and depth.logged, depth and depth.stamp,
            optical, base, offset + segment), calibration

    def _check_optical(self, camera: str, frame: str, base_from_optical: np.ndarray) -> None:
        """Raise FrameError for an image whose frame of reference is not taken for optical."""
        problem = optical_problem(base_from_optical, frame)
        if problem:
            raise FrameError(
                f"{camera}: the images are of frame '{frame}', no optical frame (z forward, x "
                "right, y down); record them with the camera's '..._optical_frame', or with a "
                'correct transform', problem)
        if is_upside_down(base_from_optical):
            self.problems[
                f"note: {camera}: upside down by the transforms: the y axis of frame '{frame}' "
                'points up; where the pictures are not, it is no optical frame'] += 1

    def _depth(self, epoch: Epoch, camera: str, sight: Sight) -> Sight | None:
        """Return the depth image that belongs to an image, if there is one."""
        sights = epoch.depths.get(camera, [])
        index = bisect_left(sights, sight.stamp, key=lambda item: item.stamp)
        near = min(sights[max(0, index - 1):index + 1],
                   key=lambda item: abs(item.stamp - sight.stamp), default=None)
        if near is None or abs(near.stamp - sight.stamp) > self._options.slop * 1e9:
            if self.cameras[camera].depth:
                self.problems[f'note: {camera}: an image without depth near its time'] += 1
            return None
        try:
            check_frames(near.frame, sight.frame)
        except RegistrationError as error:
            self.problems[f'note: {camera}: {error}'] += 1
            return None
        return near

    def _rectifier(self, record: FrameRecord) -> Rectifier:
        return self._make_rectifier(record.camera, self._calibrations[record.index])

    def _make_rectifier(self, camera: str, calibration: Calibration) -> Rectifier:
        key = (camera, calibration)
        if key not in self._rectifiers:
            self._rectifiers[key] = calibration.rectifier(
                is_rectified(self.cameras[camera].image))
        return self._rectifiers[key]

    def _encoding(self, topic: str) -> str:
        """Return how the pictures of a topic are encoded, as far as its first message tells."""
        message = self._bag.first(topic)
        text = getattr(message, 'encoding', '') or getattr(message, 'format', '')
        return text.partition(';')[0].strip()

    def _pixels(self, topic: str, logged: int, stamp: int, camera: str, depth: bool = False):
        """Find one message again and decode it."""
        kind = 'depth image' if depth else 'image'
        for _, _, message in self._bag.messages((topic,), logged, logged + 1):
            if message.header.stamp.sec * 1_000_000_000 + message.header.stamp.nanosec != stamp:
                continue
            packed = topic in self._packed
            if depth:
                decode = decompress_depth if packed else to_depth
            else:
                decode = decompress_rgb if packed else to_rgb
            try:
                return decode(message)
            except ImageError as error:
                raise FrameError(f'{camera}: {kind} cannot be decoded', str(error)) from error
        raise FrameError(f'{camera}: {kind} cannot be read again')

    def _why_nothing(self, timeline: Timeline) -> str:
        counts = ', '.join(f'{reason} ({n})' for reason, n in sorted(
            self.problems.most_common(), key=lambda item: item[0].startswith('note:'))[:5])
        frames = sorted({name for epoch in timeline.epochs for name in epoch.tree.frames})
        like = [name for name in frames if name != self.base_frame
                and base_of(name) == base_of(self.base_frame)]
        hint = ''
        if frames and (like or self.base_frame not in frames):
            hint = (f' Is the frame of the robot one of {", ".join(like)}?' if like else '') + (
                ' --base-frame names the frame of the robot, --fixed-frame the one that stands '
                'still.')
        return (
            f"no frame in '{self.path}' can be used: {counts or 'it holds no images'}. "
            f"{self._example_of_trouble} Poses were looked for from '{self.base_frame}' and the "
            f"cameras to '{self.fixed_frame}'; the bag knows these frames: "
            f"{', '.join(frames) or 'none (no /tf, no odometry)'}.{hint}")


class _Breaks:
    """Where the robot jumped: carried, teleported, or localised anew."""

    def __init__(self, tree: TransformTree, fixed: str, options: ReadOptions):
        """Look at all samples between the fixed frame and the robot."""
        intervals = set()
        try:
            moving = tree.moving_between(fixed, options.base_frame)
        except TransformError:
            moving = []
        for frame in moving:
            stamps, places, turns = tree.samples(frame)
            jumps = is_jump(*steps(np.array(stamps), places, turns), options)
            intervals |= {(stamps[k], stamps[k + 1]) for k in np.nonzero(jumps)[0]}
        self._starts = sorted(start for start, _ in intervals)
        self._ends = sorted(end for _, end in intervals)

    def __len__(self) -> int:
        return len(self._ends)

    def segment(self, stamp: int) -> int | None:
        """Return the number of jumps before a stamp (ns); None in the middle of one."""
        done = bisect_right(self._ends, stamp)
        return done if bisect_left(self._starts, stamp) == done else None


def _fixed_frame(timeline: Timeline, options: ReadOptions) -> str:
    """Return the frame asked for, else the first usual one, with the prefix of the base frame."""
    if options.fixed_frame:
        return options.fixed_frame.lstrip('/')
    prefix = options.base_frame.lstrip('/').rpartition('/')[0]
    names = [f'{prefix}/{name}' for name in FIXED_FRAMES if prefix] + list(FIXED_FRAMES)
    for name in names:
        if any(epoch.tree.has(name) for epoch in timeline.epochs):
            return name
    return FIXED_FRAMES[0]


def _rectified(apply, pixels: np.ndarray, what: str) -> np.ndarray:
    try:
        return apply(pixels)
    except LensError as error:
        raise FrameError(f'{what} and camera_info differ in size', str(error)) from error
