# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""Maps that belong to no example: true, the same however they are made, and listed in training."""


import box_world
from ipt_sim import make_simulator, RenderingUnavailableError
from ipt_sim.protocol import SceneObject
from ipt_training import generate_maps as generate_maps_module
from ipt_training.data import TaskData
from ipt_training.examples import EVALUATION_SEED, ExampleOptions
from ipt_training.examples.maps import (
    lone_maps,
    middles_and_counts,
    most_of_a_kind,
    ThingOnMap,
)
from ipt_training.examples.scene import Scene
from ipt_training.generate_maps import generate_maps
from ipt_training.map_store import load_maps, map_classes, Maps, save_maps
from ipt_training.store import StoreError
from ipt_training.train_encoder import DenseImages
from ipt_training.train_model import tell_samples
import numpy as np
import pytest

OPTIONS = ExampleOptions(supersample=1, map_pixels=64, mvc_radius=(0.3, 0.6))


def box(key, name, x, y):
    return SceneObject(key, name, (x, y, 0.3), (0.4, 0.4, 0.6), 0.0, 'red')


@pytest.fixture
def scene():
    """Two chairs and a sofa in the corners of a room."""
    return Scene(box_world.BoxWorld([
        box(10, 'chair', 1.8, 1.8), box(11, 'chair', -1.8, 1.8), box(12, 'sofa', 1.8, -1.8)]), 0)


def test_a_map_says_where_everything_is_that_it_shows(scene):
    found = lone_maps(scene, np.random.default_rng(0), 3, OPTIONS)
    assert len(found) == 3 and most_of_a_kind(scene) == 2
    for made in found:
        assert made.rgb.shape == (64, 64, 3)
        assert sorted(thing.name for thing in made.things) == ['chair', 'chair', 'sofa']
        for thing in made.things:
            there = made.dense.classes[int(thing.down * 64), int(thing.across * 64)]
            assert scene.class_names[there] == thing.name
            assert thing.area == pytest.approx((0.4 / OPTIONS.map_size) ** 2, rel=0.6)
    assert not np.array_equal(found[0].rgb, found[1].rgb)  # from different places


def test_what_hardly_shows_makes_its_class_doubtful():
    things = (ThingOnMap('chair', 0.1, 0.2, 0.01), ThingOnMap('chair', 0.3, 0.2, 0.0002),
              ThingOnMap('sofa', 0.5, 0.6, 0.01), ThingOnMap('sofa', 0.7, 0.8, 0.01))
    middles, counts = middles_and_counts(things, ExampleOptions())
    assert middles == [('chair', 0.1, 0.2), ('sofa', 0.5, 0.6), ('sofa', 0.7, 0.8)]
    assert counts == {'sofa': 2}


def test_maps_come_back_as_they_were_with_the_classes_that_are_asked_for(scene, tmp_path):
    found = lone_maps(scene, np.random.default_rng(0), 2, OPTIONS)
    save_maps(tmp_path / '0.safetensors', [(made, scene.class_names) for made in found])
    classes = ['sofa', 'lamp', 'wall', 'nothing', 'floor', 'chair']
    maps = load_maps(tmp_path, classes)
    assert len(maps) == 2
    for index, made in enumerate(found):
        assert np.array_equal(maps.truth.pixels[index], made.rgb)
        assert np.array_equal(maps.truth.depth_mm[index], made.dense.depth_mm)
        names = np.array(classes)[maps.truth.classes[index]]
        assert np.array_equal(names, np.array(scene.class_names)[made.dense.classes])
        assert maps.counts[index] == {'chair': 2, 'sofa': 1}
        middles, _ = middles_and_counts(made.things, OPTIONS)
        for (name, *place), (wanted, *there) in zip(maps.middles[index], middles, strict=True):
            assert name == wanted and place == pytest.approx(there)


def test_an_empty_folder_is_named(tmp_path):
    with pytest.raises(StoreError, match=f"no maps in '{tmp_path}'.*stage 'data'"):
        load_maps(tmp_path, [])


def test_classes_that_nobody_asked_for_are_named(scene, tmp_path):
    save_maps(tmp_path / '0.safetensors', [
        (made, scene.class_names) for made in lone_maps(scene, np.random.default_rng(0), 1,
                                                        OPTIONS)])
    with pytest.raises(StoreError, match="shows 'chair'.*not among the classes"):
        load_maps(tmp_path, ['sofa', 'floor', 'wall', 'nothing'])
    assert map_classes(tmp_path) == {'chair', 'floor', 'nothing', 'sofa', 'wall'}
    assert map_classes(tmp_path / 'missing') == set()


def test_making_maps_goes_on_where_it_stopped_and_refuses_others(tmp_path, monkeypatch):
    try:
        make_simulator('mujoco').close()
    except RenderingUnavailableError as error:
        pytest.skip(f'no simulator: {error}')
    monkeypatch.setattr(generate_maps_module, 'SHARD_SIZE', 4)
    generate_maps(6, 7, tmp_path)
    shards = sorted(tmp_path.glob('*.safetensors'))
    content = [shard.read_bytes() for shard in shards]
    assert len(shards) == 2
    kept = shards[0].stat().st_mtime_ns
    shards[1].unlink()
    generate_maps(6, 7, tmp_path)
    assert [shard.read_bytes() for shard in shards] == content
    assert shards[0].stat().st_mtime_ns == kept
    with pytest.raises(StoreError, match='choose another'):
        generate_maps(6, 8, tmp_path)


def test_maps_stay_out_of_evaluation_scenes(tmp_path):
    with pytest.raises(StoreError, match='evaluation scenes'):
        generate_maps(1000, EVALUATION_SEED - 10, tmp_path)


def test_listings_tell_of_examples_that_are_trained_on_and_of_lone_maps():
    def pictures(numbers):
        return np.stack([np.full((32, 32, 3), number, np.uint8) for number in numbers])

    lone = Maps(DenseImages(pictures([8, 9]), *[np.zeros((2, 32, 32), np.uint8)] * 2),
                middles=[[], []], counts=[{'lamp': 8}, {'lamp': 4}])
    data = TaskData(inputs=np.zeros((3, 1, 32, 32, 3), np.uint8), targets=pictures([0, 1, 2]),
                    thinks=[''] * 3, questions=[[]] * 3, relations=[[]] * 3,
                    target_counts=[{'chair': 1}, {'chair': 2}, {'chair': 3}], maps=lone)
    drawn = {int(image.image[0, 0, 0]): told.text for image, _, told in
             tell_samples(data, 2, 60, np.random.default_rng(0))}
    assert drawn == {0: 'chair 1', 1: 'chair 2', 8: '', 9: 'lamp 4'}
