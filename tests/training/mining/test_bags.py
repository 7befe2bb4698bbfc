# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""Recordings with and without faults, read back and compared with what was recorded."""

from collections import Counter
from dataclasses import replace
import math

from box_world import BoxWorld
import cv2
from hypothesis import given
from hypothesis import strategies as st
from ipt_ros.bags import repair
from ipt_ros.geometry import OPTICAL_IN_BODY, Pose2D, quaternion_from_matrix
from ipt_sim.protocol import CameraSpec
from ipt_training.bags import (
    Bag,
    BagReadError,
    CameraTopics,
    FrameError,
    read_rollout,
    ReadOptions,
)
from ipt_training.bags.topics import find_cameras
import numpy as np
import pytest
from rosbags.rosbag2 import CompressionFormat, CompressionMode, StoragePlugin, Writer
from simulated_bags import (
    camera_info,
    drive,
    new,
    odometry,
    record,
    Recorder,
    SECOND,
    Settings,
    transforms,
)

CAMERAS = (
    CameraSpec('front', 32, 24, math.radians(80), (0.1, 0.0, 1.2), pitch=0.2),
    CameraSpec('left', 32, 24, math.radians(80), (0.0, 0.1, 1.2), yaw=math.pi / 2))
SETTINGS = Settings(CAMERAS)
FRONT, DEPTH = '/ipt/front/image_raw', '/ipt/front/depth/image_raw'
WAY = drive([(-1.5, -1.5), (0.5, -1.5), (0.5, 0.5)])
NUMBER = 2 * math.ceil(WAY.duration * 4)  # frames of both cameras


@pytest.fixture(scope='module')
def world():
    world = BoxWorld()
    world.reset(3)
    return world


@pytest.fixture
def bag(tmp_path, world):
    """Return a function that records with changed settings."""
    def make(extra=None, way=WAY, **changes):
        return record(tmp_path / 'bag', world, way, replace(SETTINGS, **changes), extra)
    return make


def spoiled(topic, change):
    """Return a `spoil` that hands the messages of a topic, and their number, to a function."""
    count = -1

    def spoil(name, logged, message):
        nonlocal count
        if name != topic:
            return message
        count += 1
        return change(count, message)
    return spoil


def test_frames_have_the_pixels_and_poses_that_were_recorded(bag, world):
    # Transforms come four times a second, images at other times: poses are interpolated.
    times, errors = [0], []

    def thinned(topic, logged, message):
        if topic == '/tf':
            times[0] += 1
            return message if times[0] % 4 == 2 else None
        return message
    with read_rollout(bag(spoil=thinned)) as rollout:
        assert len(rollout) > NUMBER - 8 and set(rollout.cameras) == {'front', 'left'}
        assert rollout.fixed_frame == 'odom'
        for item in rollout:
            spec = next(c for c in CAMERAS if c.name == item.record.camera)
            pose = WAY((item.record.stamp - SETTINGS.start) / SECOND)
            expected = pose.matrix @ spec.optical_in_base
            errors.append(np.abs(item.record.fixed_from_optical - expected).max())
            truth = world.render(spec, pose)
            np.testing.assert_array_equal(item.rgb, truth.rgb)
            np.testing.assert_array_equal(item.depth, truth.depth)
            assert item.intrinsics == spec.intrinsics and item.record.segment == 0
    # Where the robot goes over from driving to turning, a straight line is no more than near.
    assert np.median(errors) < 0.001 and max(errors) < 0.05


@pytest.mark.parametrize('encoding,depth,worst', [
    ('bgr8', '16UC1', 0), ('png', '', 0), ('jpeg', '32FC1', 90), ('mono8', '16UC1', None)])
def test_encodings(bag, world, encoding, depth, worst):
    with read_rollout(bag(encoding=encoding, depth=depth)) as rollout:
        record_ = next(r for r in rollout.frames if r.camera == 'front')
        frame = rollout.load(record_)
        truth = world.render(CAMERAS[0], WAY((record_.stamp - SETTINGS.start) / SECOND))
        if worst is None:
            assert (frame.rgb == frame.rgb[..., :1]).all()
        else:
            assert np.abs(frame.rgb.astype(int) - truth.rgb).mean() <= worst / 10
        if depth:
            np.testing.assert_allclose(frame.depth, truth.depth, atol=0.0006)
        else:
            assert frame.depth is None and record_.depth_logged is None


def test_sqlite_bags_and_single_files_read_the_same(bag):
    path = bag(storage=StoragePlugin.SQLITE3)
    with read_rollout(path) as rollout, read_rollout(next(path.glob('*.db3'))) as single:
        assert len(rollout) == len(single) == NUMBER
        # A folder called 'bag' says nothing; the one around it does.
        assert rollout.name == single.name == path.parent.name
        one, other = rollout.load(rollout.frames[3]), single.load(single.frames[3])
        np.testing.assert_array_equal(one.rgb, other.rgb)


def test_nothing_is_decoded_before_it_is_asked_for(bag):
    def broken(count, message):
        message.step = 1
        return message
    with read_rollout(bag(spoil=spoiled(FRONT, broken))) as rollout:
        assert len(rollout) == NUMBER and not rollout.problems
        with pytest.raises(FrameError, match='front: image cannot be decoded.*step is 1'):
            rollout.load(next(r for r in rollout.frames if r.camera == 'front'))
        assert {frame.record.camera for frame in rollout} == {'left'}
        assert rollout.problems == {'front: image cannot be decoded': NUMBER // 2}


def test_frames_of_one_moment_come_together(bag):
    late = spoiled(FRONT, lambda count, message: None if count == 2 else message)
    with read_rollout(bag(spoil=late)) as rollout:
        groups = list(rollout.moments())
    assert len(groups) == NUMBER // 2
    assert [len(group) for group in groups].count(1) == 1
    assert all(len({r.stamp for r in group.values()}) == 1 for group in groups)


def test_types_are_read_by_the_definitions_in_the_bag(bag):
    def extra(recorder: Recorder):
        recorder.write('/battery', SECOND, new('our_robot/msg/Battery', volts=12.5, note='full'))
    with Bag(bag(extra)) as opened:
        messages = list(opened.messages(['/battery']))
    assert [(m.volts, m.note) for _, _, m in messages] == [(12.5, 'full')]


def test_unknown_types_cost_their_own_topic_only(bag):
    def extra(recorder: Recorder):
        recorder.write_raw('/odd', 'odd_msgs/msg/Odd', SECOND, b'\0\1\0\0abcd',
                           'no/such/type of_nothing\n')
    with read_rollout(bag(extra)) as rollout:
        assert len(rollout) == NUMBER
        assert rollout.problems["/odd: unknown message type 'odd_msgs/msg/Odd'"] == 1


def test_messages_that_are_torn_are_counted(bag):
    def extra(recorder: Recorder):
        recorder.write_raw(FRONT, 'sensor_msgs/msg/Image', SETTINGS.start, b'\0\1\0\0torn')
    with read_rollout(bag(extra)) as rollout:
        assert len(rollout) == NUMBER
        assert rollout.problems[f"{FRONT}: no valid 'sensor_msgs/msg/Image'"] == 1


def test_a_truncated_bag_is_refused_until_it_is_repaired(bag):
    # Large enough for several chunks, of which a repair can save those that are whole.
    path = bag(cameras=tuple(replace(camera, width=96, height=72) for camera in CAMERAS))
    file = next(path.glob('*.mcap'))
    file.write_bytes(file.read_bytes()[:file.stat().st_size // 2])
    with pytest.raises(BagReadError, match='ipt bag repair'):
        read_rollout(path)
    (path / 'metadata.yaml').unlink()
    with pytest.raises(BagReadError, match='ipt bag repair'):
        read_rollout(path)
    repair(path)
    with read_rollout(path) as rollout:
        assert 0 < len(rollout) < NUMBER
        assert sum(1 for _ in rollout) == len(rollout)


def test_a_sqlite_bag_without_metadata_is_sent_to_the_tool_for_it(bag):
    path = bag(storage=StoragePlugin.SQLITE3)
    (path / 'metadata.yaml').unlink()
    with pytest.raises(BagReadError, match="run: ros2 bag reindex -s sqlite3 '"):
        read_rollout(path)
    next(path.glob('*.db3')).write_bytes(b'SQLite format 3 no more')
    with pytest.raises(BagReadError, match="run: ros2 bag reindex -s sqlite3 '"):
        read_rollout(next(path.glob('*.db3')))


def test_a_bag_with_compressed_messages_is_read_once_it_is_repaired(bag, monkeypatch):
    monkeypatch.setattr(Writer, 'open', lambda self, plain=Writer.open: (
        self.set_compression(CompressionMode.MESSAGE, CompressionFormat.ZSTD), plain(self)))
    path = bag()
    with pytest.raises(BagReadError, match='messages are compressed.*give the folder'):
        read_rollout(next(path.glob('*.mcap')), ReadOptions(
            {'front': CameraTopics(FRONT, '/ipt/front/camera_info')}))
    (path / 'metadata.yaml').unlink()
    repair(path)
    with read_rollout(path) as rollout:
        assert len(list(rollout)) == NUMBER and not rollout.problems


def test_what_is_no_bag_says_so(tmp_path, bag):
    with pytest.raises(BagReadError, match='no bag at'):
        read_rollout(tmp_path / 'nothing')
    with pytest.raises(BagReadError, match='neither metadata.yaml'):
        read_rollout(tmp_path)
    (tmp_path / 'notes.mcap').write_text('not MCAP')
    with pytest.raises(BagReadError, match='cannot read'):
        read_rollout(tmp_path / 'notes.mcap')
    Recorder(tmp_path / 'empty', SETTINGS).writer.close()
    with pytest.raises(BagReadError, match='empty'):
        read_rollout(tmp_path / 'empty')
    path = bag()
    (path / 'metadata.yaml').write_text('{oh: [no')
    with pytest.raises(BagReadError, match='cannot read'):
        read_rollout(path)


def without(*topics):
    return lambda topic, logged, message: None if topic in topics else message


def test_missing_topics_are_named(bag):
    path = bag(spoil=without('/ipt/front/camera_info', '/ipt/left/camera_info'))
    with pytest.raises(BagReadError, match='camera_info beside it.*/ipt/front/image_raw'):
        read_rollout(path)
    with pytest.raises(BagReadError, match="'/nose/image_raw'.*nothing.*/ipt/left/image_raw"):
        read_rollout(path, ReadOptions({'nose': CameraTopics('/nose/image_raw', '/nose/info')}))


def test_one_camera_without_calibration_leaves_the_other(bag):
    with read_rollout(bag(spoil=without('/ipt/front/camera_info'))) as rollout:
        assert set(rollout.cameras) == {'left'} and len(rollout) == NUMBER // 2


def test_without_any_pose_nothing_can_be_used(bag):
    with pytest.raises(BagReadError, match=r'no pose at the time of an image.*base_link'):
        read_rollout(bag(spoil=without('/tf', '/ipt/odom', '/tf_static')))


def test_odometry_replaces_missing_transforms(bag):
    with read_rollout(bag(with_tf=False)) as rollout:
        assert len(rollout) == NUMBER
        for item in rollout.frames:
            pose = WAY((item.stamp - SETTINGS.start) / SECOND)
            np.testing.assert_allclose(item.fixed_from_base, pose.matrix, atol=1e-9)


def test_a_gap_in_the_transforms_is_not_bridged(bag):
    # From 2 s on for a second: longer than is believed, shorter than the robot could hide.
    gap = range(SETTINGS.start + 2 * SECOND, SETTINGS.start + 3 * SECOND)

    def spoil(topic, logged, message):
        return None if topic in ('/tf', '/ipt/odom') and logged in gap else message
    with read_rollout(bag(spoil=spoil)) as rollout:
        stamps = {r.stamp - SETTINGS.start for r in rollout.frames}
        assert not any(2 * SECOND <= s < 3 * SECOND - SECOND // 20 for s in stamps)
        assert rollout.problems['front: no pose at the time of an image'] == 4
    assert len(stamps) == NUMBER // 2 - 4


def test_stamps_out_of_order_twice_or_missing_are_left_out(bag):
    def change(count, message):
        stamp = message.header.stamp
        if count == 5:
            stamp.sec -= 1
        elif count == 8:
            stamp.sec = stamp.nanosec = 0
        elif count in (10, 11):
            stamp.sec, stamp.nanosec = SETTINGS.start // SECOND + 2, 500_000_000
        return message
    with read_rollout(bag(spoil=spoiled(FRONT, change))) as rollout:
        assert len(rollout) == NUMBER - 3
        for words in ('older than the one before', 'without a stamp', 'with a stamp seen before'):
            assert rollout.problems[f'front: images {words}'] == 1
        stamps = [r.stamp for r in rollout.frames if r.camera == 'front']
        assert stamps == sorted(set(stamps))


def test_teleporting_and_setting_the_clock_back_begin_new_segments(bag):
    def jumping(seconds):
        return WAY(seconds) if seconds < 2 else Pose2D(1.5, 1.5)
    jumping.duration = 4
    with read_rollout(bag(way=jumping)) as rollout:
        assert {r.segment: r.fixed_from_base[0, 3] > 1 for r in rollout.frames} == {
            0: False, 1: True}


def test_setting_the_clock_back_begins_a_new_segment(bag):
    def back(topic, logged, message):
        seconds = (logged - SETTINGS.start) / SECOND
        items = getattr(message, 'transforms', None) or [message]
        for item in items:
            if seconds >= 3 and topic != '/tf_static':
                item.header.stamp.sec -= 3
        return message
    with read_rollout(bag(spoil=back)) as rollout:
        assert {r.segment for r in rollout.frames} == {0, 1} and len(rollout) >= NUMBER - 2
        for item in rollout.frames[::5]:
            pose = WAY((item.logged - SETTINGS.start) // 1_000_000 / 1000)
            np.testing.assert_allclose(item.fixed_from_base, pose.matrix, atol=1e-6)
        assert rollout.problems[
            'note: the clock was set back; what comes after is kept apart'] == 1


def test_distorted_images_are_rectified(bag):
    with read_rollout(bag(distortion=(-0.1, 0.01, 0.0, 0.0, 0.0))) as rollout:
        frame = rollout.load(rollout.frames[0])
        assert frame.intrinsics != CAMERAS[0].intrinsics
        assert frame.rgb.shape == (24, 32, 3) and frame.depth.shape == (24, 32)


def test_a_lens_that_is_not_supported_is_refused_by_name(bag):
    def odd(topic, logged, message):
        if topic == '/ipt/front/camera_info':
            message.distortion_model = 'thin_prism'
        return message
    with read_rollout(bag(distortion=(-0.1, 0.01, 0.0, 0.0, 0.0), spoil=odd)) as rollout:
        assert {r.camera for r in rollout.frames} == {'left'}
        assert rollout.problems['front: lens cannot be used'] == NUMBER // 2


def test_depth_that_is_not_registered_is_not_used(bag):
    def elsewhere(count, message):
        message.header.frame_id = 'infrared'
        return message
    with read_rollout(bag(spoil=spoiled(DEPTH, elsewhere))) as rollout:
        assert all((r.depth_logged is None) == (r.camera == 'front') for r in rollout.frames)
        assert any("'infrared', not registered" in reason for reason in rollout.problems)


def test_depth_without_a_frame_is_not_used(bag):
    def nowhere(count, message):
        message.header.frame_id = ''
        return message
    with read_rollout(bag(spoil=spoiled(DEPTH, nowhere))) as rollout:
        assert all((r.depth_logged is None) == (r.camera == 'front') for r in rollout.frames)
        assert any('note: front: depth has no frame_id' in reason for reason in rollout.problems)


def test_depth_of_another_shape_is_told_apart_from_depth_of_another_size(bag):
    def thinned(count, message):
        rows = message.data.reshape(message.height, message.step)
        if count % 2:
            message.data = np.ascontiguousarray(rows[::2]).ravel()
        else:
            message.data = np.ascontiguousarray(rows[::2].view('<f4')[:, ::2]).view('u1').ravel()
            message.width, message.step = message.width // 2, message.step // 2
        message.height //= 2
        return message
    with read_rollout(bag(spoil=spoiled(DEPTH, thinned))) as rollout:
        front = [record for record in rollout.frames if record.camera == 'front']
        assert rollout.load(front[0]).depth.shape == (24, 32)
        with pytest.raises(FrameError, match='front: depth image has another shape.*32x12.*32x24'):
            rollout.load(front[1])


@pytest.mark.parametrize('base,rectified', [
    ('image_raw', False), ('image_rect', True), ('color/rect/image', True)])
def test_the_topic_says_whether_k_or_p_describes_the_pictures(tmp_path, world, base, rectified):
    def with_p(topic, logged, message):
        if topic.endswith('camera_info'):
            message.p = message.p * np.array([0.8, 1, 1, 1] * 2 + [1] * 4)
        return message
    settings = replace(SETTINGS, distortion=(-0.1, 0.01, 0.0, 0.0, 0.0), spoil=with_p)
    write = Recorder.write
    cameras = {'front': CameraTopics(f'/ipt/front/{base}', '/ipt/front/camera_info')}

    def moved(recorder, topic, logged, message):
        write(recorder, topic.replace(FRONT, cameras['front'].image), logged, message)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Recorder, 'write', moved)
        path = record(tmp_path / 'bag', world, WAY, settings)
    with read_rollout(path, ReadOptions(cameras)) as rollout:
        frame = rollout.load(rollout.frames[0])
        sent = world.render(CAMERAS[0], WAY((frame.record.stamp - SETTINGS.start) / SECOND)).rgb
        assert np.array_equal(frame.rgb, sent) == rectified
        assert (frame.intrinsics.fx == 0.8 * CAMERAS[0].intrinsics.fx) == rectified


def test_a_mosaic_that_was_compressed_is_read_in_colour(bag, world):
    def packed(count, message):
        rgb = cv2.imdecode(message.data, cv2.IMREAD_COLOR)[..., ::-1]
        mosaic = rgb[..., 1].copy()
        mosaic[::2, ::2], mosaic[1::2, 1::2] = rgb[::2, ::2, 0], rgb[1::2, 1::2, 2]
        message.data = cv2.imencode('.png', mosaic)[1].ravel()
        message.format = 'bayer_rggb8; png compressed '
        return message
    with read_rollout(bag(
            encoding='png', spoil=spoiled(f'{FRONT}/compressed', packed))) as rollout:
        record_ = next(r for r in rollout.frames if r.camera == 'front')
        truth = world.render(CAMERAS[0], WAY((record_.stamp - SETTINGS.start) / SECOND)).rgb
        off = np.abs(rollout.load(record_).rgb.astype(int) - truth)
        assert np.median(off) < 3 < np.median(np.abs(truth - truth.mean(2, keepdims=True)))


@pytest.mark.parametrize('field,value', [
    ('k', np.zeros(9)), ('binning_x', 2), ('k', np.full(9, np.nan)), ('p', np.full(12, np.inf)),
    ('d', np.full(5, np.nan))])
def test_calibrations_that_cannot_be_used_are_refused(bag, field, value):
    def change(topic, logged, message):
        if topic == '/ipt/front/camera_info':
            setattr(message, field, value)
        return message
    with read_rollout(bag(spoil=change)) as rollout:
        assert {r.camera for r in rollout.frames} == {'left'}
        assert rollout.problems['front: camera_info cannot be used'] == NUMBER // 2


def test_a_region_of_interest_of_the_whole_picture_cuts_nothing(bag):
    def change(topic, logged, message):
        if topic == '/ipt/front/camera_info':
            message.roi.width, message.roi.height = message.width, message.height
            message.binning_x = message.binning_y = 1
        if topic == '/ipt/left/camera_info':
            message.roi.x_offset = 8
        return message
    with read_rollout(bag(spoil=change)) as rollout:
        assert {r.camera for r in rollout.frames} == {'front'}
        assert rollout.problems['left: camera_info cannot be used'] == NUMBER // 2


def test_transforms_that_are_not_finite_are_counted(bag):
    def change(count, message):
        if count == 3:
            message.transforms[0].transform.translation.x = math.nan
        return message
    with read_rollout(bag(spoil=spoiled('/tf', change))) as rollout:
        assert rollout.problems['/tf: a transform is not finite or has no frames'] == 1
        assert len(rollout) == NUMBER
        assert all(np.isfinite(r.fixed_from_optical).all() for r in rollout.frames)


def turned(change):
    """Return a `spoil` that gives the camera 'front' another rotation: change(its matrix)."""
    def spoil(topic, logged, message):
        for item in message.transforms if topic == '/tf_static' else ():
            if item.child_frame_id == 'front_optical_frame':
                x, y, z, w = quaternion_from_matrix(
                    change(CAMERAS[0].optical_in_base[:3, :3])).tolist()
                item.transform.rotation = replace(item.transform.rotation, x=x, y=y, z=z, w=w)
        return message
    return spoil


@pytest.mark.parametrize('change', [
    lambda optical: optical @ OPTICAL_IN_BODY.T,  # the body frame: x forward, z up
    lambda optical: optical @ OPTICAL_IN_BODY.T @ np.diag([1, -1, -1]),  # x forward, z down
    lambda optical: optical @ np.diag([1, -1, -1])])  # OpenGL's: z backward, y up
def test_frames_that_are_not_optical_are_left_out_by_name(bag, change):
    with read_rollout(bag(spoil=turned(change))) as rollout:
        assert {r.camera for r in rollout.frames} == {'left'} and len(rollout) == NUMBER // 2
        (reason, count), = rollout.problems.items()
        assert count == NUMBER // 2 and reason.startswith('front: ')
        assert "'front_optical_frame'" in reason and 'no optical frame' in reason


def test_a_bag_whose_only_frames_are_not_optical_says_what_is_wrong(bag):
    only = turned(lambda optical: optical @ OPTICAL_IN_BODY.T)
    with pytest.raises(BagReadError, match="'front_optical_frame', no optical frame"):
        read_rollout(bag(cameras=CAMERAS[:1], spoil=only))


def test_a_camera_that_hangs_upside_down_is_used_and_noted(bag):
    with read_rollout(bag(spoil=turned(lambda o: o @ np.diag([-1, -1, 1])))) as rollout:
        # That one looks down by as much as before, and its picture is turned by half a turn.
        assert len(rollout) == NUMBER
        (reason, count), = rollout.problems.items()
        assert reason.startswith('note: front: upside down') and count == NUMBER // 2


@pytest.mark.parametrize('scale', [0.0, 0.5, 1.1, 60.0])
def test_quaternions_that_are_not_of_unit_length_are_ignored_as_by_tf2(bag, scale):
    def longer(count, message):
        if count == 3:
            q = message.transforms[0].transform.rotation
            message.transforms[0].transform.rotation = replace(
                q, x=scale * q.x, y=scale * q.y, z=scale * q.z, w=scale * q.w)
        return message
    with read_rollout(bag(spoil=spoiled('/tf', longer))) as rollout:
        (reason, count), = rollout.problems.items()
        assert count == 1 and reason.startswith("/tf: a transform of 'base_link' has a quaternion")
        assert len(rollout) == NUMBER and {r.segment for r in rollout.frames} == {0}


def test_odometry_without_orientation_is_counted(bag):
    def unset(count, message):
        pose = message.pose.pose
        pose.orientation = replace(pose.orientation, x=0.0, y=0.0, z=0.0, w=0.0)
        return message
    with pytest.raises(BagReadError, match="/ipt/odom: a pose of 'base_link' has a quaternion"):
        read_rollout(bag(with_tf=False, spoil=spoiled('/ipt/odom', unset)))


def test_rounded_quaternions_are_used_and_stay_the_same_transform(bag):
    """Three digits, sent again by every node that has a static transform."""
    def rounded(topic, logged, message):
        for item in message.transforms if topic.startswith('/tf') else ():
            q = item.transform.rotation
            item.transform.rotation = replace(q, **{
                part: round(getattr(q, part), 3) for part in 'xyzw'})
        return message

    def again(recorder: Recorder):
        for spec in CAMERAS:
            recorder.write('/tf_static', SETTINGS.start + SECOND, transforms(SETTINGS.start, [
                ('base_link', f'{spec.name}_optical_frame', spec.optical_in_base)]))
    with read_rollout(bag(again, spoil=rounded)) as rollout:
        assert not rollout.problems and len(rollout) == NUMBER


def test_ground_truth_is_found_and_nonsense_is_not(bag):
    with read_rollout(bag(truth={'scene': 'box', 'seed': 3, 'objects': []})) as rollout:
        assert rollout.truth(rollout.frames[0])['scene'] == 'box'


def test_nonsense_for_ground_truth_is_counted(bag):
    def extra(recorder: Recorder):
        recorder.write('/ipt/ground_truth/scene', SETTINGS.start, new(
            'std_msgs/msg/String', data='{oh'))
        recorder.write('/other/odom', SETTINGS.start, odometry(SETTINGS.start, Pose2D(9, 9)))
    with read_rollout(bag(extra)) as rollout:
        assert rollout.truth(rollout.frames[0]) is None
        assert rollout.problems['/ipt/ground_truth/scene: no JSON with scene, seed and objects']


IMAGE, INFO = 'sensor_msgs/msg/Image', 'sensor_msgs/msg/CameraInfo'
PACKED = 'sensor_msgs/msg/CompressedImage'


def test_cameras_are_found_by_the_names_that_drivers_give_them():
    found = find_cameras({
        '/camera/camera/color/image_raw': IMAGE,
        '/camera/camera/color/image_raw/compressed': PACKED,
        '/camera/camera/color/camera_info': INFO,
        '/camera/camera/depth/image_rect_raw': IMAGE, '/camera/camera/depth/camera_info': INFO,
        '/camera/camera/aligned_depth_to_color/image_raw': IMAGE,
        '/rear/image_raw/compressed': PACKED, '/rear/camera_info': INFO,
        '/rear/depth/image_raw/compressedDepth': PACKED,
        '/left/cam/image_rect': IMAGE, '/left/cam/camera_info': INFO,
        '/right/cam/image_rect': IMAGE, '/right/cam/camera_info': INFO,
        '/ipt/imagined/image_raw': IMAGE, '/ipt/imagined/camera_info': INFO})
    assert found == {
        'color': CameraTopics('/camera/camera/color/image_raw', '/camera/camera/color/camera_info',
                              '/camera/camera/aligned_depth_to_color/image_raw'),
        'rear': CameraTopics('/rear/image_raw/compressed', '/rear/camera_info',
                             '/rear/depth/image_raw/compressedDepth'),
        'left/cam': CameraTopics('/left/cam/image_rect', '/left/cam/camera_info'),
        'right/cam': CameraTopics('/right/cam/image_rect', '/right/cam/camera_info')}


def encoded(topic):
    """Return 16UC1 for topics that drivers send depth on, as a first message would tell."""
    *_, space, name = topic.split('/')
    return '16UC1' if name in ('depth_image', 'depth_registered') or space in (
        'depth', 'stereo', 'aligned_depth_to_color', 'depth_to_rgb', 'depth_left') else 'rgb8'


def topics_of(*names):
    """Return topics with the types that their names suggest."""
    return {name: INFO if name.endswith('camera_info') else
            PACKED if name.endswith(('/compressed', '/compressedDepth')) else IMAGE
            for name in names}


@pytest.mark.parametrize(('names', 'expected'), [
    # RealSense
    (['/c/color/image_raw', '/c/color/camera_info', '/c/depth/image_rect_raw',
      '/c/depth/camera_info', '/c/aligned_depth_to_color/image_raw',
      '/c/aligned_depth_to_color/camera_info', '/c/infra1/image_rect_raw',
      '/c/infra1/camera_info', '/c/infra2/image_raw', '/c/infra2/camera_info',
      '/c/confidence/image_raw', '/c/confidence/camera_info'],
     {'color': ('/c/color/image_raw', '/c/aligned_depth_to_color/image_raw')}),
    # ZED, wrapper 4
    (['/zed/n/left/image_rect_color', '/zed/n/left/camera_info',
      '/zed/n/left_raw/image_raw_color', '/zed/n/depth/depth_registered',
      '/zed/n/depth/camera_info', '/zed/n/confidence/confidence_map',
      '/zed/n/disparity/disparity_image', '/zed/n/stereo/image_rect_color'],
     {'left': ('/zed/n/left/image_rect_color', '/zed/n/depth/depth_registered')}),
    # ZED, wrapper 5
    (['/zed/n/left/color/rect/image', '/zed/n/left/color/rect/camera_info',
      '/zed/n/left/color/raw/image', '/zed/n/left/color/raw/camera_info',
      '/zed/n/left/gray/rect/image', '/zed/n/left/gray/rect/camera_info',
      '/zed/n/rgb/color/rect/image/compressed', '/zed/n/rgb/color/rect/image/camera_info',
      '/zed/n/depth/depth_registered', '/zed/n/depth/camera_info'],
     {'left': ('/zed/n/left/color/rect/image', '/zed/n/depth/depth_registered'),
      'rgb': ('/zed/n/rgb/color/rect/image/compressed', '/zed/n/depth/depth_registered')}),
    # OAK
    (['/oak/rgb/image_raw', '/oak/rgb/camera_info', '/oak/stereo/image_raw',
      '/oak/stereo/camera_info', '/oak/rgb/image_raw/compressed'],
     {'rgb': ('/oak/rgb/image_raw', '/oak/stereo/image_raw')}),
    # Gazebo, Azure Kinect, Orbbec, usb_cam
    (['/rgbd/image', '/rgbd/depth_image', '/rgbd/camera_info'],
     {'rgbd': ('/rgbd/image', '/rgbd/depth_image')}),
    (['/rgb/image_raw', '/rgb/camera_info', '/depth_to_rgb/image_raw',
      '/depth_to_rgb/camera_info', '/ir/image_raw', '/ir/camera_info'],
     {'rgb': ('/rgb/image_raw', '/depth_to_rgb/image_raw')}),
    (['/camera/color/image_raw', '/camera/color/camera_info', '/camera/depth/image_raw',
      '/camera/depth/camera_info', '/camera/left_ir/image_raw', '/camera/left_ir/camera_info'],
     {'color': ('/camera/color/image_raw', '/camera/depth/image_raw')}),
    (['/image_raw', '/camera_info'], {'camera': ('/image_raw', '')}),
    # names that only begin with such a word
    (['/depth_camera/image_raw', '/depth_camera/camera_info', '/depth_camera/depth/image_raw'],
     {'depth_camera': ('/depth_camera/image_raw', '/depth_camera/depth/image_raw')}),
    (['/depthai/rgb/image_raw', '/depthai/rgb/camera_info', '/depth/rgb/image_raw',
      '/depth/rgb/camera_info'],
     {'depthai/rgb': ('/depthai/rgb/image_raw', ''), 'depth/rgb': ('/depth/rgb/image_raw', '')}),
    (['/infrastructure_2/image_raw', '/infrastructure_2/camera_info', '/confidence_lab/image_raw',
      '/confidence_lab/camera_info', '/irene/image_rect', '/irene/camera_info'],
     {'infrastructure_2': ('/infrastructure_2/image_raw', ''),
      'confidence_lab': ('/confidence_lab/image_raw', ''), 'irene': ('/irene/image_rect', '')}),
    # what a name does not say, pictures do
    (['/depth_left/image_raw', '/depth_left/camera_info', '/a/image', '/a/camera_info'],
     {'a': ('/a/image', '')})])
def test_colour_and_its_depth_are_found_for_each_driver(names, expected):
    found = find_cameras(topics_of(*names), encoded)
    assert {name: (camera.image, camera.depth) for name, camera in found.items()} == expected


def test_topics_that_are_passed_over_are_told_with_the_reason():
    problems = Counter()
    silent = topics_of('/quiet/image_raw', '/shy/camera_info')
    find_cameras(topics_of(
        '/a/image_raw', '/a/image_raw/compressed', '/a/image_rect', '/a/camera_info',
        '/infra1/image_raw', '/infra1/camera_info', '/b/image_raw', '/b/calibration/camera_info',
        '/shy/image_raw/compressed', '/s/stereo/image_raw', '/s/stereo/camera_info',
        '/c/picture'), encoded, silent, problems)
    told = dict(reason.removeprefix('note: ').split(': passed over, ') for reason in problems)
    assert told.pop('/c/picture').startswith('its name does not end with image_rect_color')
    assert told == {
        '/infra1/image_raw': "no colour by the 'infra1' in its name",
        '/b/image_raw': 'no camera_info beside it (there is /a/camera_info, '
                        '/b/calibration/camera_info, /infra1/camera_info, /s/stereo/camera_info)',
        '/shy/image_raw/compressed': "'/shy/camera_info' has no messages",
        '/s/stereo/image_raw': 'its pictures are 16UC1, no colour',
        '/quiet/image_raw': 'it has no messages'}


def test_a_refusal_names_the_option_for_cameras_and_each_reason():
    with pytest.raises(BagReadError, match=(
            "'/depth/image_raw': no colour by the 'depth' in its name; '/q/image_raw': it has no "
            'messages. Name yours with --cameras NAME=IMAGE,INFO')):
        find_cameras(topics_of('/depth/image_raw', '/depth/camera_info'), encoded,
                     topics_of('/q/image_raw'))


def test_what_pictures_are_is_looked_up_in_the_bag(bag):
    def rename(topic):
        return topic.replace('/ipt/front/depth/', '/ipt/stereo/').replace('/ipt/left', '/depth_l')

    def extra(recorder):  # depth has calibrations, too
        info = camera_info(SETTINGS.start, CAMERAS[0], (0.0,) * 5)
        recorder.write('/ipt/stereo/camera_info', SETTINGS.start, info)
    with read_rollout(bag(extra, rename=rename, depth='16UC1')) as rollout:
        assert {name: camera.depth for name, camera in rollout.cameras.items()} == {
            'front': '/ipt/stereo/image_raw', 'depth_l': '/depth_l/depth/image_raw'}
        assert len(rollout) == NUMBER and not rollout.problems
        assert all(record.depth_logged is not None for record in rollout.frames)


def test_cameras_may_share_their_depth(bag):
    # As ZED's 'left' and 'rgb' do: one picture by two names.
    front = CameraTopics(FRONT, '/ipt/front/camera_info', DEPTH)
    with read_rollout(bag(), ReadOptions({'one': front, 'two': front})) as rollout:
        assert len(rollout) == NUMBER
        assert all(record.depth_logged is not None for record in rollout.frames)


@given(st.dictionaries(
    st.from_regex(r'(/(depth|a|image_raw|camera_info|compressed)){1,4}', fullmatch=True),
    st.sampled_from([IMAGE, INFO, PACKED]), max_size=8))
def test_whatever_the_topics_every_camera_has_an_image_and_its_calibration(topics):
    try:
        found = find_cameras(topics)
    except BagReadError:
        return
    for camera in found.values():
        assert topics[camera.image] in (IMAGE, PACKED) and topics[camera.info] == INFO
        assert not camera.depth or topics[camera.depth] in (IMAGE, PACKED)
