# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""
Real camera motion (VST): an image, a request to imagine, the image after the motion.

There is nothing to choose. The answer that the published models are trained on is a sentence; it
is the question's ``truth``.
"""

from ipt_ros.spatial import Example, Question
from ipt_training.datasets.published.layout import Layout
from ipt_training.row import Row

THINK = 'Let me visualize the new perspective.'
ANSWER = "I've generated the scene from the new perspective."


def _example(row: Row) -> Example:
    return Example(
        task='pet',
        variant='camera_motion',
        images=[row.image('image_0')],
        target=row.image('image_1'),
        think=THINK,
        questions=[Question(
            row.text('question'), subtask='camera_motion', metadata={'truth': ANSWER})],
        metadata={'scene': ''},
    )


CAMERA_MOTION = Layout(
    'vst', 'real camera motion (real_perspective_taking, from VST)',
    {'image_0': 'image', 'image_1': 'image', 'question': 'text'}, _example)
