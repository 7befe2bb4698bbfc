# SPDX-License-Identifier: Apache-2.0
"""Which topics of a bag are cameras, by the names that image_transport and drivers give them."""

from collections.abc import Mapping

from ipt_training.bags.errors import BagReadError
from ipt_training.bags.options import CameraTopics

IMAGE, COMPRESSED = 'sensor_msgs/msg/Image', 'sensor_msgs/msg/CompressedImage'
INFO = 'sensor_msgs/msg/CameraInfo'
TF, ODOMETRY, STRING = 'tf2_msgs/msg/TFMessage', 'nav_msgs/msg/Odometry', 'std_msgs/msg/String'
# Rectified pictures first: they need no lens model. Each may also come compressed.
_COLOUR = ('image_rect_color', 'image_rect', 'image_color', 'image_raw')
# Relative to the colour camera's namespace, then beside it as RealSense drivers do.
_DEPTH = ('depth/image_raw', 'depth/image_rect_raw', 'depth/image',
          '../aligned_depth_to_color/image_raw')
# The last two are pictures that no camera took.
_NOT_COLOUR = (
    'depth', 'aligned_depth', 'infra', 'disparity', 'confidence', 'imagined', 'top_down')


def find_cameras(topics: Mapping[str, str]) -> dict[str, CameraTopics]:
    """
    Return the colour cameras among topics (name to type).

    A camera has the name of its namespace: '/robot/front/image_raw' is 'front', in full where two
    would have the same name. Raises BagReadError where there is none.
    """
    found: dict[str, CameraTopics] = {}
    for space in sorted({name.rpartition('/')[0] for name in _bases(topics)}):
        if any(part.startswith(_NOT_COLOUR) for part in space.split('/')):
            continue
        image = _first(topics, space, _COLOUR)
        info = f'{space}/camera_info'
        if image and topics.get(info) == INFO:
            found[space] = CameraTopics(image, info, _first(topics, space, _DEPTH))
    if not found:
        images = sorted(name for name, kind in topics.items() if kind in (IMAGE, COMPRESSED))
        raise BagReadError(
            'no camera found: there must be an image_raw or image_rect topic, plain or '
            'compressed, with a camera_info beside it. Image topics in the bag: '
            f"{', '.join(images) or 'none'}. Name yours in ReadOptions.cameras")
    short = [space.rpartition('/')[2] for space in found]
    return {(name if short.count(name) == 1 else space.strip('/')) or 'camera': camera
            for name, (space, camera) in zip(short, found.items(), strict=True)}


def check_cameras(cameras: Mapping[str, CameraTopics], topics: Mapping[str, str]) -> None:
    """Raise BagReadError where topics that were named are missing or of another type."""
    for name, camera in cameras.items():
        for topic, kinds in ((camera.image, (IMAGE, COMPRESSED)), (camera.info, (INFO,)),
                             (camera.depth, (IMAGE, COMPRESSED))):
            if topic and topics.get(topic) not in kinds:
                there = topics.get(topic, 'nothing')
                raise BagReadError(
                    f"camera '{name}': expected {' or '.join(kinds)} on '{topic}', the bag has "
                    f"{there}. Topics in the bag: {', '.join(sorted(topics))}")


def _bases(topics: Mapping[str, str]) -> list[str]:
    """Return image topics without the ending of their transport."""
    return [name.removesuffix('/compressed') for name, kind in topics.items()
            if kind in (IMAGE, COMPRESSED)]


def _first(topics: Mapping[str, str], space: str, names: tuple[str, ...]) -> str:
    """Return the first of some names in a namespace that is there, '' for none."""
    for name in names:
        base = f'{space}/{name}'
        if name.startswith('../'):
            base = f"{space.rpartition('/')[0]}/{name[3:]}"
        if topics.get(base) == IMAGE:
            return base
        for ending in ('/compressed', '/compressedDepth'):
            if topics.get(base + ending) == COMPRESSED:
                return base + ending
    return ''
