# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""
The ways in which a perspective question is worded.

Ten a question type, in first, second and third person, from casual to formal; each with a twin
for images that carry the blue arrow. Wordings known from the published data are kept verbatim.
``{direction}`` is 'left' or 'right', ``{object}`` a class name.
"""

DISTANCE = (
    "If someone at this viewpoint moves to the 'X' on the ground while maintaining their "
    'orientation, then rotates {direction} 90 degrees, will the {object} be closer or further to '
    'them?',
    "If I move to the 'X' on the ground (keeping my facing direction) and then turn {direction} "
    '90 degrees, will the {object} get closer or further?',
    "In this scene, after reaching the 'X' position on the ground (keeping the same facing "
    'direction) and then performing a 90-degree {direction} turn, would the {object} be at a '
    'closer or further distance?',
    "After moving to 'X' and turning {direction} 90°, will the {object} get closer or further?",
    "Suppose you walk to the 'X' on the ground without changing the way you face, then turn "
    '{direction} 90 degrees. Is the {object} closer to you or further away?',
    "I go to the 'X' and turn {direction} 90 degrees. Does the {object} end up closer or further?",
    "You step onto the 'X' marked on the ground, still facing the same way, and make a 90-degree "
    'turn to the {direction}. Will you be closer to the {object} or further from it?',
    "When a person reaches the point 'X' on the ground with an unchanged heading and rotates "
    '{direction} by 90 degrees, does the distance to the {object} make it closer or further?',
    "Were the observer to relocate to the 'X' on the ground, preserving orientation, and "
    'subsequently rotate 90 degrees to the {direction}, would the {object} be closer or further '
    'than before?',
    "A robot drives to the 'X' on the ground, keeps its heading, then turns {direction} 90 "
    'degrees. Is the {object} now closer or further?',
)

DISTANCE_ARROW = (
    "The arrow shows the final facing direction after moving to 'X' on the ground and rotating "
    '{direction} 90°. Will the {object} be closer or further?',
    "If I move to the 'X' on the ground and turn {direction} 90° as the arrow shows, will the "
    '{object} get closer or further?',
    "After reaching 'X' on the ground and turning {direction} 90° (arrow indicates final "
    'direction), would the {object} be closer or further?',
    "After moving to 'X' and turning {direction} 90° (see the arrow), will the {object} get "
    'closer or further?',
    "Suppose you walk to the 'X' on the ground and turn {direction} 90° to face along the arrow. "
    'Is the {object} closer to you or further away?',
    "I go to the 'X' and turn {direction} 90°, as the arrow points. Does the {object} end up "
    'closer or further?',
    "You step onto the 'X' and make a 90° turn to the {direction}; the arrow is where you then "
    'look. Will you be closer to the {object} or further from it?',
    "When a person reaches 'X' and rotates {direction} by 90° to the direction of the arrow, is "
    'the {object} closer or further?',
    "Were the observer to relocate to 'X' and rotate 90° to the {direction}, as indicated by the "
    'arrow, would the {object} be closer or further than before?',
    "A robot drives to the 'X' and turns {direction} 90° until it faces along the arrow. Is the "
    '{object} now closer or further?',
)

SIDE = (
    "If someone at this viewpoint moves to the 'X' on the ground while maintaining their "
    'orientation, then rotates {direction} 90 degrees, will the {object} be on their left or '
    'right?',
    "If I move to the 'X' on the ground (keeping my facing direction) and then turn {direction} "
    '90 degrees, will the {object} be on my left or right?',
    "In this scene, after reaching the 'X' position on the ground (keeping the same facing "
    'direction) and then performing a 90-degree {direction} turn, would the {object} be on the '
    'left or right side?',
    "After moving to 'X' and turning {direction} 90°, will the {object} be on your left or right?",
    "Suppose you walk to the 'X' on the ground without changing the way you face, then turn "
    '{direction} 90 degrees. Is the {object} to your left or to your right?',
    "I go to the 'X' and turn {direction} 90 degrees. Is the {object} then on my left or right?",
    "You step onto the 'X' marked on the ground, still facing the same way, and make a 90-degree "
    'turn to the {direction}. Which side of you is the {object} on, left or right?',
    "When a person reaches the point 'X' on the ground with an unchanged heading and rotates "
    '{direction} by 90 degrees, does the {object} appear on the left or on the right?',
    "Were the observer to relocate to the 'X' on the ground, preserving orientation, and "
    'subsequently rotate 90 degrees to the {direction}, would the {object} lie to the left or to '
    'the right?',
    "A robot drives to the 'X' on the ground, keeps its heading, then turns {direction} 90 "
    'degrees. Is the {object} on its left or right?',
)

SIDE_ARROW = (
    "The arrow shows the final facing direction after moving to 'X' on the ground and rotating "
    '{direction} 90°. Will the {object} be on the left or right?',
    "If I move to the 'X' on the ground and turn {direction} 90° as the arrow shows, will the "
    '{object} be on my left or right?',
    "After reaching 'X' on the ground and turning {direction} 90° (arrow indicates final "
    'direction), would the {object} be on the left or right side?',
    "After moving to 'X' and turning {direction} 90° (see the arrow), will the {object} be on "
    'your left or right?',
    "Suppose you walk to the 'X' on the ground and turn {direction} 90° to face along the arrow. "
    'Is the {object} to your left or to your right?',
    "I go to the 'X' and turn {direction} 90°, as the arrow points. Is the {object} then on my "
    'left or right?',
    "You step onto the 'X' and make a 90° turn to the {direction}; the arrow is where you then "
    'look. Which side of you is the {object} on, left or right?',
    "When a person reaches 'X' and rotates {direction} by 90° to the direction of the arrow, "
    'does the {object} appear on the left or on the right?',
    "Were the observer to relocate to 'X' and rotate 90° to the {direction}, as indicated by the "
    'arrow, would the {object} lie to the left or to the right?',
    "A robot drives to the 'X' and turns {direction} 90° until it faces along the arrow. Is the "
    '{object} on its left or right?',
)
