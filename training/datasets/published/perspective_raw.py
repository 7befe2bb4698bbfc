# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""Perspective taking as first released (ai2thor-perspective-qa-*): one marked image, choices."""

from ipt_ros.spatial import Example, Question
from ipt_training.datasets.published.choices import with_choices
from ipt_training.datasets.published.layout import Layout, think_of
from ipt_training.datasets.published.perspective import subtask_of
from ipt_training.row import Row


def _example(row: Row) -> Example:
    choices = row.texts('choices' if row.has('choices') else 'answer_choices')
    question = Question(
        text=with_choices(row.text('question'), choices),
        choices=choices,
        answer=row.letter('answer', choices),
        subtask=subtask_of(row),
    )
    return Example(
        task='pet',
        variant='with_arrow' if 'arrow' in question.text.lower() else 'no_arrow',
        images=[row.image('marked_image')],
        target=row.image('new_perspective'),
        think=think_of('pet', row.index),
        questions=[question],
        metadata={
            'scene': row.cells.get('scene_name') or '',
            'trajectory_id': row.cells.get('trajectory_id') or '',
        },
    )


PERSPECTIVE_RAW = Layout(
    'pet_raw', 'perspective taking, first releases (ai2thor-perspective-qa-*)',
    {'question': 'text', 'answer': 'text', 'marked_image': 'image', 'new_perspective': 'image'},
    _example,
    {'choices': 'texts', 'answer_choices': 'texts', 'scene_name': 'text', 'trajectory_id': 'text',
     'question_type': 'text'})
