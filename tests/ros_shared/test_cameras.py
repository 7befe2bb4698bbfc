# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""What becomes of the messages of cameras: without DDS, through the callbacks alone."""

from array import array
from collections import Counter
import math
import re
from types import SimpleNamespace

import cv2
from hypothesis import given
from hypothesis import strategies as st
from ipt_ros.camera_drivers import DRIVERS, DriverTopics
from ipt_ros.geometry import PinholeCamera
from ipt_ros.ros.cameras import CameraFrame, Cameras, CameraSettings
from ipt_ros.ros.images import from_depth, from_rgb
from ipt_ros.ros.messages import camera_info
from ipt_ros.ros.sync import CameraSilentError, NoFrameError, StaleFrameError, SyncError
from ipt_ros.ros.transforms import TransformBuffer
import numpy as np
import pytest
import rclpy
from rclpy.exceptions import InvalidParameterValueException
from rclpy.parameter import Parameter
from rclpy.qos import QoSPolicyKind, ReliabilityPolicy
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
        self.now = NOW
        self.events, self.parameters = {}, {}
        self.publishers = {}  # how many each topic has
        self._numbers = Counter()

    def create_subscription(self, kind, topic, callback, qos, event_callbacks):
        self.callbacks[topic] = callback
        self.events[topic] = event_callbacks
        return topic

    def send(self, topic, message, lost=0):
        """Let a message arrive, and others before it not."""
        self._numbers[topic] += 1 + lost
        self.publishers.setdefault(self.resolve_topic_name(topic), 1)
        self.callbacks[topic](message, {'publication_sequence_number': self._numbers[topic]})

    def get_publishers_info_by_topic(self, topic):
        return [SimpleNamespace(endpoint_gid=[number])
                for number in range(self.publishers.get(topic, 0))]

    def declare_parameter(self, name, default, descriptor):
        self.parameters[name] = default

    def has_parameter(self, name):
        return name in self.parameters

    def undeclare_parameter(self, name):
        del self.parameters[name]

    def get_parameter(self, name):
        return SimpleNamespace(value=self.parameters[name])

    def add_on_set_parameters_callback(self, callback):
        pass

    add_post_set_parameters_callback = add_on_set_parameters_callback
    remove_on_set_parameters_callback = add_on_set_parameters_callback
    remove_post_set_parameters_callback = add_on_set_parameters_callback

    def destroy_subscription(self, subscription):
        del self.callbacks[subscription]

    def resolve_topic_name(self, topic, *, only_expand=False):
        return topic if only_expand else self._remapped.get(topic, topic)

    def get_clock(self):
        return SimpleNamespace(now=lambda: Time(nanoseconds=self.now))

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
        self.node.send(f'front/{topic}', message)

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


def of_driver(driver: str, **settings) -> tuple[Eye, DriverTopics]:
    topics = DRIVERS[driver].within('/robot/eye')
    return Eye(topics={'front': topics}, **settings), topics


@pytest.mark.parametrize(('driver', 'rectified'), [
    ('zed', True), ('zed_rgb', True), ('realsense', False), ('oak', False)])
def test_the_topics_of_a_driver_are_listened_to_and_tell_whether_it_rectifies(driver, rectified):
    eye, topics = of_driver(driver)
    assert set(eye.node.callbacks) == {topics.image, topics.info, topics.depth}
    eye.lens()
    eye.node.send(topics.info, eye.info)
    eye.node.send(topics.depth, from_depth(np.full((HEIGHT, WIDTH), 2.0), eye.header))
    eye.node.send(topics.image, from_rgb(np.zeros((HEIGHT, WIDTH, 3), np.uint8), eye.header))
    frame = eye.cameras.observe().frames[0]
    assert (frame.camera == IDEAL) == rectified and frame.problem == ''
    assert np.nanmax(frame.depth) == 2.0 and not eye.node.warnings


@pytest.mark.parametrize('driver', DRIVERS)
def test_compressed_topics_of_a_driver_have_the_endings_of_the_transports(driver):
    eye, topics = of_driver(driver, transport='compressed')
    assert set(eye.node.callbacks) == {
        f'{topics.image}/compressed', topics.info, topics.depth, f'{topics.depth}/compressedDepth'}


def test_a_camera_of_which_only_depth_is_named_goes_by_camera_info():
    eye = Eye(topics={'front': DriverTopics('front/image_raw', 'front/camera_info', '/depth')})
    eye.lens()
    assert eye.see().camera == IDEAL and any("'pictures'" in text for text in eye.node.warnings)


def test_what_is_silent_is_named_by_its_topic_and_by_who_publishes_it():
    eye, topics = of_driver('zed')
    for publishers, words in ((0, 'nobody publishes'), (2, 'has 2 publishers: it sends nothing')):
        eye.node.publishers[topics.image] = publishers
        with pytest.raises(NoFrameError, match=f"'{topics.image}', which {words}") as caught:
            eye.cameras.observe()
        assert ('fastdds.xml' in str(caught.value)) == bool(publishers)
    problems, values = eye.cameras.health()
    assert any(topics.image in text for text in problems)
    assert values['front: topic'] == topics.image and values['front: age (s)'] == 'never'
    eye.node.send(topics.image, from_rgb(np.zeros((HEIGHT, WIDTH, 3), np.uint8), eye.header))
    assert f"nothing came on '{topics.info}'" in eye.cameras.observe().frames[0].problem


def test_a_remapped_camera_that_is_silent_is_named_by_the_name_in_the_graph():
    cameras = Cameras(Node({'left/image_raw': '/usb/image_raw'}), CameraSettings(
        ['front', 'left']), TransformBuffer())
    cameras.start()
    cameras._node.send('front/image_raw', from_rgb(
        np.zeros((4, 4, 3), np.uint8), Header(stamp=Time(nanoseconds=NOW).to_msg())))
    with pytest.raises(CameraSilentError, match="'/usb/image_raw', which nobody") as caught:
        cameras.observe()
    assert "'front/image_raw'" not in str(caught.value)


def see_with_losses(eye: Eye, lost: int, age: float = 0.0, topic: str = 'image_raw') -> None:
    """Let 20 frames come, of 100 per second; the last one is so old (s) then."""
    for number in range(20):
        eye.node.now = NOW - round(age * 1e9) - (19 - number) * 10**7 * (lost + 1)
        header = Header(stamp=Time(nanoseconds=eye.node.now).to_msg(), frame_id='optical')
        eye.node.send(
            f'front/{topic}', from_depth(np.ones((HEIGHT, WIDTH)), header) if 'depth' in topic
            else from_rgb(np.zeros((HEIGHT, WIDTH, 3), np.uint8), header), lost)
    eye.node.now = NOW


@pytest.mark.parametrize(('lost', 'share'), [(0, ''), (4, '79%'), (1, '49%')])
def test_frames_that_are_lost_on_the_way_are_counted_and_told_with_a_remedy(lost, share):
    eye = Eye()
    see_with_losses(eye, lost)
    problems, values = eye.cameras.health()
    assert (values['front: frames'], values['front: lost']) == (20, 19 * lost)
    assert eye.cameras.received == {'front': 20}
    assert float(values['front: rate of the camera (Hz)']) == pytest.approx(100.0, abs=0.1)
    if not share:
        assert problems == []
        return
    problem, remedy = problems
    assert problem.startswith(f"{share} of the frames on 'front/image_raw' are lost")
    assert re.search('FASTRTPS_DEFAULT_PROFILES_FILE=/.*fastdds.xml', remedy)


def test_lost_depth_is_told_by_its_topic():
    eye = Eye()
    see_with_losses(eye, 0)
    see_with_losses(eye, 3, topic='depth/image_raw')
    problems, values = eye.cameras.health()
    assert len(problems) == 2 and "'front/depth/image_raw' are lost" in problems[0]
    assert (values['front: depth frames'], values['front: depth lost']) == (20, 57)


@pytest.mark.parametrize(('age', 'names', 'error'), [
    (1.5, ['front'], 'too old'), (1.5, ['front', 'left'], 'is silent'),
    (0.5, ['front', 'left'], 'slop')])
@pytest.mark.parametrize('lost', [0, 4])
def test_a_refusal_says_of_a_camera_that_it_loses_frames(age, names, error, lost):
    eye = Eye(depth=False)
    eye.cameras = Cameras(eye.node, CameraSettings(names, depth=False), TransformBuffer())
    eye.cameras.start()
    see_with_losses(eye, lost, age)
    if 'left' in names:
        eye.node.send('left/image_raw', from_rgb(np.zeros((4, 4, 3), np.uint8), eye.header))
    with pytest.raises(SyncError, match=error) as caught:
        eye.cameras.observe()
    assert ("of the frames on 'front/image_raw' are lost" in str(caught.value)) == bool(lost)


def test_frames_that_come_after_a_pause_are_not_lost():
    eye = Eye(depth=False)
    see_with_losses(eye, 0)
    eye.cameras.stop()
    eye.cameras.start()
    eye.send('camera_info', eye.info)
    eye.node.send('front/image_raw', from_rgb(
        np.zeros((HEIGHT, WIDTH, 3), np.uint8), eye.header), lost=500)
    problems, values = eye.cameras.health()
    assert problems == [] and (values['front: frames'], values['front: lost']) == (21, 0)


def refuse(eye: Eye, topic: str) -> None:
    """Let the middleware tell of a publisher whose QoS does not fit."""
    eye.node.events[topic].incompatible_qos(SimpleNamespace(
        last_policy_kind=int(QoSPolicyKind.RELIABILITY), total_count=1))


def test_a_publisher_that_does_not_fit_is_told_in_refusals_and_diagnostics_until_one_does():
    eye = Eye({'front/image_raw': '/usb/image_raw'}, reliability='reliable')
    eye.node.publishers['/usb/image_raw'] = 1
    for topic in ('image_raw', 'camera_info', 'depth/image_raw'):
        refuse(eye, f'front/{topic}')
    assert len(eye.node.warnings) == 3
    words = "a publisher on '/usb/image_raw' offers less reliability"
    with pytest.raises(NoFrameError) as caught:
        eye.cameras.observe()
    assert str(caught.value).count(words) == 1
    problems = '; '.join(eye.cameras.health()[0])
    for topic in ('/usb/image_raw', 'front/camera_info', 'front/depth/image_raw'):
        assert problems.count(f"a publisher on '{topic}' offers less") == 1
    eye.node.send('front/image_raw', from_rgb(
        np.zeros((HEIGHT, WIDTH, 3), np.uint8), eye.header))
    assert "on 'front/camera_info' offers less" in eye.cameras.observe().frames[0].problem
    eye.see()
    eye.send_depth(np.ones((HEIGHT, WIDTH)))
    assert eye.cameras.health()[0] == [] and eye.see().no_depth == ''


def test_the_age_of_stale_frames_is_told_with_their_topic():
    eye = Eye(depth=False)
    see_with_losses(eye, 0, age=1.5)
    with pytest.raises(StaleFrameError, match="too old.*'front/image_raw', which has 1 publisher"):
        eye.cameras.observe()


@pytest.mark.ros
def test_qos_overrides_hold_for_a_topic_also_when_the_node_is_started_again(ros_domain):
    context = rclpy.Context()
    rclpy.init(context=context, domain_id=ros_domain)
    name = 'qos_overrides./robot/front/image_raw.subscription.'
    try:
        node = rclpy.create_node('eye', namespace='/robot', context=context, parameter_overrides=[
            Parameter(name + 'reliability', value='reliable'), Parameter(name + 'depth', value=2)])

        def profiles():
            return {item.topic_name: item.qos_profile for item in node.subscriptions}

        def start(*names, **settings):
            cameras = Cameras(node, CameraSettings(names, **settings), TransformBuffer())
            cameras.start()
            return cameras, profiles()
        for asked in ('best_effort', 'reliable', 'best_effort'):
            # One camera by two names has one topic, and one set of overrides.
            twice = {'same': DriverTopics('front/image_raw', 'front/camera_info', 'front/depth')}
            cameras, found = start('front', 'left', 'same', reliability=asked, topics=twice)
            for _ in range(2):
                front, left = found['/robot/front/image_raw'], found['/robot/left/image_raw']
                assert (front.reliability, front.depth) == (ReliabilityPolicy.RELIABLE, 2)
                assert (left.reliability.name.lower(), left.depth) == (asked, 5)
                assert node.get_parameter(
                    name.replace('front', 'left') + 'reliability').value == asked
                result, = node.set_parameters([Parameter(name + 'depth', value=7)])
                assert not result.successful and 'at the start only' in result.reason
                cameras.stop()
                assert not node.has_parameter(name + 'depth') and not list(node.subscriptions)
                cameras.start()
                found = profiles()
            cameras.stop()
        node.destroy_node()
        node = rclpy.create_node('eye', namespace='/robot', context=context, parameter_overrides=[
            Parameter(name + 'reliability', value='often')])
        cameras = Cameras(node, CameraSettings(['front']), TransformBuffer())
        with pytest.raises(InvalidParameterValueException, match='best_effort, reliable'):
            cameras.start()
        cameras.stop()
        node.destroy_node()
    finally:
        rclpy.shutdown(context=context)


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
            eye.node.send(f'{name}/camera_info', eye.info)
            eye.node.send(f'{name}/image_raw', from_rgb(
                np.zeros((HEIGHT, WIDTH, 3), np.uint8), eye.header))
        left, back = cameras.observe().frames
        assert left.camera not in (RAW, IDEAL) and back.camera == IDEAL
        node.destroy_node()
    finally:
        rclpy.shutdown(context=context)
