# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""How examples are made; the shipped values are those of the nano checkpoint."""

from dataclasses import dataclass, field
import math

from ipt_ros.spatial.tasks.perspective import PerspectiveRules


@dataclass(frozen=True)
class ExampleOptions:
    """
    Sizes in pixels, lengths in metres, angles in rad.

    ``supersample`` is the factor by which views are rendered larger and then averaged down.
    """

    supersample: int = 2
    camera_height: float = 1.2
    heading_jitter: float = math.radians(15)
    verified: bool = True  # keep only what passes ipt_training.verification

    pet_pixels: int = 96
    pet_draws: int = 16000  # pairs of places that are thought of, without a render
    pet_tries: int = 30  # pairs that are rendered
    pet_target_distance: tuple[float, float] = (1.3, 4.5)
    pet_rules: PerspectiveRules = field(default_factory=PerspectiveRules)
    # One example for each of these; all show the same walk and ask the same questions.
    pet_variants: tuple[str, ...] = ('no_arrow',)

    mvc_pixels: int = 64
    mvc_draws: int = 1000  # places and sizes of the ring of views that are thought of
    mvc_tries: int = 3  # rings that are rendered
    mvc_wall_distance: float = 1.1  # of a place to turn on; nearer, a view shows nothing but wall
    mvc_radius: tuple[float, float] = (0.9, 2.0)  # corner of the square path to its centre
    mvc_single_view: bool = False  # whether a count above 1 may be read off one view alone
    map_pixels: int = 96
    map_size: float = 8.0
    map_crop: bool = False  # to the counted area, see `mvc_padding`, where it is in the room
    mvc_padding: dict[str, float] = field(  # of the map around the camera places, as published
        default_factory=lambda: {'rotation': 5.0, 'multi_camera': 4.0})
    min_map_area: float = 0.001  # of the map, for an object to be counted; published: 0.1 %
    min_view_area: float = 0.001  # of one view at least

    # 'td_ego_dir' has three images, the others one; who stacks examples wants one kind at a time.
    pt_variants: tuple[str, ...] = ('td_path', 'td_path_arrow')
    pt_pixels: int = 96  # of the view to the side, and of a map that is the only image
    pt_multi_pixels: int = 64  # of each image where there are three
    pt_map_size: float = 6.0  # around the middle of the path
    pt_starts: int = 6  # places from which ways to all others are computed
    pt_ways: int = 6  # of these that are thought of, without a render
    pt_tries: int = 12  # of these that are rendered
    pt_bend: float = math.radians(20)  # most by which a path may turn at its midpoint
    pt_area: tuple[float, float] = (0.004, 0.5)  # of the side view, the answer; published: 0.15 %
    pt_edge_margin: float = 0.08  # mask centre of the answer to the image's edge
    pt_max_distance: float = 5.0  # from the midpoint to the answer
    pt_questions: int = 3  # most an example
