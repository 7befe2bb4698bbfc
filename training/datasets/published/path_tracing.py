# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""
Path tracing as released for evaluation: a map, two views along the path in some variants.

The name of the variant is a folder's or file's name, or the end of ``question_id``. Choices are
added to the question, and its references to images take the form in which the published evaluation
puts them to a model.
"""

import re

from ipt_ros.spatial import Example, Question, TASKS
from ipt_ros.spatial.tasks.path_tracing import side_in
from ipt_training.datasets.published.choices import with_choices
from ipt_training.datasets.published.layout import Layout
from ipt_training.row import Row
import numpy as np

VARIANTS = (
    'td_ego_dir_arrow', 'td_ego_side_arrow', 'td_path_arrow', 'td_ego_dir', 'td_ego_side',
    'td_midpoint', 'dh_midpoint', 'td_path')
_WAYPOINT = re.compile(r'waypoint|\bM\d\b', re.IGNORECASE)
_IMAGE_TAG = re.compile(r'\s*<image_\d+>')


def _example(row: Row) -> Example:
    views = row.images('ego_images') if row.has('ego_images') else []
    return _built(row, [row.image('topdown_image'), *views], 'ego_dir' if views else 'path')


def _real_example(row: Row) -> Example:
    return _built(row, [row.image('image')], 'path')


def _built(row: Row, images: list, kind: str) -> Example:
    choices = row.texts('choices')
    variant = _variant(row) or f'td_{kind}'
    text = row.text('question')
    if not _WAYPOINT.search(text):
        # Other data of images, questions and choices have such columns, too.
        raise row.bad('question', 'a question about a waypoint', text,
                      'question: not about a waypoint')
    described = row.cells.get('sideview_desc') or TASKS['pt'].think(
        np.random.default_rng(row.index), side_in(text))
    question = Question(
        text=with_choices(text, choices, TASKS['pt'].format_question),
        choices=choices,
        answer=row.letter('answer', choices),
        subtask=variant,
    )
    return Example(
        task='pt',
        variant=variant,
        images=images,
        target=row.image('sideview_image') if row.has('sideview_image') else None,
        think=_IMAGE_TAG.sub('', described),
        questions=[question],
        metadata={
            'scene': row.cells.get('scene_id') or _scene(row),
            'question_id': row.cells.get('question_id') or '',
        },
    )


def _variant(row: Row) -> str:
    """Return the longest variant that the question's name or the file's path holds, or ''."""
    places = (row.cells.get('question_id') or '', row.path.stem, row.path.parent.name)
    for place in places:
        for variant in VARIANTS:
            # 'td_reverse_left_t2_ego_dir' is the td_ego_dir question about the way back.
            head, _, rest = variant.partition('_')
            if variant in place or (place.endswith(rest) and f'_{head}_' in place):
                return variant
    return ''


def _scene(row: Row) -> str:
    found = re.search(r'FloorPlan\d+|ProcTHOR\w*?_\d+', row.cells.get('question_id') or '')
    return found[0] if found else ''


PATH_TRACING = Layout(
    'pt', 'path tracing (pt-eval-ai2thor)',
    {'question': 'text', 'answer': 'text', 'choices': 'texts', 'topdown_image': 'image'},
    _example,
    {'ego_images': 'list of images', 'sideview_image': 'image', 'sideview_desc': 'text',
     'question_id': 'text', 'scene_id': 'text'})
PATH_TRACING_REAL = Layout(
    'pt_real', 'path tracing in real rooms (real_indoor_path_tracing)',
    {'question': 'text', 'answer': 'text', 'choices': 'texts', 'image': 'image'},
    _real_example, {'question_id': 'text'})
