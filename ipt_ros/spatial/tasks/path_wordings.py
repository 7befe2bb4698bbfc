# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""
The ways in which a question about a path is worded.

Ten a variant; those known from the published data come first and are kept verbatim, stray full
stop included. ``{start}`` and ``{end}`` are waypoints, 1 and 2 or 2 and 1; ``{side}`` is 'left'
or 'right'; ``<image_1>`` is the map, ``<image_2>`` the view from the start, ``<image_3>`` that
from the end.
"""

PATH = (
    'You are following the path from waypoint {start} to {end} as shown in the top-down view '
    '<image_1>. Which object can you see on your {side} side at waypoint M1?.',
    'You are navigating from waypoint {start} to waypoint {end}, passing through midpoint M1 as '
    'shown in the top-down view <image_1>. Which object can you see on your {side} side at '
    'waypoint M1?',
    'You are traveling along the path {start}→{end} and viewing from a top-down perspective as '
    'shown in <image_1>. Which object can you see on your {side} side at waypoint M1?',
    'You walk the marked path from waypoint {start} to waypoint {end}. Which object can you see '
    'on your {side} at waypoint M1?',
    'The map <image_1> shows a path. Going from {start} to {end}, which object can you see on '
    'your {side} side when you reach M1?',
    'A robot drives from waypoint {start} to waypoint {end} on the map. Which object can it see '
    'on its {side} side at midpoint M1?',
    'I move along the path {start}→{end}. At midpoint M1 I turn my head {side}. Which object can '
    'I see?',
    'Suppose a person follows the path in <image_1> from waypoint {start} to waypoint {end}. '
    'Which object is in sight on their {side} at waypoint M1?',
    'Half way from waypoint {start} to waypoint {end}, at M1, you look to your {side}. Which '
    'object can you see?',
    'Were an observer to travel from {start} to {end} as indicated on the top-down view, which '
    'object would be visible on the {side} side at waypoint M1?',
)

PATH_ARROW = (
    'You are following the path from waypoint {start} to {end} as shown in the top-down view '
    '<image_1>, where the arrow at M1 shows the direction you look. Which object can you see on '
    'your {side} side at waypoint M1?',
    'You are navigating from waypoint {start} to waypoint {end}, passing through midpoint M1 as '
    'shown in the top-down view <image_1>. The arrow points to your {side}. Which object can you '
    'see on your {side} side at waypoint M1?',
    'You are traveling along the path {start}→{end} and viewing from a top-down perspective as '
    'shown in <image_1>. Which object can you see on your {side} side at waypoint M1, in the '
    'direction of the arrow?',
    'You walk the marked path from waypoint {start} to waypoint {end} and look along the arrow. '
    'Which object can you see on your {side} at waypoint M1?',
    'The map <image_1> shows a path and an arrow. Going from {start} to {end}, which object can '
    'you see on your {side} side, where the arrow points, when you reach M1?',
    'A robot drives from waypoint {start} to waypoint {end} on the map. Which object can it see '
    'on its {side} side at midpoint M1 (see the arrow)?',
    'I move along the path {start}→{end}. At midpoint M1 I turn my head {side}, as the arrow '
    'shows. Which object can I see?',
    'Suppose a person follows the path in <image_1> from waypoint {start} to waypoint {end}. '
    'Which object is in sight on their {side} at waypoint M1, along the arrow?',
    'Half way from waypoint {start} to waypoint {end}, at M1, you look along the arrow to your '
    '{side}. Which object can you see?',
    'Were an observer to travel from {start} to {end} as indicated on the top-down view, which '
    'object would be visible on the {side} side at waypoint M1, as marked by the arrow?',
)

EGO_DIR = (
    'You are navigating from waypoint {start} to waypoint {end}, passing through midpoint M1 as '
    'shown in the top-down view <image_1>. Looking ahead from point {start}, you see: <image_2>. '
    'Looking ahead from point {end}, you see: <image_3>. Which object can you see on your {side} '
    'side at waypoint M1?',
    'You are traveling along the path {start}→{end} and viewing from a top-down perspective as '
    'shown in <image_1>. Standing at point {start} and looking forward: <image_2>. Standing at '
    'point {end} and looking forward: <image_3>. Which object can you see on your {side} side at '
    'waypoint M1?',
    'You are following the path from waypoint {start} to {end} as shown in the top-down view '
    '<image_1>. Ahead of you at {start}: <image_2>. Ahead of you at {end}: <image_3>. Which '
    'object can you see on your {side} side at waypoint M1?',
    'You walk the marked path from waypoint {start} to waypoint {end} of <image_1>. The view '
    'ahead is <image_2> at the start and <image_3> at the end. Which object can you see on your '
    '{side} at waypoint M1?',
    'The map <image_1> shows a path. Going from {start} to {end}, you first see <image_2> and at '
    'last <image_3> in front of you. Which object can you see on your {side} side when you reach '
    'M1?',
    'A robot drives from waypoint {start} to waypoint {end} on the map <image_1>. Its camera '
    'shows <image_2> at {start} and <image_3> at {end}. Which object can it see on its {side} '
    'side at midpoint M1?',
    'I move along the path {start}→{end} in <image_1>. I see <image_2> when I set out and '
    '<image_3> when I arrive. At midpoint M1 I turn my head {side}. Which object can I see?',
    'Suppose a person follows the path in <image_1> from waypoint {start} to waypoint {end}, '
    'seeing <image_2> ahead at the start and <image_3> ahead at the end. Which object is in sight '
    'on their {side} at waypoint M1?',
    'Given the map <image_1>, the view ahead from {start} <image_2> and the view ahead from {end} '
    '<image_3>: half way from waypoint {start} to waypoint {end}, at M1, you look to your {side}. '
    'Which object can you see?',
    'Were an observer to travel from {start} to {end} as indicated on the top-down view '
    '<image_1>, facing <image_2> at first and <image_3> at last, which object would be visible on '
    'the {side} side at waypoint M1?',
)

# Before the imagined view; the first four are known from the published data.
THOUGHTS = (
    'At M1, the view to my {side}:',
    'From the midpoint M1, my {side} side shows:',
    'At midpoint M1, looking to the {side}, I see:',
    "Here's what's on my {side} at midpoint M1:",
    'Standing at M1 and turning {side}, this is in front of me:',
    'My {side} side at waypoint M1 looks like this:',
    'Let me picture the view to the {side} from midpoint M1:',
    'When I reach M1 and look {side}, I see this:',
)
