# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""
Many depth images from known poses become one surface, by Open3D.

The truncated signed distance of Curless and Levoy (A volumetric method for building complex models
from range images, SIGGRAPH 1996): every image votes on where the surface is, so noise averages out
and what only one image claims counts little.
"""

from dataclasses import dataclass
import math

from ipt_ros.geometry.camera import PinholeCamera
from ipt_ros.geometry.open3d_import import FusionError, open3d_module
from ipt_ros.geometry.transforms import invert
import numpy as np

_BLOCK = 8  # voxels a side of the blocks in which space is kept
_FIRST_BLOCKS = 4096  # it takes more as it needs them
# Voxels around a surface in which an image has a say: less tears holes, more swallows thin things.
_TRUST = 4.0

__all__ = ['Floor', 'FusionError', 'RgbdFusion', 'SurfaceCloud', 'find_floor']


@dataclass(frozen=True, eq=False)
class SurfaceCloud:
    """Points (N, 3) on surfaces in metres, and their uint8 (N, 3) RGB colours."""

    points: np.ndarray
    colors: np.ndarray


@dataclass(frozen=True)
class Floor:
    """
    A plane: normal (unit, upwards) . point = offset (m). support: number of points on it.

    Heights above it are what maps are made of, so a frame of reference that leans a little, as
    odometry on a bumpy floor does, does not matter.
    """

    normal: tuple[float, float, float]
    offset: float
    support: int

    def heights(self, points: np.ndarray) -> np.ndarray:
        """Return metres above the floor of (N, 3) points."""
        return points @ np.array(self.normal) - self.offset

    def z(self, x: float, y: float) -> float:
        """Return the height of the floor at a place, in the frame of reference."""
        nx, ny, nz = self.normal
        return (self.offset - nx * x - ny * y) / nz

    @property
    def tilt(self) -> float:
        """Return the angle (rad) between its normal and the z axis."""
        return math.acos(min(1.0, self.normal[2]))


class RgbdFusion:
    """
    Collects colour and depth images of a scene that stands still.

    voxel: metres; surfaces come out as points about that far apart. max_depth: metres; what is
    further away is left out, since depth gets worse with distance.
    """

    def __init__(self, voxel: float = 0.04, max_depth: float = 6.0):
        """Start with empty space. Raises FusionError where Open3D is not installed."""
        if not (voxel > 0 and max_depth > 0):
            raise ValueError(f'voxel and max_depth must be positive, got {voxel}, {max_depth}')
        self._o3d = open3d_module()
        self._voxel = voxel
        self._max_depth = max_depth
        core = self._o3d.core
        self._grid = self._o3d.t.geometry.VoxelBlockGrid(
            ('tsdf', 'weight', 'color'), (core.float32,) * 3, ((1), (1), (3)), voxel, _BLOCK,
            _FIRST_BLOCKS)
        self.images = 0

    def add(self, rgb: np.ndarray, depth: np.ndarray, camera: PinholeCamera,
            world_from_optical: np.ndarray) -> None:
        """
        Take in an image: uint8 (H, W, 3), and depth float32 (H, W) m along the axis, 0 = none.

        Raises ValueError where the two do not fit the camera or the pose is not finite.
        """
        size = (camera.height, camera.width)
        if rgb.shape != (*size, 3) or rgb.dtype != np.uint8 or depth.shape != size:
            raise ValueError(
                f'expected uint8 {(*size, 3)} and depth {size}, got {rgb.dtype} {rgb.shape} and '
                f'{depth.shape}')
        pose = np.asarray(world_from_optical, dtype=np.float64)
        if not np.isfinite(pose).all():
            raise ValueError('the pose of an image is not finite')
        self.images += 1
        if not ((depth > 0) & (depth < self._max_depth)).any():
            return
        tensor, image = self._o3d.core.Tensor, self._o3d.t.geometry.Image
        depths = image(tensor(np.ascontiguousarray(depth, dtype=np.float32)))
        # Colours as floating point numbers: whole ones would be rounded at every image.
        colors = image(tensor(np.ascontiguousarray(rgb, dtype=np.float32)))
        matrix, extrinsic = tensor(camera.matrix), tensor(invert(pose))
        limits = 1.0, self._max_depth, _TRUST
        blocks = self._grid.compute_unique_block_coordinates(depths, matrix, extrinsic, *limits)
        self._grid.integrate(blocks, depths, colors, matrix, extrinsic, *limits)

    def surface(self, min_images: int = 1) -> SurfaceCloud:
        """
        Return the surface so far, as points about a voxel apart.

        min_images: how many images must have seen a point. Raises FusionError for no surface.
        """
        if self._grid.hashmap().size():
            cloud = self._grid.extract_point_cloud(min_images - 0.5)
            if 'positions' in cloud.point and len(cloud.point.positions):
                colors = np.clip(cloud.point.colors.numpy(), 0, 255)
                return SurfaceCloud(
                    cloud.point.positions.numpy().astype(np.float64),
                    np.rint(colors).astype(np.uint8))
        raise FusionError(
            f'{self.images} images show no surface within {self._max_depth:g} m; check depth '
            '(metres, 0 = none) and poses')


def find_floor(
    points: np.ndarray, expected_z: float, search: float = 0.3, max_tilt: float = math.radians(8),
    min_support: int = 200, seed: int = 0,
) -> Floor:
    """
    Find the floor among (N, 3) points by RANSAC (Fischler and Bolles 1981).

    expected_z: about where it is; points further than `search` metres above or below are no
    candidates. Raises FusionError where no plane that is level to within max_tilt (rad) has
    min_support points.
    """
    near = points[np.abs(points[:, 2] - expected_z) <= search]
    if len(near) < max(min_support, 3):
        raise FusionError(
            f'{len(near)} points within {search:g} m of z = {expected_z:.2f} are too few to find '
            'the floor; check the base frame, and that a camera sees the floor')
    o3d = open3d_module()
    o3d.utility.random.seed(seed)
    cloud = o3d.geometry.PointCloud(o3d.utility.Vector3dVector(near))
    plane, inliers = cloud.segment_plane(0.02, 3, 300)
    plane = np.array(plane) / np.linalg.norm(plane[:3])
    if plane[2] < 0:
        plane = -plane
    floor = Floor(tuple(map(float, plane[:3])), float(-plane[3]), len(inliers))
    if floor.support < min_support or floor.tilt > max_tilt:
        raise FusionError(
            f'the largest plane near z = {expected_z:.2f} has {floor.support} points and leans by '
            f'{math.degrees(floor.tilt):.0f} deg; no floor')
    return floor
