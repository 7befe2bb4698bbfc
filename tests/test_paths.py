# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
from pathlib import Path

from ipt_ros import paths
from ipt_ros.paths import checkpoint_name, config_file, DDS_PROFILE, MissingFileError, NANO, shared
import pytest

ROOT = Path(__file__).resolve().parents[1]


def test_clone_has_the_files_in_its_own_folders():
    assert shared(DDS_PROFILE) == ROOT / DDS_PROFILE


def test_colcon_installation_has_them_in_its_share_folder(monkeypatch, tmp_path):
    share = tmp_path / 'share'
    (share / 'ament_index/resource_index/packages').mkdir(parents=True)
    (share / 'ament_index/resource_index/packages/ipt_ros').touch()
    (share / 'ipt_ros/config').mkdir(parents=True)
    (share / 'ipt_ros' / DDS_PROFILE).touch()
    monkeypatch.setenv('AMENT_PREFIX_PATH', str(tmp_path))
    monkeypatch.setattr(paths, '__file__', str(tmp_path / 'lib/ipt_ros/paths.py'))
    pytest.importorskip('ament_index_python')
    assert shared(DDS_PROFILE) == share / 'ipt_ros' / DDS_PROFILE


def test_pip_installation_has_them_below_the_prefix(monkeypatch, tmp_path):
    file = tmp_path / 'share/ipt_ros' / DDS_PROFILE
    file.parent.mkdir(parents=True)
    file.touch()
    monkeypatch.setattr(paths, '__file__', str(tmp_path / 'lib/ipt_ros/paths.py'))
    monkeypatch.setattr(paths.sys, 'prefix', str(tmp_path))
    monkeypatch.delenv('AMENT_PREFIX_PATH', raising=False)
    assert shared(DDS_PROFILE) == file


def test_missing_file_names_every_place(monkeypatch):
    monkeypatch.delenv('AMENT_PREFIX_PATH', raising=False)
    with pytest.raises(MissingFileError, match=f'(?s)config/none.*{ROOT}.*share/ipt_ros'):
        shared('config/none')


def test_the_shipped_checkpoint_is_found_from_anywhere(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert checkpoint_name(NANO) == str(ROOT / NANO)
    assert checkpoint_name('owner/name') == 'owner/name'
    monkeypatch.setattr(paths, '__file__', str(tmp_path / 'lib/ipt_ros/paths.py'))
    monkeypatch.setattr(paths.sys, 'prefix', str(tmp_path))
    monkeypatch.delenv('AMENT_PREFIX_PATH', raising=False)
    assert checkpoint_name(NANO) == NANO  # whoever loads it says that it is not there
    (tmp_path / NANO).mkdir(parents=True)
    assert checkpoint_name(NANO) == NANO


def test_a_configuration_is_a_file_of_the_user_or_a_shipped_one(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert config_file('fastdds.xml') == ROOT / DDS_PROFILE
    own = tmp_path / 'fastdds.xml'
    own.touch()
    assert config_file('fastdds.xml').resolve() == own
    assert config_file(str(own)) == own


@pytest.mark.parametrize('name', ['none.yaml', ''])
def test_a_configuration_that_is_nowhere_is_named(name):
    with pytest.raises(MissingFileError, match=f"there is no file '{name}'"):
        config_file(name)
