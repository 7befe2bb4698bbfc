# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""
Offscreen drawing with MuJoCo's low-level renderer.

`mujoco.Renderer` updates the scene and looks up every geom at each picture. Scenes stand still
here, so geoms are collected once a scene, and a picture costs one or two draws: colour (smoothed
by multisampling), and, for depth and instances together, one draw of flat ids.
"""

import functools
import threading
import weakref

from ipt_ros.geometry import OrthographicCamera, PinholeCamera
from ipt_sim.egl_context import before_exit
from ipt_sim.gl import abandon, APT_PACKAGES, revive_display
from ipt_sim.mujoco_pool import GROUP_CEILING, GROUP_UNUSED, ScenePool
from ipt_sim.protocol import RenderingUnavailableError, SimulatorError
import mujoco
import numpy as np

_MAX_GEOMS = 600


class OffscreenRenderer:
    """Draws the scene of a pool into numpy arrays."""

    def __init__(self, pool: ScenePool):
        self._pool = pool
        self._thread = threading.get_ident()
        visual = pool.model.vis
        self._size = (int(visual.global_.offwidth), int(visual.global_.offheight))
        # The depth formula must use the planes that the graphics library sees, in its precision.
        self._near = np.float64(np.float32(visual.map.znear * pool.model.stat.extent))
        self._far = np.float64(np.float32(visual.map.zfar * pool.model.stat.extent))
        self._gl = self._context = None
        self._start()
        self._inside = mujoco.MjvScene(pool.model, _MAX_GEOMS)
        self._plan = mujoco.MjvScene(pool.model, _MAX_GEOMS)  # without the ceiling
        self._option = mujoco.MjvOption()
        self._option.geomgroup[:] = 1
        self._option.geomgroup[GROUP_UNUSED] = 0
        self._camera = mujoco.MjvCamera()
        self._buffers: tuple[np.ndarray, np.ndarray] | None = None

    def _start(self) -> None:
        """Make a graphics context and put all that the model holds into it."""
        try:
            try:
                self._gl = mujoco.GLContext(*self._size)
            except Exception:
                if not revive_display():
                    raise
                self._gl = mujoco.GLContext(*self._size)
            self._gl.make_current()
            self._context = mujoco.MjrContext(
                self._pool.model, mujoco.mjtFontScale.mjFONTSCALE_50)
        except Exception as error:  # PyOpenGL, EGL and MuJoCo each raise types of their own
            raise RenderingUnavailableError(
                f'cannot draw without a display: {error}. Try MUJOCO_GL=osmesa, or install: '
                f'apt-get install {APT_PACKAGES}'
            ) from error
        mujoco.mjr_setBuffer(mujoco.mjtFramebuffer.mjFB_OFFSCREEN, self._context)
        self._context.readDepthMap = mujoco.mjtDepthMap.mjDEPTH_ZEROFAR
        # MuJoCo ends its EGL display at exit; contexts must be gone by then.
        before_exit(functools.partial(_close_if_alive, weakref.ref(self)))

    def _make_current(self) -> None:
        """
        Make the graphics context current, or a new one where it is gone.

        Another library that draws in this process, habitat_sim for one, ends the display that
        both share when it is closed.
        """
        try:
            self._gl.make_current()
        except Exception:  # whatever PyOpenGL and MuJoCo raise
            if not revive_display():
                raise
            self._forget()
            self._start()

    def update(self) -> None:
        """Collect what there is to draw; call it after the pool loaded a scene."""
        if self._pool.changed_textures:
            self._make_current()
            for texture in sorted(self._pool.changed_textures):
                mujoco.mjr_uploadTexture(self._pool.model, self._context, texture)
            self._pool.changed_textures.clear()
        for scene, ceiling in ((self._inside, 1), (self._plan, 0)):
            self._option.geomgroup[GROUP_CEILING] = ceiling
            mujoco.mjv_updateScene(
                self._pool.model, self._pool.data, self._option, None, self._camera,
                mujoco.mjtCatBit.mjCAT_ALL, scene,
            )
            for flag in (mujoco.mjtRndFlag.mjRND_SHADOW, mujoco.mjtRndFlag.mjRND_REFLECTION,
                         mujoco.mjtRndFlag.mjRND_SKYBOX, mujoco.mjtRndFlag.mjRND_HAZE):
                scene.flags[flag] = 0
        self._ids = [self._ids_of(scene) for scene in (self._inside, self._plan)]

    def _ids_of(self, scene: mujoco.MjvScene) -> np.ndarray:
        """Map a colour id of the flat draw (segment + 1; 0 is background) to an item's number."""
        geoms = scene.geoms[:scene.ngeom]
        ids = np.zeros(scene.ngeom + 1, np.int32)
        segments = np.array([geom.segid for geom in geoms]) + 1
        bodies = self._pool.model.geom_bodyid[[geom.objid for geom in geoms]]
        ids[segments] = self._pool.ids[bodies]
        return ids

    def draw(
        self,
        intrinsics: PinholeCamera | OrthographicCamera,
        world_from_optical: np.ndarray,
        *,
        ceiling: bool,
        depth: bool,
        instance: bool,
    ) -> tuple[np.ndarray, np.ndarray | None, np.ndarray | None]:
        """
        Draw colour, and on demand planar depth (m, 0 = nothing hit) and instance ids.

        Raises SimulatorError when the picture is larger than the offscreen buffer.
        """
        width, height = intrinsics.width, intrinsics.height
        if width > self._size[0] or height > self._size[1]:
            raise SimulatorError(
                f'a picture of {width}x{height} pixels does not fit into the offscreen buffer of '
                f'{self._size[0]}x{self._size[1]}: pass a larger max_image_size'
            )
        if self._context is None:
            raise SimulatorError('the renderer is closed')
        if threading.get_ident() != self._thread:
            raise SimulatorError(
                'this simulator was made by another thread: graphics contexts stay with theirs, '
                'so make and use a simulator in one thread'
            )
        scene = self._inside if ceiling else self._plan
        self._aim(scene, intrinsics, world_from_optical)
        self._make_current()
        viewport = mujoco.MjrRect(0, 0, width, height)

        pixels, z_buffer = self._read_buffers(height, width)
        mujoco.mjr_render(viewport, scene, self._context)
        mujoco.mjr_readPixels(pixels, None, viewport, self._context)
        rgb = pixels[::-1].copy()  # OpenGL's rows run from the bottom up
        if not (depth or instance):
            return rgb, None, None

        count = scene.ngeom
        scene.ngeom = count - self._pool.shadow_count
        scene.flags[mujoco.mjtRndFlag.mjRND_SEGMENT] = 1
        scene.flags[mujoco.mjtRndFlag.mjRND_IDCOLOR] = 1
        mujoco.mjr_render(viewport, scene, self._context)
        mujoco.mjr_readPixels(
            pixels if instance else None, z_buffer if depth else None, viewport, self._context)
        scene.flags[mujoco.mjtRndFlag.mjRND_SEGMENT] = 0
        scene.flags[mujoco.mjtRndFlag.mjRND_IDCOLOR] = 0
        scene.ngeom = count
        metres = ids = None
        if depth:
            metres = self._metres(z_buffer[::-1], isinstance(intrinsics, OrthographicCamera))
        if instance:
            # The third byte is 0: there are at most _MAX_GEOMS segments.
            segments = pixels[::-1, :, 1].astype(np.int32)
            segments <<= 8
            segments |= pixels[::-1, :, 0]
            ids = self._ids[0 if ceiling else 1][segments]
        return rgb, metres, ids

    def _read_buffers(self, height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
        """
        Return what pixels are read into: colours or ids (H, W, 3), depth (H, W).

        They are kept while the size stays: fresh memory costs more than what is done in it.
        """
        if self._buffers is None or self._buffers[1].shape != (height, width):
            self._buffers = (
                np.empty((height, width, 3), np.uint8), np.empty((height, width), np.float32))
        return self._buffers

    def _metres(self, z_buffer: np.ndarray, orthographic: bool) -> np.ndarray:
        # The depth buffer runs from 1 at the near plane to 0 at the far plane, where nothing is.
        values = z_buffer.astype(np.float64)
        near, far = self._near, self._far
        values *= far - near
        if orthographic:
            np.subtract(far, values, out=values)
        else:
            values += near
            np.divide(near * far, values, out=values)
        metres = values.astype(np.float32)
        metres[z_buffer == 0] = 0.0
        return metres

    def _aim(
        self,
        scene: mujoco.MjvScene,
        intrinsics: PinholeCamera | OrthographicCamera,
        world_from_optical: np.ndarray,
    ) -> None:
        if isinstance(intrinsics, OrthographicCamera):
            scale, orthographic = intrinsics.metres_per_pixel, 1
            fx = fy = 1.0 / scale
        else:
            fx, fy = intrinsics.fx / self._near, intrinsics.fy / self._near
            orthographic = 0
        # Extents of the picture on the near plane; pixel centres are integers.
        left, right = (-0.5 - intrinsics.cx) / fx, (intrinsics.width - 0.5 - intrinsics.cx) / fx
        top, bottom = (intrinsics.cy + 0.5) / fy, (intrinsics.cy + 0.5 - intrinsics.height) / fy
        for camera in scene.camera:  # MuJoCo averages the two eyes
            camera.pos[:] = world_from_optical[:3, 3]
            camera.forward[:] = world_from_optical[:3, 2]
            camera.up[:] = -world_from_optical[:3, 1]
            camera.orthographic = orthographic
            camera.frustum_near, camera.frustum_far = self._near, self._far
            camera.frustum_center = (left + right) / 2
            camera.frustum_width = (right - left) / 2
            camera.frustum_top, camera.frustum_bottom = top, bottom

    def __del__(self):
        if getattr(self, '_context', None) is not None:
            self.close()

    def close(self) -> None:
        """Free what the graphics library holds."""
        if self._context is None:
            return
        try:
            self._gl.make_current()
        except Exception:  # it is gone, and all in it
            self._forget()
            return
        self._context.free()
        self._context = None
        try:
            self._gl.free()
        except Exception:  # the display is gone, and this context only lived while it was current
            abandon(self._gl)

    def _forget(self) -> None:
        """Let go of a graphics context that is gone."""
        context, self._context = self._context, None
        abandon(self._gl)
        context.free()  # of what MuJoCo holds; no graphics context is current that could suffer


def _close_if_alive(reference: weakref.ref) -> None:
    renderer = reference()
    if renderer is not None:
        renderer.close()
