# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
from hypothesis import given
from hypothesis import strategies as st
from ipt_ros.geometry.navigation import NavigableGrid, ShortestPaths
import numpy as np
import pytest

ROOM = (-2.0, -1.0, 2.0, 1.0)


def square(x, y, side):
    half = side / 2
    return np.array([[x - half, y - half], [x + half, y - half], [x + half, y + half],
                     [x - half, y + half]])


def test_an_empty_room_is_navigable_up_to_the_robot_s_radius():
    grid = NavigableGrid(ROOM, [], 0.2, (0.0, 0.0))
    assert grid.grid.shape == (40, 80)
    assert (1.7, 0.0) in grid
    assert (1.85, 0.0) not in grid
    assert (0.0, -0.7) in grid
    assert (0.0, -0.85) not in grid


@pytest.mark.parametrize('radius', [0.1, 0.25, 0.4])
def test_the_disc_never_touches_an_obstacle(radius):
    obstacle = square(0.6, 0.1, 0.3)
    grid = NavigableGrid(ROOM, [obstacle], radius, (-1.0, 0.0))
    for x, y in np.random.default_rng(0).uniform(ROOM[:2], ROOM[2:], (3000, 2)):
        gap = np.hypot(max(abs(x - 0.6) - 0.15, 0), max(abs(y - 0.1) - 0.15, 0))
        if (x, y) in grid:
            assert gap >= radius - 0.025  # half a cell: cells are judged by their centre
        elif gap > radius + 0.1 and abs(x) < 1.9 - radius and abs(y) < 0.9 - radius:
            raise AssertionError(f'({x}, {y}) is free but not navigable')


def test_what_cannot_be_reached_is_not_navigable():
    wall = np.array([[0.0, -1.0], [0.1, -1.0], [0.1, 1.0], [0.0, 1.0]])
    grid = NavigableGrid(ROOM, [wall], 0.2, (-1.0, 0.0))
    assert (-1.0, 0.0) in grid
    assert (1.0, 0.0) not in grid


def test_samples_cover_the_free_area_and_repeat_with_the_seed():
    grid = NavigableGrid(ROOM, [square(0.0, 0.0, 0.5)], 0.2, (-1.5, 0.0))
    places = [grid.sample(np.random.default_rng(seed)) for seed in range(200)]
    assert all(place in grid for place in places)
    assert {(x > 0, y > 0) for x, y in places} == {
        (False, False), (False, True), (True, False), (True, True)
    }
    assert grid.sample(np.random.default_rng(5)) == places[5]


@pytest.mark.parametrize('start', [(0.0, 0.0), (9.0, 0.0), (-2.5, 0.0)])
def test_a_start_without_room_gives_an_empty_grid(start):
    grid = NavigableGrid(ROOM, [square(0.0, 0.0, 1.0)], 0.2, start)
    assert not grid.grid.any()
    with pytest.raises(ValueError, match='nothing in this scene is navigable'):
        grid.sample(np.random.default_rng(0))


def maze(seed: int, side: int = 24) -> np.ndarray:
    return np.random.default_rng(seed).random((side, side)) > 0.3


@given(st.integers(0, 2**32 - 1))
def test_ways_stay_where_the_robot_fits_and_are_no_longer_than_over_the_grid(seed):
    paths = ShortestPaths(maze(seed), (-1.0, 2.0), 0.1)
    rng = np.random.default_rng(seed)
    start, goal = rng.integers(len(paths.places), size=2)
    ways = paths.from_place(paths.places[start])
    distance = ways.distances[goal]
    if not np.isfinite(distance):
        with pytest.raises(ValueError, match='no way leads'):
            ways.to(goal)
        return
    corners = ways.to(goal)
    np.testing.assert_allclose(corners[[0, -1]], paths.places[[start, goal]])
    length = np.hypot(*np.diff(corners, axis=0).T).sum()
    assert np.hypot(*(corners[-1] - corners[0])) - 1e-9 <= length <= distance + 1e-9
    # Neighbouring cells are always connected, longer legs are checked.
    assert all(paths.is_clear(a, b) for a, b in zip(corners, corners[1:])
               if np.hypot(*(b - a)) > 0.15)


def test_a_way_leads_around_an_obstacle_with_next_to_no_detour():
    grid = NavigableGrid(ROOM, [np.array([[-0.1, -0.4], [0.1, -0.4], [0.1, 1.0], [-0.1, 1.0]])],
                         0.1, (-1.0, 0.5))
    paths = ShortestPaths(grid.grid, grid.origin, grid.resolution)
    ways = paths.from_place((-1.0, 0.5))
    corners = ways.to(paths.number_at((1.0, 0.5)))
    length = np.hypot(*np.diff(corners, axis=0).T).sum()
    # By hand: the corners of the obstacle, grown by the robot's radius.
    ideal = 2 * np.hypot(0.9, 1.0) + 0.2
    assert ideal - 0.1 <= length <= 1.06 * ideal
    assert 3 <= len(corners) <= 6
    assert corners[:, 1].min() == pytest.approx(-0.55, abs=0.1)


def test_ways_do_not_squeeze_between_two_corners():
    grid = np.array([[True, False], [False, True]])
    ways = ShortestPaths(grid, (0.0, 0.0), 1.0).from_place((0.5, 0.5))
    assert ways.distances[0] == 0 and np.isinf(ways.distances[1])


@pytest.mark.parametrize('place', [(0.5, 0.5), (-0.1, 0.5), (5.0, 0.5), (1.5, -3.0)])
def test_no_way_starts_where_the_robot_does_not_fit(place):
    with pytest.raises(ValueError, match='does not fit'):
        ShortestPaths(np.array([[False, True]]), (0.0, 0.0), 1.0).from_place(place)
