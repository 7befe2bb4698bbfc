# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""
Choose how MuJoCo draws without a display, before MuJoCo is imported.

MuJoCo and PyOpenGL fix their platform at import time, so a failed import cannot be repeated with
another platform in the same process. That is why the libraries are tried by hand first.
"""

import ctypes
import os
import sys
from typing import Any

from ipt_sim.protocol import RenderingUnavailableError

_PLATFORM_DEVICE = 0x313F  # EGL_PLATFORM_DEVICE_EXT
APT_PACKAGES = 'libegl1 libgl1-mesa-dri libgl1 libosmesa6'


# Beside the two that draw without a display, as MuJoCo reads them on Linux.
_ON_DISPLAY = ('glfw', 'glx', 'enable', 'enabled', 'on', 'true', '1')
_OFF = ('disable', 'disabled', 'off', 'false', '0')
# What else decides whether a library draws, for people to look at where none does.
_FURTHER = (
    'EGL_PLATFORM', '__EGL_VENDOR_LIBRARY_FILENAMES', '__EGL_VENDOR_LIBRARY_DIRS',
    'LIBGL_ALWAYS_SOFTWARE', 'LIBGL_DRIVERS_PATH', 'GALLIUM_DRIVER',
    'MESA_LOADER_DRIVER_OVERRIDE', 'CUDA_VISIBLE_DEVICES')


def _egl_devices() -> list[bool]:
    """Return for each EGL device whether it can be initialised: what MuJoCo itself will ask."""
    try:
        egl = ctypes.CDLL('libEGL.so.1')
    except OSError:
        return []
    egl.eglGetProcAddress.restype = ctypes.c_void_p
    egl.eglGetProcAddress.argtypes = [ctypes.c_char_p]
    query_address = egl.eglGetProcAddress(b'eglQueryDevicesEXT')
    display_address = egl.eglGetProcAddress(b'eglGetPlatformDisplayEXT')
    if not query_address or not display_address:
        return []
    query = ctypes.CFUNCTYPE(
        ctypes.c_uint, ctypes.c_int, ctypes.POINTER(ctypes.c_void_p), ctypes.POINTER(ctypes.c_int)
    )(query_address)
    get_display = ctypes.CFUNCTYPE(
        ctypes.c_void_p, ctypes.c_uint, ctypes.c_void_p, ctypes.c_void_p
    )(display_address)
    egl.eglInitialize.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p]
    devices, count = (ctypes.c_void_p * 16)(), ctypes.c_int()
    if not query(16, devices, ctypes.byref(count)):
        return []
    displays = (get_display(_PLATFORM_DEVICE, device, None) for device in devices[: count.value])
    return [bool(display and egl.eglInitialize(display, None, None)) for display in displays]


def _egl_works() -> bool:
    """Tell whether EGL draws: on the device that MUJOCO_EGL_DEVICE_ID names, or on any."""
    devices = _egl_devices()
    number = _egl_device()
    if number is None or not devices:
        return any(devices)
    if not 0 <= number < len(devices):
        raise RenderingUnavailableError(
            f'MUJOCO_EGL_DEVICE_ID is {number}, but EGL has {len(devices)} device(s), counted '
            'from 0; give one of these, or unset it')
    return devices[number]


def _egl_device() -> int | None:
    text = os.environ.get('MUJOCO_EGL_DEVICE_ID', '').strip()
    if not text:
        os.environ.pop('MUJOCO_EGL_DEVICE_ID', None)  # MuJoCo takes an empty one for a number
        return None
    try:
        return int(text)
    except ValueError:
        raise RenderingUnavailableError(
            f'MUJOCO_EGL_DEVICE_ID is {text!r}; give the number of a device, from 0 on, or unset '
            'it') from None


def _osmesa_works() -> bool:
    for name in ('libOSMesa.so.8', 'libOSMesa.so.6', 'libOSMesa.so'):
        try:
            ctypes.CDLL(name)
        except OSError:
            continue
        return True
    return False


def choose_platform() -> str:
    """
    Set MUJOCO_GL unless the user did: EGL where it works, else OSMesa. Returns the choice.

    Raises RenderingUnavailableError when neither works, or what the user chose does not, or where
    variables of the environment contradict each other. Does nothing once mujoco is imported.
    """
    # One renderer process a core is the fast way to run many; Mesa's own threads only get in the
    # way of that, and at camera sizes they gain nothing.
    if not os.environ.get('LP_NUM_THREADS', '').strip().isdigit():
        os.environ['LP_NUM_THREADS'] = '1'
    wish = os.environ.get('MUJOCO_GL', '').strip().lower()
    if 'mujoco' in sys.modules or not sys.platform.startswith('linux'):
        return wish
    probes = {'egl': _egl_works, 'osmesa': _osmesa_works}
    if wish in _ON_DISPLAY:
        return wish
    if wish and wish not in probes:
        what = 'switches drawing off' if wish in _OFF else 'is none of egl, osmesa and glfw'
        raise RenderingUnavailableError(
            f'cannot draw: MUJOCO_GL={wish!r} {what}; unset it, or give one of these')
    for platform in _agreed(wish, list(probes)):
        if probes[platform]():
            os.environ['MUJOCO_GL'] = platform
            return platform
    tried = f'MUJOCO_GL={wish} does not work' if wish else 'neither EGL nor OSMesa works'
    further = [f'{name}={os.environ[name]}' for name in (*_FURTHER, 'PYOPENGL_PLATFORM')
               if os.environ.get(name)]
    raise RenderingUnavailableError(
        f'cannot draw without a display: {tried} on this machine. '
        f'Install what is missing with: apt-get install {APT_PACKAGES}'
        + (f'; or unset what may keep them from it: {", ".join(further)}' if further else '')
    )


def check_display(platform: str) -> None:
    """Raise RenderingUnavailableError for a platform that draws on a display where none is."""
    if platform in _ON_DISPLAY and not (
            os.environ.get('DISPLAY') or os.environ.get('WAYLAND_DISPLAY')):
        raise RenderingUnavailableError(
            f'cannot draw: MUJOCO_GL={platform} needs a display, and DISPLAY is not set; unset '
            'MUJOCO_GL to draw without one')


def _agreed(wish: str, known: list[str]) -> list[str]:
    """Return what to try, so that PyOpenGL, which reads a variable of its own, does the same."""
    other = os.environ.get('PYOPENGL_PLATFORM', '').strip().lower()
    if not other:
        return [wish] if wish else known
    if other not in known or wish not in ('', other):
        raise RenderingUnavailableError(
            f'cannot draw: PYOPENGL_PLATFORM={other!r} does not go with '
            f'{f"MUJOCO_GL={wish}" if wish else "drawing without a display"}; unset it')
    os.environ['PYOPENGL_PLATFORM'] = other  # MuJoCo compares it to the letter
    return [other]


def abandon(context: Any) -> None:
    """
    Let go of one of MuJoCo's EGL contexts that is gone, with no context current afterwards.

    Freeing it, now or when it is collected, would hit a new context: EGL uses handles again.
    """
    platform = sys.modules.get('mujoco.egl')
    if platform is not None:
        platform.EGL.eglReleaseThread()
        context._context = None


def revive_display() -> bool:
    """
    Initialise MuJoCo's EGL display again, if there was one; contexts of before stay lost.

    MuJoCo initialises it once a process, and is not told when another library ends it.
    """
    platform = sys.modules.get('mujoco.egl')
    if platform is None or platform.EGL_DISPLAY is None:
        return False
    return bool(platform.EGL.eglInitialize(platform.EGL_DISPLAY, None, None))
