# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""
Perspective taking as released: twelve columns, the same for training and evaluation.

The release shuffles the two choices but does not write them into the question; they are added
here, as in the research code that the weights come from. Files are split by sub-task; the sub-task
is read off the file's name.
"""

import re

from ipt_ros.spatial import Example, Question
from ipt_training.datasets.published.choices import with_choices
from ipt_training.datasets.published.layout import Layout, think_of
from ipt_training.row import Row

# distance_change_closer, relative_position_left_right; Habitat says distance_closer,
# position_left_right.
_DISTANCE = re.compile(r'distance(?:_change)?_(closer|further)')
_SIDE = re.compile(r'(?:relative_)?position_(left|right)_(left|right)')


def _no_arrow(row: Row) -> Example:
    return _example(row, 'no_arrow')


def _with_arrow(row: Row) -> Example:
    return _example(row, 'with_arrow')


def _example(row: Row, variant: str) -> Example:
    choices = row.texts('answer_choices')
    question = Question(
        text=with_choices(row.text(f'question_{variant}'), choices),
        choices=choices,
        answer=row.letter('answer', choices),
        subtask=subtask_of(row),
    )
    return Example(
        task='pet',
        variant=variant,
        images=[row.image(f'marked_image_{variant}')],
        target=row.image('new_perspective'),
        think=think_of('pet', row.index),
        questions=[question],
        metadata={
            'scene': row.text('scene_name'),
            'trajectory_id': row.cells.get('trajectory_id') or '',
        },
    )


def subtask_of(row: Row) -> str:
    """Return the sub-task by our name, or the question type where the file does not tell."""
    distance = _DISTANCE.search(row.path.stem)
    if distance:
        return f'distance_change_{distance[1]}'
    side = _SIDE.search(row.path.stem)
    if side:
        return f'relative_position_{side[1]}_{side[2]}'
    return row.cells.get('question_type') or ''


_COLUMNS = {
    'answer': 'text', 'answer_choices': 'texts', 'new_perspective': 'image', 'scene_name': 'text'}
_OPTIONAL = {'question_type': 'text', 'trajectory_id': 'text'}

PERSPECTIVE = Layout(
    'pet', 'perspective taking, X alone (pet-ipt, pet-eval-ai2thor)',
    {'question_no_arrow': 'text', 'marked_image_no_arrow': 'image', **_COLUMNS},
    _no_arrow, _OPTIONAL)
PERSPECTIVE_ARROW = Layout(
    'pet_with_arrow', 'perspective taking, X and arrow (pet-ipt, pet-eval-ai2thor)',
    {'question_with_arrow': 'text', 'marked_image_with_arrow': 'image', **_COLUMNS},
    _with_arrow, _OPTIONAL)
