# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""What is wrong with a data set: with its files, or with one row of them."""


class StoreError(ValueError):
    """A file or folder does not hold examples; the message says which and what to do."""


class PublishedError(StoreError):
    """A file is not of the layout it should have; says file, column, expected and found."""


class BadRowError(StoreError):
    """One row of a file that is fine otherwise cannot become an example."""

    def __init__(self, message: str, reason: str):
        """``reason`` is the message without place and content, to count rows by."""
        super().__init__(message)
        self.reason = reason
