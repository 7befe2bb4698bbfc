# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""
What the Habitat backend does by itself: axes, depths, scenes, names, floors, clear refusals.

None of it needs habitat_sim. What does is in test_habitat_sim.py and test_contract.py.
"""

import builtins
import json
import math
from types import SimpleNamespace

from hypothesis import given, settings
from hypothesis import strategies as st
from ipt_ros.geometry import (
    looking_down,
    matrix_from_quaternion,
    OrthographicCamera,
    PinholeCamera,
    Pose2D,
    quaternion_from_matrix,
    rotation_from_yaw_pitch,
)
from ipt_sim import (
    BackendUnavailableError,
    bench,
    CameraSpec,
    habitat_backend,
    make_simulator,
    NotNavigableError,
    SceneError,
    SimulatorError,
)
from ipt_sim.habitat_backend import HabitatSimulator
from ipt_sim.habitat_frames import camera_pose, to_habitat, to_world, WORLD_FROM_HABITAT
from ipt_sim.habitat_navmesh import (
    is_for_robot,
    navmesh_settings,
    NavmeshFloor,
    snake_case,
)
from ipt_sim.habitat_renderer import FAR, Lens, NEAR, orthographic_depth, sensor_spec
from ipt_sim.habitat_scenes import find_scenes, SceneSource
from ipt_sim.habitat_semantics import (
    Annotation,
    category_of_handle,
    look_up,
    scene_objects,
)
import numpy as np
import pytest

coordinates = st.floats(-50, 50)
angles = st.floats(-math.pi, math.pi)


def test_the_backend_has_all_that_a_backend_adds():
    assert not HabitatSimulator.__abstractmethods__


class TestAxes:

    def test_forward_left_and_up(self):
        np.testing.assert_allclose(to_habitat((1, 0, 0)), (0, 0, -1))
        np.testing.assert_allclose(to_habitat((0, 1, 0)), (-1, 0, 0))
        np.testing.assert_allclose(to_habitat((0, 0, 1)), (0, 1, 0))
        assert np.linalg.det(WORLD_FROM_HABITAT) == pytest.approx(1.0)

    def test_our_zero_is_the_floor(self):
        np.testing.assert_allclose(to_habitat((0, 0, 0), -2.9), (0, -2.9, 0))
        np.testing.assert_allclose(to_world((0, -2.9, 0), -2.9), (0, 0, 0))

    @given(st.tuples(coordinates, coordinates, coordinates), coordinates)
    def test_there_and_back(self, point, floor):
        np.testing.assert_allclose(to_world(to_habitat(point, floor), floor), point, atol=1e-9)

    @given(coordinates, coordinates, angles, st.floats(-1.5, 1.5), coordinates)
    def test_a_sensor_looks_where_the_optical_frame_looks(self, x, y, yaw, pitch, floor):
        """Habitat's sensor looks along its -z and has y up; the optical frame has z and -y."""
        camera = CameraSpec('any', pitch=pitch)
        world_from_optical = Pose2D(x, y, yaw).matrix @ camera.optical_in_base
        position, rotation = camera_pose(world_from_optical, floor)
        turn = matrix_from_quaternion(rotation)
        np.testing.assert_allclose(to_world(position, floor), world_from_optical[:3, 3], atol=1e-9)
        np.testing.assert_allclose(to_world(turn @ (0, 0, -1)), world_from_optical[:3, 2],
                                   atol=1e-9)
        np.testing.assert_allclose(to_world(turn @ (0, 1, 0)), -world_from_optical[:3, 1],
                                   atol=1e-9)

    def test_looking_ahead_needs_no_rotation_and_a_left_turn_is_positive_about_y(self):
        """The conventions of habitat_sim: identity looks along -z; +90 degrees about y, to -x."""
        front = CameraSpec('front').optical_in_base
        np.testing.assert_allclose(camera_pose(front)[1], (0, 0, 0, 1), atol=1e-12)
        left = Pose2D(0.0, 0.0, math.pi / 2).matrix @ front
        half = math.sqrt(0.5)
        np.testing.assert_allclose(camera_pose(left)[1], (0, half, 0, half), atol=1e-12)

    def test_looking_down_is_upright(self):
        pose = looking_down((1.0, 2.0), 0.3, 4.0)
        np.testing.assert_allclose(pose[:3, 3], (1, 2, 4))
        np.testing.assert_allclose(pose[:3, 2], (0, 0, -1))
        np.testing.assert_allclose(-pose[:3, 1], (math.cos(0.3), math.sin(0.3), 0))
        assert np.linalg.det(pose[:3, :3]) == pytest.approx(1.0)


class TestOrthographicDepth:

    @given(st.lists(st.floats(NEAR, FAR - 0.1), min_size=1, max_size=20))
    def test_undoes_what_habitat_sim_does_to_a_parallel_view(self, depths):
        metres = np.array(depths)
        # The projection matrix and the formula of habitat_sim 0.3.3, in its precision.
        p22, p32 = 2 / (NEAR - FAR), (FAR + NEAR) / (NEAR - FAR)
        buffer = ((p22 * -metres + p32) + 1) / 2
        buffer = buffer.astype(np.float32)
        with np.errstate(divide='ignore'):
            raw = np.float32(p32 / 2) / (buffer + np.float32((p22 - 1) / 2))
        np.testing.assert_allclose(orthographic_depth(raw), metres, atol=1e-3)

    def test_nothing_hit_stays_nothing(self):
        assert orthographic_depth(np.zeros((2, 3))).tolist() == [[0, 0, 0], [0, 0, 0]]
        assert orthographic_depth(np.zeros((2, 3))).dtype == np.float32

    def test_the_pole_of_the_formula_is_a_depth_like_others(self):
        depth = orthographic_depth(np.array([np.inf, -np.inf]))
        assert np.isfinite(depth).all()
        assert depth[0] == depth[1]


class TestLens:

    def test_a_camera_spec_becomes_its_field_of_view(self):
        lens = Lens.of(CameraSpec('any', 320, 240, 1.2).intrinsics)
        assert (lens.width, lens.height, lens.parallel) == (320, 240, False)
        assert lens.extent == pytest.approx(1.2)

    def test_a_map_becomes_its_width_in_metres(self):
        assert Lens.of(OrthographicCamera(200, 100, 0.05)) == Lens(200, 100, True, 10.0)

    @pytest.mark.parametrize('change', [{'cx': 3.0}, {'fy': 90.0}])
    def test_cameras_that_habitat_cannot_draw_are_refused(self, change):
        numbers = {'width': 64, 'height': 64, 'fx': 50.0, 'fy': 50.0, 'cx': 31.5, 'cy': 31.5}
        with pytest.raises(ValueError, match='centred cameras with square pixels'):
            Lens.of(PinholeCamera(**(numbers | change)))

    def test_the_specification_of_a_sensor(self):
        """Rows before columns, degrees, floats only in lists: what habitat_sim insists on."""
        names = SimpleNamespace(
            CameraSensorSpec=SimpleNamespace,
            SensorType=SimpleNamespace(COLOR='C', DEPTH='D', SEMANTIC='S'),
            SensorSubType=SimpleNamespace(PINHOLE='P', ORTHOGRAPHIC='O'))
        spec = sensor_spec(names, 'a', 'DEPTH', Lens(640, 480, False, math.pi / 2))
        assert (spec.uuid, spec.sensor_type, spec.sensor_subtype) == ('a', 'D', 'P')
        assert spec.resolution == [480, 640]
        assert spec.hfov == pytest.approx(90.0)
        assert all(type(value) is float for value in (*spec.position, *spec.orientation))
        spec = sensor_spec(names, 'b', 'COLOR', Lens(64, 64, True, 8.0))
        assert (spec.sensor_subtype, spec.ortho_scale) == ('O', 1 / 8)


@pytest.fixture
def dataset(tmp_path):
    """Lay out a data set as HM3D does: a folder a scene, patterns in the configuration."""
    for name in ('00800-TEEsavR23oF', '00801-HaxA7YrQdEC'):
        folder = tmp_path / 'val' / name
        folder.mkdir(parents=True)
        for suffix in ('.basis.glb', '.basis.navmesh', '.semantic.glb', '.semantic.txt'):
            (folder / (name.split('-')[1] + suffix)).touch()
    path = tmp_path / 'hm3d.scene_dataset_config.json'
    path.write_text(json.dumps({'stages': {'paths': {'.glb': ['val/*/*.glb']}}}))
    return path


class TestFindingScenes:

    def test_all_scenes_of_a_data_set_by_name_without_semantic_meshes(self, dataset):
        found = find_scenes('all', str(dataset))
        assert [source.scene_id for source in found] == [
            'HaxA7YrQdEC.basis.glb', 'TEEsavR23oF.basis.glb']
        assert {source.dataset for source in found} == {str(dataset)}

    @pytest.mark.parametrize('name', ['TEEsavR23oF', '00800-TEEsavR23oF', 'TEEsav'])
    def test_a_scene_by_name_or_by_part_of_its_path(self, dataset, name):
        source, = find_scenes(name, str(dataset))
        assert source.scene_id == 'TEEsavR23oF.basis.glb'

    def test_several_in_the_order_of_the_user(self, dataset):
        found = find_scenes(' TEEsavR23oF, HaxA7YrQdEC ', str(dataset))
        assert [source.scene_id[:3] for source in found] == ['TEE', 'Hax']

    def test_instances_come_before_the_stages_they_furnish(self, tmp_path):
        for folder, name in (('stages', 'frl.stage_config.json'),
                             ('scenes', 'apt_0.scene_instance.json'),
                             ('scenes', 'apt_1.scene_instance.json'), ('scenes', 'notes.json')):
            (tmp_path / folder).mkdir(exist_ok=True)
            (tmp_path / folder / name).write_text('{}')
        path = tmp_path / 'replicaCAD.scene_dataset_config.json'
        path.write_text(json.dumps({
            'stages': {'paths': {'.json': ['stages']}},
            'scene_instances': {'paths': {'.json': ['scenes/*']}}}))
        assert [source.scene_id for source in find_scenes('all', str(path))] == [
            'apt_0.scene_instance.json', 'apt_1.scene_instance.json']

    def test_a_file_needs_no_data_set(self, tmp_path):
        scene = tmp_path / 'house.glb'
        scene.touch()
        assert find_scenes(str(scene)) == (SceneSource(str(scene), 'default', scene),)

    @pytest.mark.parametrize(('scene', 'message'), [
        ('', 'no scene is named'),
        (' , ', 'no scene is named'),
        ('all', '"all" needs a scene data set'),
        ('house.glb', 'no scene file house.glb'),
        ('TEEsavR23oF', 'a name needs a scene_dataset'),
    ])
    def test_what_is_not_there_without_a_data_set(self, scene, message):
        with pytest.raises(SceneError, match=message):
            find_scenes(scene)

    def test_an_unknown_name_is_answered_with_known_ones(self, dataset):
        with pytest.raises(SceneError, match='no scene "apt_9"; it lists 2: HaxA7YrQdEC, TEEsav'):
            find_scenes('apt_9', str(dataset))

    def test_paths_may_be_absolute(self, dataset):
        pattern = str(dataset.parent.resolve() / 'val' / '*' / '*.glb')
        dataset.write_text(json.dumps({'stages': {'paths': {'.glb': [pattern]}}}))
        assert len(find_scenes('all', str(dataset))) == 2

    @pytest.mark.parametrize('text', ['{}', '{"stages": {}}', '{"objects": {"paths": {}}}'])
    def test_a_data_set_without_scenes_says_so(self, dataset, text):
        dataset.write_text(text)
        with pytest.raises(SceneError, match='lists none'):
            find_scenes('all', str(dataset))
        with pytest.raises(SceneError, match='no scene "apt_0"; it lists 0: none that is there'):
            find_scenes('apt_0', str(dataset))

    def test_data_sets_that_are_none(self, tmp_path, dataset):
        with pytest.raises(SceneError, match='scene_dataset_config.json'):
            find_scenes('all', str(tmp_path))
        for text in ('{', '[]', '{"stages": {"paths": []}}', '{"stages": [1]}', '{"stages": 3}',
                     '{"stages": {"paths": {".glb": "val/*.glb"}}}',
                     '{"stages": {"paths": {".glb": null}}}',
                     '{"stages": {"paths": {".glb": [3]}}}'):
            dataset.write_text(text)
            with pytest.raises(SceneError, match='no scene data set configuration'):
                find_scenes('all', str(dataset))
        dataset.write_text('{"stages": {"paths": {".glb": ["nowhere/*.glb"]}}}')
        with pytest.raises(SceneError, match='lists none'):
            find_scenes('all', str(dataset))


class TestSemantics:

    def test_objects_with_names_in_our_world(self):
        objects, table = scene_objects([
            Annotation(0, 'Unknown', (0, 0, 0), (1, 1, 1)),
            Annotation(7, 'Wall', (0, -1.6, -3), (0.2, 2.6, 4)),
            Annotation(3, 'office chair', (1, -2.4, -2), (0.5, 1.0, 0.7)),
            Annotation(4, 'unlabeled', (1, -2.4, -2), (0.5, 1.0, 0.7)),
            Annotation(5, 'lamp', (0, 0, 0), (0, 0, 0)),
        ], floor=-2.9)
        chair, wall = objects
        assert (chair.id, chair.name, chair.structural) == (3, 'office chair', False)
        assert chair.position == pytest.approx((2, -1, 0.5))
        assert wall.structural
        c, s = math.cos(chair.yaw), math.sin(chair.yaw)
        # 0.7 m along Habitat's z is 0.7 m along our x; 0.5 m along its x is along our y.
        assert abs(c * chair.size[0]) + abs(s * chair.size[1]) == pytest.approx(0.7)
        assert abs(s * chair.size[0]) + abs(c * chair.size[1]) == pytest.approx(0.5)
        assert chair.size[2] == pytest.approx(1.0)
        assert table.tolist() == [0, 0, 0, 3, 0, 0, 0, 7]

    @pytest.mark.parametrize(('name', 'sizes'), [
        ('floor', (4.0, 0.0, 3.0)), ('rug', (0.0, 1.5, 2.0)), ('picture', (0.5, 0.4, 0.0)),
        ('cable', (0.0, 0.0, 2.0))])
    def test_flat_things_are_things(self, name, sizes):
        objects, table = scene_objects([Annotation(2, name, (0, 0, 0), sizes)], floor=0.0)
        assert [item.name for item in objects] == [name]
        assert sorted(objects[0].size) == sorted(sizes)
        assert table.tolist() == [0, 0, 2]

    def test_label_zero_can_be_a_thing(self):
        things = [Annotation(label, name, (0, 0, 0), (1, 1, 1))
                  for label, name in enumerate(('bed', 'sofa'))]
        objects, table = scene_objects(things, floor=0.0)
        assert [(item.id, item.name) for item in objects] == [(1, 'bed'), (2, 'sofa')]
        assert table.tolist() == [1, 2]

    @given(angles, st.permutations([0, 1, 2]))
    def test_a_turned_box_keeps_its_corners(self, yaw, order):
        """Whatever the axes of an annotated box are called, the box in our world is the same."""
        sizes = np.array([0.4, 0.9, 1.7])
        upright = rotation_from_yaw_pitch(yaw)  # our world from an upright box
        axes = upright[:, order]
        if np.linalg.det(axes) < 0:
            axes[:, 0] *= -1
        turn = WORLD_FROM_HABITAT.T @ axes
        item, = scene_objects([Annotation(
            1, 'box', (0, 0, 0), tuple(sizes[list(order)]),
            tuple(quaternion_from_matrix(turn)))], 0.0)[0]
        found = rotation_from_yaw_pitch(item.yaw) * np.array(item.size)
        expected = upright * sizes
        assert item.size[2] == pytest.approx(1.7)
        np.testing.assert_allclose(found @ found.T, expected @ expected.T, atol=1e-9)

    def test_labels_beyond_the_table_are_nothing(self):
        table = np.array([0, 5, 6], np.int32)
        ids = look_up(np.array([[0, 1], [2, 3], [4, 2**32 - 1]], np.uint32), table)
        assert ids.tolist() == [[0, 5], [6, 0], [0, 0]]
        assert ids.dtype == np.int32

    @pytest.mark.parametrize(('handle', 'name'), [
        ('frl_apartment_chair_01_:0000', 'chair'),
        ('objects/frl_apartment_wall_cabinet_01.object_config.json:0003', 'wall cabinet'),
        ('003_cracker_box_:0001', 'cracker box'),
        ('42', 'object'),
    ])
    def test_handles_become_words(self, handle, name):
        assert category_of_handle(handle) == name


class Island:
    """A pathfinder whose mesh is one rectangle of our world, floating above the floor."""

    def __init__(self, bounds, floor, offset):
        self.bounds, self.floor, self.offset = bounds, floor, offset

    def _clamped(self, point):
        assert point.dtype == np.float32  # pybind takes nothing else
        x, y, _ = to_world(point, self.floor)
        xmin, ymin, xmax, ymax = self.bounds
        return to_habitat((min(max(x, xmin), xmax), min(max(y, ymin), ymax), self.offset),
                          self.floor)

    def snap_point(self, point):
        return self._clamped(point)

    def is_navigable(self, point, max_y_delta):
        near = self._clamped(point)
        return abs(near[1] - point[1]) <= max_y_delta and math.hypot(
            near[0] - point[0], near[2] - point[2]) < 1e-2

    def get_island(self, point):
        return 0

    def try_step_no_sliding(self, start, end):
        return self._clamped(end)

    def build_navmesh_vertices(self, island_index):
        xmin, ymin, xmax, ymax = self.bounds
        return list(to_habitat([(x, y, self.offset) for x, y in (
            (xmin, ymin), (xmax, ymin), (xmax, ymax), (xmin, ymax))], self.floor))

    def build_navmesh_vertex_indices(self, island_index):
        return [0, 1, 2, 0, 2, 3]

    def seed(self, number):
        self.rng = np.random.default_rng(number)

    def get_random_navigable_point(self):
        """Draw on this floor, or on the one above it."""
        x, y = self.rng.uniform(self.bounds[:2], self.bounds[2:])
        return to_habitat((x, y, self.offset + 3.0 * self.rng.integers(2)), self.floor)


class IslandWorld:
    """A world of one island, without anything to be seen."""

    def __init__(self, radius, height, gpu_device):
        self.source, self.annotations = None, []
        self.pathfinder = Island((-1.0, -0.5, 2.0, 1.0), -2.9, 0.12)
        self.renderer = SimpleNamespace(floor=0.0)

    def load(self, source):
        self.source = source

    def find_start(self, seed):
        return Pose2D(0.0, 0.0), -2.9

    def bounds(self):
        return -2.0, -1.0, 3.0, 2.0

    def close(self):
        pass


class TestDriving:

    @pytest.fixture
    def sim(self, monkeypatch, tmp_path):
        (tmp_path / 'house.glb').touch()
        monkeypatch.setattr(habitat_backend, 'HabitatWorld', IslandWorld)
        return HabitatSimulator(str(tmp_path / 'house.glb'))

    def test_nothing_happens_before_the_first_reset(self, sim):
        for call in (lambda: sim.step(0.1, 1.0, 0.0), lambda: sim.teleport(Pose2D(0.0, 0.0)),
                     lambda: sim.render('front'), sim.navigable_grid):
            with pytest.raises(SimulatorError, match='reset'):
                call()

    def test_the_robot_stops_at_the_edge_of_the_mesh(self, sim):
        sim.reset(0)
        assert not sim.step(2.0, 0.5, 0.0).collided
        result = sim.step(4.0, 0.5, 0.0)
        assert result.collided
        assert result.pose.x == pytest.approx(2.0, abs=0.03)  # a stride and the mesh's tolerance
        with pytest.raises(NotNavigableError, match='outside the building'):
            sim.teleport(Pose2D(2.5, 0.0))
        assert sim.pose == result.pose

    def test_a_scene_without_names_draws_no_instances(self, sim):
        sim.reset(0)
        with pytest.raises(SceneError, match='says nothing about its objects'):
            sim.render('front')


class TestNavmesh:

    @pytest.fixture
    def floor(self):
        return NavmeshFloor(Island((-1.0, -0.5, 2.0, 1.0), -2.9, 0.12), (0.0, 0.0), -2.9)

    def test_places_in_our_world(self, floor):
        assert (1.9, 0.9) in floor
        assert (-1.2, 0.0) not in floor
        assert (0.0, 1.2) not in floor
        assert (math.nan, 0.0) not in floor

    def test_moves_end_at_the_edge(self, floor):
        assert floor.connects((1.9, 0.0), (1.92, 0.0))
        assert not floor.connects((1.99, 0.0), (2.02, 0.0))

    def test_the_grid_is_ours_in_axes_and_origin(self, floor):
        grid, origin, resolution = floor.grid((-2.0, -1.0, 3.0, 2.0))
        assert (grid.shape, origin, resolution) == ((60, 100), (-2.0, -1.0), 0.05)
        rows, columns = np.nonzero(grid)
        assert (columns.min(), columns.max()) == (20, 79)  # x from -1 to 2
        assert (rows.min(), rows.max()) == (10, 39)  # y from -0.5 to 1
        assert grid.sum() == 60 * 30

    @settings(max_examples=20, deadline=None)
    @given(st.floats(-1.5, -0.2), st.floats(-1.5, -0.2), st.floats(0.2, 1.5), st.floats(0.2, 1.5))
    def test_every_cell_is_what_its_middle_is(self, xmin, ymin, xmax, ymax):
        """The grid asks only near the edges of the mesh; the answer is the same everywhere."""
        floor = NavmeshFloor(Island((xmin, ymin, xmax, ymax), 0.7, 0.05), (0.0, 0.0), 0.7)
        grid, (x0, y0), step = floor.grid((-1.0, -1.3, 1.2, 1.1))
        for row, column in np.ndindex(grid.shape):
            place = (x0 + (column + 0.5) * step, y0 + (row + 0.5) * step)
            assert (place in floor) == grid[row, column]

    def test_samples_are_navigable_and_spread_out(self, floor):
        rng = np.random.default_rng(0)
        places = [floor.sample(rng) for _ in range(200)]
        assert all(place in floor for place in places)
        assert np.ptp(np.array(places), axis=0) == pytest.approx((3.0, 1.5), abs=0.1)
        assert floor.sample(np.random.default_rng(5)) == floor.sample(np.random.default_rng(5))

    def test_a_floor_that_is_nowhere_to_be_found_is_no_endless_search(self, floor, monkeypatch):
        monkeypatch.setattr(Island, 'get_random_navigable_point', lambda _: np.full(3, np.nan))
        with pytest.raises(SceneError, match='no place on this floor'):
            floor.sample(np.random.default_rng(0))

    def test_a_start_off_the_mesh_is_refused(self):
        with pytest.raises(SceneError, match='cannot stand at its start'):
            NavmeshFloor(Island((-1, -1, 1, 1), 0.0, 0.1), (5.0, 0.0), 0.0)
        with pytest.raises(SceneError, match='not near the start'):
            NavmeshFloor(Island((-1, -1, 1, 1), 0.0, 0.8), (0.0, 0.0), 0.0)

    def test_settings_are_named_as_in_habitat(self):
        settings = navmesh_settings(0.18, 0.88)
        assert {snake_case(name) for name in settings} == {
            'cell_size', 'cell_height', 'agent_radius', 'agent_height', 'agent_max_climb'}
        assert (settings['agentRadius'], settings['agentHeight']) == (0.18, 0.88)

    @pytest.mark.parametrize(('radius', 'height', 'good'), [
        (0.2, 1.5, True), (0.3, 1.8, True), (0.1, 1.5, False), (0.2, 0.5, False)])
    def test_a_mesh_for_a_smaller_robot_is_not_good_enough(self, radius, height, good):
        settings = SimpleNamespace(agent_radius=radius, agent_height=height)
        assert is_for_robot(settings, 0.2, 1.5) == good
        assert not is_for_robot(None, 0.2, 1.5)


class TestStarting:

    @pytest.fixture(autouse=True)
    def without_habitat_sim(self, monkeypatch):
        real = builtins.__import__

        def missing(name, *args, **options):
            if name == 'habitat_sim':
                raise ImportError('No module named habitat_sim')
            return real(name, *args, **options)

        monkeypatch.setattr(builtins, '__import__', missing)

    def test_a_missing_habitat_sim_says_how_to_get_it(self):
        with pytest.raises(BackendUnavailableError, match='not on PyPI.*conda install'):
            make_simulator('habitat')

    def test_a_missing_scene_is_said_first(self):
        with pytest.raises(SceneError, match='no scene file attic.glb'):
            make_simulator('habitat', scene='attic.glb')

    @pytest.mark.parametrize('options', [
        {'robot_radius': 0.0}, {'robot_height': -1.0}, {'map_height': math.nan}])
    def test_impossible_measures(self, options):
        with pytest.raises(ValueError, match=f'{next(iter(options))} must be positive'):
            make_simulator('habitat', **options)

    def test_mujoco_has_no_scenes_to_name(self):
        with pytest.raises(SceneError, match='use backend habitat'):
            make_simulator('mujoco', scene='apt_0')

    def test_the_benchmark_says_so_in_a_sentence(self):
        with pytest.raises(SystemExit, match='bench: the habitat backend needs habitat-sim'):
            bench.main(['--backend', 'habitat'])
