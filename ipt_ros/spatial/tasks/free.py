# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""Any question about any images: the text goes to the model as it is."""

from collections.abc import Sequence

from ipt_ros.spatial.examples import Question
from ipt_ros.spatial.tasks.base import lettered_lines, Task


class FreeQuestion(Task):
    """A question in the user's own words; choices, if any, follow as lettered lines."""

    name = 'free'
    imagination = ''
    image_count = (1, 8)
    variants = ('free',)
    subtasks = ()
    think_sentences = ('Let me imagine the scene to answer the question.',)

    def format_question(self, text: str, choices: Sequence[str]) -> str:
        """Return the text as it is, then the choices."""
        return lettered_lines(text, choices)

    def imagination_question(self, **options: str) -> Question:
        """Return a request that leaves open what to imagine."""
        return self.ask('What does this place look like from another viewpoint?')
