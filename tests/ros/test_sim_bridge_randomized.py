# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""A bridge whose cameras and looks are randomised, and one that cannot keep up; over real DDS."""

import json
import os

from bridge_probe import CAMERAS, running_bridge
from diagnostic_msgs.msg import DiagnosticStatus
from ipt_interfaces.srv import GroundTruth, Reset
from ipt_ros.graph import graph_environment
from ipt_ros.ros.images import to_depth, to_rgb
from ipt_ros.ros.transforms import nanoseconds
from ipt_sim import CameraSpec, make_simulator
import numpy as np
import pytest
from std_msgs.msg import String

pytestmark = pytest.mark.ros

SEED = 1_000_007
SIZE = 96
STEP = 0.05  # s, of the bridge's default update_rate
FILE = """
seed: 1
light: {brightness: [0.5, 0.8]}
textures: {surfaces: 1.0}
camera:
  x: [-0.05, 0.05]
  roll: [-0.1, 0.1]
  pitch: [0.02, 0.1]
  focal: [1.1, 1.3]
  center_u: [0.05, 0.1]
noise: {shot: 0.05, read: 0.02}
exposure: {stops: [-0.5, 0.5]}
jpeg: {quality: 60}
drops: {probability: 0.4}
"""


@pytest.fixture(scope='module')
def environment(ros_domain):
    return graph_environment(os.environ)


@pytest.fixture(scope='module')
def randomization(tmp_path_factory):
    path = tmp_path_factory.mktemp('randomization') / 'some.yaml'
    path.write_text(FILE)
    return path


@pytest.fixture(scope='module')
def probe(environment, randomization, tmp_path_factory):
    """Run a bridge from which everybody has heard for a while; the robot never moves."""
    log = tmp_path_factory.mktemp('bridge') / 'log'
    with running_bridge(environment, log, seed=SEED, camera_width=SIZE, camera_height=SIZE,
                        randomization=randomization) as probe:
        probe.until(lambda: all(
            len(probe.heard[f'/ipt/{camera}/depth/image_raw']) > 3 for camera in CAMERAS))
        yield probe


@pytest.fixture(scope='module')
def shared_simulator(randomization):
    cameras = [CameraSpec(name, SIZE, SIZE, yaw=yaw) for name, yaw in CAMERAS.items()]
    with make_simulator(cameras=cameras, randomization=randomization) as simulator:
        yield simulator


@pytest.fixture
def simulator(shared_simulator):
    """Return what the bridge should show."""
    shared_simulator.reset(SEED)
    return shared_simulator


def images(probe, camera):
    return probe.heard[f'/ipt/{camera}/image_raw']


def at_the_moment_of(simulator, message):
    """Bring the simulation to the stamp of a message."""
    simulator.reset(SEED)
    for _ in range(round(nanoseconds(message.header.stamp) / STEP / 1e9)):
        simulator.step(STEP, 0.0, 0.0)


def test_a_bridge_that_cannot_keep_up_says_so_and_counts_what_it_leaves_out(
    environment, tmp_path,
):
    """First in this file, before the other bridge runs."""
    with running_bridge(environment, tmp_path / 'log', real_time_factor=100.0,
                        frame_rate=20.0) as probe:
        item, values = probe.diagnosis('late frames')
    assert item.level == DiagnosticStatus.WARN
    assert 'too slow' in item.message
    assert float(values['frames/s reached']) < float(values['frames/s asked']) == 2000.0
    assert int(values['late frames']) > 100


@pytest.mark.parametrize('camera', ['front', 'right'])
def test_pictures_are_those_of_the_seed_and_the_moment_bit_for_bit(probe, simulator, camera):
    message = images(probe, camera)[-1]
    at_the_moment_of(simulator, message)
    np.testing.assert_array_equal(to_rgb(message), simulator.render(camera).rgb)


def test_depth_stays_exact(probe, simulator):
    message = probe.heard['/ipt/left/depth/image_raw'][-1]
    np.testing.assert_array_equal(to_depth(message), simulator.render('left').depth)


def test_camera_info_and_transforms_are_those_of_the_randomised_cameras(probe, simulator):
    probe.until(lambda: probe.transforms.has('right_optical_frame'))
    for spec in simulator.cameras:
        info = probe.heard[f'/ipt/{spec.name}/camera_info'][-1]
        np.testing.assert_allclose(np.reshape(info.k, (3, 3)), spec.intrinsics.matrix)
        assert info.k[2] != (SIZE - 1) / 2
        found = probe.transforms.lookup('base_link', f'{spec.name}_optical_frame')
        np.testing.assert_allclose(found, spec.optical_in_base, atol=1e-6)


def test_truth_is_the_view_of_the_randomised_camera_through_a_perfect_sensor(probe, simulator):
    pose = simulator.pose
    truth = probe.call(GroundTruth, 'ground_truth', kind='view', camera='front',
                       x=pose.x, y=pose.y, yaw=pose.yaw)
    np.testing.assert_array_equal(to_rgb(truth.image), simulator.render_ideal('front').rgb)
    assert (to_rgb(truth.image) != to_rgb(images(probe, 'front')[-1])).mean() > 0.5
    heard = probe.heard['/ipt/front/depth/image_raw'][-1]
    np.testing.assert_array_equal(to_depth(truth.depth), to_depth(heard))
    assert truth.camera_info.k.tolist() == probe.heard['/ipt/front/camera_info'][-1].k.tolist()


def test_lost_frames_are_missing_on_every_topic_of_the_camera_and_counted(probe, simulator):
    known = {camera: {nanoseconds(m.header.stamp)
                      for m in probe.heard[f'/ipt/{camera}/camera_info']} for camera in CAMERAS}
    # While every camera was listened to, and as far as everything has arrived.
    first, last = max(map(min, known.values())), min(map(max, known.values()))
    moments = [moment for moment in sorted(set.union(*known.values())) if first <= moment <= last]
    time, lost = 0, 0
    for moment in moments:
        while time < moment:
            simulator.step(STEP, 0.0, 0.0)
            time += round(STEP * 1e9)
        for camera in CAMERAS:
            assert simulator.is_lost(camera) == (moment not in known[camera])
            lost += simulator.is_lost(camera)
    assert lost > 0
    pictures = {nanoseconds(m.header.stamp) for m in images(probe, 'front')}
    assert pictures <= known['front']
    assert int(probe.diagnosis('lost frames')[1]['lost frames']) >= 0


def test_a_bag_can_tell_how_it_was_randomised(probe, randomization):
    truth = json.loads(probe.latched(String, '/ipt/ground_truth/scene').data)
    assert truth['randomization'] == {'file': str(randomization), 'seed': 1}
    assert truth['seed'] == SEED


def test_another_scene_has_other_cameras_and_says_so(probe, simulator):
    """Last in this file: the probe's pictures are then of two scenes."""
    before = probe.transforms.lookup('base_link', 'front_optical_frame')
    assert probe.call(Reset, 'reset', seed=SEED + 1).success
    simulator.reset(SEED + 1)
    front = simulator.cameras[0]
    probe.until(lambda: not np.array_equal(
        probe.transforms.lookup('base_link', 'front_optical_frame'), before))
    found = probe.transforms.lookup('base_link', 'front_optical_frame')
    np.testing.assert_allclose(found, front.optical_in_base, atol=1e-6)
    probe.forget()
    info = probe.fresh('/ipt/front/camera_info')
    np.testing.assert_allclose(np.reshape(info.k, (3, 3)), front.intrinsics.matrix)
