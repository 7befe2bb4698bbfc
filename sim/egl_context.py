# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""
Which graphics context draws: habitat_sim shares a thread with other users of EGL only with help.

habitat_sim makes its context current once, and trusts that it stays so. MuJoCo makes its own
current for each picture, and nobody puts the other one back. And whoever ends, ends the display
that all of them draw on: `before_exit` has all of them end before that.
"""

import atexit
from collections.abc import Callable
import contextlib
import ctypes
import threading

_DRAW, _READ = 0x3059, 0x305A  # EGL_DRAW, EGL_READ


class EglContext(threading.local):
    """The context of one library in this thread: remember it while it is current, restore it."""

    def __init__(self):
        self._egl = _load_egl()
        self._state: tuple[int, ...] | None = None

    def remember(self) -> None:
        """Take the present context for the library's; none at all forgets it."""
        self._state = self._present()

    def restore(self) -> None:
        """Make the remembered context current, if it is not. Does nothing where none is known."""
        if self._state is None or self._present() == self._state:
            return
        display, draw, read, context = self._state
        self._egl.eglMakeCurrent(display, draw, read, context)

    def _present(self) -> tuple[int, ...] | None:
        if self._egl is None:
            return None
        context = self._egl.eglGetCurrentContext()
        if not context:
            return None
        surfaces = (self._egl.eglGetCurrentSurface(side) for side in (_DRAW, _READ))
        return (self._egl.eglGetCurrentDisplay(), *surfaces, context)


_closers: list[Callable[[], None]] = []


def before_exit(close: Callable[[], None]) -> None:
    """
    Have graphics freed when the process ends, what was made last first.

    All of it is freed before anything runs that was registered with `atexit` until now, such as
    MuJoCo's end of the display.
    """
    _closers.append(close)
    atexit.unregister(_close_all)
    atexit.register(_close_all)


def _close_all() -> None:
    with contextlib.ExitStack() as stack:  # the last one first, and all of them, come what may
        for close in _closers:
            stack.callback(close)
    _closers.clear()


def _load_egl() -> ctypes.CDLL | None:
    try:
        egl = ctypes.CDLL('libEGL.so.1')
    except OSError:
        return None  # habitat_sim draws by other means here
    pointer = ctypes.c_void_p
    egl.eglGetCurrentContext.restype = pointer
    egl.eglGetCurrentDisplay.restype = pointer
    egl.eglGetCurrentSurface.restype = pointer
    egl.eglGetCurrentSurface.argtypes = [ctypes.c_int32]
    egl.eglMakeCurrent.argtypes = [pointer, pointer, pointer, pointer]
    egl.eglMakeCurrent.restype = ctypes.c_uint
    return egl
