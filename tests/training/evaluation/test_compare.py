# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""Two results folders, written by hand, side by side."""

import json

from ipt_training.evaluation import compare
from ipt_training.evaluation.records import RecordFolder
import pytest


@pytest.fixture
def results(tmp_path):
    """Return what writes a results folder: rows are (task, mode, id, letter, truth)."""
    def write(name, rows):
        folder = RecordFolder.opened(tmp_path / name, {'fingerprint': name})
        for task, mode, identity, letter, truth in rows:
            folder.add(task, mode, {'id': identity, 'letter': letter, 'truth': truth,
                                    'scores': {}, 'objects': {}})
        return tmp_path / name

    return write


@pytest.fixture
def folders(results):
    """Return two folders: PET can be compared, MVC has no answers, PT no shared question."""
    def rows(letter, other):
        return [('mvc', 'imagine', 'm', '', ''), ('pet', 'answer', 'x', letter, 'A'),
                ('pet', 'answer', 'y', 'A', 'A'), ('pt', 'answer', other, 'A', 'A')]

    return results('a', rows('B', 'p')), results('b', rows('A', 'q'))


def test_what_cannot_be_compared_is_left_out_and_named(folders, tmp_path, capsys):
    code = compare.main([*map(str, folders), '--out', str(tmp_path / 'out')])
    assert code == 0
    written = json.loads((tmp_path / 'out' / 'compare.json').read_text())
    assert set(written['tasks']) == {'pet'}
    row = written['tasks']['pet']['answer']
    assert (row['n'], row['first'], row['second']) == (2, 0.5, 1)
    # Holm counts the rows that there are: here one.
    assert row['p_holm'] == row['p']
    assert set(written['left_out']) == {'mvc imagine', 'pt answer'}
    lines = [line for line in capsys.readouterr().out.splitlines() if 'left out' in line]
    assert lines == [f'left out: {name}: {reason}'
                     for name, reason in written['left_out'].items()]
    assert 'known answer' in lines[0] and 'share no question' in lines[1]


def test_where_nothing_is_left_every_reason_is_given(results, tmp_path, capsys):
    first, second = (
        results(name, [('mvc', 'imagine', 'm', '', ''), ('pt', 'answer', name, 'A', 'A')])
        for name in ('a', 'b'))
    with pytest.raises(SystemExit) as stop:
        compare.main([str(first), str(second), '--out', str(tmp_path / 'out')])
    assert stop.value.code == 1
    said = capsys.readouterr().err
    assert 'left out: mvc imagine: no question' in said
    assert 'left out: pt answer: ' in said
    assert not (tmp_path / 'out').exists()


def test_damaged_records_are_not_passed_over(folders):
    path = RecordFolder.of(folders[0]).path / 'mvc.imagine.jsonl'
    path.write_text('3\n')
    with pytest.raises(compare.EvaluationError, match='is no record'):
        compare.compare_folders(*folders)


def test_a_folder_of_ipt_train_is_taken_for_a_checkpoint_and_refused(tmp_path, capsys):
    work = tmp_path / 'runs'
    work.mkdir()
    (work / 'run.json').write_text('{"recipe": {}}')
    with pytest.raises(SystemExit) as stop:
        compare.main([str(work), str(work), '--tasks', 'mvc', '--modes', 'answer', '--n', '1',
                      '--out', str(tmp_path / 'out')])
    assert stop.value.code == 1
    said = capsys.readouterr().err
    assert str(work) in said and 'a checkpoint folder needs it' in said
