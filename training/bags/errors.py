# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""What can be wrong with a recording."""


class BagReadError(ValueError):
    """A bag that cannot be used at all; the message says why and what to do."""


class FrameError(ValueError):
    """
    One frame that cannot be used; the rest of the bag may well be.

    reason: the same words for the same trouble, to count by.
    """

    def __init__(self, reason: str, detail: str = ''):
        """Keep the reason apart from what is particular to this frame."""
        super().__init__(f'{reason}: {detail}' if detail else reason)
        self.reason = reason
