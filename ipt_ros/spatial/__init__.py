# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""
Spatial tasks: questions, marks on images, targets, answers and how sure they are.

Numpy and OpenCV only: no ROS, no simulator, no model.
"""

from ipt_ros.spatial.answers import (
    answers_like,
    choice_probabilities,
    choose,
    extract_answer,
    Extraction,
)
from ipt_ros.spatial.examples import DenseTruth, Example, LETTERS, Question
from ipt_ros.spatial.marks import draw_arrow, draw_cross
from ipt_ros.spatial.path_marks import draw_path, label_path
from ipt_ros.spatial.paths import FloorPath, locate_path, mark_path, PathPixels
from ipt_ros.spatial.projection import facing_arrow, locate_target, MarkedTarget, quarter_turn
from ipt_ros.spatial.tasks import get_task, guess_task, Task, TASKS

__all__ = [
    'LETTERS',
    'TASKS',
    'DenseTruth',
    'Example',
    'Extraction',
    'FloorPath',
    'MarkedTarget',
    'PathPixels',
    'Question',
    'Task',
    'answers_like',
    'choice_probabilities',
    'choose',
    'draw_arrow',
    'draw_cross',
    'draw_path',
    'extract_answer',
    'facing_arrow',
    'get_task',
    'guess_task',
    'label_path',
    'locate_path',
    'locate_target',
    'mark_path',
    'quarter_turn',
]
