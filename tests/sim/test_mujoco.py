# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""What only the MuJoCo backend has: the pool, the guards, the choice of a platform."""

from dataclasses import replace
import os
import subprocess
import sys

from ipt_sim import EmptyFrameError, gl, RenderingUnavailableError, SimulatorError
from ipt_sim.bench import machine_name, measure
from ipt_sim.export import room_truth
from ipt_sim.mujoco_backend import MujocoSimulator
from ipt_sim.scenes import generate_scene
import numpy as np
import pytest


@pytest.fixture(scope='module')
def sim():
    with MujocoSimulator(max_image_size=(128, 96)) as simulator:
        yield simulator


def test_a_scene_leaves_nothing_behind(sim):
    """A room with little in it looks the same after a crowded one as in a fresh simulator."""
    scenes = sorted(range(30), key=lambda seed: len(generate_scene(seed).items))
    sim.reset(scenes[-1])
    sim.reset(scenes[0])
    after = sim.render_topdown((0.0, 0.0), 0.0, 6.0, 96)
    with MujocoSimulator() as fresh:
        fresh.reset(scenes[0])
        np.testing.assert_array_equal(
            after.rgb, fresh.render_topdown((0.0, 0.0), 0.0, 6.0, 96).rgb
        )


def test_unused_geoms_are_not_drawn(sim):
    sim.reset(0)
    parts = sum(len(item.parts) for item in sim.scene.items)
    shadows = sum(item.blocks for item in sim.scene.items)
    assert sim._renderer._inside.ngeom == parts + shadows
    assert sim._renderer._plan.ngeom == parts + shadows - 1  # without the ceiling


def test_a_scene_too_large_for_the_pool_is_refused(sim):
    scene = generate_scene(0)
    crowd = replace(scene, items=scene.items + (scene.items[-1],) * 40)
    with pytest.raises(SimulatorError, match='does not fit into the pool'):
        sim._pool.load(crowd)


def test_a_picture_larger_than_the_buffer_is_refused(sim):
    sim.reset(0)
    with pytest.raises(SimulatorError, match='max_image_size'):
        sim.render_topdown((0.0, 0.0), 0.0, 6.0, 2000)


def test_objects_are_numbered_as_they_come_in_the_scene(sim):
    """As in exported rooms: the same thing has the same number whoever draws it."""
    for seed in (0, 3, 7, 1_000_000):
        sim.reset(seed)
        assert sim.objects() == list(room_truth(generate_scene(seed)).objects)
        frame = sim.render_topdown((0.0, 0.0), 0.0, 6.0, 96)
        assert set(np.unique(frame.instance)) <= {0, *(item.id for item in sim.objects())}


@pytest.fixture
def end_display():
    """Return what another library does to MuJoCo when it closes: it ends the display of both."""
    if gl.choose_platform() not in ('egl', ''):
        pytest.skip('MuJoCo does not draw by EGL here')
    platform = pytest.importorskip('mujoco.egl')
    if platform.EGL_DISPLAY is None:
        pytest.skip('MuJoCo does not draw by EGL here')
    return lambda: platform.EGL.eglTerminate(platform.EGL_DISPLAY)


def test_pictures_are_the_same_after_another_library_ended_the_display(sim, end_display):
    with MujocoSimulator() as other:
        other.reset(5)
        sim.reset(3)
        before = sim.render_topdown((0.0, 0.0), 0.0, 6.0, 96), other.render('front')
        for _ in range(2):
            end_display()
            after = sim.render_topdown((0.0, 0.0), 0.0, 6.0, 96), other.render('front')
            for first, second in zip(before, after):
                np.testing.assert_array_equal(first.rgb, second.rgb)
                np.testing.assert_array_equal(first.instance, second.instance)
                np.testing.assert_array_equal(first.depth, second.depth)
        end_display()
        other.close()
        sim.reset(4)
        sim.reset(3)
        np.testing.assert_array_equal(
            sim.render_topdown((0.0, 0.0), 0.0, 6.0, 96).rgb, before[0].rgb)


def test_a_simulator_can_be_made_after_another_library_ended_the_display(sim, end_display):
    sim.reset(3)
    before = sim.render_topdown((0.0, 0.0), 0.0, 6.0, 96).rgb
    end_display()
    with MujocoSimulator() as other:
        other.reset(3)
        np.testing.assert_array_equal(other.render_topdown((0.0, 0.0), 0.0, 6.0, 96).rgb, before)
    np.testing.assert_array_equal(sim.render_topdown((0.0, 0.0), 0.0, 6.0, 96).rgb, before)


@pytest.mark.parametrize('instance', [True, False])
def test_an_empty_draw_is_noticed(sim, monkeypatch, instance):
    sim.reset(0)
    empty = (np.zeros((64, 64, 3), np.uint8), np.zeros((64, 64), np.float32),
             np.zeros((64, 64), np.int32) if instance else None)
    monkeypatch.setattr(sim._renderer, 'draw', lambda *_, **__: empty)
    with pytest.raises(EmptyFrameError, match='graphics driver'):
        sim.render('front', instance=instance)


def test_a_draw_with_holes_is_noticed(sim, monkeypatch):
    sim.reset(0)
    holes = np.ones((64, 64), np.int32)
    holes[:4] = 0
    frame = (np.full((64, 64, 3), 99, np.uint8), np.ones((64, 64), np.float32), holes)
    monkeypatch.setattr(sim._renderer, 'draw', lambda *_, **__: frame)
    with pytest.raises(EmptyFrameError):
        sim.render('front')


def test_bad_radius():
    with pytest.raises(ValueError, match='robot_radius'):
        MujocoSimulator(robot_radius=0.0)


class TestPlatform:

    @pytest.fixture(autouse=True)
    def before_mujoco(self, monkeypatch):
        """Pretend that nothing was chosen and that mujoco has not been imported yet."""
        for name in ('MUJOCO_GL', 'PYOPENGL_PLATFORM', 'MUJOCO_EGL_DEVICE_ID', 'LP_NUM_THREADS'):
            monkeypatch.setenv(name, '')  # restored afterwards, also where the choice sets it
            monkeypatch.delenv(name)
        monkeypatch.delitem(sys.modules, 'mujoco', raising=False)
        monkeypatch.setattr(sys, 'platform', 'linux')
        yield
        os.environ.pop('MUJOCO_GL', None)  # what the choice left; monkeypatch restores the rest

    @pytest.mark.parametrize(('egl', 'osmesa', 'expected'), [
        (True, True, 'egl'), (True, False, 'egl'), (False, True, 'osmesa'),
    ])
    def test_egl_first_then_osmesa(self, monkeypatch, egl, osmesa, expected):
        monkeypatch.setattr(gl, '_egl_works', lambda: egl)
        monkeypatch.setattr(gl, '_osmesa_works', lambda: osmesa)
        assert gl.choose_platform() == expected
        assert os.environ['MUJOCO_GL'] == expected

    def test_neither_names_the_packages(self, monkeypatch):
        monkeypatch.setattr(gl, '_egl_works', lambda: False)
        monkeypatch.setattr(gl, '_osmesa_works', lambda: False)
        with pytest.raises(RenderingUnavailableError) as caught:
            gl.choose_platform()
        for package in ('libegl1', 'libgl1-mesa-dri', 'libgl1', 'libosmesa6'):
            assert package in str(caught.value)

    def test_the_user_s_choice_wins(self, monkeypatch):
        monkeypatch.setenv('MUJOCO_GL', 'glfw')
        assert gl.choose_platform() == 'glfw'

    def test_a_choice_that_cannot_work_is_named(self, monkeypatch):
        monkeypatch.setenv('MUJOCO_GL', 'egl')
        monkeypatch.setattr(gl, '_egl_works', lambda: False)
        with pytest.raises(RenderingUnavailableError, match='MUJOCO_GL=egl.*libegl1'):
            gl.choose_platform()

    @pytest.mark.parametrize('written', [' EGL ', 'egl\n', 'Egl'])
    def test_letters_and_blanks_do_not_matter(self, monkeypatch, written):
        monkeypatch.setenv('MUJOCO_GL', written)
        monkeypatch.setattr(gl, '_egl_devices', lambda: [True])
        assert gl.choose_platform() == os.environ['MUJOCO_GL'] == 'egl'

    @pytest.mark.parametrize(('variables', 'words'), [
        ({'MUJOCO_GL': 'wgl'}, "MUJOCO_GL='wgl' is none of egl, osmesa and glfw"),
        ({'MUJOCO_GL': 'cgl'}, "MUJOCO_GL='cgl' is none of"),
        ({'MUJOCO_GL': 'vulkan'}, "MUJOCO_GL='vulkan' is none of"),
        ({'MUJOCO_GL': 'Off'}, "MUJOCO_GL='off' switches drawing off; unset it"),
        ({'MUJOCO_GL': 'disabled'}, 'switches drawing off'),
        ({'MUJOCO_GL': 'egl', 'PYOPENGL_PLATFORM': 'osmesa'},
         "PYOPENGL_PLATFORM='osmesa' does not go with MUJOCO_GL=egl; unset it"),
        ({'MUJOCO_GL': 'osmesa', 'PYOPENGL_PLATFORM': 'EGL'}, "'egl' does not go with"),
        ({'PYOPENGL_PLATFORM': 'glx'}, "'glx' does not go with drawing without a display"),
        ({'MUJOCO_EGL_DEVICE_ID': 'first'}, "MUJOCO_EGL_DEVICE_ID is 'first'; give the number"),
        ({'MUJOCO_EGL_DEVICE_ID': '2'}, 'MUJOCO_EGL_DEVICE_ID is 2, but EGL has 2 device'),
        ({'MUJOCO_EGL_DEVICE_ID': '-1'}, 'MUJOCO_EGL_DEVICE_ID is -1, but EGL has 2 device'),
        ({'MUJOCO_GL': 'egl', 'MUJOCO_EGL_DEVICE_ID': '1', 'EGL_PLATFORM': 'junk'},
         'MUJOCO_GL=egl does not work.*apt-get install.*unset what may .*EGL_PLATFORM=junk'),
    ])
    def test_variables_that_cannot_be_are_named(self, monkeypatch, variables, words):
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(gl, '_egl_devices', lambda: [True, False])
        monkeypatch.setattr(gl, '_osmesa_works', lambda: True)
        with pytest.raises(RenderingUnavailableError, match=words):
            gl.choose_platform()

    @pytest.mark.parametrize(('variables', 'chosen'), [
        ({'PYOPENGL_PLATFORM': 'osmesa'}, 'osmesa'), ({'PYOPENGL_PLATFORM': ' EGL'}, 'egl'),
        ({'PYOPENGL_PLATFORM': ''}, 'egl'), ({'MUJOCO_EGL_DEVICE_ID': ''}, 'egl'),
        ({'MUJOCO_EGL_DEVICE_ID': ' 0 '}, 'egl'), ({'MUJOCO_EGL_DEVICE_ID': '1'}, 'osmesa'),
        ({'MUJOCO_GL': 'osmesa', 'MUJOCO_EGL_DEVICE_ID': 'x'}, 'osmesa'),
        ({'LP_NUM_THREADS': 'many'}, 'egl'), ({'LIBGL_ALWAYS_SOFTWARE': 'junk'}, 'egl')])
    def test_variables_that_agree_decide(self, monkeypatch, variables, chosen):
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(gl, '_egl_devices', lambda: [True, False])
        monkeypatch.setattr(gl, '_osmesa_works', lambda: True)
        assert gl.choose_platform() == chosen
        assert os.environ['LP_NUM_THREADS'].isdigit()
        assert os.environ.get('PYOPENGL_PLATFORM', '') in ('', chosen)
        assert os.environ.get('MUJOCO_EGL_DEVICE_ID') != ''

    def test_a_window_needs_a_display(self, monkeypatch):
        for name in ('DISPLAY', 'WAYLAND_DISPLAY'):
            monkeypatch.delenv(name, raising=False)
        for platform in ('glfw', 'glx', '1'):
            with pytest.raises(RenderingUnavailableError, match='needs a display.*unset'):
                gl.check_display(platform)
        gl.check_display('egl')
        monkeypatch.setenv('DISPLAY', ':0')
        gl.check_display('glfw')

    def test_missing_libraries_are_no_crash(self, monkeypatch):
        def missing(name):
            raise OSError(name)

        monkeypatch.setattr(gl.ctypes, 'CDLL', missing)
        assert not gl._egl_works()
        assert not gl._osmesa_works()


def test_exit_is_clean_without_close():
    """A program that forgets to close its simulator must not end in a graphics error."""
    code = ('from ipt_sim import make_simulator; s = make_simulator(); s.reset(0); '
            's.render("front"); print("drawn")')
    result = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True,
                            timeout=120, check=False)
    assert (result.returncode, result.stdout.strip(), result.stderr) == (0, 'drawn', '')


def test_the_protocol_imports_without_a_graphics_library():
    code = 'import sys, ipt_sim; sys.exit("mujoco" in sys.modules)'
    assert subprocess.run([sys.executable, '-c', code], timeout=120, check=False).returncode == 0


def test_bench_measures_every_row():
    with MujocoSimulator() as simulator:
        rows = dict(measure(simulator, seconds=0.0))
    assert len(rows) == 16
    assert machine_name()


@pytest.mark.parametrize('variables', [
    {'MUJOCO_GL': 'garbage'}, {'MUJOCO_GL': 'glfw', 'DISPLAY': '', 'WAYLAND_DISPLAY': ''},
    {'PYOPENGL_PLATFORM': 'wayland'}, {'MUJOCO_GL': 'egl', 'MUJOCO_EGL_DEVICE_ID': '1e3'}])
def test_a_simulator_that_cannot_draw_says_why(variables):
    script = ('from ipt_sim import make_simulator, RenderingUnavailableError\n'
              'try:\n    make_simulator()\n'
              'except RenderingUnavailableError as error:\n    print("said:", error)')
    done = subprocess.run([sys.executable, '-c', script], env=os.environ | variables,
                          capture_output=True, text=True)
    assert done.stdout.startswith('said: ') and 'unset' in done.stdout
