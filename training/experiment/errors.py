# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""What goes wrong in an experiment, in words for the person who started it."""


class ExperimentError(RuntimeError):
    """An experiment cannot start or go on; the message says why, and what to do."""
