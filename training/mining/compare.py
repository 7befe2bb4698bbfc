# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""
How true mined examples are: ``python -m ipt_training.mining.compare BAG``.

For recordings made in simulation. Examples are mined with the ground truth left out, as from a
real robot; then the simulator draws what it would have been right to mine.
"""

import argparse
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
import math
from pathlib import Path
import sys
from typing import Any

import cv2
from ipt_ros.geometry import invert, Pose2D, transform_points
from ipt_ros.geometry.topdown_fusion import topdown_map, TopDownMap
from ipt_ros.pictures import png
from ipt_ros.spatial import Example
from ipt_sim import CameraSpec, make_simulator, Simulator, SimulatorError
from ipt_training.bag_arguments import add_reading_options, reading_options
from ipt_training.bags import BagReadError, FrameRecord, read_rollout, Rollout
from ipt_training.mining import mine_examples, MINED_TASKS, MiningOptions
from ipt_training.mining.free_way import MARGIN, OBSTACLE, REACH
from ipt_training.mining.perspective import ground_pose, offset_of
from ipt_training.mining.place import Place
import numpy as np

_WALL = 0.15  # m: so near to the edge of a room, walls are not compared with furniture


@dataclass
class Figures:
    """
    What was measured, a number an example.

    offset_metres, offset_degrees: from the pose that was asked for to the true one. mark_metres:
    from where the robot truly got to what the simulator shows under the mark. target_colour: mean
    absolute difference, 0 to 255, of the mined target to the simulator's view from the pose that
    was asked for; straight_colour: of those whose heading is off by 1 degree at most;
    other_colour: to the view of another example, for comparison. drift_metres: what depth says of
    odometry between the two views. map_*: the fused map against the simulator's, where it is
    known: colour, height of surfaces (m), intersection over union of what is occupied, share that
    is known. way_right: whether answers on free ways are right.
    """

    offset_metres: list[float] = field(default_factory=list)
    offset_degrees: list[float] = field(default_factory=list)
    mark_metres: list[float] = field(default_factory=list)
    target_colour: list[float] = field(default_factory=list)
    straight_colour: list[float] = field(default_factory=list)
    drift_metres: list[float] = field(default_factory=list)
    other_colour: list[float] = field(default_factory=list)
    map_known: list[float] = field(default_factory=list)
    map_colour: list[float] = field(default_factory=list)
    map_height: list[float] = field(default_factory=list)
    map_iou: list[float] = field(default_factory=list)
    way_right: list[float] = field(default_factory=list)
    skipped: Counter = field(default_factory=Counter)


class TruthError(ValueError):
    """A recording cannot be compared with the truth; the message says why."""


class Comparison:
    """Compares examples of a rollout with a simulator that holds the scene of its segment."""

    def __init__(
        self, rollout: Rollout, simulator: Simulator,
        true_pose: Callable[[FrameRecord], np.ndarray] | None = None,
    ):
        """
        Use a simulator whose `reset` was called with the seed of the scene.

        true_pose: returns world_from_optical (4x4) of a frame; by default that of the recording,
        which is the truth where odometry does not drift.
        """
        self.figures = Figures()
        self._true_pose = true_pose or (lambda record: record.fixed_from_optical)
        self._rollout = rollout
        self._sim = simulator
        self._records = {(r.camera, r.stamp, r.segment): r for r in rollout.frames}
        self._last_truth: np.ndarray | None = None

    def add(self, example: Example, place: Place) -> np.ndarray | None:
        """Measure one example; return the true target."""
        if example.task == 'pet':
            return self._pair(example)
        return self._ring(example, place)

    def _record(self, example: Example, view: int) -> FrameRecord:
        mined = example.metadata['mined']
        return self._records[mined['cameras'][view], mined['stamps'][view], mined['segment']]

    def _spec(self, record: FrameRecord) -> CameraSpec:
        """Return the camera of a frame, above the base that `Pose2D` poses are of."""
        camera, pose = self._rollout.intrinsics(record), record.fixed_from_optical
        spec = CameraSpec(
            'mined', camera.width, camera.height, camera.hfov, (0.0, 0.0, float(pose[2, 3])),
            pitch=-math.asin(float(pose[2, 2])))
        ideal = spec.intrinsics
        off = max(abs(ideal.fx - camera.fx), abs(ideal.fy - camera.fy),
                  abs(ideal.cx - camera.cx), abs(ideal.cy - camera.cy))
        if off > 1.0:
            raise TruthError('the simulator has no camera like the recorded one: its pixels are '
                             'not square or its axis is not in the middle')
        return spec

    def _pair(self, example: Example) -> np.ndarray:
        mined, figures = example.metadata['mined'], self.figures
        first, second = self._record(example, 0), self._record(example, 1)
        eye, reached = self._true_pose(first), ground_pose(self._true_pose(second))
        # What was asked for is known with respect to the first view, so it moves along with it.
        moved = eye @ invert(first.fixed_from_optical)
        asked = Pose2D.from_matrix(moved @ Pose2D(*example.metadata['target_pose']).matrix)
        offset = offset_of(asked, reached)
        figures.offset_metres.append(offset['metres'])
        figures.offset_degrees.append(abs(offset['degrees']))
        before = self._sim.render(self._spec(first), ground_pose(eye), instance=False)
        figures.mark_metres.append(_metres_off(before, mined['mark'], reached, mined['floor_z']))
        truth = self._sim.render(self._spec(second), asked, instance=False).rgb
        figures.target_colour.append(_difference(example.target, truth))
        if abs(offset['degrees']) <= 1:
            figures.straight_colour.append(figures.target_colour[-1])
        if mined['drift']:
            figures.drift_metres.append(mined['drift']['metres'])
        if self._last_truth is not None and self._last_truth.shape == truth.shape:
            figures.other_colour.append(_difference(example.target, self._last_truth))
        self._last_truth = truth
        for question in example.questions:
            if question.subtask.startswith('free_way'):
                free = self._free(asked)
                said = question.answer_choice == 'Yes'
                figures.way_right.append(float(said == (question.metadata['distance'] <= free)))
        return truth

    def _free(self, pose: Pose2D) -> float:
        """Return how many metres are free by the simulator's depth seen from above."""
        ahead = pose.moved(REACH / 2)
        pixels = round(REACH / 0.02)
        frame = self._sim.render_topdown(
            (ahead.x, ahead.y), pose.yaw, REACH, pixels, instance=False)
        heights = frame.world_from_optical[2, 3] - frame.depth
        # What is walked under cannot be told from above; such scenes would need care here.
        way = np.abs(np.arange(pixels) - (pixels - 1) / 2) * 0.02 <= 0.2
        blocked = ((heights >= OBSTACLE) | (frame.depth <= 0))[:, way].any(axis=1)[::-1]
        own = round(MARGIN / 0.02)
        hits = np.nonzero(blocked[own:])[0]
        return (own + hits[0]) * 0.02 if len(hits) else REACH

    def _ring(self, example: Example, place: Place) -> np.ndarray:
        figures, chart = self.figures, example.metadata['map']
        mined = example.metadata['mined']
        figures.offset_metres += [offset['metres'] for offset in mined['offsets']]
        figures.offset_degrees += [abs(offset['degrees']) for offset in mined['offsets']]
        segment, options = mined['segment'], place.options
        picture = topdown_map(
            place.surface(segment), place.floor(segment), tuple(chart['center']), chart['yaw'],
            chart['size'], options.map_pixels)
        frame = self._sim.render_topdown(
            tuple(chart['center']), chart['yaw'], chart['size'], options.map_pixels,
            instance=False)
        figures.map_known.append(_share_known(picture, frame))
        both = picture.known & (frame.depth > 0)
        figures.map_colour.append(_difference(picture.rgb[both], frame.rgb[both]))
        heights = frame.world_from_optical[2, 3] - frame.depth
        figures.map_height.append(float(np.median(np.abs(picture.height - heights)[both])))
        inside = both & self._inside(frame)
        ours, true = picture.occupied(OBSTACLE) & inside, (heights >= OBSTACLE) & inside
        if true.any():
            figures.map_iou.append(float((ours & true).sum() / (ours | true).sum()))
        return frame.rgb

    def _inside(self, frame: Any) -> np.ndarray:
        """Return which pixels of a map lie in the room, away from its walls."""
        xmin, ymin, xmax, ymax = self._sim.room_bounds()
        points = _points_below(frame)
        return ((points[..., 0] > xmin + _WALL) & (points[..., 0] < xmax - _WALL)
                & (points[..., 1] > ymin + _WALL) & (points[..., 1] < ymax - _WALL))


def _metres_off(frame: Any, uv: list[float], true: Pose2D, floor_z: float) -> float:
    """Return how far what is drawn under a pixel is from the place on the floor."""
    column, row = (int(value) for value in uv)
    right, down = uv[0] - column, uv[1] - row
    # On a plane, the inverse of depth is linear in the picture.
    inverse = 1 / np.maximum(frame.depth[row:row + 2, column:column + 2].astype(float), 1e-3)
    across = inverse @ (1 - right, right)
    depth = 1 / float(np.dot(across, (1 - down, down)[:len(across)]))
    point = frame.intrinsics.deproject(np.array([uv], float), np.array([depth]))
    seen = transform_points(frame.world_from_optical, point)[0]
    return float(np.linalg.norm(seen - (true.x, true.y, floor_z)))


def _difference(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.abs(one.astype(int) - other).mean())


def _points_below(frame: Any) -> np.ndarray:
    height, width = frame.depth.shape
    rows, columns = np.indices((height, width))
    flat = frame.intrinsics.deproject(
        np.column_stack([columns.ravel(), rows.ravel()]).astype(float),
        frame.depth.ravel().astype(float))
    return transform_points(frame.world_from_optical, flat).reshape(height, width, 3)


def _share_known(picture: TopDownMap, frame: Any) -> float:
    """Return the share of what the simulator's map shows that the fused map knows."""
    there = frame.depth > 0
    return float((picture.known & there).sum() / max(1, there.sum()))


def table(figures: Figures) -> str:
    """Return the figures as lines for people: number, median, 90 % and the largest."""
    rows = [
        ('true pose from the asked one (m)', figures.offset_metres),
        ('true heading from the asked one (deg)', figures.offset_degrees),
        ('what is under the X from the target (m)', figures.mark_metres),
        ('drift between the views, by depth (m)', figures.drift_metres),
        ('mined target from the true view (0-255)', figures.target_colour),
        ('  where the heading is off by 1 deg at most', figures.straight_colour),
        ('  another view from it, to compare', figures.other_colour),
        ('map: share of the room that is known', figures.map_known),
        ('map: colour where known (0-255)', figures.map_colour),
        ('map: height where known (m)', figures.map_height),
        ('map: intersection over union, occupied', figures.map_iou),
        ('free way: answers that are right', figures.way_right),
    ]
    lines = [f'{"":44}{"number":>8}{"mean":>9}{"median":>9}{"90 %":>9}{"largest":>9}']
    for name, values in rows:
        if values:
            lines.append(f'{name:44}{len(values):8}' + ''.join(f'{v:9.3f}' for v in (
                np.mean(values), np.median(values), np.percentile(values, 90), np.max(values))))
    return '\n'.join(lines)


def compare(rollout: Rollout, seed: int, options: MiningOptions, pictures: Path | None = None,
            ) -> Figures:
    """
    Mine a recording and compare every example with the simulator that it was made in.

    pictures: folder for the first few examples beside their truth. Raises TruthError where the
    bag does not tell its scene, or holds several.
    """
    truths = {(truth['backend'], truth['seed']) for record in rollout.frames
              if (truth := rollout.truth(record)) is not None}
    if len(truths) != 1:
        raise TruthError(
            f"'{rollout.path}' tells of {len(truths)} simulated scenes on ground_truth/scene; "
            'expected exactly one')
    backend, scene = truths.pop()
    mined = mine_examples(rollout, MINED_TASKS, seed, replace(options, use_truth=False))
    with make_simulator(backend) as simulator:
        simulator.reset(int(scene))
        comparison = Comparison(rollout, simulator)
        shown: Counter = Counter()
        for example in mined:
            truth = comparison.add(example, mined.place)
            if pictures is not None and shown[example.task] < 4:
                shown[example.task] += 1
                _save(pictures / f'{example.task}_{shown[example.task]}.png', example, truth)
    comparison.figures.skipped = mined.skipped
    return comparison.figures


def _save(path: Path, example: Example, truth: np.ndarray) -> None:
    """Write inputs, the mined target and the true one side by side."""
    side = example.target.shape[0]
    row = [cv2.resize(image, (side, side), interpolation=cv2.INTER_AREA)
           for image in [*example.images, example.target, truth]]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(png(np.hstack(row)))


def main(arguments: list[str] | None = None) -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(
        prog='python -m ipt_training.mining.compare', description=__doc__.split('\n\n')[1])
    parser.add_argument('bag', type=Path, help='recording made in simulation')
    parser.add_argument('--seed', type=int, default=0, help='of the choice among possible pairs')
    parser.add_argument('--pairs', type=int, default=MiningOptions.max_pairs, help='at most')
    parser.add_argument('--rings', type=int, default=MiningOptions.max_rings, help='at most')
    parser.add_argument('--pictures', type=Path, help='folder for pictures of some examples')
    add_reading_options(parser)
    chosen = parser.parse_args(arguments)
    try:
        reading = reading_options(chosen)
    except ValueError as error:
        parser.error(str(error))
    options = MiningOptions(max_pairs=chosen.pairs, max_rings=chosen.rings)
    try:
        with read_rollout(chosen.bag, reading) as rollout:
            figures = compare(rollout, chosen.seed, options, chosen.pictures)
            problems = rollout.problems
    except (BagReadError, TruthError, SimulatorError) as error:
        print(f'error: {error}', file=sys.stderr)
        return 1
    print(table(figures))
    print('left out on the way:')
    for reason, number in (figures.skipped + problems).most_common():
        print(f'{number:8}  {reason}')
    return 0


if __name__ == '__main__':
    sys.exit(main())
