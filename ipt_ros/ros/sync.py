# SPDX-License-Identifier: Apache-2.0
"""
Frames of several cameras that belong to one moment.

No ROS in here: stamps are integers (ns), messages are anything.
"""

from bisect import bisect_right, insort
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any


class SyncError(Exception):
    """No usable set of frames; the subclass says why, the message what to do."""


class NoFrameError(SyncError):
    """No camera has delivered anything yet."""


class StaleFrameError(SyncError):
    """Every needed frame is too old."""


class CameraSilentError(SyncError):
    """Some camera delivers, but one that is needed does not."""


class NotSynchronisedError(SyncError):
    """Every camera delivers, but no set of frames lies close enough in time."""


class UnknownCameraError(SyncError):
    """A camera name that was not configured."""


@dataclass(frozen=True, order=True)
class Stamped:
    """A message and its stamp (ns)."""

    stamp: int
    message: Any = field(compare=False)


class History:
    """The newest few messages of one topic, ordered by stamp."""

    def __init__(self, length: int = 12):
        """`length`: how many messages are kept."""
        self._length = length
        self._items: list[Stamped] = []

    def __len__(self) -> int:
        return len(self._items)

    def add(self, stamp: int, message: Any, reset_after: int = 0) -> None:
        """
        Keep a message. Messages may come out of order by a little.

        A stamp more than `reset_after` ns (0: never) before the newest one means that the clock
        was set back, as a simulator's reset does: everything older is forgotten.
        """
        newest = self.newest
        if newest and reset_after and newest.stamp - stamp > reset_after:
            self._items.clear()
        insort(self._items, Stamped(stamp, message))
        del self._items[:-self._length]

    @property
    def newest(self) -> Stamped | None:
        """The message with the highest stamp."""
        return self._items[-1] if self._items else None

    def stamps(self) -> list[int]:
        """Return the stamps that are kept, ascending."""
        return [item.stamp for item in self._items]

    def newest_until(self, stamp: int) -> Stamped | None:
        """Return the newest message whose stamp is not above `stamp`."""
        index = bisect_right(self._items, Stamped(stamp, None))
        return self._items[index - 1] if index else None

    def nearest(self, stamp: int, tolerance: int) -> Stamped | None:
        """Return the message nearest in time, None where none is within `tolerance` ns."""
        best = min(self._items, key=lambda item: abs(item.stamp - stamp), default=None)
        return best if best and abs(best.stamp - stamp) <= tolerance else None

    def clear(self) -> None:
        """Forget everything."""
        self._items.clear()


def reset_after(max_age: int) -> int:
    """
    Return how far (ns) before the newest stamp one shows that the clock was set back.

    What is older than that is of no use in any case; a frame that is late by less is out of order.
    """
    return max(max_age, 1_000_000_000)


class FrameSynchronizer:
    """
    Picks one frame a camera such that all lie within a slop and none is older than a limit.

    Frames are kept as they came and picked when they are asked for, so a camera that runs while
    nobody asks costs nothing.
    """

    def __init__(self, cameras: Iterable[str], slop: int, max_age: int, length: int = 12):
        """`slop`: most ns between the frames of one set. `max_age`: most ns before now."""
        self._slop = slop
        self._max_age = max_age
        self._histories = {name: History(length) for name in cameras}

    @property
    def cameras(self) -> tuple[str, ...]:
        """The names of all cameras, in order."""
        return tuple(self._histories)

    def add(self, camera: str, stamp: int, message: Any) -> None:
        """Keep a frame of a camera."""
        self._histories[camera].add(stamp, message, reset_after(self._max_age))

    def newest_stamp(self, camera: str) -> int | None:
        """Return the stamp (ns) of a camera's newest frame, None before the first."""
        newest = self._histories[camera].newest
        return newest.stamp if newest else None

    def clear(self) -> None:
        """Forget all frames."""
        for history in self._histories.values():
            history.clear()

    def pick(self, cameras: Iterable[str], now: int) -> dict[str, Stamped]:
        """
        Return the newest set of frames of these cameras, in their order.

        Raises UnknownCameraError, NoFrameError, StaleFrameError, CameraSilentError or
        NotSynchronisedError.
        """
        cameras = list(cameras)
        unknown = [name for name in cameras if name not in self._histories]
        if unknown:
            raise UnknownCameraError(
                f'unknown camera {_names(unknown)}; configured: {_names(self.cameras)}')
        self._check_alive(cameras, now)

        # In any valid set, the newest frame at or before the set's last stamp serves as well.
        oldest_allowed = now - self._max_age
        lasts = {stamp for name in cameras for stamp in self._histories[name].stamps()}
        for last in sorted(lasts, reverse=True):
            picked = {name: self._histories[name].newest_until(last) for name in cameras}
            if all(picked.values()):
                first = min(item.stamp for item in picked.values())
                if last - first <= self._slop and first >= oldest_allowed:
                    return picked
        spread = {name: self._histories[name].newest.stamp for name in cameras}
        raise NotSynchronisedError(
            f'no frames of {_names(cameras)} lie within {self._slop / 1e9:.3f} s; their newest '
            f'are {(max(spread.values()) - min(spread.values())) / 1e9:.3f} s apart. Synchronise '
            "the cameras or raise the parameter 'slop'.")

    def _check_alive(self, cameras: list[str], now: int) -> None:
        """Raise where a needed camera has no frame that is fresh."""
        ages = {name: now - history.newest.stamp
                for name, history in self._histories.items() if history.newest}
        if not ages:
            raise NoFrameError(
                'no camera has delivered a frame yet; check that the drivers run and that their '
                'topics and QoS match (ros2 topic info -v)')
        fresh = [name for name, age in ages.items() if age <= self._max_age]
        lacking = [name for name in cameras if name not in fresh]
        if lacking and fresh:
            raise CameraSilentError(
                f'camera {_names(lacking)} is silent ({_ages(lacking, ages)}) while '
                f'{_names(fresh)} deliver; check its driver and topic, or leave it out of '
                "'cameras'")
        if lacking:
            raise StaleFrameError(
                f'the newest frames are too old ({_ages(lacking, ages)}; limit '
                f"{self._max_age / 1e9:.2f} s); check the drivers and that 'use_sim_time' fits "
                'them')
        ahead = [name for name in cameras if ages[name] < -self._max_age]
        if ahead:
            raise StaleFrameError(
                f'camera {_names(ahead)} stamps its frames {_ages(ahead, ages)}: in the future of '
                "this node's clock; check 'use_sim_time' and the clocks of both machines")


def _names(names: Iterable[str]) -> str:
    return ', '.join(f"'{name}'" for name in names)


def _ages(cameras: Iterable[str], ages: dict[str, int]) -> str:
    return ', '.join(
        f'{name}: {ages[name] / 1e9:.2f} s old' if name in ages else f'{name}: no frame yet'
        for name in cameras)
