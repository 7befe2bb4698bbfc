# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""Pieces of work: done once, in order, side by side; what a failure holds up, what is left."""

from contextlib import ExitStack
from dataclasses import replace
from functools import partial
import json
import threading

from ipt_training import locking
from ipt_training.experiment.errors import ExperimentError
from ipt_training.experiment.pieces import Piece
from ipt_training.experiment.progress import Pace, seconds_left, spoken
from ipt_training.experiment.runner import run_pieces
from ipt_training.locking import only_one
from ipt_training.store import StoreError
import pytest


def write(path, done):
    print('at work')
    done.append(path.name)
    path.write_text('x')


def count(path):
    return int(path.exists())


@pytest.fixture
def done():
    return []


@pytest.fixture
def piece(tmp_path, done):
    """Return a function that makes a piece which writes a file."""
    def make(name, *needs, **changes):
        folder = tmp_path / name
        made = Piece('do', folder, write, (folder / 'out', done), units=1,
                     count=partial(count, folder / 'out'), settings={'size': 1},
                     needs=tuple(f'do {need}' for need in needs))
        return replace(made, **changes)
    return make


def fail(*arguments):
    raise ValueError('the disk is on fire')


def test_pieces_are_done_after_those_that_they_need_and_only_once(piece, at_once):
    pieces = [piece('c', 'b'), piece('b', 'a'), piece('a')]
    said = []
    assert run_pieces(pieces, 2, at_once, said.append) == {}
    assert all(item.finished() for item in pieces)
    order = [line.split(':')[0] for line in said if ': done' in line]
    assert order == ['do a', 'do b', 'do c']
    log = pieces[0].log.read_text()
    assert 'at work' in log
    assert run_pieces(pieces, 2, at_once, said.append) == {}
    assert said[-1] == 'all 3 pieces are done' and pieces[0].log.read_text() == log


def test_a_failure_holds_up_only_what_needs_it(piece, at_once):
    pieces = [piece('bad', work=fail), piece('after', 'bad'), piece('other')]
    said = []
    failed = run_pieces(pieces, 1, at_once, said.append)
    assert failed == {'do bad': 'ValueError: the disk is on fire'}
    assert [item.finished() for item in pieces] == [False, False, True]
    assert 'Traceback' in pieces[0].log.read_text()
    assert any('FAILED' in line and 'do.log' in line for line in said)
    # The cause put right, the same call goes on.
    pieces[0] = piece('bad')
    assert run_pieces(pieces, 1, at_once, said.append) == {}
    assert all(item.finished() for item in pieces)


def test_other_settings_in_the_same_folder_are_refused_by_name(piece, at_once):
    run_pieces([piece('a')], 1, at_once, print)
    other = piece('a', settings={'size': 2})
    with pytest.raises(ExperimentError, match='other settings .size: 1 there, 2 now.*work_dir'):
        other.finished()
    assert not piece('a', settings={'size': 2}, may_change=True).finished()
    assert piece('a').finished()


def test_a_damaged_mark_is_named(piece):
    made = piece('a')
    made.folder.mkdir()
    made.mark.write_text('{"fini')
    with pytest.raises(ExperimentError, match='do.json.* is damaged'):
        made.finished()


def test_the_time_of_all_goes_adds_up(piece, at_once):
    made = piece('a')
    made.folder.mkdir()
    made.mark.write_text(json.dumps(
        {'settings': {'size': 1}, 'finished': False, 'seconds': 100.0}))
    run_pieces([made], 1, at_once, print)
    assert made.state()['finished'] and 100 <= made.state()['seconds'] < 160


def test_a_folder_has_one_experiment_at_a_time(tmp_path, monkeypatch):
    monkeypatch.setattr(locking, '_PATIENCE', 0.0)
    with only_one(tmp_path), pytest.raises(StoreError, match='another process'):
        with only_one(tmp_path):
            pass
    with only_one(tmp_path):
        pass


def test_one_that_ends_within_seconds_is_waited_for(tmp_path):
    with ExitStack() as held:
        held.enter_context(only_one(tmp_path))
        ended = threading.Event()
        timer = threading.Timer(0.3, lambda: (ended.set(), held.close()))
        timer.start()
        with only_one(tmp_path):
            assert ended.is_set()
        timer.join()


def test_the_time_left_goes_by_what_was_measured_and_scales_the_guesses(piece):
    train = piece('a', units=10, pace='train', effort=2.0)
    ask = piece('b', 'a', units=4, pace='ask', effort=1.0)
    pace = Pace()
    assert seconds_left([train, ask], {}, pace, 1) == 24
    pace.measure(train, 5, 30.0)  # 6 s a unit: guesses are off by 3
    assert pace.seconds_a_unit(ask) == 3
    assert seconds_left([train, ask], {'do a': 5}, pace, 1) == 5 * 6 + 4 * 3
    # A chain takes its time however many workers there are; two chains share them.
    assert seconds_left([ask, train], {'do a': 5}, pace, 8) == 42
    assert seconds_left([train, piece('c', units=10, pace='train')], {}, pace, 2) == 60


@pytest.mark.parametrize(('seconds', 'words'), [
    (12.4, '12 s'), (600, '10 min'), (7500, '2 h 05 min')])
def test_durations_are_spoken(seconds, words):
    assert spoken(seconds) == words
