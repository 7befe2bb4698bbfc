# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""The Habitat backend against the real habitat_sim: skipped where it is not installed."""

import json
from pathlib import Path
import subprocess
import sys

from ipt_sim import make_simulator, SceneError
from ipt_sim.export import export_scene, room_name, room_truth
from ipt_sim.scenes import generate_scene
import numpy as np
import pytest

SEEDS = (3, 1_000_000)
# In a process of its own for each backend: two graphics libraries do not share one.
DRAW = """
import sys
from ipt_ros.geometry import Pose2D
from ipt_sim import CameraSpec, make_simulator
import numpy as np
backend, out, *seeds = sys.argv[1:]
sim = make_simulator(backend)
frames = {}
for seed in map(int, seeds):
    sim.reset(seed)
    names = {0: ''} | {item.id: item.name for item in sim.objects()}
    start = sim.pose
    for turn in range(4):
        base = Pose2D(start.x, start.y, start.yaw + 1.5 * turn)
        frames[f'{seed} view {turn}'] = sim.render(
            CameraSpec('any', 160, 120, 1.4, (0.1, -0.05, 1.1), pitch=0.2), base)
    frames[f'{seed} map'] = sim.render_topdown((0.1, -0.2), 0.7, 6.0, 160)
    for name, frame in frames.items():
        if name.startswith(f'{seed} '):
            classes = np.vectorize(names.get)(frame.instance)
            depth = frame.depth
            if 'map' in name:  # the cameras hang at different heights
                depth = np.where(depth > 0, frame.world_from_optical[2, 3] - depth, -1.0)
            np.savez(f'{out}/{name}.npz', depth=depth, classes=classes, rgb=frame.rgb,
                     instance=frame.instance)
sim.close()
"""


@pytest.fixture(scope='module', autouse=True)
def habitat_sim():
    return pytest.importorskip(
        'habitat_sim', reason='habitat_sim is not installed: docs/habitat.md says how')


@pytest.fixture(scope='module')
def views(tmp_path_factory):
    """Draw the same views of the same rooms with both backends; return {name: (ours, theirs)}."""
    drawn = []
    for backend in ('mujoco', 'habitat'):
        out = tmp_path_factory.mktemp(backend)
        subprocess.run([sys.executable, '-c', DRAW, backend, out, *map(str, SEEDS)],
                       check=True, timeout=600)
        drawn.append({path.stem: dict(np.load(path)) for path in sorted(out.iterdir())})
    assert drawn[0] and drawn[0].keys() == drawn[1].keys()
    return {name: (frame, drawn[1][name]) for name, frame in drawn[0].items()}


def test_both_backends_see_the_same_depth(views):
    for name, (ours, theirs) in views.items():
        error = np.abs(ours['depth'] - theirs['depth'])
        assert np.median(error) <= 0.01, name
        assert np.mean(error > 0.05) < 0.03, name  # edges


def test_both_backends_see_the_same_classes(views):
    for name, (ours, theirs) in views.items():
        assert (ours['classes'] == theirs['classes']).mean() > 0.97, name
        large = {item for item in set(ours['classes'].ravel())
                 if (ours['classes'] == item).mean() > 0.005}
        assert large <= set(theirs['classes'].ravel()), name


def test_both_backends_number_the_same_thing_alike(views):
    for name, (ours, theirs) in views.items():
        assert (ours['instance'] == theirs['instance']).mean() > 0.97, name


def ends_well(code: str) -> None:
    """Run code in a process of its own; it must print "done", and the process must end cleanly."""
    result = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True,
                            timeout=300, check=False)
    assert (result.returncode, result.stdout.split()[-1:]) == (0, ['done']), result.stderr


def test_closing_habitat_leaves_mujoco_drawing():
    ends_well("""
from ipt_sim import make_simulator
mujoco, habitat = make_simulator('mujoco'), make_simulator('habitat')
mujoco.reset(3)
before = mujoco.render('front').rgb
habitat.reset(3)
habitat.render('front')
habitat.close()
assert (mujoco.render('front').rgb == before).all()
other = make_simulator('mujoco')
other.reset(3)
assert (other.render('front').rgb == before).all()
print('done')
""")


@pytest.mark.parametrize('end', ['', 'first.close(); second.render("front")',
                                 'second.close(); first.render("front")'])
def test_two_simulators_may_end_in_any_order_or_with_the_process(end):
    ends_well(f"""
from ipt_sim import make_simulator
first, second = make_simulator('habitat'), make_simulator('habitat')
first.reset(3)
second.reset(4)
second.render('front')
{end}
print('done')
""")


def test_both_backends_show_similar_colours(views):
    """Not equal ones: the light is baked in one, computed in the other."""
    for name, (ours, theirs) in views.items():
        same = ours['classes'] == theirs['classes']
        difference = ours['rgb'][same].astype(float) - theirs['rgb'][same]
        assert np.abs(difference).mean() < 60, name


@pytest.fixture(scope='module')
def dataset(tmp_path_factory):
    folder = tmp_path_factory.mktemp('rooms')
    for seed in SEEDS:
        export_scene(generate_scene(seed), folder)
    return folder / 'rooms.scene_dataset_config.json'


def test_an_exported_data_set_loads_by_name_and_seeds_choose(dataset):
    with make_simulator('habitat', scene='all', scene_dataset=str(dataset)) as sim:
        for seed in range(3):
            sim.reset(seed)
            truth = room_truth(generate_scene(SEEDS[seed % 2]))
            assert sim.scene_name == room_name(truth.seed)
            assert sim.objects() == list(truth.objects)
            assert sim.pose == truth.start


def test_a_scene_without_truth_is_understood_from_habitat_s_own_semantics(dataset, tmp_path):
    """Without our notes the backend has to find floor, start, objects and boxes by itself."""
    stages = tmp_path / 'elsewhere' / 'stages'
    stages.mkdir(parents=True)
    for path in (dataset.parent / 'stages').iterdir():
        (stages / path.name).write_bytes(path.read_bytes())
    scene = ','.join(str(stages / f'{room_name(seed)}.stage_config.json') for seed in SEEDS)
    truth = {item.id: item for item in room_truth(generate_scene(SEEDS[0])).objects}
    with make_simulator('habitat', scene=scene) as sim:
        sim.reset(10)
        start = sim.pose
        assert sim.is_navigable(start.x, start.y)
        frame = sim.render('front')
        seen = np.unique(frame.instance[frame.instance > 0])
        objects = {item.id: item for item in sim.objects()}
        assert len(seen) >= 3
        assert all(objects[number].name == truth[number].name for number in seen)
        floor = next(item.id for item in truth.values() if item.name == 'floor')
        rays = frame.intrinsics.deproject(
            np.argwhere(frame.instance == floor)[:, ::-1].astype(float),
            frame.depth[frame.instance == floor])
        heights = (rays @ frame.world_from_optical[:3, :3].T)[:, 2]
        np.testing.assert_allclose(heights + frame.world_from_optical[2, 3], 0.0, atol=0.02)
        sim.reset(12)
        assert sim.pose != start
        sim.reset(11)  # the other room, then this one again
        assert sim.scene_name == room_name(SEEDS[1])
        sim.reset(10)
        assert sim.pose == start
        assert sim.objects() == [objects[number] for number in sorted(objects)]


def test_a_scene_without_semantics_can_be_seen_but_not_asked(dataset, tmp_path):
    name = room_name(SEEDS[0])
    source = dataset.parent / 'stages'
    config = json.loads((source / f'{name}.stage_config.json').read_text())
    for key in [key for key in config if key.startswith('semantic')]:
        del config[key]
    (tmp_path / f'{name}.glb').write_bytes((source / f'{name}.glb').read_bytes())
    stage = tmp_path / f'{name}.stage_config.json'
    stage.write_text(json.dumps(config))
    with make_simulator('habitat', scene=str(stage)) as sim:
        sim.reset(0)
        assert sim.objects() == []
        assert sim.render('front', instance=False).rgb.std() > 5
        with pytest.raises(SceneError, match='instance=False'):
            sim.render('front')


def test_after_a_scene_that_cannot_be_loaded_the_one_before_is_there(dataset, tmp_path):
    good = dataset.parent / 'stages' / f'{room_name(SEEDS[0])}.stage_config.json'
    bad = tmp_path / 'void.stage_config.json'
    bad.write_text(json.dumps(json.loads(good.read_text()) | {'render_asset': 'missing.glb'}))
    with make_simulator('habitat', scene=f'{good},{bad}') as sim:
        sim.reset(0)
        sim.step(0.5, 0.4, 0.3)
        before, pose = sim.render('front').rgb, sim.pose
        with pytest.raises(SceneError):
            sim.reset(1)
        assert sim.pose == pose
        np.testing.assert_array_equal(sim.render('front').rgb, before)


def test_a_robot_too_large_for_the_room_is_told_so(dataset):
    with make_simulator('habitat', scene=room_name(SEEDS[0]), scene_dataset=str(dataset),
                        robot_radius=5.0) as sim:
        with pytest.raises(SceneError, match='navigable'):
            sim.reset(0)


def test_rooms_do_not_pile_up_on_disk(habitat_sim):
    with make_simulator('habitat') as sim:
        folder = Path(sim._folder.name)
        for seed in range(22):
            sim.reset(seed)
        assert len(list(folder.glob('truth/*'))) == 20
        sim.reset(0)  # gone in the meantime
        assert sim.render('front').rgb.any()
    assert not folder.exists()


def test_another_look_keeps_geometry_and_classes(habitat_sim):
    from dataclasses import replace
    with make_simulator('habitat') as sim:
        sim.reset(3)
        before = sim.render('front')
        sim.restyle(lambda scene: replace(scene, lights=(), ambient=(0.3, 0.3, 0.3)))
        sim.reset(3)
        after = sim.render('front')
        np.testing.assert_array_equal(before.depth, after.depth)
        np.testing.assert_array_equal(before.instance, after.instance)
        assert after.rgb.mean() < 0.7 * before.rgb.mean()
