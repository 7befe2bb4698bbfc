# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""
Frames of several cameras that belong to one moment.

No ROS in here: stamps are integers (ns), messages are anything.
"""

from bisect import bisect_right, insort
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

_HOUR = 3_600_000_000_000  # ns
_DAY = 24 * _HOUR
_YEAR = 365.25 * _DAY
_LONG_AGO = 20 * _YEAR  # stamps before 1990 count from a boot or from the start of a simulation

# Returns what else is known of cameras (topics, losses) that are late, or silent; '': nothing.
Tell = Callable[[Iterable[str], bool], str]


def _nothing(cameras: Iterable[str], silent: bool) -> str:
    return ''


class SyncError(Exception):
    """No usable set of frames; the subclass says why, the message what to do."""


class NoFrameError(SyncError):
    """No camera has delivered anything yet."""


class StaleFrameError(SyncError):
    """Every needed frame is too old, or some are by their stamps alone, or in the future."""


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
        """Return the message with the highest stamp."""
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
        self._arrivals: dict[str, int] = {}
        self._histories = {name: History(length) for name in cameras}

    @property
    def cameras(self) -> tuple[str, ...]:
        """Return the names of all cameras, in order."""
        return tuple(self._histories)

    def add(self, camera: str, stamp: int, message: Any, arrived: int | None = None) -> None:
        """
        Keep a frame of a camera.

        arrived: ns by the clock that `pick` is told: it tells a camera that is silent from one
        whose stamps are wrong. Without it only stamps that are off by more than a day are wrong.
        """
        self._histories[camera].add(stamp, message, reset_after(self._max_age))
        if arrived is not None:
            self._arrivals[camera] = arrived

    def newest_stamp(self, camera: str) -> int | None:
        """Return the stamp (ns) of a camera's newest frame, None before the first."""
        newest = self._histories[camera].newest
        return newest.stamp if newest else None

    def clear(self) -> None:
        """Forget all frames."""
        self._arrivals.clear()
        for history in self._histories.values():
            history.clear()

    def clock_faults(self, now: int) -> dict[str, str]:
        """Return what is wrong with the stamps of cameras whose frames come, but are of no use."""
        return {name: _fault(name, offset) for name, offset in self._offsets(now).items()}

    def _offsets(self, now: int) -> dict[str, int]:
        """Return by how much (ns) cameras stamp their frames late, or early, where too much."""
        offsets = {}
        for name, history in self._histories.items():
            if not history.newest:
                continue
            arrived = self._arrivals.get(name)
            offset = history.newest.stamp - (now if arrived is None else arrived)
            delivers = offset < -_DAY if arrived is None else now - arrived <= self._max_age
            if now - history.newest.stamp < -self._max_age or (
                    delivers and offset < -self._max_age):
                offsets[name] = offset
        return offsets

    def pick(self, cameras: Iterable[str], now: int, tell: Tell = _nothing) -> dict[str, Stamped]:
        """
        Return the newest set of frames of these cameras, in their order.

        tell(cameras, silent): what a refusal is to say of these, beside their names and ages.
        Raises UnknownCameraError, NoFrameError, StaleFrameError, CameraSilentError or
        NotSynchronisedError.
        """
        cameras = list(cameras)
        unknown = [name for name in cameras if name not in self._histories]
        if unknown:
            raise UnknownCameraError(
                f'unknown camera {_names(unknown)}; configured: {_names(self.cameras)}')
        self._check_alive(cameras, now, tell)

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
            "the cameras or raise the parameter 'slop'" + _told(cameras, False, tell))

    def _check_alive(self, cameras: list[str], now: int, tell: Tell) -> None:
        """Raise where a needed camera has no frame that is fresh."""
        ages = {name: now - history.newest.stamp
                for name, history in self._histories.items() if history.newest}
        if not ages:
            raise NoFrameError(
                'no camera has delivered a frame yet; check that the drivers run and that their '
                'topics and QoS match (ros2 topic info -v)' + _told(cameras, True, tell))
        offsets = self._offsets(now)
        wrong = {name: offset for name, offset in offsets.items() if name in cameras}
        if wrong:
            raise StaleFrameError(
                f"{', '.join(_fault(*item) for item in wrong.items())} (limit "
                f'{self._max_age / 1e9:.2f} s); {self._advice(wrong, now)}')
        delivering = [name for name, age in ages.items()
                      if age <= self._max_age or name in offsets]
        lacking = [name for name in cameras if name not in delivering]
        if lacking and delivering:
            raise CameraSilentError(
                f'camera {_names(lacking)} is silent ({_ages(lacking, ages)}) while '
                f'{_names(delivering)} deliver; check its driver and topic, or leave it out of '
                "'cameras'" + _told(lacking, True, tell))
        if lacking:
            raise StaleFrameError(
                f'the newest frames are too old ({_ages(lacking, ages)}; limit '
                f"{self._max_age / 1e9:.2f} s); check the drivers and that 'use_sim_time' fits "
                'them' + _told(lacking, True, tell))

    def _advice(self, wrong: dict[str, int], now: int) -> str:
        """Return what to do about stamps that are off by so much (ns)."""
        stamps = [self._histories[name].newest.stamp for name in wrong]
        if now < _LONG_AGO <= min(stamps):
            return (
                f"this node's clock stands at {now / 1e9:.2f} s: 'use_sim_time' is set, but the "
                'cameras stamp with system time, or nothing publishes /clock; unset it, or start '
                'the simulator or bag with its clock')
        if max(stamps) < _LONG_AGO <= now:
            return (
                'is that the time since boot? Set the driver to stamp with system time; where a '
                "simulator or a bag sends the frames, set 'use_sim_time'")
        if all(abs(offset) < _HOUR for offset in wrong.values()):
            return (
                'synchronise the clocks of both machines (NTP, PTP), shorten what delays the '
                "frames on their way, or raise the parameter 'max_age'; check 'use_sim_time'")
        return (
            "check the clock, the time zone and the driver of the camera's machine, and that "
            "'use_sim_time' fits them")


def _told(cameras: Iterable[str], silent: bool, tell: Tell) -> str:
    text = tell(cameras, silent)
    return f'. {text}' if text else ''


def _names(names: Iterable[str]) -> str:
    return ', '.join(f"'{name}'" for name in names)


def _ages(cameras: Iterable[str], ages: dict[str, int]) -> str:
    return ', '.join(
        f'{name}: {ages[name] / 1e9:.2f} s old' if name in ages else f'{name}: no frame yet'
        for name in cameras)


def _fault(camera: str, offset: int) -> str:
    """Say by how much (ns) a camera stamps its frames before or after a node's clock."""
    direction = 'before' if offset < 0 else 'in the future of'
    return (f"camera '{camera}' stamps its frames {_span(abs(offset))} {direction} this node's "
            f"clock{': they are too old' if offset < 0 else ''}")


def _span(duration: int) -> str:
    """Return a time (ns) in the unit in which people would say it."""
    for name, unit in (('years', _YEAR), ('days', _DAY), ('hours', _HOUR)):
        if duration >= 2 * unit:
            return f'{duration / unit:.1f} {name}'
    return f'{duration / 1e9:.2f} s'
