# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""
What a checkpoint is best at: `recommended.json` of `ipt evaluate --recommend` in its folder.

    {"fingerprint": "0123456789abcdef",
     "auto_mode": {"pet": "imagine", "pt": "answer"},
     "measured": {"pet": {"answer": {"accuracy": 0.61, "n": 300}, "imagine": {...}}, ...}}

The fingerprint is that of the weights that were evaluated: what is said of others does not count.
"""

import json
from typing import TYPE_CHECKING

from ipt_ros.imagination.data import MODES, TASK_NAMES

if TYPE_CHECKING:
    from ipt_ros.bagel.source import Source


def recommended_modes(source: 'Source') -> dict[str, str]:
    """
    Return the mode by task that a checkpoint recommends; nothing where it does not say.

    An adapter speaks for itself: what its base recommends does not count. Raises CheckpointError
    for a damaged file.
    """
    from ipt_ros.bagel import CheckpointError
    from ipt_ros.bagel.source import mark, RECOMMENDED
    path = (source.adapter.folder if source.adapter else source.folder) / RECOMMENDED
    if not path.exists():
        return {}
    try:
        content = json.loads(path.read_text(encoding='utf-8'))
        modes, fingerprint = dict(content['auto_mode']), content['fingerprint']
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CheckpointError(
            f'{path}: expected an object with fingerprint and auto_mode; delete the file, or '
            'write it anew (ipt evaluate --recommend)') from error
    for task, mode in modes.items():
        if task not in TASK_NAMES[1:] or mode not in MODES[1:]:
            raise CheckpointError(
                f"{path}: auto_mode: '{task!s:.40}' is '{mode!s:.40}'; expected "
                f"{', '.join(MODES[1:])} for {', '.join(TASK_NAMES[1:])}")
    return modes if fingerprint == mark(source) else {}
