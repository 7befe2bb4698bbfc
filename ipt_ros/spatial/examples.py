# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""What a task produces: questions, and examples that hold several questions about one scene."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

LETTERS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ'


@dataclass(frozen=True)
class Question:
    """
    A question as the model reads it.

    ``text`` is the whole user text, choices included. ``choices[i]`` belongs to letter
    ``'ABC...'[i]``; ``answer`` is the letter of the truth, '' where the truth is not known.
    ``subtask`` is what accuracy is averaged over. ``metadata`` holds plain JSON values only.
    """

    text: str
    choices: list[str] = field(default_factory=list)
    answer: str = ''
    subtask: str = ''
    metadata: dict[str, Any] = field(default_factory=dict)

    @property
    def answer_choice(self) -> str:
        """Return the text of the right choice."""
        return self.choices[LETTERS.index(self.answer)]


@dataclass(frozen=True)
class DenseTruth:
    """
    Per-pixel truth of one image, of the image's height and width.

    ``classes`` is uint8, an index into the data set's class list; ``depth_mm`` is uint16,
    planar depth in millimetres, 0 where nothing was hit.
    """

    classes: np.ndarray
    depth_mm: np.ndarray


@dataclass(frozen=True)
class Example:
    """
    Several questions about the same images and the same imagined target.

    ``images`` are the model's inputs in order and ``target`` is the truth of the imagination,
    all uint8 HxWx3 RGB with marks already drawn; ``target`` is None where nothing is to be
    imagined, as in published rows with text alone. ``think`` is the sentence before the imagined
    image. ``dense`` has one entry an input image and a last one for the target, or is empty.
    """

    task: str
    variant: str
    images: list[np.ndarray]
    target: np.ndarray | None
    think: str
    questions: list[Question]
    metadata: dict[str, Any] = field(default_factory=dict)
    dense: list[DenseTruth] = field(default_factory=list)
