# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""Data name files below their own folder, and reach no other file of the machine."""

from collections import Counter
import json
import os
from pathlib import Path
import subprocess
import sys

import cv2
from hypothesis import given, settings
from hypothesis import strategies as st
from ipt_training.datasets.command import main as dataset
from ipt_training.datasets.published import BadRowError, load_published
from ipt_training.datasets.reading import list_shards, sample
from ipt_training.evaluation.errors import EvaluationError
from ipt_training.evaluation.records import RecordFolder
from ipt_training.files_below import file_below, ForeignFileError, MAX_BYTES
from ipt_training.finetune.rows import Rows
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

PICTURES = pa.list_(pa.struct([('bytes', pa.binary()), ('path', pa.string())]))


def picture() -> bytes:
    return cv2.imencode('.png', np.full((12, 16, 3), 7, np.uint8))[1].tobytes()


@pytest.fixture
def data(tmp_path):
    """Return a data set's folder with pictures, and one beside it that is nobody's business."""
    folder = tmp_path / 'data'
    (folder / 'images').mkdir(parents=True)
    for path in (folder / 'images' / 'own.png', folder / 'own.png', tmp_path / 'private.png'):
        path.write_bytes(picture())
    (folder / 'link.png').symlink_to(tmp_path / 'private.png')
    (folder / 'near.png').symlink_to('images/own.png')
    (folder / 'out').symlink_to(tmp_path)
    os.mkfifo(folder / 'pipe')
    (folder / 'huge.png').touch()
    os.truncate(folder / 'huge.png', MAX_BYTES + 1)
    return folder


def foreign(folder: Path) -> list[str]:
    private = folder.parent / 'private.png'
    return [
        str(private), '../private.png', 'images/../../private.png', './../private.png',
        'link.png', 'out/private.png', 'out/data/../private.png', f'file://{private}',
        f'file:{private}', 'https://example.org/private.png', 'C:\\private.png', 'C:/private.png',
        '..\\private.png', '\\\\server\\private.png', '/dev/zero', '/proc/self/environ', 'pipe',
        'images', '.', 'huge.png', 'own.png\0.txt', 'x' * 5000, 'gone.png', '~/x.png']


def rows(folder: Path, *names: str) -> Path:
    file = folder / 'rows.parquet'
    pq.write_table(pa.table({
        'image_list': pa.array([[{'bytes': None, 'path': name}] for name in names], PICTURES),
        'instruction_list': [['Which? A) 1 B) 2']] * len(names),
        'output_text_list': [['<answer>A</answer>']] * len(names),
        'num_input_images': [1] * len(names)}), file)
    return file


@pytest.mark.parametrize('name', ['own.png', 'images/own.png', './own.png', 'near.png',
                                  'images//own.png'])
def test_files_below_the_folder_are_read(data, name):
    assert file_below(data, name).read_bytes() == picture()
    assert len(list(load_published(rows(data, name)))) == 1


def test_names_with_unusual_letters_are_names(data):
    for name in ('Küche 1:20 (a).png', 'file.png', 'a:b.png', '..png', 'x..y.png'):
        (data / name).write_bytes(picture())
        assert file_below(data, name).name == name


def test_every_reader_of_rows_refuses_files_elsewhere(data, capsys):
    names = foreign(data)
    file = rows(data, *names)
    skipped = Counter()
    assert list(load_published(file, skipped=skipped)) == []
    assert sum(skipped.values()) == len(names)
    trained = Rows([str(data)])
    for number in range(len(names)):
        with pytest.raises(BadRowError, match=f'row {number}, ') as caught:
            trained.example(number)
        assert 'rows.parquet' in str(caught.value)
    refused = []
    assert sample(list_shards(data), len(names), refused=refused) == []
    assert len(refused) == len(names)
    page = data.parent / 'page.html'
    assert dataset(['show', str(data), '--out', str(page)]) == 1
    assert not page.exists() and 'left out: ' in capsys.readouterr().err


@settings(max_examples=60, deadline=None)
@given(st.text(alphabet='./\\~:ab\0', max_size=12))
def test_no_name_leaves_the_folder(tmp_path_factory, name):
    folder = tmp_path_factory.getbasetemp() / 'below' / 'a'
    folder.mkdir(parents=True, exist_ok=True)
    (folder / 'b').touch()
    (folder.parent / 'b').touch()
    try:
        assert file_below(folder, name).is_relative_to(folder.resolve())
    except ForeignFileError:
        pass


def test_links_of_a_download_of_the_hub_are_followed(tmp_path):
    blobs = tmp_path / 'datasets--owner--name' / 'blobs'
    folder = tmp_path / 'datasets--owner--name' / 'snapshots' / '0a1b' / 'data'
    blobs.mkdir(parents=True)
    folder.mkdir(parents=True)
    (blobs / 'ff00').write_bytes(picture())
    (folder / '1.png').symlink_to('../../../blobs/ff00')
    (tmp_path / 'private.png').write_bytes(picture())
    (folder / '2.png').symlink_to(tmp_path / 'private.png')
    assert file_below(folder, '1.png').read_bytes() == picture()
    with pytest.raises(ForeignFileError, match='link'):
        file_below(folder, '2.png')


def test_a_device_or_pipe_is_refused_without_waiting_for_it(data):
    rows(data, 'pipe')
    done = subprocess.run(
        [sys.executable, '-c', 'import sys\nfrom ipt_training.files_below import *\n'
         f'file_below(__import__("pathlib").Path({str(data)!r}), "pipe")'],
        capture_output=True, text=True, timeout=60)
    assert 'not a regular file' in done.stderr


def test_results_of_an_evaluation_name_no_files_elsewhere(data):
    (data / 'run.json').write_text(json.dumps({'records': '../elsewhere'}))
    with pytest.raises(EvaluationError, match='no folder beside it'):
        RecordFolder.of(data)
    folder = RecordFolder(data)
    assert folder.load_pictures({'pictures': {'imagined': 'own.png'}})['imagined'].shape[2] == 3
    for name in foreign(data):
        with pytest.raises(EvaluationError, match='cannot read the picture'):
            folder.load_pictures({'pictures': {'imagined': name}})
