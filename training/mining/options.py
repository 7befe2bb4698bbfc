# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""What is asked of pairs and rings of frames before they make an example."""

from dataclasses import dataclass, field
import math

from ipt_ros.spatial.tasks.perspective import PerspectiveRules


@dataclass(frozen=True)
class MiningOptions:
    """
    Metres, rad, seconds, pixels.

    pixels: longest side of the images of an example, 0 as they were recorded. scene: name of the
    place, by which data sets are split; '' takes the simulator's or the bag's. use_truth: whether
    to add questions about objects where the bag carries a simulator's truth.

    heading_tolerance: by how much the second view may miss a quarter turn. Both views must come
    from cameras of one height and tilt to within height_tolerance and tilt_tolerance, and of one
    field of view. max_seconds: between the two views; the longer, the more may have moved.
    min_spacing, min_turn: nearer to each other than by both, two first views or two second views
    are as good as one.
    require_depth: leave out pairs where no depth tells whether the target can be seen.
    max_drift, max_drift_turn: leave out pairs whose depth images say that odometry has gone wrong
    by more between the two moments; what they say is kept with the others.

    ring_spread: how far the four views of a ring may be from where they should be.
    map_*: size in metres and side in pixels of the fused map, whose images lie at least
    map_min_spacing or map_min_turn apart; of the floor within map_core metres of its centre, the
    share map_min_known must have been seen.
    """

    pixels: int = 0
    scene: str = ''
    use_truth: bool = True

    max_pairs: int = 500
    target_distance: tuple[float, float] = (0.8, 5.0)
    heading_tolerance: float = math.radians(10)
    height_tolerance: float = 0.05
    tilt_tolerance: float = math.radians(3)
    max_seconds: float = 300.0
    min_spacing: float = 0.25
    min_turn: float = math.radians(10)
    require_depth: bool = True
    floor_tolerance: float = 0.1  # of what depth measures at the target, above or below the floor
    min_clearance: float = 0.4  # of what fills the second view: a wall in the face tells nothing
    measure_drift: bool = True
    max_drift: float = 0.15
    max_drift_turn: float = math.radians(5)
    pet_rules: PerspectiveRules = field(default_factory=PerspectiveRules)

    max_rings: int = 200
    ring_radii: tuple[float, ...] = (0.0, 1.0, 1.5, 2.0)  # 0: turning on the spot
    ring_spread: float = 0.25
    ring_tolerance: float = math.radians(12)
    ring_seconds: float = 120.0
    ring_spacing: float = 0.5
    map_size: float = 8.0
    map_pixels: int = 256
    map_core: float = 2.0
    map_min_known: float = 0.6
    map_min_spacing: float = 0.3
    map_min_turn: float = math.radians(25)
    map_max_images: int = 400
    voxel: float = 0.03
    max_depth: float = 6.0
    min_map_area: float = 0.001  # of the map, for an object to be counted
    min_view_area: float = 0.001  # of one view at least
