# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""A driver: takes poses and depth images of a robot, returns speeds, never looks at a clock."""

from dataclasses import dataclass, field
import math
from typing import Protocol

from ipt_ros.driving.following import Command, follow, Limits, rest_of_way, STOP, turn
from ipt_ros.driving.goals import Routes, Trip
from ipt_ros.driving.occupancy import OccupancyMap
from ipt_ros.geometry import PinholeCamera, Pose2D, wrap_angle
import numpy as np

_ARRIVED, _FACING = 0.10, 0.08  # m and rad that count as there
_LOOK_AHEAD = 0.7  # m of the way that must stay free of obstacles
_STUCK_AFTER, _STUCK_LESS = 1.0, 0.25  # s, and the share of the commanded way, of being blocked
_BACK = 0.12  # m/s, while backing off from an obstacle
_BACK_FOR = 1.5  # s
_MOST_FAILURES = 20  # one after the other


class DrivingError(RuntimeError):
    """The robot cannot be driven; the message says why."""


class Goals(Protocol):
    """What decides where to go."""

    def next_trip(self, occupancy: OccupancyMap, pose: Pose2D, clearance: float) -> Trip | None:
        """Return the next trip, None where there is none."""
        ...

    def failed(self) -> None:
        """Take note that the last trip could not be finished."""
        ...


@dataclass(frozen=True)
class DriverOptions:
    """
    How to drive.

    radius: of the robot (m). margin: to keep from obstacles beyond it (m). dwell: seconds to
    stand still at each goal. endless: look around and try again where there is nowhere to go
    (exploring), instead of being done (given poses).
    """

    limits: Limits = field(default_factory=Limits)
    radius: float = 0.2
    margin: float = 0.12
    dwell: float = 0.5
    endless: bool = True

    @property
    def clearance(self) -> float:
        """Metres between the robot's middle and the nearest obstacle."""
        return self.radius + self.margin


@dataclass
class Log:
    """What a drive came to: metres, goals reached, times blocked, trips given up."""

    distance: float = 0.0
    reached: int = 0
    blocked: int = 0
    given_up: int = 0


class Driver:
    """Drives from goal to goal. Call `see` for depth images and `step` for every new pose."""

    def __init__(self, goals: Goals, options: DriverOptions | None = None):
        self.map = OccupancyMap()
        self.log = Log()
        self.done = False
        self._goals = goals
        self._options = options or DriverOptions()
        self._trip: Trip | None = None
        self._command = STOP
        self._pose: Pose2D | None = None
        self._time = 0.0
        self._wait_until = -math.inf
        self._back_until = -math.inf
        self._expected, self._moved, self._window = 0.0, 0.0, 0.0
        self._failures = 0

    @property
    def goal(self) -> Pose2D | None:
        """Where it is going."""
        return self._trip.goal if self._trip else None

    def see(
        self, camera: PinholeCamera, depth: np.ndarray, world_from_optical: np.ndarray,
    ) -> None:
        """Take in a depth image; see `OccupancyMap.see`."""
        self.map.see(camera, depth, world_from_optical)

    def step(self, time: float, pose: Pose2D) -> Command:
        """
        Return the speeds to go on with; time: seconds, pose: in the frame of the map.

        Raises DrivingError when the robot cannot get anywhere any more.
        """
        dt = self._note(time, pose)
        if self.done:
            return STOP
        if self._is_blocked(dt):
            self._on_blocked(time, pose)
        wanted = self._wanted(time, pose)
        self._command = wanted.eased(self._command, dt, self._options.limits)
        return self._command

    def _note(self, time: float, pose: Pose2D) -> float:
        """Take note of the pose; return the seconds since the last one."""
        if self._pose is None:
            self._time = time
            self._pose = pose
            self.map.stand(pose, self._options.clearance)
        dt = time - self._time
        if dt < 0 or dt > 5.0:  # the clock was set back, or the robot was carried away
            self._trip, dt = None, 0.0
        moved = math.dist((pose.x, pose.y), (self._pose.x, self._pose.y))
        self._moved += moved
        self.log.distance += moved
        self._time, self._pose = time, pose
        return dt

    def _is_blocked(self, dt: float) -> bool:
        """Tell whether the robot has stood still for a while although it was told to move."""
        self._expected += abs(self._command.linear) * dt
        self._window += dt
        if self._window < _STUCK_AFTER:
            return False
        # A crawl proves nothing: it ends within the tolerance of a good odometry.
        blocked = self._expected > 0.05 and self._moved < _STUCK_LESS * self._expected
        self._expected = self._moved = self._window = 0.0
        return blocked

    def _on_blocked(self, time: float, pose: Pose2D) -> None:
        self.log.blocked += 1
        self._command = STOP
        if time >= self._back_until:
            self.map.block(pose, self._options.radius)
            self._back_until = time + _BACK_FOR
        else:  # blocked behind as well
            self._back_until = time
        self._give_up()

    def _give_up(self) -> None:
        if self._trip is not None:
            self.log.given_up += 1
            self._trip = None
            self._goals.failed()

    def _wanted(self, time: float, pose: Pose2D) -> Command:
        limits = self._options.limits
        if time < self._back_until:
            return Command(-min(_BACK, limits.linear), 0.0)
        if time < self._wait_until:
            return STOP
        if self._trip is None:
            return self._begin_trip(time, pose)
        goal = self._trip.goal
        if math.dist((pose.x, pose.y), self._trip.way[-1]) > _ARRIVED:
            rest = rest_of_way(pose, self._trip.way)
            if not self._is_free(pose, rest):
                self._trip = self._around(pose)
                if self._trip is None:
                    return STOP
            return follow(pose, self._trip.way, limits)
        if abs(wrap_angle(goal.yaw - pose.yaw)) > _FACING:
            return turn(pose, goal.yaw, limits)
        self.log.reached += 1
        self._trip = None
        self._wait_until = time + self._options.dwell
        return STOP

    def _begin_trip(self, time: float, pose: Pose2D) -> Command:
        self.map.stand(pose, self._options.clearance)
        self._trip = self._goals.next_trip(self.map, pose, self._options.clearance)
        if self._trip is not None:
            self._failures = 0
            return STOP
        if not self._options.endless:
            self.done = True
            return STOP
        self._failures += 1
        if self._failures > _MOST_FAILURES:
            raise DrivingError(
                f'there is nowhere to go from ({pose.x:.2f}, {pose.y:.2f}): obstacles on all '
                f'sides within {self._options.clearance:.2f} m, or the depth images show no floor')
        # Turn a little: what a camera has not seen yet may be free.
        self._wait_until = time
        return Command(0.0, self._options.limits.angular / 2)

    def _around(self, pose: Pose2D) -> Trip | None:
        """Return another way to the present goal, None where there is none any more."""
        routes = Routes(self.map, pose, self._options.clearance)
        index = routes.nearest(self._trip.goal.x, self._trip.goal.y)
        if index is None:
            self._give_up()
            return None
        return Trip(self._trip.goal, routes.to(index))

    def _is_free(self, pose: Pose2D, rest: np.ndarray) -> bool:
        """Tell whether the next stretch of the way keeps clear of what is known to be there."""
        occupied, ahead = self.map.occupied, _LOOK_AHEAD
        for start, end in zip(np.vstack([[(pose.x, pose.y)], rest]), rest):
            length = math.dist(start, end)
            for along in np.arange(0.0, min(length, ahead), self.map.resolution):
                place = start + (end - start) * (along / max(length, 1e-9))
                if self._touches(occupied, *place):
                    return False
            ahead -= length
            if ahead <= 0:
                break
        return True

    def _touches(self, occupied: np.ndarray, x: float, y: float) -> bool:
        row, column = self.map.cell(x, y)
        keep = self._options.radius + self._options.margin / 2
        reach = math.ceil(keep / self.map.resolution)
        near = occupied[max(0, row - reach):row + reach + 1,
                        max(0, column - reach):column + reach + 1]
        rows, columns = np.nonzero(near)
        rows, columns = rows + max(0, row - reach) - row, columns + max(0, column - reach) - column
        return bool((np.hypot(rows, columns) * self.map.resolution < keep).any())
