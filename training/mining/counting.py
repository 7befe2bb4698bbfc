# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""
Four views and the map around them, from a robot's own frames.

The views are those of four cameras at one moment, of one camera while the robot turned on the
spot, or from the corners of a square; the map is fused from the depth of the whole recording.
"""

from collections.abc import Iterator
import math

from ipt_ros.geometry import Pose2D
from ipt_ros.geometry.topdown_fusion import topdown_map, TopDownMap
from ipt_ros.spatial import Example, Question, TASKS
from ipt_training.mining import wordings
from ipt_training.mining.perspective import ground_pose, numbers, offset_of
from ipt_training.mining.place import Place, sized, Track, wrapped
from ipt_training.mining.scene_questions import counting_truth
import numpy as np

MVC = TASKS['mvc']


def mine_rings(place: Place, rng: np.random.Generator) -> Iterator[Example]:
    """Find rings of four views in all segments, in random order, until there are enough."""
    made = 0
    for track in place.tracks:
        taken = np.empty((0, 3))  # x, y, radius of rings that there are
        for first in rng.permutation(len(track)):
            if made >= place.options.max_rings:
                place.skipped['note: mvc: as many rings as wanted'] += 1
                return
            for radius in place.options.ring_radii:
                ring = _ring(place, track, int(first), radius)
                if ring is None:
                    place.skipped[f'mvc: no four views around ({_name(radius)})'] += 1
                    continue
                center = ring[0]
                row = np.array([center.x, center.y, radius])
                if (np.linalg.norm(taken[:, :2] - row[:2], axis=1)[taken[:, 2] == radius]
                        < place.options.ring_spacing).any():
                    place.skipped['mvc: like a ring that there is'] += 1
                    continue
                example = _example(place, track, *ring, radius, rng)
                if example is not None:
                    taken = np.vstack([taken, row])
                    made += 1
                    yield example
    if not made:
        place.skipped['mvc: NO RING of four views in the whole recording'] += 1


def _name(radius: float) -> str:
    return MVC.variants[0] if radius == 0 else MVC.variants[1]


def _ring(place: Place, track: Track, first: int, radius: float,
          ) -> tuple[Pose2D, list[Pose2D], list[int]] | None:
    """
    Return centre, the four poses that the views should have, and the frames nearest to them.

    In the multi-camera variant each view stands a radius behind the centre and looks at it.
    """
    options = place.options
    start = ground_pose(track.records[first].fixed_from_optical)
    center = start.moved(radius)
    fits = np.abs(track.seconds - track.seconds[first]) <= options.ring_seconds
    fits &= np.abs(track.positions[:, 2] - track.positions[first, 2]) <= options.height_tolerance
    fits &= np.abs(track.tilts - track.tilts[first]) <= options.tilt_tolerance
    fits &= np.abs(track.fields - track.fields[first]) <= math.radians(3)
    asked, found = [start], [first]
    for quarter in range(1, 4):
        turned = Pose2D(
            center.x, center.y, math.remainder(start.yaw + quarter * math.pi / 2, math.tau))
        corner = turned.moved(-radius)
        metres = np.hypot(
            track.positions[:, 0] - corner.x, track.positions[:, 1] - corner.y)
        turn = np.abs(wrapped(track.yaws - corner.yaw))
        good = fits & (metres <= options.ring_spread) & (turn <= options.ring_tolerance)
        if not good.any():
            return None
        off = np.where(
            good, metres / options.ring_spread + turn / options.ring_tolerance, np.inf)
        asked.append(corner)
        found.append(int(np.argmin(off)))
    return center, asked, found


def _example(place: Place, track: Track, center: Pose2D, asked: list[Pose2D], found: list[int],
             radius: float, rng: np.random.Generator) -> Example | None:
    """Fuse the map and put everything together, or count why not."""
    options = place.options
    records = [track.records[k] for k in found]
    segment = records[0].segment
    surface = place.surface(segment)
    if surface is None:
        return None
    floor = place.floor(segment)
    picture = topdown_map(
        surface, floor, (center.x, center.y), center.yaw, options.map_size, options.map_pixels)
    core = _core_known(picture, options.map_core)
    if core < options.map_min_known:
        place.skipped['mvc: too little of the floor around was seen'] += 1
        return None
    views = [place.load(record, 'mvc') for record in records]
    if any(view is None for view in views):
        place.skipped['mvc: a view cannot be read'] += 1
        return None
    variant = _name(radius)
    questions, classes = [], []
    labels = place.labels(records[0])
    if labels is not None and all(view.depth is not None for view in views):
        questions = counting_truth(
            labels, floor, views, picture, variant, options.min_view_area, options.min_map_area,
            rng)
        classes = sorted(set(labels.names(labels.objects)))
    request = _request(rng)
    return Example(
        task='mvc',
        variant=variant,
        images=[sized(view.rgb, options.pixels) for view in views],
        target=sized(picture.rgb, options.pixels),
        think=MVC.think(rng),
        questions=[*questions, request],
        metadata={
            'scene': place.scene(records[0]),
            'scene_seed': place.seed(records[0]),
            'poses': [numbers(p.x, p.y, p.yaw) for p in asked],
            'map': {'center': numbers(center.x, center.y), 'yaw': numbers(center.yaw)[0],
                    'size': options.map_size},
            'classes': classes,
            'mined': {
                'bag': place.rollout.name,
                'segment': segment,
                'frame': place.rollout.fixed_frame,
                'cameras': [record.camera for record in records],
                'stamps': [record.stamp for record in records],
                'offsets': [offset_of(pose, ground_pose(record.fixed_from_optical))
                            for pose, record in zip(asked, records, strict=True)],
                'known': round(picture.known_share, 3),
                'known_core': round(core, 3),
            },
        },
    )


def _core_known(picture: TopDownMap, radius: float) -> float:
    """Return the share of the disc around the middle that was seen."""
    rows, columns = np.indices(picture.known.shape)
    off = np.hypot(columns - picture.camera.cx, rows - picture.camera.cy)
    return float(picture.known[off * picture.camera.metres_per_pixel <= radius].mean())


def _request(rng: np.random.Generator) -> Question:
    wording = int(rng.integers(len(wordings.MAP_REQUESTS)))
    return Question(
        wordings.MAP_REQUESTS[wording], subtask='map',
        metadata={'truth': wordings.MAP_ANSWER, 'wording': wording})
