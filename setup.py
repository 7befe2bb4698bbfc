# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""Installation of the ament_python package `ipt_ros`."""

from pathlib import Path
import re

from setuptools import find_packages, setup

NAME = 'ipt_ros'
ROOT = Path(__file__).resolve().parent
# `sim` and `training` are too common to claim as top-level names in anybody's Python.
FOLDERS = {'ipt_sim': 'sim', 'ipt_training': 'training'}


def packages():
    """Return every import package, the renamed folders included."""
    found = find_packages(include=[NAME, NAME + '.*'])
    for name, folder in FOLDERS.items():
        found += [name] + [f'{name}.{sub}' for sub in find_packages(where=folder)]
    return found


def shared(*folders):
    """List `data_files` rows that copy the folders below share/ipt_ros, keeping their layout."""
    rows = {}
    for folder in folders:
        for path in sorted(Path(folder).rglob('*')):
            if path.is_file() and '__pycache__' not in path.parts:
                rows.setdefault(f'share/{NAME}/{path.parent.as_posix()}', []).append(str(path))
    return list(rows.items())


def pins(name):
    """Return the lines of a file of requirements that name packages."""
    lines = (ROOT / 'requirements' / f'{name}.txt').read_text(encoding='utf-8').splitlines()
    return [line for line in lines if line and line[0] not in '#-']


def version():
    """Read `__version__` without importing the package."""
    text = (ROOT / NAME / '__init__.py').read_text(encoding='utf-8')
    return re.search(r"^__version__ = '([^']+)'", text, re.MULTILINE).group(1)


setup(
    name=NAME,
    version=version(),
    packages=packages(),
    package_dir=FOLDERS,
    package_data={'': ['**/*.css', '**/*.html', '**/*.json', '**/*.yaml']},
    data_files=[
        ('share/ament_index/resource_index/packages', [f'resource/{NAME}']),
        (f'share/{NAME}', ['package.xml']),
        *shared('launch', 'config', 'checkpoints/ipt-bagel-nano'),
    ],
    python_requires='>=3.11',
    install_requires=['setuptools'],
    extras_require={
        # Beside a ROS installation, which brings OpenCV, Pillow, SciPy and YAML.
        'robot': pins('robot'),
        'training': pins('robot-training'),
        'sim': pins('robot-sim'),
        'test': ['pytest', 'pytest-timeout', 'hypothesis'],
    },
    zip_safe=False,
    maintainer='IPT-ROS maintainers',
    maintainer_email='maintainers@ipt-ros.dev',
    description='Imagined views and spatial answers for ROS 2 robots, by an IPT-BAGEL model.',
    license='Apache-2.0',
    entry_points={
        # ament_copyright knows long headers only; this teaches it the short one of our files.
        'ament_copyright.license': ['apache2_spdx = ipt_ros.ament_licence:APACHE'],
        'console_scripts': [
            'ipt = ipt_ros.cli:main',
            'imagination_node = ipt_ros.nodes.imagination_node:main',
            'rollout_recorder = ipt_ros.nodes.rollout_recorder:main',
            'sim_bridge = ipt_ros.nodes.sim_bridge:main',
        ],
    },
)
