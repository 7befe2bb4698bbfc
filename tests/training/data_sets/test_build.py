# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""A data set is the same however it was built: by whom, in which order, how often killed."""

from collections import Counter
import errno
import json
import os
from pathlib import Path
import shutil
import signal
import subprocess
import sys
import time

from hypothesis import given, settings
from hypothesis import strategies as st
from ipt_sim import make_simulator, RenderingUnavailableError
from ipt_training.datasets import build as building
from ipt_training.datasets.build import build, BuildError, Plan, WORK
from ipt_training.datasets.splits import place_of, split_of, SPLITS
from ipt_training.store import load_examples, StoreError
import pytest
from thin_air import Inline, ThinAir


def built(plan: Plan, out: Path, seed: int = 0, workers: int = 2) -> dict:
    pool = Inline(seed)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(building, 'wait', pool.wait)
        return build(plan, out, workers, {'seed': 1, 'backend': 'none'}, pool)


def content(out: Path) -> dict[str, bytes]:
    return {str(path.relative_to(out)): path.read_bytes() for path in out.rglob('*.parquet')}


def timeless(card: dict) -> str:
    """Return a card as text, without what a clock said."""
    def strip(value):
        if isinstance(value, dict):
            return {k: strip(v) for k, v in value.items() if k != 'cost'}
        return value
    return json.dumps(strip(card))


def plan(number: int | None = 24, **changes) -> Plan:
    source = ThinAir(**changes)
    return Plan(source.tasks, number, source, {'train': 0.5, 'validation': 0.3, 'test': 0.2}, 4)


@pytest.fixture(scope='module')
def reference(tmp_path_factory):
    """Return the folder and card of a data set that was built in one go."""
    out = tmp_path_factory.mktemp('reference') / 'set'
    return out, built(plan(), out)


def test_there_are_as_many_examples_as_asked_for_the_same_for_each_task(reference, tmp_path):
    out, card = reference
    assert card['examples'] == 24 and card['problems'] == []
    assert {task: row['examples'] for task, row in card['tasks'].items()} == {'pet': 12, 'mvc': 12}
    for task in ('pet', 'mvc'):
        indices = sorted(e.metadata['index'] for e in load_examples(out, task, split=None))
        assert indices == [k for k in range(18) if k % 3 != 2]
    odd = built(plan(5), tmp_path / 'odd')
    assert [row['examples'] for row in odd['tasks'].values()] == [3, 2]


def test_no_place_is_in_two_splits_and_rows_say_their_own(reference):
    out, card = reference
    seen: dict[str, set] = {}
    for split in SPLITS:
        for example in load_examples(out, split=split):
            assert example.metadata['split'] == split
            assert example.metadata['place'] == place_of(example.metadata['scene'])
            seen.setdefault(split, set()).add(example.metadata['scene'])
    assert len(seen) == 3
    assert not (seen['train'] & seen['validation'] or seen['train'] & seen['test']
                or seen['validation'] & seen['test'])
    assert {s: n['places'] for s, n in card['splits'].items()} == {
        split: len(scenes) for split, scenes in seen.items()}


def test_rows_say_task_variant_scene_seed_truth_and_poses(reference):
    out, _ = reference
    for example in load_examples(out, split=None):
        assert example.metadata['truth'] == example.questions[0].answer_choice
        assert example.metadata['seed'] == 1 and example.metadata['backend'] == 'none'
        assert len(example.metadata['poses']) == (2 if example.task == 'pet' else 4)


def test_shards_are_full_but_the_last_and_nothing_else_is_left(reference):
    out, card = reference
    assert set(card['files']) == set(content(out))
    for name, length in card['files'].items():
        stem, number = name.removesuffix('.parquet').rsplit('-', 1)
        last = max(n for n in card['files'] if n.startswith(stem))
        assert length == 4 or (name == last and 1 <= length <= 4), (name, number)
    assert not (out / WORK).exists()


@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 10**6), workers=st.integers(1, 7))
def test_order_and_number_of_workers_change_nothing(
        reference, tmp_path_factory, seed, workers):
    out, card = reference
    other = tmp_path_factory.mktemp('order') / 'set'
    again = built(plan(), other, seed, workers)
    assert content(other) == content(out)
    assert timeless(again) == timeless(card)


class Killed(BaseException):
    """The process ends here."""


def dying(change, left: list[int]):
    """Wrap a function that changes the disk, to end the process after ``left[0]`` more calls."""
    def wrapped(*arguments, **named):
        left[0] -= 1
        if left[0] < 0:
            raise Killed
        return change(*arguments, **named)
    return wrapped


@settings(max_examples=20, deadline=None)
@given(gaps=st.lists(st.integers(0, 40), min_size=1, max_size=3), seed=st.integers(0, 1000))
def test_a_build_killed_at_any_moments_ends_as_if_nothing_had_happened(
        reference, tmp_path_factory, gaps, seed):
    """Before each change on disk, the process may end; whatever is there then is gone on with."""
    out, card = reference
    other = tmp_path_factory.mktemp('killed') / 'set'
    for gap in gaps:
        left = [gap]
        with pytest.MonkeyPatch.context() as patch:
            for owner, name in ((os, 'replace'), (Path, 'unlink'), (Path, 'write_text'),
                                (shutil, 'rmtree')):
                patch.setattr(owner, name, dying(getattr(owner, name), left))
            try:
                built(plan(), other, seed)
            except Killed:
                pass
    again = built(plan(), other, seed)
    assert content(other) == content(out)
    assert timeless(again) == timeless(card)
    assert not (other / WORK).exists()


def test_what_is_finished_is_not_made_again(tmp_path):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(building.Packer, 'finish', lambda self: (_ for _ in ()).throw(Killed))
        with pytest.raises(Killed):
            built(plan(), tmp_path / 'set')
    resumed = plan()
    built(resumed, tmp_path / 'set')
    assert resumed.source.made == []
    complete = plan()
    card = built(complete, tmp_path / 'set')
    assert complete.source.made == [] and card['examples'] == 24


def test_failed_verification_is_counted_by_rule_and_made_up_for(tmp_path):
    card = built(plan(unfair=True), tmp_path / 'set')
    assert card['examples'] == 24 and card['problems'] == []
    assert set(card['failed_verification']) == {'pet: too easy', 'mvc: too easy'}
    assert all(e.metadata['index'] % 4 for e in load_examples(tmp_path / 'set', split=None))
    assert 'pet: too easy' in (tmp_path / 'set' / 'README.md').read_text()


def test_a_task_without_examples_is_given_up_and_the_rest_is_kept(tmp_path):
    card = built(plan(barren=('mvc',)), tmp_path / 'set')
    assert card['tasks']['pet']['examples'] == 12 and card['tasks']['mvc']['examples'] == 0
    (problem,) = card['problems']
    assert problem.startswith('mvc: 0 examples of 12 asked for; too few scenes')
    assert card['turned_down']['mvc: third'] > 100
    assert problem in (tmp_path / 'set' / 'README.md').read_text()


def test_a_source_that_ends_early_is_a_problem_that_is_named(tmp_path):
    card = built(plan(last=1), tmp_path / 'set')
    assert card['examples'] == 14
    assert card['problems'] == [
        'pet: 7 examples of 12 asked for; there was no more to look at',
        'mvc: 7 examples of 12 asked for; there was no more to look at']
    everything = built(plan(None, last=1), tmp_path / 'all')
    assert everything['examples'] == 14 and everything['problems'] == []


def test_another_recipe_in_the_same_folder_is_refused_with_the_difference(reference, tmp_path):
    out, _ = reference
    with pytest.raises(BuildError, match='n: 24 there, 30 asked for'):
        built(plan(30), out)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(building, '_run', lambda *arguments: (_ for _ in ()).throw(Killed))
        with pytest.raises(Killed):
            built(plan(), tmp_path / 'set')
    # Nothing was made yet, so nothing stands in the way of another wish.
    assert built(plan(6), tmp_path / 'set')['examples'] == 6
    shutil.rmtree(tmp_path / 'set')
    (tmp_path / 'notes.txt').write_text('mine')
    with pytest.raises(BuildError, match='holds something else'):
        built(plan(), tmp_path)
    assert os.listdir(tmp_path) == ['notes.txt']


def test_two_builds_in_one_folder_do_not_mix(tmp_path):
    def second(*arguments):
        with pytest.raises(StoreError, match='another process works in'):
            built(plan(), tmp_path / 'set')
        raise Killed

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(building, '_run', second)
        with pytest.raises(Killed):
            built(plan(), tmp_path / 'set')


def test_a_part_that_somebody_deleted_is_named(tmp_path):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(building.Packer, 'finish', lambda self: (_ for _ in ()).throw(Killed))
        with pytest.raises(Killed):
            built(plan(), tmp_path / 'set')
    for part in (tmp_path / 'set' / WORK / 'parts').glob('*.parquet'):
        part.unlink()
    with pytest.raises(StoreError, match='is missing: something was deleted'):
        built(plan(), tmp_path / 'set')


def test_a_full_disk_ends_the_build_and_room_lets_it_go_on(tmp_path):
    replace, left = os.replace, [6]

    def full(*arguments):
        left[0] -= 1
        if left[0] < 0:
            raise OSError(errno.ENOSPC, 'No space left on device')
        replace(*arguments)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, 'replace', full)
        with pytest.raises(OSError, match='No space left'):
            built(plan(), tmp_path / 'set')
    assert built(plan(), tmp_path / 'set')['examples'] == 24


SCRIPT = """
from pathlib import Path
from ipt_training.datasets.build import build, Plan
from ipt_training.datasets.simulated import SimulatedScenes
if __name__ == '__main__':
    source = SimulatedScenes(('pet', 'mvc'), 40, unit=1)
    card = build(Plan(('pet', 'mvc'), 6, source, shard_size=2), Path({out!r}), {workers})
    assert not card['problems'], card['problems']
"""


def start(tmp_path: Path, out: Path, workers: int) -> subprocess.Popen:
    script = tmp_path / 'script.py'
    script.write_text(SCRIPT.format(out=str(out), workers=workers))
    return subprocess.Popen([sys.executable, str(script)], start_new_session=True)


def test_real_scenes_survive_a_kill_of_the_real_process(tmp_path):
    """Two workers, killed without warning, then one worker; against one worker in one go."""
    try:
        make_simulator('mujoco').close()
    except RenderingUnavailableError as error:
        pytest.skip(f'no simulator: {error}')
    assert start(tmp_path, tmp_path / 'whole', 1).wait(timeout=500) == 0
    process = start(tmp_path, tmp_path / 'cut', 2)
    records = tmp_path / 'cut' / WORK / 'records'
    while process.poll() is None and not list(records.glob('*.json')):
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    assert process.wait(timeout=60) == -signal.SIGKILL
    assert not (tmp_path / 'cut' / 'dataset.json').exists()
    assert start(tmp_path, tmp_path / 'cut', 1).wait(timeout=500) == 0
    assert content(tmp_path / 'cut') == content(tmp_path / 'whole')
    tasks = Counter(e.task for e in load_examples(tmp_path / 'whole', split=None))
    assert tasks == {'pet': 3, 'mvc': 3}
    for example in load_examples(tmp_path / 'whole', split=None):
        assert split_of(example.metadata['scene']) == example.metadata['split']
