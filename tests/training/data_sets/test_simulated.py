# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""What scenes do that cannot be used, and which scenes are asked for at all."""

from box_world import BoxWorld
from ipt_sim import SceneError, SimulatorError
from ipt_training.datasets import simulated
from ipt_training.datasets.simulated import largest_picture, SimulatedScenes, unit_size
from ipt_training.datasets.splits import SHARES, split_of
from ipt_training.datasets.units import read_record, Unit, work_on
from ipt_training.examples import EVALUATION_SEED, ExampleOptions
from ipt_training.store import read_metadata
import pytest

SMALL = ExampleOptions(supersample=1, pet_pixels=48, pet_draws=2000, pet_tries=8)


@pytest.fixture
def world(monkeypatch):
    """Return the simulator that will be made, and note what was asked for."""
    made = BoxWorld()
    made.asked = {}

    def make(backend, **options):
        made.asked = options
        return made

    monkeypatch.setattr(simulated, 'make_simulator', make)
    return made


def unit(start: int, stop: int, task: str = 'pet') -> Unit:
    return Unit(task, 0, {'start': start, 'stop': stop})


def test_a_scene_where_nobody_can_stand_is_counted_and_passed_over(world, monkeypatch):
    reset = world.reset

    def some_fail(seed):
        if seed < 4:  # all scenes of the first two examples
            raise SceneError('nothing in the room is navigable')
        reset(seed)

    monkeypatch.setattr(world, 'reset', some_fail)
    made = SimulatedScenes(('pet',), 0, options=SMALL).open()(unit(0, 8))
    assert made.turned_down['pet: scene refused, nothing in the room is navigable'] == 2
    assert made.attempts == 8
    assert {example.metadata['index'] for example in made.examples} <= set(range(2, 8))
    assert made.examples


def test_what_a_simulator_cannot_do_at_all_is_no_matter_of_scenes(world, monkeypatch):
    def fail(*arguments, **named):
        raise SimulatorError('a picture of 4000x4000 pixels does not fit')

    monkeypatch.setattr(world, 'render', fail)
    with pytest.raises(SimulatorError, match='does not fit'):
        SimulatedScenes(('pet',), 0, options=SMALL).open()(unit(0, 8))


def test_an_empty_room_gives_nothing_and_says_why(monkeypatch):
    monkeypatch.setattr(simulated, 'make_simulator', lambda *a, **k: BoxWorld(boxes=[]))
    made = SimulatedScenes(('pet',), 0, options=SMALL).open()(unit(0, 2))
    assert made.examples == []
    assert made.turned_down['pet: no pose and target suit the furniture'] > 0


def test_named_scenes_are_known_by_name_and_pictures_fit(world):
    world.scene_name = 'apartment_3'
    source = SimulatedScenes(('pet',), 0, 'mujoco', 'apartment_3', 'all.json', options=SMALL)
    made = source.open()(unit(0, 8))
    assert made.examples
    assert all(e.metadata['scene_name'] == 'apartment_3' for e in made.examples)
    assert world.asked['scene'] == 'apartment_3' and world.asked['scene_dataset'] == 'all.json'
    assert min(world.asked['max_image_size']) >= largest_picture(SMALL)


def test_exported_rooms_are_the_rooms_of_their_seeds(world, tmp_path):
    """Whatever seed chose them, and whichever simulator shows them."""
    for name, place, split in (('room_0001000000', 'room 1000000', 'test'),
                               ('room_0000000007', 'room 7', split_of(7))):
        world.scene_name = name
        source = SimulatedScenes(('pet',), 0, 'mujoco', name, 'all.json', options=SMALL)
        work_on(source, unit(0, 4), tmp_path / name, {'train': 1.0} if split == 'test' else SHARES,
                {})
        record = read_record(tmp_path / name, unit(0, 4).name)
        assert record.rows and {row[1] for row in record.rows} == {split}
        shard, = (tmp_path / name / 'parts').iterdir()
        assert {row['place'] for row in read_metadata(shard)} == {place}


def test_evaluation_seeds_of_any_scene_are_for_the_test(world, tmp_path):
    world.scene_name = 'apartment_3'
    source = SimulatedScenes(
        ('pet',), EVALUATION_SEED, 'mujoco', 'apartment_3', 'all.json', options=SMALL)
    work_on(source, unit(0, 4), tmp_path, {'train': 1.0}, {})
    assert {row[1] for row in read_record(tmp_path, unit(0, 4).name).rows} == {'test'}


def test_a_scan_without_annotations_ends_the_build_before_it_is_loaded(world, tmp_path):
    scan = tmp_path / 'house.glb'
    scan.touch()
    with pytest.raises(SceneError, match='says nothing about its objects'):
        SimulatedScenes(('pet',), 0, 'habitat', str(scan), options=SMALL).open()
    assert not world.asked  # no simulator was started
    (tmp_path / 'house.semantic.txt').touch()
    SimulatedScenes(('pet',), 0, 'habitat', str(scan), options=SMALL).open()


def test_a_scene_that_names_nothing_costs_no_search_for_places(monkeypatch):
    world = BoxWorld()
    monkeypatch.setattr(world, 'objects', lambda: [])
    monkeypatch.setattr(world, 'navigable_grid', lambda: pytest.fail('looked for places'))
    monkeypatch.setattr(simulated, 'make_simulator', lambda *a, **k: world)
    made = SimulatedScenes(('pet',), 0, options=SMALL).open()(unit(0, 2))
    assert made.examples == []
    reason, = made.turned_down
    assert 'says nothing about its objects' in reason


def test_training_scenes_end_where_evaluation_begins():
    units = list(SimulatedScenes(('pet',), EVALUATION_SEED - 100, unit=10).streams()['pet'])
    assert [unit.work['start'] for unit in units] == [0, 10, 20, 30, 40]
    beyond = SimulatedScenes(('pet',), EVALUATION_SEED, unit=10).streams()['pet']
    assert next(iter(beyond)).number == 0


def test_a_few_examples_do_not_cost_a_large_unit():
    assert unit_size(20_000, 3) == 40 and unit_size(6, 3) == 1 and unit_size(96, 2) == 6
