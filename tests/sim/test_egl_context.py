# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""A library that trusts its graphics context to stay current finds it so."""

from concurrent.futures import ThreadPoolExecutor
import subprocess
import sys

from ipt_sim.egl_context import EglContext
from ipt_sim.gl import choose_platform
import pytest


@pytest.fixture(scope='module')
def mujoco():
    if choose_platform() != 'egl':
        pytest.skip('MuJoCo does not draw by EGL here')
    import mujoco
    return mujoco


@pytest.fixture
def contexts(mujoco):
    made = [mujoco.GLContext(16, 16) for _ in range(2)]
    yield made
    for context in made:
        context.free()


def test_the_remembered_context_comes_back(contexts):
    theirs, others = contexts
    keeper = EglContext()
    theirs.make_current()
    keeper.remember()
    before = keeper._present()
    others.make_current()
    assert keeper._present() != before
    keeper.restore()
    assert keeper._present() == before


def test_nothing_remembered_leaves_everything_as_it_is(contexts):
    keeper = EglContext()
    contexts[1].make_current()
    before = keeper._present()
    keeper.restore()
    assert keeper._present() == before


def test_after_the_context_is_gone_nothing_is_remembered(mujoco):
    keeper = EglContext()
    context = mujoco.GLContext(16, 16)
    context.make_current()
    keeper.remember()
    context.free()
    keeper.remember()
    keeper.restore()
    assert keeper._present() is None


def test_each_thread_has_its_own(contexts):
    keeper = EglContext()
    contexts[0].make_current()
    keeper.remember()
    with ThreadPoolExecutor(1) as pool:
        pool.submit(keeper.restore).result()  # would fail, or take the context away from here
        assert pool.submit(keeper._present).result() is None


def test_without_egl_nothing_happens(monkeypatch):
    def missing(name):
        raise OSError(name)

    monkeypatch.setattr('ipt_sim.egl_context.ctypes.CDLL', missing)
    keeper = EglContext()
    keeper.remember()
    keeper.restore()


CLOSES = """
import atexit
from ipt_sim.egl_context import before_exit
def fail():
    print('b')
    raise OSError('it happens')
before_exit(lambda: print('a'))
atexit.register(lambda: print('end of the display'))
before_exit(fail)
before_exit(lambda: print('c'))
"""


def test_at_exit_all_are_closed_before_the_display_ends_the_last_one_first():
    result = subprocess.run(
        [sys.executable, '-c', CLOSES], capture_output=True, text=True, timeout=60, check=False)
    assert result.stdout.splitlines() == ['c', 'b', 'a', 'end of the display']
    assert 'it happens' in result.stderr
