# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""The registry of tasks."""

import re

from ipt_ros.spatial.errors import UnknownTaskError
from ipt_ros.spatial.tasks.base import Task
from ipt_ros.spatial.tasks.counting import MultiviewCounting
from ipt_ros.spatial.tasks.free import FreeQuestion
from ipt_ros.spatial.tasks.path_tracing import PathTracing
from ipt_ros.spatial.tasks.perspective import PerspectiveTaking

TASKS: dict[str, Task] = {
    task.name: task
    for task in (PerspectiveTaking(), PathTracing(), MultiviewCounting(), FreeQuestion())
}


def get_task(name: str) -> Task:
    """Return the task of that name; raise UnknownTaskError with the known names."""
    try:
        return TASKS[name]
    except KeyError:
        known = ', '.join(TASKS)
        raise UnknownTaskError(f"unknown task '{name}'; expected one of: {known}") from None


def guess_task(text: str, image_count: int) -> Task:
    """
    Return the task that a question in plain words most likely belongs to.

    A question that names an X or a marked place is perspective taking, one that names M1 or a
    numbered waypoint is path tracing, 'how many' about several images is counting, everything
    else is a free question.
    """
    if re.search(r"['\"`]X['\"]|\b[Tt]o (?:the )?X\b", text):
        return TASKS['pet']
    if re.search(r'\bM1\b|\bwaypoint [12]\b', text):
        return TASKS['pt']
    if re.search(r'\bhow many\b', text, re.IGNORECASE) and image_count == 4:
        return TASKS['mvc']
    return TASKS['free']


__all__ = [
    'TASKS',
    'FreeQuestion',
    'MultiviewCounting',
    'PathTracing',
    'PerspectiveTaking',
    'Task',
    'get_task',
    'guess_task',
]
