# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""Multiview counting as released: frames in columns of their own, choices in the question."""

import re

from ipt_ros.spatial import Example, Question
from ipt_ros.spatial.tasks.base import lettered_inline
from ipt_training.datasets.published.choices import choices_in, with_choices
from ipt_training.datasets.published.layout import Layout, think_of
from ipt_training.row import Row

_FRAMES = [f'frame_{number}' for number in range(8)]
_CATEGORY = re.compile(r'how many (.+?)(?:\(s\))? are', re.IGNORECASE)
# The older releases call walking along a square 'square'.
_VARIANTS = {'square': 'multi_camera', 'multi_camera': 'multi_camera', 'rotation': 'rotation'}


def _example(row: Row) -> Example:
    text = row.text('question')
    choices = choices_in(text)
    if not choices and row.has('choices'):
        choices = row.texts('choices')
        text = with_choices(text, choices, lettered_inline)
    if not choices:
        raise row.bad('question', "choices such as 'A) 1 B) 2 C) 3 D) 4', since column 'choices' "
                      'is empty', text, 'question: no choices')
    letter = row.letter('answer', choices)
    category = row.cells.get('query_object') or _found(text)
    moved = row.cells.get('movement_type') or ''
    count = choices[ord(letter) - ord('A')]
    metadata = {'category': category} if category else {}
    if count.isdigit():
        metadata['count'] = int(count)
    variant = _VARIANTS.get(moved, moved or 'released')
    return Example(
        task='mvc',
        variant=variant,
        images=[row.image(name) for name in _FRAMES if row.has(name)],
        target=row.image('topdown_map'),
        think=think_of('mvc', row.index),
        questions=[Question(text, choices, letter, variant, metadata)],
        metadata={
            'scene': row.cells.get('scene_name') or '',
            'trajectory_id': row.cells.get('trajectory_id') or '',
        },
    )


def _found(text: str) -> str:
    match = _CATEGORY.search(text)
    return match[1] if match else ''


COUNTING = Layout(
    'mvc', 'multiview counting (mvc-ipt, mvc-eval-ai2thor, ai2thor-counting-large)',
    {'question': 'text', 'answer': 'text', 'topdown_map': 'image',
     **dict.fromkeys(_FRAMES[:3], 'image')},
    _example,
    {**dict.fromkeys(_FRAMES[3:], 'image'), 'choices': 'texts', 'movement_type': 'text',
     'query_object': 'text', 'scene_name': 'text', 'trajectory_id': 'text'})
