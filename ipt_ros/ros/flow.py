# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""
How the frames of a topic flow: how many come, how often, and how many are lost on the way.

No ROS in here: times are numbers, publishers are whatever tells one from another.
"""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

_WINDOW = 10.0  # s over which rates and losses are told
_LEAST = 10  # frames that must have been sent in it for a share to mean anything
LOSSY = 0.2  # share of lost frames from which on people are told


def identities(publishers: Iterable[Any]) -> list[tuple[int, ...]]:
    """Return what tells publishers (rclpy's TopicEndpointInfo) from each other."""
    return [tuple(item.endpoint_gid) for item in publishers]


class GapCounter:
    """
    Counts messages that a publisher has sent and that did not arrive, by its sequence numbers.

    With several publishers on a topic their numbers mix, and nothing can be told.
    """

    def __init__(self):
        """Count from nothing."""
        self.lost = 0
        self._publishers: frozenset = frozenset()
        self._last: int | None = None

    def publishers_are(self, identities: Iterable) -> None:
        """Take note of who publishes now; another one counts from another number."""
        publishers = frozenset(identities)
        if publishers != self._publishers:
            self._publishers, self._last = publishers, None

    def add(self, sequence_number: int | None) -> None:
        """Take note of a message; None: the middleware does not number them."""
        if sequence_number is None or len(self._publishers) != 1:
            return
        # A smaller number: the publisher has restarted, or a late joiner gets what was before.
        if self._last is not None and sequence_number > self._last:
            self.lost += sequence_number - self._last - 1
        self._last = sequence_number


@dataclass(frozen=True)
class _Frame:
    arrived: float  # s, by a clock that is never set
    stamp: int  # ns
    lost: int  # of all frames until it


class Flow:
    """The frames of one topic; times of arrival are seconds by a clock that is never set."""

    def __init__(self):
        """Count from nothing."""
        self.frames = 0
        self._gaps = GapCounter()
        self._recent: deque[_Frame] = deque()

    @property
    def lost(self) -> int:
        """How many frames were sent between those that came, and did not come."""
        return self._gaps.lost

    def publishers_are(self, identities: Iterable) -> None:
        """Take note of who publishes now."""
        self._gaps.publishers_are(identities)

    def add(self, arrived: float, stamp: int, sequence_number: int | None) -> None:
        """Take note of a frame; sequence_number: None where the middleware gives none."""
        self.frames += 1
        self._gaps.add(sequence_number)
        self._recent.append(_Frame(arrived, stamp, self.lost))
        self._forget(arrived)

    def interrupt(self) -> None:
        """Take note that nobody listens for a while: what is sent then is not lost."""
        self._recent.clear()
        self._gaps.publishers_are(())

    def rate(self, now: float) -> float:
        """Return how many frames arrive per second."""
        self._forget(now)
        if len(self._recent) < 2:
            return 0.0
        return (len(self._recent) - 1) / max(now - self._recent[0].arrived, 1e-3)

    def own_rate(self, now: float) -> float:
        """Return how many frames per second the camera sends, by their stamps; 0: not known."""
        self._forget(now)
        stamps = [frame.stamp for frame in self._recent]
        if len(stamps) < 2 or max(stamps) == min(stamps):
            return 0.0
        return (self._sent() - 1) / (max(stamps) - min(stamps)) * 1e9

    def share_lost(self, now: float) -> float:
        """Return which share (0 to 1) of the frames that were sent lately did not arrive."""
        self._forget(now)
        sent = self._sent()
        return (sent - len(self._recent)) / sent if sent >= _LEAST else 0.0

    def _sent(self) -> int:
        if not self._recent:
            return 0
        return len(self._recent) + self._recent[-1].lost - self._recent[0].lost

    def _forget(self, now: float) -> None:
        while self._recent and now - self._recent[0].arrived > _WINDOW:
            self._recent.popleft()
