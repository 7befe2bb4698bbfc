# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""Rooms that were exported are the rooms that MuJoCo draws, and Habitat can tell what is what."""

from dataclasses import replace
import json
import math
from pathlib import Path
import subprocess
import sys

from ipt_ros.cli import main
from ipt_ros.geometry import Pose2D
from ipt_sim import CameraSpec, make_simulator, SceneError
from ipt_sim.export import export_scene, exported_seed, read_truth, room_name, room_truth
from ipt_sim.export_glb import node_name, render_glb, semantic_glb
from ipt_sim.export_mesh import part_mesh
from ipt_sim.export_semantics import (
    descriptor,
    encoded_color,
    HEADER,
    MAX_OBJECTS,
    srgb,
    vertex_color,
)
from ipt_sim.habitat_frames import to_habitat, to_world
from ipt_sim.habitat_scenes import find_scenes
from ipt_sim.scenes import FURNITURE, generate_scene
from ipt_sim.scenes.model import Item
import numpy as np
import pytest
import trimesh

SEEDS = (3, 1_000_000)


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp('rooms')
    for seed in SEEDS:
        export_scene(generate_scene(seed), path)
    return path


def load(path):
    """Return {object number: [meshes]} of a GLB file, read by a library of its own."""
    meshes = {}
    scene = trimesh.load_scene(path, process=False)
    for node in scene.graph.nodes_geometry:
        transform, name = scene.graph[node]
        np.testing.assert_allclose(transform, np.eye(4), atol=1e-9)
        meshes.setdefault(int(node.split('_')[0]), []).append(scene.geometry[name])
    return meshes


def triangles(meshes):
    """Return the corners (T, 3, 3) in our world, and the object number (T,) of each."""
    parts = [(number, mesh) for number, group in meshes.items() for mesh in group]
    corners = np.concatenate([mesh.vertices[mesh.faces] for _, mesh in parts])
    numbers = np.concatenate([np.full(len(mesh.faces), number) for number, mesh in parts])
    return to_world(corners), numbers


def first_hits(origin, directions, triangles):
    """
    Return (distance, index) of the first triangle that each ray meets, inf and -1 for none.

    origin: (3,). directions: (R, 3). triangles: (T, 3, 3). Möller and Trumbore, 1997; triangles
    seen from behind are not there.
    """
    corner = triangles[:, 0]
    edge1, edge2 = triangles[:, 1] - corner, triangles[:, 2] - corner
    normal = np.cross(edge1, edge2)
    to_origin = origin - corner
    facing = -directions @ normal.T  # (R, T), positive from the front
    with np.errstate(divide='ignore', invalid='ignore'):
        distance = np.einsum('ti,ti->t', to_origin, normal) / facing
        u = directions @ np.cross(edge2, to_origin).T / facing
        v = directions @ np.cross(to_origin, edge1).T / facing
        inside = (facing > 1e-12) & (u >= -1e-9) & (v >= -1e-9) & (u + v <= 1 + 1e-9)
        distance = np.where(inside & (distance > 1e-6), distance, np.inf)
    nearest = distance.argmin(axis=1)
    reach = distance[np.arange(len(directions)), nearest]
    return reach, np.where(np.isfinite(reach), nearest, -1)


class TestGeometry:

    @pytest.mark.parametrize('kind', ['render', 'semantic'])
    @pytest.mark.parametrize('seed', SEEDS)
    def test_every_object_has_the_extents_that_the_scene_says(self, folder, seed, kind):
        suffix = '.glb' if kind == 'render' else '.semantic.glb'
        meshes = load(folder / 'stages' / f'{room_name(seed)}{suffix}')
        scene = generate_scene(seed)
        assert set(meshes) == set(range(1, len(scene.items) + 1))
        for number, item in enumerate(scene.items, 1):
            points = to_world(np.concatenate([mesh.vertices for mesh in meshes[number]]))
            c, s = math.cos(item.pose.yaw), math.sin(item.pose.yaw)
            local = (points - (item.pose.x, item.pose.y, item.z)) @ np.array(
                [[c, -s, 0], [s, c, 0], [0, 0, 1]])
            low, high = item.bounds
            np.testing.assert_allclose(local.min(axis=0), low, atol=1e-5)
            np.testing.assert_allclose(local.max(axis=0), high, atol=1e-5)

    def test_both_files_hold_the_same_triangles(self, folder):
        name = folder / 'stages' / room_name(SEEDS[0])
        corners, numbers = triangles(load(f'{name}.glb'))
        other_corners, other_numbers = triangles(load(f'{name}.semantic.glb'))
        np.testing.assert_array_equal(corners, other_corners)
        np.testing.assert_array_equal(numbers, other_numbers)

    @pytest.mark.parametrize('name', FURNITURE)
    def test_parts_are_closed_and_turned_outwards(self, name):
        """Renderers leave out what is seen from behind, so every triangle must face out."""
        parts = FURNITURE[name].build(np.random.default_rng(1))
        item = Item(name, parts, Pose2D(1.0, -2.0, 0.7), 'red', z=0.5)
        for part in parts:
            mesh = part_mesh(item, part, 0.0)
            solid = trimesh.Trimesh(mesh.vertices, mesh.faces, process=True)
            solid.merge_vertices(merge_tex=True, merge_norm=True)
            assert solid.is_watertight, part
            full = np.prod(part.size)
            share = {'box': 1.0, 'cylinder': math.pi / 4, 'sphere': math.pi / 6}[part.shape]
            assert solid.volume == pytest.approx(full * share, rel=0.06)
            corners = mesh.vertices[mesh.faces]
            flat = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
            assert (np.einsum('fi,fci->fc', flat, mesh.normals[mesh.faces]) > 0).all()
            np.testing.assert_allclose(np.linalg.norm(mesh.normals, axis=1), 1.0)

    @pytest.mark.parametrize('seed', SEEDS)
    def test_rays_see_what_mujoco_draws(self, folder, seed):
        """Depth and classes of the same views: MuJoCo's, and those of the triangles."""
        corners, numbers = triangles(load(folder / 'stages' / f'{room_name(seed)}.glb'))
        classes = {item.id: item.name for item in room_truth(generate_scene(seed)).objects}
        with make_simulator(max_image_size=(64, 64)) as sim:
            sim.reset(seed)
            names = {item.id: item.name for item in sim.objects()}
            for camera in (CameraSpec('ahead', 20, 15, 1.4, yaw=0.3, pitch=0.3),
                           CameraSpec('behind', 20, 15, 1.4, (0.1, 0.2, 0.8), yaw=-2.5)):
                frame = sim.render(camera)
                v, u = np.mgrid[:15, :20]
                uv = np.column_stack([u.ravel(), v.ravel()]).astype(float)
                rays = frame.intrinsics.deproject(uv, 1.0) @ frame.world_from_optical[:3, :3].T
                depth, hit = first_hits(frame.world_from_optical[:3, 3], rays, corners)
                assert (hit >= 0).all()  # the room is closed
                assert np.median(np.abs(depth - frame.depth.ravel())) < 1e-4
                seen = [classes[number] for number in numbers[hit]]
                drawn = [names[number] for number in frame.instance.ravel()]
                assert np.mean([a == b for a, b in zip(seen, drawn)]) > 0.98


class TestLooks:

    def test_plain_parts_have_their_colour_and_light_varies_over_a_box(self):
        scene = generate_scene(3)
        numbers = dict(enumerate(range(1, len(scene.items) + 1)))
        loaded = trimesh.load_scene(
            trimesh.util.wrap_as_stream(render_glb(scene, numbers)), file_type='glb',
            process=False)
        checked = 0
        for number, item in enumerate(scene.items, 1):
            for place, part in enumerate(item.parts):
                mesh = loaded.geometry[node_name(number, item, place)]
                texture = np.asarray(mesh.visual.material.baseColorTexture.convert('RGB'))
                if part.material in ('plain', 'glow'):
                    np.testing.assert_allclose(texture[0, 0], np.array(part.color) * 255, atol=1)
                    checked += 1
                light = mesh.visual.vertex_attributes['color'][:, 0]
                if part.material == 'glow':
                    assert (light == 255).all()
                elif part.shape == 'box':
                    assert len(set(light)) > 1
        assert checked > 20

    def test_a_facing_picture_is_upright(self):
        """Seen from the front, the first row of the picture is on top and its left is left."""
        item = next(item for item in generate_scene(3).items
                    if any(part.facing for part in item.parts))
        part = next(part for part in item.parts if part.facing)
        mesh = part_mesh(replace(item, pose=Pose2D(0.0, 0.0), z=0.0), part, 0.0)
        front = mesh.normals[:, 0] > 0.9
        vertices, uv = mesh.vertices[front], mesh.uv[front]
        assert np.corrcoef(vertices[:, 2], uv[:, 1])[0, 1] > 0.99
        assert np.corrcoef(vertices[:, 1], uv[:, 0])[0, 1] > 0.99  # from +x, +y is to the right

    def test_textures_repeat_by_the_metre(self):
        scene = generate_scene(3)
        mesh = part_mesh(scene.items[0], scene.items[0].parts[0], 1.5)
        top = mesh.normals[:, 2] > 0.9
        np.testing.assert_allclose(np.ptp(mesh.uv[top], axis=0), np.array(scene.size) * 1.5)


class TestSemantics:

    def test_habitat_finds_each_object_by_its_colour(self, folder):
        """As Habitat does it: the sRGB encoding of a vertex colour is looked up in the text."""
        for seed in SEEDS:
            name = folder / 'stages' / room_name(seed)
            lines = Path(f'{name}.semantic.txt').read_text().splitlines()
            assert lines[0] == HEADER
            listed = {}
            for line in lines[1:]:
                number, color, rest = line.split(',', 2)
                listed[tuple(bytes.fromhex(color))] = int(number), rest.split('"')[1]
            truth = {item.id: item.name for item in room_truth(generate_scene(seed)).objects}
            assert dict(listed.values()) == truth
            for number, meshes in load(f'{name}.semantic.glb').items():
                for mesh in meshes:
                    colors = np.unique(mesh.visual.vertex_colors[:, :3], axis=0)
                    assert len(colors) == 1
                    found = listed[tuple(int(value) for value in srgb(colors[0]))]
                    assert found == (number, truth[number])

    def test_every_number_has_a_colour_of_its_own_and_none_is_black(self):
        colors = {encoded_color(number) for number in range(1, MAX_OBJECTS + 1)}
        assert len(colors) == MAX_OBJECTS
        assert (0, 0, 0) not in colors
        assert len({vertex_color(number) for number in range(1, MAX_OBJECTS + 1)}) == MAX_OBJECTS

    @pytest.mark.parametrize(('linear', 'encoded'), [(0, 0), (255, 255), (1, 13), (128, 188)])
    def test_encoding_is_srgb(self, linear, encoded):
        assert srgb(np.array(linear)) == encoded

    @pytest.mark.parametrize('number', [0, -1, MAX_OBJECTS + 1])
    def test_numbers_without_a_colour_are_refused(self, number):
        with pytest.raises(ValueError, match=str(MAX_OBJECTS)):
            vertex_color(number)

    @pytest.mark.parametrize('name', ['', 'a "box"', 'two\nlines'])
    def test_names_that_the_text_cannot_hold_are_refused(self, name):
        with pytest.raises(ValueError, match='class name'):
            descriptor([(1, name)])


class TestFiles:

    def test_the_same_scene_gives_the_same_bytes_in_another_process(self, folder, tmp_path):
        code = ('import sys; from pathlib import Path; from ipt_sim.export import export_scene\n'
                'from ipt_sim.scenes import generate_scene\n'
                f'export_scene(generate_scene({SEEDS[0]}), Path(sys.argv[1]))')
        subprocess.run([sys.executable, '-c', code, tmp_path], check=True, timeout=120)
        written = sorted(path.relative_to(tmp_path) for path in tmp_path.rglob('*.*'))
        assert len(written) == 7
        for path in written:
            assert (tmp_path / path).read_bytes() == (folder / path).read_bytes(), path

    def test_the_stage_names_files_that_are_there_and_habitat_s_axes(self, folder):
        stage = folder / 'stages' / f'{room_name(SEEDS[0])}.stage_config.json'
        config = json.loads(stage.read_text())
        for key in ('render_asset', 'collision_asset', 'semantic_asset',
                    'semantic_descriptor_filename'):
            assert (stage.parent / config[key]).is_file(), key
        for prefix in ('', 'semantic_'):
            assert config[f'{prefix}up'] == [0, 1, 0]
            assert config[f'{prefix}front'] == [0, 0, -1]
        np.testing.assert_allclose(to_habitat((0, 0, 1)), config['up'])
        np.testing.assert_allclose(to_habitat((1, 0, 0)), config['front'])

    def test_a_data_set_lists_its_rooms(self, folder):
        dataset = str(folder / 'rooms.scene_dataset_config.json')
        everything = find_scenes('all', dataset)
        assert [source.file.name.split('.')[0] for source in everything] == [
            room_name(seed) for seed in sorted(SEEDS)]
        for seed in SEEDS:
            source, = find_scenes(room_name(seed), dataset)
            truth = read_truth(source.file)
            assert truth == room_truth(generate_scene(seed))

    def test_truth_is_what_the_simulator_says(self, folder):
        truth = read_truth(folder / 'stages' / f'{room_name(SEEDS[0])}.stage_config.json')
        with make_simulator() as sim:
            sim.reset(SEEDS[0])
            assert truth.bounds == sim.room_bounds()
            assert truth.start == sim.pose
            assert list(truth.objects) == sim.objects()  # their numbers as well

    @pytest.mark.parametrize('seed', [0, 1_000_003, 2**40])
    def test_the_stage_knows_its_seed_under_any_name(self, tmp_path, seed):
        stage = export_scene(replace(generate_scene(4), seed=seed), tmp_path, 'kitchen')
        assert exported_seed(stage) == seed
        other = tmp_path / 'loft.stage_config.json'
        other.write_bytes(stage.read_bytes())
        assert exported_seed(other) == seed

    @pytest.mark.parametrize('text', ['', '[]', '{}', '{"user_defined": {"ipt_room_seed": "x"}}'])
    def test_stages_of_others_have_no_seed(self, tmp_path, text):
        stage = tmp_path / 'a.stage_config.json'
        assert exported_seed(stage) is None
        stage.write_text(text)
        assert exported_seed(stage) is None

    def test_scenes_of_others_have_no_truth_and_damaged_truth_is_named(self, folder, tmp_path):
        assert read_truth(tmp_path / 'house.glb') is None
        assert read_truth(tmp_path / 'house.stage_config.json') is None
        stage = export_scene(generate_scene(4), tmp_path)
        truth = tmp_path / 'truth' / f'{room_name(4)}.json'
        for damage in ('{', '{}', truth.read_text().replace('"version": 1', '"version": 99')):
            truth.write_text(damage)
            with pytest.raises(SceneError, match='export the scene again'):
                read_truth(stage)

    def test_no_half_written_file_is_left_behind(self, folder):
        assert not list(folder.rglob('.*'))


def test_patterns_change_looks_and_nothing_else():
    from ipt_sim.scenes.model import Pattern
    from ipt_sim.scenes.textures import PATTERNS, SURFACES
    scene = generate_scene(3)
    floor = scene.items[0]
    part = replace(floor.parts[0], material=SURFACES[0])
    changed = replace(
        scene, items=(replace(floor, parts=(part,)), *scene.items[1:]),
        patterns={SURFACES[0]: Pattern(next(iter(PATTERNS)), 7, 0.9, (1.0, 0.0, 0.0))})
    numbers = dict(enumerate(range(1, len(scene.items) + 1)))
    assert render_glb(scene, numbers) != render_glb(changed, numbers)
    assert semantic_glb(scene, numbers) == semantic_glb(changed, numbers)


class TestCommand:

    def test_exports_rooms_and_names_the_data_set(self, tmp_path, capsys):
        wish = ['--seed', '7', '--count', '2', '--out', str(tmp_path)]
        assert main(['scene', 'export', *wish]) == 0
        said = capsys.readouterr().out
        dataset = tmp_path / 'rooms.scene_dataset_config.json'
        assert str(dataset) in said
        assert [source.scene_id.split('.')[0] for source in find_scenes('all', str(dataset))] == [
            room_name(7), room_name(8)]

    @pytest.mark.parametrize('wrong', [['--seed', '-1'], ['--seed', '0', '--count', '0'], []])
    def test_impossible_wishes(self, wrong, tmp_path, capsys):
        with pytest.raises(SystemExit):
            main(['scene', 'export', '--out', str(tmp_path), *wrong])
        assert '--seed' in capsys.readouterr().err

    def test_a_folder_that_cannot_be_written(self, tmp_path, capsys):
        (tmp_path / 'file').touch()
        assert main(['scene', 'export', '--seed', '1', '--out', str(tmp_path / 'file')]) == 1
        assert 'cannot be written' in capsys.readouterr().err
