# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""What goes wrong while fine-tuning, in words for the person who started it."""


class FinetuneError(RuntimeError):
    """A run cannot start or go on; the message says why, and what to do."""
