# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""
In which order the habitat_sim.Simulators of a thread end.

The first makes the graphics context that all of them draw in, and takes it along when it is
closed. So it is closed last: at once where it is the only one, else with the last of the others.
"""

from collections.abc import Callable
import threading
from typing import Any

from ipt_sim.egl_context import before_exit, EglContext


class HabitatSimulators(threading.local):
    """
    The simulators of this thread that are open.

    context: in which they draw, restored before one is closed.
    """

    def __init__(self, context: EglContext):
        self._context = context
        self._open: list[Any] = []  # in the order of their starts
        self._first_is_done = False  # its user closed it already

    def start(self, make: Callable[[], Any]) -> Any:
        """Return what `make` makes; it is closed when the process ends, if not before."""
        simulator = make()
        if not self._open:
            before_exit(self.end_all)
        self._open.append(simulator)
        return simulator

    def end(self, simulator: Any) -> None:
        """Close a simulator as soon as no other one needs its context."""
        place = next((k for k, item in enumerate(self._open) if item is simulator), None)
        if place is None:
            return
        if place == 0 and len(self._open) > 1:
            self._first_is_done = True
            return
        self._close(self._open.pop(place))
        if self._first_is_done and len(self._open) == 1:
            self._close(self._open.pop())
        if not self._open:
            self._first_is_done = False

    def end_all(self) -> None:
        """Close all simulators of the calling thread, the first one last."""
        while self._open:
            self._close(self._open.pop())
        self._first_is_done = False

    def _close(self, simulator: Any) -> None:
        self._context.restore()
        simulator.close()
        self._context.remember()  # nothing, where the context was its own
