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


def _egl_works() -> bool:
    """Tell whether some EGL device can be initialised: what MuJoCo itself will ask for."""
    try:
        egl = ctypes.CDLL('libEGL.so.1')
    except OSError:
        return False
    egl.eglGetProcAddress.restype = ctypes.c_void_p
    egl.eglGetProcAddress.argtypes = [ctypes.c_char_p]
    query_address = egl.eglGetProcAddress(b'eglQueryDevicesEXT')
    display_address = egl.eglGetProcAddress(b'eglGetPlatformDisplayEXT')
    if not query_address or not display_address:
        return False
    query = ctypes.CFUNCTYPE(
        ctypes.c_uint, ctypes.c_int, ctypes.POINTER(ctypes.c_void_p), ctypes.POINTER(ctypes.c_int)
    )(query_address)
    get_display = ctypes.CFUNCTYPE(
        ctypes.c_void_p, ctypes.c_uint, ctypes.c_void_p, ctypes.c_void_p
    )(display_address)
    egl.eglInitialize.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p]
    devices, count = (ctypes.c_void_p * 16)(), ctypes.c_int()
    if not query(16, devices, ctypes.byref(count)):
        return False
    displays = (get_display(_PLATFORM_DEVICE, device, None) for device in devices[: count.value])
    return any(display and egl.eglInitialize(display, None, None) for display in displays)


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

    Raises RenderingUnavailableError when neither works, or what the user chose does not. Does
    nothing once mujoco is imported.
    """
    # One renderer process a core is the fast way to run many; Mesa's own threads only get in the
    # way of that, and at camera sizes they gain nothing.
    os.environ.setdefault('LP_NUM_THREADS', '1')
    wish = os.environ.get('MUJOCO_GL', '').lower()
    probes = {'egl': _egl_works, 'osmesa': _osmesa_works}
    if 'mujoco' in sys.modules or not sys.platform.startswith('linux'):
        return wish
    if wish and wish not in probes:
        return wish  # glfw and what else MuJoCo may know
    for platform in [wish] if wish else probes:
        if probes[platform]():
            os.environ['MUJOCO_GL'] = platform
            return platform
    tried = f'MUJOCO_GL={wish} does not work' if wish else 'neither EGL nor OSMesa works'
    raise RenderingUnavailableError(
        f'cannot draw without a display: {tried} on this machine. '
        f'Install what is missing with: apt-get install {APT_PACKAGES}'
    )


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
