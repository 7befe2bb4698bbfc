# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""Bags as they are written: what other tools read in them, splitting, disks that do not obey."""

from contextlib import contextmanager
import os
from pathlib import Path
import resource
import subprocess

from hypothesis import given, settings
from hypothesis import strategies as st
from ipt_ros.bags import BagError, BagTopic, BagWriter, inspect, WriterOptions
from mcap.reader import make_reader
import pytest
from rosbags.rosbag2 import Reader
from rosbags.typesys import get_typestore, Stores
import yaml

from .conftest import cdr_string, INT, LATCHED, messages, STRING

SECOND = 1_000_000_000


def write(folder, count, options=None, text='hello'):
    writer = BagWriter(folder, options)
    topic = writer.add_topic(STRING)
    for number in range(count):
        writer.write(topic, cdr_string(f'{text} {number}'), number * SECOND, number * SECOND)
    return writer.close()


@settings(max_examples=12)
@given(rows=st.lists(st.tuples(
           st.integers(0, 1), st.binary(max_size=200), st.integers(0, 2**40), st.booleans()),
           max_size=12),
       compression=st.sampled_from(['none', 'lz4', 'zstd']),
       max_size=st.sampled_from([0, 300]))
def test_what_is_written_is_read_by_rosbags_and_mcap(
    tmp_path_factory, rows, compression, max_size,
):
    folder = tmp_path_factory.mktemp('bags') / 'bag'
    writer = BagWriter(folder, WriterOptions(compression, max_size))
    topics = [writer.add_topic(STRING), writer.add_topic(INT)]
    for topic, data, time, flush in rows:
        writer.write(topics[topic], data, time, time + 1)
        if flush:
            writer.flush()
    bag = writer.close()

    expected = {
        item.name: sorted((time, data) for topic, data, time, _ in rows if topic == number)
        for number, item in enumerate((STRING, INT))}
    found = messages(folder) if rows else {}
    assert {name: sorted(found.get(name, [])) for name in expected} == expected
    assert bag == inspect(folder) and bag.count == len(rows)
    by_mcap = []
    for path in folder.glob('*.mcap'):
        with path.open('rb') as stream:
            by_mcap += [
                (channel.topic, message.log_time, message.publish_time, message.data)
                for _, channel, message in make_reader(stream, validate_crcs=True).iter_messages()]
    assert sorted(by_mcap) == sorted(
        ((STRING, INT)[topic].name, time, time + 1, data) for topic, data, time, _ in rows)


def test_bag_says_what_a_reader_needs_to_know(folder):
    write(folder, 3)
    with Reader(folder) as reader:
        connection = reader.connections[0]
        assert (connection.topic, connection.msgtype) == (STRING.name, STRING.type)
        assert connection.msgdef.data == STRING.definition
        assert connection.digest == STRING.type_hash
        assert connection.ext.offered_qos_profiles == [LATCHED]
        assert (reader.start_time, reader.end_time) == (0, 2 * SECOND + 1)
        store = get_typestore(Stores.ROS2_JAZZY)
        texts = [store.deserialize_cdr(data, connection.msgtype).data
                 for _, _, data in reader.messages()]
    assert texts == ['hello 0', 'hello 1', 'hello 2']


def test_metadata_is_that_of_rosbag2_in_jazzy(folder):
    write(folder, 2)
    said = yaml.safe_load((folder / 'metadata.yaml').read_text())['rosbag2_bagfile_information']
    assert (said['version'], said['storage_identifier']) == (9, 'mcap')
    assert said['relative_file_paths'] == ['bag_0.mcap']
    assert said['duration'] == {'nanoseconds': SECOND}
    topic = said['topics_with_message_count'][0]['topic_metadata']
    assert topic['serialization_format'] == 'cdr'
    assert topic['offered_qos_profiles'][0]['durability'] == 'transient_local'


def test_next_file_begins_after_the_longest_duration(folder):
    write(folder, 7, WriterOptions(max_duration=3.0))
    assert [(name, count) for name, _, _, count in inspect(folder).files] == [
        ('bag_0.mcap', 3), ('bag_1.mcap', 3), ('bag_2.mcap', 1)]
    assert len(messages(folder)['/chatter']) == 7


def test_next_file_begins_at_the_largest_size(folder):
    bag = write(folder, 40, WriterOptions(max_size=4 << 20), text='x' * 500_000)
    assert len(bag.files) > 3
    assert all(path.stat().st_size < 7 << 20 for path in folder.glob('*.mcap'))
    assert len(messages(folder)['/chatter']) == 40


def test_topics_that_come_late_are_in_the_bag(folder):
    writer = BagWriter(folder, WriterOptions(max_duration=1.0))
    first = writer.add_topic(STRING)
    writer.write(first, cdr_string('a'), 0, 0)
    second = writer.add_topic(BagTopic('/late', 'std_msgs/msg/String', 'string data'))
    writer.write(second, cdr_string('b'), 5 * SECOND, 0)
    writer.write(first, cdr_string('c'), 5 * SECOND, 0)
    writer.close()
    assert {name: len(rows) for name, rows in messages(folder).items()} == {
        '/chatter': 2, '/late': 1}


def test_folder_that_is_there_is_not_overwritten(folder):
    write(folder, 1)
    with pytest.raises(BagError, match='is there already and is not overwritten'):
        BagWriter(folder)
    assert inspect(folder).count == 1


def test_read_only_folder_is_named_with_what_to_do(tmp_path):
    # Permissions do not stop root; the folders of the kernel stop everybody.
    place = Path('/sys/kernel') if os.geteuid() == 0 else tmp_path
    tmp_path.chmod(0o555)
    with pytest.raises(BagError, match='read-only .* record elsewhere'):
        BagWriter(place / 'bag')
    tmp_path.chmod(0o755)


@contextmanager
def largest_file(size):
    """Let no file of this process grow beyond a size: the kernel refuses as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def fill(folder):
    """Write until an error comes; return how many messages were flushed before."""
    writer = BagWriter(folder)
    topic, flushed = writer.add_topic(STRING), 0
    with pytest.raises(BagError) as caught:
        for number in range(1000):
            writer.write(topic, cdr_string('x' * 100_000), number, number)
            if number % 5 == 4:
                writer.flush()
                flushed = number + 1
    with pytest.raises(BagError, match='is closed'):
        writer.flush()
    return flushed, str(caught.value)


def test_refused_write_leaves_a_whole_bag_and_says_why(folder):
    with largest_file(2_000_000):
        flushed, reason = fill(folder)
    assert 'largest size' in reason and 'start again' in reason
    assert flushed >= 15
    assert len(messages(folder)['/chatter']) >= flushed


@pytest.fixture
def small_disk(tmp_path):
    """Return a disk of 2 MB."""
    disk = tmp_path / 'disk'
    disk.mkdir()
    mounted = subprocess.run(
        ['mount', '-t', 'tmpfs', '-o', 'size=2m', 'tmpfs', disk], capture_output=True)
    if mounted.returncode:
        pytest.skip('only root can mount a small disk')
    yield disk
    subprocess.run(['umount', disk], check=True)


def test_full_disk_leaves_a_whole_bag_and_says_why(small_disk):
    flushed, reason = fill(small_disk / 'bag')
    assert 'the disk is full' in reason and 'make room' in reason
    assert flushed >= 10
    assert len(messages(small_disk / 'bag')['/chatter']) >= flushed


@pytest.mark.parametrize('options', [
    {'compression': 'zip'}, {'max_size': -1}, {'max_duration': -1.0},
    {'max_duration': float('nan')}])
def test_options_that_mean_nothing_are_refused(options):
    with pytest.raises(ValueError, match='expected one of|must not be negative'):
        WriterOptions(**options)
