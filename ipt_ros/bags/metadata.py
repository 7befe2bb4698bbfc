# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""
metadata.yaml of a rosbag2 folder, version 9 (ROS 2 Jazzy), from what its MCAP files say.

https://github.com/ros2/rosbag2/blob/jazzy/rosbag2_storage/include/rosbag2_storage/yaml.hpp
"""

from collections.abc import Sequence
from dataclasses import dataclass
import os
from pathlib import Path
from typing import Any

from mcap.summary import Summary
from rosbags.interfaces import Qos
from rosbags.rosbag2.metadata import dump_qos_v9, parse_qos
import yaml

METADATA = 'metadata.yaml'
VERSION = 9
QOS_KEY, HASH_KEY = 'offered_qos_profiles', 'topic_type_hash'


@dataclass(frozen=True)
class TopicSummary:
    """A topic of a bag: its type, how many messages, and the publishers' profiles."""

    name: str
    type: str
    type_hash: str
    count: int
    qos: tuple[Qos, ...]


@dataclass(frozen=True)
class BagSummary:
    """
    What is in a bag. start, end: log times (ns) of the first and last message.

    files: names of the MCAP files in order, with the start, end and message count of each.
    packed: whether each message is compressed by itself (zstd). distro: the ROS that recorded it,
    '' for the one that is here. custom: what else the recorder was told to write down.
    """

    topics: tuple[TopicSummary, ...]
    start: int
    end: int
    count: int
    files: tuple[tuple[str, int, int, int], ...]
    packed: bool = False
    distro: str = ''
    custom: dict[str, Any] | None = None


def usual_distro() -> str:
    """Return the ROS that is here."""
    return os.environ.get('ROS_DISTRO', 'jazzy')


def qos_text(profiles: Sequence[Qos]) -> str:
    """Return publishers' profiles as a channel's metadata holds them."""
    return yaml.safe_dump(dump_qos_v9(list(profiles)), sort_keys=False) if profiles else ''


def combine(summaries: Sequence[tuple[Path, Summary]]) -> BagSummary:
    """Return what a bag of these finished files holds; files without messages do not count."""
    topics: dict[tuple, TopicSummary] = {}
    files = []
    for path, summary in summaries:
        statistics = summary.statistics
        if statistics.message_count:
            files.append((path.name, statistics.message_start_time, statistics.message_end_time,
                          statistics.message_count))
        for channel in summary.channels.values():
            schema = summary.schemas.get(channel.schema_id)
            kind = schema.name if schema else ''
            qos = tuple(parse_qos(channel.metadata.get(QOS_KEY, '')))
            # Readers match channels by these three, also where files of a bag differ.
            key = channel.topic, kind, qos
            topics[key] = TopicSummary(
                channel.topic, kind, channel.metadata.get(HASH_KEY, ''),
                (topics[key].count if key in topics else 0)
                + statistics.channel_message_counts.get(channel.id, 0), qos)
    return BagSummary(
        tuple(sorted(topics.values(), key=lambda topic: (topic.name, topic.type))),
        min((start for _, start, _, _ in files), default=0),
        max((end for _, _, end, _ in files), default=0),
        sum(count for *_, count in files), tuple(files))


def write_metadata(folder: Path, bag: BagSummary) -> None:
    """Write metadata.yaml as a whole or not at all. Raises OSError."""
    text = yaml.safe_dump({'rosbag2_bagfile_information': _information(bag)}, sort_keys=False)
    path = folder / METADATA
    partial = path.with_suffix('.yaml.partial')
    with partial.open('w', encoding='utf-8') as stream:
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())
    partial.replace(path)
    sync_folder(folder)


def sync_folder(folder: Path) -> None:
    """Make new names in a folder outlive a power cut."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _information(bag: BagSummary) -> dict[str, Any]:
    def time_span(start: int, end: int) -> dict[str, Any]:
        return {'starting_time': {'nanoseconds_since_epoch': start},
                'duration': {'nanoseconds': end - start}}

    return {
        'version': VERSION,
        'storage_identifier': 'mcap',
        **time_span(bag.start, bag.end),
        'message_count': bag.count,
        'topics_with_message_count': [
            {
                'topic_metadata': {
                    'name': topic.name,
                    'type': topic.type,
                    'serialization_format': 'cdr',
                    'offered_qos_profiles': dump_qos_v9(list(topic.qos)),
                    'type_description_hash': topic.type_hash,
                },
                'message_count': topic.count,
            }
            for topic in bag.topics],
        'compression_format': 'zstd' if bag.packed else '',
        'compression_mode': 'MESSAGE' if bag.packed else '',
        'relative_file_paths': [name for name, *_ in bag.files],
        'files': [
            {'path': name, **time_span(start, end), 'message_count': count}
            for name, start, end, count in bag.files],
        'custom_data': bag.custom,
        'ros_distro': bag.distro or usual_distro(),
    }
