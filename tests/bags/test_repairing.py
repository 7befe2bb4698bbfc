# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""Bags whose writer never came to its end, cut at any byte, damaged, still being written."""

from pathlib import Path
import shutil

from hypothesis import given, settings
from hypothesis import strategies as st
from ipt_ros.bags import BagError, BagWriter, inspect, repair, WriterOptions
from ipt_ros.bags.command import main
from ipt_ros.bags.files import MOST_CUT
from mcap.reader import make_reader
from mcap.writer import IndexType
from mcap.writer import Writer as McapWriter
import pytest
from rosbags.rosbag2 import CompressionFormat, CompressionMode, Reader, StoragePlugin, Writer
from rosbags.typesys import get_typestore, Stores
import yaml

from .conftest import cdr_string, INT, LATCHED, messages, STRING

FLUSH_EVERY, COUNT = 4, 40


def text(number):
    return cdr_string(f'{number} ' * 50)


def unfinished(folder, compression='none'):
    """Write a bag without an end; return the bytes of its file and {size: messages flushed}."""
    writer = BagWriter(folder, WriterOptions(compression))
    topics, flushed = [writer.add_topic(STRING), writer.add_topic(INT)], {0: 0}
    for number in range(COUNT):
        writer.write(topics[number % 2], text(number), number, number)
        if number % FLUSH_EVERY == FLUSH_EVERY - 1:
            writer.flush()
            flushed[writer.size] = number + 1
    return (folder / f'{folder.name}_0.mcap').read_bytes(), flushed


@pytest.fixture(scope='module', params=['none', 'lz4', 'zstd'])
def torn(request, tmp_path_factory):
    return unfinished(tmp_path_factory.mktemp('torn') / 'bag', request.param)


def as_bag(folder, *files):
    folder.mkdir(parents=True)
    for number, content in enumerate(files):
        (folder / f'bag_{number}.mcap').write_bytes(content)
    return folder


def all_times(folder):
    return sorted(time for rows in messages(folder).values() for time, _ in rows)


@settings(max_examples=15)
@given(data=st.data())
def test_bag_cut_at_any_byte_keeps_everything_flushed_before(tmp_path_factory, torn, data):
    content, flushed = torn
    first = min(size for size in flushed if size)
    size = data.draw(st.integers(first, len(content)), label='size')
    folder = as_bag(tmp_path_factory.mktemp('cut') / 'bag', content[:size])

    repair(folder)

    safe = max(count for end, count in flushed.items() if end <= size)
    times = all_times(folder)
    assert times == list(range(len(times))) and safe <= len(times) <= safe + FLUSH_EVERY
    for rows in messages(folder).values():
        assert all(data == text(time) for time, data in rows)
    with (folder / 'bag_0.mcap').open('rb') as stream:
        found = list(make_reader(stream, validate_crcs=True).iter_messages())
    assert len(found) == len(times)


def test_repaired_bag_still_knows_types_and_profiles(tmp_path, torn):
    folder = as_bag(tmp_path / 'bag', torn[0][:-50])
    done = repair(folder)
    assert done.finished == ('bag_0.mcap',) and done.changed
    with Reader(folder) as reader:
        topics = {item.topic: item for item in reader.connections}
        assert topics['/chatter'].msgdef.data == STRING.definition
        assert topics['/chatter'].digest == STRING.type_hash
        assert topics['/chatter'].ext.offered_qos_profiles == [LATCHED]
        assert reader.message_count == done.bag.count == inspect(folder).count


def test_second_repair_changes_nothing(tmp_path, torn):
    folder = as_bag(tmp_path / 'bag', torn[0][:-7])
    first = repair(folder)
    before = {path: path.read_bytes() for path in folder.iterdir()}
    second = repair(folder)
    assert (second.changed, second.finished, second.cut) == (False, (), 0)
    assert second.bag == first.bag
    assert {path: path.read_bytes() for path in folder.iterdir()} == before


def test_repair_that_was_killed_itself_is_repaired(tmp_path, torn):
    folder = as_bag(tmp_path / 'bag', torn[0])
    whole = repair(folder).bag
    content = (folder / 'bag_0.mcap').read_bytes()
    for missing in (1, 8, 30, 200, len(content) - len(torn[0]) - 1):
        again = as_bag(tmp_path / f'bag{missing}', content[:-missing])
        assert repair(again).bag.topics == whole.topics


def test_only_the_last_file_of_a_split_bag_needs_work(tmp_path, torn):
    content, _ = torn
    whole = as_bag(tmp_path / 'whole', content)
    repair(whole)
    folder = as_bag(tmp_path / 'bag', (whole / 'bag_0.mcap').read_bytes(), content)
    done = repair(folder)
    assert done.finished == ('bag_1.mcap',)
    assert [count for *_, count in done.bag.files] == [COUNT, COUNT]


@pytest.mark.parametrize('metadata', [None, '', 'rosbag2_bagfile_information: {mess', '[1, 2]'])
def test_missing_or_broken_metadata_is_written_anew(tmp_path, torn, metadata):
    folder = as_bag(tmp_path / 'bag', torn[0])
    repair(folder)
    (folder / 'metadata.yaml').unlink()
    if metadata is not None:
        (folder / 'metadata.yaml').write_text(metadata)
    assert repair(folder).changed
    assert len(all_times(folder)) == COUNT


def test_zeros_behind_the_data_are_cut_off(tmp_path, torn):
    # What some file systems leave after a power cut.
    folder = as_bag(tmp_path / 'bag', torn[0] + bytes(5000))
    done = repair(folder)
    assert (done.cut, done.bag.count) == (5000, COUNT)


def test_damaged_chunk_in_the_middle_is_left_out_and_counted(tmp_path, torn):
    content = bytearray(torn[0])
    sizes = sorted(torn[1])
    content[sizes[2] + 150] ^= 0xFF  # inside the third chunk
    folder = as_bag(tmp_path / 'bag', bytes(content))
    done = repair(folder)
    assert (done.damaged, done.bag.count) == (1, COUNT - FLUSH_EVERY)
    assert len(all_times(folder)) == COUNT - FLUSH_EVERY


def test_file_without_a_message_is_named_and_left_out(tmp_path, torn):
    folder = as_bag(tmp_path / 'bag', torn[0], torn[0][:30], b'')
    done = repair(folder)
    assert done.empty == ('bag_1.mcap', 'bag_2.mcap')
    assert done.bag.count == COUNT


def test_much_that_cannot_be_read_is_not_cut_off_without_being_told_to(tmp_path, torn):
    content = torn[0]
    folder = as_bag(tmp_path / 'bag', content)
    with (folder / 'bag_0.mcap').open('r+b') as stream:
        stream.truncate(len(content) + MOST_CUT + 1)
    with pytest.raises(BagError, match='would cut off 67 MB.*--force'):
        repair(folder)
    assert (folder / 'bag_0.mcap').stat().st_size == len(content) + MOST_CUT + 1
    assert repair(folder, force=True).bag.count == COUNT


def test_bag_that_is_being_written_is_left_alone(tmp_path):
    folder = tmp_path / 'bag'
    writer = BagWriter(folder)
    topic = writer.add_topic(STRING)
    writer.write(topic, text(0), 0, 0)
    writer.flush()
    with pytest.raises(BagError, match='still being written'):
        repair(folder)
    writer.write(topic, text(1), 1, 1)
    writer.close()
    assert all_times(folder) == [0, 1]


@pytest.mark.parametrize(('content', 'reason'), [
    ({}, 'no .mcap file in .*; it holds nothing'),
    ({'notes.txt': b''}, 'it holds notes.txt'),
    ({'bag_0.mcap': b'nothing of the kind'}, 'no file has a whole message in it'),
])
def test_folder_that_is_no_bag_is_refused(tmp_path, content, reason):
    for name, data in content.items():
        (tmp_path / name).write_bytes(data)
    with pytest.raises(BagError, match=reason):
        repair(tmp_path)


def test_path_that_is_no_folder_is_refused(tmp_path):
    with pytest.raises(BagError, match='a bag is the folder around its .mcap files'):
        repair(Path(tmp_path, 'nowhere'))


def test_inspection_of_an_unfinished_bag_says_how_to_repair_it(tmp_path, torn):
    folder = as_bag(tmp_path / 'bag', torn[0])
    with pytest.raises(BagError, match='ipt bag repair'):
        inspect(folder)
    shutil.rmtree(folder)


def by_rosbags(folder, mode=CompressionMode.NONE, storage=StoragePlugin.MCAP):
    """Write a whole bag as another recorder does."""
    store = get_typestore(Stores.ROS2_JAZZY)
    writer = Writer(folder, version=9, storage_plugin=storage)
    writer.set_compression(mode, CompressionFormat.ZSTD)
    writer.set_custom_data('robot', 'number 7')
    with writer:
        chatter = writer.add_connection(
            '/chatter', 'std_msgs/msg/String', typestore=store, offered_qos_profiles=[LATCHED])
        number = writer.add_connection('/number', 'std_msgs/msg/Int32', typestore=store)
        for time in range(COUNT):
            writer.write([chatter, number][time % 2], time, text(time))
    return folder


def tear(folder):
    """Take away what a killed recorder could not write: index and metadata.yaml."""
    (folder / 'metadata.yaml').unlink()
    (path,) = folder.glob('*.mcap')
    content = path.read_bytes()
    path.write_bytes(content[:content.rfind(b'\x0f' + (4).to_bytes(8, 'little'))])
    return folder


def information(folder):
    return yaml.safe_load((folder / 'metadata.yaml').read_text())['rosbag2_bagfile_information']


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize('mode', [
    CompressionMode.NONE, CompressionMode.MESSAGE, CompressionMode.STORAGE])
@pytest.mark.parametrize('damage', [tear, lambda folder: (folder / 'metadata.yaml').unlink()])
def test_bag_of_another_recorder_reads_the_same_once_repaired(tmp_path, mode, damage):
    folder = by_rosbags(tmp_path / 'bag', mode)
    before, said = messages(folder), information(folder)
    with Reader(folder) as reader:
        topics = {c.topic: (c.msgtype, c.msgdef, c.ext) for c in reader.connections}
    damage(folder)

    assert repair(folder).changed

    assert messages(folder) == before
    with Reader(folder) as reader:
        assert {c.topic: (c.msgtype, c.msgdef, c.ext) for c in reader.connections} == topics
    now = information(folder)
    assert now['compression_mode'] == said['compression_mode'].upper()
    for name in ('compression_format', 'custom_data', 'ros_distro', 'message_count', 'duration',
                 'starting_time'):
        assert now[name] == said[name], name
    assert not repair(folder).changed


def test_what_an_old_metadata_file_said_is_kept(tmp_path):
    folder = by_rosbags(tmp_path / 'bag')
    said = information(folder)
    said |= {'custom_data': {'driver': 'Kim'}, 'ros_distro': 'kilted', 'message_count': 3}
    said['topics_with_message_count'][1]['topic_metadata']['type_description_hash'] = 'RIHS01_7'
    (folder / 'metadata.yaml').write_text(
        yaml.safe_dump({'rosbag2_bagfile_information': said}))
    assert repair(folder).bag.count == COUNT
    now = information(folder)
    assert (now['custom_data'], now['ros_distro'], now['message_count']) == (
        {'driver': 'Kim'}, 'kilted', COUNT)
    assert [topic['topic_metadata'] for topic in now['topics_with_message_count']] == [
        topic['topic_metadata'] for topic in said['topics_with_message_count']]


@pytest.mark.parametrize('mode', ['', 'NONE', 'MESSAGE', 'FILE'])
def test_a_wrong_word_on_compression_is_put_right(tmp_path, mode):
    folder = by_rosbags(tmp_path / 'bag', CompressionMode.MESSAGE)
    before, said = messages(folder), information(folder)
    said |= {'compression_mode': mode, 'compression_format': 'zstd' if mode else ''}
    (folder / 'metadata.yaml').write_text(
        yaml.safe_dump({'rosbag2_bagfile_information': said}))
    assert repair(folder).changed == (mode != 'MESSAGE')
    assert messages(folder) == before


def by_hand(folder, encoding='cdr', schema='ros2msg', profile='ros2', number=3, data=None,
            **options):
    """Write a whole MCAP file with what is not in every bag, and no metadata.yaml."""
    folder.mkdir()
    with (folder / 'bag_0.mcap').open('wb') as stream:
        writer = McapWriter(stream, **options)
        writer.start(profile, 'a recorder')
        channel = writer.register_channel('/chatter', encoding, writer.register_schema(
            'std_msgs/msg/String', schema, b'string data') if schema is not None else 0)
        writer.add_attachment(5, 4, 'calibration.yaml', 'text/plain', b'k: 1')
        for time in range(number):
            writer.add_message(channel, time, data or text(time), time)
        writer.add_metadata('site', {'building': '3'})
        writer.finish()
    return folder


@pytest.mark.parametrize('options', [{}, {'use_chunking': False}, {'chunk_size': 400}])
def test_attachments_and_metadata_get_into_the_index(tmp_path, options):
    folder = by_hand(tmp_path / 'bag', **options)
    with (folder / 'bag_0.mcap').open('rb') as stream:
        before = make_reader(stream).get_summary()
    (folder / 'metadata.yaml').touch()
    tear(folder)
    assert repair(folder).cut == 0
    with (folder / 'bag_0.mcap').open('rb') as stream:
        reader = make_reader(stream)
        after = reader.get_summary()
        assert [a.data for a in reader.iter_attachments()] == [b'k: 1']
        assert [m.metadata for m in reader.iter_metadata()] == [{'building': '3'}]
    assert after.attachment_indexes == before.attachment_indexes
    assert after.metadata_indexes == before.metadata_indexes
    assert after.statistics == before.statistics
    assert [time for time, _ in messages(folder)['/chatter']] == [0, 1, 2]


@pytest.mark.parametrize(('kind', 'reason'), [
    ({'encoding': 'json', 'schema': 'jsonschema'}, "encoded as 'json', expected 'cdr'"),
    ({'encoding': 'ros1', 'schema': 'ros1msg', 'profile': 'ros1'}, "encoded as 'ros1'"),
    ({'encoding': 'protobuf', 'schema': 'protobuf', 'profile': ''}, "encoded as 'protobuf'"),
    ({'schema': 'ros1msg'}, "defined as 'ros1msg'"), ({'schema': None}, 'no message type'),
    ({'profile': 'x'}, "profile is 'x', expected 'ros2'"),
    ({'data': b'\x04\x22\x4d\x18lz4'}, 'neither CDR nor compressed with zstd')])
@pytest.mark.parametrize('torn_', [False, True])
def test_what_is_no_recording_of_ros_2_is_refused_and_left_alone(tmp_path, kind, reason, torn_):
    folder = by_hand(tmp_path / 'bag', **kind)
    if torn_:
        (folder / 'metadata.yaml').touch()
        tear(folder)
    before = contents(folder)
    with pytest.raises(BagError, match=f'{reason}.*Nothing was changed'):
        repair(folder)
    assert contents(folder) == before
    assert main(['repair', str(folder)]) == 1


def test_types_that_are_defined_in_idl_are_repaired(tmp_path):
    folder = by_hand(tmp_path / 'bag', schema='ros2idl')
    assert repair(folder).bag.count == 3 and len(messages(folder)['/chatter']) == 3


def test_one_file_that_is_refused_leaves_the_others_as_they_are(tmp_path, torn):
    folder = as_bag(tmp_path / 'bag', torn[0])
    other = by_hand(tmp_path / 'other', 'json', 'jsonschema')
    shutil.copy(other / 'bag_0.mcap', folder / 'bag_1.mcap')
    before = contents(folder)
    with pytest.raises(BagError, match='bag_1.mcap'):
        repair(folder)
    assert contents(folder) == before


def test_files_that_differ_in_compression_are_no_bag(tmp_path):
    folder = tear(by_rosbags(tmp_path / 'bag', CompressionMode.MESSAGE))
    other = by_rosbags(tmp_path / 'other')
    shutil.copy(other / 'other.mcap', folder / 'bag_1.mcap')
    before = contents(folder)
    with pytest.raises(BagError, match='some messages .* are compressed with zstd and some are'):
        repair(folder)
    assert contents(folder) == before


def test_files_whose_profiles_differ_are_read_whole(tmp_path, torn):
    folder = as_bag(tmp_path / 'bag', torn[0])
    plain = by_hand(tmp_path / 'other')
    shutil.copy(plain / 'bag_0.mcap', folder / 'bag_1.mcap')
    assert repair(folder).bag.count == COUNT + 3
    assert len(messages(folder)['/chatter']) == COUNT // 2 + 3


def test_sqlite_bags_are_sent_to_the_tool_for_them(tmp_path):
    folder = by_rosbags(tmp_path / 'bag', storage=StoragePlugin.SQLITE3)
    (folder / 'metadata.yaml').unlink()
    for action in (repair, inspect):
        with pytest.raises(BagError, match='SQLite.*ros2 bag reindex -s sqlite3'):
            action(folder)
    by_hand(tmp_path / 'other')
    shutil.copy(tmp_path / 'other' / 'bag_0.mcap', folder)
    with pytest.raises(BagError, match='MCAP and SQLite files .bag.db3.*not one bag'):
        repair(folder)


def test_files_that_are_compressed_as_a_whole_are_unpacked_first(tmp_path):
    folder = by_rosbags(tmp_path / 'bag', CompressionMode.FILE)
    with Reader(folder) as reader:
        (count,) = {reader.message_count}
    with pytest.raises(BagError, match='bag.mcap.zstd.*unpack them first: zstd -d'):
        repair(folder)
    plain = by_rosbags(tmp_path / 'plain')
    shutil.copy(plain / 'plain.mcap', folder / 'bag.mcap')  # as unpacked; zstd keeps the other
    assert repair(folder).bag.count == count == sum(map(len, messages(folder).values()))
    assert information(folder)['compression_mode'] == ''


@pytest.mark.parametrize('described', [False, True])
def test_a_bag_without_messages_is_not_called_repaired(tmp_path, described):
    folder = by_hand(tmp_path / 'bag', number=0)
    if described:
        BagWriter(tmp_path / 'quiet').close()
        said = information(tmp_path / 'quiet') | {'relative_file_paths': ['bag_0.mcap']}
        (folder / 'metadata.yaml').write_text(
            yaml.safe_dump({'rosbag2_bagfile_information': said}))
        assert not repair(folder).changed
    else:
        with pytest.raises(BagError, match='no file has a whole message in it'):
            repair(folder)
        assert not (folder / 'metadata.yaml').exists()


def test_a_recorder_s_empty_last_file_needs_no_repair(tmp_path, torn):
    folder = as_bag(tmp_path / 'bag', torn[0])
    repair(folder)
    by_hand(tmp_path / 'empty', number=0)
    shutil.copy(tmp_path / 'empty' / 'bag_0.mcap', folder / 'bag_1.mcap')
    said = information(folder)
    said['relative_file_paths'].append('bag_1.mcap')
    (folder / 'metadata.yaml').write_text(
        yaml.safe_dump({'rosbag2_bagfile_information': said}))
    assert not repair(folder).changed


def test_a_bag_that_still_cannot_be_read_is_not_called_repaired(tmp_path):
    # Chunks without an index of their messages are of no use to readers.
    folder = by_hand(tmp_path / 'bag', index_types=IndexType.ALL ^ IndexType.MESSAGE)
    with pytest.raises(BagError, match='only 0 of 3 messages can be read'):
        repair(folder)
