# SPDX-License-Identifier: Apache-2.0
"""What becomes of the messages of cameras: without DDS, through the callbacks alone."""

from array import array
import math
import re
from types import SimpleNamespace

import cv2
from hypothesis import given
from hypothesis import strategies as st
from ipt_ros.geometry import PinholeCamera
from ipt_ros.ros.cameras import CameraFrame, Cameras, CameraSettings
from ipt_ros.ros.images import from_depth, from_rgb
from ipt_ros.ros.messages import camera_info
from ipt_ros.ros.transforms import TransformBuffer
import numpy as np
import pytest
import rclpy
from rclpy.time import Time
from sensor_msgs.msg import CompressedImage
from std_msgs.msg import Header

WIDTH, HEIGHT = 96, 72
RAW = PinholeCamera(WIDTH, HEIGHT, 75.0, 75.0, 52.0, 38.0)
IDEAL = PinholeCamera(WIDTH, HEIGHT, 60.0, 60.0, 47.5, 35.5)
PLUMB_BOB = [-0.3, 0.1, 0.0, 0.0, 0.0]
POINTS = np.array([[0.0, 0.0, 2.0], [0.5, 0.3, 2.0], [-0.6, -0.3, 2.0]])
NOW = 5_000_000_000


class Node:
    """What Cameras needs of a node: it keeps callbacks and warnings, and remaps topics."""

    def __init__(self, remapped: dict[str, str] | None = None):
        self._remapped = remapped or {}
        self.callbacks, self.warnings = {}, []

    def create_subscription(self, kind, topic, callback, qos, event_callbacks):
        self.callbacks[topic] = callback
        return topic

    def destroy_subscription(self, subscription):
        del self.callbacks[subscription]

    def resolve_topic_name(self, topic, *, only_expand=False):
        return topic if only_expand else self._remapped.get(topic, topic)

    def get_clock(self):
        return SimpleNamespace(now=lambda: Time(nanoseconds=NOW))

    def get_logger(self):
        return SimpleNamespace(warning=self.warnings.append)


class Eye:
    """One camera, 'front', that delivers a picture and whatever a test makes of the rest."""

    def __init__(self, remapped=None, **settings):
        self.node = Node(remapped)
        transforms = TransformBuffer()
        transforms.add(
            'base_link', 'optical', 0, (0, 0, 1), (-0.5, 0.5, -0.5, 0.5), static=True)
        self.cameras = Cameras(self.node, CameraSettings(['front'], **settings), transforms)
        self.cameras.start()
        self.header = Header(stamp=Time(nanoseconds=NOW).to_msg(), frame_id='optical')
        self.info = camera_info(RAW, self.header)

    def send(self, topic: str, message) -> None:
        self.node.callbacks[f'front/{topic}'](message)

    def send_depth(self, depth: np.ndarray, frame_id: str = 'optical', age: int = 0) -> None:
        self.send('depth/image_raw', from_depth(depth, Header(
            stamp=Time(nanoseconds=NOW - age).to_msg(), frame_id=frame_id)))

    def see(self, picture=None) -> CameraFrame:
        picture = np.zeros((HEIGHT, WIDTH, 3), np.uint8) if picture is None else picture
        self.send('camera_info', self.info)
        self.send('image_raw', from_rgb(picture, self.header))
        return self.cameras.observe().frames[0]

    def lens(self, d=tuple(PLUMB_BOB), p: PinholeCamera | None = IDEAL, model='plumb_bob') -> None:
        """Give the camera distortion, and a P."""
        self.info.d, self.info.distortion_model = list(d), model
        self.info.p = camera_info(p, self.header).p if p else [0.0] * 12


def picture_of(pixels: np.ndarray) -> np.ndarray:
    """Return a picture with a blob at each of some pixels."""
    rows, columns = np.indices((HEIGHT, WIDTH))
    blobs = [np.exp(-((columns - u) ** 2 + (rows - v) ** 2) / 4) for u, v in pixels]
    return np.repeat((255 * np.max(blobs, axis=0)).astype(np.uint8)[..., None], 3, 2)


def raw_picture(model: str, d) -> np.ndarray:
    """Return what the lens shows of POINTS."""
    zero, d = np.zeros(3), np.array(d, float)
    project = cv2.fisheye.projectPoints if model == 'equidistant' else cv2.projectPoints
    return picture_of(project(POINTS[:, None], zero, zero, RAW.matrix, d)[0][:, 0])


def marks_hit(frame: CameraFrame) -> bool:
    """Return whether the camera of a frame projects POINTS to where its picture shows them."""
    for u, v in frame.camera.project(POINTS)[0]:
        window = frame.rgb[round(v) - 5:round(v) + 6, round(u) - 5:round(u) + 6, 0].astype(float)
        rows, columns = np.indices(window.shape)
        off = [(window * axis).sum() / window.sum() - 5 for axis in (columns, rows)]
        if np.hypot(off[0] + round(u) - u, off[1] + round(v) - v) > 0.6:
            return False
    return True


LENSES = {
    'plumb_bob': PLUMB_BOB,
    'rational_polynomial': [-0.2, 0.05, 0.0, 0.0, 0.0, 0.01, 0.0, 0.0],
    'equidistant': [-0.02, 0.004, -0.001, 0.0],
}


@pytest.mark.parametrize('model', LENSES)
@pytest.mark.parametrize('case', [
    {'pictures': 'raw'}, {'remapped': {'front/image_raw': '/driver/image_raw'}},
    {'remapped': {'front/image_raw': '/driver/color/raw/image'}}, {'p': RAW}, {'p': None}])
def test_the_distortion_is_taken_out_of_raw_pictures(model, case):
    case = dict(case)
    p = case.pop('p', IDEAL)
    eye = Eye(**case)
    eye.lens(LENSES[model], p, model)
    raw = raw_picture(model, LENSES[model])
    frame = eye.see(raw)
    assert frame.problem == '' and marks_hit(frame)
    assert frame.rgb.shape == (frame.camera.height, frame.camera.width, 3) == raw.shape
    assert not np.array_equal(frame.rgb, raw) and eye.see(raw).camera is frame.camera
    assert not eye.node.warnings[1:]  # the first one speaks of depth


@pytest.mark.parametrize('case', [
    {}, {'pictures': 'rectified'}, {'remapped': {'front/image_raw': '/driver/image_rect'}},
    {'remapped': {'front/image_raw': '/zed/left/color/rect/image'}}])
def test_rectified_pictures_are_marked_by_p(case):
    eye = Eye(**case)
    eye.lens()
    picture = picture_of(IDEAL.project(POINTS)[0])
    for _ in range(2):
        frame = eye.see(picture)
        assert frame.camera == IDEAL and marks_hit(frame)
        np.testing.assert_array_equal(frame.rgb, picture)
    told = [text for text in eye.node.warnings if "'pictures'" in text]
    assert len(told) == (not case)  # nothing but camera_info says so: that is told, once


@pytest.mark.parametrize('d', [[], [0.0] * 5])
@pytest.mark.parametrize('p', [RAW, IDEAL, None])
def test_a_lens_without_distortion_needs_no_p_and_no_word(d, p):
    eye = Eye(depth=False)
    eye.lens(d, p)
    picture = picture_of(RAW.project(POINTS)[0])
    frame = eye.see(picture)
    assert frame.camera == RAW and marks_hit(frame) and not eye.node.warnings
    np.testing.assert_array_equal(frame.rgb, picture)


def test_of_a_rectified_topic_without_p_k_is_taken():
    eye = Eye({'front/image_raw': '/driver/image_rect'})
    eye.lens(p=None)
    assert eye.see().camera == RAW


def test_a_compressed_topic_has_a_name_of_its_own():
    remapped = {'front/image_raw/compressed': '/driver/image_rect/compressed'}
    for transport, expected in (('compressed', IDEAL), ('raw', None)):
        eye = Eye(remapped, transport=transport, depth=False)
        eye.lens(p=IDEAL if transport == 'compressed' else RAW)
        if transport == 'raw':
            assert eye.see().camera not in (RAW, IDEAL)
            continue
        eye.send('camera_info', eye.info)
        eye.send('image_raw/compressed', CompressedImage(
            header=eye.header, format='bayer_rggb8; png compressed ', data=array('B', cv2.imencode(
                '.png', np.tile(np.array([[200, 0], [0, 0]], np.uint8), (36, 48)))[1].tobytes())))
        frame = eye.cameras.observe().frames[0]
        assert frame.camera == expected and not eye.node.warnings
        assert (frame.rgb[20:30, 20:30] == (200, 0, 0)).all()


def change_roi(info):
    info.roi.x_offset, info.roi.width, info.roi.height = 20, WIDTH, HEIGHT


def change(name, value):
    def apply(info):
        numbers = getattr(info, name)
        setattr(info, name, [value] * len(numbers) if hasattr(numbers, '__len__') else value)
    return apply


@pytest.mark.parametrize('spoil,why', [
    (change_roi, 'cut'), (change('binning_x', 2), 'binned'), (change('k', 0.0), 'not calibrated'),
    (change('k', math.nan), 'not calibrated'), (change('k', math.inf), 'not calibrated'),
    (change('p', math.nan), 'not calibrated'), (change('d', math.nan), 'not calibrated'),
    (change('width', 0), 'not calibrated'), (change('width', 640), '640x72.*96x72'),
    (lambda info: setattr(info, 'distortion_model', 'thin_prism'), 'thin_prism.*plumb_bob'),
    (change('d', 50.0), 'beyond use')])
def test_without_a_usable_calibration_there_is_a_picture_and_a_reason(spoil, why):
    eye = Eye(pictures='raw')
    eye.lens()
    spoil(eye.info)
    eye.send_depth(np.ones((HEIGHT, WIDTH)))
    picture = picture_of([(20, 20)])
    frame = eye.see(picture)
    assert frame.camera is None and frame.depth is None
    np.testing.assert_array_equal(frame.rgb, picture)
    assert re.search(why, frame.problem), frame.problem


def test_a_calibration_that_changes_is_followed():
    eye = Eye(pictures='raw')
    assert eye.see().camera == RAW
    eye.lens()
    bent = eye.see().camera
    assert bent != RAW
    eye.info.k[0] = math.nan
    assert eye.see().camera is None
    eye.info = camera_info(IDEAL, eye.header)
    assert eye.see().camera == IDEAL


@pytest.mark.parametrize('shape', [(HEIGHT, WIDTH), (HEIGHT // 2, WIDTH // 2)])
@pytest.mark.parametrize('frame_id', ['optical', '/optical'])
def test_depth_of_the_same_view_is_used(shape, frame_id):
    eye = Eye()
    eye.send_depth(np.full(shape, 3.0), frame_id)
    frame = eye.see()
    assert frame.depth.shape == (HEIGHT, WIDTH) and (frame.depth == 3).all()
    assert frame.no_depth == '' and not eye.node.warnings and not eye.cameras.without_depth


def test_depth_belongs_to_the_pixels_of_the_picture_without_distortion():
    eye = Eye(pictures='raw')
    eye.lens()
    raw = raw_picture('plumb_bob', PLUMB_BOB)
    eye.send_depth(np.where(raw[..., 0] > 100, 2.0, 6.0))
    frame = eye.see(raw)
    for u, v in frame.camera.project(POINTS)[0]:
        assert frame.depth[round(v), round(u)] == 2.0
    assert ((frame.depth == 2) == (frame.rgb[..., 0] > 100)).mean() > 0.98


@pytest.mark.parametrize('frame_id,shape,why', [
    ('depth_optical', (HEIGHT, WIDTH), 'depth_optical'), ('', (HEIGHT, WIDTH), 'no frame_id'),
    ('optical', (HEIGHT // 2, WIDTH), '96x36.*96x72'), ('optical', (WIDTH, HEIGHT), '72x96')])
def test_depth_of_other_pixels_is_not_used_and_that_is_told_once(frame_id, shape, why):
    eye = Eye()
    eye.send_depth(np.full(shape, 0.5), frame_id)
    for _ in range(3):
        frame = eye.see()
        assert frame.depth is None and frame.camera == RAW
        assert re.search(why, frame.no_depth), frame.no_depth
    (told,) = eye.node.warnings
    assert "'front'" in told and frame.no_depth in told


def test_a_colour_image_on_the_topic_of_depth_is_not_used_and_that_is_told_once():
    eye = Eye()
    for _ in range(3):
        eye.send('depth/image_raw', from_rgb(np.zeros((HEIGHT, WIDTH, 3), np.uint8), eye.header))
        frame = eye.see()
        assert frame.depth is None and 'rgb8' in frame.no_depth
    assert len(eye.node.warnings) == 1


def test_a_camera_without_depth_says_so_once_unless_none_is_asked_for():
    eye = Eye()
    assert eye.cameras.without_depth == ['front']
    for _ in range(3):
        assert "'front/depth/image_raw'" in eye.see().no_depth
    (told,) = eye.node.warnings
    assert 'use_depth' in told
    eye.send_depth(np.ones((HEIGHT, WIDTH)), age=900_000_000)
    frame = eye.see()
    assert frame.depth is None and 'near the time' in frame.no_depth
    assert eye.cameras.without_depth == [] and len(eye.node.warnings) == 1

    eye = Eye(depth=False)
    assert eye.see().no_depth == '' and not eye.node.warnings and not eye.cameras.without_depth


def packed_depth(eye: Eye, metres: float, words='16UC1; compressedDepth png') -> CompressedImage:
    depth = np.full((HEIGHT, WIDTH), round(metres * 1000), np.uint16)
    data = bytes(12) + cv2.imencode('.png', depth)[1].tobytes()
    return CompressedImage(header=eye.header, format=words, data=array('B', data))


def see_compressed(eye: Eye) -> CameraFrame:
    eye.send('camera_info', eye.info)
    eye.send('image_raw/compressed', CompressedImage(
        header=eye.header, format='png', data=array('B', cv2.imencode(
            '.png', np.zeros((HEIGHT, WIDTH, 3), np.uint8))[1].tobytes())))
    return eye.cameras.observe().frames[0]


def test_beside_compressed_pictures_compressed_depth_is_taken_too():
    eye = Eye(transport='compressed')
    eye.send('depth/image_raw/compressedDepth', packed_depth(eye, 2.5))
    frame = see_compressed(eye)
    assert (frame.depth == 2.5).all() and not eye.node.warnings
    # One of a codec that is not supported is none in the way of a plain image.
    eye.send('depth/image_raw/compressedDepth',
             packed_depth(eye, 2.5, '16UC1; compressedDepth rvl'))
    eye.send_depth(np.full((HEIGHT, WIDTH), 4.0))
    assert (see_compressed(eye).depth == 4.0).all() and not eye.node.warnings


def test_compressed_depth_of_an_unknown_codec_is_named():
    eye = Eye(transport='compressed')
    eye.send('depth/image_raw/compressedDepth',
             packed_depth(eye, 2.5, '16UC1; compressedDepth rvl'))
    frame = see_compressed(eye)
    assert frame.depth is None and 'rvl' in frame.no_depth and len(eye.node.warnings) == 1


def test_plain_pictures_come_without_a_subscription_to_compressed_ones():
    assert 'front/depth/image_raw/compressedDepth' not in Eye().node.callbacks


@given(st.lists(st.floats(allow_nan=True, allow_infinity=True, width=32), min_size=9, max_size=9),
       st.lists(st.floats(allow_nan=True, allow_infinity=True, width=32), max_size=9),
       st.sampled_from(['', *LENSES, 'odd']), st.sampled_from(['raw', 'rectified', 'auto']))
def test_whatever_camera_info_says_marks_are_finite_or_there_is_a_reason(k, d, model, pictures):
    eye = Eye(pictures=pictures, depth=False)
    eye.info.k, eye.info.d, eye.info.distortion_model = k, d, model
    frame = eye.see()
    if frame.camera is None:
        assert frame.problem
    else:
        assert np.isfinite(frame.camera.matrix).all()


@pytest.mark.ros
def test_the_remapping_of_a_real_node_decides(ros_domain):
    context = rclpy.Context()
    rclpy.init(context=context, domain_id=ros_domain)
    try:
        node = rclpy.create_node('eye', namespace='/robot', context=context, cli_args=[
            '--ros-args', '-r', 'front/image_raw:=/zed/left/image_rect_color',
            '-r', 'left/image_raw:=/zed/right/image_raw'])
        eye = Eye()
        eye.lens()
        eye.node.resolve_topic_name = node.resolve_topic_name
        assert eye.see().camera == IDEAL
        assert not any("'pictures'" in text for text in eye.node.warnings)
        names = ['left', 'back']  # remapped to a raw topic; not remapped
        cameras = Cameras(eye.node, CameraSettings(names), TransformBuffer())
        cameras.start()
        for name in names:
            eye.node.callbacks[f'{name}/camera_info'](eye.info)
            eye.node.callbacks[f'{name}/image_raw'](
                from_rgb(np.zeros((HEIGHT, WIDTH, 3), np.uint8), eye.header))
        left, back = cameras.observe().frames
        assert left.camera not in (RAW, IDEAL) and back.camera == IDEAL
        node.destroy_node()
    finally:
        rclpy.shutdown(context=context)
