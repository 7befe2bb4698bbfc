# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""Children end when we do, however that happens."""

import os
from pathlib import Path
import signal
import subprocess
import sys
from time import monotonic, sleep

from ipt_ros import processes
from ipt_ros.processes import ProcessDiedError, Processes, tail
import pytest

PYTHON = sys.executable
# Ends on SIGINT like a node: with exit code 0.
OBEDIENT = """
import signal, sys, time
signal.signal(signal.SIGINT, lambda *_: sys.exit(0))
print('ready', flush=True)
time.sleep(60)
"""
STUBBORN = """
import signal, time
signal.signal(signal.SIGINT, signal.SIG_IGN)
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print('ready', flush=True)
time.sleep(60)
"""


def start(group, log: Path, code: str, name='child'):
    group.start(name, [PYTHON, '-S', '-c', code], log, os.environ)
    wait_for(lambda: 'ready' in log.read_text())


def wait_for(ready, seconds=60.0):
    began = monotonic()
    while not ready():
        assert monotonic() - began < seconds
        sleep(0.02)


def test_stop_ends_every_child_and_returns_exit_codes(tmp_path):
    with Processes() as group:
        start(group, tmp_path / 'a', OBEDIENT, 'a')
        start(group, tmp_path / 'b', OBEDIENT, 'b')
        group.check()
        assert group.stop() == {'a': 0, 'b': 0}


def test_child_that_ignores_signals_is_killed(tmp_path, monkeypatch):
    monkeypatch.setattr(processes, '_PATIENCE', (
        (signal.SIGINT, 0.2), (signal.SIGTERM, 0.2), (signal.SIGKILL, 10.0)))
    with Processes() as group:
        start(group, tmp_path / 'log', STUBBORN)
        assert group.stop() == {'child': -signal.SIGKILL}


def test_exception_in_the_block_ends_the_children(tmp_path):
    group = Processes()
    with pytest.raises(RuntimeError, match='halfway'), group:
        start(group, tmp_path / 'log', OBEDIENT)
        child = group._children[0].process
        raise RuntimeError('halfway')
    assert child.poll() == 0


def test_check_says_which_child_died_and_what_it_said_last(tmp_path):
    with Processes() as group:
        group.start(
            'node', [PYTHON, '-S', '-c', 'print("no camera"); raise SystemExit(3)'],
            tmp_path / 'log', os.environ)
        group._children[0].process.wait(60)
        with pytest.raises(ProcessDiedError, match='(?s)node ended with exit code 3.*no camera'):
            group.check()


def test_children_do_not_outlive_a_parent_that_was_killed(tmp_path):
    parent = subprocess.Popen([PYTHON, '-c', f"""
import os, time
from pathlib import Path
from ipt_ros.processes import Processes
group = Processes()
group.start('child', [{PYTHON!r}, '-S', '-c', {OBEDIENT!r}], Path({str(tmp_path / 'log')!r}),
            os.environ)
print(group._children[0].process.pid, flush=True)
time.sleep(60)
"""], stdout=subprocess.PIPE, text=True)
    child = int(parent.stdout.readline())
    wait_for(lambda: 'ready' in (tmp_path / 'log').read_text())
    parent.kill()
    parent.wait()
    wait_for(lambda: not runs(child))


def runs(pid: int) -> bool:
    try:
        state = Path(f'/proc/{pid}/stat').read_text().rpartition(')')[2].split()[0]
    except FileNotFoundError:
        return False
    return state != 'Z'


def test_tail_shows_the_end_only(tmp_path):
    log = tmp_path / 'log'
    log.write_text('\n'.join(str(k) for k in range(100)))
    assert tail(log, 2) == '    98\n    99'
    log.write_text('')
    assert tail(log) == '    (nothing)'
