# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""The set-up scripts, as far as they can be tested without downloading anything."""

import importlib.util
import os
from pathlib import Path
import re
import shutil
import subprocess

import pytest

ROOT = Path(__file__).resolve().parents[1]
CPU = {'requires_dist': ['filelock', 'networkx>=2.5.1; python_version >= "3.9"']}
CUDA = {'requires_dist': [
    'filelock', 'nvidia-cublas==13.1.1.3; platform_system == "Linux"', 'cuda-bindings<14,>=13',
    'triton==3.7.1; platform_system == "Linux"']}


def script(name):
    spec = importlib.util.spec_from_file_location(name, ROOT / 'scripts' / f'{name}.py')
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope='module')
def torch_script():
    return script('install_torch')


def offered(wheels):
    """Return a stand-in for pip: `wheels` maps the text of a request to metadata."""
    return lambda request: wheels.get(' '.join(request))


def test_cpu_machine_takes_the_local_cpu_build_first(torch_script):
    requests = torch_script.candidates('cpu', 'torch==2.13.0')
    look = offered({'torch==2.13.0+cpu': CPU, 'torch==2.13.0': CUDA})
    assert torch_script.choose('cpu', requests, look) == ['torch==2.13.0+cpu']


def test_cpu_machine_on_plain_pypi_takes_the_cpu_index(torch_script):
    requests = torch_script.candidates('cpu', 'torch==2.13.0')
    index = torch_script.CPU_INDEX
    look = offered({f'torch==2.13.0+cpu --extra-index-url {index}': CPU, 'torch==2.13.0': CUDA})
    assert torch_script.choose('cpu', requests, look)[-1] == index


def test_cpu_machine_takes_a_plain_pin_that_is_a_cpu_build(torch_script):
    requests = torch_script.candidates('cpu', 'torch==2.13.0')
    assert torch_script.choose(
        'cpu', requests, offered({'torch==2.13.0': CPU})) == ['torch==2.13.0']


def test_cpu_machine_refuses_cuda_and_says_what_to_do(torch_script):
    requests = torch_script.candidates('cpu', 'torch==2.13.0')
    with pytest.raises(SystemExit, match='3 CUDA packages.*\n.*TORCH_INDEX'):
        torch_script.choose('cpu', requests, offered({'torch==2.13.0': CUDA}))


def test_machine_with_gpu_takes_the_plain_pin(torch_script):
    requests = torch_script.candidates('cuda', 'torch==2.13.0')
    look = offered({'torch==2.13.0': CUDA, 'torch==2.13.0+cpu': CPU})
    assert torch_script.choose('cuda', requests, look) == ['torch==2.13.0']


def test_index_names_its_build(torch_script):
    index = 'https://download.pytorch.org/whl/cu126/'
    assert torch_script.candidates('cuda', 'torch==2.13.0', index) == [
        ['torch==2.13.0+cu126', '--extra-index-url', index]]


def test_pin_is_read_from_the_requirements(torch_script):
    text = (ROOT / 'requirements' / 'torch.txt').read_text(encoding='utf-8')
    assert re.fullmatch(r'torch==\d+\.\d+\.\d+', torch_script.pinned(text))
    with pytest.raises(SystemExit, match='found none'):
        torch_script.pinned('torch>=2\n')


def test_wheels_are_patched_once():
    patched = script('patch_ros_wheels').patched
    before = ('set(x "/opt/python/cp312-cp312/include/python3.12;/opt/python/cp312-cp312/lib/'
              'python3.12/site-packages/numpy/_core/include;/usr/include")')
    after = patched(before)
    assert '/opt/python' not in after
    assert after.endswith(';/usr/include")')
    assert after.count(';') == 2
    assert patched(after) == after


def test_missing_system_packages_are_installed_or_named(tmp_path):
    shutil.copytree(ROOT / 'scripts', tmp_path / 'scripts')
    tools = tmp_path / 'tools'
    tools.mkdir()
    # Of all packages asked for, two are there; as with the real one, the others make it fail.
    answers = {'dpkg-query': 'printf "g++ installed\\nmake installed\\n"; exit 1',
               'apt-get': 'echo apt-get "$@"'}
    for name, body in answers.items():
        (tools / name).write_text(f'#!/bin/sh\n{body}\n')
        (tools / name).chmod(0o755)
    done = subprocess.run(
        ['bash', tmp_path / 'scripts' / 'setup.sh'], stdin=subprocess.DEVNULL, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
        env={**os.environ, 'PATH': f'{tools}:{os.environ["PATH"]}', 'PYTHON': '/nonexistent'})
    install = re.search(r'apt-get install -y.*', done.stdout).group()
    assert 'libegl1 ' in install
    assert 'python3-venv' in install
    assert 'g++' not in install
    assert done.returncode == 1  # for want of packages, or of the interpreter that was named


@pytest.mark.parametrize('name', ['.ci/run', 'scripts/setup.sh'])
def test_scripts_can_be_run(name):
    assert os.access(ROOT / name, os.X_OK)


def test_help_names_every_command():
    text = (ROOT / 'Makefile').read_text(encoding='utf-8')
    commands = re.search(r'^\.PHONY: (.*)$', text, re.MULTILINE).group(1).split()
    shown = subprocess.run(
        ['make', '--no-print-directory', '-C', ROOT, 'help'], check=True, stdout=subprocess.PIPE,
        text=True).stdout
    assert [line.split()[0] for line in shown.splitlines()] == commands
