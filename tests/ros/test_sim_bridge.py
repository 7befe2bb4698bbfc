# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""The bridge in a process of its own, seen over real DDS as any other node sees it."""

import json
import math
import os
import signal
import subprocess
import sys
from time import monotonic

from bridge_probe import as_pose, CAMERAS, PATIENCE, running_bridge, twist
from ipt_interfaces.msg import ErrorCode
from ipt_interfaces.srv import GroundTruth, Reset, Teleport
from ipt_ros.geometry import OPTICAL_IN_BODY, PinholeCamera, Pose2D
from ipt_ros.graph import graph_environment, node_command
from ipt_ros.nodes.ground_truth import MAX_PIXELS
from ipt_ros.ros.images import to_depth, to_rgb
from ipt_ros.ros.messages import orthographic
from ipt_ros.ros.transforms import nanoseconds
from ipt_sim import make_simulator
import numpy as np
import pytest
from rcl_interfaces.srv import GetParameters
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import String

pytestmark = pytest.mark.ros

SEED = 1_000_007
FRAME_RATE = 5.0
SIZE = 96


@pytest.fixture(scope='module')
def environment(ros_domain):
    return graph_environment(os.environ)


@pytest.fixture(scope='module')
def probe(environment, tmp_path_factory):
    log = tmp_path_factory.mktemp('bridge') / 'log'
    with running_bridge(environment, log, seed=SEED, frame_rate=FRAME_RATE, camera_width=SIZE,
                        camera_height=SIZE) as probe:
        yield probe


@pytest.fixture
def scene(probe):
    """Build the first scene again, the robot at its start."""
    assert probe.call(Reset, 'reset', seed=SEED).success
    probe.forget()
    return probe


@pytest.fixture(scope='module')
def simulator():
    """Return what the bridge should show."""
    simulator = make_simulator()
    simulator.reset(SEED)
    yield simulator
    simulator.close()


def frames_of_one_moment(probe, camera):
    """Return image, depth and camera_info of one camera that carry the same stamp."""
    topics = [f'/ipt/{camera}/{t}' for t in ('image_raw', 'depth/image_raw', 'camera_info')]
    probe.fresh(topics[0])

    def same():
        stamped = [{nanoseconds(m.header.stamp): m for m in probe.heard[t]} for t in topics]
        common = set.intersection(*map(set, stamped))
        return [s[max(common)] for s in stamped] if common else None

    return probe.until(same)


@pytest.mark.parametrize('camera', CAMERAS)
def test_camera_publishes_colour_depth_and_info_of_one_moment(scene, camera):
    image, depth, info = frames_of_one_moment(scene, camera)

    assert {m.header.frame_id for m in (image, depth, info)} == {f'{camera}_optical_frame'}
    assert (image.encoding, depth.encoding) == ('rgb8', '32FC1')
    assert (image.width, image.height) == (info.width, info.height) == (SIZE, SIZE)
    assert to_rgb(image).std() > 5, 'the picture is of one colour'
    assert 0.1 < np.median(to_depth(depth)) < 10.0
    expected = PinholeCamera.from_hfov(SIZE, SIZE, math.pi / 2)
    np.testing.assert_allclose(np.reshape(info.k, (3, 3)), expected.matrix)
    np.testing.assert_allclose(np.reshape(info.p, (3, 4))[:, :3], expected.matrix)


def test_four_cameras_show_the_same_moment(scene):
    stamps = {
        nanoseconds(frames_of_one_moment(scene, camera)[0].header.stamp) for camera in CAMERAS}
    sets = [
        {nanoseconds(m.header.stamp) for m in scene.heard[f'/ipt/{c}/image_raw']}
        for c in CAMERAS]
    assert stamps and set.intersection(*sets)


def test_picture_is_what_the_simulator_sees_from_there(scene, simulator):
    image, depth, _ = frames_of_one_moment(scene, 'front')
    truth = scene.call(
        GroundTruth, 'ground_truth', kind='view', camera='front',
        **vars_of(scene.pose()))

    np.testing.assert_array_equal(to_rgb(image), to_rgb(truth.image))
    np.testing.assert_array_equal(to_depth(depth), to_depth(truth.depth))


def vars_of(pose):
    return {'x': pose.x, 'y': pose.y, 'yaw': pose.yaw}


@pytest.mark.parametrize(('camera', 'yaw'), CAMERAS.items())
def test_transform_tree_says_where_each_camera_looks(scene, camera, yaw):
    scene.until(lambda: scene.transforms.has(f'{camera}_optical_frame'))
    body = scene.transforms.lookup('base_link', f'{camera}_link')
    optical = scene.transforms.lookup('base_link', f'{camera}_optical_frame')

    np.testing.assert_allclose(body[:3, 3], (0.0, 0.0, 1.2), atol=1e-9)
    np.testing.assert_allclose(body[:3, 0], (math.cos(yaw), math.sin(yaw), 0.0), atol=1e-6)
    np.testing.assert_allclose(optical[:3, :3], body[:3, :3] @ OPTICAL_IN_BODY, atol=1e-6)
    np.testing.assert_allclose(optical[:3, 2], body[:3, 0], atol=1e-6)  # z looks forward


def test_transform_of_a_frames_stamp_is_the_odometry_of_that_stamp(scene):
    def whole():
        """Return the odometry of an image whose transform came, too: any may get lost."""
        images = {nanoseconds(m.header.stamp) for m in scene.heard['/ipt/front/image_raw']}
        known = images & set(scene.transforms.samples('base_link')[0])
        return next((m for m in scene.heard['/ipt/odom']
                     if nanoseconds(m.header.stamp) in known), None)

    scene.fresh('/ipt/front/image_raw')
    odom = scene.until(whole)
    found = scene.transforms.lookup('map', 'base_link', nanoseconds(odom.header.stamp))

    assert (odom.header.frame_id, odom.child_frame_id) == ('odom', 'base_link')
    np.testing.assert_allclose(found, as_pose(odom).matrix, atol=1e-9)


def test_depth_and_transforms_put_the_floor_at_height_zero(scene):
    image, depth, info = frames_of_one_moment(scene, 'front')
    truth = scene.call(
        GroundTruth, 'ground_truth', kind='view', camera='front', **vars_of(scene.pose()))
    ids = np.frombuffer(truth.instances.data, '<i4').reshape(SIZE, SIZE)
    floor = np.bincount(ids[-12:].ravel()).argmax()  # what fills most of the lowest rows
    rows, columns = np.nonzero(ids == floor)
    camera = PinholeCamera(SIZE, SIZE, info.k[0], info.k[4], info.k[2], info.k[5])
    pixels = np.stack([columns, rows], axis=1)
    points = camera.deproject(pixels, to_depth(depth)[rows, columns])
    pose = scene.transforms.lookup(
        'map', 'front_optical_frame', nanoseconds(image.header.stamp))
    heights = (points @ pose[:3, :3].T + pose[:3, 3])[:, 2]

    assert len(heights) > 50
    assert np.percentile(np.abs(heights), 90) < 0.03


def test_start_pose_is_the_simulators(scene, simulator):
    pose = scene.pose()
    assert (pose.x, pose.y) == pytest.approx((simulator.pose.x, simulator.pose.y), abs=1e-9)


def test_teleport_moves_the_robot_and_its_pictures(scene, simulator):
    before = to_rgb(scene.fresh('/ipt/front/image_raw'))
    x, y = simulator.sample_navigable(np.random.default_rng(4))
    assert scene.call(Teleport, 'teleport', x=x, y=y, yaw=1.0).success

    def arrived():
        poses = map(as_pose, scene.heard['/ipt/odom'])
        return any((pose.x, pose.y, pose.yaw) == pytest.approx((x, y, 1.0), abs=1e-6)
                   for pose in poses)

    # On a machine under load, odometry and images of the time before may still be on their way.
    scene.until(arrived)
    scene.until(lambda: (to_rgb(scene.fresh('/ipt/front/image_raw')) != before).mean() > 0.1)


def test_teleport_into_a_wall_is_refused_and_changes_nothing(scene, simulator):
    before = scene.pose()
    xmin = simulator.room_bounds()[0]
    reply = scene.call(Teleport, 'teleport', x=xmin, y=0.0, yaw=0.0)

    assert (reply.success, reply.error_code) == (False, ErrorCode.NOT_NAVIGABLE)
    assert reply.message
    assert scene.pose() == before


@pytest.mark.parametrize('bad', [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize('field', ['x', 'y', 'yaw'])
def test_teleport_to_no_number_is_refused(scene, field, bad):
    reply = scene.call(Teleport, 'teleport', **{field: bad})
    assert (reply.success, reply.error_code) == (False, ErrorCode.TARGET_NOT_FINITE)


def test_parameters_can_be_asked_for(scene):
    reply = scene.call(GetParameters, 'get_parameters', names=['camera_width'])
    assert [value.integer_value for value in reply.values] == [SIZE]


def test_reset_gives_the_same_scene_for_the_same_seed(scene):
    def look():
        pose = scene.pose()
        truth = scene.call(
            GroundTruth, 'ground_truth', kind='bev', size=6.0, pixels=64, x=0.0, y=0.0, yaw=0.0)
        return pose, bytes(truth.image.data), [(o.id, o.name) for o in truth.objects]

    first = look()
    assert scene.call(Reset, 'reset', seed=SEED + 1).success
    second = look()
    assert scene.call(Reset, 'reset', seed=SEED).success

    assert look() == first
    assert second[1] != first[1]


@pytest.mark.parametrize('seed', [-1, 2**31])
def test_reset_refuses_seeds_outside_the_range(scene, seed):
    reply = scene.call(Reset, 'reset', seed=seed)
    assert (reply.success, reply.error_code) == (False, ErrorCode.BAD_SEED)
    assert str(seed) in reply.message


def test_clock_and_stamps_never_go_back_not_even_at_a_reset(scene):
    def count():
        return len(scene.heard['/clock'])

    scene.until(lambda: count() > 5)
    assert scene.call(Reset, 'reset', seed=SEED + 2).success
    reached = count()
    scene.until(lambda: count() > reached + 5)
    clock = [nanoseconds(m.clock) for m in scene.heard['/clock']]
    odom = [nanoseconds(m.header.stamp) for m in scene.heard['/ipt/odom']]

    assert clock == sorted(set(clock))
    assert odom == sorted(set(odom))
    assert set(np.diff(clock)) == {50_000_000}


def free_heading(simulator):
    """Return a pose with at least a metre of free floor ahead."""
    rng = np.random.default_rng(0)
    for _ in range(1000):
        x, y = simulator.sample_navigable(rng)
        pose = Pose2D(x, y, float(rng.uniform(-math.pi, math.pi)))
        ahead = [pose.moved(step) for step in np.arange(0.0, 1.3, 0.05)]
        if all(simulator.is_navigable(p.x, p.y) for p in ahead):
            return pose
    raise AssertionError('no free metre in this scene; choose another seed')


def test_cmd_vel_drives_forward_and_silence_stops(scene, simulator):
    start = free_heading(simulator)
    assert scene.call(Teleport, 'teleport', **vars_of(start)).success
    scene.fresh('/ipt/odom')
    scene.drive(0.5, 0.0, lambda odom: math.dist(
        (as_pose(odom).x, as_pose(odom).y), (start.x, start.y)) > 0.3)
    moving = max(odom.twist.twist.linear.x for odom in scene.heard['/ipt/odom'])
    stopped = scene.until(lambda: next(
        (m for m in scene.heard['/ipt/odom'][-3:] if m.twist.twist.linear.x == 0.0), None))
    end = as_pose(stopped)
    along = (end.x - start.x) * math.cos(start.yaw) + (end.y - start.y) * math.sin(start.yaw)
    across = (end.y - start.y) * math.cos(start.yaw) - (end.x - start.x) * math.sin(start.yaw)

    assert moving == pytest.approx(0.5, abs=1e-3)
    assert along > 0.3
    assert across == pytest.approx(0.0, abs=1e-3)


def test_positive_angular_velocity_turns_left(scene):
    start = scene.pose()
    scene.drive(0.0, 1.0, lambda odom: math.remainder(
        as_pose(odom).yaw - start.yaw, math.tau) > 0.2)


def test_too_fast_a_command_is_limited(scene):
    scene.drive(0.0, 50.0, lambda odom: odom.twist.twist.angular.z > 0.5)
    fastest = max(odom.twist.twist.angular.z for odom in scene.heard['/ipt/odom'])
    assert fastest == pytest.approx(2.0, abs=1e-3)


def test_command_that_is_no_number_stops_the_robot(scene):
    scene.drive(0.0, 1.0, lambda odom: odom.twist.twist.angular.z > 0.5)
    scene.drive(0.0, math.nan, lambda odom: odom.twist.twist.angular.z == 0.0)
    assert all(math.isfinite(value) for value in vars_of(scene.pose()).values())


def test_wall_stops_the_robot_and_diagnostics_say_so(scene, simulator):
    xmin, ymin, xmax, ymax = simulator.room_bounds()

    def collided():
        scene.commands.publish(twist(1.0, 0.0))
        return any(
            pair.key == 'collided' and pair.value == 'True'
            for message in scene.heard['/diagnostics']
            for item in message.status for pair in item.values)

    scene.until(collided)
    pose = scene.pose()
    assert xmin < pose.x < xmax and ymin < pose.y < ymax


def test_diagnostics_compare_the_rate_reached_with_the_rate_asked_for(scene):
    item, values = scene.diagnosis('frames/s reached')
    assert item.name == 'ipt/sim_bridge: simulation'
    assert float(values['frames/s asked']) == FRAME_RATE
    assert 0.0 < float(values['frames/s reached']) < 2 * FRAME_RATE
    assert int(values['late frames']) >= 0
    assert values['lost frames'] == '0'


def test_everything_in_the_scene_is_told_to_late_joiners_after_every_reset(scene):
    def told():
        return json.loads(scene.latched(String, '/ipt/ground_truth/scene').data)

    def expected(seed):
        with make_simulator() as simulator:
            simulator.reset(seed)
            return {(item.id, item.name, item.position, item.size)
                    for item in simulator.objects()}

    for seed in (SEED, SEED + 2):
        assert scene.call(Reset, 'reset', seed=seed).success
        truth = told()
        assert (truth['backend'], truth['seed']) == ('mujoco', seed)
        assert 'randomization' not in truth
        assert {(item['id'], item['class'], tuple(item['position']), tuple(item['size']))
                for item in truth['objects']} == expected(seed)


def test_room_from_above_is_told_to_late_joiners_after_every_reset(scene):
    for seed in (SEED + 2, SEED):
        assert scene.call(Reset, 'reset', seed=seed).success
        picture = scene.latched(Image, '/ipt/top_down/image_raw')
        info = scene.latched(CameraInfo, '/ipt/top_down/camera_info')
        with make_simulator() as simulator:
            simulator.reset(seed)
            xmin, ymin, xmax, ymax = simulator.room_bounds()
            frame = simulator.render_topdown(
                ((xmin + xmax) / 2, (ymin + ymax) / 2), 0.0, max(xmax - xmin, ymax - ymin) + 0.5,
                512)
        np.testing.assert_array_equal(to_rgb(picture), frame.rgb)
        assert picture.header.frame_id == info.header.frame_id == 'top_down_optical_frame'
        assert (info.width, info.height) == (512, 512)
        assert orthographic(info).metres_per_pixel == pytest.approx(
            frame.intrinsics.metres_per_pixel)
        scene.fresh('/ipt/odom')  # frames that were sent before have arrived
        np.testing.assert_allclose(
            scene.transforms.lookup('map', 'top_down_optical_frame'), frame.world_from_optical,
            atol=1e-6)


def test_map_of_the_truth_has_the_heading_up(scene):
    straight, turned = (
        to_rgb(scene.call(
            GroundTruth, 'ground_truth', kind='bev', yaw=yaw, size=4.0, pixels=64).image)
        for yaw in (0.0, math.pi / 2))
    # Turning the heading to the left turns the picture to the right.
    difference = np.abs(np.rot90(straight, -1).astype(int) - turned)
    assert np.median(difference) <= 4


def test_map_of_the_truth_counts_the_pixels_of_its_objects(scene, simulator):
    truth = scene.call(GroundTruth, 'ground_truth', kind='bev', size=8.0, pixels=128)
    ids = np.frombuffer(truth.instances.data, '<i4')
    furniture = {item.id: item.name for item in simulator.objects() if not item.structural}

    assert truth.objects
    for item in truth.objects:
        assert furniture[item.id] == item.name
        assert item.pixels == np.count_nonzero(ids == item.id) > 0


def test_the_largest_map_that_is_promised_can_be_drawn(scene):
    truth = scene.call(GroundTruth, 'ground_truth', kind='bev', size=8.0, pixels=MAX_PIXELS)
    assert truth.success, truth.message
    assert (truth.image.width, truth.image.height) == (MAX_PIXELS, MAX_PIXELS)


@pytest.mark.parametrize(('fields', 'code'), [
    ({'kind': 'dream'}, ErrorCode.BAD_REQUEST),
    ({'kind': 'view', 'camera': 'upward'}, ErrorCode.UNKNOWN_CAMERA),
    ({'kind': 'view', 'yaw': math.nan}, ErrorCode.TARGET_NOT_FINITE),
    ({'kind': 'view', 'x': 1000.0}, ErrorCode.BAD_REQUEST),
    ({'kind': 'bev', 'x': 1000.0}, ErrorCode.BAD_REQUEST),
    ({'kind': 'bev', 'size': -1.0}, ErrorCode.BAD_REQUEST),
    ({'kind': 'bev', 'size': math.nan}, ErrorCode.BAD_REQUEST),
    ({'kind': 'bev', 'pixels': 100_000}, ErrorCode.BAD_REQUEST),
])
def test_impossible_truth_is_refused(scene, fields, code):
    reply = scene.call(GroundTruth, 'ground_truth', **fields)
    assert (reply.success, reply.error_code) == (False, code)
    assert reply.message


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM])
def test_signal_ends_the_node_with_exit_code_0(tmp_path, environment, number):
    log = tmp_path / 'log'
    with log.open('w') as output:
        process = subprocess.Popen(
            node_command('sim_bridge', {}), stdout=output, stderr=output, env=environment)
    try:
        began = monotonic()
        while 'objects' not in log.read_text():
            assert process.poll() is None and monotonic() - began < 60, log.read_text()
        process.send_signal(number)
        assert process.wait(20) == 0, log.read_text()
    finally:
        process.kill()
        process.wait()
    assert 'Traceback' not in log.read_text()


@pytest.mark.parametrize(('parameter', 'reason'), [
    ('frame_rate:=30.0', 'update_rate'),
    ('camera_yaws:=[0.0]', 'one heading (rad) a camera'),
    ('cameras:=[front, front, back, left]', 'different cameras'),
    ('cameras:=[front, left, back, up there]', "['up there']"),
    ('camera_yaws:=[0.0, 1.0, .nan, 3.0]', 'must be finite'),
    ('backend:=unreal', 'expected one of: mujoco, habitat'),
    ('scene:=apartment_1.glb', 'use backend habitat'),
    ('randomization:=none.yaml', "no file 'none.yaml'"),
    ('seed:=-3', 'seed'),
])
def test_parameter_that_makes_no_robot_ends_the_node_with_the_reason(
    environment, parameter, reason,
):
    done = subprocess.run(
        [sys.executable, '-m', 'ipt_ros.nodes.sim_bridge', '--ros-args', '-p', parameter],
        capture_output=True, text=True, env=environment, timeout=PATIENCE)
    assert done.returncode == 1
    assert reason in done.stderr + done.stdout
