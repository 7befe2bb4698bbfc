# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""
A bag that is written on a thread of its own, so that a slow disk does not slow the robot.

What the disk cannot take waits in memory up to a limit; beyond it messages are dropped, counted by
topic. An error of the disk ends the recording, not the program.
"""

from collections import deque
from dataclasses import dataclass, field
from pathlib import Path
import shutil
import threading
from time import monotonic

from ipt_ros.bags.errors import BagError
from ipt_ros.bags.repairing import inspect
from ipt_ros.bags.topic import BagTopic
from ipt_ros.bags.writer import BagWriter, WriterOptions


@dataclass(frozen=True)
class RecordingOptions:
    """
    How to record.

    sync_period: seconds between two moments at which everything is brought to the disk; a crash
    takes at most that much. queue_bytes: of messages that wait for the disk. min_free: bytes that
    must stay free on the disk; below, recording ends in good order.
    """

    writer: WriterOptions = field(default_factory=WriterOptions)
    sync_period: float = 0.5
    queue_bytes: int = 256 << 20
    min_free: int = 0


@dataclass(frozen=True)
class TopicCount:
    """Messages of a topic: handed over for writing, and dropped because too many waited."""

    name: str
    taken: int
    dropped: int


@dataclass(frozen=True)
class _Message:
    topic: int
    data: bytes
    log_time: int
    publish_time: int


class Recording:
    """A bag that is being recorded. `add_topic` and `put` belong to one thread."""

    def __init__(self, folder: Path, options: RecordingOptions | None = None):
        """Make the bag. Raises BagError where that cannot be."""
        self.folder = folder
        self._options = options or RecordingOptions()
        self._names: list[str] = []
        self._taken: list[int] = []
        self._dropped: list[int] = []
        self._error = ''
        self._stopping = False
        self._waiting: deque[BagTopic | _Message] = deque()
        self._waiting_bytes = 0
        self._changed = threading.Condition()
        self._check_space()
        self._writer = BagWriter(folder, self._options.writer)
        self._size = 0
        self._thread = threading.Thread(target=self._run, name='bag', daemon=True)
        self._thread.start()

    @property
    def error(self) -> str:
        """Why the recording has ended by itself; empty while it goes on."""
        return self._error

    @property
    def size(self) -> int:
        """Bytes written to the disk."""
        return self._size

    @property
    def waiting(self) -> int:
        """Bytes that wait for the disk."""
        return self._waiting_bytes

    def counts(self) -> list[TopicCount]:
        """Return how many messages of each topic were taken and dropped."""
        with self._changed:
            return [TopicCount(*row) for row in zip(self._names, self._taken, self._dropped)]

    def add_topic(self, topic: BagTopic) -> int:
        """Make a topic known; return its number for `put`."""
        with self._changed:
            self._names.append(topic.name)
            self._taken.append(0)
            self._dropped.append(0)
            self._waiting.append(topic)
            self._changed.notify()
            return len(self._names) - 1

    def put(self, topic: int, data: bytes, log_time: int, publish_time: int) -> bool:
        """
        Hand over a message (CDR; times in ns); tell whether it is taken or dropped.

        It is dropped where the disk is too slow, or after an error.
        """
        with self._changed:
            full = self._waiting_bytes + len(data) > self._options.queue_bytes
            if self._error or self._stopping or (full and self._waiting_bytes):
                self._dropped[topic] += 1
                return False
            self._taken[topic] += 1
            self._waiting.append(_Message(topic, data, log_time, publish_time))
            self._waiting_bytes += len(data)
            self._changed.notify()
            return True

    def stop(self) -> str:
        """Write what waits, then the index; return `error`."""
        with self._changed:
            self._stopping = True
            self._changed.notify()
        self._thread.join()
        return self._error

    def _run(self) -> None:
        try:
            self._write_until_stopped()
            self._writer.close()
        except BagError as error:
            self._fail(str(error))
        self._size = self._writer.size

    def _write_until_stopped(self) -> None:
        next_sync = monotonic() + self._options.sync_period
        while True:
            with self._changed:
                self._changed.wait_for(
                    lambda: self._waiting or self._stopping, max(0.0, next_sync - monotonic()))
                item = self._waiting.popleft() if self._waiting else None
                if item is None and self._stopping:
                    return
                if isinstance(item, _Message):
                    self._waiting_bytes -= len(item.data)
            if isinstance(item, BagTopic):
                self._writer.add_topic(item)
            elif item is not None:
                self._writer.write(item.topic, item.data, item.log_time, item.publish_time)
            if monotonic() >= next_sync:
                self._sync()
                next_sync = monotonic() + self._options.sync_period

    def _sync(self) -> None:
        self._writer.flush()
        self._size = self._writer.size
        try:
            self._check_space()
        except BagError:
            self._writer.close()
            raise

    def _check_space(self) -> None:
        """Raise BagError where too little of the disk is free."""
        least = self._options.min_free
        place = next(p for p in (self.folder, *self.folder.parents) if p.exists())
        free = shutil.disk_usage(place).free
        if free < least:
            raise BagError(
                f"the disk of '{self.folder}' has {free / 1e6:.0f} MB left, and "
                f'{least / 1e6:.0f} MB must stay free (parameter min_free_space); what was '
                'recorded is complete. Make room, then start again')

    def _fail(self, reason: str) -> None:
        """End with an error; what is not in the bag counts as dropped."""
        try:
            written = {topic.name: topic.count for topic in inspect(self.folder).topics}
        except BagError:
            written = None  # the disk does not even take the index
        with self._changed:
            self._error = reason
            lost = [taken - written.get(name, 0) for name, taken in zip(self._names, self._taken)
                    ] if written is not None else [
                sum(isinstance(item, _Message) and item.topic == number for item in self._waiting)
                for number in range(len(self._names))]
            for number, count in enumerate(lost):
                self._taken[number] -= count
                self._dropped[number] += count
            self._waiting.clear()
            self._waiting_bytes = 0
