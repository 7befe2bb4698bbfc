# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""Which topics of a bag are cameras, by the names that image_transport and drivers give them."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
import re

from ipt_ros.camera_drivers import DRIVERS
from ipt_ros.geometry.calibration import is_rectified
from ipt_training.bags.errors import BagReadError
from ipt_training.bags.options import CameraTopics

IMAGE, COMPRESSED = 'sensor_msgs/msg/Image', 'sensor_msgs/msg/CompressedImage'
INFO = 'sensor_msgs/msg/CameraInfo'
TF, ODOMETRY, STRING = 'tf2_msgs/msg/TFMessage', 'nav_msgs/msg/Odometry', 'std_msgs/msg/String'
# The pictures of drivers lie in a namespace of the lens: 'rgb', 'color'.
_OF_DRIVERS = tuple(driver.image.partition('/')[2] for driver in DRIVERS.values())
# Rectified pictures first: they need no lens model. Each may also come compressed. 'image' alone
# is of Gazebo and others.
_COLOUR = tuple(dict.fromkeys((
    'image_rect_color', 'image_rect',
    *(name for name in _OF_DRIVERS if is_rectified(name)),
    'image_color', 'image_raw_color', 'image_raw', *_OF_DRIVERS,
    'color/raw/image', 'gray/rect/image', 'gray/raw/image', 'image')))
# Relative to the colour camera's namespace, then beside it as drivers do: those of the table,
# OpenNI, Azure Kinect, Orbbec. Frames of reference tell later whether it is depth of the same
# pixels.
_DEPTH = (
    'depth/image_raw', 'depth/image_rect_raw', 'depth/image', 'depth_image',
    *(f'../{driver.depth}' for driver in DRIVERS.values()),
    '../depth_registered/image_raw', '../depth_registered/image_rect',
    '../depth_to_rgb/image_raw', '../depth/image_raw')
# Parts of names, whole ones: a camera may be called 'depth_camera'. The last that says anything
# counts. 'imagined' and 'top_down' are pictures that no camera took.
_NO_COLOUR_WORD = re.compile(
    r'depth|depth_(raw|registered|to_rgb|to_color)|aligned_depth(_to_\w+)?|disparity|'
    r'confidence(_map)?|(left_|right_)?(ir|infra|infrared)(_?\d+|_left|_right)?|'
    r'imagined|top_down')
_COLOUR_WORDS = ('rgb', 'color', 'colour')
_DEPTH_ENCODINGS = ('16UC1', '32FC1')
_NO_COLOUR_ENCODINGS = (*_DEPTH_ENCODINGS, 'mono16', '16SC1', '32SC1', '64FC1')
_TRANSPORTS = ('', '/compressed', '/compressedDepth')


def _unknown(topic: str) -> str:
    return ''


def find_cameras(
    topics: Mapping[str, str], encoding: Callable[[str], str] = _unknown,
    silent: Mapping[str, str] | None = None, problems: Counter[str] | None = None,
) -> dict[str, CameraTopics]:
    """
    Return the colour cameras among topics (name to type).

    A camera has the name of its namespace: '/robot/front/image_raw' is 'front', in full where two
    would have the same name. encoding: returns that of the pictures on a topic, '' where it
    cannot be told. silent: topics without messages. problems: counts image topics that are passed
    over, with the reason. Raises BagReadError where there is no camera.
    """
    found: dict[str, CameraTopics] = {}
    reasons: dict[str, str] = {}
    for space, names in _spaces(topics).items():
        for name in sorted(names, key=_COLOUR.index):
            image = _on(topics, f'{space}/{name}')
            reasons[image], info = _judged(topics, image, encoding, silent or {})
            if not reasons[image] and space not in found:
                found[space] = CameraTopics(image, info, _depth(topics, space, encoding))
    used = {topic for camera in found.values() for topic in (camera.image, camera.depth)}
    of_used = {base_topic(topic) for topic in used}
    passed = {topic: reasons.get(topic, f'its name does not end with {", ".join(_COLOUR)}')
              for topic in _images(topics) if base_topic(topic) not in of_used}
    # Another picture of a camera that is used is not missing.
    passed = {topic: reason for topic, reason in passed.items() if reason}
    passed |= dict.fromkeys(_images(silent or {}), 'it has no messages')
    if not found:
        told = '; '.join(f"'{topic}': {reason}" for topic, reason in passed.items())
        raise BagReadError(
            'no camera found: there must be an image_raw or image_rect topic, plain or '
            'compressed, with a camera_info beside it. Image topics in the bag: '
            f'{told or "none"}. Name yours with --cameras NAME=IMAGE,INFO')
    if problems is not None:
        problems.update(f'note: {topic}: passed over, {reason}'
                        for topic, reason in passed.items())
    short = [space.rpartition('/')[2] for space in found]
    return {(name if short.count(name) == 1 else space.strip('/')) or 'camera': camera
            for name, (space, camera) in zip(short, found.items(), strict=True)}


def info_beside(image: str) -> str:
    """Return the topic on which image_transport sends the calibration of an image topic."""
    return f"{base_topic(image).rpartition('/')[0]}/camera_info"


def base_topic(image: str) -> str:
    """Return an image topic without the ending of its transport."""
    return image.removesuffix('/compressed').removesuffix('/compressedDepth')


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


def _images(topics: Mapping[str, str]) -> Iterator[str]:
    """Yield image topics in order, one for each that comes by several transports."""
    bases = sorted({base_topic(name) for name, kind in topics.items()
                    if kind in (IMAGE, COMPRESSED)})
    return filter(None, (_on(topics, base) for base in bases))


def _spaces(topics: Mapping[str, str]) -> dict[str, list[str]]:
    """Return the namespaces of cameras, each with the names of the pictures in it."""
    spaces: dict[str, list[str]] = {}
    for topic in _images(topics):
        base = base_topic(topic)
        name = max((name for name in _COLOUR if base.endswith(f'/{name}')), key=len, default='')
        if name:
            spaces.setdefault(base.removesuffix(f'/{name}'), []).append(name)
    return dict(sorted(spaces.items()))


def _judged(
    topics: Mapping[str, str], image: str, encoding: Callable[[str], str],
    silent: Mapping[str, str],
) -> tuple[str, str]:
    """Return why a topic is no colour camera, '' where it is one, and its calibration."""
    base = base_topic(image)
    for part in reversed(base.split('/')):
        if part in _COLOUR_WORDS:
            break
        if _NO_COLOUR_WORD.fullmatch(part):
            return f"no colour by the '{part}' in its name", ''
    places = [info_beside(image), f'{base}/camera_info']
    info = next((name for name in places if topics.get(name) == INFO), '')
    if not info:
        quiet = [name for name in places if silent.get(name) == INFO]
        others = sorted(name for name, kind in topics.items() if kind == INFO)
        return (f"'{quiet[0]}' has no messages" if quiet else
                'no camera_info beside it' + (
                    f' (there is {", ".join(others[:4])})' if others else '')), ''
    kind = encoding(image)
    if kind in _NO_COLOUR_ENCODINGS:
        return f'its pictures are {kind}, no colour', ''
    return '', info


def _depth(topics: Mapping[str, str], space: str, encoding: Callable[[str], str]) -> str:
    """Return the depth of a camera in a namespace, '' where it has none."""
    for name in _DEPTH:
        base = f'{space}/{name}'
        if name.startswith('../'):
            base = f"{space.rpartition('/')[0]}/{name[3:]}"
        topic = _on(topics, base)
        if topic and (encoding(topic) in _DEPTH_ENCODINGS or not _is_picture(encoding(topic))):
            return topic
    return ''


def _is_picture(encoding: str) -> bool:
    """Tell whether an encoding is plainly one of colours or greys."""
    return bool(re.match(r'rgb|bgr|mono|bayer|yuv|uyvy|yuyv|nv|jpe?g', encoding))


def _on(topics: Mapping[str, str], base: str) -> str:
    """Return the topic by which an image comes, plain before compressed; '' for none."""
    for ending in _TRANSPORTS:
        if topics.get(base + ending) == (COMPRESSED if ending else IMAGE):
            return base + ending
    return ''
