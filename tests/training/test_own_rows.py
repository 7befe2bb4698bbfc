# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""Rows of ours that somebody edited: read right, or refused with file, row and what is wrong."""

from io import BytesIO
import json
from pathlib import Path

from ipt_ros.spatial import DenseTruth, Example, TASKS
from ipt_training.datasets.command import main as dataset
from ipt_training.datasets.mode_rows import write_mode_rows
from ipt_training.datasets.reading import list_shards
from ipt_training.errors import BadRowError
from ipt_training.evaluation.sources import DataSource
from ipt_training.finetune.rows import Rows
from ipt_training.own_rows import SCHEMA
from ipt_training.store import class_names, load_examples, save_shard, StoreError
import numpy as np
from PIL import Image
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

RED = np.full((8, 10, 3), (200, 40, 10), np.uint8)


def made() -> Example:
    pet = TASKS['pet']
    rng = np.random.default_rng(0)
    truth = DenseTruth(np.ones((8, 10), np.uint8), np.full((8, 10), 1500, np.uint16))
    return Example('pet', 'no_arrow', [RED], RED // 2, 'Look.',
                   [pet.question('distance_change_closer', 'sofa', 'left', rng),
                    pet.question('distance_change_further', 'bed', 'left', rng)],
                   {'scene': 'a', 'classes': ['nothing', 'sofa']}, [truth, truth])


def plain(folder: Path) -> dict:
    path = folder / 'plain' / 'pet' / 'train-00000.parquet'
    save_shard(path, [made()])
    return pq.read_table(path).to_pylist()[0]


def edited(folder: Path, **change) -> Path:
    """Write a good row and an edited one; return the folder of the data set."""
    row = plain(folder)
    path = folder / 'edited' / 'pet' / 'train-00000.parquet'
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist([row, row | change], schema=SCHEMA), path)
    return folder / 'edited'


def metadata(folder: Path, **change) -> dict:
    """Return the change of a row whose metadata have other entries; None leaves one out."""
    told = json.loads(plain(folder)['metadata']) | change
    return {'metadata': json.dumps({k: v for k, v in told.items() if v is not None})}


def question(folder: Path, **change) -> dict:
    """Return the change of a row whose second question is another one."""
    first, second = json.loads(plain(folder)['metadata'])['questions']
    return metadata(folder, questions=[first, second | change])


def png(mode: str) -> bytes:
    buffer = BytesIO()
    Image.fromarray(RED).convert(mode).save(buffer, 'PNG')
    return buffer.getvalue()


@pytest.mark.parametrize('mode', ['RGB', 'RGBA'])
def test_pictures_written_by_other_programs_have_the_same_pixels(tmp_path, mode):
    folder = edited(tmp_path, image_list=[png(mode), png(mode)])
    original, other = load_examples(folder, 'pet')
    assert (other.images[0] == RED).all() and (other.target == RED).all()
    assert (original.images[0] == RED).all() and (original.target == RED // 2).all()


def test_grey_pictures_of_any_depth_get_three_channels(tmp_path):
    deep = BytesIO()
    Image.fromarray(np.full((8, 10), 40_000, np.uint16)).save(deep, 'PNG')
    folder = edited(tmp_path, image_list=[deep.getvalue(), png('1')])
    _, other = load_examples(folder, 'pet')
    assert other.images[0].shape == other.target.shape == (8, 10, 3)
    assert (other.images[0] == 40_000 >> 8).all()


def test_embedded_pictures_of_the_datasets_library_are_read(tmp_path):
    row = plain(tmp_path)
    kind = pa.list_(pa.struct([('bytes', pa.binary()), ('path', pa.string())]))
    schema = SCHEMA.set(0, pa.field('image_list', kind))
    row['image_list'] = [{'bytes': data, 'path': None} for data in row['image_list']]
    path = tmp_path / 'hub' / 'pet' / 'train-00000.parquet'
    path.parent.mkdir(parents=True)
    pq.write_table(pa.Table.from_pylist([row], schema=schema), path)
    (example,) = load_examples(tmp_path / 'hub', 'pet')
    assert (example.images[0] == RED).all()


EDITS = {
    'nine of two': (lambda f: {'num_input_images': 9}, "'num_input_images'.*found 9 with 2"),
    'none of two': (lambda f: {'num_input_images': 0}, "'num_input_images'.*found 0 with 2"),
    'two of two': (lambda f: {'num_input_images': 2}, 'expected 1 text.*found 2'),
    'no number': (lambda f: {'num_input_images': None}, "'num_input_images': expected a whole"),
    'below none': (lambda f: {'num_input_images': -1}, "column 'num_input_images'.*found -1"),
    'one of three': (lambda f: {'image_list': [png('RGB')] * 3}, 'found 1 with 3'),
    'no pictures': (lambda f: {'image_list': []}, "'image_list': expected a list of images"),
    'null pictures': (lambda f: {'image_list': None}, "'image_list': expected a list of images"),
    'null picture': (lambda f: {'image_list': [png('RGB'), None]}, 'expected image bytes'),
    'empty picture': (lambda f: {'image_list': [b'', png('RGB')]}, 'expected image bytes'),
    'cut picture': (lambda f: {'image_list': [png('RGB'), png('RGB')[:50]]}, 'image that decodes'),
    'no texts': (lambda f: {'output_text_list': None}, "'output_text_list': expected a list"),
    'one text': (lambda f: {'output_text_list': ['<answer>A</answer>']}, 'expected 2 text'),
    'three texts': (lambda f: {'instruction_list': ['a', 'b', 'c']}, 'expected 2 text'),
    'another answer': (lambda f: {'output_text_list': [
        plain(f)['output_text_list'][0], '<image_end><answer>Z</answer>']}, 'write the same'),
    'another question': (lambda f: {'instruction_list': ['prompt', 'Who?']}, 'write the same'),
    'null metadata': (lambda f: {'metadata': None}, "'metadata': expected a JSON object"),
    'metadata cut off': (lambda f: {'metadata': '{"task": "pet"'}, 'expected a JSON object'),
    'metadata of a list': (lambda f: {'metadata': '[1]'}, 'expected a JSON object'),
    'metadata of nothing': (lambda f: {'metadata': 'null'}, 'expected a JSON object'),
    'no task': (lambda f: metadata(f, task=None), "expected a text as 'task', found nothing"),
    'empty task': (lambda f: metadata(f, task=''), "expected a text as 'task'"),
    'numbered task': (lambda f: metadata(f, task=3), "expected a text as 'task', found 3"),
    'no variant': (lambda f: metadata(f, variant=None), "expected a text as 'variant'"),
    'no thought': (lambda f: metadata(f, think=None), "expected a text as 'think'"),
    'no scene': (lambda f: metadata(f, scene=None), "as 'scene', found nothing"),
    'no questions': (lambda f: metadata(f, questions=None), "as 'questions', found nothing"),
    'empty questions': (lambda f: metadata(f, questions=[]), "as 'questions'"),
    'question of text': (lambda f: metadata(f, questions=['Who?']), 'question 1: expected an obj'),
    'unknown entry': (lambda f: question(f, colour='red'), 'question 2: expected an object of'),
    'empty question': (lambda f: question(f, text=' '), "question 2: .*'text', not empty"),
    'no such letter': (lambda f: question(f, answer='C'), 'the letter of none of the choices'),
    'word for letter': (lambda f: question(f, answer='AB'), 'the letter of none of the choices'),
    'answer alone': (lambda f: question(f, choices=[]), 'the letter of none of the choices'),
    'choices alike': (lambda f: question(f, choices=['near', ' Near']), 'two choices are'),
    'empty choice': (lambda f: question(f, choices=['near', '']), 'texts as choices, none empty'),
    'numbers to choose': (lambda f: question(f, choices=[1, 2]), 'texts as choices, none empty'),
    'text to choose': (lambda f: question(f, choices='ab'), "expected a list as 'choices'"),
    'null answer': (lambda f: question(f, answer=None), "expected a str as 'answer'"),
}


@pytest.mark.parametrize('name', EDITS)
def test_every_reader_names_file_and_row_of_what_does_not_fit(tmp_path, name, capsys):
    change, said = EDITS[name]
    folder = edited(tmp_path, **change(tmp_path))
    readers = [
        lambda: list(load_examples(folder, 'pet', dense=True)),
        lambda: list_shards(folder)[0].example(1),
        lambda: Rows([str(folder)]).example(1),
        lambda: DataSource(folder, 0, None, 1, split='train').examples('pet', 2),
    ]
    for read in readers:
        with pytest.raises(BadRowError, match=said) as caught:
            read()
        assert "train-00000.parquet', row 1, column " in str(caught.value)
        assert tmp_path.name not in caught.value.reason
    assert dataset(['show', str(folder), '--out', str(tmp_path / 'page.html')]) == 0
    told = capsys.readouterr()
    assert 'row 1, column' in told.err and '1 examples' in told.out


def test_mode_rows_are_not_written_of_what_does_not_fit(tmp_path):
    folder = edited(tmp_path, num_input_images=9)
    with pytest.raises(BadRowError, match='row 1'):
        write_mode_rows(folder, {}, 'label-only')


@pytest.mark.parametrize(('change', 'said'), [
    ({'class_list': []}, 'expected as many pictures as depth_list has, found 0 and 2'),
    ({'depth_list': [png('L')]}, 'expected as many pictures as depth_list has, found 2 and 1'),
    ({'class_list': [png('RGB')] * 2}, 'expected a grey picture of 8 bits'),
    ({'class_list': [None, None]}, 'found none'),
    ({'depth_list': [png('L')] * 2}, 'expected a grey picture of 16 bits'),
])
def test_truth_of_pixels_is_whole(tmp_path, change, said):
    folder = edited(tmp_path, **change)
    with pytest.raises(BadRowError, match=said):
        list(load_examples(folder, 'pet', dense=True))
    assert len(list(load_examples(folder, 'pet'))) == 2  # who does not want it can go on


@pytest.mark.parametrize('classes', [None, 'sofa', [1], ['nothing']])
def test_classes_are_a_list_of_names_that_has_every_one(tmp_path, classes):
    folder = edited(tmp_path, **metadata(tmp_path, classes=classes))
    with pytest.raises(StoreError, match='row 1'):
        list(load_examples(folder, 'pet', dense=True, classes=['nothing', 'sofa']))
    if classes != ['nothing']:
        with pytest.raises(StoreError, match="row 1, .*'classes'"):
            class_names(folder)


def test_texts_that_are_not_utf8_are_refused_by_row(tmp_path):
    folder = edited(tmp_path)
    path = folder / 'pet' / 'train-00000.parquet'
    table = pq.read_table(path)
    texts = pa.array([table['metadata'][0].as_py().encode(), b'{"task": "\xff"}'], pa.binary())
    broken = pa.Array.from_buffers(pa.string(), 2, texts.buffers())
    pq.write_table(table.set_column(6, SCHEMA.field('metadata'), broken), path)
    with pytest.raises(BadRowError, match='row 1: .*UTF-8'):
        list(load_examples(folder, 'pet'))


def test_an_example_without_a_scene_comes_back(tmp_path):
    example = made()
    del example.metadata['scene']
    save_shard(tmp_path / 'pet' / '00000.parquet', [example])
    (loaded,) = load_examples(tmp_path, 'pet')
    assert loaded.metadata['scene'] == ''
