# Copyright 2026 IPT-ROS contributors
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
    SyncError,
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


SECOND = 1_000_000_000
HOUR = 3600 * SECOND
NOW = 1_800_000_000 * SECOND


def watched(clocks: dict[str, int], now=NOW, arrived=True) -> FrameSynchronizer:
    """Return what two seconds of frames leave: camera to its clock less the node's (ns)."""
    sync = FrameSynchronizer(clocks, slop=SECOND // 20, max_age=SECOND)
    for back in range(20, -1, -1):
        then = now - back * SECOND // 10
        for name, offset in clocks.items():
            sync.add(name, then + offset, None, then if arrived else None)
    return sync


def refused(sync: FrameSynchronizer, now=NOW, cameras=()) -> str:
    with pytest.raises(StaleFrameError) as caught:
        sync.pick(cameras or sync.cameras, now)
    assert 'silent' not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize('arrived', [True, False])
def test_time_since_boot_is_called_so_and_the_camera_not_silent(arrived):
    sync = watched({'front': 0, 'left': HOUR - NOW, 'back': 0}, arrived=arrived)
    told = refused(sync)
    assert "camera 'left' stamps its frames 57.0 years before this node's clock" in told
    assert 'since boot' in told and 'system time' in told and "'front'" not in told
    assert list(sync.pick(['front', 'back'], NOW)) == ['front', 'back']
    assert refused(sync, cameras=['left'])


@pytest.mark.parametrize(('offset', 'words'), [
    (HOUR - NOW, ['57.0 years before', 'since boot', "'use_sim_time'"]),  # boot, or simulated time
    (-NOW // 1000 * 999, ['57.0 years before', 'since boot']),  # ms taken for s
    (-2 * HOUR, ['2.0 hours before', 'time zone']),
    (2 * HOUR, ['2.0 hours in the future', 'time zone']),
    (26 * HOUR, ['26.0 hours in the future']),
    (80 * HOUR, ['3.3 days in the future']),
    (-15 * SECOND, ['15.00 s before', 'NTP']), (7 * SECOND, ['7.00 s in the future', 'NTP'])])
@pytest.mark.parametrize('others', [0, None])
def test_clocks_that_are_off_are_named_with_what_to_do(offset, words, others):
    told = refused(watched({'front': offset if others is None else others, 'left': offset}))
    assert all(word in told for word in ["camera 'left'", 'limit 1.00 s', *words]), told
    assert ("camera 'front'" in told) == (others is None)


@pytest.mark.parametrize('now', [0, 5 * SECOND, 500 * HOUR])
def test_a_clock_without_time_beside_system_time_is_called_so(now):
    sync = FrameSynchronizer(['front'], slop=SECOND // 20, max_age=SECOND)
    sync.add('front', NOW, None, now)
    told = refused(sync, now)
    assert '57.0 years in the future' in told and '/clock' in told and 'use_sim_time' in told


def test_simulated_time_from_zero_on_is_no_fault_where_the_node_has_it():
    assert list(watched({'front': 0, 'left': -SECOND // 100}, now=3 * SECOND).pick(
        ['front', 'left'], 3 * SECOND)) == ['front', 'left']


def test_a_camera_that_has_stopped_is_silent_whatever_its_clock():
    sync = watched({'front': 0, 'left': HOUR - NOW})
    later = NOW + 10 * SECOND
    sync.add('front', later, None, later)
    with pytest.raises(CameraSilentError, match="'left' is silent"):
        sync.pick(['front', 'left'], later)


@given(st.integers(-SECOND + SECOND // 10, SECOND - SECOND // 10), st.integers(0, SECOND // 25))
def test_delays_within_the_limit_are_no_fault(offset, apart):
    sync = watched({'front': offset, 'left': max(offset - apart, -SECOND + SECOND // 10)})
    assert not sync.clock_faults(NOW) and len(sync.pick(['front', 'left'], NOW)) == 2


def test_faults_of_clocks_are_told_by_camera():
    sync = watched({'front': 0, 'left': HOUR - NOW, 'back': 5 * HOUR})
    faults = sync.clock_faults(NOW)
    assert list(faults) == ['left', 'back']
    assert 'too old' in faults['left'] and 'future' in faults['back']
    sync.clear()
    assert not sync.clock_faults(NOW)


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


@pytest.mark.parametrize(('frames', 'now', 'cameras', 'told'), [
    ({}, 500, ['left', 'front'], (['left', 'front'], True)),
    ({'front': [490]}, 500, ['front', 'left'], (['left'], True)),
    ({'front': [100], 'left': [90]}, 5000, ['front', 'left'], (['front', 'left'], True)),
    ({'front': [490], 'left': [420]}, 500, ['front', 'left'], (['front', 'left'], False))])
def test_what_is_known_beside_is_said_of_the_cameras_that_a_refusal_is_about(
        frames, now, cameras, told):
    asked = []

    def tell(names, silent):
        asked.append((list(names), silent))
        return 'nobody publishes it'
    with pytest.raises(SyncError, match=r'. nobody publishes it$'):
        synchronizer(frames).pick(cameras, now, tell)
    assert asked == [told]
    with pytest.raises(SyncError, match=r'[^. ]$'):
        synchronizer(frames).pick(cameras, now, lambda names, silent: '')
