# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""What can go wrong in the model, as types that callers can tell apart."""


class BagelError(Exception):
    """Base of every error that this package raises on purpose."""


class CheckpointError(BagelError):
    """A checkpoint folder is incomplete, damaged or does not fit its configuration."""


class NoCheckpointError(CheckpointError):
    """Where a checkpoint was looked for there is none: no folder, or no weights in it."""


class ConfigError(BagelError):
    """A configuration value is missing, of the wrong type or out of range."""


class InputError(BagelError):
    """An image, text or training sample that the model cannot take."""


class Cancelled(BagelError):
    """Raise it from a progress callback to stop sampling; it reaches the caller unchanged."""
