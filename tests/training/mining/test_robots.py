# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""Recordings with several robots or several sources of one pose: never a mixture of them."""

from collections import Counter
from dataclasses import replace
import math

from hypothesis import given
from hypothesis import strategies as st
from ipt_ros.geometry import Pose2D
from ipt_ros.geometry.transform_tree import TransformTree
from ipt_sim.protocol import CameraSpec, Frame
from ipt_training.bags import BagReadError, CameraTopics, read_rollout, ReadOptions
from ipt_training.bags.moving import MovingPoses
from ipt_training.bags.sources import choose_sources
from ipt_training.bags.topics import ODOMETRY, STRING, TF
from ipt_training.mining import mine_examples
import numpy as np
import pytest
from simulated_bags import drive, odometry, record, SECOND, Settings, TF_STEP, transforms

CAMERA = CameraSpec('front', 8, 6, math.radians(80), (0.1, 0.0, 1.2), pitch=0.2)
WAY = drive([(-1.5, -1.5), (0.5, -1.5), (0.5, 0.5)])
OTHER = drive([(1.5, 1.5), (-1.5, 1.5), (-1.5, -1.5)])
START = Settings.start
STAMPS = range(START, START + round(WAY.duration * SECOND), TF_STEP)
NUMBER = math.ceil(WAY.duration * 4)


class Grey:

    def render(self, camera, base, *, depth=True, instance=True):
        shape = camera.height, camera.width
        return Frame(np.full((*shape, 3), 128, np.uint8), np.full(shape, 2.0, np.float32), None,
                     base.matrix @ camera.optical_in_base, camera.intrinsics)


def renamed(*pairs):
    def rename(topic):
        for before, after in pairs:
            if topic.startswith(before):
                return after + topic[len(before):]
        return topic
    return rename


FIRST = renamed(('/tf', '/robot1/tf'), ('/ipt/', '/robot1/'))


@pytest.fixture
def bag(tmp_path):
    """Return a function that records; what is passed to it writes before the robot drives."""
    def make(*extras, **changes):
        def extra(recorder):
            plain = replace(recorder.settings, rename=str)
            recorder.settings, kept = plain, recorder.settings
            for write in extras:
                write(recorder)
            recorder.settings = kept
        return record(
            tmp_path / 'bag', Grey(), WAY, replace(Settings((CAMERA,)), **changes), extra)
    return make


def moving(topic, way=OTHER, parent='odom', child='base_link', stamps=STAMPS, off=0):
    """Return what writes transforms of a robot on another way."""
    def write(recorder):
        for stamp in stamps:
            pose = way((stamp - START) / SECOND)
            recorder.write(topic, stamp, transforms(
                stamp + off, [(parent, child, pose.matrix)]))
    return write


def driven(topic, way=OTHER, parent='odom', child='base_link', stamps=STAMPS, off=0):
    """Return what writes odometry of a robot on another way."""
    def write(recorder):
        for stamp in stamps:
            message = odometry(stamp + off, way((stamp - START) / SECOND))
            message.header.frame_id, message.child_frame_id = parent, child
            recorder.write(topic, stamp, message)
    return write


def still(topic, *edges):
    """Return what writes static transforms between frames, a metre up each."""
    def write(recorder):
        up = np.eye(4)
        up[2, 3] = 1.0
        recorder.write(topic, START, transforms(START, [(*edge, up) for edge in edges]))
    return write


def worst(rollout, way=WAY):
    """Return by how much (m) poses miss a way; stamps count from the start of the recording."""
    assert len(rollout)
    return max(
        np.abs(frame.fixed_from_base[:2, 3] - way((frame.stamp - START) / SECOND).matrix[:2, 3])
        .max() for frame in rollout.frames)


def assert_whole(rollout):
    assert len(rollout) == NUMBER and {frame.segment for frame in rollout.frames} == {0}
    assert worst(rollout) < 1e-6


def near(seconds):
    """Return where another estimate of the same robot has it."""
    return Pose2D.from_matrix(Pose2D(0.15, -0.1, 0.08).matrix @ WAY(seconds).matrix)


@pytest.mark.parametrize('extra', [
    moving('/robot2/tf'), moving('/tf'), moving('/robot10/tf'), driven('/robot2/odom'),
    still('/robot2/tf_static', ('base_link', 'front_optical_frame'))])
def test_poses_are_those_of_the_robot_in_the_namespace_of_the_camera(bag, extra):
    with read_rollout(bag(extra, rename=FIRST)) as rollout:
        assert_whole(rollout)


@pytest.mark.parametrize('other', ['/robot2/odom', '/robot2/odometry/filtered', '/odom'])
def test_odometry_of_the_camera_s_own_robot_is_taken(bag, other):
    with read_rollout(bag(driven(other), rename=FIRST, with_tf=False)) as rollout:
        assert_whole(rollout)


def without(*topics):
    return lambda topic, logged, message: None if topic in topics else message


def test_odometry_of_another_robot_is_not_taken_for_want_of_one(bag):
    path = bag(driven('/robot2/odom'), rename=FIRST, with_tf=False, spoil=without('/ipt/odom'))
    with pytest.raises(BagReadError, match='no pose at the time of an image'):
        read_rollout(path)


def test_transforms_that_cannot_be_told_apart_are_refused_until_one_is_named(bag):
    path = bag(moving('/robot2/tf'), rename=renamed(('/tf', '/robot1/tf'), ('/ipt/', '/')))
    with pytest.raises(BagReadError, match="'/robot1/tf', '/robot2/tf'; name one with --tf"):
        read_rollout(path)
    with read_rollout(path, ReadOptions(tf='/robot1/tf')) as rollout:
        assert_whole(rollout)
    with pytest.raises(BagReadError, match="no transforms on '/robot3/tf'.*'/robot1/tf'"):
        read_rollout(path, ReadOptions(tf='/robot3/tf'))


def test_the_only_transforms_serve_whatever_their_namespace(bag):
    rename = renamed(('/tf', '/robot/tf'), ('/ipt/front', '/camera/color'))
    with read_rollout(bag(rename=rename)) as rollout:
        assert_whole(rollout)
        assert rollout.problems == {
            "note: poses come from '/robot/tf', the only transforms in the bag": 1}


def test_one_tree_with_prefixed_frames_is_read_for_one_robot(bag):
    def prefixed(topic, logged, message):
        if topic == '/ipt/odom':
            return None
        for item in getattr(message, 'transforms', ()):
            if not item.child_frame_id.startswith('robot2'):
                item.child_frame_id = f'robot1/{item.child_frame_id}'
                if item.header.frame_id != 'map':
                    item.header.frame_id = f'robot1/{item.header.frame_id}'
        if topic.endswith(('camera_info', 'image_raw')):
            message.header.frame_id = f'robot1/{message.header.frame_id}'
        return message
    path = bag(moving('/tf', parent='robot2/odom', child='robot2/base_link'),
               still('/tf_static', ('map', 'robot2/odom')), spoil=prefixed)
    with pytest.raises(BagReadError, match='robot1/base_link, robot2/base_link.*--base-frame'):
        read_rollout(path)
    with read_rollout(path, ReadOptions(base_frame='/robot1/base_link')) as rollout:
        assert_whole(rollout)
        assert rollout.fixed_frame == 'robot1/odom'
    with pytest.raises(
            BagReadError, match="front: hangs on 'robot1/base_link', not on 'robot2/base_link'"):
        read_rollout(path, ReadOptions(base_frame='robot2/base_link'))


@pytest.mark.parametrize('options', [ReadOptions(), ReadOptions(fixed_frame='map')])
def test_a_frame_that_hangs_on_two_frames_by_turns_keeps_to_one(bag, options):
    def shifted(seconds):
        return Pose2D.from_matrix(Pose2D(3.0, 0.0).matrix @ WAY(seconds).matrix)
    path = bag(moving('/tf', shifted, 'map'))
    with read_rollout(path, options) as rollout:
        assert len({frame.segment for frame in rollout.frames}) == 1
        assert worst(rollout, shifted if options.fixed_frame else WAY) < 1e-6
        (told,) = [reason for reason in rollout.problems if 'hangs on' in reason]
        assert told.startswith("/tf: 'base_link' hangs on") and not told.startswith('note')


@pytest.mark.parametrize('way', [near, OTHER])
@pytest.mark.parametrize('off', [0, TF_STEP // 5])
def test_two_publishers_of_one_transform_are_not_taken_by_turns(bag, way, off):
    path = bag(moving('/tf', way, off=off), spoil=without('/ipt/odom'))
    with pytest.raises(BagReadError, match="'base_link' jumps to and fro in 'odom'"):
        read_rollout(path)


def test_a_second_publisher_of_the_same_poses_does_no_harm(bag):
    with read_rollout(bag(moving('/tf', WAY), moving('/tf', WAY, off=0))) as rollout:
        assert_whole(rollout)
        assert not rollout.problems


def test_wheels_that_spin_faster_than_they_are_sent_are_no_contradiction(bag):
    def spinning(recorder):
        for stamp in STAMPS[::2]:
            angle = (stamp - START) / SECOND * 28.0
            for side, parent in (('left', 'base_link'), ('right', 'base_link')):
                turn = Pose2D(0.0, 0.2 if side == 'left' else -0.2, angle)
                recorder.write('/tf', stamp, transforms(
                    stamp, [(parent, f'{side}_wheel', turn.matrix)]))
    with read_rollout(bag(spinning)) as rollout:
        assert_whole(rollout)
        assert not rollout.problems


def test_a_few_contradictions_are_left_out_and_counted(bag):
    with read_rollout(bag(moving('/tf', stamps=STAMPS[10:40:10]))) as rollout:
        assert {frame.segment for frame in rollout.frames} == {0} and worst(rollout) < 0.02
        assert rollout.problems == {"/tf: 'base_link' has two poses in 'odom' at one time": 3}


@pytest.mark.parametrize(('second', 'taken'), [
    (driven('/odometry/filtered', near), WAY),  # nearer by its namespace
    (driven('/odometry/filtered', near, off=TF_STEP // 5), WAY),
    (driven('/ipt/odometry/filtered', near, stamps=STAMPS[::2]), WAY),  # fewer messages
    (driven('/ipt/odometry/global', near, 'map'), WAY),  # odom goes before map
    (driven('/ipt/wheels', near, child='left_wheel'), WAY)])  # not the robot
def test_one_odometry_is_taken_and_the_others_are_noted(bag, second, taken):
    with read_rollout(bag(second, with_tf=False)) as rollout:
        assert len({frame.segment for frame in rollout.frames}) == 1
        assert len(rollout) == NUMBER and worst(rollout, taken) < 1e-6
        assert all(reason.startswith('note:') for reason in rollout.problems)


def test_odometry_can_be_named_and_prefers_the_frame_of_reference_that_is_asked_for(bag):
    path = bag(driven('/ipt/global', near, 'map'), with_tf=False)
    for options in (ReadOptions(fixed_frame='map'), ReadOptions(odometry='/ipt/global')):
        with read_rollout(path, options) as rollout:
            if options.odometry:
                assert rollout.problems[
                    "note: /ipt/odom: not used, poses come from the odometry on '/ipt/global'"
                ] == 0
            records = rollout.frames
            assert len(records) == NUMBER
            assert {frame.segment for frame in records} == {0}
    with pytest.raises(BagReadError, match="no odometry on '/odom', which --odometry names"):
        read_rollout(path, ReadOptions(odometry='/odom'))


FRONTS = {f'front{k}': CameraTopics(f'/robot{k}/front/image_raw', '') for k in (1, 2)}


def chosen(*topics, cameras=('front1',), **options):
    kinds = {'tf': TF, 'tf_static': TF, 'odom': ODOMETRY, 'filtered': ODOMETRY, 'scene': STRING}
    return choose_sources(
        {topic: kinds[topic.rpartition('/')[2]] for topic in topics},
        {name: FRONTS[name] for name in cameras}, ReadOptions(**options))


@pytest.mark.parametrize(('topics', 'moves', 'stands'), [
    (['/tf', '/tf_static'], '/tf', '/tf_static'),
    (['/robot1/tf', '/tf_static'], '/robot1/tf', '/tf_static'),
    (['/robot1/tf', '/robot1/tf_static', '/tf', '/tf_static'],
     '/robot1/tf', '/robot1/tf_static'),
    (['/tf', '/robot1/tf_static'], '/tf', '/robot1/tf_static'),
    (['/robot1/front/tf', '/robot1/tf', '/robot1/tf_static'],
     '/robot1/front/tf', '/robot1/tf_static'),
    (['/robot1/tf', '/robot2/tf', '/robot1/tf_static', '/robot2/tf_static'],
     '/robot1/tf', '/robot1/tf_static'),
    (['/robot1/tf_static', '/robot2/tf_static'], '', '/robot1/tf_static'),
    (['/vehicle/tf', '/vehicle/tf_static'], '/vehicle/tf', '/vehicle/tf_static'),
    ([], '', '')])
def test_the_nearest_namespace_with_transforms_counts(topics, moves, stands):
    sources = chosen(*topics)
    assert (sources.transforms, sources.statics) == (moves, stands)


@pytest.mark.parametrize('topics', [
    ['/robot2/tf'], ['/alice/tf', '/bob/tf'], ['/robot2/tf', '/robot3/tf']])
def test_transforms_of_other_robots_are_refused_by_name(topics):
    with pytest.raises(BagReadError, match=f"'{topics[0]}'.*--tf"):
        chosen(*topics)


def test_cameras_of_two_robots_are_two_recordings():
    topics = ['/robot1/tf', '/robot2/tf', '/tf_static']
    with pytest.raises(BagReadError, match="several robots.*'front2' with '/robot2/tf'.*--tf"):
        chosen(*topics, cameras=FRONTS)
    sources = chosen(*topics, cameras=FRONTS, tf='/robot2/tf')
    assert list(sources.cameras) == ['front2'] and sources.transforms == '/robot2/tf'
    assert sources.problems == (
        "front1: has transforms of its own on '/robot1/tf', left out",)
    assert list(chosen('/tf', cameras=FRONTS).cameras) == ['front1', 'front2']
    statics = ['/tf', '/robot1/tf_static', '/robot2/tf_static']
    with pytest.raises(BagReadError, match='several robots'):
        chosen(*statics, cameras=FRONTS)
    sources = chosen(*statics, cameras=FRONTS, tf='/robot2/tf_static')
    assert list(sources.cameras) == ['front2'] and sources.transforms == '/tf'
    assert sources.statics == '/robot2/tf_static'
    (kept,) = chosen('/robot1/tf', cameras=FRONTS).cameras
    assert kept == 'front1'


def test_cameras_of_two_robots_with_odometry_only_are_told_apart(bag):
    # The camera at the back is the other robot's.
    def rename(topic):
        return topic.replace('/ipt/back/', '/robot2/back/').replace('/ipt/', '/robot1/')
    path = bag(driven('/robot2/odom'), rename=rename, with_tf=False,
               cameras=(CAMERA, replace(CAMERA, name='back')))
    with pytest.raises(BagReadError, match="'front' with '/robot1/odom', .*; choose.*--odometry"):
        read_rollout(path)
    for odometry_, camera, way in (
            ('/robot1/odom', 'front', WAY), ('/robot2/odom', 'back', OTHER)):
        with read_rollout(path, ReadOptions(odometry=odometry_)) as rollout:
            assert list(rollout.cameras) == [camera]
            assert len(rollout) == NUMBER and worst(rollout, way) < 1e-6
            assert any('has odometry of its own' in reason for reason in rollout.problems)


@pytest.mark.parametrize(('topics', 'odometry'), [
    (['/odom'], ('/odom',)), (['/base/odom'], ('/base/odom',)), (['/robot2/odom'], ()),
    (['/robot1/tf_static', '/robot1/odom', '/odom'], ('/robot1/odom',)),
    (['/alice/tf_static', '/robot1/tf_static', '/alice/odom'], ()),
    (['/tf', '/alice/tf', '/alice/odom', '/odometry/filtered'], ('/odometry/filtered',))])
def test_odometry_must_not_be_of_another_robot(topics, odometry):
    assert chosen(*topics).odometry == odometry


@pytest.mark.parametrize(('topics', 'truth'), [
    (['/ground_truth/scene'], '/ground_truth/scene'), (['/sim/ground_truth/scene'],) * 2,
    (['/robot2/ground_truth/scene'], ''),
    (['/robot1/ground_truth/scene', '/robot2/ground_truth/scene', '/ground_truth/scene'],
     '/robot1/ground_truth/scene')])
def test_ground_truth_is_that_of_the_robot(topics, truth):
    sources = chosen(*topics)
    assert sources.truth == (truth if isinstance(truth, str) else truth[0])
    assert bool(sources.problems) == (not sources.truth)


def settled(rows, **options):
    tree, problems, poses = TransformTree(math.inf), Counter(), MovingPoses()
    for row in rows:
        poses.add('/tf', *row)
    list(poses.settle(tree, ReadOptions(**options), problems, {'base_link'}))
    return tree, problems


@given(st.integers(1, 4), st.integers(1, 4), st.floats(0.3, 3.0), st.booleans())
def test_no_pose_between_two_sources_is_ever_believed(often, seldom, apart, reverse):
    # One source stands here, one there, each at a rate of its own.
    step = SECOND // 50  # 12 Hz at the least
    rows = [('odom', 'base_link', k * step * often, (0.0, 0.0, 0.0), (0.0, 0.0, 0.0, 1.0))
            for k in range(60)]
    rows += [('odom', 'base_link', k * step * seldom + step // 3, (apart, 0.0, 0.0),
              (0.0, 0.0, 0.0, 1.0)) for k in range(60 * often // seldom)]
    tree, problems = settled(rows[::-1] if reverse else rows)
    assert not tree.has('base_link')
    assert sum(problems.values()) == len(rows)


@given(st.lists(st.tuples(st.floats(-0.04, 0.04), st.floats(-0.04, 0.04)), min_size=2),
       st.sampled_from([5, 20, 100]), st.floats(0, 2.0))
def test_noise_of_one_source_is_no_second_source(noise, rate, speed):
    rows = [('odom', 'base_link', k * SECOND // rate, (k / rate * speed + x, y, 0.0),
             (0.0, 0.0, 0.0, 1.0)) for k, (x, y) in enumerate(noise)]
    tree, problems = settled(rows)
    assert not problems and len(tree.samples('base_link')[0]) == len(rows)


@pytest.mark.parametrize('rate', [4, 10, 50, 200])
def test_sharp_turns_and_a_teleport_are_no_second_source(rate):
    rows = []
    for k in range(int(WAY.duration * rate)):
        pose = WAY(k / rate) if k < WAY.duration * rate / 2 else OTHER(k / rate)
        rows.append(('odom', 'base_link', k * SECOND // rate, (pose.x, pose.y, 0.0),
                     (0.0, 0.0, math.sin(pose.yaw / 2), math.cos(pose.yaw / 2))))
    tree, problems = settled(rows)
    assert not problems and len(tree.samples('base_link')[0]) == len(rows)


def test_mining_says_that_the_recording_is_in_pieces(bag):
    carried = bag(drift=lambda seconds: Pose2D(5.0 * (seconds % 2 > 1), 0.0))
    with read_rollout(carried) as rollout:
        skipped = Counter()
        assert not list(mine_examples(rollout, ['pet'], 0, None, skipped))
        assert any('of the same segment' in reason for reason in skipped)
        assert any("'base_link' jumped" in reason for reason in rollout.problems)
