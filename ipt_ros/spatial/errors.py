# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""What can be wrong with a question, its images or its target; every message says what to do."""


class SpatialError(ValueError):
    """Base of everything that this package refuses."""


class UnknownTaskError(SpatialError):
    """The task name is not in the registry."""


class BadQuestionError(SpatialError):
    """Question text or choices cannot be put to the model."""


class WrongImagesError(SpatialError):
    """The images do not fit the task: count, type or shape."""


class TargetError(SpatialError):
    """A target pose cannot be turned into a mark; base of the errors below."""


class TargetInvalidError(TargetError):
    """The target has NaN or infinite coordinates."""


class TargetNotOnFloorError(TargetError):
    """The target is not on the floor."""


class TargetOutOfViewError(TargetError):
    """The target lies behind the camera, outside the image or too near its edge."""


class TargetOccludedError(TargetError):
    """Something, a wall for instance, stands between the camera and the target."""


class TurnNotSupportedError(TargetError):
    """The target's heading is no quarter turn left or right of the camera's heading."""


class PathInvalidError(TargetError):
    """A path has too few points, or its ends are too near to each other."""


class PathOutsideMapError(TargetError):
    """A path leaves the map that it is to be drawn on."""
