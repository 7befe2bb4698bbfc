# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""
One compiled MuJoCo model that can become any scene.

Compiling a model a scene costs far more than drawing it. So a model is compiled once with a pool
of mocap bodies that carry nameless primitives, and a scene is written into it: which body stands
where, which primitive has which type, size, place, colour and material. What a scene does not use
sits in a geom group that is never drawn, at no cost.
"""

from dataclasses import dataclass
import math

from ipt_sim.gl import APT_PACKAGES, check_display, choose_platform
from ipt_sim.protocol import RenderingUnavailableError, SimulatorError
from ipt_sim.scenes.model import Item, Part, Pattern, Scene
from ipt_sim.scenes.textures import all_textures, paint
import numpy as np

check_display(choose_platform())
try:
    import mujoco  # noqa: E402, I100  (the platform has to be chosen first)
except ModuleNotFoundError:
    raise
except Exception as error:  # MuJoCo and PyOpenGL look for their libraries as they are imported
    raise RenderingUnavailableError(
        f'cannot draw: MuJoCo does not find what it draws with: {error}; unset MUJOCO_GL and '
        f'PYOPENGL_PLATFORM, or install: apt-get install {APT_PACKAGES}') from error

# (bodies, primitives a body): floor, ceiling and walls; doors, windows, paintings; furniture.
_POOL = ((6, 2), (8, 4), (24, 12))
_CONTACT_SHADOWS = 24
GROUP_VISIBLE, GROUP_CEILING, GROUP_UNUSED = 0, 1, 5
# Half extents for MuJoCo of a box, cylinder (radius, half length) and ellipsoid.
_GEOM_TYPES = {
    'box': mujoco.mjtGeom.mjGEOM_BOX,
    'cylinder': mujoco.mjtGeom.mjGEOM_CYLINDER,
    'sphere': mujoco.mjtGeom.mjGEOM_ELLIPSOID,
}
_UPRIGHT = (1.0, 0.0, 0.0, 0.0)
# Quaternions (w, x, y, z) that take a geom's own z to the axis of the item.
_AXIS_QUATERNIONS = {
    'x': (math.sqrt(0.5), 0.0, math.sqrt(0.5), 0.0),
    'y': (math.sqrt(0.5), -math.sqrt(0.5), 0.0, 0.0),
    'z': _UPRIGHT,
}
# Geom x, y, z to item y, z, x: a flat texture then shows on the face that looks along +x.
_FACING_QUATERNION = (0.5, 0.5, 0.5, 0.5)
_SHADOW_MARGIN = 0.05
_SHADOW_THICKNESS = 0.002


@dataclass(frozen=True)
class _Slot:
    body: int
    mocap: int
    first_geom: int
    geoms: int


def _compile(offscreen: tuple[int, int], samples: int) -> mujoco.MjModel:
    spec = mujoco.MjSpec()
    spec.option.gravity = [0.0, 0.0, 0.0]
    spec.stat.extent = 1.0  # so that znear and zfar below are metres
    visual = spec.visual
    visual.map.znear, visual.map.zfar = 0.02, 20.0
    visual.global_.offwidth, visual.global_.offheight = offscreen
    visual.quality.offsamples = samples
    visual.quality.numslices, visual.quality.numstacks, visual.quality.numquads = 20, 10, 1
    visual.quality.shadowsize = 0
    visual.headlight.ambient = [0.6] * 3
    visual.headlight.diffuse = [0.3] * 3
    visual.headlight.specular = [0.0] * 3
    for _ in range(2):
        light = spec.worldbody.add_light(dir=[0, 0, -1], pos=[0, 0, 3], castshadow=False)
        light.type = mujoco.mjtLightType.mjLIGHT_DIRECTIONAL
        light.ambient, light.specular = [0.0] * 3, [0.0] * 3

    spec.add_material(name='plain', specular=0.0, shininess=0.0)
    spec.add_material(name='glow', specular=0.0, shininess=0.0, emission=0.5)
    for name, (picture, kind, repeats) in all_textures().items():
        flat = kind == 'flat'
        faces = 1 if flat else 6
        texture = spec.add_texture(
            name=name, width=picture.shape[1], height=picture.shape[0] * faces, nchannel=3,
            type=mujoco.mjtTexture.mjTEXTURE_2D if flat else mujoco.mjtTexture.mjTEXTURE_CUBE,
        )
        texture.data = np.tile(picture, (faces, 1, 1)).tobytes()
        material = spec.add_material(
            name=name, specular=0.0, shininess=0.0, texuniform=repeats > 0,
            texrepeat=[repeats or 1.0] * 2, emission=0.4 if name in ('screen', 'window') else 0.0,
        )
        material.textures[mujoco.mjtTextureRole.mjTEXROLE_RGB] = name

    for bodies, geoms in (*_POOL, (1, _CONTACT_SHADOWS)):
        for _ in range(bodies):
            body = spec.worldbody.add_body(mocap=True)
            for _ in range(geoms):
                # No contacts: driving is kinematic, on the navigable grid.
                body.add_geom(
                    type=mujoco.mjtGeom.mjGEOM_BOX, size=[0.1] * 3, group=GROUP_UNUSED,
                    contype=0, conaffinity=0, material='plain',
                )
    return spec.compile()


class ScenePool:
    """
    The compiled model, its data, and the scene that is written into it.

    Items are numbered in instance images as they come in the scene, from 1 on, as in exported
    rooms; ``ids`` has the number of each MuJoCo body, 0 for one that shows no item. Contact
    shadows (dark patches under furniture, far cheaper than shadow maps) belong to the last body;
    they are the last geoms, so that a draw can leave them out by drawing fewer geoms.
    """

    def __init__(self, offscreen: tuple[int, int], samples: int):
        self.model = _compile(offscreen, samples)
        self.data = mujoco.MjData(self.model)
        # The compiler notes which geoms sit at their body's origin, to skip their transform. These
        # notes are wrong as soon as geoms are moved.
        self.model.geom_sameframe[:] = 0
        self.model.geom_rbound[:] = 10.0
        self._materials = {
            self.model.material(index).name: index for index in range(self.model.nmat)
        }
        slots = [
            _Slot(body, int(self.model.body_mocapid[body]), int(self.model.body_geomadr[body]),
                  int(self.model.body_geomnum[body]))
            for body in range(1, self.model.nbody)
        ]
        edges = np.cumsum([0] + [bodies for bodies, _ in _POOL])
        self._slots = [slots[low:high] for low, high in zip(edges[:-1], edges[1:])]
        self._shadow_slot = slots[-1]
        self.shadow_count = 0
        self._painted: dict[str, Pattern] = {}
        self.changed_textures: set[int] = set()  # since a renderer last took them over
        self.ids = np.zeros(self.model.nbody, np.int32)

    def load(self, scene: Scene) -> dict[int, Item]:
        """
        Write a scene into the model and return {instance id: item}.

        Raises SimulatorError when the scene needs more than the pool holds.
        """
        model, data = self.model, self.data
        model.geom_group[:] = GROUP_UNUSED
        free = [iter(slots) for slots in self._slots]
        self.ids[:] = 0
        for number, item in enumerate(scene.items, 1):
            kind = 2 if not item.structural else 0 if item.name in (
                'floor', 'ceiling', 'wall') else 1
            slot = next(free[kind], None)
            if slot is None or len(item.parts) > slot.geoms:
                raise SimulatorError(
                    f'the scene of seed {scene.seed} does not fit into the pool: no body left '
                    f'for "{item.name}" with {len(item.parts)} parts'
                )
            self.ids[slot.body] = number
            data.mocap_pos[slot.mocap] = (item.pose.x, item.pose.y, item.z)
            half = item.pose.yaw / 2
            data.mocap_quat[slot.mocap] = (math.cos(half), 0.0, 0.0, math.sin(half))
            group = GROUP_CEILING if item.name == 'ceiling' else GROUP_VISIBLE
            for geom, part in enumerate(item.parts, slot.first_geom):
                self._write(geom, part, group)
        self._write_shadows(scene)
        for index, light in enumerate(scene.lights):
            model.light_dir[index] = light.direction / np.linalg.norm(light.direction)
            model.light_diffuse[index] = np.multiply(light.brightness, light.color)
        model.vis.headlight.ambient[:] = scene.ambient
        self._write_patterns(scene)
        mujoco.mj_kinematics(model, data)
        mujoco.mj_comPos(model, data)
        mujoco.mj_camlight(model, data)
        return dict(enumerate(scene.items, 1))

    def _write_patterns(self, scene: Scene) -> None:
        """Paint the patterns that are not there yet; those of other scenes stay, unused."""
        for name, pattern in scene.patterns.items():
            if self._painted.get(name) == pattern:
                continue
            texture = self.model.texture(name)
            texture.data[:] = np.resize(paint(pattern), texture.data.shape)  # each face the same
            self._painted[name] = pattern
            self.changed_textures.add(texture.id)

    def _write(self, geom: int, part: Part, group: int) -> None:
        model = self.model
        x, y, z = (side / 2 for side in part.size)
        if part.facing:
            size, quaternion = (y, z, x), _FACING_QUATERNION
        elif part.shape == 'cylinder':
            radius, length = {'x': (y, x), 'y': (x, y), 'z': (x, z)}[part.axis]
            size, quaternion = (radius, length, 0.0), _AXIS_QUATERNIONS[part.axis]
        else:
            size, quaternion = (x, y, z), _UPRIGHT
        model.geom_type[geom] = _GEOM_TYPES[part.shape]
        model.geom_size[geom] = size
        model.geom_pos[geom] = part.center
        model.geom_quat[geom] = quaternion
        model.geom_rgba[geom] = (*part.color, part.opacity)
        model.geom_matid[geom] = self._materials[part.material]
        model.geom_group[geom] = group

    def _write_shadows(self, scene: Scene) -> None:
        standing = [item for item in scene.items if item.blocks][:_CONTACT_SHADOWS]
        for geom, item in enumerate(standing, self._shadow_slot.first_geom):
            low, high = item.bounds
            size = (*(high - low)[:2] + 2 * _SHADOW_MARGIN, _SHADOW_THICKNESS)
            is_round = all(part.shape != 'box' for part in item.parts)
            c, s = math.cos(item.pose.yaw), math.sin(item.pose.yaw)
            mx, my = (low + high)[:2] / 2
            center = (item.pose.x + c * mx - s * my, item.pose.y + s * mx + c * my, 0.0)
            self._write(geom, Part(
                'cylinder' if is_round else 'box', center, size, (0.0, 0.0, 0.0), opacity=0.35,
            ), GROUP_VISIBLE)
            half = item.pose.yaw / 2
            self.model.geom_quat[geom] = (math.cos(half), 0.0, 0.0, math.sin(half))
        self.data.mocap_pos[self._shadow_slot.mocap] = 0.0
        self.data.mocap_quat[self._shadow_slot.mocap] = _UPRIGHT
        self.shadow_count = len(standing)
