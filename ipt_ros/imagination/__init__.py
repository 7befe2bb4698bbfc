# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""
The one door to the model: views and a request in, an answer or an imagined picture out.

Plain data on both sides and no ROS, so that a node, a command line and a test use it alike.
"""

from ipt_ros.imagination.data import (
    Answer,
    AskRequest,
    AUTO_MODE,
    BevRequest,
    Code,
    Grid,
    ImaginationError,
    Imagined,
    MODES,
    Options,
    Progress,
    Request,
    Result,
    TASK_NAMES,
    View,
    ViewRequest,
)
from ipt_ros.imagination.door import Imagination
from ipt_ros.imagination.prepare import check_ask, prepare, Prepared

__all__ = [
    'AUTO_MODE',
    'MODES',
    'TASK_NAMES',
    'Answer',
    'AskRequest',
    'BevRequest',
    'Code',
    'Grid',
    'Imagination',
    'ImaginationError',
    'Imagined',
    'Options',
    'Prepared',
    'Progress',
    'Request',
    'Result',
    'View',
    'ViewRequest',
    'check_ask',
    'prepare',
]
