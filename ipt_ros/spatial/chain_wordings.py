# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""
Sentences of chains of thought, several for each step.

Fields are filled by `ipt_ros.spatial.chains`; the sentences of a step all say the same.
"""

# Every chain with choices ends with one of these.
CLOSING = ('My answer is {letter}.', 'So the answer is {letter}.', 'That is choice {letter}.')

PET_MOVE = (
    "I walk to the 'X' and keep facing the same way.",
    "First I move to the 'X' without turning.",
    "I imagine standing on the 'X' with my heading unchanged.",
)
PET_PLACE = (
    'From there the {object} is {along} {ahead} and {across} to the {left}.',
    'There the {object} would be {across} to my {left} and {along} {ahead}.',
    'Before any turn, the {object} lies {along} {ahead} and {across} to the {left}.',
)
PET_TURN = (
    'Turning {turn} brings what was ahead to my {from_ahead} and what was behind to my '
    '{from_behind}.',
    'After a quarter turn to the {turn}, things ahead end up on my {from_ahead}, things behind on '
    'my {from_behind}.',
    'A 90-degree turn to the {turn} moves ahead to {from_ahead} and behind to {from_behind}.',
)
PET_SIDE = (
    'The {object} was {ahead}, so it is now on my {side}.',
    'Since the {object} was {ahead}, it is on the {side} now.',
    'It was {ahead}, which puts the {object} on the {side}.',
)
PET_NOW = (
    'From where I am the {object} is {before} away.',
    'Right now it is {before} to the {object}.',
    'The {object} is {before} from this viewpoint.',
)
PET_THEN = (
    "From the 'X' it is {after}.",
    "At the 'X' that becomes {after}.",
    "Standing on the 'X', I am {after} from it.",
)
PET_SPOT = (
    'Turning {turn} on the spot does not change a distance.',
    'The turn to the {turn} changes the view, not how far away things are.',
    'A turn {turn} in place leaves distances as they are.',
)
PET_DISTANCE = (
    '{after} is {less} than {before}, so the {object} gets {change}.',
    'That is {less} than before, so the {object} is {change}.',
    'With {after} in place of {before}, the {object} ends up {change}.',
)
PET_BRIEF_SIDE = (
    "From the 'X' the {object} is {ahead}. Turning {turn} puts that on the {side}.",
    "At the 'X', heading unchanged, the {object} is {ahead}; after the turn {turn} it is {side}.",
)
PET_BRIEF_DISTANCE = (
    "The {object} is {before} away, from the 'X' {after}: {change}.",
    "{before} to the {object} now, {after} from the 'X': {change}.",
)

MVC_OPENING = (
    'I go through the views one by one and count each {object} once.',
    'Let me look for the {object} in every view, without counting one twice.',
    'I check the four views in turn for the {object}.',
)
MVC_NONE = (
    'View {view}: none.',
    'View {view} shows no {object}.',
    'In view {view} there is none.',
)
MVC_SOME = (
    'View {view}: {listed}.',
    'View {view} shows {listed}.',
    'In view {view} I see {listed}.',
)
MVC_NEW = ('{place}, new', '{place} that I have not counted yet', '{place}, not seen before')
MVC_KNOWN = (
    '{place}, the same as in view {first}',
    '{place} that view {first} showed already',
    '{place}, counted in view {first}',
)
MVC_SO_FAR = ('That makes {total} so far.', 'So far {total}.', 'I have {total} now.')
MVC_ABOVE = (
    'From above, measured from the middle of the area: {listed}.',
    'On a map of the area I would mark, from its middle, {listed}.',
    'Seen from above there is, from the middle of the area, {listed}.',
)
MVC_TOTAL = ('The total number is {total}.',)  # as published

PT_PATH = (
    'I walk from waypoint {start} to waypoint {end} and stop at M1.',
    'The path leads from {start} to {end}; M1 is half way.',
    'Going from waypoint {start} to {end}, I reach the midpoint M1.',
)
PT_HEADING = (
    'There I am heading {heading} on the map.',
    'At M1 the direction of travel is {heading} on the map.',
    'On the map I move {heading} at that place.',
)
PT_SIDE = (
    'With that heading, my {side} is {toward} on the map.',
    'So what is on my {side} lies {toward} from M1 on the map.',
    'My {side} side then points {toward}.',
)
PT_SEEN = (
    'There, {distance} from M1, is the {object}.',
    'Looking that way I see the {object}, {distance} away.',
    'The {object} stands there, {distance} from M1.',
)
PT_NOT_SEEN = {
    'opposite': (
        'The {object} is on my other side.',
        'The {object} lies to my {opposite} instead.',
    ),
    'ahead': (
        'The {object} is ahead of me.',
        'The {object} lies further along the way I am facing.',
    ),
    'behind': (
        'The {object} is behind me.',
        'The {object} lies back where I come from.',
    ),
    'hidden': (
        'The {object} cannot be seen from M1.',
        'From M1 the {object} is out of sight.',
    ),
    'absent': (
        'I find no {object} there.',
        'There is no {object} to be seen.',
    ),
}
