# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""
A rosbag2 folder of MCAP files that stays readable however its writer ends.

The writer of `rosbags` keeps its index and metadata.yaml until the very end and flushes nothing on
its own: killed, it leaves a bag that no reader opens. Here whatever `flush` has written is safe,
and `ipt_ros.bags.repair` adds what a killed writer could not.
"""

from dataclasses import dataclass
import os
from pathlib import Path
from typing import BinaryIO

from ipt_ros.bags.errors import BagError, storage_error
from ipt_ros.bags.files import lock, read_summary
from ipt_ros.bags.metadata import (
    BagSummary,
    combine,
    HASH_KEY,
    QOS_KEY,
    qos_text,
    sync_folder,
    write_metadata,
)
from ipt_ros.bags.repairing import repair
from ipt_ros.bags.topic import BagTopic
from mcap.well_known import MessageEncoding, Profile
from mcap.writer import CompressionType, Writer

COMPRESSIONS = ('none', 'lz4', 'zstd')
CHUNK = 1 << 20  # bytes, before compression


@dataclass(frozen=True)
class WriterOptions:
    """
    How to write.

    compression: of each chunk, one of COMPRESSIONS. max_size: bytes, max_duration: seconds of log
    time after which the next file of the bag begins; 0: never.
    """

    compression: str = 'none'
    max_size: int = 2 << 30
    max_duration: float = 0.0

    def __post_init__(self):
        """Refuse values that mean nothing."""
        if self.compression not in COMPRESSIONS:
            raise ValueError(
                f"compression is '{self.compression}'; expected one of: {', '.join(COMPRESSIONS)}")
        if self.max_size < 0 or not self.max_duration >= 0:
            raise ValueError('max_size and max_duration must not be negative; 0: no limit')


class BagWriter:
    """
    Writes a bag. All calls may raise BagError; the bag is then closed as far as possible.

    Not for several threads at a time.
    """

    def __init__(self, folder: Path, options: WriterOptions | None = None):
        """Make the folder, which must not exist yet, and the first file."""
        self.folder = folder
        self._options = options or WriterOptions()
        self._topics: list[BagTopic] = []
        self._channels: list[int] = []
        self._files: list[Path] = []
        self._finished_bytes = 0
        self._stream: BinaryIO | None = None
        self._writer: Writer | None = None
        self._began: int | None = None  # log time (ns) of the first message of the file
        try:
            folder.mkdir(parents=True)
            sync_folder(folder.parent)
            self._open()
        except OSError as error:
            raise storage_error(error, folder) from error

    @property
    def size(self) -> int:
        """Bytes written so far; a chunk that is not full does not count yet."""
        return self._finished_bytes + (self._stream.tell() if self._stream else 0)

    def add_topic(self, topic: BagTopic) -> int:
        """Make a topic known and return its number for `write`."""
        self._topics.append(topic)
        self._attempt(self._register, topic)
        return len(self._topics) - 1

    def write(self, topic: int, data: bytes, log_time: int, publish_time: int) -> None:
        """Append a message: serialised (CDR), received and published at these times (ns)."""
        if self._is_due(log_time):
            self._attempt(self._next_file)
        if self._began is None:
            self._began = log_time
        self._attempt(
            self._writer.add_message, self._channels[topic], log_time, data, publish_time)

    def flush(self) -> None:
        """Bring everything written so far to the disk; from then on a crash cannot take it."""
        self._attempt(self._sync)

    def close(self) -> BagSummary:
        """Write indexes and metadata.yaml; return what is in the bag."""
        self._attempt(self._finish_file)
        try:
            summaries = [(path, read_summary(path)) for path in self._files]
            bag = combine(summaries)
            write_metadata(self.folder, bag)
        except OSError as error:
            raise storage_error(error, self.folder) from error
        return bag

    def _attempt(self, action, *arguments) -> None:
        if self._stream is None:
            raise BagError(f"the bag '{self.folder}' is closed")
        try:
            action(*arguments)
        except OSError as error:
            reason = str(storage_error(error, self.folder))
            if not self._give_up():
                reason += f"; when there is room again, run: ipt bag repair '{self.folder}'"
            raise BagError(reason) from error

    def _give_up(self) -> bool:
        """After a failure: let go of the file and save the bag; tell whether it is whole."""
        stream, self._stream, self._writer = self._stream, None, None
        # Closing the buffer would try to write what has just failed, so close what is below it.
        stream.raw.close()
        try:
            # This cuts off what is torn, which makes a little room even on a full disk.
            repair(self.folder)
            whole = True
        except BagError:
            whole = False  # nothing that was flushed is lost, but the index is missing
        self._finished_bytes = sum(path.stat().st_size for path in self._files if path.exists())
        return whole

    def _open(self) -> None:
        path = self.folder / f'{self.folder.name}_{len(self._files)}.mcap'
        self._stream = path.open('xb')
        lock(self._stream, path)
        self._files.append(path)
        self._began = None
        self._writer = Writer(
            self._stream, chunk_size=CHUNK,
            compression=CompressionType[self._options.compression.upper()])
        self._writer.start(profile=Profile.ROS2, library='ipt_ros')
        self._channels = []
        for topic in self._topics:
            self._register(topic)
        self._sync()
        sync_folder(self.folder)

    def _register(self, topic: BagTopic) -> None:
        schema = self._writer.register_schema(
            topic.type, topic.encoding, topic.definition.encode())
        self._channels.append(self._writer.register_channel(
            topic.name, MessageEncoding.CDR, schema,
            {QOS_KEY: qos_text(topic.qos), HASH_KEY: topic.type_hash}))

    def _sync(self) -> None:
        self._writer.flush()
        os.fdatasync(self._stream.fileno())

    def _is_due(self, log_time: int) -> bool:
        """Tell whether the present file is full."""
        options = self._options
        if self._stream is None or self._began is None:
            return False
        return bool(
            options.max_size and self._stream.tell() >= options.max_size
            or options.max_duration and log_time - self._began >= options.max_duration * 1e9)

    def _next_file(self) -> None:
        self._finish_file()
        self._open()

    def _finish_file(self) -> None:
        self._writer.finish()
        self._stream.flush()
        os.fsync(self._stream.fileno())
        self._finished_bytes += self._stream.tell()
        self._stream.close()
        self._stream = None
