# SPDX-License-Identifier: Apache-2.0
"""Bags whose writer never came to its end, cut at any byte, damaged, still being written."""

from pathlib import Path
import shutil

from hypothesis import given, settings
from hypothesis import strategies as st
from ipt_ros.bags import BagError, BagWriter, inspect, repair, WriterOptions
from ipt_ros.bags.files import MOST_CUT
from mcap.reader import make_reader
import pytest
from rosbags.rosbag2 import Reader

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
