# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""A pose on the floor becomes a pixel, or a clear reason why it cannot."""

from dataclasses import dataclass
import math
from typing import Protocol

from ipt_ros.spatial.errors import (
    TargetInvalidError,
    TargetNotOnFloorError,
    TargetOccludedError,
    TargetOutOfViewError,
    TurnNotSupportedError,
)
from ipt_ros.spatial.marks import CROSS_HALF
import numpy as np

FLOOR_TOLERANCE = 0.2  # metres, as in the published data
TURN_TOLERANCE = math.radians(30)
# Half of the X's half: nearer to the horizon its middle covers all the floor there is, up to where
# the floor ends in a wall or in the sky.
_FROM_HORIZON = CROSS_HALF / 2  # of the image's shorter side
_FARTHEST = 10_000.0  # metres; beyond lies the horizon of the round earth
_TILT = math.tan(math.radians(2))  # by which the pose of a camera may be wrong


class Camera(Protocol):
    """What is needed of a camera model; `ipt_ros.geometry.PinholeCamera` has it."""

    width: int
    height: int

    def project(self, points_optical: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Project Nx3 points of the optical frame to Nx2 pixels and N depths in metres."""

    def deproject(self, uv: np.ndarray, depth: np.ndarray) -> np.ndarray:
        """Return Nx3 points of the optical frame that are seen at Nx2 pixels, N metres deep."""


@dataclass(frozen=True)
class MarkedTarget:
    """
    Where a target is in the image, and whether depth confirmed that it can be seen.

    below: by how many metres what depth shows there lies below the floor; 0 where it does not.
    """

    uv: tuple[float, float]
    depth: float
    occlusion_checked: bool
    below: float = 0.0


def locate_target(
    camera: Camera,
    world_from_optical: np.ndarray,
    target: tuple[float, float, float],
    depth: np.ndarray | None = None,
    floor_z: float = 0.0,
) -> MarkedTarget:
    """
    Project a point on the floor into an image and check that a mark there makes sense.

    Parameters
    ----------
    camera
        Intrinsics of the image.
    world_from_optical
        4x4 pose of the camera's optical frame (z forward, x right, y down) in the frame in
        which ``target`` and ``floor_z`` are given.
    target
        x, y, z in metres.
    depth
        HxW planar depth in metres of the same image, or None. Values that are 0, NaN or
        infinite mean "not measured".
    floor_z
        Height of the floor.

    Raises
    ------
    TargetInvalidError, TargetNotOnFloorError, TargetOutOfViewError, TargetOccludedError

    """
    point = np.asarray(target, dtype=float)
    if point.shape != (3,) or not np.isfinite(point).all():
        raise TargetInvalidError(f'target must be three finite numbers (metres), got {target}')
    if np.abs(point).max() > _FARTHEST:
        raise TargetOutOfViewError(
            f'target ({point[0]:.4g}, {point[1]:.4g}, {point[2]:.4g}) is more than '
            f'{_FARTHEST:.0f} m away, where no camera shows a place; give metres')
    if abs(point[2] - floor_z) > FLOOR_TOLERANCE:
        raise TargetNotOnFloorError(
            f'target is {point[2] - floor_z:+.2f} m off the floor; the X is drawn on the ground, '
            f'so give a target within {FLOOR_TOLERANCE} m of z = {floor_z:.2f}')

    in_optical = np.linalg.inv(world_from_optical) @ np.append(point, 1.0)
    away = point - world_from_optical[:3, 3]
    if in_optical[2] <= 0.05:
        if math.hypot(*away[:2]) < -away[2] / 2:
            raise TargetOutOfViewError(
                'target lies under the camera, where it does not look; choose a place that is '
                'farther away')
        raise TargetOutOfViewError(
            'target is behind the camera; turn the robot or choose a camera that faces it')
    pixels, depths = camera.project(in_optical[None, :3])
    u, v = map(float, pixels[0])
    _check_distance(camera, world_from_optical, away, pixels[0], depths[0])
    margin = CROSS_HALF * min(camera.width, camera.height)
    u_max, v_max = camera.width - 1 - margin, camera.height - 1 - margin
    if not (margin <= u <= u_max and margin <= v <= v_max):
        raise TargetOutOfViewError(
            f'target falls on pixel ({u:.0f}, {v:.0f}), but its mark fits only between '
            f'({margin:.0f}, {margin:.0f}) and ({u_max:.0f}, {v_max:.0f}); turn the robot or '
            'choose another target')

    measured, below = np.empty(0), 0.0
    # Along the floor one pixel covers ever more metres with distance.
    nearer = depths[0] - (0.15 + 0.1 * depths[0])
    if depth is not None:
        measured, _ = _depth_near(depth, camera, u, v, 1.0)
        if not measured.size:
            _check_around(depth, camera, world_from_optical, u, v, floor_z, nearer)
    if measured.size:
        seen = measured.max()
        if seen < nearer:
            raise TargetOccludedError(
                f'target is {depths[0]:.2f} m ahead, but something {seen:.2f} m ahead hides it; '
                'choose a place that the camera can see')
        drop = -away[2] * (measured.min() / depths[0] - 1.0)
        if drop > FLOOR_TOLERANCE + _TILT * depths[0]:
            below = float(drop)
    return MarkedTarget((u, v), float(depths[0]), bool(measured.size), below)


def facing_arrow(
    camera: Camera,
    world_from_optical: np.ndarray,
    target: tuple[float, float, float],
    yaw: float,
    length: float = 0.5,
) -> tuple[tuple[float, float], tuple[float, float]]:
    """Return tail and tip pixels of an arrow on the floor from ``target`` towards ``yaw``."""
    start = np.asarray(target, float)
    optical_from_world = np.linalg.inv(world_from_optical)
    # A tip beside or behind the camera has no pixel: shorten until it has one.
    for part in (1.0, 0.5, 0.25):
        end = start + part * length * np.array([math.cos(yaw), math.sin(yaw), 0.0])
        ends = np.stack([start, end]) @ optical_from_world[:3, :3].T + optical_from_world[:3, 3]
        if (ends[:, 2] > 0.05).all():
            pixels, _ = camera.project(ends)
            return tuple(map(float, pixels[0])), tuple(map(float, pixels[1]))
    raise TargetOutOfViewError('target is too near to the camera to draw an arrow there')


def quarter_turn(camera_yaw: float, target_yaw: float) -> str:
    """
    Return 'left' or 'right': the quarter turn that leads from one heading to the other.

    Raise TurnNotSupportedError when the difference is more than 30 degrees off +-90.
    """
    difference = math.remainder(target_yaw - camera_yaw, math.tau)
    for name, turn in (('left', math.pi / 2), ('right', -math.pi / 2)):
        if abs(math.remainder(difference - turn, math.tau)) <= TURN_TOLERANCE:
            return name
    raise TurnNotSupportedError(
        f'target heading is {math.degrees(difference):+.0f} deg from the camera heading; '
        'the model was taught turns of +90 (left) and -90 (right) deg')


def _check_distance(camera: Camera, world_from_optical: np.ndarray, away: np.ndarray,
                    pixel: np.ndarray, depth: float) -> None:
    """
    Refuse a target so far away that its mark would lie on the horizon, not on a place.

    away: from the camera to the target.
    """
    if away[2] >= 0:
        raise TargetOutOfViewError(
            f'the camera is {-away[2]:.2f} m above the floor by its pose and cannot see it; check '
            'that the base frame has its origin on the floor, and the transform of the camera')
    along = world_from_optical[:3, :3].T @ (away[0], away[1], 0.0)
    if along[2] <= 1e-6 * np.linalg.norm(along):
        return  # the floor in that direction ends behind the camera, not at a horizon
    horizon, _ = camera.project(along[None] / np.linalg.norm(along))
    offset = float(np.linalg.norm(pixel - horizon[0]))
    least = _FROM_HORIZON * min(camera.width, camera.height)
    if offset < least:
        raise TargetOutOfViewError(
            f'target is {depth:.4g} m ahead, where the floor is {offset:.2g} pixels from the '
            f'horizon and no mark on it shows one place; from {-away[2]:.2f} m above the floor '
            f'this camera can show places up to {depth * offset / least:.1f} m ahead')


def _check_around(depth: np.ndarray, camera: Camera, world_from_optical: np.ndarray, u: float,
                  v: float, floor_z: float, nearer: float) -> None:
    """Refuse a target whose depth is missing within something that stands before it."""
    half = CROSS_HALF * min(depth.shape)
    measured, uv = _depth_near(depth, camera, u, v, half)
    points = camera.deproject(uv, measured)
    heights = points @ world_from_optical[2, :3] + world_from_optical[2, 3] - floor_z
    stands = (measured < nearer) & (heights > FLOOR_TOLERANCE + _TILT * measured)
    if len(measured) >= 4 and stands.all():
        raise TargetOccludedError(
            'depth is missing at the target, and all that was measured around it is something '
            f'{np.median(measured):.2f} m ahead that stands before it; choose a place that the '
            'camera can see')


def _depth_near(depth: np.ndarray, camera: Camera, u: float, v: float, half: float,
                ) -> tuple[np.ndarray, np.ndarray]:
    """Return what was measured up to `half` pixels of depth from uv, and at which Nx2 pixels."""
    height, width = depth.shape
    scale = np.array([camera.width / width, camera.height / height])
    column, row = np.round((np.array([u, v]) + 0.5) / scale - 0.5).astype(int)
    reach = int(half)
    top, left = max(0, row - reach), max(0, column - reach)
    patch = depth[top:row + reach + 1, left:column + reach + 1]
    rows, columns = np.nonzero(np.isfinite(patch) & (patch > 0))
    uv = (np.column_stack([columns + left, rows + top]) + 0.5) * scale - 0.5
    return patch[rows, columns], uv
