# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""The Habitat backend on a habitat_sim in plain Python: starts, sky, lifetimes, what is told."""

import json
import logging
import math
import os

from ipt_ros.geometry import Pose2D
from ipt_sim import CameraSpec, EmptyFrameError, habitat_world, make_simulator, SceneError
from ipt_sim.export import export_scene, room_name
from ipt_sim.habitat_navmesh import furniture_tops
from ipt_sim.habitat_scenes import find_scenes, is_flat, require_annotated
from ipt_sim.habitat_world import HabitatWorld, pathfinder_seed
from ipt_sim.scenes import generate_scene
import numpy as np
from plain_habitat import House, PathFinder, PlainHabitat, Surface
import pytest

CEILING = Surface((-5, -5, 5, 5), 2.6, 9, 'ceiling')
FLOOR = Surface((-5, -5, 5, 5), 0.0, 1, 'floor')
# What a robot of 0.2 m radius may walk on around a bed of 2.0 x 1.6 m in the corner: an L.
AROUND_BED = [Surface((-4.8, -4.8, 4.8, 2.2), 0.0), Surface((-4.8, 2.2, 2.6, 4.8), 0.0)]
BED = Surface((3.0, 2.8, 4.8, 4.8), 0.55, 3, 'bed')
SKY = CameraSpec('sky', 8, 8, pitch=-1.5)


def house(*tops: Surface, roof: bool = True) -> House:
    """Return a house of one room; the robot may stand on the floor and on all tops."""
    things = [FLOOR, *tops, *[CEILING] * roof]
    return House(things, [Surface((-4.8, -4.8, 4.8, 4.8), 0.0), *tops])


@pytest.fixture
def habitat(monkeypatch):
    module = PlainHabitat({'house': house()})
    monkeypatch.setattr(habitat_world, 'load_habitat_sim', lambda: module)
    yield module
    habitat_world._SIMULATORS.end_all()


@pytest.fixture
def scene(tmp_path):
    path = tmp_path / 'house.glb'
    path.touch()
    return str(path)


class TestStarts:

    @pytest.mark.parametrize('islands', [
        [FLOOR, BED],
        [Surface((-2, -2, 2, 2), 0.0), Surface((2.5, -1, 4.0, 1), 0.75)],  # a table beside it
        [FLOOR, Surface((-1, -1, 1, 1), 0.2)],  # a podium, a mattress
        [FLOOR, Surface((-1, -1, 1, 1), 1.8)],  # a wardrobe
        [FLOOR, Surface((-2, -1, 0, 1), 0.5), Surface((0.5, -1, 1.2, 1), 1.2)],  # two of them
    ])
    def test_tops_of_furniture_are_no_floors(self, islands):
        assert furniture_tops(PathFinder(islands)) == set(range(1, len(islands)))

    @pytest.mark.parametrize('islands', [
        [FLOOR],
        [FLOOR, Surface((6.5, -5, 8, 5), 0.5)],  # too far away: another room, half a storey up
        [FLOOR, Surface((5.2, -1, 7, 1), 0.1)],  # a threshold
        [FLOOR, Surface((-1, -1, 1, 1), 2.9)],  # upstairs
        [FLOOR, Surface((-1, -1, 1, 1), -0.5)],  # a pit
        [Surface((-20, -20, 20, 20), -0.3), Surface((-4, -4, 4, 4), 0.0)],  # a house in its garden
        [Surface((0, 0, 2, 2), 0.6), Surface((2.2, 0, 4.2, 2), 0.0)],  # none is the larger one
    ])
    def test_floors_are_floors(self, islands):
        assert furniture_tops(PathFinder(islands)) == set()

    @pytest.mark.parametrize('top', [BED, Surface((-1.0, -0.8, 1.0, 0.8), 0.74, 4, 'table')])
    def test_no_seed_starts_on_furniture(self, habitat, scene, top):
        habitat.houses['house'] = house(top)
        with make_simulator('habitat', scene=scene) as sim:
            for seed in range(60):
                sim.reset(seed)
                assert not top.holds(sim.pose.x, sim.pose.y, -0.01)
                frame = sim.render(CameraSpec('down', 8, 8, pitch=math.pi / 2, position=(
                    0.0, 0.0, 1.0)))
                assert frame.depth[4, 4] == pytest.approx(1.0)

    def test_furniture_is_looked_for_once_a_scene(self, habitat, scene, monkeypatch):
        asked = []
        monkeypatch.setattr(habitat_world, 'furniture_tops',
                            lambda pathfinder: asked.append(1) or frozenset())
        with make_simulator('habitat', scene=scene) as sim:
            for seed in range(5):
                sim.reset(seed)
        assert len(asked) == 1

    def test_a_bed_in_a_corner_is_beside_the_floor_around_it(self):
        assert furniture_tops(PathFinder([*AROUND_BED, BED])) == {2}

    def test_every_seed_has_a_start_of_its_own(self, habitat, scene):
        seeds = [0, 1, 2, 2**31, 2**32 - 1, 2**32, 2**33, 10**30]
        with make_simulator('habitat', scene=scene) as sim:
            starts = []
            for seed in seeds:
                sim.reset(seed)
                starts.append((sim.pose.x, sim.pose.y))
            assert len(set(starts)) == len(seeds)
            sim.reset(np.int64(2**33))
            assert (sim.pose.x, sim.pose.y) == starts[6]

    @pytest.mark.parametrize('seed', [0, 1, 2**32, 2**64, 10**30])
    def test_the_pathfinder_gets_what_it_takes(self, seed):
        assert 1 <= pathfinder_seed(seed) < 2**32


class TestEmptyPictures:

    def test_the_sky_may_be_empty(self, habitat, scene):
        habitat.houses['house'] = house(roof=False)
        with make_simulator('habitat', scene=scene) as sim:
            sim.reset(0)
            for depth in (True, False):
                frame = sim.render(SKY, depth=depth, instance=False)
                assert not frame.rgb.any()
            assert not sim.render(SKY).instance.any()

    @pytest.mark.parametrize('camera', [
        SKY, CameraSpec('down', 8, 8, pitch=math.pi / 2), CameraSpec('ahead', 8, 8)])
    def test_a_driver_that_failed_is_found_out_under_a_roof_and_under_the_sky(
            self, habitat, scene, camera):
        for roof in (True, False):
            habitat.houses['house'] = house(roof=roof)
            habitat.driver_failed = False
            with make_simulator('habitat', scene=scene) as sim:
                sim.reset(0)
                habitat.driver_failed = True
                with pytest.raises(EmptyFrameError, match='graphics driver failed'):
                    sim.render(camera)
                with pytest.raises(EmptyFrameError):
                    sim.render(camera, depth=False, instance=False)

    def test_full_pictures_cost_no_second_look(self, habitat, scene):
        with make_simulator('habitat', scene=scene) as sim:
            sim.reset(0)
            sim.render(SKY)
            habitat.events.clear()
            sim.render(SKY)
            assert [kind for what, kind in habitat.events if what == 'draw'] == [
                'COLOR', 'DEPTH', 'SEMANTIC']


class TestSpeed:

    def test_the_pose_is_set_once_a_picture(self, habitat, scene):
        with make_simulator('habitat', scene=scene) as sim:
            sim.reset(0)
            sim.render(SKY)
            habitat.events.clear()
            sim.render(SKY, Pose2D(0.5, 0.5, 1.0))
            assert habitat.count('pose') == 1
            assert habitat.count('draw') == 3

    def test_flat_scenes_start_without_image_based_lighting(self, habitat, tmp_path):
        stage = tmp_path / 'house.stage_config.json'
        stage.write_text('{"shader_type": "flat"}')
        before = os.getcwd()
        with make_simulator('habitat', scene=str(stage)) as sim:
            sim.reset(0)
        (_, mediator), = [event for event in habitat.events if event[0] == 'start']
        assert 'no_environment_map' in json.loads(mediator['pbr'])['ibl_envmap_filename']
        assert os.getcwd() == before

    def test_a_scene_that_needs_light_gets_it_from_then_on(self, habitat, tmp_path):
        habitat.houses |= {'lit': house()}
        stage = tmp_path / 'house.stage_config.json'
        stage.write_text('{"shader_type": "flat"}')
        (tmp_path / 'lit.stage_config.json').write_text('{"shader_type": "pbr"}')
        with make_simulator('habitat', scene=f'{stage},{tmp_path / "lit.stage_config.json"}') as s:
            for seed in range(4):
                s.reset(seed)
        assert [event[1] is None for event in habitat.events if event[0] == 'start'] == [
            False, True]
        assert [event[1] for event in habitat.events if event[0] == 'load'] == [
            'house', 'lit', 'house', 'lit']

    def test_a_release_without_mediators_draws_all_the_same(self, habitat, tmp_path):
        del habitat.metadata
        stage = tmp_path / 'house.stage_config.json'
        stage.write_text('{"shader_type": "flat"}')
        with make_simulator('habitat', scene=str(stage)) as sim:
            sim.reset(0)
            assert sim.render('front', Pose2D(0.0, 0.0)).rgb.shape == (256, 256, 3)
        assert ('start', None) in habitat.events


class TestFlatScenes:

    def test_what_the_stage_says_counts_before_what_its_data_set_says(self, tmp_path):
        dataset = tmp_path / 'some.scene_dataset_config.json'
        dataset.write_text(json.dumps({'stages': {
            'default_attributes': {'shader_type': 'flat'},
            'paths': {'.json': ['.'], '.glb': ['*.glb']}}}))
        (tmp_path / 'lit.stage_config.json').write_text('{"shader_type": "phong"}')
        (tmp_path / 'silent.stage_config.json').write_text('{}')
        (tmp_path / 'broken.stage_config.json').write_text('{')
        (tmp_path / 'scan.glb').touch()
        flat = {source.file.name.split('.')[0]: is_flat(source)
                for source in find_scenes('all', str(dataset))}
        assert flat == {'lit': False, 'silent': True, 'broken': True, 'scan': True}
        assert not is_flat(find_scenes(str(tmp_path / 'scan.glb'))[0])

    def test_our_rooms_are(self, tmp_path):
        stage = export_scene(generate_scene(3), tmp_path)
        assert is_flat(find_scenes(str(stage))[0])


class TestEnds:
    """The first simulator owns the graphics context; closing it first would abort the process."""

    def closed(self, habitat) -> int:
        return habitat.count('close')

    @pytest.mark.parametrize('order', [(0, 1, 2), (2, 1, 0), (1, 0, 2), (0, 2, 1)])
    def test_simulators_may_be_closed_in_any_order(self, habitat, scene, order):
        sims = [make_simulator('habitat', scene=scene) for _ in range(3)]
        for sim in sims:
            sim.reset(0)
        for number, k in enumerate(order, 1):
            sims[k].close()
            sims[k].close()
            for other in order[number:]:
                assert sims[other].render('front', Pose2D(0.0, 0.0)).rgb.shape[2] == 3
        assert self.closed(habitat) == 3
        assert not habitat.context

    def test_what_nobody_closed_is_closed_at_exit_the_first_one_last(self, habitat, scene):
        sims = [make_simulator('habitat', scene=scene) for _ in range(3)]
        for sim in sims:
            sim.reset(0)
        habitat_world._SIMULATORS.end_all()
        assert self.closed(habitat) == 3
        assert habitat.events[-1][1].owns_context
        for sim in sims:
            sim.close()
        assert self.closed(habitat) == 3

    def test_another_one_can_be_started_afterwards(self, habitat, scene):
        for _ in range(2):
            with make_simulator('habitat', scene=scene) as sim:
                sim.reset(0)
        assert self.closed(habitat) == 2


class TestWhatIsTold:

    def test_objects_that_no_picture_can_show_are_counted(self, habitat, scene, caplog):
        lamp = Surface((0, 0, 1, 1), 1.0, 5, 'lamp')
        habitat.houses['house'] = House([FLOOR, CEILING, lamp], [FLOOR], {5: (0.0, 0.0, 0.0)})
        with caplog.at_level(logging.WARNING):
            with make_simulator('habitat', scene=scene) as sim:
                sim.reset(0)
                sim.reset(1)
                assert [item.name for item in sim.objects()] == ['floor', 'ceiling']
        message, = caplog.messages
        assert '1 of 3 annotated objects have no triangle' in message and '"lamp"' in message

    def test_a_description_of_another_mesh_is_told_so(self, habitat, scene, caplog):
        nothing = dict.fromkeys((1, 9), (0.0, 0.0, 0.0))
        habitat.houses['house'] = House([FLOOR, CEILING], [FLOOR], nothing)
        with make_simulator('habitat', scene=scene) as sim:
            sim.reset(0)
            assert sim.objects() == []
        assert '2 of 2' in caplog.text and 'belongs to the description' in caplog.text

    def test_scenes_without_annotations_are_refused_before_they_are_loaded(self, tmp_path):
        for name in ('bare.glb', 'bare.stage_config.json'):
            path = tmp_path / name
            path.write_text('{}')
            with pytest.raises(SceneError, match='says nothing about its objects'):
                require_annotated(find_scenes(str(path)))

    @pytest.mark.parametrize('beside', [
        'house.scn', 'house.house', 'house_semantic.ply', 'house.semantic.glb',
        'info_semantic.json'])
    def test_scenes_that_may_have_annotations_pass(self, tmp_path, beside):
        (tmp_path / 'house.glb').touch()
        (tmp_path / beside).touch()
        require_annotated(find_scenes(str(tmp_path / 'house.glb')))

    def test_configured_annotations_pass_and_one_annotated_scene_is_enough(self, tmp_path):
        stage = export_scene(generate_scene(3), tmp_path)
        (tmp_path / 'bare.glb').touch()
        require_annotated(find_scenes(f'{tmp_path / "bare.glb"},{stage}'))

    def test_a_room_of_ours_is_called_so_under_any_name(self, habitat, tmp_path):
        stage = export_scene(generate_scene(1_000_003), tmp_path / 'rooms', 'kitchen')
        habitat.houses['kitchen'] = habitat.houses['loft'] = house()
        copy = tmp_path / 'loft.stage_config.json'  # without the truth beside it
        copy.write_bytes(stage.read_bytes())
        for path in (stage, copy):
            with make_simulator('habitat', scene=str(path)) as sim:
                sim.reset(0)
                assert sim.scene_name == room_name(1_000_003)

    def test_an_old_release_is_told_so(self, habitat, monkeypatch, scene):
        monkeypatch.setattr(
            'plain_habitat.Simulator.__setattr__',
            lambda self, name, value: object.__setattr__(
                self, '_sensors' if name == 'sensors' else name, value))
        with pytest.raises(Exception, match='v0.3.4 or later'):
            with make_simulator('habitat', scene=scene) as sim:
                sim.reset(0)


def test_a_world_is_what_the_backend_makes_of_it(habitat, scene):
    world = HabitatWorld(0.2, 1.5, -1)
    world.load(find_scenes(scene)[0])
    assert world.bounds() == pytest.approx((-4.8, -4.8, 4.8, 4.8))
    world.close()
