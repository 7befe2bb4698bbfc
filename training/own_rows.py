# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""
Rows in our own layout: from an example to a row, and back with every cell checked.

People edit data sets and write such rows with other programs. What does not fit together is
refused, since it would be trained on as it is: a picture too few, a list that is shorter than its
number says, columns that say something else than ``metadata``.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
import json
from typing import Any

import cv2
from ipt_ros.spatial import DenseTruth, Example, LETTERS, Question
from ipt_ros.spatial.prompts import (
    after_image_text,
    answer_text,
    before_image_text,
    THINK_PROMPT,
)
from ipt_training.decoding import decode_plane, PictureError
from ipt_training.errors import StoreError
from ipt_training.row import Row
import numpy as np
import pyarrow as pa

SCHEMA = pa.schema([
    ('image_list', pa.list_(pa.binary())),
    ('instruction_list', pa.list_(pa.string())),
    ('output_text_list', pa.list_(pa.string())),
    ('num_input_images', pa.int64()),
    ('class_list', pa.list_(pa.binary())),
    ('depth_list', pa.list_(pa.binary())),
    ('metadata', pa.string()),
])
DENSE = ('class_list', 'depth_list')
# All of a row but the truth of each pixel, which few readers want.
COLUMNS = [name for name in SCHEMA.names if name not in DENSE]
_TEXTS = ('task', 'variant', 'think')
_MISSING = object()


def row_of(example: Example) -> dict[str, Any]:
    """Return the row of an example."""
    first = example.questions[0]
    answer = _answer_of(first)
    if example.target is None:
        pictures, texts = example.images, [answer_text(answer)]
    else:
        pictures = [*example.images, example.target]
        texts = [before_image_text(example.think), after_image_text(answer)]
    return {
        'image_list': [_to_png(image) for image in pictures],
        'instruction_list': [THINK_PROMPT, first.text],
        'output_text_list': texts,
        'num_input_images': len(example.images),
        'class_list': [_to_png(truth.classes) for truth in example.dense],
        'depth_list': [_to_png(truth.depth_mm) for truth in example.dense],
        'metadata': json.dumps({
            **({} if 'scene' in example.metadata else {'scene': ''}),
            **example.metadata,
            'task': example.task,
            'variant': example.variant,
            'think': example.think,
            'questions': [asdict(question) for question in example.questions],
        }),
    }


def example_of(row: Row, classes: Sequence[str] | None = None, pictures: bool = True) -> Example:
    """
    Return the example of a row.

    With ``classes`` the class ids of the per-pixel truth become indices into these. Without
    ``pictures`` none is decoded, and the example has empty lists and no target.
    Raise BadRowError where a cell is not what it should be, or contradicts another one.
    """
    metadata = metadata_of(row)
    questions = _questions(row, metadata.pop('questions'))
    inputs, imagines = _counts(row)
    _check_first(row, questions[0], imagines)
    images = row.images('image_list') if pictures else []
    dense = _dense(row) if pictures else []
    if dense and classes is not None:
        dense = _renumbered(row, dense, classes_of(row, metadata), classes)
        metadata['classes'] = list(classes)
    return Example(
        task=metadata.pop('task'),
        variant=metadata.pop('variant'),
        images=images[:inputs],
        target=images[inputs] if pictures and imagines else None,
        think=metadata.pop('think'),
        questions=questions,
        metadata=metadata,
        dense=dense,
    )


def metadata_of(row: Row) -> dict[str, Any]:
    """Return what a row says of itself, as far as every row has it. Raise BadRowError."""
    cell = row.cells.get('metadata')
    try:
        metadata = json.loads(cell)
    except (TypeError, ValueError, RecursionError):
        metadata = None
    if not isinstance(metadata, dict):
        raise row.bad('metadata', 'a JSON object', cell)
    for name in _TEXTS:
        if not isinstance(metadata.get(name, _MISSING), str) or (
                name == 'task' and not metadata[name]):
            raise _bad_entry(row, metadata, name, 'a text')
    if metadata.get('scene', _MISSING) is _MISSING:
        raise _bad_entry(row, metadata, 'scene', 'the name or number of a scene')
    if not isinstance(metadata.get('questions'), list) or not metadata['questions']:
        raise _bad_entry(row, metadata, 'questions', 'a list of questions')
    return metadata


def classes_of(row: Row, metadata: Mapping[str, Any]) -> list[str]:
    """Return the names of the classes in a row's per-pixel truth. Raise BadRowError."""
    names = metadata.get('classes', _MISSING)
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise _bad_entry(row, metadata, 'classes', 'a list of names')
    return names


def _bad_entry(row: Row, metadata: Mapping[str, Any], name: str, expected: str):
    found = f'{metadata[name]!r:.60}' if name in metadata else 'nothing'
    return row.refused('metadata', f"expected {expected} as '{name}', found {found}",
                       f"metadata: no '{name}'")


def _answer_of(question: Question) -> str:
    return question.answer or question.metadata.get('truth', '')


def _questions(row: Row, found: list) -> list[Question]:
    """Return checked questions."""
    names = {item.name for item in fields(Question)}
    kinds = {'text': str, 'choices': list, 'answer': str, 'subtask': str, 'metadata': dict}
    questions = []
    for number, values in enumerate(found, 1):
        def bad(what: str, number: int = number):
            return row.refused('metadata', f'question {number}: {what}', f'metadata: {what}')

        if not isinstance(values, dict) or not {'text'} <= set(values) <= names:
            raise bad(f'expected an object of {", ".join(kinds)}')
        for name, value in values.items():
            if not isinstance(value, kinds[name]) or (name == 'text' and not value.strip()):
                raise bad(f"expected a {kinds[name].__name__} as '{name}'"
                          + (', not empty' if name == 'text' else ''))
        question = Question(**values)
        choices = question.choices
        if not all(isinstance(choice, str) and choice.strip() for choice in choices):
            raise bad('expected texts as choices, none empty')
        if len(choices) > len(LETTERS):
            raise bad(f'expected at most {len(LETTERS)} choices')
        if len({choice.strip().casefold() for choice in choices}) < len(choices):
            raise bad('two choices are the same')
        if question.answer and (question.answer not in LETTERS[:len(choices)]
                                or len(question.answer) != 1):
            raise bad('the answer is the letter of none of the choices')
        if not isinstance(question.metadata.get('truth', ''), str | int | float):
            raise bad("expected a text as 'truth'")
        questions.append(question)
    return questions


def _counts(row: Row) -> tuple[int, bool]:
    """Return how many pictures are inputs, and whether one more is to be imagined."""
    pictures = row.cells.get('image_list')
    if not isinstance(pictures, list) or not pictures:
        raise row.bad('image_list', 'a list of images', pictures)
    if not all(pictures):
        raise row.bad('image_list', 'image bytes', None, 'image_list: no image')
    inputs = row.whole('num_input_images')
    if inputs < 1 or not 0 <= len(pictures) - inputs <= 1:
        raise row.refused(
            'num_input_images',
            'expected as many as image_list has, which are all inputs, or one less, where the '
            f'last one is to be imagined; found {inputs} with {len(pictures)} image(s)',
            'num_input_images: does not fit image_list')
    return inputs, len(pictures) > inputs


def _check_first(row: Row, question: Question, imagines: bool) -> None:
    """Raise BadRowError where the published columns do not say what the first question does."""
    outputs = 2 if imagines else 1
    for name, number in (('instruction_list', 2), ('output_text_list', outputs)):
        if len(row.texts(name)) != number:
            raise row.refused(
                name, f'expected {number} text(s) in a row with {int(imagines)} image(s) to '
                f'imagine, found {len(row.texts(name))}', f'{name}: wrong number of texts')
    asked = row.texts('instruction_list')[1].strip()
    told = row.texts('output_text_list')[-1].strip()
    answer = answer_text(_answer_of(question))
    for name, found, expected in (('instruction_list', asked, question.text.strip()),
                                  ('output_text_list', told[-len(answer):], answer)):
        if found != expected:
            raise row.refused(
                name, f"expected what the first question in 'metadata' says, "
                f'{expected!r:.80}, found {found!r:.80}; write the same into both',
                f'{name}: not what metadata says')


def _dense(row: Row) -> list[DenseTruth]:
    """Return the per-pixel truth, or none."""
    lists = [row.cells.get(name) or [] for name in DENSE]
    if len(lists[0]) != len(lists[1]):
        raise row.refused(
            'class_list', f'expected as many pictures as depth_list has, found {len(lists[0])} '
            f'and {len(lists[1])}', 'class_list: not as many as depth_list')
    found = []
    for number, pair in enumerate(zip(*lists, strict=True), 1):
        planes = []
        for name, data, kind in zip(DENSE, pair, (np.uint8, np.uint16), strict=True):
            try:
                planes.append(decode_plane(data, kind))
            except PictureError as error:
                raise row.refused(name, f'picture {number}: {error}',
                                  f'{name}: a picture does not decode') from error
        found.append(DenseTruth(*planes))
    return found


def _renumbered(row: Row, dense: Sequence[DenseTruth], names: Sequence[str],
                classes: Sequence[str]) -> list[DenseTruth]:
    """Return per-pixel truth with ids of a common list of classes in place of the row's own."""
    if len(classes) > 256:
        raise StoreError(
            f'the data set names {len(classes)} classes of things; the truth of a pixel can tell '
            '256 apart: use fewer scenes at a time')
    places = {name: number for number, name in enumerate(classes)}
    highest = max(int(truth.classes.max()) for truth in dense)
    if highest >= len(names) or not set(names) <= set(places):
        raise row.refused('class_list', f'expected ids of the {len(names)} classes in metadata, '
                          f'found {highest}', 'class_list: an unknown class')
    table = np.array([places[name] for name in names], np.uint8)
    return [DenseTruth(table[truth.classes], truth.depth_mm) for truth in dense]


def _to_png(image: np.ndarray) -> bytes:
    """Encode RGB uint8, grey uint8 or grey uint16."""
    if image.ndim == 3:
        image = image[..., ::-1]
    image = np.ascontiguousarray(image)
    done, data = cv2.imencode('.png', image, [cv2.IMWRITE_PNG_COMPRESSION, 3])
    if not done:
        raise StoreError(f'cannot encode an image of {image.dtype} {image.shape} as PNG')
    return data.tobytes()
