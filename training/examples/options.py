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
