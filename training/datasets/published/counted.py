# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""Counting rows whose truth is a number: choices are made, as the published evaluation does."""

import re

from ipt_ros.spatial import Example, LETTERS, Question
from ipt_training.datasets.published.choices import number_choices, with_choices
from ipt_training.datasets.published.layout import think_of
from ipt_training.row import Row

COLUMNS = {'images': 'list of images', 'question': 'text'}
OPTIONAL = {'reasoning_image_0': 'image'}
_CATEGORY = re.compile(r'(?:how many|number of) (.+?)(?:\(s\))? (?:are )?in ', re.IGNORECASE)


def counted_example(row: Row, variant: str, highest: int | None = None) -> Example:
    """Return the example of a row with a number in ``gt_answer``."""
    count = row.whole('gt_answer')
    if count < 0:
        raise row.bad('gt_answer', 'a count of 0 or more', count)
    choices = number_choices(count, row.index, highest)
    text = row.text('question')
    found = _CATEGORY.search(text)
    question = Question(
        text=with_choices(text, choices),
        choices=choices,
        answer=LETTERS[choices.index(str(count))],
        subtask=variant,
        metadata={'count': count} | ({'category': found[1]} if found else {}),
    )
    return Example(
        task='mvc',
        variant=variant,
        images=row.images('images'),
        target=row.image('reasoning_image_0') if row.has('reasoning_image_0') else None,
        think=think_of('mvc', row.index),
        questions=[question],
        metadata={'scene': ''},
    )
