# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""Runs the tests that need launch_testing, where a full ROS installation has it."""

from importlib.util import find_spec
from pathlib import Path
import subprocess
import sys

import pytest

pytestmark = [
    pytest.mark.ros, pytest.mark.slow,
    pytest.mark.skipif(
        find_spec('launch_testing') is None, reason='no ROS installation with launch_testing')]


GRAPHS = sorted(set(Path(__file__).parent.glob('*.py')) - {Path(__file__)})


@pytest.mark.parametrize('path', GRAPHS, ids=lambda path: path.name)
def test_launch_test_passes(path):
    # In a process of its own: launch installs signal handlers, and needs the main thread.
    done = subprocess.run(
        [sys.executable, '-m', 'launch_testing.launch_test', str(path)], capture_output=True,
        text=True)
    assert done.returncode == 0, done.stdout + done.stderr
