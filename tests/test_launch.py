# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""
The launch files: what they declare and what they start.

`launch` comes with a whole ROS installation only, so these tests put recorders in its place; the
last one takes the real thing where there is one.
"""

from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path
import re
import sys
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[1]
MODULES = (
    'launch', 'launch.actions', 'launch.conditions', 'launch.events',
    'launch.launch_description_sources', 'launch.substitutions', 'launch_ros',
    'launch_ros.actions', 'launch_ros.event_handlers', 'launch_ros.events',
    'launch_ros.events.lifecycle', 'launch_ros.parameter_descriptions', 'lifecycle_msgs',
    'lifecycle_msgs.msg')


ROBOT_YAML, BRIDGE_YAML, RECORDER_YAML = (
    str(ROOT / 'config' / name)
    for name in ('robot.yaml', 'sim_bridge.yaml', 'rollout_recorder.yaml'))


class Recorded:
    """Stands for any class of launch: remembers what it was made of."""

    def __init__(self, *arguments, **options):
        self.arguments = arguments
        self.options = options

    def perform(self, context):
        """Stand for LaunchConfiguration.perform."""
        return context[self.arguments[0]]


class Transition:
    TRANSITION_CONFIGURE, TRANSITION_ACTIVATE = 1, 3


@pytest.fixture
def launch_file(monkeypatch):
    """Return a function that imports a launch file amid recorders."""
    for name in MODULES:
        module = ModuleType(name)
        kinds = {'Transition': Transition}
        module.__getattr__ = lambda kind, kinds=kinds: kinds.setdefault(
            kind, type(kind, (Recorded,), {}))
        monkeypatch.setitem(sys.modules, name, module)
    index = ModuleType('ament_index_python.packages')
    index.get_package_share_directory = lambda package: str(ROOT)
    monkeypatch.setitem(sys.modules, 'ament_index_python.packages', index)
    # It is imported anew, amid the recorders, and must not outlive them.
    monkeypatch.setitem(sys.modules, 'ipt_ros.ros.launching', None)
    del sys.modules['ipt_ros.ros.launching']

    def load(name):
        spec = spec_from_file_location(name.replace('.', '_'), ROOT / 'launch' / name)
        module = module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    return load


def entities(description):
    return description.arguments[0]


def of_kind(found, kind):
    return [item for item in found if type(item).__name__ == kind]


def declared(found):
    return {item.arguments[0]: item for item in of_kind(found, 'DeclareLaunchArgument')}


def path_of(substitution):
    """Return the path that a PathJoinSubstitution stands for."""
    return Path(*substitution.arguments[0])


def started(module, **configuration):
    """Return what the robot launch file starts with these launch arguments."""
    return module.imagination(
        {'params_file': ROBOT_YAML, 'camera_topics': '', 'checkpoint': '', 'use_sim_time': '',
         'tf': '/tf', **configuration})


def simulated(module, **given):
    """Return the simulator bridge that the demo launch file starts with these arguments."""
    [node] = module.bridge(
        {'sim_params_file': BRIDGE_YAML, **dict.fromkeys(module.OVERRIDES, ''), **given})
    return node


def recording(module, **given):
    """Return the recorder that its launch file starts with these arguments."""
    [node] = module.recorder(
        {'params_file': RECORDER_YAML, **dict.fromkeys(module.OVERRIDES, ''), **given})
    return node


@pytest.mark.parametrize('name', ['robot.launch.py', 'demo.launch.py', 'record.launch.py'])
def test_every_argument_has_a_default_and_a_description(launch_file, name):
    arguments = declared(entities(launch_file(name).generate_launch_description()))
    assert arguments
    for argument in arguments.values():
        assert argument.options['default_value'] is not None
        assert argument.options['description'].endswith('.')


def test_robot_launch_declares_the_usual_arguments(launch_file):
    arguments = declared(entities(launch_file('robot.launch.py').generate_launch_description()))
    assert {'namespace', 'params_file', 'use_sim_time', 'autostart', 'log_level',
            'checkpoint', 'camera_topics', 'tf', 'dds_profile'} == set(arguments)


@pytest.mark.parametrize(('name', 'argument'), [
    ('robot.launch.py', 'params_file'),
    ('demo.launch.py', 'params_file'),
    ('demo.launch.py', 'sim_params_file'),
    ('record.launch.py', 'params_file'),
])
def test_parameter_files_exist(launch_file, name, argument):
    arguments = declared(entities(launch_file(name).generate_launch_description()))
    assert path_of(arguments[argument].options['default_value']).is_file()


def test_a_file_of_parameters_that_is_not_there_ends_the_launch(launch_file, tmp_path):
    for missing in (str(tmp_path / 'robto.yaml'), str(tmp_path), ''):
        for begin, argument in (
                (lambda **given: started(launch_file('robot.launch.py'), **given), 'params_file'),
                (lambda **given: simulated(launch_file('demo.launch.py'), **given),
                 'sim_params_file'),
                (lambda **given: recording(launch_file('record.launch.py'), **given),
                 'params_file')):
            with pytest.raises(FileNotFoundError, match=f"{argument}: .* '{missing}'"):
                begin(**{argument: missing})


def test_dds_profile_is_set_before_any_node_starts(launch_file):
    found = entities(launch_file('robot.launch.py').generate_launch_description())
    kinds = [type(item).__name__ for item in found]
    variable = of_kind(found, 'SetEnvironmentVariable')[0]

    assert variable.arguments[0] == 'FASTRTPS_DEFAULT_PROFILES_FILE'
    assert kinds.index('SetEnvironmentVariable') < kinds.index('OpaqueFunction')
    default = declared(found)['dds_profile'].options['default_value']
    assert path_of(default.options['default_value']).is_file()


def test_demo_launch_includes_the_robots_before_the_bridge_starts(launch_file):
    found = entities(launch_file('demo.launch.py').generate_launch_description())
    kinds = [type(item).__name__ for item in found]
    source = of_kind(found, 'IncludeLaunchDescription')[0].arguments[0]

    assert path_of(source.arguments[0]) == ROOT / 'launch' / 'robot.launch.py'
    # Only then are the DDS profile set and the arguments of the other file declared.
    assert kinds.index('IncludeLaunchDescription') < kinds.index('OpaqueFunction')
    assert declared(found)['use_sim_time'].options['default_value'] == 'true'


def test_executables_are_those_that_setup_installs(launch_file):
    installed = re.findall(r"'(\w+) = ", (ROOT / 'setup.py').read_text(encoding='utf-8'))
    bridge = simulated(launch_file('demo.launch.py'))
    node = of_kind(started(launch_file('robot.launch.py')), 'LifecycleNode')[0]
    assert {bridge.options['executable'], node.options['executable']} <= set(installed)


def test_arguments_of_the_simulator_win_over_its_file_only_where_they_are_given(launch_file):
    module = launch_file('demo.launch.py')
    arguments = declared(entities(module.generate_launch_description()))
    assert set(module.OVERRIDES) <= set(arguments)
    assert len(simulated(module).options['parameters']) == 1
    _, given = simulated(module, randomization='mine.yaml').options['parameters']
    assert list(given) == ['randomization']
    assert given['randomization'].options['value_type'] is str


def test_autostart_configures_and_then_activates(launch_file):
    found = started(launch_file('robot.launch.py'))
    configure = of_kind(found, 'EmitEvent')[0]
    handler = of_kind(found, 'RegisterEventHandler')[0]
    event = configure.options['event']
    then = handler.arguments[0].options

    assert event.options['transition_id'] == Transition.TRANSITION_CONFIGURE
    assert (then['start_state'], then['goal_state']) == ('configuring', 'inactive')
    assert then['entities'][0].options['event'].options['transition_id'] == (
        Transition.TRANSITION_ACTIVATE)
    for item in (configure, handler):
        condition = item.options['condition']
        assert type(condition).__name__ == 'IfCondition'
        assert condition.arguments[0].arguments == ('autostart',)


def test_camera_topics_become_remappings_of_every_topic_of_the_camera(launch_file):
    module = launch_file('robot.launch.py')
    node = of_kind(
        started(module, camera_topics='front:=/zed/left  left:=/cam/'), 'LifecycleNode')[0]
    remappings = dict(node.options['remappings'])

    assert len(remappings) == 10
    assert remappings['front/image_raw'] == '/zed/left/image_raw'
    assert remappings['front/image_raw/compressed'] == '/zed/left/image_raw/compressed'
    assert remappings['left/camera_info'] == '/cam/camera_info'


def test_camera_topics_of_drivers_become_parameters_beside_remappings(launch_file):
    node = of_kind(started(
        launch_file('robot.launch.py'),
        camera_topics='front:=zed:/zed_front/zed_node left:=realsense:/camera/left/ back:=/usb '
                      'right:=oak:/'), 'LifecycleNode')[0]
    assert node.options['parameters'] == [ROBOT_YAML, {
        'front.driver': 'zed', 'front.namespace': '/zed_front/zed_node',
        'left.driver': 'realsense', 'left.namespace': '/camera/left',
        'right.driver': 'oak', 'right.namespace': '/'}]
    assert {name.partition('/')[0] for name, _ in node.options['remappings']} == {'back'}


@pytest.mark.parametrize('rule', ['front:=kinect:/k', 'front:=ZED:/zed', 'front:=/zed:/zed'])
def test_a_driver_that_nobody_knows_is_refused_with_those_that_exist(launch_file, rule):
    with pytest.raises(ValueError, match='camera_topics.*no driver.*zed, zed_rgb, realsense, oak'):
        started(launch_file('robot.launch.py'), camera_topics=rule)


@pytest.mark.parametrize(('tf', 'remapped'), [
    ('/tf', {}), ('tf', {'/tf': 'tf', '/tf_static': 'tf_static'}),
    ('/robot1/tf', {'/tf': '/robot1/tf', '/tf_static': '/robot1/tf_static'})])
def test_transforms_may_come_on_other_topics(launch_file, tf, remapped):
    node = of_kind(started(launch_file('robot.launch.py'), tf=tf), 'LifecycleNode')[0]
    assert dict(node.options['remappings']) == remapped


def test_record_launch_hands_its_arguments_to_the_recorder(launch_file):
    module = launch_file('record.launch.py')
    found = entities(module.generate_launch_description())
    assert set(module.OVERRIDES) <= set(declared(found))
    node = recording(module, autostart='false', compression='lz4').options
    installed = re.findall(r"'(\w+) = ", (ROOT / 'setup.py').read_text(encoding='utf-8'))

    assert node['executable'] in installed
    assert set(node['parameters'][1]) == {'autostart', 'compression'}
    assert node['parameters'][1]['autostart'].options['value_type'] is bool
    kinds = [type(item).__name__ for item in found]
    assert kinds.index('SetEnvironmentVariable') < kinds.index('OpaqueFunction')


def test_what_no_argument_names_is_as_the_file_of_parameters_says(launch_file):
    module = launch_file('record.launch.py')
    arguments = declared(entities(module.generate_launch_description()))
    for name in module.OVERRIDES:
        options = arguments[name].options
        assert options['default_value'] == '' and '' in options.get('choices', [''])
    assert len(recording(module).options['parameters']) == 1
    robot = of_kind(started(launch_file('robot.launch.py')), 'LifecycleNode')[0]
    assert len(robot.options['parameters']) == 1
    robot = of_kind(started(launch_file('robot.launch.py'), checkpoint='mine'), 'LifecycleNode')[0]
    assert list(robot.options['parameters'][1]) == ['checkpoint']


@pytest.mark.parametrize('topics', [
    'front', 'front:=', ':=/zed', 'front=/zed', 'front:=zed:', 'front:=:/zed', ':=zed:/zed'])
def test_camera_topics_that_make_no_sense_are_refused(launch_file, topics):
    with pytest.raises(ValueError, match='expected .name:=/topic'):
        started(launch_file('robot.launch.py'), camera_topics=topics)


@pytest.mark.skipif(find_spec('launch_ros') is None, reason='no ROS installation with launch')
@pytest.mark.parametrize('name', ['robot.launch.py', 'demo.launch.py', 'record.launch.py'])
def test_real_launch_takes_the_file(monkeypatch, name):
    from launch.launch_description_sources import PythonLaunchDescriptionSource
    monkeypatch.setattr(
        'ament_index_python.packages.get_package_share_directory', lambda package: str(ROOT))
    description = PythonLaunchDescriptionSource(
        str(ROOT / 'launch' / name)).try_get_launch_description_without_context()
    assert 'use_sim_time' in {a.name for a in description.get_launch_arguments()}
