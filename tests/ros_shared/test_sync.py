# SPDX-License-Identifier: Apache-2.0
"""Which frames belong together, and what is said when none do."""

from itertools import product

from hypothesis import given, settings
from hypothesis import strategies as st
from ipt_ros.ros.sync import (
    CameraSilentError,
    FrameSynchronizer,
    History,
    NoFrameError,
    NotSynchronisedError,
    StaleFrameError,
    UnknownCameraError,
)
import pytest

CAMERAS = ('front', 'left', 'back')


def synchronizer(frames: dict[str, list[int]], slop=5, max_age=100) -> FrameSynchronizer:
    sync = FrameSynchronizer(CAMERAS, slop, max_age)
    for name, stamps in frames.items():
        for stamp in stamps:
            sync.add(name, stamp, f'{name}@{stamp}')
    return sync


stamps = st.lists(st.integers(0, 60), min_size=1, max_size=8)


@given(st.fixed_dictionaries(dict.fromkeys(CAMERAS, stamps)), st.integers(0, 20))
@settings(deadline=None)
def test_the_newest_set_within_the_slop_is_picked(frames, slop):
    sync = synchronizer(frames, slop=slop)
    sets = [set_ for set_ in product(*frames.values()) if max(set_) - min(set_) <= slop]
    if not sets:
        with pytest.raises(NotSynchronisedError):
            sync.pick(CAMERAS, 60)
        return
    picked = [item.stamp for item in sync.pick(CAMERAS, 60).values()]
    assert max(picked) - min(picked) <= slop
    assert max(picked) == max(max(set_) for set_ in sets)


def test_messages_come_with_their_cameras_in_the_order_asked():
    sync = synchronizer({'front': [10], 'left': [12], 'back': [11]})
    picked = sync.pick(['left', 'front'], 20)
    assert [(name, item.message) for name, item in picked.items()] == [
        ('left', 'left@12'), ('front', 'front@10')]


@pytest.mark.parametrize('frames,now,error,words', [
    ({}, 0, NoFrameError, ['no camera']),
    ({'front': [10], 'left': [10], 'back': [10]}, 500, StaleFrameError, ['front', 'limit']),
    ({'front': [490], 'left': [495]}, 500, CameraSilentError, ["'back'", 'no frame yet']),
    ({'front': [490], 'left': [495], 'back': [10]}, 500, CameraSilentError, ["'back'", 'old']),
    ({'front': [10], 'left': [10]}, 500, StaleFrameError, ['back: no frame yet']),
    ({'front': [490], 'left': [480], 'back': [470]}, 500, NotSynchronisedError, ['slop']),
    ({'front': [990], 'left': [990], 'back': [990]}, 500, StaleFrameError, ['future']),
])
def test_what_is_wrong_is_said(frames, now, error, words):
    with pytest.raises(error) as caught:
        synchronizer(frames).pick(CAMERAS, now)
    assert all(word in str(caught.value) for word in words), caught.value


def test_a_silent_camera_that_nobody_needs_does_not_matter():
    sync = synchronizer({'front': [490], 'left': [491]})
    assert list(sync.pick(['front', 'left'], 500)) == ['front', 'left']


def test_a_needed_camera_is_silent_though_no_needed_one_delivers():
    with pytest.raises(CameraSilentError, match="'back'"):
        synchronizer({'front': [490]}).pick(['back'], 500)


def test_unknown_cameras_are_named():
    with pytest.raises(UnknownCameraError, match="'top'.*'front'"):
        synchronizer({'front': [490]}).pick(['front', 'top'], 500)


def test_old_members_of_a_set_do_not_slip_through():
    sync = synchronizer({'front': [399], 'left': [401], 'back': [401]}, slop=10, max_age=100)
    with pytest.raises(CameraSilentError, match='front'):
        sync.pick(CAMERAS, 500)


def test_a_clock_set_back_starts_afresh():
    before = [2_000_000_000]
    sync = synchronizer({'front': before, 'left': before, 'back': before})
    for name in CAMERAS:
        sync.add(name, 7, 'again')
    assert {item.stamp for item in sync.pick(CAMERAS, 10).values()} == {7}


def test_clear_forgets():
    sync = synchronizer({'front': [1]})
    sync.clear()
    with pytest.raises(NoFrameError):
        sync.pick(['front'], 1)
    assert sync.newest_stamp('front') is None


@given(st.lists(st.integers(0, 100), min_size=1, max_size=20), st.integers(0, 100),
       st.integers(0, 30))
def test_history_finds_the_nearest(added, stamp, tolerance):
    history = History(length=100)
    for item in added:
        history.add(item, item)
    nearest = history.nearest(stamp, tolerance)
    distance = min(abs(item - stamp) for item in added)
    if distance > tolerance:
        assert nearest is None
    else:
        assert abs(nearest.stamp - stamp) == distance
    below = [item for item in added if item <= stamp]
    assert (history.newest_until(stamp).stamp if below else None) == (
        max(below) if below else None)


def test_history_keeps_the_newest_few():
    history = History(length=3)
    for stamp in (5, 1, 4, 2, 3):
        history.add(stamp, stamp)
    assert history.stamps() == [3, 4, 5]
    assert history.newest.message == 5
