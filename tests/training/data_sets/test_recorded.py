# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""Recordings become a data set; those that cannot are named, and never a silent gap."""

import contextlib
import json
import math
from pathlib import Path
import shutil
from types import SimpleNamespace

from ipt_ros.geometry import Pose2D
from ipt_sim.protocol import Frame, surround_cameras
from ipt_training.bags import BagReadError, CameraTopics, read_rollout, ReadOptions
from ipt_training.datasets import build as building
from ipt_training.datasets import command, recorded
from ipt_training.datasets.build import build, Plan
from ipt_training.datasets.command import main
from ipt_training.datasets.recorded import bags_from, RecordedBags, Recording
from ipt_training.store import load_examples, StoreError
import numpy as np
import pytest
import simulated_bags as bags
import thin_air


class BareRoom:
    """A grey floor under a grey sky: nothing to ask about."""

    def render(self, camera, base, *, depth=True, instance=True):
        shape = camera.height, camera.width
        return Frame(np.full((*shape, 3), 128, np.uint8), np.full(shape, 2.0, np.float32), None,
                     base.matrix @ camera.optical_in_base, camera.intrinsics)


@pytest.fixture(scope='module')
def bare_bag(tmp_path_factory) -> Path:
    """Return a whole bag of a robot that saw nothing in particular."""
    return bags.record(
        tmp_path_factory.mktemp('bags') / 'bare', BareRoom(),
        bags.drive([(0.0, 0.0), (1.0, 0.0)]), bags.Settings(cameras=surround_cameras(16)))


@pytest.fixture
def mined(monkeypatch):
    """Let each bag have six examples of each task, in the scene of its ground truth."""
    seeds = {'drive': 7, 'test': 1_000_000, 'late': 1_000_002}
    scenes = {'drive': 'mujoco_7', 'walk': 'walk', 'flat': 'habitat_7', 'test': 'mujoco_1000000'}

    def read(path, options):
        if path.name == 'torn':
            raise BagReadError('torn.mcap: ends in the middle of a chunk')
        return contextlib.nullcontext(SimpleNamespace(path=path, problems={'no transform': 2}))

    def mine(rollout, tasks, seed, options, skipped):
        skipped['pet: like a pair that there is'] += 3
        for index in range(6):
            for task in tasks:
                example = thin_air.drawn(task, index, 0)
                example.metadata['scene'] = options.scene or scenes.get(
                    rollout.path.name, rollout.path.name)
                example.metadata['scene_seed'] = seeds.get(rollout.path.name)
                yield example

    monkeypatch.setattr(recorded, 'read_rollout', read)
    monkeypatch.setattr(recorded, 'mine_examples', mine)
    monkeypatch.setattr(recorded, 'keep_fair', lambda example, failed: example)


def bag(folder: Path, *names: str) -> list[str]:
    for name in names:
        (folder / name).mkdir(exist_ok=True)
        (folder / name / 'metadata.yaml').write_text(name)
    return [str(folder / name) for name in names]


def built(folder: Path, arguments: list[str], number: int | None = None, out: str = 'set'):
    source = RecordedBags(('pet', 'mvc'), bags_from(arguments))
    pool = thin_air.Inline(3)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(building, 'wait', pool.wait)
        return build(Plan(('pet', 'mvc'), number, source), folder / out, 2, {}, pool)


def test_everything_is_kept_unless_a_number_is_given(mined, tmp_path):
    card = built(tmp_path, bag(tmp_path, 'drive', 'walk'))
    assert card['examples'] == 24 and card['problems'] == []
    assert card['turned_down']['pet: like a pair that there is'] == 6
    assert card['turned_down']['no transform'] == 4
    fewer = built(tmp_path, bag(tmp_path, 'drive', 'walk'), 10, 'few')
    assert {task: row['examples'] for task, row in fewer['tasks'].items()} == {
        'pet': 5, 'mvc': 5}
    bags_seen = {e.metadata['bag'] for e in load_examples(tmp_path / 'few', split=None)}
    assert bags_seen == {'drive'}  # the first bag has enough


def test_fewer_than_asked_for_is_a_problem(mined, tmp_path):
    card = built(tmp_path, bag(tmp_path, 'drive'), 20)
    assert card['problems'] == [
        'pet: 6 examples of 10 asked for; there was no more to look at',
        'mvc: 6 examples of 10 asked for; there was no more to look at']


def test_a_torn_bag_is_refused_by_name_and_the_others_are_used(mined, tmp_path):
    card = built(tmp_path, bag(tmp_path, 'drive', 'torn', 'walk'))
    assert card['examples'] == 24
    assert card['refused'] == {'torn': 'torn.mcap: ends in the middle of a chunk'}
    assert card['problems'] == ['torn: torn.mcap: ends in the middle of a chunk']


def test_one_room_is_one_place_whoever_recorded_it(mined, tmp_path):
    built(tmp_path, bag(tmp_path, 'drive', 'walk', 'flat', 'test'))
    places = {}
    for example in load_examples(tmp_path / 'set', split=None):
        places.setdefault(example.metadata['place'], set()).add(example.metadata['bag'])
        if example.metadata['bag'] == 'test':
            assert example.metadata['split'] == 'test'
    assert places == {'room 7': {'drive', 'flat'}, 'scene walk': {'walk'},
                      'room 1000000': {'test'}}


def test_evaluation_rooms_are_for_the_test_under_any_name_and_the_card_says_so(mined, tmp_path):
    drive, test, late, room = bag(tmp_path, 'drive', 'test', 'late', 'room_0001000004')
    card = built(tmp_path, [f'mine={drive}', f'kitchen={test}', late, room])
    splits = {example.metadata['bag']: example.metadata['split']
              for example in load_examples(tmp_path / 'set', split=None)}
    assert [splits.pop(name) for name in ('test', 'late', 'room_0001000004')] == ['test'] * 3
    note, = [note for note in card['notes'] if 'evaluated' in note]
    assert note.startswith('3 places with a seed from 1000000 on') and 'test split' in note
    assert not [note for note in built(tmp_path, [drive], out='other')['notes']
                if 'evaluated' in note]


def test_bags_of_one_place_can_be_named_as_such(mined, tmp_path):
    first, second = bag(tmp_path, 'monday', 'tuesday')
    built(tmp_path, [f'kitchen={first}', f'kitchen={second}'])
    (place,) = {e.metadata['place'] for e in load_examples(tmp_path / 'set', split=None)}
    assert place == 'scene kitchen'


def test_a_path_with_an_equals_sign_is_a_path(tmp_path):
    (name,) = bag(tmp_path, 'run=3')
    assert bags_from([name]) == (Recording(Path(name).resolve(), ''),)
    assert bags_from([f'hall={name}']) == (Recording(Path(name).resolve(), 'hall'),)


def test_a_bag_that_is_missing_or_given_twice_is_refused_before_anything_is_made(tmp_path, capsys):
    (there,) = bag(tmp_path, 'drive')
    with pytest.raises(StoreError, match='given twice'):
        bags_from([there, there + '/'])
    assert main(['build', '--from', str(tmp_path / 'none'), '--out', str(tmp_path / 'set')]) == 1
    assert "no bag at '" in capsys.readouterr().err
    assert not (tmp_path / 'set').exists()


def test_recordings_do_not_give_every_task(tmp_path, capsys):
    with pytest.raises(SystemExit):
        main(['build', '--tasks', 'pt', '--from', *bag(tmp_path, 'drive'),
              '--out', str(tmp_path / 'set')])
    assert 'recordings give: pet, mvc' in capsys.readouterr().err


def test_topics_and_frames_can_be_named(mined, tmp_path, monkeypatch):
    plans = []
    monkeypatch.setattr(command, 'build', lambda plan, *rest: plans.append(plan) or {
        'problems': []})
    monkeypatch.setattr(command, 'summary', lambda card: '')
    line = ['build', '--out', str(tmp_path / 'set'), '--from', *bag(tmp_path, 'drive')]
    main(line)
    main([*line, '--cameras', 'a=/x/image/compressed', 'b=/y/rgb,/y/info,/y/depth', '--tf',
          '/robot1/tf', '--base-frame', 'robot1/base_link'])
    usual, asked = (plan.source for plan in plans)
    assert usual.reading == ReadOptions()
    assert asked.reading == ReadOptions(
        {'a': CameraTopics('/x/image/compressed', '/x/camera_info'),
         'b': CameraTopics('/y/rgb', '/y/info', '/y/depth')},
        base_frame='robot1/base_link', tf='/robot1/tf')
    assert 'reading' not in plans[0].recipe()['source']
    assert set(plans[1].recipe()['source']['reading']) == {'cameras', 'base_frame', 'tf'}


def test_a_build_does_not_go_on_with_other_topics(mined, tmp_path):
    recordings = bags_from(bag(tmp_path, 'drive'))
    pool = thin_air.Inline(3)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(building, 'wait', pool.wait)
        for reading in (ReadOptions(), ReadOptions(odometry='/odom')):
            source = RecordedBags(('pet',), recordings, 0, reading)
            with (pytest.raises(StoreError, match='another way.*/odom') if reading.odometry
                  else contextlib.nullcontext()):
                build(Plan(('pet',), None, source), tmp_path / 'set', 2, {}, pool)


@pytest.mark.parametrize(('words', 'reason'), [
    (['--cameras', 'front'], 'expected NAME=IMAGE'), (['--cameras', '=/a'], 'expected NAME=IMAGE'),
    (['--cameras', 'a=/b,/c,/d,/e'], 'expected NAME=IMAGE'),
    (['--cameras', 'a=/b', 'a=/c'], "names 'a' twice")])
def test_cameras_that_are_not_named_properly_are_refused(tmp_path, capsys, words, reason):
    with pytest.raises(SystemExit):
        main(['build', '--out', str(tmp_path / 'set'), '--from', *bag(tmp_path, 'drive'), *words])
    assert reason in capsys.readouterr().err


def test_topics_are_refused_without_a_recording(tmp_path, capsys):
    with pytest.raises(SystemExit):
        main(['build', '--n', '4', '--out', str(tmp_path / 'set'), '--tf', '/robot1/tf'])
    assert 'about recordings; name some with --from' in capsys.readouterr().err


def truncated(folder: Path) -> None:
    (file,) = folder.glob('*.mcap')
    file.write_bytes(file.read_bytes()[:200])


def emptied(folder: Path) -> None:
    for file in folder.glob('*.mcap'):
        file.unlink()


def kept(folder: Path) -> None:
    pass


@pytest.mark.parametrize(('damage', 'reason'), [
    (truncated, ''), (emptied, ''), (kept, 'no example could be mined')])
def test_real_bags_that_give_nothing_end_with_1_and_their_names(
        bare_bag, tmp_path, damage, reason, monkeypatch, capsys):
    shutil.copytree(bare_bag, tmp_path / 'bare')
    damage(tmp_path / 'bare')

    def here(plan, out, workers, about):
        pool = thin_air.Inline()
        monkeypatch.setattr(building, 'wait', pool.wait)
        return build(plan, out, workers, about, pool)

    monkeypatch.setattr(command, 'build', here)
    assert main(['build', '--from', str(tmp_path / 'bare'), '--out', str(tmp_path / 'set')]) == 1
    shown = capsys.readouterr().out
    assert '0 examples' in shown and 'NOT what was asked for' in shown
    card = json.loads((tmp_path / 'set' / 'dataset.json').read_text())
    assert list(card['refused']) == ['bare'] and reason in card['refused']['bare']


def test_the_bag_of_the_tests_above_is_whole(bare_bag):
    with read_rollout(bare_bag) as rollout:
        assert len(rollout.frames) > 4
        first = Pose2D.from_matrix(rollout.frames[0].fixed_from_base)
        assert math.hypot(first.x, first.y) < 0.1
