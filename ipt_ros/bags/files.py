# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""
One MCAP file: whether it was finished, what is in it, and how to finish it after a crash.

A writer ends a file with a summary (schemas, channels, where chunks, attachments and metadata are,
counts) and a footer.
A file whose writer was killed lacks both, and its last records may be cut short; everything before
them is whole. Format: https://mcap.dev/spec.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
import fcntl
from io import BytesIO
import os
from pathlib import Path
import struct
from typing import BinaryIO
import zlib

from ipt_ros.bags.errors import BagError, storage_error
from mcap.data_stream import ReadDataStream, RecordBuilder
from mcap.exceptions import McapError
from mcap.opcode import Opcode
from mcap.reader import SeekingReader
from mcap.records import (
    Attachment,
    AttachmentIndex,
    Channel,
    Chunk,
    ChunkIndex,
    DataEnd,
    Footer,
    Header,
    McapRecord,
    Message,
    MessageIndex,
    Metadata,
    MetadataIndex,
    Schema,
    Statistics,
    SummaryOffset,
)
from mcap.stream_reader import get_chunk_data_stream
from mcap.summary import Summary
from mcap.writer import MCAP0_MAGIC

# A writer that was killed leaves at most its last chunk torn. More than this is another kind of
# damage, and cutting it off might throw away what somebody could still save.
MOST_CUT = 64 << 20  # bytes
_HEAD = struct.Struct('<BQ')  # opcode and length, before every record
_END = (Opcode.DATA_END, Opcode.FOOTER)
_RECORDER = 'rosbag2'  # name of the record in which its recorder keeps the text of metadata.yaml
ZSTD_MAGIC = bytes((0x28, 0xB5, 0x2F, 0xFD))


class EmptyFileError(BagError):
    """A file holds no whole message: its writer was killed before the first one."""


@dataclass
class Facts:
    """
    What a file tells besides its messages.

    profile: who may read it, 'ros2'. forms: how messages begin, of 'cdr', 'zstd' and 'other'.
    recorder: what its recorder wrote about the bag, as YAML; '' where it wrote nothing.
    """

    profile: str = ''
    forms: set[str] = field(default_factory=set)
    recorder: str = ''

    def add_message(self, data: bytes) -> None:
        """Take note of how a message begins; CDR says in two bytes how it is encoded."""
        begin = bytes(data[:4])
        self.forms.add('zstd' if begin == ZSTD_MAGIC else 'other' if begin[:1] > b'\0' else 'cdr')

    def add_metadata(self, metadata: Metadata) -> None:
        """Take note of a metadata record; the newest of the recorder counts."""
        if metadata.name == _RECORDER:
            self.recorder = metadata.metadata.get('serialized_metadata', '')


@dataclass
class _Scan:
    """Everything whole in a file; good_end: where the last whole record ends."""

    summary: Summary = field(default_factory=Summary)
    missing: list[MessageIndex] = field(default_factory=list)
    good_end: int = 0
    damaged: int = 0
    counts: Counter = field(default_factory=Counter)
    first: int | None = None
    last: int = 0
    facts: Facts = field(default_factory=Facts)

    def count(self, channel_id: int, times: list[int]) -> None:
        """Take note of messages, log times in ns."""
        self.counts[channel_id] += len(times)
        self.first = min(times) if self.first is None else min(self.first, *times)
        self.last = max(self.last, *times)

    def statistics(self) -> Statistics:
        return Statistics(
            attachment_count=len(self.summary.attachment_indexes),
            channel_count=len(self.summary.channels),
            channel_message_counts=dict(self.counts),
            chunk_count=len(self.summary.chunk_indexes),
            message_count=self.counts.total(),
            metadata_count=len(self.summary.metadata_indexes),
            message_start_time=self.first or 0, message_end_time=self.last,
            schema_count=len(self.summary.schemas))


def read_summary(path: Path) -> Summary | None:
    """
    Return the summary of a finished file, None where it was not finished.

    Raises BagError where the file cannot be opened.
    """
    try:
        with path.open('rb') as stream:
            size = os.fstat(stream.fileno()).st_size
            stream.seek(max(0, size - len(MCAP0_MAGIC)))
            if size < 64 or stream.read() != MCAP0_MAGIC:
                return None
            stream.seek(0)
            summary = SeekingReader(stream, record_size_limit=size).get_summary()
    except (McapError, ValueError, struct.error):
        return None
    except OSError as error:
        raise BagError(f"cannot read '{path}': {error.strerror}") from error
    return summary if summary and summary.statistics else None


def read_facts(path: Path, summary: Summary) -> Facts:
    """
    Return what a finished file tells besides its messages, of which the first few are looked at.

    Raises BagError where it cannot be read.
    """
    try:
        with path.open('rb') as stream:
            size = os.fstat(stream.fileno()).st_size
            stream.seek(len(MCAP0_MAGIC))
            facts = Facts()
            for opcode, content, _ in _records(stream, size):
                if opcode == Opcode.HEADER:
                    facts.profile = _read(Header, content).profile
                elif opcode == Opcode.MESSAGE:
                    facts.add_message(_message(content).data)
                elif opcode == Opcode.CHUNK:
                    _Contents(_read(Chunk, content), 0, 0, facts)
                if facts.forms or opcode in _END:
                    break
            for index in summary.metadata_indexes:
                stream.seek(index.offset + _HEAD.size)
                facts.add_metadata(_read(Metadata, stream.read(index.length - _HEAD.size)))
    except OSError as error:
        raise BagError(f"cannot read '{path}': {error.strerror}") from error
    except Exception as error:  # every decompressor has exceptions of its own
        raise BagError(f"cannot read '{path}': {error}") from error
    return facts


class Unfinished:
    """
    A file whose writer was killed, kept from other processes until it is closed.

    summary: what is whole in it. facts: what else it tells. cut: bytes of torn records at its end.
    damaged: chunks in its middle that fail their checksum and are left out of the index.
    """

    def __init__(self, path: Path, force: bool = False):
        """
        Look through a file; nothing is written. force: cut even more than `MOST_CUT` bytes.

        Raises EmptyFileError where there is no message, and BagError where the file is still being
        written.
        """
        self._path = path
        try:
            self._stream = path.open('r+b')
        except OSError as error:
            raise storage_error(error, path) from error
        try:
            self._look(force)
        except OSError as error:
            self.close()
            raise storage_error(error, path) from error
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> 'Unfinished':
        return self

    def __exit__(self, *_) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file."""
        self._stream.close()

    def _look(self, force: bool) -> None:
        lock(self._stream, self._path)
        size = os.fstat(self._stream.fileno()).st_size
        self._scan = scan = _scan(self._stream, size, self._path)
        self.summary, self.facts, self.damaged = scan.summary, scan.facts, scan.damaged
        self.cut = size - scan.good_end
        if self.cut > MOST_CUT and not force:
            raise BagError(
                f"'{self._path}' cannot be read from byte {scan.good_end} on: repairing would cut "
                f'off {self.cut / 1e6:.0f} MB. Keep a copy, then repeat with --force')
        if not scan.summary.statistics.message_count:
            raise EmptyFileError(f"'{self._path}' has no whole message in it")

    def finish(self) -> None:
        """
        Cut off torn records, then write index and footer. Killed on its way, it can be run again.

        Raises BagError where the storage does not take it.
        """
        stream = self._stream
        try:
            stream.seek(self._scan.good_end)
            stream.truncate()
            stream.write(_ending(self._scan))
            stream.flush()
            os.fsync(stream.fileno())
        except OSError as error:
            # Closing would try to write what has just failed.
            stream.raw.close()
            raise storage_error(error, self._path) from error


def lock(stream: BinaryIO, path: Path) -> None:
    """
    Keep other processes from repairing a file while it is being written.

    The kernel frees the lock when the file is closed or the process ends, however that happens.
    Raises BagError where another process has it.
    """
    try:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise BagError(f"'{path}' is still being written by another process") from None


def _records(stream: BinaryIO, size: int) -> Iterator[tuple[int, bytes, int]]:
    """Yield (opcode, content, offset of the record) of each record that is there as a whole."""
    while True:
        offset = stream.tell()
        head = stream.read(_HEAD.size)
        if len(head) < _HEAD.size:
            return
        opcode, length = _HEAD.unpack(head)
        if opcode == 0 or length > size - offset - _HEAD.size:
            return
        yield opcode, stream.read(length), offset


def _read(kind: type[McapRecord], content: bytes) -> McapRecord:
    return kind.read(ReadDataStream(BytesIO(content)))


def _message(content: bytes) -> Message:
    return Message.read(ReadDataStream(BytesIO(content)), len(content))


def _scan(stream: BinaryIO, size: int, path: Path) -> _Scan:
    """Go through a file up to the first thing that is not whole."""
    stream.seek(0)
    if stream.read(len(MCAP0_MAGIC)) != MCAP0_MAGIC:
        raise EmptyFileError(f"'{path}' is not an MCAP file, or nothing was written to it yet")
    scan = _Scan(good_end=len(MCAP0_MAGIC))
    chunk: _Contents | None = None  # the newest one; its message indexes follow it
    for opcode, content, offset in _records(stream, size):
        if opcode in _END:
            break
        if opcode == Opcode.MESSAGE_INDEX and chunk is not None:
            if chunk.take_index(_read(MessageIndex, content), offset):
                scan.good_end = stream.tell()
            continue
        if opcode == Opcode.CHUNK:
            try:
                chunk = _Contents(
                    _read(Chunk, content), offset, stream.tell() - offset, scan.facts)
            except Exception:  # every decompressor has exceptions of its own
                chunk = None
                scan.damaged += 1
                continue
            chunk.add_to(scan)
        elif opcode == Opcode.SCHEMA:
            schema = _read(Schema, content)
            scan.summary.schemas[schema.id] = schema
        elif opcode == Opcode.CHANNEL:
            channel = _read(Channel, content)
            scan.summary.channels[channel.id] = channel
        elif opcode == Opcode.MESSAGE:
            message = _message(content)
            scan.facts.add_message(message.data)
            scan.count(message.channel_id, [message.log_time])
        elif opcode == Opcode.HEADER:
            scan.facts.profile = _read(Header, content).profile
        elif opcode == Opcode.ATTACHMENT:
            attachment = _read(Attachment, content)
            scan.summary.attachment_indexes.append(AttachmentIndex(
                offset=offset, length=stream.tell() - offset, log_time=attachment.log_time,
                create_time=attachment.create_time, data_size=len(attachment.data),
                name=attachment.name, media_type=attachment.media_type))
        elif opcode == Opcode.METADATA:
            metadata = _read(Metadata, content)
            scan.facts.add_metadata(metadata)
            scan.summary.metadata_indexes.append(MetadataIndex(
                offset=offset, length=stream.tell() - offset, name=metadata.name))
        if opcode != Opcode.CHUNK:
            chunk = None  # whatever index it has is complete
        scan.good_end = stream.tell()
    if chunk is not None and not chunk.indexed:
        # Killed between a chunk and its message indexes: these are written again.
        scan.good_end = chunk.end
        scan.missing = list(chunk.indexes.values())
        chunk.place_indexes()
    scan.summary.statistics = scan.statistics()
    return scan


class _Contents:
    """A whole chunk: where it is, the index of its messages, and its schemas and channels."""

    def __init__(self, chunk: Chunk, offset: int, length: int, facts: Facts):
        """Read it, tell facts of its messages; raise whatever comes where it is damaged."""
        self.schemas: dict[int, Schema] = {}
        self.channels: dict[int, Channel] = {}
        self.indexes: dict[int, MessageIndex] = {}
        self.end = offset + length
        stream, size = get_chunk_data_stream(chunk, validate_crc=True)
        if size != chunk.uncompressed_size:
            raise ValueError('the chunk has another size than it says')
        while stream.count < size:
            at = stream.count
            opcode, content_length = stream.read1(), stream.read8()
            content = stream.read(content_length)
            if opcode == Opcode.SCHEMA:
                schema = _read(Schema, content)
                self.schemas[schema.id] = schema
            elif opcode == Opcode.CHANNEL:
                channel = _read(Channel, content)
                self.channels[channel.id] = channel
            elif opcode == Opcode.MESSAGE:
                message = _message(content)
                facts.add_message(message.data)
                self.indexes.setdefault(
                    message.channel_id, MessageIndex(message.channel_id, [])
                ).records.append((message.log_time, at))
        self.index = ChunkIndex(
            message_start_time=chunk.message_start_time, message_end_time=chunk.message_end_time,
            chunk_start_offset=offset, chunk_length=length, message_index_offsets={},
            message_index_length=0, compression=chunk.compression,
            compressed_size=len(chunk.data), uncompressed_size=size)

    @property
    def indexed(self) -> bool:
        """Whether all of its message indexes follow it."""
        return self.index.message_index_offsets.keys() == self.indexes.keys()

    def add_to(self, scan: _Scan) -> None:
        scan.summary.schemas.update(self.schemas)
        scan.summary.channels.update(self.channels)
        scan.summary.chunk_indexes.append(self.index)
        for channel_id, index in self.indexes.items():
            scan.count(channel_id, [time for time, _ in index.records])

    def take_index(self, found: MessageIndex, offset: int) -> bool:
        """Take note of a message index behind the chunk; tell whether that was the last one."""
        if found.channel_id in self.indexes:
            self.index.message_index_offsets[found.channel_id] = offset
            self.index.message_index_length += _size(found)
        return self.indexed

    def place_indexes(self) -> None:
        """Count on all message indexes right behind the chunk."""
        offset = self.end
        for channel_id, index in self.indexes.items():
            self.index.message_index_offsets[channel_id] = offset
            offset += _size(index)
        self.index.message_index_length = offset - self.end


def _size(record: McapRecord) -> int:
    builder = RecordBuilder()
    record.write(builder)
    return builder.count


def _ending(scan: _Scan) -> bytes:
    """Return everything that belongs behind the last whole record."""
    data, summary = RecordBuilder(), scan.summary
    for index in scan.missing:
        index.write(data)
    DataEnd(0).write(data)
    start = scan.good_end + data.count
    groups = (
        (Opcode.SCHEMA, list(summary.schemas.values())),
        (Opcode.CHANNEL, list(summary.channels.values())),
        (Opcode.STATISTICS, [summary.statistics]),
        (Opcode.CHUNK_INDEX, summary.chunk_indexes),
        (Opcode.ATTACHMENT_INDEX, summary.attachment_indexes),
        (Opcode.METADATA_INDEX, summary.metadata_indexes))
    records, offsets = RecordBuilder(), []
    for opcode, group in groups:
        begin = records.count
        for record in group:
            record.write(records)
        if group:
            offsets.append(SummaryOffset(
                group_opcode=opcode, group_start=start + begin,
                group_length=records.count - begin))
    offset_start = start + records.count
    for record in offsets:
        record.write(records)
    content = records.end()
    # The checksum covers the summary and the footer up to the checksum itself.
    crc = zlib.crc32(struct.pack('<BQQQ', Opcode.FOOTER, 20, start, offset_start),
                     zlib.crc32(content))
    footer = RecordBuilder()
    Footer(summary_start=start, summary_offset_start=offset_start, summary_crc=crc).write(footer)
    return data.end() + content + footer.end() + MCAP0_MAGIC
