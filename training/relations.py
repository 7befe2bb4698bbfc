# SPDX-License-Identifier: Apache-2.0
"""
Where objects are with respect to a marked target, in a few words.

Perspective questions ask for one bit that hangs on several things at once: where the object is
from the X, and which way the observer turns. These words name each of them, for every object of a
picture, so that a small model can learn them one by one.
"""

from dataclasses import dataclass

from ipt_ros.spatial import Example

# Within these margins (metres) neither word would be true to what one sees.
LEVEL, STRAIGHT, SAME = 0.2, 0.2, 0.3


@dataclass(frozen=True)
class Relation:
    """
    An object with respect to the target, in the heading of the picture.

    ``ahead`` and ``left`` are metres from the target to the object, ``change`` is by how many
    metres the observer's distance to it grows on the way to the target.
    """

    name: str
    ahead: float
    left: float
    change: float

    @classmethod
    def from_seen(cls, row: dict) -> 'Relation':
        """Read an entry of a perspective example's ``metadata['seen']``."""
        return cls(row['name'], row['ahead'], row['left'],
                   row['distance_after'] - row['distance_before'])


def relations(example: Example) -> list[Relation]:
    """Return those of a perspective example, none for other tasks."""
    rows = example.metadata.get('seen', []) if example.task == 'pet' else []
    return [Relation.from_seen(row) for row in rows]


def place_question(relation: Relation, turn: str = '') -> str:
    """Ask where the object is, seen from the target, after a turn to the 'left' or 'right'."""
    after = f' after turning {turn}' if turn else ''
    return f"Where is the {relation.name} from the 'X'{after}?"


def answer_in_words(relation: Relation, turn: str = '') -> str:
    """Return three words: left or right, ahead or behind, closer or further; with in-betweens."""
    ahead, left = relation.ahead, relation.left
    if turn == 'left':
        ahead, left = left, -ahead
    elif turn == 'right':
        ahead, left = -left, ahead
    return ' '.join((
        _word(left, STRAIGHT, 'left', 'right', 'straight'),
        _word(ahead, LEVEL, 'ahead', 'behind', 'level'),
        _word(relation.change, SAME, 'further', 'closer', 'same'),
    ))


def _word(value: float, margin: float, above: str, below: str, between: str) -> str:
    if abs(value) < margin:
        return between
    return above if value > 0 else below
