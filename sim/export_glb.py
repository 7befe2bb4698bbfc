# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""
A scene as binary glTF files: one to look at, one whose vertex colours say what is what.

Colours lie in textures, which every viewer reads alike, and the scene's light is baked into
vertex colours: Habitat then needs no lights, and draws with its plain flat shader.
"""

from collections.abc import Callable, Mapping

from ipt_sim.export_mesh import Mesh, part_mesh
from ipt_sim.export_semantics import vertex_color
from ipt_sim.habitat_frames import to_habitat, WORLD_FROM_HABITAT
from ipt_sim.scenes.model import Item, Part, Scene
from ipt_sim.scenes.textures import scene_textures
import numpy as np
from PIL import Image
import trimesh
from trimesh.visual import ColorVisuals, TextureVisuals
from trimesh.visual.material import PBRMaterial

_PLAIN = np.full((2, 2, 3), 255, np.uint8)  # the texture of materials without one
_SHINING = ('glow', 'screen', 'window')  # materials that give light: not shaded
_Visual = Callable[[Item, Part, Mesh], ColorVisuals | TextureVisuals]


def render_glb(scene: Scene, numbers: Mapping[int, int]) -> bytes:
    """
    Return the scene with colours, in Habitat's axes; the same scene gives the same bytes.

    numbers: the object number of each index in scene.items; nodes are named after them.
    """
    textures = scene_textures(scene)
    materials: dict[tuple, PBRMaterial] = {}

    def visual(item: Item, part: Part, mesh: Mesh) -> TextureVisuals:
        key = (part.material, part.color)
        if key not in materials:
            picture = textures.get(part.material, (_PLAIN,))[0]
            materials[key] = _material(f'{part.material}_{len(materials)}', picture, part.color)
        shade = _baked_light(scene, mesh.normals, part.material in _SHINING)
        textured = TextureVisuals(uv=mesh.uv, material=materials[key])
        textured.vertex_attributes['color'] = _rgba(shade)  # written as COLOR_0
        return textured

    repeats = {name: entry[2] for name, entry in textures.items()}
    return _glb(scene, numbers, repeats, visual, include_normals=True)


def semantic_glb(scene: Scene, numbers: Mapping[int, int]) -> bytes:
    """Return the scene with the colour of its number on every object, in Habitat's axes."""
    colors = {id(item): vertex_color(numbers[index]) for index, item in enumerate(scene.items)}

    def visual(item: Item, part: Part, mesh: Mesh) -> ColorVisuals:
        return ColorVisuals(vertex_colors=_rgba(np.tile(colors[id(item)], (len(mesh.uv), 1))))

    return _glb(scene, numbers, {}, visual, include_normals=False)


def node_name(number: int, item: Item, part: int) -> str:
    """Return the name of the node of a part: number, class, part."""
    return f'{number:03d}_{item.name.replace(" ", "-")}_{part:02d}'


def _glb(
    scene: Scene, numbers: Mapping[int, int], repeats: Mapping[str, float], visual: _Visual,
    include_normals: bool,
) -> bytes:
    graph = trimesh.Scene()
    for index, item in enumerate(scene.items):
        for place, part in enumerate(item.parts):
            mesh = part_mesh(item, part, repeats.get(part.material, 0.0))
            name = node_name(numbers[index], item, place)
            graph.add_geometry(
                trimesh.Trimesh(
                    to_habitat(mesh.vertices), mesh.faces,
                    vertex_normals=mesh.normals @ WORLD_FROM_HABITAT,
                    visual=visual(item, part, mesh), process=False),
                node_name=name, geom_name=name)
    return graph.export(file_type='glb', include_normals=include_normals)


def _material(name: str, picture: np.ndarray, color: tuple[float, float, float]) -> PBRMaterial:
    tinted = np.round(picture * np.clip(color, 0.0, 1.0)).astype(np.uint8)
    return PBRMaterial(
        name=name, baseColorTexture=Image.fromarray(tinted), baseColorFactor=[255] * 4,
        metallicFactor=0.0, roughnessFactor=1.0, doubleSided=False)


def _baked_light(scene: Scene, normals: np.ndarray, shining: bool) -> np.ndarray:
    """Return what the scene's lights leave of the colour (N, 3), 0 ... 255, by Lambert's law."""
    if shining:
        return np.full((len(normals), 3), 255.0)
    light = np.tile(np.asarray(scene.ambient, np.float64), (len(normals), 1))
    for source in scene.lights:
        direction = np.array(source.direction) / np.linalg.norm(source.direction)
        facing = np.maximum(0.0, -normals @ direction)
        light += facing[:, None] * source.brightness * np.array(source.color)
    return 255 * np.clip(light, 0.0, 1.0)


def _rgba(rgb: np.ndarray) -> np.ndarray:
    return np.column_stack([np.round(rgb), np.full(len(rgb), 255)]).astype(np.uint8)
