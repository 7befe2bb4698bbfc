# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""What can be wrong with an evaluation."""


class EvaluationError(ValueError):
    """An evaluation cannot be made or read; the message says why and what to do."""
