# SPDX-License-Identifier: Apache-2.0
"""What scenes do that cannot be used, and which scenes are asked for at all."""

from box_world import BoxWorld
from ipt_sim import SceneError, SimulatorError
from ipt_training.datasets import simulated
from ipt_training.datasets.simulated import largest_picture, SimulatedScenes, unit_size
from ipt_training.datasets.units import Unit
from ipt_training.examples import EVALUATION_SEED, ExampleOptions
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


def test_training_scenes_end_where_evaluation_begins():
    units = list(SimulatedScenes(('pet',), EVALUATION_SEED - 100, unit=10).streams()['pet'])
    assert [unit.work['start'] for unit in units] == [0, 10, 20, 30, 40]
    beyond = SimulatedScenes(('pet',), EVALUATION_SEED, unit=10).streams()['pet']
    assert next(iter(beyond)).number == 0


def test_a_few_examples_do_not_cost_a_large_unit():
    assert unit_size(20_000, 3) == 40 and unit_size(6, 3) == 1 and unit_size(96, 2) == 6
