# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""What the model imagines while it learns to: one example, each time the state is saved."""

from collections.abc import Sequence

from ipt_ros.bagel import Bagel, fast_dtype, imagine, read_prompt
from ipt_ros.bagel.images import resize
from ipt_ros.spatial.prompts import before_image_text, THINK_PROMPT
from ipt_training.finetune.index import Unit
from ipt_training.finetune.rows import Rows
import numpy as np
import torch


def preview(model: Bagel, rows: Rows, units: Sequence[Unit], seed: int) -> np.ndarray | None:
    """
    Imagine the first example of a kind that imagines.

    Return what the model was shown last, the truth and what it imagined, side by side as uint8
    (H, 3 * W, 3); None where nothing is to be imagined. The model is left in training mode.
    """
    unit = next((unit for unit in units if unit.kind == 'ipt'), None)
    if unit is None:
        return None
    example = rows.example(unit.row)
    dtype = fast_dtype(model.device)
    model.eval()
    with torch.no_grad(), torch.autocast(
            model.device.type, dtype, enabled=dtype != torch.float32):
        prompt = read_prompt(
            model, system=THINK_PROMPT, images=example.images,
            question=example.questions[unit.questions[0]].text, mode='imagine')
        prompt.context.add_text(before_image_text(example.think))
        imagined = imagine(prompt, model.config.sampling, seed=seed)
    model.train()
    size = imagined.shape[:2]
    return np.concatenate(
        [resize(example.images[-1], size), resize(example.target, size), imagined], axis=1)
