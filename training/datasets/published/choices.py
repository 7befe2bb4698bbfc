# SPDX-License-Identifier: Apache-2.0
"""Choices: found in the text of a question, or made for a counted number."""

import random
import re

from ipt_ros.spatial import LETTERS

# A line each: '(A) Closer', 'B) Further', 'C. left'.
_LINES = re.compile(r'^[ \t]*\(?([A-Z])[).][ \t]+(.+?)[ \t]*$', re.MULTILINE)
# In the sentence: 'A) 1 B) 2 C) 3 D) 4'.
_INLINE = re.compile(r'(?<![\w(])([A-Z])\)\s*(.+?)(?=\s+[A-Z]\)|\s*$)', re.DOTALL)


def choices_in(text: str) -> list[str]:
    """
    Return the choices that a question lists, ordered by letter; [] where it lists none.

    They count as such only when their letters are A, B and so on without a gap, in any order.
    """
    for pattern in (_LINES, _INLINE):
        found = dict(pattern.findall(text))
        if len(found) >= 2 and sorted(found) == list(LETTERS[:len(found)]):
            return [found[letter] for letter in sorted(found)]
    return []


def number_choices(count: int, row: int, highest: int | None = None) -> list[str]:
    """
    Return four numbers in a drawn order: ``count`` and three others within 3 of it, none below 1.

    The same row always gets the same, by the published rule: seed 42 + ``row``. ``highest``
    bounds the numbers, unless the count itself is beyond. Raise ValueError for a count below 0.
    """
    if count < 0:
        raise ValueError(f'a count is 0 or more, got {count}')
    top = count + 3 if highest is None else max(count, min(highest, count + 3))
    rng = random.Random(42 + row)
    others = [n for n in range(max(1, count - 3), top + 1) if n != count]
    numbers = [*rng.sample(others, 3), count]
    rng.shuffle(numbers)
    return [str(number) for number in numbers]
