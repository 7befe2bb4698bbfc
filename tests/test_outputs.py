# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""Commands write what they make, or say in a sentence and at the start that they cannot."""

import errno
import os
from pathlib import Path
import re
import resource
import subprocess
import sys

from hypothesis import given, settings
from hypothesis import strategies as st
from ipt_ros.cli import main
from ipt_ros.outputs import (
    check_file,
    check_folder,
    file_names,
    in_words,
    OutputError,
    writable_folder,
)
from ipt_training.recipe import RECIPES
import pytest
import yaml


@pytest.fixture
def places(tmp_path):
    """Return folders that cannot be: below a file, of the kernel, with a name that is too long."""
    (tmp_path / 'file').write_text('here before')
    return [tmp_path / 'file', tmp_path / 'file' / 'below', Path('/proc/no'), Path('/dev/null/x'),
            tmp_path / ('x' * 300), Path('/dev/full'), tmp_path / 'nul\0']


def test_a_folder_is_made_and_left_empty(tmp_path):
    assert writable_folder(tmp_path / 'a' / 'b') == tmp_path / 'a' / 'b'
    assert writable_folder(tmp_path / 'a' / 'b').is_dir()
    assert list((tmp_path / 'a' / 'b').iterdir()) == []


def test_looking_leaves_nothing_behind(tmp_path):
    (tmp_path / 'there').mkdir()
    check_folder(tmp_path / 'c' / 'd')
    check_folder(tmp_path / 'there')
    check_file(tmp_path / 'c' / 'page.html')
    check_file(tmp_path / 'there' / 'page.html')
    assert [path.name for path in tmp_path.rglob('*')] == ['there']


def test_what_cannot_be_written_is_said_with_what_to_do(places, tmp_path):
    for place in places:
        with pytest.raises(OutputError, match='cannot write to .*give another place'):
            writable_folder(place)
        with pytest.raises(OutputError, match='cannot write to .*give another place'):
            check_file(place / 'page.html')
    with pytest.raises(OutputError, match='it is a folder'):
        check_file(tmp_path)
    assert (tmp_path / 'file').read_text() == 'here before'


@pytest.mark.skipif(os.geteuid() == 0, reason='root may write everywhere')
def test_a_folder_without_the_right_to_write_is_refused(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(OutputError, match='Permission denied'):
        writable_folder(tmp_path)


def test_errors_of_the_system_become_sentences():
    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), '/x/y')
    assert in_words(full) == ("cannot write '/x/y': No space left on device; make room, then give "
                              'the same command again to go on')
    assert in_words(OSError(errno.EROFS, 'Read-only file system', '/x')) == (
        "'/x': Read-only file system")
    assert in_words(OSError('of a library')) == 'of a library'


COMMANDS = [
    ['evaluate', '--checkpoint', 'nowhere', '--out'],
    ['compare', 'nowhere', 'nowhere', '--out'],
    ['bench', '--out'],
    ['dataset', 'build', '--n', '9', '--workers', '1', '--out'],
    ['dataset', 'show', 'nowhere', '--out'],
    ['report', 'nowhere', '--out'],
    ['scene', 'export', '--seed', '1', '--out'],
    ['collect', '--scenes', '1', '--seconds', '1', '--out'],
    ['experiment', '--page'],
    ['experiment', '--report', '--work-dir', 'nowhere', '--page'],
]


@pytest.mark.parametrize('command', COMMANDS, ids=lambda words: ' '.join(words[:2]))
@pytest.mark.parametrize('place', ['/proc/no/x', 'file/x'])
def test_every_command_says_at_the_start_what_it_cannot_write(
        tmp_path, monkeypatch, capsys, command, place):
    monkeypatch.chdir(tmp_path)
    Path('file').write_text('here before')
    try:
        code = main([*command, place])
    except SystemExit as end:
        code = end.code
    said = capsys.readouterr()
    wrong = 2 if command[0] == 'collect' else 1  # which takes it for an option that cannot be
    assert code == wrong and place.split('/')[0 if place[0] != '/' else 1] in said.err
    assert len(said.err.strip().splitlines()) == 1 and 'Traceback' not in said.err
    assert re.search('cannot (write|be written)|[Nn]o such file|[Nn]ot a directory', said.err)


def test_training_says_before_it_loads_that_its_checkpoint_cannot_be_written(tmp_path, capsys):
    values = yaml.safe_load((RECIPES / 'finetune_nano.yaml').read_text(encoding='utf-8'))
    recipe = tmp_path / 'recipe.yaml'
    for changes in ({'checkpoint': '/proc/no/checkpoint', 'work_dir': str(tmp_path / 'work')},
                    {'checkpoint': str(tmp_path / 'end'), 'work_dir': '/proc/no/work'}):
        recipe.write_text(yaml.safe_dump(values | changes | {'start': 'nowhere'}))
        assert main(['train', '--recipe', str(recipe), '--device', 'cpu']) == 1
        assert '/proc/no' in (said := capsys.readouterr().err) and 'nowhere' not in said


def test_a_disk_that_fills_up_ends_in_a_sentence(tmp_path):
    def little_room():
        resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))

    done = subprocess.run(
        [sys.executable, '-m', 'ipt_ros.cli', 'scene', 'export', '--seed', '1', '--out',
         str(tmp_path / 'rooms')], capture_output=True, text=True, preexec_fn=little_room)
    assert done.returncode == 1
    assert 'Traceback' not in done.stderr and 'File too large' in done.stderr


@pytest.mark.parametrize(('names', 'files'), [
    (['front', 'left', 'imagined_1_bev'], ['front', 'left', 'imagined_1_bev']),
    (['sub/front', '/abs/name', '../../x', '..', '.', ''],
     ['sub_front', '_abs_name', '_.._x', 'unnamed', 'unnamed-2', 'unnamed-3']),
    (['a\0b', 'a\nb', 'a\x1b[2Jb', '\u202eevil', 'C:\\x'],
     ['a_b', 'a_b-2', 'a__2Jb', '_evil', 'C__x']),
    (['Front', 'front', 'front-2', 'FRONT'], ['Front', 'front-2', 'front-2-2', 'FRONT-3']),
    (['.hidden', '-rf', ' x ', 'küche', '台所'], ['hidden', '_rf', 'x', 'küche', '台所']),
])
def test_names_of_files_are_made_of_any_names(names, files):
    assert file_names(names) == files


@settings(max_examples=150, deadline=None)
@given(st.lists(st.text(max_size=300) | st.text('./\\\0-a台', max_size=130), max_size=6))
def test_whatever_names_there_are_files_lie_in_the_folder_each_its_own(
        tmp_path_factory, names):
    folder = tmp_path_factory.mktemp('names')
    files = file_names(names)
    for number, name in enumerate(files):
        (folder / f'{name}.png').write_text(str(number))
    assert sorted(path.name for path in folder.iterdir()) == sorted(f'{n}.png' for n in files)
    assert len({name.casefold() for name in files}) == len(names)
