# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""Recording on a thread: nothing is dropped silently, no error ends the program."""

import shutil
import threading

from ipt_ros.bags import BagError, BagWriter, inspect, Recording, RecordingOptions
import pytest

from .conftest import cdr_string, INT, messages, STRING


def test_everything_handed_over_is_in_the_bag(folder):
    recording = Recording(folder)
    topics = [recording.add_topic(STRING), recording.add_topic(INT)]
    for number in range(500):
        assert recording.put(topics[number % 2], cdr_string(str(number)), number, number)
    assert recording.stop() == ''
    assert [(c.name, c.taken, c.dropped) for c in recording.counts()] == [
        ('/chatter', 250, 0), ('/number', 250, 0)]
    assert {name: len(rows) for name, rows in messages(folder).items()} == {
        '/chatter': 250, '/number': 250}
    assert recording.size > 500 * 20


def test_what_a_slow_disk_cannot_take_is_dropped_and_counted(folder, monkeypatch):
    disk_works = threading.Event()
    write = BagWriter.write
    monkeypatch.setattr(
        BagWriter, 'write', lambda *arguments: disk_works.wait(60) and write(*arguments))
    recording = Recording(folder, RecordingOptions(queue_bytes=10_000))
    topic = recording.add_topic(STRING)
    accepted = sum(
        recording.put(topic, cdr_string('x' * 1000), number, number) for number in range(50))
    assert 8 < accepted < 12
    assert 0 < recording.waiting <= 10_000
    disk_works.set()
    recording.stop()
    count = recording.counts()[0]
    assert (count.taken, count.dropped) == (accepted, 50 - accepted)
    assert inspect(folder).count == accepted


def test_message_larger_than_the_queue_is_taken_all_the_same(folder):
    recording = Recording(folder, RecordingOptions(queue_bytes=10))
    topic = recording.add_topic(STRING)
    assert recording.put(topic, cdr_string('x' * 1000), 0, 0)
    recording.stop()
    assert inspect(folder).count == 1


def test_failed_disk_ends_the_recording_and_the_rest_counts_as_dropped(folder, monkeypatch):
    def fail(*arguments):
        raise BagError('the disk is gone')

    recording = Recording(folder, RecordingOptions(sync_period=0.05))
    topic = recording.add_topic(STRING)
    recording.put(topic, cdr_string('a'), 0, 0)
    while not recording.size:  # the first message is safe
        pass
    monkeypatch.setattr(BagWriter, 'write', fail)
    recording.put(topic, cdr_string('b'), 1, 1)
    assert recording.stop() == 'the disk is gone'
    assert not recording.put(topic, cdr_string('c'), 2, 2)
    count = recording.counts()[0]
    assert count.taken + count.dropped == 3 and count.dropped >= 1


def test_recording_ends_in_good_order_before_the_disk_is_full(folder, monkeypatch):
    usage = shutil.disk_usage(folder.parent)
    recording = Recording(folder, RecordingOptions(sync_period=0.05, min_free=1000))
    topic = recording.add_topic(STRING)
    recording.put(topic, cdr_string('a'), 0, 0)
    monkeypatch.setattr(shutil, 'disk_usage', lambda path: usage._replace(free=999))
    while not recording.error:
        pass
    assert 'must stay free' in recording.stop()
    assert inspect(folder).count == 1


def test_recording_does_not_begin_on_a_disk_that_is_nearly_full(folder):
    with pytest.raises(BagError, match='min_free_space'):
        Recording(folder, RecordingOptions(min_free=1 << 60))
    assert not folder.exists()
