# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""
How mined questions are worded: in the manner of the published camera-motion and PET rows.

Requests begin with 'Generate', as the published ones do. ``{direction}`` is 'left' or 'right'.
"""

VIEW_REQUESTS = (
    "Generate the view after moving to the 'X' on the ground and turning {direction} 90 degrees.",
    "Generate what I would see if I went to the 'X' on the ground, keeping the way I face, and "
    'then turned {direction} 90 degrees.',
    "Generate the image that a camera takes at the 'X' on the ground after a 90-degree turn to "
    'the {direction}.',
    "Generate the scene from the new perspective: the observer stands on the 'X' and has turned "
    '{direction} by 90 degrees.',
    "Generate the view that a robot has after it drives to the 'X' on the ground with an "
    'unchanged heading and rotates {direction} 90 degrees.',
)

MAP_REQUESTS = (
    'Generate a top-down map of this area from the four views.',
    'Generate what this area looks like from above, with the direction of the first view up.',
    "Generate the bird's-eye view of the place where these four images were taken.",
    'Generate the map that a camera high above this area would see.',
)
MAP_ANSWER = "I've generated the top-down map of the area."

WAY_QUESTIONS = (
    "If I move to the 'X' on the ground (keeping my facing direction) and then turn {direction} "
    '90 degrees, can I walk {distance} m straight ahead without bumping into anything?',
    "After moving to 'X' and turning {direction} 90°, is the way free for {distance} m straight "
    'ahead?',
    "A robot drives to the 'X' on the ground, keeps its heading, then turns {direction} 90 "
    'degrees. Could it drive on for {distance} m in a straight line?',
)
WAY_CHOICES = ('Yes', 'No')
