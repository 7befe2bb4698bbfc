# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""The package as a whole: metadata that agrees, arrows between rooms, declared dependencies."""

import ast
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path
import re
import subprocess
import sys
from xml.etree import ElementTree

from ipt_ros.ament_licence import APACHE
from ipt_ros.imports import PARTS
import pytest

ROOT = Path(__file__).resolve().parents[1]
SOURCES = {'ipt_ros': ROOT / 'ipt_ros', 'ipt_sim': ROOT / 'sim', 'ipt_training': ROOT / 'training'}

# What each room may import of ours. Modules that are not listed (the command line, the demo) stand
# above all of these.
ARROWS = {
    'ipt_ros.bagel': set(),
    'ipt_ros.bags': set(),
    'ipt_ros.geometry': set(),
    'ipt_ros.spatial': {'ipt_ros.geometry'},
    'ipt_ros.imagination': {'ipt_ros.bagel', 'ipt_ros.geometry', 'ipt_ros.spatial'},
    'ipt_ros.driving': {'ipt_ros.geometry'},
    'ipt_ros.ros': {'ipt_ros.bags', 'ipt_ros.driving', 'ipt_ros.geometry'},
    'ipt_ros.nodes': {
        'ipt_ros.bags', 'ipt_ros.geometry', 'ipt_ros.imagination', 'ipt_ros.ros', 'ipt_sim'},
    'ipt_sim': {'ipt_ros.geometry'},
    'ipt_training': {'ipt_ros.bagel', 'ipt_ros.geometry', 'ipt_ros.spatial', 'ipt_sim'},
}
# Helpers without imports of their own rooms, for whoever stands beside or above them.
HELPERS = {
    'ipt_ros.camera_drivers', 'ipt_ros.paths', 'ipt_ros.progress', 'ipt_ros.pictures',
    'ipt_ros.pixels', 'ipt_ros.machine', 'ipt_ros.outputs', 'ipt_ros.webpage',
    'ipt_ros.yaml_files'}
USES_HELPERS = {'ipt_ros.nodes', 'ipt_ros.ros', 'ipt_sim', 'ipt_training'}
WITHOUT_ROS = set(ARROWS) - {'ipt_ros.nodes', 'ipt_ros.ros'}
WITHOUT_TORCH = {
    'ipt_ros.bags', 'ipt_ros.driving', 'ipt_ros.geometry', 'ipt_ros.spatial', 'ipt_ros.ros',
    'ipt_sim'}
FROM_CONDA = {'habitat_sim'}  # not on PyPI; docs/habitat.md names its version
ROS_IMPORT = re.compile(
    r'(rclpy|bond|launch|launch_ros|tf2_ros|cv_bridge|\w+_(msgs|interfaces|srvs))\b')


@cache
def modules():
    """Map the name of each of our modules to what it imports, at any place in the file."""
    found = {}
    for package, folder in SOURCES.items():
        for path in folder.rglob('*.py'):
            parts = [package, *path.relative_to(folder).with_suffix('').parts]
            name = '.'.join(parts[:-1] if parts[-1] == '__init__' else parts)
            tree = ast.parse(path.read_text(encoding='utf-8'), str(path))
            found[name] = imports(tree, parts[:-1])
    return found


def imports(tree, folder):
    """Collect what a module of the package `folder` imports, as `package.module.name`."""
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            parents = folder[:len(folder) - node.level + 1] if node.level else []
            source = '.'.join([*parents, *filter(None, [node.module])])
            names |= {f'{source}.{alias.name}' for alias in node.names}
    return names


def room(name):
    """Return the room of a module: `ipt_ros.bagel`, or the whole of `ipt_sim`."""
    return '.'.join(name.split('.')[:2 if name.startswith('ipt_ros') else 1])


def members(of):
    return {name: used for name, used in modules().items() if room(name) == of}


@pytest.mark.parametrize('name', sorted(ARROWS))
def test_arrows_point_down(name):
    allowed = ARROWS[name] | {name} | (HELPERS if name in USES_HELPERS else set())
    assert members(name), f'no module found in {name}'
    for module, used in members(name).items():
        ours = {room(item) for item in used if item.split('.')[0] in SOURCES}
        assert ours <= allowed, f'{module} imports {sorted(ours - allowed)}'


@pytest.mark.parametrize('name', sorted(HELPERS))
def test_helpers_need_no_room(name):
    for module, used in members(name).items():
        ours = {room(item) for item in used if item.split('.')[0] in SOURCES}
        assert ours <= HELPERS, f'{module} imports {sorted(ours - HELPERS)}'


@pytest.mark.parametrize('name', sorted(WITHOUT_ROS | HELPERS))
def test_works_without_ros(name):
    for module, used in members(name).items():
        assert not [item for item in used if ROS_IMPORT.match(item)], f'{module} needs ROS'


@pytest.mark.parametrize('name', sorted(WITHOUT_TORCH))
def test_works_without_torch(name):
    for module, used in members(name).items():
        assert 'torch' not in {item.split('.')[0] for item in used}, f'{module} needs torch'


def test_only_nodes_and_what_they_share_import_rclpy():
    users = {room(name) for name, used in modules().items()
             if any(item.split('.')[0] == 'rclpy' for item in used)}
    assert users <= {'ipt_ros.nodes', 'ipt_ros.ros'}


def test_nothing_unpickles_objects():
    careless = re.compile(r'torch\.load\((?![^)]*weights_only=True)')
    for name, used in modules().items():
        assert not used & {'pickle', 'dill', 'joblib'}, f'{name} imports pickle'
    for folder in SOURCES.values():
        for path in folder.rglob('*.py'):
            assert not careless.search(path.read_text(encoding='utf-8')), path


@cache
def manifest(folder='.'):
    return ElementTree.parse(ROOT / folder / 'package.xml').getroot()


@pytest.fixture(scope='module')
def distribution():
    """Return what setup.py says, without building anything."""
    setuptools = pytest.importorskip('setuptools')
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        patch.setattr(sys, 'argv', ['setup.py'])
        said = {}
        patch.setattr(setuptools, 'setup', said.update)
        exec(compile((ROOT / 'setup.py').read_text(encoding='utf-8'), ROOT / 'setup.py', 'exec'),
             {'__file__': str(ROOT / 'setup.py'), '__name__': 'setup'})
        return said


def test_metadata_agrees(distribution):
    root = manifest()
    for key in ('name', 'version', 'description', 'license', 'maintainer'):
        assert distribution[key] == root.findtext(key), key
    assert distribution['maintainer_email'] == root.find('maintainer').get('email')
    assert (ROOT / root.find('license').get('file')).is_file()
    assert manifest('ipt_interfaces').findtext('version') == root.findtext('version')


def test_every_folder_with_code_is_installed(distribution):
    expected = set()
    for package, folder in SOURCES.items():
        for path in folder.rglob('*.py'):
            expected.add('.'.join([package, *path.relative_to(folder).parent.parts]))
    assert set(distribution['packages']) == expected


def test_files_beside_the_code_are_installed(distribution):
    patterns = distribution['package_data']['']
    for folder in SOURCES.values():
        for path in folder.rglob('*.*'):
            if path.is_file() and path.suffix not in ('.py', '.pyc'):
                assert f'**/*{path.suffix}' in patterns, path


def test_commands_exist(distribution):
    for line in distribution['entry_points']['console_scripts']:
        target = line.split(' = ')[1]
        module, function = target.split(':')
        tree = ast.parse((ROOT / (module.replace('.', '/') + '.py')).read_text(encoding='utf-8'))
        functions = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
        assert function in functions, target


def test_ament_copyright_is_told_of_our_header(distribution):
    """It finds the licence by this entry point; its own templates are whole paragraphs."""
    assert distribution['entry_points']['ament_copyright.license'] == [
        'apache2_spdx = ipt_ros.ament_licence:APACHE']
    contributing = (ROOT / 'CONTRIBUTING.md').read_text(encoding='utf-8')
    assert APACHE.contributing_files[0] in ' '.join(contributing.split())


def test_launch_files_and_parameters_are_installed(distribution):
    installed = {path for _, files in distribution['data_files'] for path in files}
    for folder in ('launch', 'config'):
        for path in (ROOT / folder).rglob('*.*'):
            if path.suffix in ('.py', '.yaml', '.xml'):
                assert path.relative_to(ROOT).as_posix() in installed


FOR_ROBOTS = ('robot', 'robot-training', 'robot-sim')


def lines_of(name):
    """Return the lines of a file of requirements that name packages."""
    text = (ROOT / f'requirements/{name}.txt').read_text(encoding='utf-8')
    return [line for line in text.splitlines() if line and line[0] not in '#-']


def pins_of(*names):
    """Return the pins of files of requirements as {normalised name: version}."""
    pins = {}
    for file in names:
        for line in lines_of(file):
            name, separator, version = line.partition(';')[0].partition('==')
            assert separator and re.fullmatch(r'[\w.]+', version), f'{file}.txt: {line}'
            assert pins.setdefault(normal(name), version) == version, f'{name}: two versions'
    return pins


def requirements():
    """Return all pins of `make setup`."""
    files = {path.stem for path in (ROOT / 'requirements').glob('*.txt')}
    return pins_of(*files - {*FOR_ROBOTS, 'distribution'})


def normal(name):
    return re.sub(r'[-_.]+', '-', name).lower()


def third_party():
    """Return the top-level names that our code imports from elsewhere."""
    used = {item.split('.')[0] for items in modules().values() for item in items}
    return used - set(SOURCES) - set(sys.stdlib_module_names)


def owners_of_imports():
    """Yield each import that pip can install, with the distributions that bring it."""
    owners = packages_distributions()
    for name in sorted(third_party()):
        if not ROS_IMPORT.match(name) and name not in FROM_CONDA:
            yield name, [normal(owner) for owner in owners.get(name, [name])]


# What rosdep knows, by the names under which it is imported.
BY_ROSDEP = {
    'PIL': 'python3-pil', 'cv2': 'python3-opencv',
    'huggingface_hub': 'python3-huggingface-hub-pip', 'mujoco': 'python3-mujoco-pip',
    'numpy': 'python3-numpy', 'open3d': 'python3-open3d-pip', 'rosbags': 'python3-rosbags-pip',
    'scipy': 'python3-scipy', 'torch': 'python3-pytorch-pip', 'tqdm': 'python3-tqdm',
    'transformers': 'python3-transformers-pip', 'trimesh': 'python3-trimesh-pip',
    'yaml': 'python3-yaml'}
# Declared for another reason than an import of ours.
NOT_IMPORTED = {
    'python3-tensorboard-pip',  # torch.utils.tensorboard imports it
    'rmw_fastrtps_cpp',  # config/fastdds.xml is for it
    'ros2launch',  # the command that the documentation names
}


def declared():
    return {node.text for kind in ('depend', 'exec_depend') for node in manifest().iter(kind)}


def test_a_robot_gets_every_import_from_its_files_or_from_the_distribution():
    """Beside a full ROS there are no other files to install from."""
    pins = pins_of(*FOR_ROBOTS)
    by_apt = {name for name, key in BY_ROSDEP.items() if not key.endswith('-pip')}
    for name, owners in owners_of_imports():
        at_hand = name in by_apt | {'ament_index_python'} or any(owner in pins for owner in owners)
        assert at_hand, (
            f'{name} is imported but neither in requirements/robot*.txt nor of the distribution')


def test_a_robot_gets_what_make_setup_gives_where_numpy_allows():
    pins, ours = pins_of(*FOR_ROBOTS), requirements()
    other = {name for name in pins if pins[name] != ours.get(name, pins[name])}
    assert other == {'numpy', 'pyarrow'}, 'say in requirements/robot*.txt why, then here'


def test_the_robot_files_say_one_numpy():
    assert pins_of('robot')['numpy'] == pins_of('distribution')['numpy']


def test_the_extras_are_the_files_for_robots(distribution):
    extras = distribution['extras_require']
    for extra, file in zip(('robot', 'training', 'sim'), FOR_ROBOTS, strict=True):
        assert extras[extra] == lines_of(file)
        assert extras[extra], f'requirements/{file}.txt names nothing'


def test_the_doctor_tries_every_import():
    tried = {re.match(r'\w+', name).group() for part in PARTS for name in part.modules}
    ros = {name for name in third_party() if ROS_IMPORT.match(name)} | {'ament_index_python'}
    assert third_party() - ros - FROM_CONDA == tried


# What the node, the recorder and a question need not have: it may not exist for the machine.
NOT_FOR_NODES = ('open3d', 'mujoco', 'pyarrow', 'trimesh', 'tensorboard', 'peft')


@pytest.mark.parametrize('module', [
    'ipt_ros.nodes.imagination_node', 'ipt_ros.nodes.rollout_recorder', 'ipt_ros.asking',
    'ipt_ros.load_model', 'ipt_ros.doctor', 'ipt_ros.bags.command', 'ipt_ros.imagination.loading',
    'ipt_ros.bagel.verify'])
def test_nodes_start_without_what_only_training_and_simulator_need(module):
    if 'nodes' in module or module in ('ipt_ros.asking', 'ipt_ros.load_model'):
        pytest.importorskip('rclpy')
    code = ('import sys\n'
            f'sys.modules.update(dict.fromkeys({NOT_FOR_NODES}))  # None: cannot be imported\n'
            f'import {module}\n')
    done = subprocess.run(
        [sys.executable, '-c', code], stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_every_import_is_pinned():
    pins = requirements()
    for name, owners in owners_of_imports():
        assert any(owner in pins for owner in owners), (
            f'{name} is imported but not pinned in requirements/')


def test_everything_imported_is_declared_and_the_other_way_round():
    used = {name for name in third_party() if ROS_IMPORT.fullmatch(name)} | NOT_IMPORTED
    used |= {'ament_index_python'}
    used |= {BY_ROSDEP[name] for name in third_party() if name in BY_ROSDEP}
    assert used == declared()


def test_rosdep_leaves_what_pip_installs_to_the_files_for_robots():
    by_pip = [node for node in manifest().iter('exec_depend') if node.text.endswith('-pip')]
    assert by_pip
    for node in by_pip:
        assert node.get('condition') == '$IPT_ROSDEP_PIP == 1', node.text


def test_sources_name_their_licence():
    lines = ['# Copyright 2026 IPT-ROS contributors', '# SPDX-License-Identifier: Apache-2.0']
    folders = [*SOURCES.values(), *(ROOT / name for name in ('launch', 'scripts', 'tests'))]
    paths = [path for folder in folders for path in folder.rglob('*')
             if path.suffix in ('.py', '.sh')]
    assert len(paths) > 20
    for path in [*paths, ROOT / 'setup.py', ROOT / 'Makefile']:
        first = path.read_text(encoding='utf-8').splitlines()[:3]
        assert lines in (first[:2], first[1:]), (
            f'{path.relative_to(ROOT)} does not start with: {lines}')
