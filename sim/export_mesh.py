# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""
Triangle meshes of the primitives that items are made of.

Triangles are counter-clockwise seen from outside, so that a renderer that leaves out the back of
faces shows a ceiling from below and not from above.
"""

from collections.abc import Callable
from dataclasses import dataclass
import math

from ipt_ros.geometry import compose, rotation_from_yaw_pitch, transform_points
from ipt_sim.scenes.model import Item, Part
import numpy as np

SLICES = 24  # around a cylinder or an ellipsoid
STACKS = 12  # from pole to pole of an ellipsoid
# Part axes -> the axes of an upright cylinder that runs along them; proper rotations.
_ALONG = {
    'x': np.array([[0.0, 0.0, 1.0], [0.0, 1.0, 0.0], [-1.0, 0.0, 0.0]]),
    'y': np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, -1.0, 0.0]]),
    'z': np.eye(3),
}


@dataclass(frozen=True)
class Mesh:
    """
    Triangles with what a renderer needs at their corners.

    vertices, normals: (N, 3), metres and unit length. uv: (N, 2) place in the texture, v upwards.
    faces: int (M, 3).
    """

    vertices: np.ndarray
    normals: np.ndarray
    uv: np.ndarray
    faces: np.ndarray


def part_mesh(item: Item, part: Part, repeats: float) -> Mesh:
    """
    Return a part of an item, in the world frame.

    repeats: how often the part's texture repeats a metre; 0: once over every face.
    """
    mesh = _SHAPES[part.shape](part, repeats)
    world_from_item = compose(
        rotation_from_yaw_pitch(item.pose.yaw), (item.pose.x, item.pose.y, item.z))
    return Mesh(
        transform_points(world_from_item, mesh.vertices + part.center),
        mesh.normals @ world_from_item[:3, :3].T,
        mesh.uv,
        mesh.faces,
    )


def _box(part: Part, repeats: float) -> Mesh:
    half = np.array(part.size) / 2
    vertices, normals, uv, faces = [], [], [], []
    corners = np.array([[-1.0, -1.0], [1.0, -1.0], [1.0, 1.0], [-1.0, 1.0]])  # right, up
    for axis in range(3):
        for sign in (-1.0, 1.0):
            normal = np.eye(3)[axis] * sign
            up = np.eye(3)[1 if axis == 2 else 2]
            right = np.cross(up, normal)
            extent = 2 * np.abs(np.array([right @ half, up @ half]))
            faces += [[len(vertices) + i for i in corner] for corner in ((0, 1, 2), (0, 2, 3))]
            vertices += list((normal + corners @ np.array([right, up])) * half)
            normals += [normal] * 4
            uv += list((corners / 2 + 0.5) * (extent * repeats if repeats else 1.0))
    return Mesh(np.array(vertices), np.array(normals), np.array(uv), np.array(faces))


def _cylinder(part: Part, repeats: float) -> Mesh:
    del repeats  # only boxes carry textures that are laid out in metres
    to_part = _ALONG[part.axis]
    turn = np.linspace(0.0, 2 * math.pi, SLICES + 1)
    rim = np.column_stack([np.cos(turn), np.sin(turn)])
    rim[-1] = rim[0]  # the seam closes exactly
    ring = np.column_stack([rim, np.zeros(SLICES + 1)])
    low, high = ring - (0, 0, 1), ring + (0, 0, 1)
    along = np.linspace(0.0, 1.0, SLICES + 1)
    vertices = [low, high]
    normals = [ring, ring]
    uv = [np.column_stack([along, np.full_like(along, v)]) for v in (0.0, 1.0)]
    below = np.arange(SLICES)
    above = below + SLICES + 1
    faces = [np.column_stack([below, below + 1, above + 1]),
             np.column_stack([below, above + 1, above])]
    for sign, cap in ((-1.0, low), (1.0, high)):
        first = sum(map(len, vertices))
        vertices += [cap, [[0.0, 0.0, sign]]]
        normals += [np.tile([0.0, 0.0, sign], (SLICES + 2, 1))]
        uv += [np.vstack([rim / 2 + 0.5, [[0.5, 0.5]]])]
        edge = first + np.arange(SLICES)
        fan = np.column_stack([edge, edge + 1, np.full(SLICES, first + SLICES + 1)])
        faces.append(fan if sign > 0 else fan[:, ::-1])
    return _scaled(np.vstack(vertices) @ to_part.T, np.vstack(normals) @ to_part.T,
                   np.vstack(uv), np.vstack(faces), part)


def _ellipsoid(part: Part, repeats: float) -> Mesh:
    del repeats
    turn, rise = np.meshgrid(np.linspace(0.0, 2 * math.pi, SLICES + 1),
                             np.linspace(-math.pi / 2, math.pi / 2, STACKS + 1))
    unit = np.stack([np.cos(rise) * np.cos(turn), np.cos(rise) * np.sin(turn), np.sin(rise)], -1)
    unit[:, -1] = unit[:, 0]
    uv = np.stack([turn / (2 * math.pi), rise / math.pi + 0.5], -1)
    row, column = np.mgrid[:STACKS, :SLICES].reshape(2, -1)
    corner = row * (SLICES + 1) + column
    above = corner + SLICES + 1
    faces = np.vstack([np.column_stack([corner, corner + 1, above + 1])[row > 0],
                       np.column_stack([corner, above + 1, above])[row < STACKS - 1]])
    unit = unit.reshape(-1, 3)
    return _scaled(unit, unit, uv.reshape(-1, 2), faces, part)


def _scaled(
    vertices: np.ndarray, normals: np.ndarray, uv: np.ndarray, faces: np.ndarray, part: Part
) -> Mesh:
    """Stretch a shape of half extent 1 to the size of the part; normals stretch the other way."""
    half = np.array(part.size) / 2
    normals = normals / half
    return Mesh(vertices * half, normals / np.linalg.norm(normals, axis=1, keepdims=True), uv,
                faces)


_SHAPES: dict[str, Callable[[Part, float], Mesh]] = {
    'box': _box,
    'cylinder': _cylinder,
    'sphere': _ellipsoid,
}
