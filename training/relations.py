# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""
Where objects are with respect to a marked place, in a few words.

Perspective questions ask for one bit that hangs on several things at once: where the object is
from the X, and which way the observer turns. These words name each of them, for every object of a
picture, so that a small model can learn them one by one. Likewise for what is beside a path on a
map, seen from the path's midpoint: there, both the way and the object may point anywhere on the
map, so words for that come first.
"""

from collections.abc import Sequence
from dataclasses import dataclass
import math

from ipt_ros.spatial import Example, Question, TASKS
from ipt_ros.spatial.tasks.path_tracing import DIRECTIONS, DISTRACTORS, SIDES
from ipt_ros.spatial.tasks.perspective import TURNS
import numpy as np

# Most of what one sees comes closer on the way to the X; this evens out what is asked.
_KEEP_CLOSER = 0.25
# Within these margins (metres) neither word would be true to what one sees.
LEVEL, STRAIGHT, SAME = 0.2, 0.2, 0.3
# Off the line of sight, in degrees: whose middle is nearer than the first is in a view of 90
# degrees, whose middle is further than the second is not. Metres to what may be asked about.
_IN_VIEW, _OUT_OF_VIEW, _NEAR = 38, 62, 3.0
# Where things are on a map, clockwise from its upper edge.
COMPASS = ('up', 'up right', 'right', 'down right', 'down', 'down left', 'left', 'up left')


@dataclass(frozen=True)
class Relation:
    """
    An object with respect to a place and a heading.

    Of perspective questions, the place is the X and the heading that of the picture; of paths, the
    midpoint and the way from waypoint 1 to 2. ``ahead`` and ``left`` are metres from the place to
    the object. ``change`` is by how many metres the observer's distance to it grows on the way to
    the X, ``beside`` its metres to the left of the picture's line of sight; None for paths.
    ``heading``, of paths only, is where "ahead" points on the map: radians, clockwise from up.
    ``alone``: whether no other object there has that name.
    """

    name: str
    ahead: float
    left: float
    change: float | None = None
    beside: float | None = None
    heading: float | None = None
    alone: bool = True


def relations(example: Example) -> list[Relation]:
    """Return those of an example, none for counting."""
    if example.task == 'pet':
        return _from_target(example.metadata)
    if example.task == 'pt':
        return _from_midpoint(example.metadata)
    return []


def _from_target(known: dict) -> list[Relation]:
    if 'seen' not in known:
        return []
    x, y, yaw = known['pose']
    dx, dy = known['target_pose'][0] - x, known['target_pose'][1] - y
    beside = dy * math.cos(yaw) - dx * math.sin(yaw)
    return [
        Relation(row['name'], row['ahead'], row['left'],
                 row['distance_after'] - row['distance_before'], beside + row['left'])
        for row in known['seen']]


def _from_midpoint(known: dict) -> list[Relation]:
    """Return those of all objects that the map shows."""
    x, y, yaw = known['midpoint']
    if tuple(known['direction']) == (2, 1):
        yaw += math.pi
    c, s = math.cos(yaw), math.sin(yaw)
    heading = known['map']['yaw'] - yaw
    position = {item['id']: item['position'] for item in known['objects']}
    shown = [row for row in known['shown'] if row['map_area'] > 0]
    names = [row['name'] for row in shown]
    found = []
    for row in shown:
        dx, dy = position[row['object']][0] - x, position[row['object']][1] - y
        found.append(Relation(
            row['name'], dx * c + dy * s, dy * c - dx * s, heading=heading,
            alone=names.count(row['name']) == 1))
    return found


def perspective_questions(relation: Relation, rng: np.random.Generator) -> list[Question]:
    """
    Return what perspective questions ask of an object: both turns, its side and its distance.

    Also where it would not be in sight from the X: the truth is as clear, and a picture then gives
    many times the labels that its own questions give.
    """
    task, kinds = TASKS['pet'], []
    if relation.change is not None and abs(relation.change) > SAME:
        change = 'further' if relation.change > 0 else 'closer'
        kinds += [(f'distance_change_{change}', turn) for turn in TURNS
                  if change == 'further' or rng.random() < _KEEP_CLOSER]
    if relation.beside is not None and abs(relation.ahead) > LEVEL:
        before = 'left' if relation.beside > 0 else 'right'
        for turn in TURNS:
            after = 'left' if (relation.ahead > 0) == (turn == 'right') else 'right'
            kinds.append((f'relative_position_{before}_{after}', turn))
    return [task.question(subtask, relation.name, turn, rng) for subtask, turn in kinds]


def path_questions(found: Sequence[Relation], rng: np.random.Generator) -> list[Question]:
    """
    Return what path questions ask of a map: all that is in view on either side of the midpoint.

    By the objects' middles alone, so that sides which no picture was taken of count as well. What
    may be half in view is neither asked about nor offered as a choice.
    """
    questions = []
    for sign, side in ((1, SIDES[0]), (-1, SIDES[1])):
        off = {}
        for relation in found:
            metres = math.hypot(relation.ahead, relation.left)
            angle = math.degrees(math.atan2(abs(relation.ahead), sign * relation.left))
            # At the midpoint itself a thing is on no side: as if half in view.
            off.setdefault(relation.name, []).append((angle if metres else 45.0, metres))
        unseen = [name for name, all_of in off.items()
                  if min(angle for angle, _ in all_of) > _OUT_OF_VIEW]
        for name, all_of in off.items():
            if len(unseen) >= DISTRACTORS and any(
                    angle < _IN_VIEW and metres < _NEAR for angle, metres in all_of):
                question = TASKS['pt'].question(name, unseen, side, DIRECTIONS[0], rng)
                questions.append(question if rng.random() < 0.5
                                 else TASKS['pt'].from_other_end(question, rng))
    return questions


def compass_words(heading: float) -> str:
    """Return where on a map a direction points: radians, clockwise from up."""
    return COMPASS[round(heading / (math.pi / 4)) % len(COMPASS)]


def on_map(relation: Relation) -> str:
    """Return where on the map an object is from the place, of paths only."""
    return compass_words(relation.heading - math.atan2(relation.left, relation.ahead))


def answer_in_words(relation: Relation, turn: str = '') -> str:
    """
    Return left or right, ahead or behind and, where it is known, closer or further.

    ``turn`` is 'left', 'right', 'around' or nothing. There are words for in-betweens, too.
    """
    ahead, left = relation.ahead, relation.left
    if turn == 'left':
        ahead, left = left, -ahead
    elif turn == 'right':
        ahead, left = -left, ahead
    elif turn == 'around':
        ahead, left = -ahead, -left
    words = [_word(left, STRAIGHT, 'left', 'right', 'straight'),
             _word(ahead, LEVEL, 'ahead', 'behind', 'level')]
    if relation.change is not None:
        words.append(_word(relation.change, SAME, 'further', 'closer', 'same'))
    return ' '.join(words)


def _word(value: float, margin: float, above: str, below: str, between: str) -> str:
    if abs(value) < margin:
        return between
    return above if value > 0 else below
