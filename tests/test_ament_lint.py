# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""The linters of a ROS installation, where there is one; `make lint` checks the same without."""

from pathlib import Path
import shutil
import subprocess

import pytest

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = [str(ROOT / name) for name in ('ipt_ros', 'launch', 'sim', 'tests', 'training')]


def linter(name):
    return pytest.importorskip(
        f'{name}.main', reason=f'{name} comes with a ROS installation; see `make lint`')


def test_flake8():
    count, errors = linter('ament_flake8').main_with_errors(
        argv=['--config', str(ROOT / '.flake8'), *FOLDERS])
    assert count == 0, '\n'.join(errors)


def test_pep257():
    assert linter('ament_pep257').main(argv=FOLDERS) == 0


def test_properties_are_described_in_the_imperative():
    """As ament_pep257 asks; ruff lets properties off."""
    pydocstyle = pytest.importorskip('pydocstyle')
    files = [str(path) for folder in FOLDERS for path in Path(folder).rglob('*.py')]
    assert len(files) > 100
    assert [str(error) for error in pydocstyle.check(files, select=['D401'])] == []


def test_copyright():
    assert linter('ament_copyright').main(argv=FOLDERS) == 0


def test_package_manifests_are_valid_xml():
    if not shutil.which('ament_xmllint'):
        pytest.skip('ament_xmllint comes with a ROS installation')
    subprocess.run(
        ['ament_xmllint', ROOT / 'package.xml', ROOT / 'ipt_interfaces/package.xml'], check=True)
