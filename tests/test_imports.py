# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""What `ipt doctor` says of packages that are missing, or there and broken."""

from importlib.metadata import version

from ipt_ros import doctor
from ipt_ros.doctor import FAIL, NOTE, OK
from ipt_ros.imports import broken, Part
import pytest


def finding(modules, lost=''):
    return doctor._imports(Part('part', tuple(modules), 'pip install it', lost), broken(modules))


@pytest.fixture
def packages(tmp_path, monkeypatch):
    """Return a function that makes a package of a name and its code importable, everywhere."""
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv('PYTHONPATH', str(tmp_path))

    def make(name, code=''):
        (tmp_path / f'{name}.py').write_text(code)
        return name

    return make


@pytest.mark.parametrize(('code', 'error'), [
    ('raise ImportError("it requires NumPy 2.0 or newer, found 1.26.4")', 'NumPy 2.0 or newer'),
    ('raise AttributeError("_ARRAY_API not found")', 'AttributeError: _ARRAY_API not found'),
    ('import lacking_dependency', "No module named 'lacking_dependency'"),
    ('raise SystemError("first line\\nlast line")', 'SystemError: last line'),
    ('import sys; sys.exit("no such machine")', 'SystemExit: no such machine'),
    ('import os; os.kill(os.getpid(), 11)', 'ends the process (exit code -11)'),
    ('import os; os._exit(0)', 'ends the process (exit code 0)'),
    ('value = ', 'SyntaxError'),
])
def test_doctor_fails_on_a_package_that_is_there_and_cannot_be_imported(code, error, packages):
    """The package is named with its error; those before and after it are tried all the same."""
    modules = ['json', packages('bad', code), packages('worse', 'raise ImportError("worse")')]
    found = finding(modules, lost='training')
    assert found.level == FAIL
    assert 'bad: ' in found.text and error in found.text
    assert 'worse: ImportError: worse' in found.text and 'json' not in found.text
    assert 'pip install it' in found.advice


def test_doctor_tries_a_name_that_a_package_loads_only_when_asked(packages):
    lazy = packages('lazy', 'def __getattr__(name): raise ImportError("no " + name)')
    assert finding([lazy]).level == OK
    found = finding([f'{lazy}:Model'])
    assert found.level == FAIL and 'lazy:Model: ImportError: no Model' in found.text


def test_doctor_is_not_misled_by_what_a_package_prints(packages):
    loud = packages('loud', 'print("[1, 2]"); print("@impor", end="")')
    assert finding([loud, 'json']).level == OK


def test_doctor_names_a_package_that_is_missing():
    found = finding(['json', 'no_such_package.part'])
    assert found.level == FAIL and found.text == 'not installed: no_such_package.part'
    assert 'pip install it' in found.advice


def test_doctor_lets_a_robot_do_without_a_whole_part_but_not_with_half_of_it():
    whole = finding(['no_such_package', 'nor_this:Name'], lost='ipt train')
    assert whole.level == NOTE and 'ipt train' in whole.text and 'pip install it' in whole.advice
    assert finding(['json', 'nor_this'], lost='ipt train').level == FAIL
    assert finding(['no_such_package']).level == FAIL


def test_doctor_says_which_versions_are_there():
    assert f'numpy {version("numpy")}' in finding(['numpy.linalg']).text


def test_doctor_has_nothing_to_draw_with_where_there_is_no_simulator(monkeypatch):
    monkeypatch.setattr(doctor, 'find_spec', lambda name: None)
    assert doctor._drawing().level == NOTE
